"""What only a running plugin calls (``docs/runtime-protocol.md``), and what administrators do about its troubled events."""

from __future__ import annotations

import re
from typing import Any

from chalicelib import plugins, runtime
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.parameters import moment
from chalicelib.core import config
from chalicelib.core.errors import ValidationError
from chalicelib.runtime.replaying import Replay

routes = Routes()

_PLACE: dict[str, Any] = {
    "aggregate": {"type": "string", "minLength": 1, "maxLength": 500},
    "sequence": {"type": "integer", "minimum": 1, "maximum": 2**53},
}
_HAS_DELIVERED: dict[str, Any] = {
    "has_delivered": {"type": "boolean", "description": "The plugin has taken other events since it last reported"}
}
_ATTEMPT = {
    "type": "object",
    "properties": {**_PLACE, **_HAS_DELIVERED, "unreported": {"type": "object", "description": "The failure of the attempt before"}},
    "required": ["aggregate", "sequence"],
    "additionalProperties": False,
}
_FAILURE = {
    "type": "object",
    "properties": {
        **_PLACE,
        **_HAS_DELIVERED,
        "attempt": {"type": "integer", "minimum": 1},
        "error": {"type": "object"},
        "receipt_handles": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
    },
    "required": ["aggregate", "sequence", "attempt", "error"],
    "additionalProperties": False,
}
_REPLAY = {
    "type": "object",
    "properties": {
        "event_id": {"type": "integer", "description": "One dead letter; without it, and without 'from', the oldest of them"},
        "from": {"type": "string", "format": "date-time", "description": "What happened since then, and until 'to'"},
        "to": {"type": "string", "format": "date-time", "description": "Now, if it is left out"},
    },
    "dependentRequired": {"to": ["from"]},
    "not": {"required": ["event_id", "from"]},
    "additionalProperties": False,
}


@routes.get("/runtime/self", plugin_only=True, returns="PluginSelf", aws_calls=4)
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


@routes.delete("/runtime/schedules/{name}", plugin_only=True, returns="Nothing", aws_calls=2)
def cancel_schedule(request: Request, name: str) -> Reply:
    """What ``clearInterval`` asks for. It is made again with the plugin's next activation. One that is not there is no error."""
    runtime.schedules.delete_one(request.caller.id, name)
    return Reply(None)


# Most of both budgets is for the event that is one too many: the plugin is set aside.
@routes.post("/runtime/events/{event_id}/attempts", plugin_only=True, body=_ATTEMPT, returns="Verdict", aws_calls=40)
def begin_attempt(request: Request, event_id: str) -> Reply:
    """404 EVENT_NOT_FOUND."""
    body, slug = request.body, request.caller.id
    verdict = runtime.deliveries.begin_attempt(
        slug,
        _number(event_id),
        body["aggregate"],
        body["sequence"],
        unreported=body.get("unreported"),
        has_delivered=body.get("has_delivered", False),
    )
    return _verdict(slug, verdict)


@routes.post("/runtime/events/{event_id}/deliveries", plugin_only=True, returns="Nothing", aws_calls=2)
def report_delivery(request: Request, event_id: str) -> Reply:
    """The plugin took an event whose message asked for this report: its failures so far were not one after another. 422
    VALIDATION_ERROR for an id that is none."""
    _number(event_id)
    runtime.circuit.note_delivery(request.caller.id)
    return Reply()


@routes.post("/runtime/events/{event_id}/failures", plugin_only=True, body=_FAILURE, returns="Verdict", aws_calls=40)
def report_failure(request: Request, event_id: str) -> Reply:
    """404 EVENT_NOT_FOUND."""
    body, slug = request.body, request.caller.id
    verdict = runtime.deliveries.report_failure(
        slug,
        _number(event_id),
        body["aggregate"],
        body["sequence"],
        # A first delivery is not announced, so it is counted here.
        begun=body["attempt"] > 1,
        error=body["error"],
        receipt_handles=body.get("receipt_handles", []),
        has_delivered=body.get("has_delivered", False),
    )
    return _verdict(slug, verdict)


