"""Values as a log line holds them: as JSON, without secrets, within bounds."""

from __future__ import annotations

from .redaction import HIDDEN, redacted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MOST_CHARACTERS = 48 * 1024  # mostly less than a whole line, which would otherwise be left without its data
MOST_ENTRIES = 2000
DEEPEST = 10


def loggable(value: Any) -> Any:
    """``value`` as JSON can hold it. A log line must not fail for what it is told.

    Circular structures, objects whose ``str`` raises, bytes and functions become texts that say what they are.
    """
    return _Describer().describe(value, ())


class _Describer:
    def __init__(self) -> None:
        self._characters = MOST_CHARACTERS
        self._entries = MOST_ENTRIES

    def describe(self, value: Any, above: tuple[int, ...]) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._cut(redacted(str(value)))
        if isinstance(value, (int, float)):
            return self._number(value)
        if id(value) in above:
            return "[Circular]"
        try:
            return self._members_of(value, (*above, id(value)))
        except Exception as error:  # noqa: BLE001 - an author's own __str__, property or iterator
            return self._cut(redacted(f"[Not readable: {type(error).__name__}]"))

    def _number(self, value: Any) -> Any:
        text = str(value)
        if text in ("nan", "inf", "-inf"):  # JSON does not have them
            return text
        return value if redacted(text) == text else HIDDEN

    def _members_of(self, value: Any, above: tuple[int, ...]) -> Any:
        if isinstance(value, BaseException):
            return self._fields(_facts_of(value).items(), above)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"<{len(value)} bytes>"
        is_list = isinstance(value, (list, tuple, set, frozenset))
        if len(above) > DEEPEST:
            return "[list]" if is_list else f"[{type(value).__name__}]"
        if isinstance(value, dict):
            return self._fields(value.items(), above)
        return self._list(list(value), above) if is_list else self._cut(redacted(str(value)))

    def _list(self, values: list[Any], above: tuple[int, ...]) -> list[Any]:
        described: list[Any] = []
        for one in values:
            if self._is_spent():
                return [*described, f"… {len(values) - len(described)} more"]
            described.append(self.describe(one, above))
        return described

    def _fields(self, entries: Iterable[tuple[Any, Any]], above: tuple[int, ...]) -> dict[str, Any]:
        described: dict[str, Any] = {}
        listed = list(entries)
        for number, (key, one) in enumerate(listed):
            if self._is_spent():
                return {**described, "…": f"{len(listed) - number} more"}
            described[self._cut(redacted(str(key)))] = self.describe(one, above)
        return described

    def _is_spent(self) -> bool:
        self._entries -= 1
        return self._entries < 0 or self._characters <= 0

    def _cut(self, text: str) -> str:
        most = self._characters
        self._characters -= min(len(text), most)
        return text if len(text) <= most else f"{text[:most]}… {len(text) - most} more characters"


def _facts_of(error: BaseException) -> dict[str, Any]:
    """Its own further fields (``code``, ``details``) too: they are what its raiser wanted to say."""
    import traceback

    stack = "".join(traceback.format_exception(error))
    facts = {"name": type(error).__name__, "message": str(error), "code": getattr(error, "code", None), **vars(error), "stack": stack}
    return {name: value for name, value in facts.items() if value is not None}
