"""What a manifest declares, in whichever of the usual words, brought into one shape; and what of it can have no effect, in sentences.

A part that this platform does not have is a *note*: the plugin runs without it, and whoever validates, installs or looks at it is told.
A part that is all but a known one, or that contradicts itself, is a fault: it is a slip that would be hard to find later. Pure functions.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.accounts.permissions import SCOPES
from chalicelib.events.types import SESSION_EVENTS, USER_EVENTS
from chalicelib.runtime import cron, endpoint_paths

Document = Mapping[str, Any]
Faults = dict[str, list[str]]

EVENTS = (*SESSION_EVENTS, *USER_EVENTS)
# Other platforms' words for our events. The SDKs know the same ones.
EVENT_ALIASES = {
    "session.terminated": "session.stopped",
    "session.ended": "session.stopped",
    "session.resumed": "session.woken",
    "user.logged_in": "user.login",
    "user.logged_out": "user.logout",
}
LIFECYCLE = ("onLoad", "onUnload")

# Words for scopes that are in use; an empty one says that what it asks for needs no scope.
SCOPE_WORDS = {
    **{f"{thing}{sign}{verb}": scope for scope in SCOPES if ":" in scope for verb, thing in [scope.split(":")] for sign in ":._"},
    **{f"{verb}{sign}{thing}": scope for scope in SCOPES if ":" in scope for verb, thing in [scope.split(":")] for sign in "._"},
    "database": "storage",
    "db": "storage",
    "data": "storage",
    "admin_ui": "ui",
    "user_ui": "ui",
    "widgets": "ui",
    "notification": "notifications",
    "notify": "notifications",
    "mail": "email",
    "command": "commands",
    "http": "network",
    "internet": "network",
    "api": "",
    "endpoints": "",
    "scheduler": "",
    "schedule": "",
    "cron": "",
    "events": "",
    "webhooks": "",
}
_NEEDS_NONE = {
    "api": "a plugin's own endpoints need no scope; to call the platform it asks for read:sessions, write:users and their kind",
    "endpoints": "a plugin's own endpoints need no scope",
    "events": "hearing events needs no scope",
    "webhooks": "hearing events needs no scope",
}
_POSITIONS = {
    **dict.fromkeys(("top", "header", "main", "center", "centre", "dashboard", "content"), "top"),
    **dict.fromkeys(("sidebar", "right-sidebar", "left-sidebar", "side", "right", "left"), "sidebar"),
    **dict.fromkeys(("bottom", "footer"), "bottom"),
}
_WIDTHS = {
    **dict.fromkeys(("full", "large", "wide"), "full"),
    **dict.fromkeys(("half", "medium"), "half"),
    **dict.fromkeys(("third", "small", "narrow"), "third"),
}
_TASK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_METHOD_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,99}")
# What each of the nested parts is read for; anything else in them is noted.
_READ = {
    "entrypoints": {"main"},
    "lifecycle": set(LIFECYCLE),
    "scheduler": {"jobs"},
    "database": {"tables"},
    "api": {"endpoints"},
    "ui": {"widgets", "pages", "userPages", "adminPages", "menuItems", "settingsPages"},
    "requirements": {"system_version", "streamspaceVersion"},
}


def scopes(document: Document) -> frozenset[str]:
    return frozenset(scope for word in document.get("permissions") or [] if (scope := scope_of(word)))


def scope_of(word: str) -> str | None:
    """The scope that is meant; empty where none is needed, None where nobody knows. ``sessions:read`` is ``read:sessions``."""
    plain = word.strip().lower().replace("-", "_")
    return plain if plain in SCOPES else SCOPE_WORDS.get(plain)


def events(document: Document) -> dict[str, str | None]:
    """Event type -> the method that the author named for it; None where only the event is named."""
    given = document.get("events") or {}
    named: list[tuple[str, Any]] = list(given.items()) if isinstance(given, Mapping) else [(one, None) for one in given]
    return {
        EVENT_ALIASES.get(type_, type_): method if isinstance(method, str) else None
        for type_, method in named
        if EVENT_ALIASES.get(type_, type_) in EVENTS and method is not False
    }


def tables(document: Document) -> tuple[str, ...]:
    return tuple(_name_of(one) for one in (document.get("database") or {}).get("tables") or [])


def contributes(document: Document) -> dict[str, list[Any]]:
    """``contributes``, with what the other parts of the manifest add to it. Where both name a thing, ``contributes`` holds."""
    found: dict[str, list[Any]] = {kind: list(items) for kind, items in (document.get("contributes") or {}).items()}
    more: dict[str, list[dict[str, Any]]] = {
        "scheduled_tasks": [task for _, task in _tasks(document)],
        "api_endpoints": [endpoint for _, endpoint in _endpoints(document)],
        "widgets": [widget for _, widget in _widgets(document)],
        "menu_items": [item for _, item in _menu_items(document)],
        "settings_pages": [page for _, page in _listed(document, "ui", "settingsPages")],
    }
    identity = {"scheduled_tasks": "name", "widgets": "id", "menu_items": "path", "settings_pages": "id"}
    if found.get("api_endpoints"):
        found["api_endpoints"] = [_endpoint(one) for one in found["api_endpoints"]]
    for kind, items in more.items():
        key = identity.get(kind)
        taken = {one[key] for one in found.get(kind, [])} if key else set()
        items = [one for one in items if key is None or one[key] not in taken]
        if items:
            found[kind] = [*found.get(kind, []), *items]
    return found


# ── Faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def faults_of_permissions(document: Document) -> Faults:
    asked = document.get("permissions")
    if not isinstance(asked, list):
        return {}
    unknown = [word for word in asked if not isinstance(word, str) or scope_of(word) is None]
    if not unknown:
        return {}
    known = ", ".join(sorted(SCOPES))
    return {"permissions": [f"Unknown scope '{word}'{_nearest(word)}; known are: {known}" for word in unknown]}


def _nearest(word: Any) -> str:
    near = difflib.get_close_matches(str(word), SCOPES, n=1, cutoff=0.7)
    return f", did you mean '{near[0]}'?" if near else ""


def faults_of_events(document: Document) -> Faults:
    given = document.get("events") or {}
    faults: Faults = {}
    named: dict[str, str] = {}
    for at, type_ in enumerate(given):
        where = f"events.{type_}" if isinstance(given, Mapping) else f"events.{at}"
        near = difflib.get_close_matches(type_, (*EVENTS, *EVENT_ALIASES), n=1, cutoff=0.9)
        event = EVENT_ALIASES.get(type_, type_)
        if event not in EVENTS and near:
            faults[where] = [f"There is no event '{type_}'; did you mean '{near[0]}'?"]
        elif event in named:
            faults[where] = [f"'{type_}' is the same event as '{named[event]}', which is there too"]
        elif isinstance(given, Mapping) and isinstance(given[type_], str) and not _METHOD_NAME.fullmatch(given[type_]):
            faults[where] = [f"'{given[type_]}' is no method's name"]
        named.setdefault(event, type_)
    return faults


def faults_of_tasks(document: Document) -> Faults:
    faults: Faults = {}
    seen: set[tuple[str, str]] = set()
    for where, task in _tasks(document, own=True):
        name, schedule, timezone = task.get("name"), task.get("schedule"), task.get("timezone")
        if not name or not _TASK_NAME.fullmatch(name):
            faults[f"{where}.name"] = ["Must be a letter, then letters, digits, _ and -; at most 64 characters"]
        elif (where.partition(".")[0], name) in seen:
            faults[f"{where}.name"] = [f"'{name}' is there twice"]
        seen.add((where.partition(".")[0], str(name)))
        if not schedule:
            faults[f"{where}.schedule"] = [f"When does it run? {cron.FORMS[0].upper()}{cron.FORMS[1:]}"]
            continue
        try:
            cron.aws_expression(schedule)
        except ValueError as error:
            faults[f"{where}.schedule"] = [str(error)]
        if timezone and (fault := cron.timezone_fault(timezone)):
            faults[f"{where}.timezone"] = [fault]
    return faults


def faults_of_endpoints(document: Document) -> Faults:
    faults: Faults = {}
    for where, endpoint in _endpoints(document, own=True):
        method, path = endpoint.get("method"), endpoint.get("path")
        if not isinstance(path, str) or not re.fullmatch(endpoint_paths.PATTERN, path):
            faults[where] = [f"'{path}' is no endpoint's path. {endpoint_paths.RULE}"]
        elif method is not None and method not in endpoint_paths.METHODS:
            faults[where] = [f"'{method}' is no method; known are: {', '.join(endpoint_paths.METHODS)}"]
    return faults


def faults_of_tables(document: Document) -> Faults:
    faults: Faults = {}
    seen: set[str] = set()
    for at, name in enumerate(tables(document)):
        if not _TABLE_NAME.fullmatch(name):
            faults[f"database.tables.{at}"] = [
                f"'{name}' is no table's name: a letter, then letters, digits, _ and -; at most 63 characters"
            ]
        elif name in seen:
            faults[f"database.tables.{at}"] = [f"'{name}' is there twice"]
        seen.add(name)
    return faults


# ── Notes ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def notes(document: Document, known_fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What was said and has no effect here, or another one than its words may promise. One sentence each."""
    return tuple(dict.fromkeys(_notes(document, known_fields)))


