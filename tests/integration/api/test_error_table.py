"""Each code of the REST document's table, as somebody who asks for too much meets it."""

import pytest

from chalicelib.api.description import statuses
from chalicelib.marketplace import repository as marketplace
from tests.integration.jobs.conftest import package

MARKETPLACE = {"source": "marketplace", "activate": True}


@pytest.fixture
def shop(platform, repository):
    """``base``, ``top`` that needs it, and ``core``, which is one of the platform's own; all active."""
    repository.publish(package("base"))
    repository.publish(package("base", "1.1.0"))
    repository.publish(package("top", dependencies=[{"slug": "base", "version_constraint": "*"}]))
    repository.publish(package("core", is_core=True))
    repository.publish(package("broken"))
    marketplace.forget()
    assert platform.install("base", version="1.0.0").status == "succeeded"
    for slug in ("top", "core"):
        assert platform.install(slug).status == "succeeded"
    for slug in ("broken",):
        platform.loads[slug] = {"ok": False, "error": {"message": "API key is required"}}
    return platform


def test_each_code_of_the_table_is_met_with_its_status(shop, call, monkeypatch):
    plugins = "/admin/plugins"
    met = [
        ("PLUGIN_NOT_FOUND", call("POST", f"{plugins}/absent/activate")),
        ("PLUGIN_NOT_FOUND", call("POST", f"{plugins}/install", {**MARKETPLACE, "slug": "absent"})),
        ("PLUGIN_ALREADY_INSTALLED", call("POST", f"{plugins}/install", {**MARKETPLACE, "slug": "base"})),
        ("PLUGIN_ALREADY_ACTIVE", call("POST", f"{plugins}/base/activate")),
        ("PLUGIN_IS_CORE", call("POST", f"{plugins}/core/deactivate")),
        ("PLUGIN_IS_CORE", call("DELETE", f"{plugins}/core")),
        ("HAS_DEPENDENTS", call("POST", f"{plugins}/base/deactivate")),
        ("HAS_DEPENDENTS", call("DELETE", f"{plugins}/base")),
        ("INSTALLATION_FAILED", call("POST", f"{plugins}/install", {**MARKETPLACE, "slug": "broken"})),
        ("VALIDATION_ERROR", call("POST", f"{plugins}/install", {"source": "nowhere"})),
    ]
    shop.loads["base"] = {"ok": False, "error": {"message": "API key is required"}}
    met.append(("UPDATE_FAILED", call("POST", f"{plugins}/base/update", {"version": "1.1.0"})))
    del shop.loads["base"]
    for slug in ("top", "base"):
        assert call("POST", f"{plugins}/{slug}/deactivate").status == 200
    met.append(("DEPENDENCIES_NOT_MET", call("POST", f"{plugins}/top/activate")))
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_URL", "http://127.0.0.1:1")
    marketplace.forget()
    met.append(("MARKETPLACE_UNAVAILABLE", call("GET", f"{plugins}/marketplace")))
    met.append(("MARKETPLACE_UNAVAILABLE", call("POST", f"{plugins}/check-updates")))

    assert [(answer.error["code"], answer.status) for _, answer in met] == [(code, statuses()[code]) for code, _ in met]


def test_what_is_installed_works_while_the_marketplace_is_away(shop, call, monkeypatch):
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_URL", "http://127.0.0.1:1")
    marketplace.forget()

    assert call("GET", "/admin/plugins").status == 200
    assert call("GET", "/admin/plugins/top", query={"include": "settings,dependencies,permissions,changelog,events"}).status == 200
    assert call("POST", "/admin/plugins/top/deactivate").status == 200
    assert call("POST", "/admin/plugins/top/activate").status == 200
