"""Tokens: who holds one, making one, ending one. Only a token's SHA-256 is stored."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.update import Action

from chalicelib.accounts import counts, models, token_text
from chalicelib.accounts.caller import Caller
from chalicelib.accounts.errors import TokenNotFound
from chalicelib.accounts.models import OwnedTokenRow, PluginTokenRow, TokenRow, UserRow
from chalicelib.accounts.permissions import SCOPES
from chalicelib.core import clock
from chalicelib.core.errors import ConcurrentChange, PermissionDenied, SafeModeIsOn, ServiceUnavailable, Unauthenticated, ValidationError
from chalicelib.events import UnitOfWork, retried, unit_of_work

SIGN_IN, PERSONAL, PLUGIN, VISIT = "sign-in", "personal", "plugin", "visit"

SIGN_IN_LASTS = timedelta(hours=12)
DEFAULT_DAYS, MOST_DAYS = 90, 365

# A token is two items, a transaction takes 100, and one more is the user's.
_TOKENS_A_TRANSACTION = 49


@dataclass(frozen=True)
class Token:
    """A personal token, without what makes it one. ``scopes`` None: whatever its owner may."""

    id: str
    name: str
    scopes: frozenset[str] | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class NewToken:
    """A token just made: ``text`` is shown this once."""

    text: str
    token: Token


def caller_of(token: str) -> Caller:
    """Whose ``token`` this is. One strongly consistent read, so that an ended token is dead at once; none for a text that is no token.

    Raises: Unauthenticated; SafeModeIsOn for the token of a plugin that safe mode keeps off.
    """
    if not token_text.is_well_formed(token):
        raise Unauthenticated("This is not a token; sign in to get one")
    return holder_of(token_text.hash_of(token))


def holder_of(token_hash: str) -> Caller:
    """Whose token has this hash, while it is valid: for what was given to its holder and must not outlive it. Raises: Unauthenticated."""
    row = models.find_token(token_text.id_of(token_hash))
    if row is None or not hmac.compare_digest(row.token_hash, token_hash) or _has_expired(row) or row.kind == VISIT:
        raise Unauthenticated("The token has expired or was revoked; sign in again")
    if row.kind == PLUGIN and counts.is_paused(row.owner):
        raise SafeModeIsOn(row.owner)
    return Caller(
        kind="plugin" if row.kind == PLUGIN else "user",
        id=row.owner,
        name=row.owner_name,
        role=row.role,
        scopes=None if row.scopes is None else frozenset(row.scopes),
        token_hash=token_hash,
    )


def must_be_readable() -> None:
    """Raises ServiceUnavailable while no token can be looked up, so that no request could be served. One GetItem."""
    try:
        models.find_token("nobody's")
    except PynamoDBException as error:
        raise ServiceUnavailable("The platform's tables cannot be read at the moment") from error


def create_token(caller: Caller, name: str, scopes: Iterable[str] | None, expires_in_days: int = DEFAULT_DAYS) -> NewToken:
    """Make a personal token; ``scopes`` None for whatever its owner may. It follows its owner's role.

    Raises: PermissionDenied for a plugin, and for scopes beyond those of the token that asks; ValidationError.
    """
    _person(caller)
    wanted = None if scopes is None else frozenset(scopes)
    if unknown := sorted((wanted or frozenset()) - SCOPES):
        raise ValidationError({"scopes": [f"Unknown: {', '.join(unknown)}; known are: {', '.join(sorted(SCOPES))}"]})
    if not 1 <= expires_in_days <= MOST_DAYS:
        raise ValidationError({"expires_in_days": [f"Must be between 1 and {MOST_DAYS}"]})
    if not caller.has_scope("admin") and (wanted is None or not all(map(caller.has_scope, wanted))):
        raise PermissionDenied("A token cannot make one that may do more than itself")
    with unit_of_work() as work:
        # Else a token made while its owner is deleted, or given another role, would escape that change.
        work.check(UserRow(models.user_key(caller.id)), UserRow.role == caller.role, otherwise=ConcurrentChange())
        return put_token(work, caller.id, caller.name, caller.role, PERSONAL, name, wanted, timedelta(days=expires_in_days))


def list_tokens(caller: Caller) -> list[Token]:
    """The caller's living personal tokens, newest first. Raises: PermissionDenied for a plugin."""
    _person(caller)
    rows = [row for row in models.tokens_of(caller.id) if row.kind == PERSONAL]
    return sorted(map(_token, rows), key=lambda token: token.created_at, reverse=True)


def revoke_token(caller: Caller, token_id: str) -> None:
    """End one of the caller's own tokens; it and its visits are dead when this returns.

    Raises: PermissionDenied for a plugin, TokenNotFound.
    """
    _person(caller)
    row = models.token_row(token_id)
    with unit_of_work() as work:
        work.delete(row, (TokenRow.owner == caller.id) & (TokenRow.kind != PLUGIN), otherwise=TokenNotFound(token_id=token_id))
        work.delete(models.owned_token_row(caller.id, token_id))
    end_visits(caller.id, token_id)


@retried
def issue_plugin_token(slug: str, scopes: frozenset[str]) -> str:
    """A token for the plugin, without expiry, in place of its earlier one, which is dead when this returns."""
    text = token_text.fresh()
    token_hash = token_text.hash_of(text)
    token_id = token_text.id_of(token_hash)
    earlier = models.find_plugin_token(slug)
    with unit_of_work() as work:
        latest = models.plugin_token_row(slug, token_id=token_id)
        # Of two that rotate at the same moment one wins, and the other starts again from its read: never two living tokens.
        work.save(latest, PluginTokenRow.token_id == earlier.token_id if earlier else PluginTokenRow.pk.does_not_exist())
        if earlier:
            work.delete(models.token_row(earlier.token_id))
        work.create(
            models.token_row(
                token_id,
                token_hash=token_hash,
                kind=PLUGIN,
                owner=slug,
                owner_name=slug,
                role="admin" if "admin" in scopes else "user",
                scopes=sorted(scopes),
            )
        )
    return text


