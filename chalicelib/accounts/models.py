"""The accounts table.

    what                     pk               sk            index
    a user                   USER#{username}  USER          gsi1: TIER#{tier}, {username}; gsi2: ROLE#{role}, {username}
    a token, to look it up   TOKEN#{id}       TOKEN
    a user's token, to list  USER#{username}  TOKEN#{id}
    a ticket (visits.py)     TICKET#{id}      TICKET
    wrong passwords          GUESSES#{username}  {bucket}   (guessing.py)
    known devices            KNOWN#{username}    {hash}     (guessing.py) and addresses
    a plugin's latest token  PLUGIN#{slug}    TOKEN
    what callers may ask,    PLATFORM         RATES         (allowed.py) and what users of a tier may use
    a caller's requests      CALLS#{kind}#{name}  {day}     (counts.py) a count for each group and minute, and a plugin's of the day

A token is two items, written and removed in one transaction. The second lies under its owner and not in an index, because an index is
eventually consistent: when a user is deleted, a token made a moment before must be found.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.accounts import allowed
from chalicelib.accounts.user import TIERS, User, effective_quotas
from chalicelib.core import clock
from chalicelib.core.tables import Row, TableMeta, table
from chalicelib.events import EventSourced

_USER, _TOKEN, _TICKET = "USER", "TOKEN", "TICKET"


class _Meta(TableMeta):
    table_name = table("ACCOUNTS_TABLE")


class OfTier(GlobalSecondaryIndex["UserRow"]):
    class Meta(TableMeta):
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class OfRole(GlobalSecondaryIndex["UserRow"]):
    class Meta(TableMeta):
        index_name = "gsi2"
        projection = AllProjection()

    gsi2pk = UnicodeAttribute(hash_key=True)
    gsi2sk = UnicodeAttribute(range_key=True)


class UserRow(EventSourced, Row):
    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default=_USER)
    of_tier = OfTier()
    of_role = OfRole()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    gsi2pk = UnicodeAttribute(null=True)
    gsi2sk = UnicodeAttribute(null=True)
    event_sequence = NumberAttribute(default=0)
    event_cause = UnicodeAttribute(null=True)
    username = UnicodeAttribute()
    full_name = UnicodeAttribute()
    email = UnicodeAttribute()
    tier = UnicodeAttribute()
    role = UnicodeAttribute()
    password_hash = UnicodeAttribute(null=True)
    must_change_password = BooleanAttribute(null=True)
    # Is being removed: cannot sign in any more.
    is_suspended = BooleanAttribute(null=True)
    # Only what differs from the tier's, so that a change of tier moves the rest.
    own_quotas = JSONAttribute(default=dict)
    created_at = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    last_login = UnicodeAttribute(null=True)

    @property
    def aggregate(self) -> str:
        return f"user#{self.username}"

    def indexed(self) -> UserRow:
        """This row, with the keys of its indexes as its tier and role ask for."""
        self.gsi1pk, self.gsi1sk = f"TIER#{self.tier}", self.username
        self.gsi2pk, self.gsi2sk = f"ROLE#{self.role}", self.username
        return self

    def user(self) -> User:
        """With the quotas of its tier, as they were when this container last read them: with this row, or for the list that it is in."""
        return User(
            username=self.username,
            full_name=self.full_name,
            email=self.email,
            tier=self.tier,
            role=self.role,
            quotas=effective_quotas(allowed.known_tiers()[self.tier], self.own_quotas),
            created_at=clock.parse_rfc3339(self.created_at),
            updated_at=clock.parse_rfc3339(self.updated_at),
            last_login=clock.parse_rfc3339(self.last_login) if self.last_login else None,
        )


class TokenRow(Row):
    """A token as the edge looks it up: everything that a Caller needs, so that one GetItem is enough."""

    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default=_TOKEN)
    token_hash = UnicodeAttribute()
    kind = UnicodeAttribute()
    owner = UnicodeAttribute()
    owner_name = UnicodeAttribute()
    role = UnicodeAttribute()
    # A JSON text, so that "no scopes" ([]) and "whatever the role may" (absent) stay two things.
    scopes = JSONAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    # A visit's: where it may be, and the token that it ends with.
    place = UnicodeAttribute(null=True)
    made_by = UnicodeAttribute(null=True)


class OwnedTokenRow(Row):
    """A user's token as its owner sees it in a list."""

    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    token_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    name = UnicodeAttribute()
    scopes = JSONAttribute(null=True)
    created_at = UnicodeAttribute()
    expires_at = NumberAttribute()
    made_by = UnicodeAttribute(null=True)


