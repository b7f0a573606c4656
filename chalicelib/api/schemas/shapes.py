"""Words to write answers' schemas with. Source: JSON Schema draft 2020-12, as OpenAPI 3.1 takes it.

Objects are open: a client must expect keys that it does not know. What we ourselves answer is held to the declared keys by the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ID: Schema = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
MOMENT: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
OBJECT: Schema = {"type": "object"}
NOTHING: Schema = {"type": "null"}
ANYTHING: Schema = {}


def record(needed: Mapping[str, Schema], more: Mapping[str, Schema] | None = None) -> Schema:
    """An object that has all of ``needed``, and may have ``more``."""
    return {"type": "object", "properties": {**needed, **(more or {})}, "required": list(needed)}


def many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def by_name(schema: Schema) -> Schema:
    """An object whose keys are names that nobody knows beforehand."""
    return {"type": "object", "additionalProperties": schema}


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def any_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def nullable(schema: Schema) -> Schema:
    if not isinstance(schema.get("type"), str):
        return any_of(schema, NOTHING)
    more = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **more, "type": [schema["type"], "null"]}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
