"""A manifest is read in every shape that its authors write, or refused field by field."""

import json

import pytest

from chalicelib.accounts import SCOPES
from chalicelib.plugins import PackageInvalid, fields, manifest
from chalicelib.plugins.manifest import Dependency


def document(**changes):
    return {"name": "invoice-manager", "version": "2.1.0", "displayName": "Invoice Manager", "description": "Invoices", **changes}


def faults(**changes):
    with pytest.raises(PackageInvalid) as refused:
        manifest.parse(document(**changes))
    return refused.value.details


def test_the_least_manifest_is_a_node_extension_that_asks_for_nothing():
    parsed = manifest.parse({"name": "tiny", "version": "1.0.0"})

    assert (parsed.slug, parsed.display_name, parsed.type, parsed.runtime, parsed.main) == (
        "tiny",
        "tiny",
        "extension",
        "nodejs",
        "index.js",
    )
    assert (parsed.scopes, parsed.dependencies, parsed.has_settings) == (frozenset(), (), False)
    assert parsed.author == {"name": "Unknown"}


def test_everything_that_was_said_is_there():
    parsed = manifest.parse(
        document(
            author="Ann Lee <ann@example.com> (https://example.com)",
            runtime="python",
            permissions=["read:users", "email"],
            requirements={"streamspaceVersion": ">=1.0.0", "php_version": "8.1"},
            dependencies=[{"slug": "core-finance", "version_constraint": "^1.5.0"}, {"slug": "pdf", "is_optional": True}],
            repository={"type": "git", "url": "https://example.com/repo"},
            lifecycle={"onLoad": True},
        )
    )

    assert parsed.author == {"name": "Ann Lee", "email": "ann@example.com", "url": "https://example.com"}
    assert (parsed.runtime, parsed.main) == ("python", "plugin.py")
    assert parsed.scopes == {"read:users", "email"}
    assert parsed.requirements == {"system_version": ">=1.0.0", "php_version": "8.1"}
    assert parsed.dependencies == (Dependency("core-finance", "^1.5.0"), Dependency("pdf", "*", True))
    assert parsed.repository == "https://example.com/repo"
    assert parsed.raw["lifecycle"] == {"onLoad": True}


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("StreamSpace Team", {"name": "StreamSpace Team"}),
        ("Ann <ann@example.com>", {"name": "Ann", "email": "ann@example.com"}),
        ("Ann (https://example.com)", {"name": "Ann", "url": "https://example.com"}),
        ({"name": "Ann", "url": None, "email": "a@example.com"}, {"name": "Ann", "email": "a@example.com"}),
    ],
)
def test_an_author_is_a_text_as_npm_has_it_or_an_object(author, expected):
    assert manifest.parse(document(author=author)).author == expected


def test_a_python_entry_point_needs_no_runtime():
    parsed = manifest.parse(document(entrypoints={"main": "./src/main.py"}))

    assert (parsed.runtime, parsed.main) == ("python", "src/main.py")


def test_a_mapping_of_dependencies_names_packages_and_no_plugins():
    parsed = manifest.parse(document(dependencies={"axios": "^1.6.0"}))

    assert parsed.dependencies == ()
    assert parsed.packages == {"axios": "^1.6.0"}


