"""What ``visits.py`` of the routes answers."""

from __future__ import annotations

from chalicelib.api.schemas.shapes import MOMENT, TEXT, Schema, record

SCHEMAS: dict[str, Schema] = {"Ticket": record({"url": TEXT, "expiresAt": MOMENT})}
