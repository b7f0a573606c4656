"""The messaging table.

    what                            pk                sk             index
    a notification to one person    INBOX#{username}  {stamp}        gsi1, while unread: UNREAD#{username}, {stamp}
    one to everyone or the admins   BROADCASTS        {stamp}
    a person's mark on such a one   MARKS#{username}  {stamp}
    a plugin's question to a person  DIALOG#{id}      DIALOG         gsi1, while unanswered: DIALOGS#{username}, {id}
    an email that did not arrive    FEEDBACK          {stamp}        gsi1: FEEDBACK#{address}, {stamp}
    an address to send nothing to   ADDRESS#{address} SUPPRESSED

A notification's id is a prefix, which says where it is, and its stamp, which sorts by time. All but the addresses expire; DynamoDB
removes what has expired within days, so every question here leaves it out itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.core import clock
from chalicelib.core.tables import Row, TableMeta, table

_BROADCASTS = "BROADCASTS"
_FEEDBACK = "FEEDBACK"


class _Meta(TableMeta):
    table_name = table("MESSAGING_TABLE")


class Unread(GlobalSecondaryIndex["NotificationRow"]):
    """Only what is unread is in it: reading a notification takes its key away."""

    class Meta(TableMeta):
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute()


class OfAddress(GlobalSecondaryIndex["FeedbackRow"]):
    class Meta(TableMeta):
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class NotificationRow(Row):
    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    unread = Unread()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    # Of a broadcast: the role that it is for, or "*".
    audience = UnicodeAttribute(null=True)
    title = UnicodeAttribute()
    message = UnicodeAttribute()
    type = UnicodeAttribute()
    actions = JSONAttribute()
    dismissible = BooleanAttribute()
    timeout_ms = NumberAttribute()
    persistent = BooleanAttribute()
    sender = JSONAttribute()
    created_at = UnicodeAttribute()
    expires_at = NumberAttribute()
    # When its reader pressed a button that runs something.
    acted_at = NumberAttribute(null=True)


class MarkRow(Row):
    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    is_dismissed = BooleanAttribute(default=False)
    acted_at = NumberAttribute(null=True)
    expires_at = NumberAttribute()


class OfPerson(GlobalSecondaryIndex["DialogRow"]):
    """Only what waits for an answer is in it: closing a dialog takes its key away."""

    class Meta(TableMeta):
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class DialogRow(Row):
    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    of_person = OfPerson()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    username = UnicodeAttribute()
    title = UnicodeAttribute()
    message = UnicodeAttribute()
    type = UnicodeAttribute()
    buttons = JSONAttribute()
    sender = JSONAttribute()
    status = UnicodeAttribute()
    value = JSONAttribute(null=True)
    created_at = UnicodeAttribute()
    # In ms since 1970: until then the plugin waits. DynamoDB's own expiry is later, and in seconds.
    closes_at_ms = NumberAttribute()
    expires_at = NumberAttribute()


class FeedbackRow(Row):
    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True, default=_FEEDBACK)
    sk = UnicodeAttribute(range_key=True)
    of_address = OfAddress()
    gsi1pk = UnicodeAttribute()
    gsi1sk = UnicodeAttribute()
    address = UnicodeAttribute()
    kind = UnicodeAttribute()
    is_final = BooleanAttribute()
    reason = UnicodeAttribute()
    diagnostic = UnicodeAttribute(null=True)
    message_id = UnicodeAttribute()
    sender = UnicodeAttribute(null=True)
    occurred_at = UnicodeAttribute()
    expires_at = NumberAttribute()


class SuppressedRow(Row):
    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="SUPPRESSED")
    kind = UnicodeAttribute()
    reason = UnicodeAttribute()
    since = UnicodeAttribute()


def personal_row(username: str, stamp: str, **attributes: Any) -> NotificationRow:
    return NotificationRow(f"INBOX#{username}", stamp, **attributes)


def unread_keys(username: str, stamp: str) -> dict[str, str]:
    return {"gsi1pk": f"UNREAD#{username}", "gsi1sk": stamp}


def broadcast_row(stamp: str, **attributes: Any) -> NotificationRow:
    return NotificationRow(_BROADCASTS, stamp, **attributes)


def mark_row(username: str, stamp: str, **attributes: Any) -> MarkRow:
    return MarkRow(f"MARKS#{username}", stamp, **attributes)


def find(row: NotificationRow) -> NotificationRow | None:
    """The living item with the row's key; one strongly consistent GetItem."""
    try:
        found = NotificationRow.get(row.pk, row.sk, consistent_read=True)
    except NotificationRow.DoesNotExist:
        return None
    return found if found.expires_at > clock.timestamp() else None


