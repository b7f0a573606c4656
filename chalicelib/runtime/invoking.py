"""Calling a plugin's function directly, as ``docs/runtime-protocol.md`` says."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.core import aws
from chalicelib.runtime import failures, names
from chalicelib.runtime.errors import PluginCrashed

_LONGEST_MESSAGE = 1000


def call(slug: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The function's answer, ``{"ok": …}``. Raises PluginCrashed for a function that dies, times out or breaks the protocol."""
    answer = aws.client("lambda").invoke(FunctionName=names.function(slug), Payload=json.dumps(payload).encode())
    text = answer["Payload"].read()
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
