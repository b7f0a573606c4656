"""What only a running plugin calls (``docs/runtime-protocol.md``), and what administrators do about its troubled events."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from chalicelib import plugins, runtime
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import clock, config
from chalicelib.core.errors import ValidationError

routes = Routes()

_PLACE: dict[str, Any] = {
    "aggregate": {"type": "string", "minLength": 1, "maxLength": 500},
    "sequence": {"type": "integer", "minimum": 1, "maximum": 2**53},
}
_ATTEMPT = {"type": "object", "properties": _PLACE, "required": ["aggregate", "sequence"], "additionalProperties": False}
_FAILURE = {
    "type": "object",
    "properties": {
        **_PLACE,
        "attempt": {"type": "integer", "minimum": 1},
        "error": {"type": "object"},
        "receipt_handles": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
    },
    "required": ["aggregate", "sequence", "attempt", "error"],
    "additionalProperties": False,
}
_REPLAY = {"type": "object", "properties": {"event_id": {"type": "integer"}}, "additionalProperties": False}


@routes.get("/runtime/self", plugin_only=True, aws_calls=4)
def itself(request: Request) -> Reply:
    """Settings, in clear, and what the platform is. Its budget counts one secret setting; each further one costs one more call."""
    plugin = plugins.get(request.caller.id)
    values = plugins.current_settings_of(plugin)
    platform = {
        "version": config.PLATFORM_VERSION,
        "namespace": config.namespace(),
        "ingressDomain": config.ingress_domain(),
        "hibernationEnabled": True,
    }
    current = {"settings": values, "settings_version": plugin.settings_version, "secret_settings": plugins.secret_keys(plugin)}
    return Reply({"slug": plugin.slug, "version": plugin.version, **current, "platform": platform})


@routes.post("/runtime/events/{event_id}/attempts", plugin_only=True, body=_ATTEMPT, aws_calls=5)
def begin_attempt(request: Request, event_id: str) -> Reply:
    """404 EVENT_NOT_FOUND."""
    body = request.body
    verdict = runtime.deliveries.begin_attempt(request.caller.id, _number(event_id), body["aggregate"], body["sequence"])
    return Reply({"verdict": verdict})


@routes.post("/runtime/events/{event_id}/failures", plugin_only=True, body=_FAILURE, aws_calls=15)
def report_failure(request: Request, event_id: str) -> Reply:
    """404 EVENT_NOT_FOUND."""
    body = request.body
    verdict = runtime.deliveries.report_failure(
        request.caller.id,
        _number(event_id),
        body["aggregate"],
        body["sequence"],
        # A first delivery is not announced, so it is counted here.
        begun=body["attempt"] > 1,
        error=body["error"],
        receipt_handles=body.get("receipt_handles", []),
    )
    return Reply({"verdict": verdict})


@routes.get("/admin/plugins/{slug}/events/dead-letters", permission="plugins.events", aws_calls=3)
def dead_letters(request: Request, slug: str) -> Reply:
    """Events that the plugin could not take, newest first. 404 PLUGIN_NOT_FOUND."""
    plugins.get(slug)
    return Reply([vars(letter) for letter in runtime.deliveries.dead_letters(slug)])


@routes.post("/admin/plugins/{slug}/events/replay", permission="plugins.events", body=_REPLAY, aws_calls=100)
def replay(request: Request, slug: str) -> Reply:
    """One dead letter, or all of them, is delivered again. 404 PLUGIN_NOT_FOUND, DEAD_LETTER_NOT_FOUND."""
    plugins.get(slug)
    count = runtime.deliveries.replay(slug, request.body.get("event_id"))
    return Reply({"replayed": count}, message=f"{count} event{'s' if count != 1 else ''} will be delivered again")


_MOMENT = {"type": "string", "format": "date-time"}


@routes.get(
    "/admin/plugins/{slug}/logs",
    permission="plugins.events",
    query={
        "level": {"enum": list(runtime.logs.LEVELS)},
        "from": _MOMENT,
        "to": _MOMENT,
        "hook": {"type": "string", "maxLength": 200},
        "event_id": {"type": "integer", "minimum": 1, "maximum": 2**53},
        "search": {"type": "string", "maxLength": 200},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 200},
        "cursor": {"type": "string", "maxLength": 5000},
    },
    aws_calls=4 + runtime.logs.MOST_CALLS,
)
def logs(request: Request, slug: str) -> Reply:
    """What the plugin logged, oldest first; ``level`` and above. ``meta.next_cursor`` leads on. 404 PLUGIN_NOT_FOUND.

    Its budget counts one secret setting; each further one costs one more call.
    """
    plugin = plugins.get(slug)
    query = request.query
    wanted = runtime.logs.Wanted(
        level=query["level"],
        since=_moment("from", query["from"]),
        until=_moment("to", query["to"]),
        hook=query["hook"],
        event_id=query["event_id"],
        search=query["search"],
    )
    hidden = runtime.logs.Redaction(plugins.secret_values(plugin))
    lines, cursor = runtime.logs.read(slug, wanted, hidden=hidden, cursor=query["cursor"], limit=query["limit"])
    return Reply(lines, meta={"next_cursor": cursor})


def _moment(field: str, text: str | None) -> datetime | None:
    try:
        return clock.parse_rfc3339(text) if text else None
    except ValueError as error:
        raise ValidationError({field: ["Must be a time such as 2026-01-02T03:04:05Z"]}) from error


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,16}", text):
        raise ValidationError({"event_id": ["Must be an event's id: a whole number below 2^53"]})
    return int(text)
