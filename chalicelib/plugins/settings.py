"""A plugin's settings: the defaults of its manifest, and what an administrator set over them. Source: REST §3, §4.

A secret is never read back. Its value is shown as null, and ``is_set`` in its field says whether there is one. To change it, send a new
text; null leaves it as it is (so that a page may send back what it was shown), and an empty text removes it.

Settings that a plugin's present version does not know are kept, for the version that comes back, but neither shown nor given to the plugin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib import runtime
from chalicelib.accounts import Caller
from chalicelib.core import secrets
from chalicelib.core.errors import ValidationError
from chalicelib.events import retried, unit_of_work
from chalicelib.plugins import fields, patterns, registry, rules
from chalicelib.plugins.fields import Field
from chalicelib.plugins.manifest import Manifest
from chalicelib.plugins.models import SettingsRow, settings_key
from chalicelib.plugins.registry import InstalledPlugin

LARGEST_BYTES = 300 * 1024
_LONG_ENOUGH_TO_BE_A_SECRET = 8
# Stands for a secret that is set, where rules only ask whether there is a value.
_SET = "********"


@dataclass(frozen=True)
class _Stored:
    plain: dict[str, Any]
    secret: dict[str, str]


def defaults(manifest: Manifest) -> dict[str, Any]:
    """The settings that have a default. A secret's default counts too, but :func:`shown` does not show it."""
    return {field["key"]: field["default"] for field in manifest.settings["fields"] if field.get("default") is not None}


def shown(plugin: InstalledPlugin, group: str | None = None) -> dict[str, Any]:
    """``{"schema": {"tabs", "fields"}, "values"}``, of one group (a tab's key, or a field's ``group``) or all. Costs one GetItem."""
    stored = _read(plugin.slug)
    chosen = [field for field in plugin.manifest.settings["fields"] if group in (None, field["tab"], field.get("group"))]
    tabs = {field["tab"] for field in chosen}
    values = {**defaults(plugin.manifest), **stored.plain}
    return {
        "schema": {
            "tabs": [dict(tab) for tab in plugin.manifest.settings["tabs"] if group is None or tab["key"] in tabs],
            "fields": [_shown_field(field, stored) for field in chosen],
        },
        "values": {field["key"]: None if fields.is_secret(field) else _plain_value(field, values, stored) for field in chosen},
    }


@retried
def change(slug: str, values: Mapping[str, Any], *, by: Caller) -> dict[str, Any]:
    """Set some settings; the others stay. Gives back what was set, secrets as null.

    A change that changes nothing tells no event. Emits plugin.settings_changed with ``changed_keys``.
    Raises: PluginNotFound; ValidationError with every fault, by key.
    """
    plugin = registry.get(slug)
    stored = _read(slug)
    known = {field["key"]: field for field in plugin.manifest.settings["fields"]}
    given = {key: _canonical(known.get(key), value) for key, value in values.items()}
    # A value that stays may be looked at beside one that changes; its pattern is not run again.
    looked_at = [field for key, field in known.items() if key in given]
    faults = patterns.checked(looked_at, lambda: _faults_of(known, given, stored, defaults(plugin.manifest)))
    if faults:
        raise ValidationError(faults)
    changed = [key for key, value in given.items() if _differs(known[key], value, stored, plugin.manifest)]
    if changed:
        after = _with(stored, slug, {key: given[key] for key in changed}, known)
        version = plugin.settings_version + 1
        with unit_of_work(by.actor) as work:
            row = registry.save(work, replace(plugin, settings_version=version))
            if plugin.is_active:
                # Its next call says that there are newer settings.
                runtime.active.set_settings_version(work, slug, version)
            work.save(_row_of(slug, after))
            work.emit("plugin.settings_changed", row, {"plugin": plugin.summary(), "changed_keys": changed})
    return {key: None if fields.is_secret(known[key]) else value for key, value in given.items()}


def current(slug: str) -> tuple[dict[str, Any], int]:
    """All settings as the plugin gets them (``this.config``), secrets in clear, and their version. Only for the runtime.

    The values may be newer than the version says, never older. A setting without default that nobody set is absent.
    Costs two GetItems, and one call of KMS for each secret. Raises PluginNotFound.
    """
    plugin = registry.get(slug)
    return current_of(plugin), plugin.settings_version


def current_of(plugin: InstalledPlugin) -> dict[str, Any]:
    """As :func:`current`, of a plugin that was read already: its ``settings_version`` is theirs. Costs one GetItem, and KMS's."""
    stored = _read(plugin.slug)
    known = {field["key"]: field for field in plugin.manifest.settings["fields"]}
    opened = {
        key: _secret_value(known[key], secrets.opened(text, plugin=plugin.slug, setting=key))
        for key, text in stored.secret.items()
        if key in known
    }
    return {**defaults(plugin.manifest), **{key: value for key, value in stored.plain.items() if key in known}, **opened}


def secret_keys(plugin: InstalledPlugin) -> list[str]:
    """The keys of those settings whose values nobody may see again."""
    return [field["key"] for field in plugin.manifest.settings["fields"] if fields.is_secret(field)]


def secret_values(plugin: InstalledPlugin) -> list[str]:
    """The present secrets in clear, to be kept out of what is shown. Costs as :func:`current_of`; nothing for a plugin without secrets."""
    keys = secret_keys(plugin)
    values = current_of(plugin) if keys else {}
    return [text for key in keys for text in _texts_of(values.get(key))]


