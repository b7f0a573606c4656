"""Whatever option of whatever method is of a wrong type is refused by an error that names it, in both SDKs, against the real routes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib import accounts, sessions
from chalicelib.accounts import Caller
from chalicelib.core import config

METHODS = json.loads((Path(__file__).parents[2] / "sdk" / "methods.json").read_text())["options"]
ADMIN = Caller("user", "admin", "Admin", "admin", None)
REFUSALS = {"TypeError", "ValidationError", "InvalidEmailError", "InvalidEmailAddressError", "InvalidImageError"}
# Of each kind of value, what is of another kind. A number is no text, and neither is text that looks like one a number.
WRONG: dict[type, list[Any]] = {
    str: [7, True, {"a": "b"}, ["a"]],
    int: ["many", True, {}, [1], 1.5],
    bool: ["yes", 7, {}],
    list: [7, True, {"a": "b"}],
    dict: [7, True, "text", ["a"]],
}
Path_ = tuple[str | int, ...]


@pytest.fixture
def john(aws: Any) -> None:
    accounts.create_user(username="john", full_name="John", email="john@example.com", tier="pro", by=None)
    template = {"displayName": "D", "description": "d", "category": "c", "baseImage": "example.com/d:1", "ports": []}
    sessions.create_template({"name": "desk", **template, "defaultResources": {"memory": "1Gi", "cpu": "1"}}, by=ADMIN)
    sessions.create_session({"user": "john", "template": "desk"}, by=ADMIN)


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where a value stands that could be of a wrong type, from the outside in."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in entries:
        yield from places(one, (*path, key))


def at(value: Any, path: Path_) -> Any:
    for key in path:
        value = value[key]
    return value


def with_wrong(values: dict[str, Any], path: Path_, wrong: Any) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    at(changed, path[:-1])[path[-1]] = wrong
    return changed


def snake_case(name: str) -> str:
    return re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)


def call_of(row: dict[str, Any], positional: dict[str, Any], options: dict[str, Any] | None) -> dict[str, str]:
    """The call as an author of either language writes it; ``functions`` are options that JSON cannot hold."""
    functions = row.get("functions", [])
    javascript = [json.dumps(value) for value in positional.values()]
    python = [repr(value) for value in positional.values()]
    if options is not None:
        handlers = "".join(f", {name}: () => 1" for name in functions)
        javascript.append(json.dumps(options)[:-1] + handlers + "}")
        python += [f"{'from_' if name == 'from' else snake_case(name)}={value!r}" for name, value in options.items()]
        python += [f"{name}=print" for name in functions]
    return {
        "js": f"streamspace.{row['js']}({', '.join(javascript)})",
        "python": f"streamspace.{snake_case(row['js'])}({', '.join(python)})",
    }


def wrong_calls(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """The name of what is wrong, and the call."""
    positional, options = row.get("positional", {}), row.get("options")
    given = {"positional": positional, "options": options or {}}
    for path in places(given):
        if len(path) == 1 or ".".join(map(str, path[1:])) in row.get("anything", []):
            continue
        right = at(given, path)
        for wrong in WRONG[type(right)]:
            # Who may be one address may be a list of them.
            if path[-1] in ("to", "cc", "bcc") and wrong == ["a"]:
                continue
            changed = with_wrong(given, path, wrong)
            named = [part for part in path[1:] if isinstance(part, str)][-1]
            yield named, call_of(row, changed["positional"], changed["options"] if options is not None else None)


def names(outcome: dict[str, Any], field: str) -> bool:
    told = outcome["message"] + json.dumps(outcome.get("details"))
    return any(re.search(rf"\b{re.escape(name)}\b", told) for name in {field, snake_case(field)})


def test_a_value_of_a_wrong_type_is_refused_by_name(run: Any, john: Any) -> None:
    asked = [(row, named, call) for row in METHODS for named, call in wrong_calls(row)]

    with config.overridden(EMAIL_SENDER="no-reply@streamspace.example"):
        outcomes = run([call for _, _, call in asked])

    wrongly = [
        (call, named, outcome)
        for (_, named, call), outcome in zip(asked, outcomes, strict=True)
        if outcome.get("name") not in REFUSALS or not names(outcome, named)
    ]
    assert wrongly == []
