"""A plugin's own tables, as both SDKs see them on the real routes."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.runtime import table_changes

INDEX = {"name": "by_site", "partition": "site"}


@pytest.fixture
def visits(aws: Any) -> None:
    key = {"partition": "user", "sort": "at"}
    table_changes.apply("my-plugin", {"op": "create_table", "table": "visits", "key": key, "indexes": [INDEX]})
    table_changes.apply("my-plugin", {"op": "create_table", "table": "notes", "key": {"partition": "id"}})


def row(js: str, python: str | None = None) -> dict[str, str]:
    return {"js": f"streamspace.db.{js}", "python": f"streamspace.db.{python or js}"}


@pytest.mark.usefixtures("visits")
def test_items_are_put_found_queried_and_deleted(run: Any) -> None:
    outcomes = run(
        [
            *(row(f"table('visits').put({{'user': 'é', 'at': {at}, 'site': 'a/b?'}})") for at in (10, 9, 2)),
            row("table('visits').get({'user': 'é', 'at': 9})"),
            row("table('visits').get({'user': 'é', 'at': 8})"),
            row(
                "table('visits').query({where: {user: 'é', at: {gt: 2}}, limit: 1})",
                "table('visits').query({'user': 'é', 'at': {'gt': 2}}, limit=1)",
            ),
            row(
                "table('visits').query({where: {site: 'a/b?'}, descending: true})",
                "table('visits').query({'site': 'a/b?'}, descending=True)",
            ),
            row("table('visits').delete({'user': 'é', 'at': 10})"),
            row("table('visits').query()"),
            row("table('notes').put({'id': 'a'})"),
            row("table('notes').get('a')"),
            row("tables()"),
        ]
    )

    found = [one["returned"] for one in outcomes]

    def visit(at: int) -> dict[str, Any]:
        return {"user": "é", "at": at, "site": "a/b?"}

    assert found[3:5] == [visit(9), None]
    assert (found[5]["items"], found[5]["cursor"] is None) == ([visit(9)], False)
    assert sorted(one["at"] for one in found[6]["items"]) == [2, 9, 10]
    assert found[8] == {"items": [visit(2), visit(9)], "cursor": None}
    assert found[10] == {"id": "a"}
    assert found[11][1] == {"name": "visits", "key": {"partition": "user", "sort": "at"}, "indexes": [INDEX]}


@pytest.mark.usefixtures("visits")
def test_what_is_wrong_is_an_error_of_its_own_class_that_says_what_to_write(run: Any) -> None:
    outcomes = run(
        [
            row("table('visit').get('a')"),
            row("table('notes').put({'id': 'a'})"),
            row("table('notes').put({'id': 'a'}, {ifNotExists: true})", "table('notes').put({'id': 'a'}, if_not_exists=True)"),
            row("table('notes').put({'name': 'a'})"),
            row("table('visits').get('a')"),
            row("table('visits').query({where: {colour: 'red'}})", "table('visits').query({'colour': 'red'})"),
            row("table('notes').put({'id': 'b', 'text': 'x'.repeat(400000)})", "table('notes').put({'id': 'b', 'text': 'x' * 400000})"),
        ]
    )

    assert [one.get("name") for one in outcomes] == [
        "TableNotFoundError",
        None,
        "ItemAlreadyExistsError",
        "ValidationError",
        "ValidationError",
        "ValidationError",
        "ValueTooLargeError",
    ]
    assert outcomes[0]["details"] == {"table": "visit", "tables": ["notes", "visits"]}
    assert "'user' and 'at'; 'site'" in outcomes[5]["details"]["where"][0]
    (denied,) = run([row("tables()")], scopes=frozenset({"commands"}))
    assert (denied["name"], denied["details"]) == ("PermissionDeniedError", {"scope": "storage"})
