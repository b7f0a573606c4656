"""The runtime table.

| pk | sk | what |
| --- | --- | --- |
| ACTIVE | {slug} | a plugin that is active, or set aside: where its events go, and what it registered |
| ACTIVE | #SAFE-MODE | whether safe mode is on, which plugins it spares, and which are still to be brought in line |
| RESOURCES#{slug} | MAPPING | the id of the mapping from its queue to its function |
| RESOURCES#{slug} | SCHEDULES | the names of its schedules |
| LIMITS#{slug} | ADMINISTERED | what an administrator set of its limits |
| USAGE#{slug} | TOTAL | how much it keeps |
| STORAGE#{slug} | {key} | a value that the plugin stored, or the id of the object that holds it |
| TABLES#{slug} | {table} | the shape of one of its tables |
| TABLE#{slug}#{table} | {place of its key} | an item: its JSON, and its places in the table's indexes |
| INDEX#{slug}#{table}#{index} | {its place in it} | the item once more, where the index finds it |
| MIGRATIONS#{slug} | {NNNN} | a migration that was run, or is being run |
| OBJECTS#{slug} | {object id} | a claim: an object that nothing points at (any more) |
| ATTEMPTS#{slug} | {event id} | how often a troubled event was tried |
| ATTEMPTS#{slug} | HEAD#{aggregate} | the latest troubled event of a session or user, which holds up those behind it |
| DEAD#{slug} | {event id} | a dead letter |
| FAILURES#{slug} | {ms since 1970}-{event id} | a line of the history of dead letters |
| FAILING | {slug} | a plugin that is to be set aside, and whether it was marked |
| REPLAYS | {slug}#{replay id} | a stretch of history that is being delivered again |
| LOOPS | {slug} | an event that the plugin caused and no plugin was told, and when administrators were told of such |
"""

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.core.tables import Row, TableMeta, table


class _Due(GlobalSecondaryIndex["RuntimeRow"]):
    """What is to be looked at, by time."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class RuntimeRow(Row):
    class Meta(TableMeta):
        table_name = table("RUNTIME_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    body = UnicodeAttribute(null=True)
    attempts = NumberAttribute(null=True)
    settings_version = NumberAttribute(null=True)
    # Of an active plugin: it is being changed, and is called by nobody until that is done.
    is_held = BooleanAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    # Of a plugin in ACTIVE; the first one also of one in FAILING.
    is_set_aside = BooleanAttribute(null=True)
    reports_deliveries = BooleanAttribute(null=True)
    delivered_at_ms = NumberAttribute(null=True)
    # Of a troubled event, or of the head of its aggregate; ``at`` also of one in FAILING: when it was noticed last.
    excuses = NumberAttribute(null=True)
    excused_since = NumberAttribute(null=True)
    sequence = NumberAttribute(null=True)
    at = NumberAttribute(null=True)

    # What a plugin stored is kept apart from ``body``, so that sizes and limits can be read without it.
    value = UnicodeAttribute(null=True)
    object_id = UnicodeAttribute(null=True)
    size_bytes = NumberAttribute(null=True)
    used_bytes = NumberAttribute(null=True)
    used_entries = NumberAttribute(null=True)
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    due = _Due()


def event_key(event_id: int) -> str:
    return f"{event_id:016d}"