def test_scheduled_tasks_are_read_under_their_older_name_too():
    parsed = manifest.parse(document(scheduler={"jobs": [{"name": "sum-up", "schedule": "0 * * * *"}]}))

    assert parsed.contributes["scheduled_tasks"] == [{"name": "sum-up", "schedule": "0 * * * *"}]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": "Invoice Manager"}),
        ("name", {"name": "a"}),
        ("name", {"name": "invoices\n"}),
        ("name", {"name": "@scope/invoices"}),
        ("name", {"name": "x" * 64}),
        ("name", {"name": 7}),
        ("version", {"version": "1.0"}),
        ("version", {"version": "v1.0.0"}),
        ("displayName", {"displayName": ""}),
        ("type", {"type": "app"}),
        ("author", {"author": 3}),
        ("tags.0", {"tags": [1]}),
        ("runtime", {"runtime": "ruby"}),
        ("entrypoints.main", {"entrypoints": {"main": "../index.js"}}),
        ("entrypoints.main", {"entrypoints": {"main": "/index.js"}}),
        ("entrypoints.main", {"entrypoints": {"main": "plugin.py"}, "runtime": "nodejs"}),
        ("permissions", {"permissions": ["teleport"]}),
        ("permissions", {"permissions": "network"}),
        ("requirements.system_version", {"requirements": {"system_version": "newest"}}),
        ("requirements.streamspaceVersion", {"requirements": {"streamspaceVersion": ">=one"}}),
        ("dependencies.0.slug", {"dependencies": [{"slug": "Core Finance"}]}),
        ("dependencies.0.slug", {"dependencies": [{"slug": "invoice-manager"}]}),
        ("dependencies.1.slug", {"dependencies": [{"slug": "pdf"}, {"slug": "pdf"}]}),
        ("dependencies.0.version_constraint", {"dependencies": [{"slug": "pdf", "version_constraint": "about 2"}]}),
        ("dependencies", {"dependencies": [{"version_constraint": "^1.0.0"}]}),
        ("settings.fields.0", {"settings": {"fields": [{"key": "a", "type": "text", "rules": "requierd"}]}}),
        ("settings.fields.0", {"settings": {"fields": [{"key": "a", "type": "text", "rules": "max:ten"}]}}),
        ("settings.fields.0", {"settings": {"fields": [{"key": "a", "type": "text", "rules": "regex:/(/"}]}}),
        ("settings.fields.0", {"settings": {"fields": [{"key": "a", "type": "text", "rules": "required_if:b,1"}]}}),
        ("settings.fields.0", {"settings": {"fields": [{"key": "a", "type": "select"}]}}),
        ("settings.fields.0", {"settings": {"fields": [{"key": "a", "type": "integer", "default": "many"}]}}),
        ("settings.fields.0", {"settings": {"tabs": [{"key": "one"}], "fields": [{"key": "a", "type": "text", "tab": "two"}]}}),
        ("settings.fields.1", {"settings": {"fields": [{"key": "a", "type": "text"}, {"key": "a", "type": "text"}]}}),
        ("settings.fields.0.type", {"settings": {"fields": [{"key": "a", "type": "sound"}]}}),
        ("configSchema", {"settings": {"fields": []}, "configSchema": {"properties": {}}}),
        ("configSchema", {"configSchema": {"properties": {"a": {"$ref": "http://169.254.169.254/"}}}}),
        ("configSchema.properties.a.type", {"configSchema": {"properties": {"a": {"type": "sound"}}}}),
        ("configSchema.properties.a.enum", {"configSchema": {"properties": {"a": {"type": "enum"}}}}),
        ("configSchema.properties.a", {"configSchema": {"properties": {"a": {"type": "string", "pattern": "("}}}}),
        ("configSchema.required", {"configSchema": {"properties": {}, "required": ["a"]}}),
        ("defaultConfig", {"configSchema": {"properties": {"a": {"type": "string"}}}, "defaultConfig": {"b": 1}}),
        ("contributes.scheduled_tasks.0.schedule", {"contributes": {"scheduled_tasks": [{"name": "a", "schedule": "hourly"}]}}),
        ("contributes.commands", {"contributes": {"commands": [{"name": "a"}, {"name": "a"}]}}),
        ("contributes.permissions.0.name", {"contributes": {"permissions": [{"name": "view"}]}}),
        ("contributes.gadgets", {"contributes": {"gadgets": []}}),
        ("permisions", {"permisions": ["network"]}),
        ("display_name", {"display_name": "X"}),
    ],
)
def test_each_fault_names_its_field(field, changes):
    found = faults(**changes)

    assert any(path == field or path.startswith(f"{field}.") for path in found), found


@pytest.mark.parametrize("word", sorted(manifest.ROUTE_WORDS))
def test_a_word_of_the_platforms_own_addresses_is_no_slug(word):
    assert "addresses" in faults(name=word)["name"][0]


