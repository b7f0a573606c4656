"""The routes answer as the REST document shows them, to those who may ask, within their budget of AWS calls."""

from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import accounts
from chalicelib.api import plugins as plugin_routes
from chalicelib.core import clock
from chalicelib.plugins import registry

pytestmark = pytest.mark.usefixtures("secrets_key")

TEXT, NUMBER, BOOL, LIST, OBJECT, NONE = str, int, bool, list, dict, type(None)


def assert_shape(value, shape):
    """Every key of the document is there, with the type that it has there."""
    for key, kinds in shape.items():
        assert key in value, f"{key} is missing"
        assert isinstance(value[key], kinds), f"{key} is {value[key]!r}"
        if NUMBER in (kinds if isinstance(kinds, tuple) else (kinds,)):
            assert not isinstance(value[key], bool), f"{key} is {value[key]!r}"


IN_LIST = {
    "id": NUMBER,
    "slug": TEXT,
    "name": TEXT,
    "description": TEXT,
    "version": TEXT,
    "status": TEXT,
    "category": TEXT,
    "icon": TEXT,
    "author": OBJECT,
    "is_core": BOOL,
    "is_premium": BOOL,
    "has_settings": BOOL,
    "has_update": BOOL,
    "latest_version": TEXT,
    "has_valid_license": BOOL,
    "installed_at": TEXT,
    "activated_at": TEXT,
    "links": OBJECT,
}


def test_the_list_is_the_documents(api, invoices):
    answer = api("GET", "/admin/plugins")

    assert answer.status == 200
    (plugin,) = answer.data
    assert_shape(plugin, IN_LIST)
    assert plugin["icon"] == "/plugins/invoice-manager/icon.png"
    assert plugin["id"] < 2**53
    assert plugin["links"] == {
        "self": "/api/v1/admin/plugins/invoice-manager",
        "settings": "/api/v1/admin/plugins/invoice-manager/settings",
        "dependencies": "/api/v1/admin/plugins/invoice-manager/dependencies",
    }
    assert_shape(answer.body["meta"], {"current_page": NUMBER, "per_page": NUMBER, "total": NUMBER, "total_pages": NUMBER, "stats": OBJECT})
    assert answer.body["meta"]["stats"] == {"total": 1, "active": 1, "inactive": 0, "error": 0, "updates_available": 0}
    assert_shape(answer.body["links"], {"first": TEXT, "last": TEXT, "prev": (TEXT, NONE), "next": (TEXT, NONE)})


@pytest.fixture
def shop(install):
    install("zeta", displayName="alpha pages", category="CRM", description="Pages of customers")
    with clock.travel(60):
        install("beta", displayName="Beta", category="accounting", status="inactive")
    with clock.travel(120):
        install("gamma", displayName="Gamma", category="Accounting", status="error")
    registry.note_latest_version("beta", "1.1.0")


def test_filters_sorts_and_pages(api, shop):
    expected = [
        ({}, ["zeta", "beta", "gamma"]),
        ({"order": "desc"}, ["gamma", "beta", "zeta"]),
        ({"sort": "installed_at", "order": "desc"}, ["gamma", "beta", "zeta"]),
        ({"sort": "status"}, ["zeta", "gamma", "beta"]),
        ({"status": "error"}, ["gamma"]),
        ({"category": "accounting"}, ["beta", "gamma"]),
        ({"search": "ALPHA"}, ["zeta"]),
        ({"search": "customers pages"}, ["zeta"]),
        ({"search": "gam"}, ["gamma"]),
        ({"with_update": "true"}, ["beta"]),
        ({"per_page": 2}, ["zeta", "beta"]),
        ({"per_page": 2, "page": 2}, ["gamma"]),
        ({"page": 9}, []),
    ]

    answers = [(query, api("GET", "/admin/plugins", query=query)) for query, _ in expected]

    assert [(query, [one["slug"] for one in answer.data]) for query, answer in answers] == expected
    stats = {"total": 3, "active": 1, "inactive": 1, "error": 1, "updates_available": 1}
    assert all(answer.body["meta"]["stats"] == stats for _, answer in answers)


