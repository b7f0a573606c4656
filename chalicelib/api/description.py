"""The API described as OpenAPI 3.1, from the very declarations that routes are served by.

What a request may be comes from the schemas that check it, what is answered from :mod:`chalicelib.api.schemas`, and the error codes from
what a view's docstring names. Pure but for the imports: of all routes and all errors, which only whoever asks for the document pays for.
Source: OpenAPI Specification 3.1.1.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import chalicelib
from chalicelib.api.http import Route
from chalicelib.api.routing import BASE_PATH
from chalicelib.api.schemas import OF_ANY_STATUS, PAGED, RAW, SCHEMAS, Schema, ref
from chalicelib.core import config
from chalicelib.core.errors import StreamSpaceError
from chalicelib.core.rate_limiter import DEFAULT_PER_MINUTE

_CODE = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b|\bUNAUTHENTICATED\b")
# After a status there is nothing else that is written so.
_AFTER_STATUS = re.compile(r"\b[45]\d\d ([A-Z]{3,}(?:_[A-Z]+)*)")
_PARAMETER = re.compile(r"{(\w+)\+?}")
_JSON = "application/json"


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document, as plain values."""
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, str] = {}
    failures: dict[str, Any] = {}
    for route in routes:
        # A file's address would be a plugin's endpoint here: two paths of one shape, which a document can't have.
        if not route.pattern.startswith(BASE_PATH):
            continue
        failures |= {_name_of(codes): _failure(status, codes) for status, codes in errors_of(route).items()}
        path = _PARAMETER.sub(r"{\1}", route.pattern.removeprefix(BASE_PATH))
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
        tags.setdefault(_tag(route), _told(sys.modules[route.view.__module__].__doc__).partition("\n")[0])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "StreamSpace",
            "version": config.PLATFORM_VERSION,
            "description": "Sessions, plugins and their marketplace. JSON answers are envelopes: success, data, message, meta; or error.",
        },
        "servers": [{"url": BASE_PATH}],
        "tags": [{"name": name, "description": text} for name, text in sorted(tags.items())],
        "paths": dict(sorted(paths.items())),
        "webhooks": {"event": {"post": _WEBHOOK}},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Of a person or of a plugin"}},
            "headers": _HEADERS,
            "responses": failures,
            "schemas": SCHEMAS,
        },
    }


def errors_of(route: Route) -> dict[int, list[str]]:
    """The codes that the route may answer with, by status: those that its docstring names, and those of every request of its kind."""
    known = statuses()
    named = set(_CODE.findall(_told(route.view.__doc__))) & set(known)
    named |= {"INTERNAL_ERROR", "SERVICE_UNAVAILABLE"}
    if not route.public:
        named |= {"UNAUTHENTICATED", "PERMISSION_DENIED", "RATE_LIMITED"}
        if route.scope or route.plugin_only:
            named |= {"DAILY_QUOTA_EXCEEDED", "SAFE_MODE"}
        if route.method != "GET":
            named.add("CONCURRENT_CHANGE")
    if route.body is not None or route.query:
        named.add("VALIDATION_ERROR")
    if route.body is not None:
        named.add("PAYLOAD_TOO_LARGE")
    if _PARAMETER.search(route.pattern):
        # A name that is longer than any name can be.
        named.add("NOT_FOUND")
    found: dict[int, list[str]] = {}
    for code in sorted(named):
        found.setdefault(known[code], []).append(code)
    return dict(sorted(found.items()))


def misspelt_codes(route: Route) -> set[str]:
    """What the docstring gives as a code, and no error has."""
    return set(_AFTER_STATUS.findall(_told(route.view.__doc__))) - set(statuses())


@cache
def statuses() -> dict[str, int]:
    """Every error code that there is, with its HTTP status."""
    return {one.code: one.status for one in error_classes()}


def error_classes() -> list[type[StreamSpaceError]]:
    """Every error that the platform can answer with: the whole tree below StreamSpaceError, with itself."""
    for package in iter_modules(chalicelib.__path__, "chalicelib."):
        for module in iter_modules([f"{chalicelib.__path__[0]}/{package.name.partition('.')[2]}"], f"{package.name}."):
            if module.name.endswith(".errors"):
                import_module(module.name)
    found, waiting = [], [StreamSpaceError]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += one.__subclasses__()
    return [one for one in found if one.__module__.startswith("chalicelib.")]


def schema_of(name: str) -> Schema:
    """``Plugin``, ``[Plugin]`` or ``Item?``, as a route names it."""
    if name.startswith("["):
        return {"type": "array", "items": ref(name[1:-1])}
    return {"anyOf": [ref(name[:-1]), ref("Nothing")]} if name.endswith("?") else ref(name)


