"""Who the administrators are, so that there always is one.

Their names are a set in one item, changed in the very transaction that gives or takes the role. An index would tell who they are a moment
late, and two who remove each other at once would both find the other one still there::

    A: removes B, if B is not the only one      B: removes A, if A is not the only one      DynamoDB runs one after the other:
    {A, B} -> {A}, committed                    refused: LastAdministrator                  no read of the set is trusted
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from pynamodb.attributes import UnicodeAttribute, UnicodeSetAttribute
from pynamodb.exceptions import PutError
from pynamodb.expressions.condition import size

from chalicelib.accounts import models
from chalicelib.accounts.errors import LastAdministrator
from chalicelib.core.errors import ConcurrentChange
from chalicelib.core.tables import Row, TableMeta, condition_failed, table
from chalicelib.events import UnitOfWork, retried

P = ParamSpec("P")
R = TypeVar("R")

_KEY = ("PLATFORM", "ADMINISTRATORS")


class AdministratorsRow(Row):
    """pk PLATFORM, sk ADMINISTRATORS."""

    class Meta(TableMeta):
        table_name = table("ACCOUNTS_TABLE")

    pk = UnicodeAttribute(hash_key=True, default=_KEY[0])
    sk = UnicodeAttribute(range_key=True, default=_KEY[1])
    # Absent while it is empty: DynamoDB knows no empty set.
    usernames = UnicodeSetAttribute(null=True)


_WRITTEN_DOWN = AdministratorsRow.pk.exists()


class _NotWrittenDown(ConcurrentChange):
    """A platform from before there was the set, or a new one."""


class _OnlyOne(ConcurrentChange):
    def __init__(self, username: str) -> None:
        super().__init__()
        self.username = username


def join(work: UnitOfWork, username: str) -> None:
    """From the transaction on, this is an administrator. The use case is one that :func:`kept` wraps; so with :func:`leave`."""
    work.update(AdministratorsRow(*_KEY), [AdministratorsRow.usernames.add({username})], _WRITTEN_DOWN, otherwise=_NotWrittenDown())


def leave(work: UnitOfWork, username: str) -> None:
    """From the transaction on, this is no administrator any more. Is none already is fine. Not for the only one: LastAdministrator."""
    usernames = AdministratorsRow.usernames
    is_listed, count = usernames.contains(username), size(usernames)
    there_are_others = usernames.exists() & ((is_listed & (count > 1)) | (~is_listed & (count > 0)))
    work.update(AdministratorsRow(*_KEY), [usernames.delete({username})], there_are_others, otherwise=_OnlyOne(username))


def kept(use_case: Callable[P, R]) -> Callable[P, R]:
    """``retried``, for what uses :func:`join` or :func:`leave`. Raises also LastAdministrator."""

    @retried
    @wraps(use_case)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return use_case(*args, **kwargs)
        except _NotWrittenDown:
            _write_down()
            raise
        except _OnlyOne as refused:
            if _are_others(refused.username):
                raise
            raise LastAdministrator(refused.username) from refused

    return run


def _are_others(username: str) -> bool:
    """Whether it is worth another try: there are others by now, or they were not written down yet."""
    try:
        known = AdministratorsRow.get(*_KEY, consistent_read=True).usernames or set()
    except AdministratorsRow.DoesNotExist:
        _write_down()
        return True
    return bool(known - {username})


def _write_down() -> None:
    """Begin the set with those whom the index knows. A platform does this once; is there already is fine."""
    row = AdministratorsRow(*_KEY, usernames=set(models.usernames_of_role("admin")) or None)
    try:
        row.save(condition=AdministratorsRow.pk.does_not_exist())
    except PutError as error:
        if not condition_failed(error):
            raise