@routes.get(
    "/admin/plugins/{slug}/events/dead-letters",
    permission="plugins.events",
    query={
        "history": {"type": "boolean", "default": False, "description": "Each time that an event died, also of those replayed since"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        "cursor": {"type": "string", "maxLength": 500},
    },
    returns="[DeadLetter]",
    meta="CursorMeta",
    aws_calls=3,
)
def dead_letters(request: Request, slug: str) -> Reply:
    """Events that the plugin could not take, newest first. ``meta.next_cursor`` leads on. 404 PLUGIN_NOT_FOUND."""
    plugins.get(slug)
    query = request.query
    ask = runtime.dead_letters.history if query["history"] else runtime.dead_letters.of
    letters, cursor = ask(slug, limit=query["limit"], cursor=query["cursor"])
    return Reply([vars(letter) for letter in letters], meta={"next_cursor": cursor})


@routes.post(
    "/admin/plugins/{slug}/events/replay",
    permission="plugins.events",
    body=_REPLAY,
    returns={200: "Replayed", 202: "Replayed"},
    aws_calls=320,
)
def replay(request: Request, slug: str) -> Reply:
    """Dead letters, or a stretch of history, are delivered again: 200 when all of it was sent, 202 when the rest follows in the background.

    Of more than fifty dead letters ``has_more`` says so; ask again. 404 PLUGIN_NOT_FOUND, DEAD_LETTER_NOT_FOUND; 409 PLUGIN_NOT_ACTIVE;
    422 VALIDATION_ERROR.
    """
    plugins.get(slug)
    since = moment(request.body, "from")
    if since is None:
        count, has_more = runtime.replaying.replay_letters(slug, request.body.get("event_id"))
        return Reply({"replayed": count, "has_more": has_more}, message=_again(count))
    stretch = runtime.replaying.replay_stretch(slug, since, moment(request.body, "to"))
    answer = {"replayed": stretch.sent, "has_more": False, "replay": _stretch(stretch)}
    if stretch.is_done:
        return Reply(answer, message=_again(stretch.sent))
    return Reply(answer, status=202, message=f"{_again(stretch.sent)}; the rest follows")


@routes.get("/admin/plugins/{slug}/events/replay", permission="plugins.events", returns="[Replay]", aws_calls=3)
def replays(request: Request, slug: str) -> Reply:
    """The stretches of history that are still being delivered again. 404 PLUGIN_NOT_FOUND."""
    plugins.get(slug)
    return Reply([_stretch(one) for one in runtime.replaying.under_way(slug)])


def _again(count: int) -> str:
    return f"{count} event{'s' if count != 1 else ''} will be delivered again"


def _stretch(one: Replay) -> dict[str, Any]:
    return {"id": one.id, "from": one.since, "to": one.until, "sent": one.sent, "status": "done" if one.is_done else "running"}


@routes.get(
    "/admin/plugins/{slug}/logs",
    permission="plugins.events",
    query={
        "level": {"enum": list(runtime.logs.LEVELS)},
        "from": {"type": "string", "maxLength": 40},
        "to": {"type": "string", "maxLength": 40},
        "hook": {"type": "string", "maxLength": 200},
        "event_id": {"type": "integer", "minimum": 1, "maximum": 2**53},
        "search": {"type": "string", "maxLength": 200},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 200},
        "cursor": {"type": "string", "maxLength": 5000},
    },
    returns="[LogLine]",
    meta="CursorMeta",
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
        since=moment(query, "from"),
        until=moment(query, "to"),
        hook=query["hook"],
        event_id=query["event_id"],
        search=query["search"],
    )
    hidden = runtime.logs.Redaction(plugins.secret_values(plugin))
    lines, cursor = runtime.logs.read(slug, wanted, hidden=hidden, cursor=query["cursor"], limit=query["limit"])
    return Reply(lines, meta={"next_cursor": cursor})


def _verdict(slug: str, verdict: str) -> Reply:
    if verdict == runtime.deliveries.DEAD_LETTER:
        plugins.set_aside_failing(slug)
    return Reply({"verdict": verdict})


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,16}", text):
        raise ValidationError({"event_id": ["Must be an event's id: a whole number below 2^53"]})
    return int(text)
