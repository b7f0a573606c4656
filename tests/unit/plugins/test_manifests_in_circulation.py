"""Manifests as their authors wrote them for other platforms: each part goes where it was meant to, or is told of."""

import json
import os
from pathlib import Path

import pytest

from chalicelib.plugins import PackageInvalid, fields, manifest

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("STREAMSPACE_SHARED", ROOT.parent / "shared")) / "data" / "manifests"
PUBLISHED = sorted(SHARED.glob("*.json"))
OWN = sorted((Path(__file__).parent / "manifests").glob("*.json"))


def ported(path):
    """The manifest, with the main that a port of the plugin would have."""
    document = json.loads(path.read_text())
    return {**document, "entrypoints": {"main": "index.js"}}


@pytest.mark.parametrize("path", [*OWN, *PUBLISHED], ids=lambda path: path.stem)
def test_every_field_has_gone_somewhere(path):
    document = ported(path)

    parsed = manifest.parse(document)

    unread = set(document) - set(manifest.schema()["properties"])
    assert all(any(f"'{name}'" in note for note in parsed.notes) for name in unread)
    for type_, method in (document.get("events") or {}).items():
        aliased = {"session.terminated": "session.stopped"}.get(type_, type_)
        assert parsed.events.get(aliased) == method or any(f"'{type_}'" in note for note in parsed.notes)
    by_key = {field["key"]: field for field in parsed.settings["fields"]}
    assert set(by_key) == set((document.get("configSchema") or {}).get("properties") or {})
    assert all(by_key[key]["default"] == value for key, value in (document.get("defaultConfig") or {}).items())
    assert list(parsed.tables) == (document.get("database") or {}).get("tables", [])
    contributed = parsed.contributes
    jobs = (document.get("scheduler") or {}).get("jobs") or []
    assert {task["name"]: task["schedule"] for task in contributed.get("scheduled_tasks", [])} == {
        job["name"]: job["schedule"] for job in jobs
    }
    ui = document.get("ui") or {}
    assert [widget["id"] for widget in contributed.get("widgets", [])] == [widget["id"] for widget in ui.get("widgets", [])]
    pages = [page for kind in ("pages", "userPages", "adminPages") for page in ui.get(kind, [])]
    assert [(item["label"], item["path"]) for item in contributed.get("menu_items", [])] == [(one["title"], one["route"]) for one in pages]
    endpoints = [*(document.get("api") or {}).get("endpoints", []), *document.get("apiEndpoints", [])]
    assert len(contributed.get("api_endpoints", [])) == len(endpoints)
    assert parsed.requirements["system_version"] == document["requirements"]["streamspaceVersion"]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_manifest_is_refused_for_its_language_alone(path):
    document = json.loads(path.read_text())

    with pytest.raises(PackageInvalid) as refused:
        manifest.parse(document)

    assert list(refused.value.details) == ["entrypoints.main"]
    (sentence,) = refused.value.details["entrypoints.main"]
    assert all(word in sentence for word in (document["entrypoints"]["main"], "Go", "Node.js", "Python", "ported"))


def metering():
    return ported(OWN[0])


def faults(**changes):
    with pytest.raises(PackageInvalid) as refused:
        manifest.parse({**metering(), **changes})
    return refused.value.details


def test_words_for_scopes_mean_the_platforms_own_and_a_note_says_so():
    parsed = manifest.parse(metering())

    assert parsed.scopes == {"network", "storage", "ui", "read:sessions"}
    assert "The permission 'database' is the scope 'storage' here" in parsed.notes
    assert any("'api' is not needed" in note for note in parsed.notes)


def test_an_event_has_the_method_that_the_author_named_and_an_unknown_one_is_told():
    parsed = manifest.parse(metering())

    assert parsed.events == {"session.created": "OnSessionCreated", "session.stopped": "OnSessionTerminated"}
    assert "The event 'session.terminated' is 'session.stopped' here" in parsed.notes
    assert any("no event 'session.pulse'" in note for note in parsed.notes)


def test_a_list_of_events_names_no_methods():
    assert manifest.parse({**metering(), "events": ["session.created"]}).events == {"session.created": None}


