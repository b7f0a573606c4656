"""``/openapi.json``: the API's own description."""

from __future__ import annotations

import hashlib
import json
from functools import cache

from chalicelib.api.http import Reply, Request, Routes

routes = Routes()


@routes.get("/openapi.json", public=True, returns={200: "OpenApiDocument", 304: "Unchanged"}, aws_calls=0)
def openapi(request: Request) -> Reply:
    """This document: OpenAPI 3.1, without an envelope. With an ETag: a client that has it already is answered 304."""
    text, etag = _document()
    headers = {"Content-Type": "application/json", "ETag": etag, "Cache-Control": "public, max-age=300"}
    if request.knows(etag):
        return Reply(status=304, text="", headers=headers)
    return Reply(text=text, headers=headers)


@cache
def _document() -> tuple[str, str]:
    """Made once in a container, for the first who asks: it needs every route, which no other request does."""
    from chalicelib.api.application import every_route
    from chalicelib.api.description import document

    text = json.dumps(document(every_route()), separators=(",", ":"))
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
