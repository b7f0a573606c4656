"""Users: finding, listing, creating, changing and deleting them. Each change is told in an event, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from pynamodb.exceptions import UpdateError

from chalicelib.accounts import allowed, last_administrator, models, passwords, tokens
from chalicelib.accounts.caller import Caller
from chalicelib.accounts.errors import UserAlreadyExists, UserNotFound, WrongCredentials
from chalicelib.accounts.models import UserRow
from chalicelib.accounts.user import User, changed_quotas, check_user, user_object
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied, ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.core.tables import condition_failed
from chalicelib.events import Actor, UnitOfWork, unit_of_work


def find_user(username: str) -> User | None:
    """One strongly consistent read."""
    row = models.find_user(username)
    return row.user() if row else None


def get_user(username: str, *, anew: bool = False) -> User:
    """One strongly consistent read. With ``anew`` the quotas are those of this very moment, though an administrator changed the tier's in
    another container just now; else they may be a second old. Raises: UserNotFound."""
    return _row(username, anew=anew).user()


def list_users(tier: str | None = None, limit: int = 100, offset: int = 0, cursor: str | None = None) -> tuple[list[User], str | None]:
    """Users by username, and the cursor of what follows (None at the end). Read from an index: a user made a moment ago may be missing.

    ``offset`` reads what it passes over; ``cursor`` does not.
    """
    after = decode_cursor(cursor).get("after") if cursor else None
    if cursor and not isinstance(after, str):
        raise ValidationError({"cursor": ["The cursor is not one that this list gave out"]})
    allowed.tiers()
    rows = islice(models.users_by_name(tier, after, offset + limit + 1), offset, None)
    found = [row.user() for row in islice(rows, limit)]
    has_more = bool(found) and next(rows, None) is not None
    return found, encode_cursor({"after": found[-1].username}) if has_more else None


def administrators() -> list[str]:
    """The usernames of those whose role is admin, sorted. One Query."""
    return models.usernames_of_role("admin")


def create_user(
    *,
    username: str,
    full_name: str,
    email: str,
    tier: str = "free",
    quotas: Mapping[str, Any] | None = None,
    password: str | None = None,
    role: str = "user",
    must_change_password: bool = False,
    along: Callable[[UnitOfWork, User], None] | None = None,
    by: Caller | None,
) -> User:
    """Create a user; of two who race for a name, one wins. ``quotas`` (keys as in Quotas) stand in place of the tier's.

    Without a password the user cannot sign in. ``along`` adds what is to be written in
    the same transaction. ``by`` None is the platform itself.

    Raises: PermissionDenied, ValidationError, InvalidEmail, UserAlreadyExists.
    """
    _may_manage(by)
    if password is not None or role != "user" or must_change_password:
        _may_give_power(by)
    check_user(username=username, full_name=full_name, email=email, tier=tier, quotas=quotas, role=role, password=password)
    allowed.tiers()
    now = clock.rfc3339(clock.now())
    row = UserRow(
        models.user_key(username),
        username=username,
        full_name=full_name,
        email=email,
        tier=tier,
        role=role,
        password_hash=passwords.hashed(password) if password is not None else None,
        must_change_password=must_change_password or None,
        own_quotas=changed_quotas({}, quotas or {}),
        created_at=now,
        updated_at=now,
    ).indexed()
    user = row.user()

    @last_administrator.kept
    def create() -> None:
        row.event_sequence = 0
        with unit_of_work(_actor(by)) as work:
            work.create(row, otherwise=UserAlreadyExists(username))
            work.emit("user.created", row, user_object(user))
            if role == "admin":
                last_administrator.join(work, username)
            if along is not None:
                along(work, user)

    create()
    return user


def update_user(
    username: str,
    *,
    full_name: str | None = None,
    email: str | None = None,
    tier: str | None = None,
    quotas: Mapping[str, Any] | None = None,
    role: str | None = None,
    password: str | None = None,
    current_password: str | None = None,
    must_change_password: bool | None = None,
    by: Caller | None,
) -> User:
    """Change what is given. Of ``quotas`` single ones may be given; None gives one back to the tier. Tokens follow the role.

    Everybody may change their own name and email, and their own password when they prove the ``current_password``: a stolen sign-in must
    not become a stolen account. A new password ends every sign-in but the one that asks for it; personal tokens stay. With
    ``must_change_password`` the next sign-in asks for a new one, and every present one ends. ``by`` None is the
    platform itself.

    Raises: PermissionDenied, UserNotFound, ValidationError, InvalidEmail, WrongCredentials, LastAdministrator.
    """
    is_own = by is not None and not by.is_plugin and by.id == username
    if not is_own or tier is not None or quotas is not None or role is not None or must_change_password is not None:
        _may_manage(by)
    if role is not None or password is not None or must_change_password is not None:
        _may_give_power(by)
    check_user(full_name=full_name, email=email, tier=tier, quotas=quotas, role=role, password=password)
    if password is not None and is_own and not passwords.matches(_row(username).password_hash, current_password or ""):
        raise WrongCredentials("Changing your own password needs the present one, as 'currentPassword'")
    password_hash = passwords.hashed(password) if password is not None else None

    @last_administrator.kept
    def change() -> User:
        row = _row(username)
        was_admin = row.role == "admin"
        if not is_own:
            require_power_over(row.user(), by)
        row.full_name = full_name if full_name is not None else row.full_name
        row.email = email if email is not None else row.email
        row.tier = tier if tier is not None else row.tier
        row.role = role if role is not None else row.role
        row.own_quotas = changed_quotas(row.own_quotas, quotas or {})
        row.password_hash = password_hash if password_hash is not None else row.password_hash
        if must_change_password is not None:
            row.must_change_password = must_change_password or None
        elif password is not None and is_own:
            row.must_change_password = None
        row.updated_at = clock.rfc3339(clock.now())
        user = row.indexed().user()
        with unit_of_work(_actor(by)) as work:
            work.save(row)
            work.emit("user.updated", row, user_object(user))
            if was_admin and row.role != "admin":
                last_administrator.leave(work, username)
            elif not was_admin and row.role == "admin" and not row.is_suspended:
                # Who is being removed is none of those who are left to run the platform.
                last_administrator.join(work, username)
        return user

    user = change()
    # Also when the role is what it was: a try that died before this line is finished by the next.
    ends_sign_ins = password is not None or bool(must_change_password)
    if role is not None or full_name is not None or ends_sign_ins:
        spared = by.token_hash if by is not None and is_own else ""
        tokens.settle_tokens(username, end_sign_ins=ends_sign_ins, keep_hash=spared)
    return user


def set_password(username: str, password: str, *, current_password: str | None = None, by: Caller | None) -> User:
    """:func:`update_user` of the password alone."""
    return update_user(username, password=password, current_password=current_password, by=by)


def begin_removal(work: UnitOfWork, user: User) -> None:
    """From the transaction on nobody signs in as this user any more, nor are they one of the administrators who are left; what tokens there
    are is :func:`suspend`'s. The use case is one that ``keeping_an_administrator`` wraps. Raises UserNotFound, LastAdministrator."""
    # Not somebody else who has got the name since.
    is_the_same = UserRow.created_at == clock.rfc3339(user.created_at)
    work.update(models.user_row_key(user.username), [UserRow.is_suspended.set(True)], is_the_same, otherwise=UserNotFound(user.username))
    _give_up_power(work, user)


