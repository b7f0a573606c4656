"""The calling plugin's own tables, which its migrations made. Keys and conditions come as JSON, since a key may be a number or a text."""

from __future__ import annotations

from typing import Any

from chalicelib import runtime
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import strict_json
from chalicelib.core.errors import ValidationError

routes = Routes()

# An item has up to 390,000 bytes as it is kept; as it is sent it may have escapes.
_LARGEST_BODY = 1024 * 1024
_ITEM = {"type": "object", "properties": {"item": {"type": "object"}}, "required": ["item"], "additionalProperties": False}
_KEY = {"key": {"type": "string"}}
_QUERY = {
    "where": {"type": "string"},
    "index": {"type": "string"},
    "limit": {"type": "integer", "minimum": 1, "maximum": runtime.tables.LONGEST_PAGE, "default": 100},
    "descending": {"type": "boolean", "default": False},
    "cursor": {"type": "string"},
}


@routes.get("/tables", scope="storage", plugin_only=True, returns="[Table]", aws_calls=2)
def tables(request: Request) -> Reply:
    """``[{name, key: {partition, sort?}, indexes: [{name, partition, sort?}]}]``."""
    return Reply([shape.as_json() for shape in runtime.tables.shapes(request.caller.id)])


# Token, table, item; where there is no such table, the names of those that there are.
@routes.get("/tables/{table}/item", scope="storage", plugin_only=True, query=_KEY, returns="Item?", aws_calls=3)
def get_item(request: Request, table: str) -> Reply:
    """A missing item is null, not an error. 404 TABLE_NOT_FOUND, 422 VALIDATION_ERROR."""
    return Reply(runtime.tables.get(request.caller.id, table, _json(request, "key")))


# Token, table, what is there, the transaction.
@routes.delete("/tables/{table}/item", scope="storage", plugin_only=True, query=_KEY, returns="Nothing", aws_calls=4)
def delete_item(request: Request, table: str) -> Reply:
    """Nothing there is fine. 404 TABLE_NOT_FOUND, 422 VALIDATION_ERROR."""
    runtime.tables.delete(request.caller.id, table, _json(request, "key"))
    return Reply(None)


@routes.get("/tables/{table}/items", scope="storage", plugin_only=True, query=_QUERY, returns="[Item]", meta="CursorMeta", aws_calls=3)
def query_items(request: Request, table: str) -> Reply:
    """Items in order of the key; ``meta.next_cursor`` leads on. 404 TABLE_NOT_FOUND, 422 VALIDATION_ERROR."""
    query = request.query
    where = _json(request, "where") if query["where"] else {}
    if not isinstance(where, dict):
        raise ValidationError({"where": ["Must be an object: attribute -> value, or comparison"]})
    items, cursor = runtime.tables.query(
        request.caller.id,
        table,
        where,
        index=query["index"],
        limit=query["limit"],
        descending=query["descending"],
        cursor=query["cursor"],
    )
    return Reply(items, meta={"next_cursor": cursor})


@routes.put(
    "/tables/{table}/items", scope="storage", plugin_only=True, body=_ITEM, body_limit=_LARGEST_BODY, returns="Nothing", aws_calls=4
)
def put_item(request: Request, table: str) -> Reply:
    """In the place of the item with its key, whole. 404 TABLE_NOT_FOUND, 413 VALUE_TOO_LARGE, 403 STORAGE_QUOTA_EXCEEDED."""
    runtime.tables.put(request.caller.id, table, request.body["item"])
    return Reply(None)


@routes.post(
    "/tables/{table}/items", scope="storage", plugin_only=True, body=_ITEM, body_limit=_LARGEST_BODY, returns={201: "Nothing"}, aws_calls=4
)
def create_item(request: Request, table: str) -> Reply:
    """Only where there is no item with its key: else 409 ITEM_ALREADY_EXISTS. Otherwise as PUT."""
    runtime.tables.put(request.caller.id, table, request.body["item"], if_not_exists=True)
    return Reply(None, status=201)


def _json(request: Request, name: str) -> Any:
    try:
        return strict_json.read((request.query[name] or "").encode())
    except ValueError as error:
        raise ValidationError({name: [f'Must be JSON, such as "a" or {{"id": "a"}}: {error}']}) from error
