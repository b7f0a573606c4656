"""``/plugins/{slug}/…``: the files that installed plugins publish, for browsers."""

from __future__ import annotations

from chalicelib import plugins
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core.errors import NotFound

routes = Routes(base="/plugins")

_HEADERS = {
    # A page or drawing by a stranger, opened by itself, runs no code and sends nothing in the name of who opened it.
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    # Modules and fonts, for a console at another address: what everybody may read needs no other protection.
    "Access-Control-Allow-Origin": "*",
    # An address does not tell the version: an update is seen after so long.
    "Cache-Control": "public, max-age=300",
}


@routes.get("/{slug}/{path+}", public=True, returns={200: "PublishedFile", 304: "Unchanged", 307: "Unchanged"}, aws_calls=1)
def serve(request: Request, slug: str, path: str) -> Reply:
    """A file that the plugin publishes, with an ETag. 404 NOT_FOUND. 307 for two minutes to one too large for an answer."""
    found = plugins.assets.read(slug, path, is_known=request.knows)
    if found is None:
        raise NotFound("No plugin has published such a file", path=request.path)
    if found.link is not None:
        return Reply(status=307, text="", headers={"Location": found.link, "Access-Control-Allow-Origin": "*"})
    headers = {**_HEADERS, "ETag": found.etag, "Content-Type": found.content_type}
    if found.content is None:
        return Reply(status=304, text="", headers=headers)
    return Reply(content=found.content, headers=headers)
