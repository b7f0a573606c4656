"""Plugins' own tables, and what migrations do to them."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynamodb.exceptions import PynamoDBException

from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import encode_cursor
from chalicelib.core.tables import connection
from chalicelib.events import unit_of_work
from chalicelib.runtime import holdings, limits, migrations, table_changes, tables, usage
from chalicelib.runtime.errors import ItemAlreadyExists, MigrationFailed, StorageQuotaExceeded, TableNotFound, ValueTooLarge
from chalicelib.runtime.migrations import Migration
from chalicelib.runtime.models import RuntimeRow

pytestmark = pytest.mark.usefixtures("aws")

CREATE = {
    "op": "create_table",
    "table": "visits",
    "key": {"partition": "user", "sort": "at"},
    "indexes": [{"name": "by_site", "partition": "site", "sort": "at"}],
}


@pytest.fixture
def visits(aws):
    table_changes.apply("p", CREATE)

    def put(*items):
        for item in items:
            tables.put("p", "visits", item)

    return put


def visit(user, at, site="home", **more):
    return {"user": user, "at": at, "site": site, **more}


def found(where, **options):
    return tables.query("p", "visits", where, **options)[0]


def used():
    allowance, _ = usage.read("p")
    return allowance.used_bytes, allowance.used_entries


def rows(pk):
    return list(RuntimeRow.query(pk))


def is_sound():
    """The index holds just what the table says, and the count is right."""
    items = rows("TABLE#p#visits")
    places = {at: row.value for row in items for index, at in json.loads(row.body or "{}").items() if index == "by_site"}
    assert {row.sk: row.value for row in rows("INDEX#p#visits#by_site")} == places
    assert used() == (sum(len(row.sk.encode()) + len(row.value.encode()) for row in items), len(items))
    return True


def test_an_item_is_found_by_its_key_replaced_whole_and_deleted(visits):
    visits(visit("a", 1, note="first"), visit("a", 1, note="é"))

    assert tables.get("p", "visits", {"user": "a", "at": 1}) == visit("a", 1, note="é")
    assert tables.get("p", "visits", {"user": "a", "at": 1.0}) == visit("a", 1, note="é")
    assert tables.get("p", "visits", {"user": "a", "at": "1"}) is None
    assert is_sound()
    for _ in range(2):
        tables.delete("p", "visits", {"user": "a", "at": 1})
    assert tables.get("p", "visits", {"user": "a", "at": 1}) is None
    assert is_sound()


def test_a_query_gives_a_range_in_order_of_the_key_or_of_an_index(visits):
    visits(*(visit(user, at, site) for user, at, site in [("a", 10, "x"), ("a", 9, "y"), ("b", 1, "x"), ("a", 2, "x")]))

    assert [one["at"] for one in found({"user": "a"})] == [2, 9, 10]
    assert [one["at"] for one in found({"user": "a", "at": {"gt": 2}}, descending=True)] == [10, 9]
    assert [(one["user"], one["at"]) for one in found({"site": "x"})] == [("b", 1), ("a", 2), ("a", 10)]
    assert [one["at"] for one in found({"site": "x", "at": {"between": [2, 9]}}, index="by_site")] == [2]
    assert len(found({})) == len(found({}, index="by_site")) == 4
    assert found({"user": "a", "at": {"gt": 9, "lt": 5}}) == []


@pytest.mark.parametrize("descending", [False, True])
def test_pages_hold_every_item_once_in_order_whatever_is_put_meanwhile(visits, descending):
    visits(*(visit("a", at) for at in range(0, 50, 2)), visit("b", 1))
    seen, cursor = [], None
    while True:
        items, cursor = tables.query("p", "visits", {"user": "a"}, limit=7, descending=descending, cursor=cursor)
        assert len(items) <= 7
        seen += [one["at"] for one in items]
        if cursor is None:
            break
        visits(visit("a", seen[-1] + 1), visit("a", seen[-1] - 1))

    assert [at for at in seen if at % 2 == 0] == sorted(range(0, 50, 2), reverse=descending)
    assert seen == sorted(set(seen), reverse=descending)


@pytest.mark.parametrize(
    "cursor", ["é", encode_cursor({"after": 5}), encode_cursor({"after": "sz\x01"}), encode_cursor({"after": "\ud83d"}), "e30"]
)
def test_a_cursor_of_another_query_is_refused(visits, cursor):
    visits(visit("a", 1))

    with pytest.raises(ValidationError):
        tables.query("p", "visits", {"user": "a"}, cursor=cursor)


def test_an_item_moves_in_the_index_and_leaves_it_as_its_attributes_change(visits):
    visits(visit("a", 1, "x"), visit("a", 1, "y"))
    assert found({"site": "x"}) == []
    assert found({"site": "y"}) == [visit("a", 1, "y")]

    visits({"user": "a", "at": 1})

    assert found({}, index="by_site") == []
    assert is_sound()


def test_only_one_of_many_creates_an_item(visits):
    def create(number):
        try:
            tables.put("p", "visits", visit("a", 1, by=number), if_not_exists=True)
        except ItemAlreadyExists:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(8))) == 1
    assert is_sound()


def test_writers_of_one_item_that_race_leave_one_of_their_items_whole(visits):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: visits(visit("a", 1, f"site {number}")), range(8)))
        list(
            pool.map(lambda number: tables.delete("p", "visits", {"user": "a", "at": 1}) if number % 2 else visits(visit("a", 1)), range(6))
        )

    assert is_sound()


def test_a_table_that_is_not_there_is_named_with_those_that_are(visits):
    for act in (
        lambda: tables.get("p", "visit", "a"),
        lambda: tables.put("p", "visit", {}),
        lambda: tables.delete("q", "visits", "a"),
        lambda: tables.query("p", "TABLES", {}),
    ):
        with pytest.raises(TableNotFound):
            act()
    with pytest.raises(TableNotFound, match="no table 'visit': it has visits"):
        tables.get("p", "visit", "a")


def test_items_count_against_the_quota_and_have_a_greatest_size(visits):
    with unit_of_work() as work:
        limits.put(work, "p", {"storage_bytes": 400, "storage_keys": 2})
    visits(visit("a", 1), visit("a", 2))

    with pytest.raises(StorageQuotaExceeded):
        visits(visit("a", 3))
    with pytest.raises(StorageQuotaExceeded):
        visits(visit("a", 1, note="x" * 400))
    with pytest.raises(ValueTooLarge):
        visits(visit("a", 1, note="x" * 390_000))
    assert is_sound()


def test_the_largest_item_fits_with_as_many_indexes_as_there_may_be(aws):
    indexes = [{"name": f"i{n}", "partition": "user", "sort": "at"} for n in range(5)]
    table_changes.apply("p", CREATE | {"indexes": indexes})
    item = {"user": "u" * 440, "at": "a" * 440, "text": ""}
    item["text"] = "x" * (tables.LARGEST_ITEM_BYTES - len(json.dumps(item, separators=(",", ":"))))

    tables.put("p", "visits", item)

    assert all(tables.query("p", "visits", {"user": item["user"]}, index=f"i{n}")[0] == [item] for n in range(5))


# ── Changes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_index_that_is_added_later_holds_what_was_there_and_one_that_is_dropped_leaves_nothing(visits):
    table_changes.apply("p", {"op": "drop_index", "table": "visits", "name": "by_site"})
    visits(*(visit("a", at, f"s{at % 3}") for at in range(30)))
    assert rows("INDEX#p#visits#by_site") == []

    add = {"op": "add_index", "table": "visits", "name": "by_site", "partition": "site", "sort": "at"}
    for _ in range(2):
        table_changes.apply("p", add)
    assert [one["at"] for one in found({"site": "s1"})] == list(range(1, 30, 3))
    assert is_sound()
    with pytest.raises(MigrationFailed):
        table_changes.apply("p", add | {"partition": "user"})

    for _ in range(2):
        table_changes.apply("p", {"op": "drop_index", "table": "visits", "name": "by_site"})
    assert rows("INDEX#p#visits#by_site") == []
    assert is_sound()


def test_attributes_are_renamed_and_given_defaults_in_every_item_and_index(visits):
    visits(*(visit("a", at, colour="red") for at in range(20)), {"user": "b", "at": 1})

    for _ in range(2):
        table_changes.apply("p", {"op": "rename_attribute", "table": "visits", "from": "colour", "to": "shade"})
        table_changes.apply("p", {"op": "set_default", "table": "visits", "attribute": "site", "value": "nowhere"})

    assert tables.get("p", "visits", {"user": "a", "at": 3}) == visit("a", 3, shade="red")
    assert found({"site": "nowhere"}) == [{"user": "b", "at": 1, "site": "nowhere"}]
    assert is_sound()


def test_a_table_that_is_dropped_leaves_nothing_and_can_be_made_anew(visits):
    visits(*(visit("a", at) for at in range(120)))

    for _ in range(2):
        table_changes.apply("p", {"op": "drop_table", "table": "visits"})

    assert {row.pk for row in RuntimeRow.scan()} == {"USAGE#p"}
    assert used() == (0, 0)
    table_changes.apply("p", CREATE)
    assert found({}) == []


def test_a_dropping_that_died_is_gone_at_once_for_the_plugin_and_is_finished_later(visits):
    visits(visit("a", 1))

    with killed_at("TransactWriteItems", 1), pytest.raises(PynamoDBException):
        tables.drop("p", "visits")

    with pytest.raises(TableNotFound):
        visits(visit("a", 2))
    assert tables.shapes("p") == []
    tables.drop_all("p")
    assert {row.pk for row in RuntimeRow.scan()} == {"USAGE#p"}


def test_a_writer_who_read_the_table_before_it_was_dropped_writes_nothing(visits, aws):
    client = connection().client

    def meanwhile(**_):
        client.meta.events.unregister("before-call.dynamodb.BatchGetItem", meanwhile)
        tables.drop("p", "visits")

    client.meta.events.register("before-call.dynamodb.BatchGetItem", meanwhile)

    with pytest.raises(TableNotFound):
        visits(visit("a", 1))
    assert rows("TABLE#p#visits") == []


# ── Migrations ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def migration(number, *up, down=()):
    return Migration(number, "m", f"sum of {json.dumps(up)}", up, None if down is None else tuple(down))


def put(*items):
    return {"op": "put_items", "table": "visits", "items": list(items)}


ADD = {"op": "add_index", "table": "visits", "name": "by_user", "partition": "user"}
STORY = [
    migration(1, CREATE, down=[{"op": "drop_table", "table": "visits"}]),
    migration(2, put(visit("a", 1), visit("b", 2)), ADD, down=[{"op": "drop_index", "table": "visits", "name": "by_user"}]),
    migration(
        3,
        {"op": "rename_attribute", "table": "visits", "from": "site", "to": "place"},
        down=[{"op": "rename_attribute", "table": "visits", "from": "place", "to": "site"}],
    ),
]


def state():
    """All that is kept, as far as it can be seen."""
    return {(row.pk, row.sk): (row.value, row.body if row.pk.startswith("TABLE") else None, row.size_bytes) for row in RuntimeRow.scan()}


def test_migrations_run_once_in_order_and_new_ones_where_others_ran(aws):
    assert migrations.migrate("p", STORY[:1]) == 1
    assert migrations.migrate("p", STORY) == 2
    assert migrations.migrate("p", STORY) == 0

    assert [one.title for one in migrations.applied("p")] == ["0001_m", "0002_m", "0003_m"]
    assert tables.query("p", "visits", {"user": "b"}, index="by_user")[0] == [{"user": "b", "at": 2, "place": "home"}]


def test_going_back_undoes_the_later_ones_and_needs_only_what_was_recorded(aws):
    migrations.migrate("p", STORY[:2])
    before = state()
    migrations.migrate("p", STORY)

    assert migrations.migrate("p", STORY[:2]) == 1

    assert {key: kept for key, kept in state().items() if key[0] != "MIGRATIONS#p"} == {
        key: kept for key, kept in before.items() if key[0] != "MIGRATIONS#p"
    }
    assert migrations.migrate("p", []) == 2
    assert {row.pk for row in RuntimeRow.scan()} == {"USAGE#p"}


def test_what_cannot_be_undone_or_was_changed_is_refused_before_anything_is_done(aws):
    story = [STORY[0], migration(2, put(visit("a", 1)), down=None)]
    migrations.migrate("p", story)
    before = state()

    with pytest.raises(MigrationFailed, match="0002_m was applied, and cannot be undone"):
        migrations.migrate("p", STORY[:1])
    with pytest.raises(MigrationFailed, match="0001_m was applied with another content"):
        migrations.migrate("p", [migration(1, CREATE | {"indexes": []}), story[1]])

    assert state() == before


def test_a_migration_that_fails_says_which_operation_and_why(aws):
    with unit_of_work() as work:
        limits.put(work, "p", {"storage_bytes": 10})

    with pytest.raises(MigrationFailed, match=r"0002_m could not be run: put_items: The plugin's storage is full") as failed:
        migrations.migrate("p", STORY)

    assert failed.value.details["operation"] == 1


def test_tables_that_the_manifest_declares_are_there_with_a_default_key(aws):
    for _ in range(2):
        migrations.migrate("p", STORY[:1], ["visits", "notes"])

    assert {shape.name: shape.key.attributes for shape in tables.shapes("p")} == {"notes": ("id",), "visits": ("user", "at")}
    tables.put("p", "notes", {"id": 1})
    assert holdings.of("p").tables == {"notes": 1, "visits": 0}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.booleans())
def test_migrations_that_are_killed_anywhere_come_to_the_same_end_when_they_are_run_again(aws, at, is_way_back):
    holdings_forgotten()
    migrations.migrate("p", STORY)
    forward = without_times(state())
    wanted = [] if is_way_back else STORY
    if not is_way_back:
        migrations.migrate("p", [])

    with killed_at("", at), contextlib.suppress(Exception):
        migrations.migrate("p", wanted)
    migrations.migrate("p", wanted)

    if is_way_back:
        assert {row.pk for row in RuntimeRow.scan()} == {"USAGE#p"}
    else:
        assert without_times(state()) == forward


def holdings_forgotten():
    tables.drop_all("p")
    migrations.forget("p")


def without_times(kept):
    return {key: value for key, value in kept.items() if key[0] != "MIGRATIONS#p"} | {key: None for key in kept if key[0] == "MIGRATIONS#p"}


class killed_at:
    """Inside, the call of that name (any write: empty) with that number fails, and every one after it."""

    WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")

    def __init__(self, operation, number):
        self._operations = (operation,) if operation else self.WRITES
        self._left = number

    def __enter__(self):
        connection().client.meta.events.register_first("before-call", self._refuse)

    def __exit__(self, *_):
        connection().client.meta.events.unregister("before-call", self._refuse)

    def _refuse(self, model, **_):
        from botocore.awsrequest import AWSResponse

        if model.name not in self._operations:
            return None
        self._left -= 1
        if self._left > 0:
            return None
        refusal = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return AWSResponse("http://aws", 403, {}, None), refusal
