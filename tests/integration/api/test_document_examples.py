"""The REST document's own examples: asked of a platform that really installs the plugins of which they tell, each answer has every key of
the example, with its type and in its place. More keys are welcome."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from chalicelib.api.description import statuses
from chalicelib.marketplace import repository as marketplace
from tests.integration.jobs.conftest import migrations, package
from tests.integration.licensing.conftest import office
from tests.rest_document import DOCUMENT, example, examples, needs_document

__all__ = ["office"]

pytestmark = needs_document

_FIELDS = [
    {
        "key": "invoice_prefix",
        "type": "text",
        "label": "Invoice Prefix",
        "tab": "general",
        "default": "INV-",
        "hint": "Prefix added to invoice numbers",
        "rules": "required|string|max:10",
    },
    {
        "key": "default_currency",
        "type": "select",
        "label": "Default Currency",
        "tab": "general",
        "default": "USD",
        "options": [{"value": one, "label": one} for one in ("USD", "EUR", "GBP")],
    },
    {
        "key": "default_due_days",
        "type": "integer",
        "label": "Due Days",
        "tab": "payment",
        "default": 30,
        "rules": "integer|between:1,365",
    },
    {"key": "auto_send_email", "type": "boolean", "label": "Send Invoice Email Automatically", "tab": "email", "default": True},
    {"key": "email_template", "type": "textarea", "label": "Email Template", "tab": "email", "default": "Dear {customer_name}..."},
]
_TABS = [{"key": key, "label": key.title(), "icon": "settings"} for key in ("general", "email", "payment")]
_TABLES = ("invoices", "invoice_items", "invoice_payments")
_INVOICES: dict[str, Any] = {
    "displayName": "Invoice Manager",
    "description": "Manage invoices, payments, and billing",
    "category": "accounting",
    "icon": "assets/icon.svg",
    "screenshots": ["assets/list.png"],
    "author": {"name": "Vendor Name", "url": "https://vendor.com", "email": "support@vendor.com"},
    "homepage": "https://vendor.com/invoice-manager",
    "documentation": "https://docs.vendor.com/invoice-manager",
    "is_premium": True,
    "requires_license": True,
    "requirements": {"system_version": "1.0.0", "php_version": "8.1", "extensions": ["gd", "zip"]},
    "tags": ["invoice", "billing"],
    "dependencies": [
        {"slug": "core-finance", "version_constraint": "^1.5.0"},
        {"slug": "pdf-generator", "version_constraint": "^2.0.0"},
    ],
    "contributes": {
        "permissions": [{"name": "invoices.view", "description": "View invoices", "default_roles": ["admin", "manager", "user"]}]
    },
    "settings": {"tabs": _TABS, "fields": _FIELDS},
    "files": {
        **migrations(*([{"op": "create_table", "table": table, "key": {"partition": "id"}}] for table in _TABLES)),
        "assets/list.png": "png",
    },
}
_NEEDS_INVOICES = {"dependencies": [{"slug": "invoice-manager", "version_constraint": "^2.0.0"}]}
_LISTED = {
    "icon": "https://marketplace.example/icon.png",
    "rating": 4.5,
    "short_description": "Build custom reports",
    "category": "reports",
}


@pytest.fixture
def shop(platform, repository, office):
    """The document's plugins in the marketplace, ``core-finance`` installed already."""
    for slug, version, more in (
        ("core-reports", "1.0.0", {"displayName": "Core Reports"}),
        ("core-finance", "1.6.2", {"dependencies": [{"slug": "core-reports", "version_constraint": "^1.0.0"}]}),
        ("pdf-generator", "2.1.0", {}),
        ("invoice-manager", "2.1.0", _INVOICES),
        ("subscription-billing", "1.0.0", _NEEDS_INVOICES),
        ("customer-portal", "1.0.0", _NEEDS_INVOICES),
        ("hr-management", "1.0.0", {}),
    ):
        repository.publish(package(slug, version, **more))
    for listing in repository.plugins.values():
        listing.update(_LISTED)
    repository.sign()
    marketplace.forget()
    assert platform.install("core-finance").status == "succeeded"
    return repository


