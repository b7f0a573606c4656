"""Visits: a browser's right to be at one place (a session's address), without the token that it signed in with.

A sign-in, or a personal token, makes a *ticket*, which travels in an address; the ticket makes a *visit*, which stays in a cookie of that
address. Whatever runs at the place can read both, so neither is good for anything else.

Promises
    A ticket works once, within a minute, and only at its place. A visit works only at its place: never as a token of the API.
    A visit acts with its owner's present role. It ends with the sign-in (or token) that made it, with its owner's account, and after an
    hour; who goes on visiting has it lengthened while that sign-in lives.
"""

from __future__ import annotations

import hmac
from datetime import timedelta

from pynamodb.expressions.condition import Condition

from chalicelib.accounts import models, token_text, tokens
from chalicelib.accounts.caller import Caller
from chalicelib.accounts.models import OwnedTokenRow, TicketRow, TokenRow
from chalicelib.core import clock
from chalicelib.core.errors import ConcurrentChange, PermissionDenied, Unauthenticated
from chalicelib.events import unit_of_work

TICKET_LASTS = timedelta(minutes=1)
VISIT_LASTS = timedelta(hours=1)


def issue_ticket(caller: Caller, place: str) -> str:
    """A ticket to ``place`` for the person who asks.

    Raises: PermissionDenied for a plugin, Unauthenticated when the sign-in has just ended.
    """
    if caller.is_plugin:
        raise PermissionDenied("Only a person can visit a session")
    text = token_text.fresh()
    token_hash = token_text.hash_of(text)
    row = models.ticket_row(
        token_text.id_of(token_hash),
        token_hash=token_hash,
        owner=caller.id,
        owner_name=caller.name,
        role=caller.role,
        place=place,
        made_by=token_text.id_of(caller.token_hash),
        expires_at=int((clock.now() + TICKET_LASTS).timestamp()) + 1,
    )
    with unit_of_work() as work:
        work.create(row)
        work.check(models.token_row(row.made_by), _lives(), otherwise=Unauthenticated())
    return text


def redeem(ticket: str, place: str) -> tuple[str, Caller]:
    """The text of a new visit, in the place of the ticket, and whose it is. One read, one transaction.

    Raises: Unauthenticated for a ticket that was used, has expired, is for another place, or whose sign-in has ended.
    """
    refused = Unauthenticated("This ticket was used already, or has expired; sign in again")
    row = models.find_ticket(_id_of(ticket, refused))
    if row is None or not hmac.compare_digest(row.token_hash, token_text.hash_of(ticket)) or row.place != place:
        raise refused
    if row.expires_at <= clock.timestamp():
        raise refused
    with unit_of_work() as work:
        work.delete(row, TicketRow.pk.exists(), otherwise=refused)
        # Its owner's role may have changed since: then the sign-in has the new one.
        work.check(models.token_row(row.made_by), _lives() & (TokenRow.role == row.role), otherwise=refused)
        made = tokens.put_token(
            work,
            row.owner,
            row.owner_name,
            row.role,
            tokens.VISIT,
            "Visit",
            frozenset(),
            VISIT_LASTS,
            place=place,
            made_by=row.made_by,
        )
    return made.text, Caller("user", row.owner, row.owner_name, row.role, None)


def visitor(visit: str, place: str) -> Caller:
    """Whose visit this is. One consistent read; a transaction more each half hour, which lengthens it.

    Raises: Unauthenticated for a visit that has ended or is to another place.
    """
    refused = Unauthenticated("The visit has ended; sign in again")
    row = models.find_token(_id_of(visit, refused))
    if row is None or row.kind != tokens.VISIT or row.place != place or not hmac.compare_digest(row.token_hash, token_text.hash_of(visit)):
        raise refused
    left_s = float(row.expires_at or 0) - clock.timestamp()
    if left_s <= 0:
        raise refused
    if left_s < VISIT_LASTS.total_seconds() / 2:
        _lengthen(row, refused)
    return Caller("user", row.owner, row.owner_name, row.role, None)


def _lengthen(row: TokenRow, refused: Unauthenticated) -> None:
    token_id = row.pk.removeprefix("TOKEN#")
    until = int((clock.now() + VISIT_LASTS).timestamp()) + 1
    try:
        with unit_of_work() as work:
            work.update(models.token_row(token_id), [TokenRow.expires_at.set(until)], TokenRow.pk.exists(), otherwise=refused)
            owned = models.owned_token_row(row.owner, token_id)
            work.update(owned, [OwnedTokenRow.expires_at.set(until)], OwnedTokenRow.pk.exists(), otherwise=refused)
            work.check(models.token_row(str(row.made_by)), _lives(), otherwise=refused)
    except ConcurrentChange:
        # Another request of the same page lengthens it at this moment.
        return


def _lives() -> Condition:
    return TokenRow.expires_at > int(clock.timestamp())


def _id_of(text: str, refused: Unauthenticated) -> str:
    if not token_text.is_well_formed(text):
        raise refused
    return token_text.id_of(token_text.hash_of(text))
