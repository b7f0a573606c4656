"""``/uploads``: where a plugin puts what is too large for a request, such as an email's attachments."""

from __future__ import annotations

from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import clock, uploads

routes = Routes()

_NEW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["size_bytes"],
    "properties": {"size_bytes": {"type": "integer", "minimum": 1, "maximum": uploads.LARGEST_BYTES}},
}


@routes.post("/uploads", plugin_only=True, body=_NEW, returns={201: "Upload"}, aws_calls=1)
def begin(request: Request) -> Reply:
    """``{upload_id, url, method, headers, expires_at}``: send exactly so many bytes there, then name the id where it is wanted."""
    upload = uploads.begin(request.caller.id, request.body["size_bytes"])
    body = {"upload_id": upload.id, "url": upload.url, "method": upload.method, "headers": upload.headers}
    return Reply({**body, "expires_at": clock.rfc3339(upload.expires_at)}, status=201)