def test_each_answer_has_every_key_of_the_documents_example_with_its_type_and_in_its_place(shop, call, office):
    faults: list[str] = []
    compared: set[str] = set()

    def told(name: str, method: str, path: str, body: Any = None, **kwargs: Any) -> Any:
        shown = example(name)
        answer = call(method, f"/admin/plugins{path}", body, **kwargs)
        found = differences(shown.value, answer.body)
        faults.extend(f"{name}: {one} ({answer.status})" for one in found)
        compared.add(name)
        return answer

    def section(number: int, what: str = "") -> str:
        wanted = (what,) if what else ("Example Response", "Response")
        return next(one.name for one in examples() if one.section.startswith(f"{number}. ") and one.label.startswith(wanted))

    own = "/invoice-manager"
    key = office.issue("invoice-manager")
    install = {**example(section(7, "Request Body (From Marketplace)")).value, "license_key": key}
    started = told(section(7), "POST", "/install", install)
    for name, keys in events_of(call("GET", f"/admin/plugins/install/{started.body['data']['job_id']}/progress").text):
        assert keys >= {"progress": {"step", "progress", "message"}, "complete": {"success", "plugin"}}[name]
    for slug in ("subscription-billing", "customer-portal", "hr-management"):
        assert call("POST", "/admin/plugins/install", {"source": "marketplace", "slug": slug, "activate": True}).status == 200
    shop.publish(package("invoice-manager", "2.2.0", **_INVOICES))
    shop.plugins["invoice-manager"]["releases"][0]["changelog"] = "Added Stripe integration"
    shop.sign()
    marketplace.forget()
    told(section(12), "POST", "/check-updates")
    told(section(1), "GET", "", query={"status": "active", "category": "accounting", "per_page": "10"})
    settings = example(section(4, "Request Body")).value
    told(section(4), "PUT", f"{own}/settings", settings)
    told(section(3), "GET", f"{own}/settings")
    told(section(4, "Validation"), "PUT", f"{own}/settings", {"settings": {"invoice_prefix": "INVOICE-2024", "default_due_days": 0}})
    told(section(10), "GET", f"{own}/dependencies")
    told(section(11), "GET", "/marketplace")
    told(section(15), "GET", f"{own}/events")
    told(section(2), "GET", own, query={"include": "dependencies,permissions"})
    told(section(8), "POST", f"{own}/update", example(section(8, "Request Body")).value)
    told(section(6, "Error"), "POST", f"{own}/deactivate")
    bulk = {"action": "deactivate", "plugins": ["pdf-generator", "hr-management"]}
    told(section(13), "POST", "/bulk", bulk)
    for slug in ("subscription-billing", "customer-portal"):
        assert call("DELETE", f"/admin/plugins/{slug}").status == 200
    told(section(6), "POST", f"{own}/deactivate")
    assert call("POST", "/admin/plugins/pdf-generator/deactivate").status == 200
    told(section(5, "Error"), "POST", f"{own}/activate")
    assert call("POST", "/admin/plugins/pdf-generator/activate").status == 200
    told(section(5), "POST", f"{own}/activate")
    assert call("POST", f"/admin/plugins{own}/license/deactivate").status == 200
    told(section(14), "POST", f"{own}/license/activate", {"license_key": key})
    told(section(9), "DELETE", own)

    assert not faults, "\n".join(faults)
    numbered = {one.name for one in examples() if re.match(r"\d+\. ", one.section) and one.is_answer}
    assert compared == numbered


def test_an_upload_is_installed_as_the_document_sends_it(platform, call):
    body = example("7. Install Plugin: Request Body (From Upload)").value
    assert set(body) == {"source", "package", "activate"}

    answer = call("POST", "/admin/plugins/install", {**body, "package": base64.b64encode(package("uploaded")).decode()})

    assert (answer.status, answer.body["data"]["plugin"]["status"]) == (200, "inactive")


def test_the_webhook_shown_is_taken(call, platform):
    webhook = example("Webhooks: Request Body").value

    answer = call("POST", "/admin/webhooks", webhook)

    assert (answer.status, answer.body["data"]["events"]) == (201, webhook["events"])


def test_each_page_has_the_documented_meta_and_links(call, platform):
    shown = example("Paginated Response: Paginated Response").value

    answer = call("GET", "/admin/plugins")

    assert set(shown["meta"]) <= set(answer.body["meta"])
    assert set(shown["links"]) == set(answer.body["links"])


def test_errors_and_successes_have_the_documented_form(call, aws):
    error, success = example("Error Response: Error Response").value, example("Success Response: Success Response").value

    assert differences(error, call("GET", "/admin/plugins/absent").body) == []
    assert differences({**success, "message": ""}, {**call("GET", "/platform").body, "message": ""}) == []


@pytest.mark.parametrize(
    ("code", "status"), re.findall(r"^\| ([A-Z_]+) \| (\d{3}) \|", DOCUMENT.read_text() if DOCUMENT.exists() else "", re.MULTILINE)
)
def test_each_code_of_the_table_has_its_status(code, status):
    assert statuses()[code] == int(status)


def events_of(stream: str) -> list[tuple[str, set[str]]]:
    blocks = re.findall(r"event: (\w+)\ndata: (.*)\n", stream)
    return [(name, set(json.loads(data))) for name, data in blocks]


def differences(shown: Any, given: Any, at: str = "") -> list[str]:
    """Where ``given`` lacks what ``shown`` has. Of a list's items, what all of the shown ones have all must have, and what one has, one."""
    if isinstance(shown, dict):
        if not isinstance(given, dict):
            return [f"{at} is {given!r:.60}, no object"]
        missing = [f"{at}.{key} is missing" for key in shown if key not in given]
        return missing + [fault for key in shown if key in given for fault in differences(shown[key], given[key], f"{at}.{key}")]
    if isinstance(shown, list):
        return _differences_of_lists(shown, given, at)
    if shown is None or _kind(shown) == _kind(given):
        return []
    return [f"{at} is {given!r:.60}, and not as {shown!r:.60}"]


def _differences_of_lists(shown: list[Any], given: Any, at: str) -> list[str]:
    if not isinstance(given, list) or (shown and not given):
        return [f"{at} is {given!r:.60}, no list with something in it"]
    if not shown:
        return []
    if not isinstance(shown[0], dict):
        return [fault for item in given for fault in differences(shown[0], item, f"{at}[]")]
    faults = []
    everywhere = set.intersection(*(set(one) for one in shown))
    for key in set().union(*shown):
        # A field's default has the field's own type, and each example has another field.
        examples_of = [None if key == "default" else one[key] for one in shown if key in one]
        fits = [key in item and any(not differences(one, item[key]) for one in examples_of) for item in given]
        if not (all(fits) if key in everywhere else any(fits)):
            faults.append(f"{at}[].{key} is {[item.get(key) for item in given]!r:.200}, and not as {examples_of[0]!r:.100}")
    return faults


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    return "number" if isinstance(value, int | float) else type(value).__name__
