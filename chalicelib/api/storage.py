"""The calling plugin's own storage. Source: Plugin API, Storage API.

Lambda takes requests and gives answers of 6 MB, in which the body is a JSON text inside JSON: a value of 5 MB may not fit. Such a value is
sent to an address that ``POST uploads`` gives, and read from the address that a 303 names. The SDKs do so by themselves.
"""

from __future__ import annotations

import json
from typing import Any

from chalicelib import runtime
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core.errors import ValidationError

routes = Routes()

# What Lambda lets through, less the envelope, the headers and what API Gateway says of the request.
_LARGEST_MESSAGE = 6 * 1024 * 1024 - 32 * 1024
_VALUE = {
    "type": "object",
    "properties": {
        "value": {},
        "upload_id": {"type": "string", "maxLength": 100, "description": "Of POST uploads"},
    },
    "oneOf": [{"required": ["value"]}, {"required": ["upload_id"]}],
    "description": "Must have either the value, or the upload_id of one that was uploaded",
    "additionalProperties": False,
}


@routes.get(
    "/storage",
    scope="storage",
    plugin_only=True,
    query={"prefix": {"type": "string"}, "cursor": {"type": "string"}},
    returns="[Key]",
    meta="CursorMeta",
    aws_calls=2,
)
def list_keys(request: Request) -> Reply:
    """Up to 5,000 keys; ``meta.next_cursor`` leads on."""
    keys, cursor = runtime.storage.keys(request.caller.id, request.query["prefix"] or "", request.query["cursor"])
    return Reply(keys, meta={"next_cursor": cursor})


# For each 99 values their removal; for each 5,000, or megabyte, what is there.
@routes.delete("/storage", scope="storage", plugin_only=True, returns="Cleared", aws_calls=1000)
def clear(request: Request) -> Reply:
    """Removes everything that the plugin stored. ``is_complete`` is false where that took more than 8 s: ask again for the rest.

    422 VALIDATION_ERROR for a path that ends in a slash.
    """
    if request.path.endswith("/"):
        # Somebody meant to delete one key, and its name was empty.
        raise ValidationError({"key": ["Must not be empty; DELETE /storage, without a slash at its end, removes everything"]})
    removed, is_complete = runtime.storage.clear(request.caller.id)
    return Reply({"removed": removed, "is_complete": is_complete})


# A large value may be replaced while it is read: then its row and its object are read again.
@routes.get("/storage/{key+}", scope="storage", plugin_only=True, returns={200: "Anything", 303: "Nothing"}, aws_calls=3)
def get_value(request: Request, key: str) -> Reply:
    """A missing key is null, not an error. 303 with the value's address where it does not fit into an answer."""
    stored = runtime.storage.find(request.caller.id, key)
    if stored is None:
        return Reply(None)
    value = stored.value
    if stored.object_id is not None and not _fits(value):
        url = runtime.objects.link_to_read(request.caller.id, stored.object_id)
        return Reply(None, status=303, headers={"Location": url}, links={"value": url})
    return Reply(value)


# Token; sizes, usage and limits; the transaction. A large value: the upload, sizes before, claim, object.
@routes.put("/storage/{key+}", scope="storage", plugin_only=True, body=_VALUE, body_limit=_LARGEST_MESSAGE, returns="Nothing", aws_calls=7)
def put_value(request: Request, key: str) -> Reply:
    """413 VALUE_TOO_LARGE, 403 STORAGE_QUOTA_EXCEEDED."""
    if "upload_id" in request.body:
        runtime.storage.put_uploaded(request.caller.id, key, request.body["upload_id"])
    else:
        runtime.storage.put(request.caller.id, key, request.body["value"])
    return Reply(None)


@routes.delete("/storage/{key+}", scope="storage", plugin_only=True, returns="Nothing", aws_calls=3)
def delete_value(request: Request, key: str) -> Reply:
    """Nothing there is fine."""
    runtime.storage.delete(request.caller.id, key)
    return Reply(None)


def _fits(value: Any) -> bool:
    """Whether an answer with it passes: each quotation mark and backslash of the body counts twice in Lambda's own JSON."""
    text = json.dumps(value)
    return len(text) + text.count('"') + text.count("\\") <= _LARGEST_MESSAGE