def _notes(document: Document, known_fields: Mapping[str, Any]) -> Iterator[str]:
    for name in document:
        if name not in known_fields:
            yield f"'{name}' is not a field of a manifest: it is kept for this.manifest, and has no other effect"
    for part, read in _READ.items():
        inner = document.get(part)
        for name in inner if isinstance(inner, Mapping) else ():
            if name not in read:
                yield f"'{part}.{name}' has no effect{_hint(part, name)}"
    for word in document.get("permissions") or []:
        scope = scope_of(word)
        if scope == "":
            yield f"The permission '{word}' is not needed: {_NEEDS_NONE.get(word, 'schedules need no scope')}"
        elif scope and scope != word:
            yield f"The permission '{word}' is the scope '{scope}' here"
    for type_ in document.get("events") or {}:
        if type_ in EVENT_ALIASES:
            yield f"The event '{type_}' is '{EVENT_ALIASES[type_]}' here"
        elif type_ not in EVENTS:
            yield f"There is no event '{type_}' here, so nothing is called for it; events are: {', '.join(EVENTS)}"
    for at, widget in enumerate((document.get("ui") or {}).get("widgets") or []):
        for name, words in (("position", _POSITIONS), ("width", _WIDTHS)):
            if widget.get(name) is not None and str(widget[name]).lower() not in words:
                yield f"The {name} '{widget[name]}' of ui.widgets.{at} is not known and left out; known are: {', '.join(sorted(words))}"