# ── One operation ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _operation(route: Route, path: str) -> dict[str, Any]:
    words = re.sub(r"\W+", "_", path).strip("_")
    return {
        "operationId": f"{route.method.lower()}_{words}",
        "summary": route.view.__name__.replace("_", " ").strip().capitalize(),
        "description": _description(route),
        "tags": [_tag(route)],
        "security": _security(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        **({"requestBody": _request_body(route)} if route.body is not None else {}),
        "responses": {**_successes(route), **_failures(route)},
    }


def _description(route: Route) -> str:
    needs = []
    if route.permission:
        needs.append(f"the permission `{route.permission}`")
    if route.scope:
        needs.append(f"the scope `{route.scope}`, of a plugin or a token with scopes")
    if route.plugin_only:
        needs.append("a plugin's own token")
    needed = f"\n\nNeeds {', and '.join(needs)}." if needs else ""
    limit = f"\n\nCounts as `{route.rate}`: by default a caller has {DEFAULT_PER_MINUTE[route.rate]} of them a minute."
    return _told(route.view.__doc__).replace("``", "`") + needed + limit


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.public:
        return [{}, {"token": []}]
    return [{"token": [word for word in (route.permission, route.scope) if word]}]


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(route.pattern)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            **({"description": schema["description"]} if "description" in schema else {}),
            "schema": {word: value for word, value in schema.items() if word != "description"},
        }
        for name, schema in route.query.items()
    ]


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    found = []
    if "StartedJob" in route.returns.values():
        found.append(("Prefer", "respond-async: do not wait for the job"))
    if "EventStream" in route.returns.values():
        found.append(("Last-Event-ID", "Go on behind this event"))
    return [{"name": name, "in": "header", "description": text, "schema": {"type": "string"}} for name, text in found]


def _request_body(route: Route) -> dict[str, Any]:
    assert route.body is not None
    return {"required": bool(route.body.get("required")), "content": {kind: {"schema": route.body} for kind in route.takes}}


def _successes(route: Route) -> dict[str, Any]:
    if (name := route.returns.get(200, "")) in OF_ANY_STATUS:
        kind, schema = RAW[name]
        return {"default": {"description": OF_ANY_STATUS[name], "content": {kind: {"schema": schema}}}}
    return {str(status): _success(route, status, name) for status, name in (route.returns or {200: "Anything"}).items()}


def _success(route: Route, status: int, name: str) -> dict[str, Any]:
    headers = {"X-Request-Id": _header("X-Request-Id")}
    if not route.public:
        headers |= {each: _header(each) for each in _HEADERS if each.startswith("X-RateLimit")}
    if status == HTTPStatus.SEE_OTHER:
        headers["Location"] = {"description": "Where it is", "required": True, "schema": {"type": "string"}}
    if name in RAW:
        kind, schema = RAW[name]
        return {"description": HTTPStatus(status).phrase, "headers": headers, "content": {kind: {"schema": schema}} if kind else {}}
    envelope = {
        "type": "object",
        "properties": {
            "success": {"const": True},
            "data": schema_of(name),
            "message": {"type": "string"},
            "meta": ref(route.meta),
            **({"links": ref("PageLinks")} if route.meta in PAGED else {}),
            **({"links": ref("ValueLinks")} if status == HTTPStatus.SEE_OTHER else {}),
        },
        "required": ["success", "data"],
    }
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": {_JSON: {"schema": envelope}}}


def _failures(route: Route) -> dict[str, Any]:
    """By name: many routes share them, and written out they would be most of the document."""
    return {str(status): {"$ref": f"#/components/responses/{_name_of(codes)}"} for status, codes in errors_of(route).items()}


def _name_of(codes: list[str]) -> str:
    return ".".join(codes)


def _failure(status: int, codes: list[str]) -> dict[str, Any]:
    more = {"Retry-After": _header("Retry-After")} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
    schema = {"allOf": [ref("Error"), {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}]}
    return {
        "description": ", ".join(codes),
        "headers": {"X-Request-Id": _header("X-Request-Id"), **more},
        "content": {_JSON: {"schema": schema}},
    }


def _header(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/headers/{name}"}


def _tag(route: Route) -> str:
    return route.view.__module__.rpartition(".")[2]


def _told(docstring: str | None) -> str:
    return inspect.cleandoc(docstring or "")


_HEADERS: Mapping[str, Any] = {
    "X-Request-Id": {"description": "To quote when something went wrong", "required": True, "schema": {"type": "string"}},
    "X-RateLimit-Limit": {"description": "Requests a minute", "schema": {"type": "integer"}},
    "X-RateLimit-Remaining": {"description": "How many more of them until the reset", "schema": {"type": "integer"}},
    "X-RateLimit-Reset": {"description": "When the next minute begins, in seconds since the epoch", "schema": {"type": "integer"}},
    "Retry-After": {"description": "In seconds", "required": True, "schema": {"type": "integer"}},
}
_WEBHOOK: Mapping[str, Any] = {
    "operationId": "webhook_event",
    "summary": "What a webhook receives",
    "description": "Signed as docs/webhooks.md says. Any 2xx within 15 s counts as taken.",
    "requestBody": {"required": True, "content": {_JSON: {"schema": ref("WebhookPayload")}}},
    "responses": {"2XX": {"description": "Taken"}},
}
