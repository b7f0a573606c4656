"""Whether an answer is one that ``openapi.json`` promises: its status, its error code, its media type, and each key of its body.

A client must expect keys that it does not know; our own answers may have none that are not declared, so that nothing drifts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from chalicelib.api.http import Api, Route
from chalicelib.api.routing import path_of

_WHATEVER = "default"


def faults_of(api: Api, event: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    """What is not as described, in sentences; nothing for a request that no route takes, or a route that is a test's own."""
    found = api._matcher.match(path_of(dict(event)))
    route = api.declared[found[0]].get(str(event.get("httpMethod")).upper()) if found else None
    if route is None or not route.view.__module__.startswith("chalicelib.api."):
        return []
    where = f"{route.method} {route.pattern} answered {answer['statusCode']}"
    responses = _operation(route)["responses"]
    if str(answer["statusCode"]) not in responses:
        if _WHATEVER in responses:
            return []
        return [f"{where}, which is not described (returns=…, or a code in the docstring): {str(answer['body'])[:300]}"]
    if _WHATEVER in responses and not str(answer["body"]).startswith('{"success": false'):
        return []
    kinds = _resolved(responses[str(answer["statusCode"])]).get("content") or {}
    given = {name.lower(): value for name, value in {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}.items()}
    kind = str(given.get("content-type", "")).partition(";")[0]
    if not kinds:
        return [f"{where} with a body"] if answer["body"] else []
    if kind not in kinds:
        return [f"{where} with {kind} instead of {' or '.join(kinds)}"]
    if kind != "application/json":
        return []
    text = base64.b64decode(answer["body"]).decode() if answer.get("isBase64Encoded") else answer["body"]
    errors = _validator(route.method, route.pattern, str(answer["statusCode"])).iter_errors(json.loads(text))
    return [f"{where}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in errors]


@cache
def document() -> dict[str, Any]:
    from chalicelib.api.application import every_route
    from chalicelib.api.description import document

    return json.loads(json.dumps(document(every_route())))  # type: ignore[no-any-return]


def closed(schema: Any) -> Any:
    """The schema, with no room for keys that are not declared."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    has_room = "additionalProperties" in schema or schema.get("type") not in ("object", ["object", "null"])
    return inner if has_room or not isinstance(schema.get("properties"), dict) else {**inner, "additionalProperties": False}


@cache
def _validator(method: str, pattern: str, status: str) -> Any:
    from jsonschema import Draft202012Validator

    response = _resolved(document()["paths"][_path(pattern)][method.lower()]["responses"][status])
    schema = {**closed(response["content"]["application/json"]["schema"]), "components": _closed_components()}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@cache
def _closed_components() -> dict[str, Any]:
    return {"schemas": {name: closed(schema) for name, schema in document()["components"]["schemas"].items()}}


def _operation(route: Route) -> dict[str, Any]:
    return document()["paths"][_path(route.pattern)][route.method.lower()]  # type: ignore[no-any-return]


def _resolved(response: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in response:
        return response
    return document()["components"]["responses"][response["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]


def _path(pattern: str) -> str:
    return pattern.removeprefix("/api/v1").replace("+}", "}")