def _hint(part: str, name: str) -> str:
    if part == "lifecycle":
        return f": the platform calls {' and '.join(LIFECYCLE)} only"
    if part == "requirements":
        return ": only the platform's version is checked"
    if part == "database" and name == "migrations":
        return ": migrations are the files in migrations/"
    return ""


# ── The parts, each with its place ───────────────────────────────────────────────────────────────────────────────────────────────


def _tasks(document: Document, *, own: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """``own``: those under ``contributes`` too."""
    for where, job in _listed(document, "scheduler", "jobs"):
        task = {key: job[key] for key in ("name", "description", "handler", "timezone") if job.get(key) is not None}
        schedule = next((job[key] for key in ("schedule", "cron", "expression") if job.get(key)), None)
        if job.get("enabled") is not False:
            yield where, {**task, **({"schedule": schedule} if schedule else {})}
    if own:
        yield from _listed(document, "contributes", "scheduled_tasks")


def _endpoints(document: Document, *, own: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, one in _listed(document, "api", "endpoints"):
        yield where, _endpoint(one)
    for at, one in enumerate(document.get("apiEndpoints") or []):
        yield f"apiEndpoints.{at}", _endpoint(one)
    if own:
        for where, one in _listed(document, "contributes", "api_endpoints"):
            yield where, _endpoint(one)


def _endpoint(one: Any) -> dict[str, Any]:
    """``/billing/usage``, ``GET /billing/usage``, or an object."""
    if isinstance(one, Mapping):
        return {**one, **({"method": one["method"].upper()} if isinstance(one.get("method"), str) else {})}
    method, space, path = str(one).strip().partition(" ")
    return {"method": method.upper(), "path": path.strip()} if space else {"path": method}


def _widgets(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, one in _listed(document, "ui", "widgets"):
        widget = {key: value for key, value in one.items() if key not in ("position", "width")}
        for name, words in (("position", _POSITIONS), ("width", _WIDTHS)):
            word = words.get(str(one.get(name)).lower())
            if word:
                widget[name] = word
        yield where, widget


def _menu_items(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pages are entries of the menu; an ``adminPage`` is one that only administrators see."""
    for kind in ("pages", "userPages", "menuItems", "adminPages"):
        for where, page in _listed(document, "ui", kind):
            item = {key: value for key, value in page.items() if key not in ("title", "route")}
            item["label"] = page.get("label") or page.get("title") or page.get("id") or page["component"]
            item["path"] = page.get("path") or page.get("route") or f"/{page.get('id') or page['component']}"
            if kind == "adminPages":
                item["permissions"] = ["admin"]
            yield where, item


def _listed(document: Document, part: str, kind: str) -> Iterator[tuple[str, Any]]:
    for at, one in enumerate((document.get(part) or {}).get(kind) or []):
        yield f"{part}.{kind}.{at}", one


def _name_of(table: Any) -> str:
    return str(table["name"] if isinstance(table, Mapping) else table)
