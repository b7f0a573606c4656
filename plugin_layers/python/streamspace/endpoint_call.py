"""Runs an endpoint's handler on a request as it travels, and gives its answer as that travels (docs/runtime-protocol.md)."""

from __future__ import annotations

import json

from . import environment, log, registry
from .endpoint_request import BadRequest, Request
from .endpoint_response import Response
from .endpoints import key_of, title_of
from .hooks import call_with

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LARGEST_BYTES = 5 * 1024 * 1024  # Lambda answers 6 MB at most, and the answer travels through two of them


def answer_endpoint(payload: dict[str, Any], run: Callable[[str, Callable[..., Any]], Any]) -> dict[str, Any]:
    """``run(hook, work)`` runs author code."""
    title = title_of(payload["endpoint"])
    registered = registry.find("endpoints", key_of(payload["endpoint"]))
    if registered is None:
        slug = environment.plugin()
        raise LookupError(f"the plugin '{slug}' has no endpoint '{title}'; register it with streamspace.api.register_endpoint in on_load")
    req = Request(payload["request"])
    res = Response(req.method)
    answer: dict[str, Any] = run(f"endpoint {title}", lambda: _work(registered["handler"], req, res, title))
    return answer


def _work(handler: Callable[..., Any], req: Request, res: Response, title: str) -> Any:
    try:
        returned = call_with(handler, (req, res))
    except Exception as error:
        if not _is_taken(error, res, title):
            raise
        return _sized(res.travelling(), title)
    if hasattr(returned, "__await__"):
        return _awaited(returned, res, title)
    _take(returned, res, title)
    return _sized(res.travelling(), title)


async def _awaited(returned: Any, res: Response, title: str) -> dict[str, Any]:
    try:
        value = await returned
    except Exception as error:
        if not _is_taken(error, res, title):
            raise
    else:
        _take(value, res, title)
    return _sized(res.travelling(), title)


def _take(returned: Any, res: Response, title: str) -> None:
    """What was returned is the answer, unless ``res`` gave one: JSON, or bytes; as a tuple with status and headers."""
    if res.is_answered:
        return
    if returned is None or returned is res:
        raise RuntimeError(_never_answered(title))
    body = returned
    if isinstance(returned, tuple):
        if not 1 <= len(returned) <= 3:
            forms = "(body, status) or (body, status, headers)"
            raise TypeError(f"the endpoint '{title}' returned a tuple of {len(returned)}; it takes {forms}")
        body = returned[0]
        res.status(returned[1] if len(returned) > 1 else 200).set(returned[2] if len(returned) > 2 else {})
    if body is None:
        res.end()
    elif isinstance(body, (bytes, bytearray, memoryview)):
        res.send(body)
    else:
        res.json(body)


def _is_taken(error: Exception, res: Response, title: str) -> bool:
    """Whether the caller has an answer all the same."""
    if res.is_answered:
        log.error(f"The endpoint {title} failed after it had answered: {error}", error)
    elif isinstance(error, BadRequest):
        res.status(400).json({"success": False, "error": {"code": "BAD_REQUEST", "message": str(error), "details": {}}})
    else:
        return False
    return True


def _never_answered(title: str) -> str:
    slug = environment.plugin()
    return f"the endpoint '{title}' of the plugin '{slug}' answered nothing: return a value, or call res.json, res.send or res.end"


def _sized(answer: dict[str, Any], title: str) -> dict[str, Any]:
    size = len(json.dumps(answer, ensure_ascii=False).encode())
    if size > LARGEST_BYTES:
        whose = f"the answer of the endpoint '{title}' of the plugin '{environment.plugin()}'"
        limit = f"{LARGEST_BYTES} are allowed, of which binary content takes a third more than it has"
        raise ValueError(f"{whose} has {size} bytes as it travels; {limit}")
    return answer
