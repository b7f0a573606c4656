"""Runs a case of semantics.json: its calls on the Python SDK, whatever platform answers it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest


def _expanded(value: dict[str, Any]) -> Any:
    return value["repeat"] * value["times"] if value.keys() == {"repeat", "times"} else value


TABLE = json.loads((Path(__file__).parent / "semantics.json").read_text(), object_hook=_expanded)
CASES = TABLE["cases"]
ALL_SCOPES = (
    *("read:sessions", "write:sessions", "read:users", "write:users", "read:templates", "write:templates"),
    *("notifications", "email", "storage", "ui", "commands"),
)
# Their last argument is a value, not options.
_TAKE_A_VALUE = ("storage.set", "commands.execute")


def run(case: dict[str, Any]) -> None:
    """Raises AssertionError naming the step that came out differently."""
    for number, step in enumerate(case["steps"]):
        where = f"step {number + 1}: {step['call']}({', '.join(map(json.dumps, step['args']))[:200]})"
        if "fails" in step:
            with pytest.raises(_base_error()) as failed:
                _call(step["call"], step["args"])
            _compare_error(failed.value, step["fails"], where)
            continue
        result = _call(step["call"], step["args"])
        if "gives" in step:
            _compare(result, step["gives"], where)
        for field in step.get("lacks", ()):
            assert field not in result, f"{where}: has {field}"


def _base_error() -> Any:
    import streamspace

    return streamspace.StreamSpaceError


def _call(name: str, args: list[Any]) -> Any:
    import streamspace

    if of_table := re.fullmatch(r"db\.table\((\w+)\)\.(\w+)", name):
        method: Any = getattr(streamspace.db.table(of_table[1]), of_table[2])
        given, options = (args[:1], args[1:]) if of_table[2] != "query" else ([], args)
        return method(*given, **{_snake_case(key): value for one in options for key, value in one.items()})
    method = streamspace
    for part in name.split("."):
        method = getattr(method, _snake_case(part))
    if args and isinstance(args[-1], dict) and name not in _TAKE_A_VALUE:
        return method(*args[:-1], **{_snake_case(key): value for key, value in args[-1].items()})
    return method(*args)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _compare_error(error: Any, wanted: dict[str, Any], where: str) -> None:
    assert type(error).__name__ == wanted["name"], f"{where}: {type(error).__name__}: {error} {error.details}"
    assert error.code == wanted.get("code", error.code), where
    if "message" in wanted:
        assert str(error) == wanted["message"], where
    if "details" in wanted:
        _compare(error.details, wanted["details"], f"{where} details")
        if error.code == "VALIDATION_ERROR":
            assert set(error.details) == set(wanted["details"]), f"{where} details: {error.details}"


def _compare(found: Any, wanted: Any, where: str) -> None:
    if isinstance(wanted, dict):
        assert isinstance(found, dict), f"{where}: {found!r}"
        for key, value in wanted.items():
            assert key in found, f"{where}: has no {key}: {found!r}"
            _compare(found[key], value, f"{where}.{key}")
    elif isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        assert isinstance(found, list), f"{where}: {found!r}"
        assert len(found) == len(wanted), f"{where}: {found!r}"
        for at, value in enumerate(wanted):
            _compare(found[at], value, f"{where}[{at}]")
    else:
        assert found == wanted, f"{where}: {found!r:.500} is not {wanted!r:.500}"
