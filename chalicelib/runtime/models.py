"""The runtime table.

| pk | sk | what |
| --- | --- | --- |
| ACTIVE | {slug} | an active plugin: where its events go, and what it registered |
| RESOURCES#{slug} | MAPPING | the id of the mapping from its queue to its function |
| RESOURCES#{slug} | SCHEDULES | the names of its schedules |
| LIMITS#{slug} | ADMINISTERED | what an administrator set of its limits |
| STORAGE#{slug} | {key} | a value that the plugin stored |
| ATTEMPTS#{slug} | {event id} | how often a troubled event was tried |
| DEAD#{slug} | {event id} | a dead letter |
"""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.core.tables import Row, TableMeta, table


class RuntimeRow(Row):
    class Meta(TableMeta):
        table_name = table("RUNTIME_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    body = UnicodeAttribute(null=True)
    attempts = NumberAttribute(null=True)
    settings_version = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)