def test_pages_for_administrators_are_for_administrators_only():
    items = {item["path"]: item.get("permissions") for item in manifest.parse(metering()).contributes["menu_items"]}

    assert items == {"/reports": None, "/my-usage": None, "/admin/rates": ["admin"]}


def test_a_widget_is_put_where_its_word_for_it_means_or_a_note_says_that_nobody_knows():
    (widget,) = manifest.parse(metering()).contributes["widgets"]
    odd = {"id": "w", "title": "W", "component": "W", "position": "ceiling"}
    parsed = manifest.parse({**metering(), "ui": {"widgets": [odd]}})

    assert widget["position"] == "sidebar"
    assert "position" not in parsed.contributes["widgets"][0]
    assert any("'ceiling'" in note for note in parsed.notes)


def test_endpoints_are_texts_or_objects_with_a_method_or_without():
    assert manifest.parse(metering()).contributes["api_endpoints"] == [
        {"path": "/metering/usage"},
        {"method": "GET", "path": "/metering/reports/:id"},
        {"method": "POST", "path": "/metering/reports", "description": "Makes a report"},
    ]


def test_what_contributes_says_holds_over_what_the_other_parts_say():
    task = {"name": "count-usage", "schedule": "rate(1 hour)"}

    tasks = manifest.parse({**metering(), "contributes": {"scheduled_tasks": [task]}}).contributes["scheduled_tasks"]

    assert tasks[0] == task
    assert [one["name"] for one in tasks] == ["count-usage", "close-month"]


@pytest.mark.parametrize(
    ("field", "words", "changes"),
    [
        ("events.session.create", "did you mean 'session.created'", {"events": {"session.create": "On"}}),
        ("events.session.terminated", "same event", {"events": {"session.stopped": "A", "session.terminated": "B"}}),
        ("events.user.login", "no method's name", {"events": {"user.login": "on login()"}}),
        ("events.0", "did you mean", {"events": ["session.creatd"]}),
        ("scheduler.jobs.0.schedule", "minute 99", {"scheduler": {"jobs": [{"name": "a", "schedule": "99 * * * *"}]}}),
        ("scheduler.jobs.0.schedule", "When does it run", {"scheduler": {"jobs": [{"name": "a"}]}}),
        ("scheduler.jobs.0.name", "letter", {"scheduler": {"jobs": [{"name": "a b", "schedule": "@daily"}]}}),
        ("scheduler.jobs.0.timezone", "time zone", {"scheduler": {"jobs": [{"name": "a", "schedule": "@daily", "timezone": "Mars"}]}}),
        ("api.endpoints.0", "no endpoint's path", {"api": {"endpoints": ["metering"]}}),
        ("apiEndpoints.0", "no method", {"apiEndpoints": [{"method": "FETCH", "path": "/a"}]}),
        ("database.tables.1", "twice", {"database": {"tables": ["a", "a"]}}),
        ("database.tables.0", "no table's name", {"database": {"tables": ["../a"]}}),
        ("entrypoints.main", "Go", {"entrypoints": {"main": "metering.go"}}),
        ("ui.pages.0.component", "required", {"ui": {"pages": [{"id": "a"}]}}),
    ],
)
def test_what_contradicts_itself_or_is_a_slip_is_refused_at_its_place(field, words, changes):
    found = faults(**changes)

    assert words in found[field][0]


def config(**properties):
    return {**metering(), "configSchema": {"type": "object", "properties": properties}, "defaultConfig": {}}


@pytest.mark.parametrize(
    ("prop", "words"),
    [
        ({"type": "number", "minimun": 1}, "did you mean 'minimum'"),
        ({"type": "array", "items": {"type": "string", "maxLenght": 3}}, "did you mean 'maxLength'"),
        ({"type": "string", "frobnicate": True}, "nothing would check it"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "not a valid JSON Schema"),
        ({"type": "string", "pattern": "("}, "not understood"),
    ],
)
def test_an_unknown_rule_of_a_config_schema_is_refused_when_the_package_is_read(prop, words):
    with pytest.raises(PackageInvalid) as refused:
        manifest.parse(config(a=prop))

    assert words in refused.value.details["configSchema.properties.a"][0]