def forget_settings(slug: str) -> None:
    """Remove what was set for a plugin. Nothing there is fine."""
    SettingsRow(settings_key(slug), "values").delete()


def exported(slug: str) -> dict[str, Any]:
    """The settings for a backup: secrets stay encrypted. :func:`restore` takes it."""
    stored = _read(slug)
    return {"plain": stored.plain, "secret": stored.secret}


def restore(slug: str, backup: Mapping[str, Any]) -> None:
    """Put back what :func:`exported` gave, over whatever is there. May run twice."""
    _row_of(slug, _Stored(dict(backup["plain"]), dict(backup["secret"]))).save()


# ── Checking ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _faults_of(known: Mapping[str, Field], given: Mapping[str, Any], stored: _Stored, default: Mapping[str, Any]) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    labels = {key: str(field["label"]) for key, field in known.items()}
    together = {**default, **stored.plain, **dict.fromkeys(stored.secret, _SET)}
    together |= {key: value for key, value in given.items() if value is not None or key not in stored.secret}
    for key, value in given.items():
        field = known.get(key)
        if field is None:
            faults[key] = [f"Unknown setting; known are: {', '.join(sorted(known)) or 'none'}"]
            continue
        if fields.is_secret(field) and value is None and key in stored.secret:
            continue
        found = fields.value_faults(field, value, together, labels)
        if fields.is_secret(field) and len(_secret_text(value).encode()) > secrets.LARGEST_BYTES:
            found.append(f"The {labels[key].lower()} must not exceed {secrets.LARGEST_BYTES} bytes")
        if found:
            faults[key] = found
    for key, field in known.items():
        # A value that stays may be wrong beside one that changes: required_if, same …
        if key not in given and key not in stored.secret:
            found = _faults_beside(field, together, labels, set(given))
            if found:
                faults[key] = found
    if not faults and len(json.dumps(together)) > LARGEST_BYTES:
        faults["settings"] = [f"All settings together must not exceed {LARGEST_BYTES // 1024} KB"]
    return faults


def _faults_beside(field: Field, together: Mapping[str, Any], labels: Mapping[str, str], given: set[str]) -> list[str]:
    touched = [rule for rule in fields.rules_of(field) if rules.looks_at([rule]) & given]
    if not touched:
        return []
    return rules.faults_of(rules.Subject(field["label"], field["type"], together.get(field["key"]), touched, together, labels))


def _canonical(field: Field | None, value: Any) -> Any:
    """JSON's 30.0 is a whole number."""
    whole = field is not None and field["type"] == "integer" and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _differs(field: Field, value: Any, stored: _Stored, manifest: Manifest) -> bool:
    key = field["key"]
    if fields.is_secret(field):
        # Whether a new text is the old one, only KMS could say.
        return value is not None and (value != "" or key in stored.secret or key in stored.plain)
    if key in stored.secret:
        return True
    before = stored.plain[key] if key in stored.plain else defaults(manifest).get(key)
    return before != value or type(before) is not type(value)


# ── The stored form ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _with(stored: _Stored, slug: str, changes: Mapping[str, Any], known: Mapping[str, Field]) -> _Stored:
    plain, secret = dict(stored.plain), dict(stored.secret)
    for key, value in changes.items():
        plain.pop(key, None)
        secret.pop(key, None)
        if not fields.is_secret(known[key]):
            plain[key] = value
        elif value:
            secret[key] = secrets.sealed(_secret_text(value), plugin=slug, setting=key)
    return _Stored(plain, secret)


def _texts_of(value: Any) -> list[str]:
    """Of an object or list with secrets in it: the longer texts, since a short one may be in anything."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for one in inner for text in _texts_of(one) if len(text) >= _LONG_ENOUGH_TO_BE_A_SECRET]
    return [str(value)] if value else []


def _secret_text(value: Any) -> str:
    """A secret is a text, or an object or list with secrets in it."""
    return value if isinstance(value, str) else json.dumps(value)


def _secret_value(field: Field, text: str) -> Any:
    if field["type"] in fields.SECRET_TYPES:
        return text
    try:
        return json.loads(text)
    except ValueError:
        # It was a text in an earlier version of the plugin.
        return text


def _read(slug: str) -> _Stored:
    try:
        row = SettingsRow.get(settings_key(slug), "values", consistent_read=True)
    except SettingsRow.DoesNotExist:
        return _Stored({}, {})
    return _Stored(json.loads(row.plain), json.loads(row.secret))


def _row_of(slug: str, stored: _Stored) -> SettingsRow:
    return SettingsRow(settings_key(slug), "values", plain=json.dumps(stored.plain), secret=json.dumps(stored.secret))


def _shown_field(field: Field, stored: _Stored) -> Field:
    if not fields.is_secret(field):
        return dict(field)
    is_set = field["key"] in stored.secret or field["key"] in stored.plain or bool(field.get("default"))
    return {**{name: value for name, value in field.items() if name != "default"}, "is_set": is_set}


def _plain_value(field: Field, values: Mapping[str, Any], stored: _Stored) -> Any:
    """Null for what was a secret in an earlier version of the plugin: it stays unread."""
    return None if field["key"] in stored.secret else values.get(field["key"])
