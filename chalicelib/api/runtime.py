"""What only a running plugin calls (``docs/runtime-protocol.md``), and what administrators do about its troubled events."""

from __future__ import annotations

from typing import Any

from chalicelib import plugins, runtime
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import config
from chalicelib.core.errors import ValidationError

routes = Routes()

# Of an event id, which is below 2^53.
_MOST_DIGITS = 16

_PLACE: dict[str, Any] = {
    "aggregate": {"type": "string", "minLength": 1, "maxLength": 400},
    "sequence": {"type": "integer", "minimum": 0, "maximum": 2**53},
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
    """Settings, in clear, and what the platform is."""
    plugin = plugins.get(request.caller.id)
    values, version = plugins.current_settings(plugin.slug)
    platform = {
        "version": config.PLATFORM_VERSION,
        "namespace": config.namespace(),
        "ingressDomain": config.ingress_domain(),
        "hibernationEnabled": True,
    }
    about = {"slug": plugin.slug, "version": plugin.version, "settings": values, "settings_version": version, "platform": platform}
    return Reply(about)


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


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise ValidationError({"event_id": ["Must be a whole number"]})
    return int(text)