def test_a_query_that_makes_no_sense_names_its_parameter(api):
    for query in ({"status": "on"}, {"sort": "size"}, {"order": "up"}, {"per_page": 101}, {"page": 0}, {"page": "x"}):
        answer = api("GET", "/admin/plugins", query=query)

        assert (answer.status, answer.error["code"]) == (422, "VALIDATION_ERROR")
        assert set(answer.error["details"]) == set(query)


def test_an_update_and_an_error_show(api, shop):
    by_slug = {one["slug"]: one for one in api("GET", "/admin/plugins").data}

    assert (by_slug["beta"]["has_update"], by_slug["beta"]["latest_version"]) == (True, "1.1.0")
    assert (by_slug["zeta"]["has_update"], by_slug["zeta"]["latest_version"]) == (False, "1.0.0")
    assert by_slug["gamma"]["error"] == "API key is required"


def test_the_details_are_the_documents(api, invoices, install):
    install("core-finance", "1.6.2")

    answer = api("GET", "/admin/plugins/invoice-manager", query={"include": "dependencies,permissions"})

    assert_shape(
        answer.data,
        {
            **{key: kinds for key, kinds in IN_LIST.items() if key in ("id", "slug", "name", "version", "status", "icon", "author")},
            "screenshots": LIST,
            "homepage": TEXT,
            "documentation": TEXT,
            "requires_license": BOOL,
            "requirements": OBJECT,
            "tags": LIST,
            "installed_at": TEXT,
            "activated_at": TEXT,
            "updated_at": TEXT,
            "dependencies": LIST,
            "permissions": LIST,
            "registered_components": OBJECT,
            "license": NONE,
            "update": OBJECT,
        },
    )
    assert answer.data["dependencies"] == [
        {
            "slug": "core-finance",
            "version_constraint": "^1.5.0",
            "installed_version": "1.6.2",
            "status": "satisfied",
            "is_optional": False,
        },
        {
            "slug": "pdf-generator",
            "version_constraint": "^2.0.0",
            "installed_version": None,
            "status": "not_installed",
            "is_optional": True,
        },
    ]
    assert answer.data["permissions"] == [{"name": "invoices.view", "description": "View invoices", "default_roles": ["admin", "manager"]}]
    assert answer.data["registered_components"] == {
        "permissions": 1,
        "entities": 0,
        "widgets": 1,
        "menu_items": 0,
        "api_endpoints": 0,
        "workflows": 0,
        "scheduled_tasks": 0,
    }
    assert_shape(
        answer.data["update"],
        {
            "available": BOOL,
            "latest_version": TEXT,
            "release_date": (TEXT, NONE),
            "is_security_update": BOOL,
            "is_breaking_change": BOOL,
            "changelog_summary": (TEXT, NONE),
        },
    )
    assert not {"settings", "changelog", "events"} & set(answer.data)


def test_details_include_what_was_asked_for_within_their_budget(api, invoices, aws_calls):
    aws_calls.clear()

    answer = api("GET", "/admin/plugins/invoice-manager", query={"include": "settings,dependencies,permissions,changelog,events"})

    budget = next(one for one in plugin_routes.routes.declared if one.view is plugin_routes.details).aws_calls
    assert len(aws_calls) <= budget, aws_calls
    assert answer.data["changelog"] == "2.1.0: faster"
    assert answer.data["settings"]["values"]["invoice_prefix"] == "INV-"
    assert [one["event"] for one in answer.data["events"]] == ["activated", "installed"]


def test_an_unknown_include_is_answered_with_the_known_ones(api, invoices):
    answer = api("GET", "/admin/plugins/invoice-manager", query={"include": "settings,everything"})

    assert answer.status == 422
    assert "changelog" in answer.error["details"]["include"][0]


