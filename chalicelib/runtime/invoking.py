"""Calling a plugin's function directly, as ``docs/runtime-protocol.md`` says."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.core import aws, clock
from chalicelib.runtime import failures, names
from chalicelib.runtime.errors import PluginCrashed

_LONGEST_MESSAGE = 1000
# Whoever waits for a request's answer gets it within API Gateway's 29 s or not at all; the rest is for the platform's own work.
_LONGEST_ANSWER_S = 26


def call_for_a_request(slug: str, payload: dict[str, Any]) -> dict[str, Any]:
    """As :func:`call`, for somebody who waits: the plugin is told until when."""
    return call(slug, {**payload, "deadline_ms": int((clock.timestamp() + _LONGEST_ANSWER_S) * 1000)})


def call(slug: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The function's answer, ``{"ok": …}``. Raises PluginCrashed for a function that dies, times out or breaks the protocol."""
    from botocore.exceptions import ReadTimeoutError

    try:
        answer = aws.client("lambda").invoke(FunctionName=names.function(slug), Payload=json.dumps(payload).encode())
        text = answer["Payload"].read()
    except ReadTimeoutError as error:
        message = f"The function of '{slug}' did not answer '{payload['kind']}' in time"
        raise PluginCrashed(message, slug=slug, call=payload["kind"]) from error
    if answer.get("FunctionError"):
        raise PluginCrashed(f"The function of '{slug}' crashed during '{payload['kind']}': {_cause(text)}", slug=slug, call=payload["kind"])
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        raise PluginCrashed(f"The function of '{slug}' gave no proper answer to '{payload['kind']}'", slug=slug, call=payload["kind"])
    return body if body["ok"] else {**body, "error": failures.trimmed(body.get("error"))}


def _cause(text: bytes) -> str:
    try:
        return str(json.loads(text).get("errorMessage", ""))[:_LONGEST_MESSAGE]
    except (ValueError, AttributeError):
        return text[:_LONGEST_MESSAGE].decode(errors="replace")