def test_all_faults_are_told_at_once():
    found = faults(name="No Slug", version="one", permissions=["teleport"], entrypoints={"main": "plugin.go"})

    assert set(found) == {"name", "version", "permissions", "entrypoints.main"}


def test_an_unknown_scope_is_named_beside_the_known_ones():
    (sentence,) = faults(permissions=["read:users", "teleport"])["permissions"]

    assert "'teleport'" in sentence
    assert all(scope in sentence for scope in SCOPES)


@pytest.mark.parametrize(("main", "word"), [("billing_plugin.go", "Go"), ("plugin.rb", "Ruby"), ("index.ts", "compiled to JavaScript")])
def test_an_entry_point_in_another_language_is_refused_in_a_sentence(main, word):
    (sentence,) = faults(entrypoints={"main": main})["entrypoints.main"]

    assert main in sentence
    assert word in sentence


def test_a_slip_in_a_field_name_is_answered_with_the_right_one():
    assert "'dependencies'" in faults(dependancies=[])["dependancies"][0]


def test_a_config_schema_becomes_fields_with_the_same_rules():
    schema = {
        "type": "object",
        "properties": {
            "apiKey": {"type": "string", "format": "password", "title": "API Key"},
            "mode": {"type": "enum", "enum": ["fast", "slow"], "default": "fast"},
            "level": {"type": "string", "enum": ["info", "error"]},
            "rateLimit": {"type": "number", "minimum": 1, "maximum": 100, "default": 20, "title": "Rate Limit"},
            "hook": {"type": "string", "pattern": "^https://(a|b)\\.example/.*$"},
            "colors": {"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}},
            "rates": {"type": "object", "properties": {"cpu": {"type": "number", "default": 0.05}}},
            "nightly": {"type": ["boolean", "null"]},
        },
        "required": ["hook"],
    }

    settings = manifest.parse(document(configSchema=schema, defaultConfig={"level": "info"})).settings

    by_key = {field["key"]: field for field in settings["fields"]}
    assert {key: field["type"] for key, field in by_key.items()} == {
        "apiKey": "password",
        "mode": "select",
        "level": "select",
        "rateLimit": "number",
        "hook": "text",
        "colors": "multiselect",
        "rates": "json",
        "nightly": "boolean",
    }
    assert by_key["rateLimit"]["rules"] == "min:1|max:100"
    assert by_key["hook"]["rules"] == ["required", "regex:^https://(a|b)\\.example/.*$"]
    assert by_key["level"]["default"] == "info"
    assert by_key["mode"]["options"] == [{"value": "fast", "label": "fast"}, {"value": "slow", "label": "slow"}]
    assert by_key["rates"]["default"] == {"cpu": 0.05}
    assert by_key["nightly"]["label"] == "Nightly"
    assert {field["tab"] for field in settings["fields"]} == {"general"}


def test_values_of_a_nested_schema_are_checked_by_it():
    schema = {"properties": {"rates": {"type": "object", "properties": {"cpu": {"type": "number"}}}}}
    (field,) = manifest.parse(document(configSchema=schema)).settings["fields"]

    assert fields.value_faults(field, {"cpu": 1}, {}, {}) == []
    assert "cpu" in fields.value_faults(field, {"cpu": "much"}, {}, {})[0]


def test_the_published_schema_is_valid_and_knows_the_platforms_scopes():
    from jsonschema import Draft202012Validator

    schema = manifest.schema()

    Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]["permissions"]["items"]["anyOf"][0]["enum"]) == SCOPES
    field_types = schema["properties"]["settings"]["properties"]["fields"]["items"]["properties"]["type"]["enum"]
    assert tuple(field_types) == fields.TYPES


def test_a_manifest_that_the_table_cannot_hold_is_refused():
    assert "300 KB" in faults(extras={"notes": "x" * 310_000})["manifest.json"][0]


@pytest.mark.parametrize("deep", [10, 500])
def test_a_deeply_nested_manifest_is_read_or_refused_but_never_breaks(deep):
    nested: object = "end"
    for _ in range(deep):
        nested = [nested]

    assert manifest.parse(json.loads(json.dumps(document(extras=nested)))).slug == "invoice-manager"