def test_settings_are_the_documents(api, invoices):
    answer = api("GET", "/admin/plugins/invoice-manager/settings", query={"group": "general"})

    assert answer.data["schema"]["tabs"] == [{"key": "general", "label": "General", "icon": "settings"}]
    assert answer.data["schema"]["fields"][0] == {
        "key": "invoice_prefix",
        "type": "text",
        "label": "Invoice Prefix",
        "tab": "general",
        "default": "INV-",
        "hint": "Prefix added to invoice numbers",
        "rules": "required|string|max:10",
    }
    assert answer.data["values"] == {"invoice_prefix": "INV-", "default_currency": "USD", "default_due_days": 30}


def test_settings_are_changed_as_in_the_document(api, invoices, aws_calls):
    sent = {"invoice_prefix": "INVOICE-", "default_currency": "EUR", "default_due_days": 14}
    aws_calls.clear()

    answer = api("PUT", "/admin/plugins/invoice-manager/settings", {"settings": sent})

    assert (answer.status, answer.body["message"], answer.data) == (200, "Settings updated successfully", sent)
    assert len(aws_calls) <= 6, aws_calls
    assert api("GET", "/admin/plugins/invoice-manager/settings").data["values"]["invoice_prefix"] == "INVOICE-"


def test_wrong_settings_are_answered_as_in_the_document(api, invoices):
    answer = api("PUT", "/admin/plugins/invoice-manager/settings", {"settings": {"invoice_prefix": "INVOICE-2024", "default_due_days": 0}})

    assert answer.status == 422
    assert answer.error == {
        "code": "VALIDATION_ERROR",
        "message": "The given data was invalid",
        "details": {
            "invoice_prefix": ["The invoice prefix must not exceed 10 characters"],
            "default_due_days": ["The due days must be between 1 and 365"],
        },
    }


def test_a_body_without_settings_is_refused(api, invoices):
    assert api("PUT", "/admin/plugins/invoice-manager/settings", {"invoice_prefix": "X"}).error["details"].keys() == {
        "settings",
        "invoice_prefix",
    }


def test_the_dependency_tree_is_the_documents(api, invoices, install):
    install("core-finance", "1.6.2", displayName="Core Finance", dependencies=[{"slug": "core-reports", "version_constraint": "^1.0.0"}])
    install("core-reports", displayName="Core Reports")
    install("billing", displayName="Subscription Billing", dependencies=[{"slug": "invoice-manager", "version_constraint": "^2.0.0"}])

    answer = api("GET", "/admin/plugins/invoice-manager/dependencies")

    finance, pdf = answer.data["dependencies"]
    assert finance == {
        "slug": "core-finance",
        "name": "Core Finance",
        "version_constraint": "^1.5.0",
        "installed_version": "1.6.2",
        "status": "satisfied",
        "is_optional": False,
        "is_direct": True,
        "dependencies": [
            {
                "slug": "core-reports",
                "name": "Core Reports",
                "version_constraint": "^1.0.0",
                "installed_version": "1.0.0",
                "status": "satisfied",
                "is_optional": False,
                "is_direct": False,
            }
        ],
    }
    assert (pdf["status"], pdf["installed_version"], pdf["name"]) == ("not_installed", None, "pdf-generator")
    assert answer.data["dependents"] == [{"slug": "billing", "name": "Subscription Billing", "requires": "^2.0.0"}]


def test_the_log_is_the_documents(api, invoices):
    api("PUT", "/admin/plugins/invoice-manager/settings", {"settings": {"invoice_prefix": "A-", "default_currency": "EUR"}})

    answer = api("GET", "/admin/plugins/invoice-manager/events")

    changed, activated, _installed = answer.data
    assert_shape(changed, {"id": NUMBER, "event": TEXT, "version": TEXT, "user": OBJECT, "payload": OBJECT, "created_at": TEXT})
    assert (changed["event"], changed["version"]) == ("settings_changed", "2.1.0")
    assert (changed["user"]["username"], changed["user"]["name"]) == ("the-admin", "Admin")
    assert changed["payload"] == {"changed_keys": ["invoice_prefix", "default_currency"]}
    assert activated["event"] == "activated"
    assert "payload" not in activated
    assert answer.body["meta"]["total"] == 3


