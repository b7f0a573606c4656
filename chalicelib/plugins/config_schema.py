"""``configSchema``: settings said as a JSON Schema of an object, read into the fields of :mod:`chalicelib.plugins.fields`.

Each keyword is checked when a value is set, or refused when the package is read: none is passed over. Only an unknown ``format`` is a
note, since JSON Schema itself makes it a hint. What is wrong inside of an object or list is told as with any other setting, by the titles.
Source: JSON Schema draft 2020-12.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from chalicelib.plugins import rules

Schema = Mapping[str, Any]

TYPES = (
    "text",
    "textarea",
    "number",
    "integer",
    "boolean",
    "select",
    "multiselect",
    "password",
    "secret",
    "email",
    "url",
    "color",
    "date",
    "json",
)

_OF_FORMAT = {
    "password": "password",
    "secret": "password",
    "email": "email",
    "uri": "url",
    "url": "url",
    "date": "date",
    "date-time": "date",
    "color": "color",
    "textarea": "textarea",
    "multiline": "textarea",
}
_OF_TYPE = {"string": "text", "enum": "select", "object": "json", "array": "json"}
_RULE_OF_FORMAT = {"ipv4": "ipv4", "ipv6": "ipv6", "ip": "ip", "uuid": "uuid", "mac": "mac_address", "json": "json"}

# What a field says by its type, its label or its rules; the rest of the keywords stays in its schema.
_SAID = frozenset(
    {
        "title", "label", "description", "hint", "default", "enum", "options", "values", "choices", "format", "minimum",
        "maximum", "minLength", "maxLength", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern", "writeOnly",
        "secret", "required", "examples", "placeholder", "order", "readOnly", "deprecated", "$comment", "enumNames",
    }
)  # fmt: skip
_CHECKED = frozenset(
    {
        "type", "const", "properties", "required", "items", "prefixItems", "contains", "minContains", "maxContains", "minItems",
        "maxItems", "uniqueItems", "additionalProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties",
        "dependentRequired", "dependentSchemas", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "unevaluatedProperties",
        "unevaluatedItems",
    }
)  # fmt: skip
_DEEPEST = 50
_OF_THE_WHOLE = frozenset(("type", "properties", "required", "title", "description", "additionalProperties", "$schema", "$id", "$comment"))
_OF_ONE = (
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
    "unevaluatedItems",
)
_OF_MANY = ("prefixItems", "anyOf", "oneOf", "allOf")
_BY_NAME = ("properties", "patternProperties", "dependentSchemas")


def field_of(key: str, prop: Schema, is_required: bool) -> dict[str, Any]:
    """The setting that a property describes. ``schema`` is there where its rules cannot say all of it."""
    kind, options = _kind_of(prop), _options_of(prop)
    field: dict[str, Any] = {"key": key, "type": _field_type(prop, kind, options)}
    label, hint = prop.get("title") or prop.get("label"), prop.get("description") or prop.get("hint")
    if label:
        field["label"] = str(label)
    if hint:
        field["hint"] = str(hint)
    default = _default_of(prop)
    if default is not None:
        field["default"] = default
    if options is not None and field["type"] != "json":
        field["options"] = options
    found = _rules_of(prop, field["type"], is_required or prop.get("required") is True)
    if found:
        # As a list where the pattern has a | in it, which would separate two rules.
        field["rules"] = found if any("|" in rule for rule in found) else "|".join(found)
    if field["type"] == "json":
        field["schema"] = {
            name: value for name, value in prop.items() if name not in ("title", "description", "default") and kind != "json"
        }
        if any(_is_secret(one) for one in _walk(prop)):
            field["has_secrets"] = True
    else:
        more = {name: value for name, value in prop.items() if name in _CHECKED - {"type", "required"}}
        if options is not None:
            # The choices are the field's options already.
            more = {name: value for name, value in more.items() if name not in ("oneOf", "anyOf", "items")}
        if more:
            field["schema"] = more
    return field


def guessed(value: Any) -> Schema:
    """The schema of a setting of which only the default is known."""
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case list():
            return {"type": "array"}
        case dict():
            return {"type": "object"}
    return {"type": "string"}


def faults_of(schema: Schema) -> dict[str, list[str]]:
    """What is wrong with a configSchema, by its place."""
    if not schema:
        return {}
    if _is_deeper_than(_DEEPEST, schema):
        return {"configSchema": [f"It is nested deeper than {_DEEPEST} levels"]}
    text = json.dumps(schema)
    if '"$ref"' in text or '"$dynamicRef"' in text:
        # A reference could make the platform fetch an address of the author's choice.
        return {"configSchema": ["References ($ref) are not supported; write the schema out"]}
    faults: dict[str, list[str]] = {
        f"configSchema.{name}": [f"'{name}' of all settings together is not supported; known here are: {', '.join(sorted(_OF_THE_WHOLE))}"]
        for name in schema
        if name not in _OF_THE_WHOLE and not _is_annotation(name)
    }
    properties = schema.get("properties") or {}
    for key, prop in properties.items():
        faults |= _faults_of_property(f"configSchema.properties.{key}", prop)
    absent = [key for key in schema.get("required") or [] if key not in properties]
    if absent:
        faults["configSchema.required"] = [f"There is no property '{key}'" for key in absent]
    return faults


def notes(schema: Schema) -> Iterator[str]:
    """Formats that nobody checks."""
    known = {*_OF_FORMAT, *_RULE_OF_FORMAT}
    for key, prop in (schema.get("properties") or {}).items():
        for one in _walk(prop):
            if one.get("format") is not None and one["format"] not in known:
                yield f"The format '{one['format']}' of the setting '{key}' is not checked; those that are: {', '.join(sorted(known))}"


def value_faults(schema: Schema, value: Any, label: str) -> list[str]:
    """What is wrong with a value, in sentences that name the place by its titles: "The price of item 2 of the plans must be a number"."""
    errors = sorted(_validator(json.dumps(schema)).iter_errors(value), key=lambda error: [str(step) for step in error.absolute_path])
    sentences: list[str] = []
    for error in errors[:20]:
        place = _place(schema, list(error.absolute_path), label)
        sentences += [f"The {where} {predicate}" for where, predicate in _predicates(error, place)]
    return list(dict.fromkeys(sentences))


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _field_type(prop: Schema, kind: str, options: list[Any] | None) -> str:
    if options is not None and kind in ("string", "number", "integer", "enum"):
        return "select"
    if options is not None and kind == "array":
        return "multiselect"
    if kind == "string":
        return "password" if _is_secret(prop) else _OF_FORMAT.get(str(prop.get("format")), "text")
    return _OF_TYPE.get(kind, kind)


def _rules_of(prop: Schema, field_type: str, is_required: bool) -> list[str]:
    found = ["required"] if is_required else []
    if field_type in ("select", "multiselect", "json"):
        return found
    for keywords, rule in _RULES_OF_KEYWORDS:
        found += [f"{rule}:{_plain(prop[name])}" for name in keywords if name in prop]
    if prop.get("format") in _RULE_OF_FORMAT:
        found.append(_RULE_OF_FORMAT[prop["format"]])
    return found + ([f"regex:{prop['pattern']}"] if prop.get("pattern") else [])


_RULES_OF_KEYWORDS = (
    (("minimum", "minLength"), "min"),
    (("maximum", "maxLength"), "max"),
    (("exclusiveMinimum",), "gt"),
    (("exclusiveMaximum",), "lt"),
    (("multipleOf",), "multiple_of"),
)


def _kind_of(prop: Schema) -> str:
    kinds = prop.get("type")
    if isinstance(kinds, list):
        several = [kind for kind in kinds if kind != "null"]
        # What may be a text or a number is neither; its schema says the rest.
        kinds = several[0] if len(several) == 1 else "object"
    if kinds:
        return str(kinds)
    if "properties" in prop:
        return "object"
    if "items" in prop:
        return "array"
    return "string" if _options_of(prop) is not None or not _CHECKED & set(prop) else "object"


def _options_of(prop: Schema) -> list[Any] | None:
    items = prop.get("items")
    for source in (prop, items if isinstance(items, Mapping) else {}):
        for name in ("enum", "options", "values", "choices"):
            found = source.get(name)
            if isinstance(found, list):
                names = source.get("enumNames")
                if isinstance(names, list) and len(names) == len(found):
                    return [{"value": value, "label": label} for value, label in zip(found, names, strict=True) if value is not None]
                return [choice for choice in found if choice is not None]
        for name in ("oneOf", "anyOf"):
            found = source.get(name)
            if isinstance(found, list) and found and all(isinstance(one, Mapping) and "const" in one for one in found):
                return [{"value": one["const"], "label": one.get("title", one["const"])} for one in found]
    return None


def _default_of(prop: Schema) -> Any:
    if "default" in prop:
        return prop["default"]
    inner = prop.get("properties")
    if isinstance(inner, Mapping):
        found = {key: _default_of(each) for key, each in inner.items() if isinstance(each, Mapping)}
        return {key: value for key, value in found.items() if value is not None} or None
    return None


def _is_secret(prop: Schema) -> bool:
    return prop.get("format") in ("password", "secret") or prop.get("writeOnly") is True or prop.get("secret") is True


def _is_annotation(name: str) -> bool:
    return name.startswith(("x-", "ui:", "ui_"))


# ── Faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _faults_of_property(where: str, prop: Schema) -> dict[str, list[str]]:
    kind = _kind_of(prop)
    if kind not in (*TYPES, *_OF_TYPE):
        return {f"{where}.type": [f"Unknown type '{kind}'; known are: {', '.join(dict.fromkeys([*_OF_TYPE, *TYPES]))}"]}
    if kind == "enum" and _options_of(prop) is None:
        return {f"{where}.enum": ["An enum needs a list of its values"]}
    unknown = [name for one in _walk(prop) for name in one if name not in _SAID | _CHECKED and not _is_annotation(name)]
    if unknown:
        return {where: [_unknown_keyword(name) for name in dict.fromkeys(unknown)]}
    from jsonschema import Draft202012Validator, SchemaError

    own_words = {"type", "required", "options", "values", "choices"}
    plain = {name: value for name, value in prop.items() if name not in own_words or kind in ("object", "array")}
    try:
        Draft202012Validator.check_schema(plain)
    except (SchemaError, RecursionError) as error:
        # A pattern's own fault is told by the rule that it becomes.
        if "pattern" in getattr(error, "absolute_path", ()) and "pattern" in prop:
            return {}
        return {where: [f"This is not a valid JSON Schema: {getattr(error, 'message', 'it is too deep')}"]}
    return {}


def _unknown_keyword(name: str) -> str:
    near = difflib.get_close_matches(name, sorted(_SAID | _CHECKED), n=1, cutoff=0.75)
    return f"Unknown keyword '{name}'" + (f"; did you mean '{near[0]}'?" if near else ": nothing would check it")


def _is_deeper_than(limit: int, document: Any) -> bool:
    level = [document]
    for _ in range(limit):
        level = [inner for one in level for inner in (one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ())]
    return bool(level)


def _walk(schema: Any) -> Iterator[Schema]:
    """The schema, and all that are inside of it."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for name in _OF_ONE:
        yield from _walk(schema.get(name))
    for name in _OF_MANY:
        for one in schema[name] if isinstance(schema.get(name), list) else ():
            yield from _walk(one)
    for name in _BY_NAME:
        for one in schema[name].values() if isinstance(schema.get(name), Mapping) else ():
            yield from _walk(one)


