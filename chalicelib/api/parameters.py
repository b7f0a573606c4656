"""Parameters that several resources read alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalicelib.core import clock
from chalicelib.core.errors import ValidationError


def moment(query: dict[str, Any], name: str) -> datetime | None:
    """A time with an offset, or a day: then its first moment for ``from`` and its last for ``to``."""
    text = query.get(name)
    if text is None:
        return None
    try:
        if len(text) == len("2024-12-15"):
            last = name == "to"
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
            return day.replace(hour=23, minute=59, second=59, microsecond=999_999) if last else day
        # In a query, + is a blank.
        return clock.parse_rfc3339(text.replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise ValidationError({name: ["Must be a time such as 2024-12-15T10:30:00Z, or a day such as 2024-12-15"]}) from error