def test_the_log_is_filtered_and_paged(api, invoices):
    expected = [
        ({"event": "activated"}, ["activated"]),
        ({"event": "plugin.installed"}, ["installed"]),
        ({"per_page": 1, "page": 2}, ["installed"]),
        ({"from": "2020-01-01"}, ["activated", "installed"]),
        ({"to": "2020-01-01T00:00:00Z"}, []),
        ({"from": "2099-01-01T00:00:00+02:00"}, []),
        ({"to": "2099-01-01"}, ["activated", "installed"]),
    ]

    answers = [(query, api("GET", "/admin/plugins/invoice-manager/events", query=query)) for query, _ in expected]

    assert [(query, [one["event"] for one in answer.data]) for query, answer in answers] == expected


def test_a_time_that_is_none_is_refused(api, invoices):
    assert set(api("GET", "/admin/plugins/invoice-manager/events", query={"from": "yesterday"}).error["details"]) == {"from"}


def test_what_is_not_installed_is_not_found(api):
    for path in ("", "/settings", "/dependencies", "/events"):
        answer = api("GET", f"/admin/plugins/absent{path}")

        assert (answer.status, answer.error["code"]) == (404, "PLUGIN_NOT_FOUND")


def test_nobody_without_the_permission_gets_anything(api, invoices):
    for route in plugin_routes.routes.declared:
        path = route.pattern.removeprefix("/api/v1").replace("{slug}", "invoice-manager")

        assert api(route.method, path, {"settings": {}}, role=None).status == 401
        answer = api(route.method, path, {"settings": {}}, role="user")
        assert (answer.status, answer.error["code"]) == (403, "PERMISSION_DENIED")
        assert answer.error["details"] == {"permission": route.permission}


def test_who_may_not_configure_does_not_see_settings_by_another_way(api, invoices):
    answer = api("GET", "/admin/plugins/invoice-manager", query={"include": "settings"}, role="manager")

    assert answer.status == 403


def test_each_reading_keeps_its_budget_of_aws_calls(api, invoices, aws_calls):
    for route in plugin_routes.routes.declared:
        if route.method == "GET":
            aws_calls.clear()

            assert api("GET", route.pattern.removeprefix("/api/v1").replace("{slug}", "invoice-manager")).status == 200

            assert len(aws_calls) <= route.aws_calls, (route.pattern, aws_calls)


def test_links_keep_what_was_asked_for_and_lead_to_every_page_once(api, install):
    for number in range(7):
        install(f"shop-{number}", category="shops")
    install("other")
    answer = api("GET", "/admin/plugins", query={"category": "shops", "per_page": 3, "sort": "name", "order": "desc"})
    assert answer.body["links"]["prev"] is None
    seen = [one["slug"] for one in answer.data]

    while answer.body["links"]["next"]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(answer.body["links"]["next"]).query).items()}
        assert {**query, "page": ""} == {"category": "shops", "per_page": "3", "sort": "name", "order": "desc", "page": ""}
        answer = api("GET", "/admin/plugins", query=query)
        seen += [one["slug"] for one in answer.data]

    assert seen == [f"shop-{number}" for number in reversed(range(7))]
    assert (answer.body["meta"]["from"], answer.body["meta"]["to"], answer.body["meta"]["total"]) == (7, 7, 7)


