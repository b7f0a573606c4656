"""``key=value`` on the command line."""

import json
from collections.abc import Iterable
from typing import Any

import click


def pairs(given: Iterable[str], *, what: str = "KEY=VALUE") -> dict[str, str]:
    """Raises: click.BadParameter (exit code 2) for a word without ``=`` or with nothing before it."""
    found = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{word!r} must be {what}")
        found[key] = value
    return found


def json_or_text(text: str) -> Any:
    """What JSON it is, or else the text itself: ``7`` is a number, ``john`` a text, ``"7"`` a text too."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def as_setting(text: str, kind: str | None) -> Any:
    """A setting's text as the type of its field. What does not fit is passed on as it is: the API says why."""
    if kind == "boolean":
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower(), text)
    if kind in ("integer", "number", "json"):
        return json_or_text(text)
    if kind == "multiselect":
        parsed = json_or_text(text)
        return parsed if isinstance(parsed, list) else [part.strip() for part in text.split(",") if part.strip()]
    return text
