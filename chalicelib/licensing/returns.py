"""Seats that are to be given back: written down before a seat is taken, and with the change that no longer needs it.

::

    claim ──► the service gives a seat ──► the licence is kept ⊕ the claim goes (one transaction)
      │                │                                │
      └── refused: ────┘ the claim goes                 └── no longer wanted: the licence goes ⊕ a claim comes (one transaction)

Whoever is killed in between leaves a claim, and what a claim names is given back: at once by whoever made it, else by the hourly check.
While the service is away it stays on the list, for as long as a licence is likely to matter to its vendor.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.core import clock
from chalicelib.events import UnitOfWork
from chalicelib.licensing import client
from chalicelib.licensing.keys import SealedKey
from chalicelib.licensing.models import ReturnRow

_PK = "RETURNS"
# Longer than a request runs that takes a seat; a job has its lock besides.
_UNCLEAR_FOR_S = 600
_KEPT_S = 180 * 24 * 3600


def claim(slug: str, key: SealedKey) -> None:
    """Before a seat is taken. One PutItem."""
    _row(slug, key, due_in_s=_UNCLEAR_FOR_S).save()


def settle(slug: str, key: SealedKey) -> None:
    """There is no seat to be given back. One DeleteItem."""
    ReturnRow(_PK, _sk(slug, key)).delete()


def settle_with(work: UnitOfWork, slug: str, key: SealedKey) -> None:
    """With the transaction that keeps the licence."""
    work.delete(ReturnRow(_PK, _sk(slug, key)))


def order_with(work: UnitOfWork, slug: str, key: SealedKey) -> None:
    """With the transaction that lets go of the licence."""
    work.save(_row(slug, key))


def of(slug: str) -> list[SealedKey]:
    """Those of one plugin, due or not. Key condition: pk = RETURNS, sk begins with the slug."""
    return [_key_of(row) for row in ReturnRow.query(_PK, ReturnRow.sk.startswith(f"{slug}#"), consistent_read=True)]


def due() -> list[str]:
    """The plugins that have one that is due. Key condition: pk = RETURNS."""
    now_s = int(clock.timestamp())
    rows: Iterable[ReturnRow] = ReturnRow.query(_PK, consistent_read=True)
    return sorted({row.sk.partition("#")[0] for row in rows if row.due_at <= now_s})


def give_back(slug: str, key: SealedKey) -> None:
    """May be done twice. Raises LicenseServiceUnavailable, and then it is still on the list. KMS, two calls of DynamoDB and the service."""
    client.deactivation(slug, key.opened(slug))
    settle(slug, key)


def _row(slug: str, key: SealedKey, *, due_in_s: int = 0) -> ReturnRow:
    now_s = int(clock.timestamp())
    return ReturnRow(_PK, _sk(slug, key), ciphertext=key.ciphertext, masked=key.masked, due_at=now_s + due_in_s, expires_at=now_s + _KEPT_S)


def _key_of(row: ReturnRow) -> SealedKey:
    return SealedKey(row.ciphertext, row.masked, row.sk.partition("#")[2])


def _sk(slug: str, key: SealedKey) -> str:
    return f"{slug}#{key.fingerprint}"
