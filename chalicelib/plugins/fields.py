"""The fields of a plugin's settings, in one shape, whichever way its manifest says them: ``settings`` or ``configSchema``.

A field is a dict as the administrator's page shows it (REST §3): ``key``, ``type``, ``label``, ``tab``, and where given ``default``,
``hint``, ``options`` ([{value, label}]), ``rules``, and whatever else its author wrote. ``schema`` is the JSON Schema of a ``json``
field's value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from chalicelib.plugins import rules

SECRET_TYPES = frozenset({"password", "secret"})
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

Field = dict[str, Any]
Settings = dict[str, list[dict[str, Any]]]
Faults = dict[str, list[str]]

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
_GENERAL = {"key": "general", "label": "General", "icon": "settings"}


def is_secret(field: Mapping[str, Any]) -> bool:
    return field["type"] in SECRET_TYPES


def of_manifest(document: Mapping[str, Any]) -> Settings:
    """``{"tabs", "fields"}`` of a manifest that :func:`faults_of` found nothing wrong with."""
    defaults = document.get("defaultConfig") or {}
    given = document.get("settings")
    if given is not None:
        fields = [_complete(dict(field), defaults) for field in given.get("fields") or []]
        tabs = [{**tab, "label": tab.get("label") or _spoken(tab["key"])} for tab in given.get("tabs") or []]
    else:
        schema = document.get("configSchema") or {}
        required = schema.get("required") or []
        fields = [_complete(_of_property(key, prop, key in required), defaults) for key, prop in (schema.get("properties") or {}).items()]
        tabs = []
    if fields and not tabs:
        tabs = [dict(_GENERAL)]
    for field in fields:
        field.setdefault("tab", tabs[0]["key"])
    return {"tabs": tabs, "fields": fields}


def faults_of(document: Mapping[str, Any]) -> Faults:
    """What is wrong with the settings of a manifest whose outer shape is right already."""
    faults: Faults = {}
    if document.get("settings") is not None and document.get("configSchema") is not None:
        return {"configSchema": ["Give either settings or configSchema, not both"]}
    if document.get("settings") is not None:
        place = "settings.fields"
    else:
        place = "configSchema.properties"
        faults |= _faults_of_json_schema(document.get("configSchema") or {})
    if faults:
        return faults
    settings = of_manifest(document)
    tabs = {tab["key"] for tab in settings["tabs"]}
    seen: set[str] = set()
    for position, field in enumerate(settings["fields"]):
        key = field["key"]
        where = f"{place}.{position}" if place == "settings.fields" else f"{place}.{key}"
        found = [*_faults_of_field(field, tabs, tuple(one["key"] for one in settings["fields"]))]
        if key in seen:
            found.append(f"There are two fields with the key '{key}'")
        seen.add(key)
        if found:
            faults.setdefault(where, []).extend(found)
    unknown = sorted(set(document.get("defaultConfig") or {}) - seen)
    if unknown and seen:
        faults["defaultConfig"] = [f"There is no setting with the key '{key}'" for key in unknown]
    return faults


def rules_of(field: Mapping[str, Any]) -> tuple[rules.Rule, ...]:
    return rules.parse(field.get("rules") or "")


def value_faults(field: Mapping[str, Any], value: Any, values: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """What is wrong with ``value`` for this field, by its type, its options, its schema and its rules; all of it, in sentences."""
    subject = rules.Subject(field["label"], field["type"], value, rules_of(field), values, labels)
    found = rules.faults_of(subject)
    if value is None or (value == "" and field["type"] != "boolean"):
        return found
    predicate = _type_fault(field, value)
    if predicate:
        # A value of the wrong type breaks most rules too, and saying so would only hide the cause.
        return [f"The {field['label'].lower()} {predicate}"]
    if "schema" in field:
        found += [f"The {field['label'].lower()} is not valid: {sentence}" for sentence in _schema_faults(field["schema"], value)]
    return found


def choices_of(field: Mapping[str, Any]) -> list[Any]:
    return [option["value"] for option in field.get("options") or []]


# ── Inside ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _type_fault(field: Mapping[str, Any], value: Any) -> str | None:
    match field["type"]:
        case "text" | "textarea" | "password" | "secret":
            return None if isinstance(value, str) else "must be a text"
        case "number":
            return None if rules.is_number(value) else "must be a number"
        case "integer":
            return None if rules.is_number(value) and value == int(value) else "must be a whole number"
        case "boolean":
            return None if isinstance(value, bool) else "must be true or false"
        case "email":
            return None if rules.is_email(value) else "must be a valid email address"
        case "url":
            return None if rules.is_url(value) else "must be a valid URL"
        case "color":
            return None if rules.is_color(value) else "must be a colour such as #1a2b3c"
        case "date":
            return None if rules.is_date(value) else "must be a valid date"
        case "select":
            return _choice_fault(field, [value])
        case "multiselect":
            if not isinstance(value, list):
                return "must be a list"
            return _choice_fault(field, value)
    return None


def _choice_fault(field: Mapping[str, Any], values: list[Any]) -> str | None:
    choices = choices_of(field)
    if not choices or all(any(value == choice and type(value) is type(choice) for choice in choices) for value in values):
        return None
    return f"must be one of: {', '.join(str(choice) for choice in choices)}"


def _schema_faults(schema: Mapping[str, Any], value: Any) -> list[str]:
    # Imported by the first call: it costs 100 ms. Not by core.validation, which keeps what it compiled, and this schema is not ours.
    from jsonschema import Draft202012Validator

    errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: [str(step) for step in error.absolute_path])
    return [f"{'.'.join(str(step) for step in error.absolute_path) or 'the whole'}: {error.message}" for error in errors[:20]]


def _complete(field: Field, defaults: Mapping[str, Any]) -> Field:
    field["label"] = field.get("label") or _spoken(field["key"])
    if field["key"] in defaults:
        field["default"] = defaults[field["key"]]
    options = field.get("options")
    if options is not None:
        pairs = options.items() if isinstance(options, Mapping) else [_option(option) for option in options]
        field["options"] = [{"value": value, "label": str(label)} for value, label in pairs]
    return field


def _option(option: Any) -> tuple[Any, Any]:
    if isinstance(option, Mapping):
        value = option.get("value")
        return value, option.get("label", value)
    return option, option


def _of_property(key: str, prop: Mapping[str, Any], is_required: bool) -> Field:
    kind = _kind_of(prop)
    options = _options_of(prop)
    if options is not None and kind in ("string", "number", "integer", "enum"):
        field_type = "select"
    elif kind == "array" and options is not None:
        field_type = "multiselect"
    elif kind == "string":
        secret = prop.get("writeOnly") is True or prop.get("secret") is True
        field_type = "password" if secret else _OF_FORMAT.get(str(prop.get("format")), "text")
    else:
        field_type = _OF_TYPE.get(kind, kind)
    field: Field = {"key": key, "type": field_type}
    if prop.get("title"):
        field["label"] = str(prop["title"])
    if prop.get("description"):
        field["hint"] = str(prop["description"])
    default = _default_of(prop)
    if default is not None:
        field["default"] = default
    if options is not None:
        field["options"] = options
    found = ["required"] if is_required else []
    if field_type not in ("select", "multiselect"):
        found += [f"min:{_plain(prop[name])}" for name in ("minimum", "minLength") if name in prop]
        found += [f"max:{_plain(prop[name])}" for name in ("maximum", "maxLength") if name in prop]
        found += [f"gt:{_plain(prop['exclusiveMinimum'])}"] if "exclusiveMinimum" in prop else []
        found += [f"lt:{_plain(prop['exclusiveMaximum'])}"] if "exclusiveMaximum" in prop else []
        found += [f"multiple_of:{_plain(prop['multipleOf'])}"] if "multipleOf" in prop else []
        found += [f"regex:{prop['pattern']}"] if prop.get("pattern") else []
    if found:
        # As a list where the pattern has a | in it, which would separate two rules.
        field["rules"] = found if any("|" in rule for rule in found) else "|".join(found)
    if field_type == "json":
        field["schema"] = {name: value for name, value in prop.items() if name not in ("title", "description", "default")}
    return field


def _kind_of(prop: Mapping[str, Any]) -> str:
    kinds = prop.get("type")
    if isinstance(kinds, list):
        kinds = next((kind for kind in kinds if kind != "null"), "string")
    if kinds:
        return str(kinds)
    if "properties" in prop:
        return "object"
    return "array" if "items" in prop else "string"


def _options_of(prop: Mapping[str, Any]) -> list[Any] | None:
    items = prop.get("items")
    for source in (prop, items if isinstance(items, Mapping) else {}):
        for name in ("enum", "options", "values", "choices"):
            found = source.get(name)
            if isinstance(found, list):
                return [choice for choice in found if choice is not None]
    return None


def _default_of(prop: Mapping[str, Any]) -> Any:
    if "default" in prop:
        return prop["default"]
    inner = prop.get("properties")
    if isinstance(inner, Mapping):
        found = {key: _default_of(each) for key, each in inner.items() if isinstance(each, Mapping)}
        return {key: value for key, value in found.items() if value is not None} or None
    return None


def _faults_of_json_schema(schema: Mapping[str, Any]) -> Faults:
    if not schema:
        return {}
    faults: Faults = {}
    if '"$ref"' in json.dumps(schema) or '"$dynamicRef"' in json.dumps(schema):
        # A reference could make the platform fetch an address of the author's choice.
        return {"configSchema": ["References ($ref) are not supported; write the schema out"]}
    for key, prop in (schema.get("properties") or {}).items():
        kind = _kind_of(prop)
        if kind not in (*TYPES, *_OF_TYPE):
            faults[f"configSchema.properties.{key}.type"] = [f"Unknown type '{kind}'; known are: {', '.join([*_OF_TYPE, *TYPES])}"]
        elif kind == "enum" and _options_of(prop) is None:
            faults[f"configSchema.properties.{key}.enum"] = ["An enum needs a list of its values"]
        elif kind in ("object", "array", "json"):
            from jsonschema import Draft202012Validator, SchemaError

            try:
                Draft202012Validator.check_schema({name: value for name, value in prop.items() if name != "type" or value != "json"})
            except SchemaError as error:
                faults[f"configSchema.properties.{key}"] = [f"This is not a valid JSON Schema: {error.message}"]
    for key in schema.get("required") or []:
        if key not in (schema.get("properties") or {}):
            faults["configSchema.required"] = [f"There is no property '{key}'"]
    return faults


def _faults_of_field(field: Field, tabs: set[str], keys: tuple[str, ...]) -> list[str]:
    found = []
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", field["key"]):
        found.append(f"The key '{field['key']}' must begin with a letter and have letters, digits, _, . and - only")
    if field["tab"] not in tabs:
        found.append(f"There is no tab with the key '{field['tab']}'; known are: {', '.join(sorted(tabs))}")
    if field["type"] in ("select", "multiselect"):
        if not field.get("options"):
            found.append(f"A {field['type']} needs options")
        elif any(choice is None for choice in choices_of(field)):
            found.append("An option needs a value")
    try:
        parsed = rules_of(field)
    except ValueError as error:
        return [*found, str(error)]
    found += [f"Its rules name '{other}', which is no field" for other in sorted(rules.looks_at(parsed)) if other not in keys]
    default = field.get("default")
    if not found and not rules.is_empty(default):
        found += [f"Its default breaks its own rules: {sentence}" for sentence in value_faults(field, default, {}, {})]
    return found


def _spoken(key: str) -> str:
    """``default_due_days`` and ``defaultDueDays`` -> ``Default Due Days``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).replace("_", " ").replace("-", " ").replace(".", " ").split()
    return " ".join(word[:1].upper() + word[1:] for word in words)


def _plain(number: Any) -> str:
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)