def suspend(username: str) -> None:
    """Nobody signs in as this user any more, and what tokens there are end. Not there is fine."""
    try:
        models.user_row_key(username).update([UserRow.is_suspended.set(True)], condition=UserRow.pk.exists())
    except UpdateError as error:
        if not condition_failed(error):
            raise
    tokens.end_all_tokens(username)


def delete_suspended(username: str, by: Caller | None) -> None:
    """:func:`delete_user`, of somebody whose removal was begun and whose tokens have ended. A read, a write, and a Query for tokens."""
    _may_manage(by)
    _delete_row(username, by)
    tokens.end_all_tokens(username)


def delete_user(username: str, by: Caller | None) -> None:
    """Delete the user and all of their tokens. Sessions and storage are the caller's to remove.

    Raises: PermissionDenied, LastAdministrator, UserNotFound (also then no token is left: a try that died halfway is finished by the next).
    """
    _may_manage(by)
    if (row := models.find_user(username)) is not None:
        require_power_over(row.user(), by)
        # First of all: who is refused because there is no other administrator keeps what they have.
        _lay_down_power(row.user(), by)
    # Before and after: before, so that hardly any outlives a crash in between; after, for those made meanwhile.
    tokens.end_all_tokens(username)
    _delete_row(username, by)
    tokens.end_all_tokens(username)


def _give_up_power(work: UnitOfWork, user: User) -> None:
    if user.role == "admin":
        last_administrator.leave(work, user.username)


@last_administrator.kept
def _lay_down_power(user: User, by: Caller | None) -> None:
    with unit_of_work(_actor(by)) as work:
        _give_up_power(work, user)


@last_administrator.kept
def _delete_row(username: str, by: Caller | None) -> None:
    row = _row(username)
    require_power_over(row.user(), by)
    with unit_of_work(_actor(by)) as work:
        work.delete(row)
        work.emit("user.deleted", row, user_object(row.user()))
        _give_up_power(work, row.user())


def require_power_over(user: User, by: Caller | None) -> None:
    """A program that may manage people may not change, or be rid of, those who could stop it. Raises PermissionDenied."""
    if user.role == "admin" and by is not None and not by.has_scope("admin"):
        raise PermissionDenied("Changing an administrator needs the scope 'admin', which the token does not have", scope="admin")


def _row(username: str, *, anew: bool = False) -> UserRow:
    row = models.find_user(username, anew=anew)
    if row is None:
        raise UserNotFound(username)
    return row


def _actor(by: Caller | None) -> Actor | None:
    return by.actor if by else None


def _may_manage(by: Caller | None) -> None:
    if by is not None:
        by.require("users.manage")


def _may_give_power(by: Caller | None) -> None:
    """Roles and passwords are power: a program that could give them could make itself an administrator."""
    if by is not None and not by.has_scope("admin"):
        raise PermissionDenied("Setting a role or a password needs the scope 'admin', which the token does not have", scope="admin")
