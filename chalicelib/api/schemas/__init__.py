"""What the routes answer with, as JSON Schemas: one module beside each of ``views``, which says what that one makes.

A route names its schema (``returns="Plugin"``), and nothing here is imported until somebody asks for ``openapi.json``
(``chalicelib/api/description.py``). The tests hold every answer that they see to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.api.schemas import licenses, marketplace, people, plugins, policies, running, visits, webhooks
from chalicelib.api.schemas.shapes import ANYTHING, COUNT, MOMENT, NOTHING, OBJECT, TEXT, Schema, nullable, record, ref

_META: dict[str, Schema] = {"timestamp": MOMENT}
_PAGE: dict[str, Schema] = {"current_page": COUNT, "per_page": COUNT, "total": COUNT, "total_pages": COUNT}
_POSITIONS: dict[str, Schema] = {"from": nullable(COUNT), "to": nullable(COUNT)}
# The meta of lists that go on by cursor, of pages, and of those with something of their own. The document's examples leave out the time
# stamp here and there, and the positions, so none of them is needed.
_METAS: dict[str, dict[str, Schema]] = {
    "CursorMeta": {"next_cursor": nullable(TEXT) | {"description": "Where the next page begins; null at the end"}},
    "LogMeta": {**_PAGE, **_POSITIONS, "next_cursor": nullable(TEXT)},
    "PluginPageMeta": {**_PAGE, **_POSITIONS, **plugins.METAS["PluginPageMeta"]},
    "MarketplaceMeta": {**_PAGE, **_POSITIONS, **marketplace.METAS["MarketplaceMeta"]},
    **{name: dict(more) for name, more in running.METAS.items()},
}

ENVELOPE: dict[str, Schema] = {
    "Meta": record({}, _META),
    **{name: record({}, {**_META, **more}) for name, more in _METAS.items()},
    "PageLinks": record({"first": TEXT, "last": TEXT, "prev": nullable(TEXT), "next": nullable(TEXT)}),
    "Error": record(
        {
            "success": {"const": False},
            "error": record(
                {"code": TEXT, "message": TEXT},
                {"details": OBJECT | {"description": "What helps to mend it; of a validation error: field -> sentences"}},
            ),
        },
        {"meta": record({}, {**_META, "request_id": TEXT})},
    ),
    "ValueLinks": record({"value": TEXT}),
    "Anything": ANYTHING,
    "Nothing": NOTHING,
}

PAGED = frozenset(("LogMeta", "PluginPageMeta", "MarketplaceMeta"))

# Answers that are no envelope.
RAW: Mapping[str, tuple[str, Schema]] = {
    "Finished": ("", ANYTHING),
    "EventStream": ("text/event-stream", TEXT | {"description": "Server-Sent Events; the data of a progress event is a ProgressEvent"}),
    "OpenApiDocument": ("application/json", OBJECT),
    "Unchanged": ("", ANYTHING),
    "Passed": ("", ANYTHING),
    "PublishedFile": ("*/*", ANYTHING),
    "Whatever": ("*/*", ANYTHING),
    "Pages": ("text/html", TEXT),
}

# Of those, what may come with any status.
OF_ANY_STATUS: Mapping[str, str] = {"Whatever": "Whatever the plugin answers", "Pages": "A page for a person, or a redirect"}

SCHEMAS: dict[str, Schema] = {
    **ENVELOPE,
    **plugins.SCHEMAS,
    **policies.SCHEMAS,
    **licenses.SCHEMAS,
    **marketplace.SCHEMAS,
    **people.SCHEMAS,
    **policies.SCHEMAS,
    **running.SCHEMAS,
    **visits.SCHEMAS,
    **webhooks.SCHEMAS,
}

__all__ = ["OF_ANY_STATUS", "PAGED", "RAW", "SCHEMAS", "Schema", "ref"]
