"""A failure as the platform is told of it (docs/runtime-protocol.md)."""

from __future__ import annotations

import json
import os

from .errors import is_platforms_fault
from .loggable import loggable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from traceback import StackSummary
    from typing import Any

_LONGEST_NAME = 200
_LONGEST_MESSAGE = 4000
_LONGEST_STACK = 16_000
_LARGEST_DETAILS = 16_000

_HERE = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - pathlib costs a cold start several milliseconds


def describe_failure(error: BaseException, folder: str, hook: str | None = None) -> dict[str, Any]:
    """``{name, message, code?, details?, hook?, location?, stack?, fault?}``, without secrets. ``folder`` is the plugin's."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    code = getattr(error, "code", None)
    facts = {
        "name": type(error).__name__,
        "message": _cut(_text(error) or type(error).__name__, _LONGEST_MESSAGE),
        "code": None if code is None else _cut(_text(code), _LONGEST_NAME),
        "details": _small_or_none(getattr(error, "details", None)),
        "hook": hook,
        "location": _location(error, frames, folder),
        "stack": _cut(_stack(error, frames, folder), _LONGEST_STACK),
        "fault": "platform" if is_platforms_fault(error) else None,
    }
    described: dict[str, Any] = loggable({name: value for name, value in facts.items() if value is not None})
    return described


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a __str__ of the author's that raises
        return f"{type(value).__name__} whose text cannot be had"


def _cut(text: str, longest: int) -> str:
    """A report must not be refused for its size."""
    return f"{text[:longest]}… ({len(text)} characters)" if len(text) > longest else text


def _small_or_none(value: Any) -> Any:
    try:
        return value if len(json.dumps(value)) <= _LARGEST_DETAILS else None
    except (TypeError, ValueError, RecursionError):
        return None  # the message has to do


def _location(error: BaseException, frames: StackSummary, folder: str) -> str | None:
    """``file:line`` of the innermost frame that is the author's: inside the folder, outside its ``vendor``."""
    places = [(frame.filename, frame.lineno) for frame in frames]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    root = folder + os.sep
    for filename, line in reversed(places):
        inside = filename.removeprefix(root)
        if filename.startswith(root) and not inside.startswith(("vendor" + os.sep, "streamspace_shim.py")):
            return f"{inside}:{line}"
    return None


def _stack(error: BaseException, frames: StackSummary, folder: str) -> str:
    """The traceback from the author's first frame on, without our own: about those the author can do nothing."""
    import traceback
    from itertools import dropwhile

    from_author = list(dropwhile(lambda frame: not frame.filename.startswith(folder + os.sep), frames)) or frames
    authors = [frame for frame in from_author if not frame.filename.startswith(_HERE)]
    try:
        last = traceback.format_exception_only(error)
    except Exception:  # noqa: BLE001 - a __str__ of the author's that raises
        last = [type(error).__name__]
    lines = [*traceback.format_list(authors), *last]
    return "".join(["Traceback (most recent call last):\n", *lines]).rstrip()
