"""What administrators do with plugins: the list, the details, a change of settings, and the first and the last page of a long log.

In process, on moto's AWS, in a container that served others before. Moto looks at every item of a table for each query, so the milliseconds
are moto's. What a page costs on DynamoDB are its calls, and the items that they read: both are counted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from bench.aws_calls import account, items_read
from bench.report import Table, by_turns, milliseconds, p95, ratio

_PASSWORD = "correct-horse-battery-staple"
_PLUGINS = 24
_EVENTS = 10_000
_ROUNDS = 15
_PER_PAGE = 20
_SLUG = "bench-00"
_FIELDS = [
    {"key": "prefix", "type": "text", "label": "Prefix", "tab": "general", "default": "A-", "rules": "required|string|max:10"},
    {"key": "days", "type": "integer", "label": "Days", "tab": "general", "default": 30, "rules": "integer|between:1,365"},
    {"key": "code", "type": "text", "label": "Code", "tab": "general", "rules": "nullable|regex:/^[A-Z]{2,4}$/"},
]


def run() -> list[Table]:
    from chalicelib.api.application import build

    application = build().include_everything()
    calls: list[str] = []
    with account(calls):
        from chalicelib.accounts.bootstrap import ensure_administrator

        token = ensure_administrator("admin", _PASSWORD)
        _install_all()
        return _measured(application, token, calls)


def _measured(application: Any, token: str, calls: list[str]) -> list[Table]:
    def asking(method: str, path: str, body: Any = None, **query: str) -> Callable[[], float]:
        def ask() -> float:
            event = _event(method, f"/api/v1/admin/plugins{path}", token, body, query)
            began = time.perf_counter()
            answer = application(event, None)
            taken = time.perf_counter() - began
            if answer["statusCode"] != 200:
                raise SystemExit(f"{method} {path} answered {answer['statusCode']}: {answer['body']}")
            return taken

        return ask

    everything = "settings,dependencies,permissions,changelog,events"
    turn = iter(range(10_000))
    asked = {
        f"the list of {_PLUGINS} plugins": asking("GET", "", per_page="100"),
        "details with all includes": asking("GET", f"/{_SLUG}", include=everything),
        "a change of settings": lambda: asking("PUT", f"/{_SLUG}/settings", {"settings": {"days": next(turn) % 365 + 1}})(),
        "the same with a pattern": lambda: asking("PUT", f"/{_SLUG}/settings", {"settings": {"code": f"A{chr(65 + next(turn) % 26)}"}})(),
    }
    rows = [_row(name, ask, calls) for name, ask in asked.items()]
    # Moto copies the whole table for each transaction: with the log in it, a change of settings would be that copy.
    _fill_log(_EVENTS)
    last = _EVENTS // _PER_PAGE
    first_page, last_page = (asking("GET", f"/{_SLUG}/events", page=str(page)) for page in (1, last))
    pages = [(*_row(f"page {page} of the log", ask, calls), str(items_read(ask)[1])) for page, ask in ((1, first_page), (last, last_page))]
    firsts, lasts = by_turns(_ROUNDS, first_page, last_page)
    return [
        Table("Managing plugins", "Requests of an administrator on moto's AWS.", ("request", "median", "p95", "AWS calls"), rows),
        Table(
            f"A log of {_EVENTS:,} events",
            f"Page {last} takes {ratio(lasts, firsts)} times what page 1 takes, by turns; the goal is 1.3.",
            ("request", "median", "p95", "AWS calls", "items read"),
            pages,
        ),
    ]


def _row(name: str, ask: Callable[[], float], calls: list[str]) -> tuple[str, str, str, str]:
    taken = [ask() for _ in range(_ROUNDS)]
    calls.clear()
    ask()
    return name, milliseconds(taken), f"{p95(taken) * 1000:.0f} ms", f"{len(calls)}: {', '.join(calls)}"


def _install_all() -> None:
    from chalicelib.core import clock
    from chalicelib.events import unit_of_work
    from chalicelib.plugins import InstalledPlugin, manifest, registry

    for number in range(_PLUGINS):
        document: dict[str, Any] = {"name": f"bench-{number:02d}", "version": "1.0.0", "description": "Made by a benchmark"}
        if number == 0:
            document["settings"] = {"tabs": [{"key": "general", "label": "General"}], "fields": _FIELDS}
            document["dependencies"] = [{"slug": "bench-01", "version_constraint": "^1.0.0"}]
        plugin = InstalledPlugin.fresh(manifest.parse(document), "0" * 64, clock.now())
        with unit_of_work() as work:
            work.emit("plugin.installed", registry.add(work, plugin), {"plugin": plugin.summary()})


def _fill_log(count: int) -> None:
    """As so many changes leave it; written at once, because so many transactions would take moto minutes."""
    from chalicelib.core import ids
    from chalicelib.events import Event, log, unit_of_work
    from chalicelib.events.records import EventRow
    from chalicelib.events.tally import Tally
    from chalicelib.plugins import registry

    aggregate = f"plugin#{_SLUG}"
    last = log.latest(aggregate)
    assert last is not None
    assert last.tally is not None
    with EventRow.batch_write() as batch:
        for _ in range(count):
            assert last.tally is not None
            tally: Tally = last.tally.with_event("plugin.settings_changed", last.id + 1)
            moment = ids.moment_of(tally.last_id)
            data = {"plugin": {"slug": _SLUG, "name": _SLUG, "version": "1.0.0"}, "changed_keys": ["days"]}
            last = Event(tally.last_id, "plugin.settings_changed", aggregate, last.sequence + 1, last.sequence, moment, data, tally=tally)
            for row in (last.row(), *log.copies_of(last)):
                batch.save(row)
    # The plugin goes on from there.
    plugin = registry.get(_SLUG)
    with unit_of_work() as work:
        kept = registry.save(work, plugin)
        kept.event_sequence, kept.event_tally = last.sequence, last.tally.text() if last.tally else None


def _event(method: str, path: str, token: str, body: Any, query: dict[str, str]) -> dict[str, Any]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    return {
        "httpMethod": method,
        "path": path,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {"requestId": "bench", "identity": {"sourceIp": "127.0.0.1"}},
        "stageVariables": None,
    }