# ── Words for what is wrong with a value ─────────────────────────────────────────────────────────────────────────────────────────


@cache
def _validator(schema_text: str) -> Any:
    # Imported by the first call: it costs 100 ms.
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(formats=())
    for name, field_type in _OF_FORMAT.items():
        if field_type in _HOLDS:
            # None is for the type to say.
            checker.checks(name)(lambda value, holds=_HOLDS[field_type]: not isinstance(value, str) or holds(value))
    return Draft202012Validator(json.loads(schema_text), format_checker=checker)


_HOLDS = {"email": rules.is_email, "url": rules.is_url, "date": rules.is_date, "color": rules.is_color}
_KINDS = {
    "number": "must be a number",
    "integer": "must be a whole number",
    "string": "must be a text",
    "boolean": "must be true or false",
    "array": "must be a list",
    "object": "must be an object",
    "null": "must be empty",
}
_FORMATS = {
    "email": "must be a valid email address",
    "url": "must be a valid URL",
    "date": "must be a valid date",
    "color": "must be a colour such as #1a2b3c",
}


def _place(schema: Any, path: list[Any], label: str) -> str:
    words = [label.lower()]
    for step in path:
        if isinstance(step, int):
            words.append(f"item {step + 1}")
            schema = schema.get("items") if isinstance(schema, Mapping) else None
        else:
            schema = (schema.get("properties") or {}).get(step) if isinstance(schema, Mapping) else None
            words.append(_called(step, schema))
    # Outermost last, as one says it: the price of item 2 of the plans.
    return " of ".join([*reversed(words[1:]), words[0]] if len(words) == 1 else [*reversed(words[1:]), f"the {words[0]}"])