def is_living() -> Any:
    """The condition that an item exists and has not expired."""
    return NotificationRow.expires_at > int(clock.timestamp())


def personal(username: str, before: str | None, at_most: int) -> Iterator[NotificationRow]:
    """One person's own, newest first. Key condition: pk = INBOX#{username}, sk < before."""
    return iter(
        NotificationRow.query(
            f"INBOX#{username}",
            NotificationRow.sk < before if before else None,
            filter_condition=is_living(),
            scan_index_forward=False,
            consistent_read=True,
            limit=at_most,
        )
    )


def personal_unread(username: str, before: str | None, at_most: int) -> Iterator[NotificationRow]:
    """One person's own unread, newest first. Key condition: gsi1pk = UNREAD#{username}, gsi1sk < before."""
    return iter(
        NotificationRow.unread.query(
            f"UNREAD#{username}",
            Unread.gsi1sk < before if before else None,
            filter_condition=Unread.expires_at > int(clock.timestamp()),
            scan_index_forward=False,
            limit=at_most,
        )
    )


def count_personal_unread(username: str) -> int:
    """How many of one person's own are unread; counted by DynamoDB. Key condition: gsi1pk = UNREAD#{username}."""
    return NotificationRow.unread.count(f"UNREAD#{username}", filter_condition=Unread.expires_at > int(clock.timestamp()))


def broadcasts(audiences: list[str]) -> list[NotificationRow]:
    """All living ones to these audiences, newest first. Key condition: pk = BROADCASTS."""
    wanted = NotificationRow.audience.is_in(*audiences)
    return list(NotificationRow.query(_BROADCASTS, filter_condition=is_living() & wanted, scan_index_forward=False))


def marks_of(username: str) -> dict[str, MarkRow]:
    """One person's marks on broadcasts, by stamp. Key condition: pk = MARKS#{username}."""
    return {row.sk: row for row in MarkRow.query(f"MARKS#{username}", consistent_read=True)}


def dialogs_of(username: str) -> Iterator[DialogRow]:
    """Those that wait for a person's answer, oldest first. Key condition: gsi1pk = DIALOGS#{username}."""
    return iter(DialogRow.of_person.query(f"DIALOGS#{username}"))


def feedback_row(stamp: str, address: str, **attributes: Any) -> FeedbackRow:
    return FeedbackRow(_FEEDBACK, stamp, gsi1pk=f"{_FEEDBACK}#{address}", gsi1sk=stamp, address=address, **attributes)


def suppressed_row(address: str, **attributes: Any) -> SuppressedRow:
    return SuppressedRow(f"ADDRESS#{address}", "SUPPRESSED", **attributes)


def suppressed_of(addresses: Iterable[str]) -> dict[str, SuppressedRow]:
    """Those of the addresses that nothing is sent to. One BatchGetItem for each hundred."""
    keys = [(f"ADDRESS#{address}", "SUPPRESSED") for address in sorted(set(addresses))]
    return {row.pk.removeprefix("ADDRESS#"): row for row in SuppressedRow.batch_get(keys)}


def feedback(address: str | None, before: str | None, at_most: int) -> list[FeedbackRow]:
    """Newest first, of one address or all. Key condition: pk = FEEDBACK (gsi1pk = FEEDBACK#{address}), sk < before."""
    options: dict[str, Any] = {"scan_index_forward": False, "limit": at_most}
    options["filter_condition"] = FeedbackRow.expires_at > int(clock.timestamp())
    if address is not None:
        return list(FeedbackRow.of_address.query(f"{_FEEDBACK}#{address}", OfAddress.gsi1sk < before if before else None, **options))
    return list(FeedbackRow.query(_FEEDBACK, FeedbackRow.sk < before if before else None, **options))


def delete_all_of(username: str) -> None:
    """Remove a person's inbox, marks and unanswered dialogs, 25 with each call."""
    dialogs = [(row.pk, row.sk) for row in dialogs_of(username)]
    inbox = NotificationRow.query(f"INBOX#{username}", attributes_to_get=["sk"], consistent_read=True)
    marks = MarkRow.query(f"MARKS#{username}", attributes_to_get=["sk"], consistent_read=True)
    with MarkRow.batch_write() as batch:
        # Both are nothing but their keys to a deletion.
        for sk in [row.sk for row in inbox]:
            batch.delete(MarkRow(f"INBOX#{username}", sk))
        for sk in [row.sk for row in marks]:
            batch.delete(MarkRow(f"MARKS#{username}", sk))
        for pk, sk in dialogs:
            batch.delete(MarkRow(pk, sk))
