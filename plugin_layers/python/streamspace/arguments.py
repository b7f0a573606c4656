"""Checks of what an author passes in, made before anything is sent: a TypeError names method and field."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _are_addresses(value: object) -> bool:
    return _is_text(value) or (isinstance(value, (list, tuple)) and value != [] and all(map(_is_text, value)))


def _are_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "text": ("a string", lambda value: isinstance(value, str)),
    "string": ("a non-empty string", _is_text),
    "object": ("a dict", lambda value: isinstance(value, dict)),
    "array": ("a list", lambda value: isinstance(value, (list, tuple))),
    "texts": ("a list of strings", _are_texts),
    "flag": ("True or False", lambda value: isinstance(value, bool)),
    "integer": ("a whole number", _is_integer),
    # Of a query, where a number is text anyway: the platform says what is none.
    "count": ("a whole number", lambda value: isinstance(value, (int, float, str)) and not isinstance(value, bool)),
    "function": ("a function", callable),
    "addresses": ("an address, or a list of addresses", _are_addresses),
}


def _described(value: object) -> str:
    return "an empty string" if value == "" else "None" if value is None else type(value).__name__


def need(method: str, field: str, value: Any, kind: str = "string") -> Any:
    """``value``, if it is of that kind."""
    says, holds = _KINDS[kind]
    if not holds(value):
        raise TypeError(f"{method} needs '{field}': {says}, not {_described(value)}")
    return value


def may_have(method: str, kind: str, **fields: Any) -> None:
    """Each of the fields may be None, for "not given", and is of that kind otherwise."""
    for field, value in fields.items():
        if value is not None:
            need(method, field, value, kind)


def segment(method: str, field: str, value: str) -> str:
    """``value`` as one segment of a path, encoded.

    Encoding does not protect ``.`` and ``..``: a URL resolves ``%2e`` as well.
    """
    need(method, field, value)
    if value in (".", ".."):
        raise TypeError(f"{method}: '{field}' must not be '{value}'")
    return percent_encoded(value)


def percent_encoded(text: str) -> str:
    """RFC 3986 §2.1, all but unreserved characters. (``urllib.parse`` costs a cold start several milliseconds.)"""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def given(**fields: Any) -> dict[str, Any]:
    """The fields that were given: None means "not given"."""
    return {name: value for name, value in fields.items() if value is not None}


def query_string(query: Mapping[str, Any] | None) -> str:
    listed = [(name, value if isinstance(value, (list, tuple)) else [value]) for name, value in (query or {}).items()]
    pairs = [(name, value) for name, values in listed for value in values if value is not None]
    if not pairs:
        return ""
    return "?" + "&".join(f"{percent_encoded(name)}={percent_encoded(_as_text(value))}" for name, value in pairs)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