def test_rules_for_all_settings_together_are_refused():
    schema = {**metering()["configSchema"], "if": {"properties": {"mode": {"const": "days"}}}}

    assert "not supported" in faults(configSchema=schema)["configSchema.if"][0]


def test_a_schema_of_absurd_depth_is_refused():
    prop = {"type": "string"}
    for _ in range(300):
        prop = {"type": "array", "items": prop}

    with pytest.raises(PackageInvalid, match="nested deeper"):
        manifest.parse(config(a=prop))


FIELDS = {field["key"]: field for field in manifest.parse(metering()).settings["fields"]}


@pytest.mark.parametrize(
    ("key", "value", "sentences"),
    [
        ("rates", {"cpu": "much"}, ["The price per core ($) of the hourly rates must be a number"]),
        ("rates", {"cpu": -1}, ["The price per core ($) of the hourly rates must be at least 0"]),
        ("rates", 5, ["The hourly rates must be an object"]),
        ("plans", [{"name": "A"}, {"price": "free"}], [
            "The name of item 2 of the plans is required", "The price of item 2 of the plans must be a number"]),
        ("plans", [{"name": "A", "interval": "week"}], ["The interval of item 1 of the plans must be one of: month, year"]),
        ("closingDay", 31, ["The closing day must be between 1 and 28"]),
        ("endpoint", "ftp://x", ["The accounting address has the wrong format"]),
        ("mode", "weeks", ["The counting mode must be one of: hours, days"]),
        ("plans", [{"name": "A", "price": 3}], []),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_value_is_told_by_the_titles_at_any_depth(key, value, sentences):
    assert sorted(fields.value_faults(FIELDS[key], value, {}, {})) == sorted(sentences)


def test_every_keyword_of_a_simple_property_is_checked():
    parsed = manifest.parse(
        config(
            tags={"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "minItems": 1, "uniqueItems": True},
            even={"type": "integer", "multipleOf": 2, "not": {"const": 4}},
            either={"type": ["string", "integer"]},
            size={"title": "Size", "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]},
            host={"type": "string", "format": "ipv4"},
        )
    )
    by_key = {field["key"]: field for field in parsed.settings["fields"]}

    def wrong(key, value):
        return fields.value_faults(by_key[key], value, {}, {})

    assert wrong("tags", ["a", "a"]) == ["The tags must not have the same item twice"]
    assert [bool(wrong("even", value)) for value in (2, 3, 4)] == [False, True, True]
    assert [bool(wrong("either", value)) for value in ("x", 1, True)] == [False, False, True]
    assert by_key["size"]["options"] == [{"value": "s", "label": "Small"}, {"value": "l", "label": "Large"}]
    assert wrong("size", "m") == ["The size must be one of: s, l"]
    assert wrong("host", "there") == ["The host must be a valid IPv4 address"]


def test_an_object_with_a_secret_inside_is_a_secret_as_a_whole():
    smtp = {"type": "object", "properties": {"host": {"type": "string"}, "password": {"type": "string", "format": "password"}}}

    (field,) = manifest.parse(config(smtp=smtp)).settings["fields"]

    assert fields.is_secret(field)


def test_what_sounds_like_a_secret_and_formats_that_nobody_checks_are_noted():
    notes = manifest.parse(config(clientSecret={"type": "string"}, every={"type": "string", "format": "duration"})).notes

    assert any("'clientSecret'" in note for note in notes)
    assert any("'duration'" in note for note in notes)


def test_defaults_alone_are_settings_too():
    document = {key: value for key, value in metering().items() if key != "configSchema"}

    parsed = manifest.parse({**document, "defaultConfig": {"limit": 5, "isOn": True, "name": "x", "more": {"a": 1}}})

    assert {field["key"]: (field["type"], field["default"]) for field in parsed.settings["fields"]} == {
        "limit": ("number", 5),
        "isOn": ("boolean", True),
        "name": ("text", "x"),
        "more": ("json", {"a": 1}),
    }
