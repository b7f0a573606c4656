"""Migrations as they are read from a package: what is refused, and how they are turned round."""

import json

import jsonschema
import pytest

from chalicelib import plugins
from chalicelib.plugins import PackageInvalid, migrations

CREATE = {"op": "create_table", "table": "visits", "key": {"partition": "user", "sort": "at"}}
ADD = {"op": "add_index", "table": "visits", "name": "by_site", "partition": "site"}
PUT = {"op": "put_items", "table": "visits", "items": [{"user": "a", "at": 1}]}


def files(*documents, names=()):
    names = names or [f"{position:04d}_step.json" for position in range(1, len(documents) + 1)]
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    return {f"migrations/{name}": text for name, text in zip(names, texts, strict=True)}


def fault(given):
    with pytest.raises(PackageInvalid) as refused:
        migrations.read(given)
    return json.dumps(refused.value.details)


def test_a_package_without_any_has_none():
    assert migrations.read({"index.js": b""}) == ()


def test_they_come_in_order_and_what_can_be_turned_round_is():
    first, second = migrations.read(files({"up": [CREATE, PUT]}, {"description": "Sites", "up": [ADD]}))

    assert (first.number, first.name, first.title) == (1, "step", "0001_step")
    assert first.down == ({"op": "drop_table", "table": "visits"},)
    assert second.down == ({"op": "drop_index", "table": "visits", "name": "by_site"},)
    assert migrations.tables_of((first, second))["visits"].indexes.keys() == {"by_site"}


def test_an_own_way_down_is_kept_and_an_irreversible_one_has_none():
    back = {"op": "delete_items", "table": "visits", "keys": [{"user": "a", "at": 1}]}
    _, own, irreversible = migrations.read(
        files({"up": [CREATE]}, {"up": [PUT], "down": [back]}, {"up": [{"op": "drop_table", "table": "visits"}], "irreversible": True})
    )

    assert own.down == (back,)
    assert irreversible.down is None


def test_the_checksum_is_of_what_a_migration_does_and_not_of_its_looks():
    (one,) = migrations.read(files({"up": [CREATE]}))
    (described,) = migrations.read(files(json.dumps({"description": "d", "up": [CREATE]}, indent=4).encode()))
    (other,) = migrations.read(files({"up": [CREATE | {"key": {"partition": "user"}}]}))

    assert one.checksum == described.checksum != other.checksum


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (files({"up": [CREATE]}, names=["1_a.json"]), "NNNN_name.json"),
        (files({"up": [CREATE]}, names=["0001_a.sql"]), "NNNN_name.json"),
        (files({"up": [CREATE]}, names=["old/0001_a.json"]), "NNNN_name.json"),
        (files({"up": [CREATE]}, names=["0002_a.json"]), "should be 0001"),
        (files({"up": [CREATE]}, {"up": [ADD]}, names=["0001_a.json", "0001_b.json"]), "should be 0002"),
        (files({"up": [CREATE]}, {"up": [ADD]}, names=["0001_a.json", "0003_b.json"]), "should be 0002"),
        (files(b"{"), "not valid JSON"),
        (files(b"[]"), "an object"),
        (files({"up": []}), "at least 1"),
        (files({"up": [{"op": "sql", "table": "t"}]}), "Must be one of: create_table"),
        (files({"up": [CREATE | {"columns": []}]}), "Unknown field"),
        (files({"up": [CREATE | {"table": "a b"}]}), "letters, digits"),
        (files({"up": [{"op": "create_table", "table": "t"}]}), "required"),
        (files({"up": [CREATE], "down": [], "irreversible": True}), "leave one of the two out"),
        (files({"up": [CREATE, CREATE]}), "already"),
        (files({"up": [ADD]}), "no table 'visits'"),
        (files({"up": [CREATE, ADD, ADD]}), "already"),
        (files({"up": [CREATE, {"op": "drop_index", "table": "visits", "name": "x"}]}), "no index 'x'"),
        (files({"up": [CREATE, *(ADD | {"name": f"i{n}"} for n in range(6))]}), "at most 5 indexes"),
        (files({"up": [CREATE, PUT | {"items": [{"user": "a"}]}]}), "Each item of 'visits'"),
        (
            files({"up": [CREATE, PUT | {"items": [{"user": "a", "at": 1, "t": "x" * 250_000}, {"user": "a", "at": True}]}]}),
            "number or a text",
        ),
        (files({"up": [CREATE, {"op": "delete_items", "table": "visits", "keys": ["a"]}]}), "has just"),
        (files({"up": [CREATE, {"op": "rename_attribute", "table": "visits", "from": "at", "to": "b"}]}), "table's key"),
        (files({"up": [CREATE]}, {"up": [PUT]}), "irreversible"),
        (files({"up": [CREATE]}, {"up": [{"op": "drop_table", "table": "visits"}]}), "irreversible"),
        (files({"up": [CREATE], "down": [{"op": "drop_table", "table": "x"}]}), "no table 'x'"),
        (files({"up": [CREATE]}, {"up": [ADD], "down": [PUT]}), "does not lead back"),
        (files(b" " * 400_000), "Must not exceed"),
    ],
)
def test_what_is_no_migration_is_refused_with_its_file(given, sentence):
    told = fault(given)

    assert sentence in told
    assert "migrations/" in told


def test_the_schema_is_one_and_takes_what_is_taken():
    jsonschema.Draft202012Validator.check_schema(plugins.migration_schema())
    validator = jsonschema.Draft202012Validator(plugins.migration_schema())

    assert validator.is_valid(
        {"$schema": "x", "up": [CREATE, ADD, PUT, {"op": "set_default", "table": "t", "attribute": "a", "value": None}]}
    )
    assert not validator.is_valid({"up": [CREATE], "down": [], "irreversible": True})
