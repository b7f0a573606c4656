"""Calling a plugin's function directly, as ``docs/runtime-protocol.md`` says."""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.exceptions import HTTPClientError, ReadTimeoutError

from chalicelib.accounts import Caller
from chalicelib.core import aws, clock
from chalicelib.runtime import active, failures, names
from chalicelib.runtime.errors import PluginCrashed

_LONGEST_MESSAGE = 1000
# Whoever waits for a request's answer gets it within API Gateway's 29 s or not at all; the rest is for the platform's own work.
_LONGEST_ANSWER_S = 26
_FRAME = re.compile(r"/var/task/(?P<file>[^\s:\"]+)(?:\", line |:)(?P<line>[0-9]+)")

# What Lambda says of an end that the plugin could not tell of itself, and what it means to an author. The first that is found counts.
# Source: AWS Lambda Developer Guide, "Troubleshoot execution issues" and "Lambda runtime API: error types".
_MEANINGS = (
    ("Sandbox.Timedout", "it ran out of time: does it loop, or wait, without end?"),
    ("Task timed out", "it ran out of time: does it loop, or wait, without end?"),
    ("Runtime.OutOfMemory", "it ran out of memory; an administrator can give it more (limits, memory_mb)"),
    ("signal: killed", "it ran out of memory; an administrator can give it more (limits, memory_mb)"),
    ("heap out of memory", "it ran out of memory; an administrator can give it more (limits, memory_mb)"),
    ("ResponseSizeTooLarge", "its answer is too large: an answer holds 6 MB"),
    ("Runtime.ExitError", "its process ended: does it call process.exit, os._exit or abort?"),
    ("exited", "its process ended: does it call process.exit, os._exit or abort?"),
)


def call_for_a_request(slug: str, payload: dict[str, Any], *, by: Caller | None) -> dict[str, Any]:
    """As :func:`call`, for somebody who waits: the plugin is told until when, and how many plugins' hooks led to the call."""
    hops = (by.hops or 1) if by is not None and by.is_plugin else 0
    told = {"deadline_ms": int((clock.timestamp() + _LONGEST_ANSWER_S) * 1000), **({"hops": hops} if hops else {})}
    return call(slug, {**payload, **told})


def call(slug: str, payload: dict[str, Any], *, patience_s: int | None = None) -> dict[str, Any]:
    """The function's answer, ``{"ok": …}``. Raises PluginCrashed for a function that dies, times out or breaks the protocol.

    ``patience_s``: what runs longer goes on, and nobody waits for it; None for as long as a request has.
    """
    try:
        answer = aws.client("lambda", patience_s).invoke(FunctionName=names.function(slug), Payload=json.dumps(payload).encode())
        text = answer["Payload"].read()
    except (HTTPClientError, ReadTimeoutError) as error:
        raise _crash_of(slug, payload, "it gave no answer in the time that a request has") from error
    if answer.get("FunctionError"):
        raise _crash_of(slug, payload, _cause(text), _place(text))
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        raise _crash_of(slug, payload, "it gave no proper answer")
    return body if body["ok"] else {**body, "error": failures.trimmed(body.get("error"))}


def _crash_of(slug: str, payload: dict[str, Any], cause: str, location: str | None = None) -> PluginCrashed:
    plugin = active.with_queue(slug) if location is None else None
    return _crashed(slug, payload, cause, location, plugin.place_of(_hook(payload)) if plugin else None)


def _crashed(slug: str, payload: dict[str, Any], cause: str, location: str | None = None, begins: str | None = None) -> PluginCrashed:
    """Names the plugin, what it was doing, and the line: where it died, if Lambda knows that, else where the author's function begins."""
    hook = _hook(payload)
    where = f" at {location}" if location else f" (begins at {begins})" if begins else ""
    known = {"location": location or begins} if location or begins else {}
    return PluginCrashed(f"The plugin '{slug}' crashed in {hook}{where}: {cause}", slug=slug, call=payload["kind"], hook=hook, **known)


def _hook(payload: dict[str, Any]) -> str:
    """What ran, in the words of the SDKs' own failures."""
    match payload:
        case {"kind": "load"}:
            return "onLoad"
        case {"kind": "unload"}:
            return "onUnload"
        case {"kind": "endpoint", "endpoint": {"method": method, "path": path}}:
            return f"endpoint {method} {path}"
        case {"kind": "action", "action": {"label": label}}:
            return f"action {label}"
        case {"kind": kind, "name": name}:
            return f"{kind} {name}"
    return str(payload["kind"])


def _cause(text: bytes) -> str:
    told = text[:_LONGEST_MESSAGE].decode(errors="replace")
    try:
        body = json.loads(text)
        told = f"{body.get('errorType') or ''}: {body.get('errorMessage') or ''}".strip(": ")[:_LONGEST_MESSAGE]
    except (ValueError, AttributeError):
        pass
    meaning = next((meaning for sign, meaning in _MEANINGS if sign in told), None)
    return f"{meaning} ({told})" if meaning else told


def _place(text: bytes) -> str | None:
    """``file:line`` of the first frame in the author's code, from the trace of Node.js or Python; None where there is none."""
    try:
        body = json.loads(text)
        frames = [str(frame) for frame in body.get("trace") or body.get("stackTrace") or []]
    except (ValueError, AttributeError, TypeError):
        return None
    for frame in frames if "trace" in body else reversed(frames):
        found = _FRAME.search(frame)
        if found and "node_modules" not in found["file"]:
            return f"{found['file']}:{found['line']}"
    return None