def _called(key: str, prop: Any) -> str:
    title = prop.get("title") if isinstance(prop, Mapping) else None
    return str(title or spoken(key)).lower()


def _predicates(error: Any, place: str) -> Iterator[tuple[str, str]]:
    expected, schema = error.validator_value, error.schema
    inner = f"{place}" if place.startswith("the ") or " of " in place else f"the {place}"
    match error.validator:
        case "required":
            for name in expected:
                if name not in error.instance and repr(name) in error.message:
                    yield f"{_called(name, (schema.get('properties') or {}).get(name))} of {inner}", "is required"
        case "additionalProperties" if expected is False:
            known = schema.get("properties") or {}
            for name in error.instance:
                if name not in known and not any(re.search(pattern, name) for pattern in schema.get("patternProperties") or {}):
                    yield f"{name} of {inner}", f"is not known; known are: {', '.join(known) or 'none'}"
        case "type":
            kinds = [expected] if isinstance(expected, str) else expected
            yield place, " or ".join(_KINDS.get(kind, f"must be {kind}") for kind in kinds).replace(" or must be ", " or ")
        case "enum":
            yield place, f"must be one of: {', '.join(str(choice) for choice in expected)}"
        case "const":
            yield place, f"must be {expected}"
        case "minimum" | "maximum" if "minimum" in schema and "maximum" in schema:
            yield place, f"must be between {_plain(schema['minimum'])} and {_plain(schema['maximum'])}"
        case "minimum":
            yield place, f"must be at least {_plain(expected)}"
        case "maximum":
            yield place, f"must not exceed {_plain(expected)}"
        case "exclusiveMinimum":
            yield place, f"must be greater than {_plain(expected)}"
        case "exclusiveMaximum":
            yield place, f"must be less than {_plain(expected)}"
        case "multipleOf":
            yield place, f"must be a multiple of {_plain(expected)}"
        case "minLength":
            yield place, f"must be at least {expected} character{'' if expected == 1 else 's'}"
        case "maxLength":
            yield place, f"must not exceed {expected} character{'' if expected == 1 else 's'}"
        case "minItems":
            yield place, f"must have at least {expected} item{'' if expected == 1 else 's'}"
        case "maxItems":
            yield place, f"must not have more than {expected} item{'' if expected == 1 else 's'}"
        case "uniqueItems":
            yield place, "must not have the same item twice"
        case "pattern":
            yield place, "has the wrong format"
        case "format":
            yield place, _FORMATS[_OF_FORMAT[expected]]
        case _:
            yield place, f"is not valid: {error.message}"


def spoken(key: str) -> str:
    """``default_due_days`` and ``defaultDueDays`` -> ``Default Due Days``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).replace("_", " ").replace("-", " ").replace(".", " ").split()
    return " ".join(word[:1].upper() + word[1:] for word in words)


def _plain(number: Any) -> str:
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)
