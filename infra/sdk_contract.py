"""What the SDKs' testing platform must know of the real one: its routes with their schemas, and the numbers and words of its rules.

The in-memory platforms of both SDKs (``streamspace/testing``) validate by this file: a route's rule is written once, where it is declared.

    python -m infra.sdk_contract     writes it anew; a test says when that is due
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from chalicelib import accounts, sessions
from chalicelib.accounts import permissions, user
from chalicelib.api.application import Application
from chalicelib.api.routing import BASE_PATH
from chalicelib.core.errors import StreamSpaceError
from chalicelib.messaging import templates
from chalicelib.runtime import deliveries, storage
from chalicelib.sessions import states

_ROOT = Path(__file__).parent.parent
FILES = (
    _ROOT / "plugin_layers/nodejs/node_modules/streamspace/testing/contract.json",
    _ROOT / "plugin_layers/python/streamspace/testing/contract.json",
)
# What the SDKs call. The rest of the API is for people.
_HEADS = ("sessions", "users", "templates", "notifications", "email", "storage", "commands", "dialogs")
_RUNTIME = ("runtime/self", "runtime/events/{event_id}/attempts", "runtime/events/{event_id}/failures")


def contract() -> dict[str, Any]:
    """Routes by method and path below ``/api/v1/``, and the rules that are data."""
    return {
        "routes": [one for one in map(_route, _declared()) if one["path"].split("/")[0] in _HEADS or one["path"] in _RUNTIME],
        "errors": dict(sorted(_errors().items())),
        "scopes": sorted(accounts.SCOPES),
        "roles": {role: sorted(held) for role, held in permissions.OF_ROLE.items()},
        "tiers": {name: _quotas(quotas) for name, quotas in user.OF_TIER.items()},
        "transitions": [[before, after, event] for (before, after), event in states.TRANSITIONS.items()],
        "initialStates": list(states.INITIAL),
        "emailTemplates": list(templates.NAMES),
        "storage": {"longestKeyBytes": storage.LONGEST_KEY_BYTES, "longestValueBytes": storage.LONGEST_VALUE_BYTES},
        "attempts": deliveries.ATTEMPTS,
        "deepestOffset": sessions.DEEPEST_OFFSET,
    }


def _declared() -> list[Any]:
    app = Application("contract").include_everything()
    return [route for methods in app.declared.values() for route in methods.values()]


def _route(route: Any) -> dict[str, Any]:
    told = {
        "method": route.method,
        "path": route.pattern.removeprefix(f"{BASE_PATH}/"),
        "scope": route.scope,
        "pluginOnly": route.plugin_only,
        "body": route.body,
        "query": dict(route.query),
        "bodyLimit": route.body_limit,
    }
    return {name: value for name, value in told.items() if value not in (None, False, {})}


def error_classes() -> list[type[StreamSpaceError]]:
    """Every error that the platform can answer with: the whole tree below StreamSpaceError."""
    import chalicelib

    for package in iter_modules(chalicelib.__path__, "chalicelib."):
        for module in iter_modules([str(_ROOT / package.name.replace(".", "/"))], f"{package.name}."):
            if module.name.endswith(".errors"):
                import_module(module.name)
    found, waiting = [], [StreamSpaceError]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += one.__subclasses__()
    return [one for one in found if one.__module__.startswith("chalicelib.")]


def _errors() -> dict[str, dict[str, Any]]:
    by_code: dict[str, dict[str, Any]] = {}
    for one in error_classes():
        by_code.setdefault(one.code, {"status": one.status, "message": one.message})
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
