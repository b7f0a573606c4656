"""The calling plugin's own storage. Source: Plugin API, Storage API."""

from __future__ import annotations

from chalicelib import runtime
from chalicelib.api.http import Reply, Request, Routes

routes = Routes()

_VALUE = {"type": "object", "properties": {"value": {}}, "required": ["value"], "additionalProperties": False}


@routes.get("/storage", scope="storage", plugin_only=True, query={"prefix": {"type": "string"}, "cursor": {"type": "string"}}, aws_calls=2)
def list_keys(request: Request) -> Reply:
    """Up to a thousand keys; ``meta.next_cursor`` leads on."""
    keys, cursor = runtime.storage.keys(request.caller.id, request.query["prefix"] or "", request.query["cursor"])
    return Reply(keys, meta={"next_cursor": cursor})


@routes.delete("/storage", scope="storage", plugin_only=True, aws_calls=100)
def clear(request: Request) -> Reply:
    """Removes everything that the plugin stored."""
    return Reply({"removed": runtime.storage.clear(request.caller.id)})


@routes.get("/storage/{key+}", scope="storage", plugin_only=True, aws_calls=2)
def get_value(request: Request, key: str) -> Reply:
    """A missing key is null, not an error."""
    return Reply(runtime.storage.get(request.caller.id, key))


@routes.put("/storage/{key+}", scope="storage", plugin_only=True, body=_VALUE, aws_calls=2)
def put_value(request: Request, key: str) -> Reply:
    """413 VALUE_TOO_LARGE."""
    runtime.storage.put(request.caller.id, key, request.body["value"])
    return Reply(None)


@routes.delete("/storage/{key+}", scope="storage", plugin_only=True, aws_calls=2)
def delete_value(request: Request, key: str) -> Reply:
    """Nothing there is fine."""
    runtime.storage.delete(request.caller.id, key)
    return Reply(None)