def test_all_filters_hold_together(api, install):
    install("right", displayName="Right one", category="shops", status="inactive")
    install("active", displayName="Right one", category="shops")
    install("elsewhere", displayName="Right one", category="crm", status="inactive")
    install("wrong", displayName="Wrong", category="shops", status="inactive")
    for slug in ("right", "active", "elsewhere", "wrong"):
        registry.note_latest_version(slug, "2.0.0")
    install("current", displayName="Right one", category="shops", status="inactive")
    query = {"status": "inactive", "category": "Shops", "search": "right ONE", "with_update": "true", "sort": "status"}

    assert [one["slug"] for one in api("GET", "/admin/plugins", query=query).data] == ["right"]


def test_a_page_costs_the_same_however_many_plugins_there_are(api, install, aws_calls):
    costs = []
    for number in range(12):
        install(f"plugin-{number}")
        if number in (0, 11):
            # Whether what administrators allow is read along depends on when it was read last.
            accounts.allowed.rates()
            aws_calls.clear()
            api("GET", "/admin/plugins", query={"per_page": 100})
            costs.append(list(aws_calls))

    assert costs[0] == costs[1]


def test_a_circle_of_dependencies_ends_where_it_closes(api, install):
    for slug, needs in (("one", "two"), ("two", "three"), ("three", "one")):
        install(slug, dependencies=[{"slug": needs, "version_constraint": "*"}])

    tree = api("GET", "/admin/plugins/one/dependencies").data

    path, level = [], tree["dependencies"]
    while level:
        path.append((level[0]["slug"], level[0]["is_direct"]))
        level = level[0].get("dependencies")
    assert path == [("two", True), ("three", False), ("one", False)]
    assert [one["slug"] for one in tree["dependents"]] == ["three"]


def test_a_config_schema_has_the_same_form_the_same_messages_and_the_same_endpoint(api, install):
    schema = {
        "type": "object",
        "properties": {
            "prefix": {"type": "string", "title": "Invoice Prefix", "maxLength": 10, "default": "INV-"},
            "days": {"type": "integer", "title": "Due Days", "minimum": 1, "maximum": 365, "default": 30},
            "key": {"type": "string", "title": "Key", "format": "password"},
        },
        "required": ["prefix"],
    }
    install("schemed", configSchema=schema)

    shown = api("GET", "/admin/plugins/schemed/settings").data
    wrong = api("PUT", "/admin/plugins/schemed/settings", {"settings": {"prefix": "INVOICE-2024", "days": 0, "other": 1}})
    right = api("PUT", "/admin/plugins/schemed/settings", {"settings": {"days": 14, "key": "s3cret"}})

    assert [(field["key"], field["type"], field["label"]) for field in shown["schema"]["fields"]] == [
        ("prefix", "text", "Invoice Prefix"),
        ("days", "integer", "Due Days"),
        ("key", "password", "Key"),
    ]
    assert shown["values"] == {"prefix": "INV-", "days": 30, "key": None}
    assert wrong.error["details"] == {
        "prefix": ["The invoice prefix must not exceed 10 characters"],
        "days": ["The due days must be between 1 and 365"],
        "other": ["Unknown setting; known are: days, key, prefix"],
    }
    assert right.data == {"days": 14, "key": None}
    after = api("GET", "/admin/plugins/schemed/settings").data
    assert (after["values"]["days"], after["schema"]["fields"][2]["is_set"]) == (14, True)
    assert "s3cret" not in str(after)


def test_a_value_that_a_pattern_takes_for_ever_to_check_is_refused_in_time(api, install):
    field = {"key": "code", "type": "text", "label": "Code", "tab": "t", "rules": "regex:/^(a+)+$/"}
    install("evil", settings={"tabs": [{"key": "t", "label": "T"}], "fields": [field]})

    answer = api("PUT", "/admin/plugins/evil/settings", {"settings": {"code": "a" * 60 + "!"}})

    assert (answer.status, answer.error["details"]) == (422, {"code": ["The code could not be checked: its pattern takes too long"]})
    assert api("PUT", "/admin/plugins/evil/settings", {"settings": {"code": "aaa"}}).status == 200
