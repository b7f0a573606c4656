"""JSON Schema, as far as the platform's routes use it, in the platform's sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_KINDS = {"object": "an object", "array": "a list", "string": "a text", "integer": "a whole number", "number": "a number",
          "boolean": "true or false", "null": "null"}  # fmt: skip


def faults_of(schema: Mapping[str, Any], value: Any) -> dict[str, list[str]]:
    """Dotted field path -> its sentences; a fault of the whole is under ``body``."""
    faults: dict[str, list[str]] = {}
    for path, sentence in _faults(schema, value, ()):
        faults.setdefault(".".join(path) or "body", []).append(sentence)
    return faults


def _is(kind: str, value: Any) -> bool:
    if kind == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    types: dict[str, type | tuple[type, ...]] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, types[kind])


def _faults(schema: Mapping[str, Any], value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    kinds = schema.get("type")
    if kinds is not None:
        listed = [kinds] if isinstance(kinds, str) else kinds
        if not any(_is(kind, value) for kind in listed):
            yield path, f"Must be {' or '.join(_KINDS[kind] for kind in listed)}"
    if "enum" in schema and value not in schema["enum"]:
        yield path, f"Must be one of: {', '.join(str(choice) for choice in schema['enum'])}"
    if "const" in schema and value != schema["const"]:
        yield path, f"Must be {schema['const']!r}"
    if isinstance(value, str):
        yield from ((path, sentence) for sentence in _text_faults(schema, value))
    elif _is("number", value):
        if value < schema.get("minimum", value):
            yield path, f"Must be at least {schema['minimum']}"
        if value > schema.get("maximum", value):
            yield path, f"Must be at most {schema['maximum']}"
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield path, f"Must not have more than {schema['maxItems']} items"
        if len(value) < schema.get("minItems", 0):
            yield path, f"Must have at least {schema['minItems']} item{'s' if schema['minItems'] > 1 else ''}"
        for number, one in enumerate(value):
            yield from _faults(schema.get("items", {}), one, (*path, str(number)))
    elif isinstance(value, dict):
        yield from _object_faults(schema, value, path)
    if "anyOf" in schema and all(any(True for _ in _faults(choice, value, path)) for choice in schema["anyOf"]):
        yield path, schema.get("description") or "Matches none of the allowed forms"
    if "oneOf" in schema and sum(not any(True for _ in _faults(choice, value, path)) for choice in schema["oneOf"]) != 1:
        yield path, schema.get("description") or "Matches none of the allowed forms"


def _text_faults(schema: Mapping[str, Any], value: str) -> Iterator[str]:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield schema.get("description") or f"Must match {schema['pattern']}"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"Must not exceed {schema['maxLength']} characters"
    least = schema.get("minLength", 0)
    if len(value) < least:
        yield "Must not be empty" if least == 1 else f"Must have at least {least} characters"


def _object_faults(schema: Mapping[str, Any], value: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield (*path, name), "This field is required"
    if len(value) < schema.get("minProperties", 0):
        yield path, "Must have at least one field"
    for name, one in value.items():
        if name in properties:
            yield from _faults(properties[name], one, (*path, name))
        elif schema.get("additionalProperties") is False:
            yield (*path, name), f"Unknown field; known are: {', '.join(sorted(properties))}"
        elif isinstance(schema.get("additionalProperties"), dict):
            yield from _faults(schema["additionalProperties"], one, (*path, name))
