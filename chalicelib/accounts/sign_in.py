"""Signing in and out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from chalicelib.accounts import models, passwords, token_text, tokens
from chalicelib.accounts.caller import Caller
from chalicelib.accounts.errors import PasswordChangeRequired, WrongCredentials
from chalicelib.accounts.models import UserRow
from chalicelib.accounts.user import User, check_user, user_object
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied, ValidationError
from chalicelib.events import Actor, retried, unit_of_work


@dataclass(frozen=True)
class SignedIn:
    """``token`` is the bearer token; it is shown this once."""

    token: str
    expires_at: datetime
    user: User

    @property
    def role(self) -> str:
        return self.user.role


def login(username: str, password: str, new_password: str | None = None) -> SignedIn:
    """Sign a person in for twelve hours, and tell of it (``user.login``).

    A name that nobody has and a wrong password are the same error after the same time: one read, one argon2.

    ``new_password`` takes the place of the password that was right, and ends every other sign-in.

    Raises: WrongCredentials; PasswordChangeRequired where an administrator wants a new password and there is none; ValidationError for it.
    """
    check_user(password=new_password)
    if new_password is not None and new_password == password:
        raise ValidationError({"new_password": ["Must be another one than the present password"]})
    new_hash: str | None = None

    @cache
    def proven(stored: str | None) -> bool:
        # Once for each hash, however often the write below is tried again: argon2 is slow on purpose.
        return passwords.matches(stored, password)

    @retried
    def sign_in() -> SignedIn:
        nonlocal new_hash
        row = models.find_user(username)
        stored = row.password_hash if row and not row.is_suspended else None
        if not proven(stored) or row is None or stored is None:
            raise WrongCredentials()
        if new_password is not None:
            new_hash = new_hash or passwords.hashed(new_password)
            row.password_hash, row.must_change_password = new_hash, None
        elif row.must_change_password:
            raise PasswordChangeRequired()
        elif passwords.is_outdated(stored):
            row.password_hash = passwords.hashed(password)
        return _signed_in(row)

    signed_in = sign_in()
    if new_password is not None:
        tokens.settle_tokens(username, end_sign_ins=True, keep_hash=token_text.hash_of(signed_in.token))
    return signed_in


@retried
def as_user(username: str) -> SignedIn:
    """Sign somebody in who has proven elsewhere who they are. Raises: WrongCredentials where there is no such user (any more)."""
    row = models.find_user(username)
    if row is None or row.is_suspended:
        raise WrongCredentials("There is no such account any more")
    return _signed_in(row)


def _signed_in(row: UserRow) -> SignedIn:
    """Write down that the user signs in, tell of it, and make the token: one transaction."""
    row.last_login = clock.rfc3339(clock.now())
    user = row.user()
    with unit_of_work(Actor(user.username, user.full_name)) as work:
        work.save(row)
        work.emit("user.login", row, user_object(user))
        made = tokens.put_token(work, user.username, user.full_name, user.role, tokens.SIGN_IN, "Sign-in", None, tokens.SIGN_IN_LASTS)
    return SignedIn(made.text, made.token.expires_at, user)


def logout(caller: Caller) -> None:
    """End the token that the caller came with, and tell of it (``user.logout``); it and its visits are dead when this returns.

    Raises: PermissionDenied for a plugin, whose token ends when it is deactivated.
    """
    if caller.is_plugin:
        raise PermissionDenied("A plugin does not sign out; its token ends when it is deactivated")
    token_id = token_text.id_of(caller.token_hash)
    _end_sign_in(caller, token_id)
    tokens.end_visits(caller.id, token_id)


@retried
def _end_sign_in(caller: Caller, token_id: str) -> None:
    row = models.find_user(caller.id)
    with unit_of_work(caller.actor) as work:
        tokens.drop_token(work, caller.id, token_id)
        if row is not None:
            work.save(row)
            work.emit("user.logout", row, user_object(row.user()))
