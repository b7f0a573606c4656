"""What the SDKs' testing platform must know of the real one: its routes with their schemas, and the numbers and words of its rules.

The in-memory platforms of both SDKs (``streamspace/testing``) validate by this file: a route's rule is written once, where it is declared.

    python -m infra.sdk_contract     writes it anew; a test says when that is due
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chalicelib import accounts, sessions
from chalicelib.accounts import permissions, user
from chalicelib.api.application import Application
from chalicelib.api.description import error_classes
from chalicelib.api.routing import BASE_PATH
from chalicelib.messaging import templates
from chalicelib.plugins import declarations
from chalicelib.runtime import attempts, storage, table_keys, tables
from chalicelib.sessions import states

_ROOT = Path(__file__).parent.parent
FILES = (
    _ROOT / "plugin_layers/nodejs/node_modules/streamspace/testing/contract.json",
    _ROOT / "plugin_layers/python/streamspace/testing/contract.json",
)
# What the SDKs call begins like this. The rest of the API is for people, and so are, among these, the ones below.
_HEADS = ("sessions", "users", "templates", "notifications", "email", "storage", "commands", "dialogs", "runtime", "uploads", "tables")
_FOR_PEOPLE = frozenset(
    {
        *("PUT templates/{name}", "DELETE templates/{name}", "POST sessions/{id}/activity", "GET commands"),
        *("POST sessions/{id}/extend", "GET sessions/{id}/status", "POST sessions/{id}/tickets"),
        *("GET sessions/{id}/auth", "GET sessions/{id}/enter", "POST sessions/{id}/enter"),
        *("GET notifications", "POST notifications/{id}/read", "DELETE notifications/{id}", "POST notifications/{id}/actions/{n}"),
        *("GET dialogs", "POST dialogs/{id}/answer", "GET users/{username}/usage"),
    }
)
_PARTS = ("core", "accounts", "sessions", "messaging", "runtime")


def contract() -> dict[str, Any]:
    """Routes by method and path below ``/api/v1/``, and the rules that are data."""
    return {
        "routes": [_route(one) for one in _declared() if _is_called(one)],
        "errors": {code: [status, message] for code, (status, message) in sorted(_errors().items())},
        "scopes": sorted(accounts.SCOPES),
        "scopeWords": dict(sorted(declarations.SCOPE_WORDS.items())),
        "roles": {role: sorted(held) for role, held in permissions.OF_ROLE.items()},
        "tiers": {name: _quotas(quotas) for name, quotas in user.OF_TIER.items()},
        "transitions": [[before, after, event] for (before, after), event in states.TRANSITIONS.items()],
        "initialStates": list(states.INITIAL),
        "emailTemplates": list(templates.NAMES),
        "storage": {"longestKeyBytes": storage.LONGEST_KEY_BYTES, "largestValueBytes": storage.LARGEST_VALUE_BYTES},
        "tables": {
            "largestItemBytes": tables.LARGEST_ITEM_BYTES,
            "longestPartBytes": table_keys.LONGEST_PART_BYTES,
            "largestExact": table_keys.LARGEST_EXACT,
            "comparisons": list(table_keys.COMPARISONS),
        },
        "attempts": attempts.ATTEMPTS,
        "deepestOffset": sessions.DEEPEST_OFFSET,
    }


def _declared() -> list[Any]:
    app = Application("contract").include_everything()
    return [route for methods in app.declared.values() for route in methods.values()]


def _path(route: Any) -> str:
    return str(route.pattern.removeprefix(f"{BASE_PATH}/"))


def _is_called(route: Any) -> bool:
    return _path(route).split("/")[0] in _HEADS and f"{route.method} {_path(route)}" not in _FOR_PEOPLE


def _route(route: Any) -> dict[str, Any]:
    told = {
        "method": route.method,
        "path": _path(route),
        "scope": route.scope,
        "pluginOnly": route.plugin_only,
        "body": _options(route.body),
        "query": dict(route.query),
        "bodyLimit": None if route.body is None else route.body_limit,
    }
    return {name: value for name, value in told.items() if value not in (None, False, {})}


def _options(schema: Any) -> Any:
    """Of "a document, or else options" the options: the SDKs send no documents."""
    return {**schema["else"], "type": "object"} if schema is not None and "if" in schema else schema


def _errors() -> dict[str, tuple[int, str]]:
    """Those that the plugin API's calls can meet; installing and the like is for people."""
    by_code: dict[str, tuple[int, str]] = {}
    for one in error_classes():
        if one.__module__.split(".")[1] in _PARTS:
            by_code.setdefault(one.code, (one.status, one.message))
    return by_code


def _quotas(quotas: Any) -> dict[str, Any]:
    return {
        "memory": quotas.memory,
        "maxSessions": quotas.max_sessions,
        "storage": quotas.storage,
        "maxSessionDuration": quotas.max_session_duration,
    }


def text() -> str:
    """A line for each route, so that a change reads well, and hardly any blanks: the SDKs carry it."""
    rules = contract()
    routes = ",\n".join(map(_compact, rules.pop("routes")))
    lines = [f'"routes":[\n{routes}\n]']
    lines += [f"{_compact(name)}:{_compact(value)}" for name, value in rules.items()]
    return "{" + ",\n".join(lines) + "}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def main() -> None:
    for file in FILES:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text())


if __name__ == "__main__":
    main()