@retried
def revoke_plugin_token(slug: str) -> None:
    """End the plugin's token, if it has one."""
    with unit_of_work() as work:
        drop_plugin_token(work, slug)


def drop_plugin_token(work: UnitOfWork, slug: str) -> None:
    """The same, with the transaction, whose commit raises ConcurrentChange where the plugin has got another token since. One GetItem."""
    latest = models.find_plugin_token(slug)
    if latest is not None:
        work.delete(latest, PluginTokenRow.token_id == latest.token_id)
        work.delete(models.token_row(latest.token_id))


def put_token(
    work: UnitOfWork,
    username: str,
    full_name: str,
    role: str,
    kind: str,
    name: str,
    scopes: frozenset[str] | None,
    lasts: timedelta,
    *,
    place: str | None = None,
    made_by: str | None = None,
) -> NewToken:
    """Add a user's new token, both of its items, to the unit of work. ``place`` and ``made_by`` are a visit's."""
    text = token_text.fresh()
    token_hash = token_text.hash_of(text)
    token_id = token_text.id_of(token_hash)
    created_at = clock.now()
    expires_at = created_at + lasts
    listed = None if scopes is None else sorted(scopes)
    # Whole seconds, as DynamoDB's TTL wants; the later one, so that a token lasts as long as was said.
    expiry = int(expires_at.timestamp()) + 1
    work.create(
        models.token_row(
            token_id,
            token_hash=token_hash,
            kind=kind,
            owner=username,
            owner_name=full_name,
            role=role,
            scopes=listed,
            expires_at=expiry,
            place=place,
            made_by=made_by,
        )
    )
    work.create(
        models.owned_token_row(
            username,
            token_id,
            kind=kind,
            name=name,
            scopes=listed,
            created_at=clock.rfc3339(created_at),
            expires_at=expiry,
            made_by=made_by,
        )
    )
    return NewToken(text, Token(token_id, name, scopes, created_at, datetime.fromtimestamp(expiry, UTC)))


def drop_token(work: UnitOfWork, username: str, token_id: str) -> None:
    """Add the end of a user's token to the unit of work."""
    work.delete(models.token_row(token_id))
    work.delete(models.owned_token_row(username, token_id))


@retried
def end_visits(username: str, made_by: str) -> None:
    """End the visits of a token that has just ended. Nothing escapes: only a living token makes one, or lengthens it."""
    _drop_all(username, [one for one in models.tokens_of(username) if one.made_by == made_by])


@retried
def settle_tokens(username: str, *, end_sign_ins: bool = False, keep_hash: str = "") -> None:
    """Bring a user's tokens in line with the user as it is stored now; without a user, end them all.

    Called after each change of role or name, and after a change of password with ``end_sign_ins``, which spares the one with ``keep_hash``.
    It runs after the change, and not within it, since a user may have more tokens than a transaction takes. Nothing escapes: a token is
    made only by a transaction that checks the user, so after the change only tokens in line with it are made; and of two changes the
    last one's role stays, because what is written here is checked against the user in the same transaction.
    """
    user = models.find_user(username)
    kept = token_text.id_of(keep_hash)
    living = models.tokens_of(username)
    ended = {one.token_id for one in living if end_sign_ins and one.kind == SIGN_IN and one.token_id != kept}
    for start in range(0, len(living), _TOKENS_A_TRANSACTION):
        with unit_of_work() as work:
            for one in living[start : start + _TOKENS_A_TRANSACTION]:
                if user is None or one.token_id in ended or one.made_by in ended:
                    drop_token(work, username, one.token_id)
                else:
                    renamed: list[Action] = [TokenRow.role.set(user.role), TokenRow.owner_name.set(user.full_name)]
                    # Revoked meanwhile: lose, and look again.
                    work.update(models.token_row(one.token_id), renamed, TokenRow.pk.exists())
            if user is not None:
                unchanged = (UserRow.role == user.role) & (UserRow.full_name == user.full_name)
                work.check(user, unchanged, otherwise=ConcurrentChange())


@retried
def end_all_tokens(username: str) -> None:
    """Sign the user out everywhere, and revoke what personal tokens there are."""
    _drop_all(username, models.tokens_of(username))


def _drop_all(username: str, some: list[OwnedTokenRow]) -> None:
    for start in range(0, len(some), _TOKENS_A_TRANSACTION):
        with unit_of_work() as work:
            for one in some[start : start + _TOKENS_A_TRANSACTION]:
                drop_token(work, username, one.token_id)


def _person(caller: Caller) -> None:
    if caller.is_plugin:
        raise PermissionDenied("Only a person has personal tokens; a plugin's own is issued when it is activated")


def _has_expired(row: TokenRow) -> bool:
    return row.expires_at is not None and row.expires_at <= clock.timestamp()


def _token(row: OwnedTokenRow) -> Token:
    return Token(
        id=row.token_id,
        name=row.name,
        scopes=None if row.scopes is None else frozenset(cast(list[str], row.scopes)),
        created_at=clock.parse_rfc3339(row.created_at),
        expires_at=datetime.fromtimestamp(float(row.expires_at), UTC),
    )