class TicketRow(Row):
    """A right to begin a visit, for a minute."""

    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default=_TICKET)
    token_hash = UnicodeAttribute()
    owner = UnicodeAttribute()
    owner_name = UnicodeAttribute()
    role = UnicodeAttribute()
    place = UnicodeAttribute()
    made_by = UnicodeAttribute()
    expires_at = NumberAttribute()


class PluginTokenRow(Row):
    """Which token is the plugin's latest."""

    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default=_TOKEN)
    token_id = UnicodeAttribute()


def user_key(username: str) -> str:
    return f"USER#{username}"


def user_row_key(username: str) -> UserRow:
    """For an update of the user's item."""
    return UserRow(user_key(username), _USER)


def token_row(token_id: str, **attributes: Any) -> TokenRow:
    return TokenRow(f"TOKEN#{token_id}", _TOKEN, **attributes)


def owned_token_row(username: str, token_id: str, **attributes: Any) -> OwnedTokenRow:
    return OwnedTokenRow(user_key(username), f"TOKEN#{token_id}", token_id=token_id, **attributes)


def ticket_row(ticket_id: str, **attributes: Any) -> TicketRow:
    return TicketRow(f"TICKET#{ticket_id}", _TICKET, **attributes)


def plugin_token_row(slug: str, **attributes: Any) -> PluginTokenRow:
    return PluginTokenRow(f"PLUGIN#{slug}", _TOKEN, **attributes)


def find_user(username: str, *, anew: bool = False) -> UserRow | None:
    """One strongly consistent read, along with what is allowed: with ``anew`` the tiers are those of this very moment."""
    found = allowed.read_along(user_key(username), _USER, anew=anew)
    return UserRow.from_raw_data(found) if found else None


def find_token(token_id: str) -> TokenRow | None:
    """One strongly consistent read, along with what is allowed."""
    found = allowed.read_along(f"TOKEN#{token_id}", _TOKEN)
    return TokenRow.from_raw_data(found) if found else None


def find_ticket(ticket_id: str) -> TicketRow | None:
    """One strongly consistent GetItem."""
    try:
        return TicketRow.get(f"TICKET#{ticket_id}", _TICKET, consistent_read=True)
    except TicketRow.DoesNotExist:
        return None


def find_plugin_token(slug: str) -> PluginTokenRow | None:
    """One strongly consistent GetItem."""
    try:
        return PluginTokenRow.get(f"PLUGIN#{slug}", _TOKEN, consistent_read=True)
    except PluginTokenRow.DoesNotExist:
        return None


def tokens_of(username: str) -> list[OwnedTokenRow]:
    """The user's tokens that have not expired; strongly consistent. Key condition: pk = USER#{username}, sk begins with TOKEN#."""
    rows = OwnedTokenRow.query(user_key(username), OwnedTokenRow.sk.startswith("TOKEN#"), consistent_read=True)
    return [row for row in rows if row.expires_at > clock.timestamp()]


def users_by_name(tier: str | None, after: str | None, at_most: int) -> Iterator[UserRow]:
    """Users by username, those past ``after`` only. Key condition: gsi1pk = TIER#{tier}, gsi1sk > after.

    All users are their three tiers merged: no partition of an index takes every user's writes.
    """

    def one(tier: str) -> Iterator[UserRow]:
        return iter(UserRow.of_tier.query(f"TIER#{tier}", OfTier.gsi1sk > after if after else None, limit=at_most))

    return one(tier) if tier else heapq.merge(*map(one, TIERS), key=lambda row: row.username)


def usernames_of_role(role: str) -> list[str]:
    """Sorted. Key condition: gsi2pk = ROLE#{role}."""
    return [row.username for row in UserRow.of_role.query(f"ROLE#{role}", attributes_to_get=["username"])]
