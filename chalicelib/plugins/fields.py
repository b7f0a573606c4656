"""The fields of a plugin's settings, in one shape, whichever way its manifest says them: ``settings`` or ``configSchema``.

A field is a dict as the administrator's page shows it (REST §3): ``key``, ``type``, ``label``, ``tab``, and where given ``default``,
``hint``, ``options`` ([{value, label}]), ``rules``, and whatever else its author wrote. ``schema`` is a JSON Schema that its value keeps
to as well; ``has_secrets`` says that a part of a ``json`` field's value is a secret, so that the whole is kept as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.plugins import config_schema, patterns, rules

TYPES = config_schema.TYPES
SECRET_TYPES = frozenset({"password", "secret"})
Field = dict[str, Any]
Settings = dict[str, list[dict[str, Any]]]
Faults = dict[str, list[str]]

_SECRETIVE = re.compile(r"(?:secret|password|passwd|token|api_?key|private_?key)$", re.IGNORECASE)
_GENERAL = {"key": "general", "label": "General", "icon": "settings"}


def is_secret(field: Mapping[str, Any]) -> bool:
    return field["type"] in SECRET_TYPES or field.get("has_secrets") is True


def of_manifest(document: Mapping[str, Any]) -> Settings:
    """``{"tabs", "fields"}`` of a manifest that :func:`faults_of` found nothing wrong with."""
    defaults = document.get("defaultConfig") or {}
    given = document.get("settings")
    schema = document.get("configSchema")
    if given is not None:
        fields = [_complete(dict(field), defaults) for field in given.get("fields") or []]
        tabs = [{**tab, "label": tab.get("label") or config_schema.spoken(tab["key"])} for tab in given.get("tabs") or []]
    elif schema is not None:
        required = schema.get("required") or []
        properties = (schema.get("properties") or {}).items()
        fields = [_complete(config_schema.field_of(key, prop, key in required), defaults) for key, prop in properties]
        tabs = []
    else:
        # Defaults alone say what there is to set, and of which kind.
        fields = [_complete(config_schema.field_of(key, config_schema.guessed(value), False), defaults) for key, value in defaults.items()]
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
        place = "configSchema.properties" if document.get("configSchema") is not None else "defaultConfig"
        faults |= config_schema.faults_of(document.get("configSchema") or {})
    if faults:
        return faults
    settings = of_manifest(document)
    tabs = {tab["key"] for tab in settings["tabs"]}
    seen: set[str] = set()
    keys = tuple(one["key"] for one in settings["fields"])
    slow: Faults = patterns.checked(
        [field for field in settings["fields"] if not rules.is_empty(field.get("default"))],
        lambda: {field["key"]: found for field in settings["fields"] if (found := _faults_of_default(field))},
    )
    for position, field in enumerate(settings["fields"]):
        key = field["key"]
        where = f"{place}.{position}" if place == "settings.fields" else f"{place}.{key}"
        found = _faults_of_field(field, tabs, keys) or slow.get(key, [])
        if key in seen:
            found.append(f"There are two fields with the key '{key}'")
        seen.add(key)
        if found:
            faults.setdefault(where, []).extend(found)
    unknown = sorted(set(document.get("defaultConfig") or {}) - seen)
    if unknown and seen:
        faults["defaultConfig"] = [f"There is no setting with the key '{key}'" for key in unknown]
    return faults


def notes(document: Mapping[str, Any]) -> Iterator[str]:
    """What administrators may not expect of the settings of a manifest without faults."""
    yield from config_schema.notes(document.get("configSchema") or {})
    for field in of_manifest(document)["fields"]:
        if field["type"] in ("text", "textarea") and _SECRETIVE.search(field["key"]):
            yield f"The setting '{field['key']}' sounds like a secret, but is shown: the type or format 'password' would keep it"


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
        found += config_schema.value_faults(field["schema"], value, field["label"])
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


def _complete(field: Field, defaults: Mapping[str, Any]) -> Field:
    field["label"] = field.get("label") or config_schema.spoken(field["key"])
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
    return found + [f"Its rules name '{other}', which is no field" for other in sorted(rules.looks_at(parsed)) if other not in keys]


def _faults_of_default(field: Field) -> list[str]:
    """Nothing for a field whose rules are not understood: that is told of already."""
    default = field.get("default")
    try:
        rules_of(field)
    except ValueError:
        return []
    if rules.is_empty(default):
        return []
    return [f"Its default breaks its own rules: {sentence}" for sentence in value_faults(field, default, {}, {})]
