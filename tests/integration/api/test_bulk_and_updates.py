"""REST §8, §12 and §13 over the whole API."""

import pytest

from chalicelib import accounts, plugins
from chalicelib.accounts import Caller
from chalicelib.marketplace import repository as marketplace
from tests.integration.jobs.conftest import package

NEEDS = {"dependencies": [{"slug": "base", "version_constraint": "*"}]}


@pytest.fixture
def three(platform, repository):
    """``base``, ``shop`` that needs it, and ``other``; all active, and each with a newer release."""
    for version in ("1.0.0", "1.1.0"):
        repository.publish(package("base", version))
        repository.publish(package("shop", version, **NEEDS))
        repository.publish(package("other", version))
    marketplace.forget()
    for slug in ("base", "shop", "other"):
        assert platform.install(slug, version="1.0.0").status == "succeeded"
    return platform


def test_the_documents_update_answers_as_it_says(three, call):
    answer = call("POST", "/admin/plugins/base/update", {"version": "1.1.0", "backup": True})

    data = answer.body["data"]
    assert (answer.status, answer.body["message"]) == (200, "Plugin updated successfully")
    assert (data["slug"], data["previous_version"], data["current_version"], data["migrations_run"]) == ("base", "1.0.0", "1.1.0", 0)
    assert data["backup_path"].startswith("/backups/plugins/base-1.0.0")
    assert data["job_id"]
    assert call("POST", "/admin/plugins/base/update").error["code"] == "PLUGIN_UP_TO_DATE"
    assert call("POST", "/admin/plugins/base/update", {"version": "1.0.0", "package": "x"}).status == 422
    assert call("POST", "/admin/plugins/nobody/update", {}).status == 404


def test_an_update_that_fails_says_why_and_the_old_version_runs(three, call):
    three.loads["other"] = {"ok": False, "error": {"message": "API key is required"}}

    answer = call("POST", "/admin/plugins/other/update", {})

    assert (answer.status, answer.error["code"]) == (500, "UPDATE_FAILED")
    assert "API key is required" in answer.error["message"]
    assert plugins.get("other").version == "1.0.0"


def test_a_check_answers_as_the_document_says_and_the_list_shows_it(three, call):
    answer = call("POST", "/admin/plugins/check-updates").body["data"]
    listed = call("GET", "/admin/plugins", query={"with_update": "true"}).body
    details = call("GET", "/admin/plugins/base").body["data"]["update"]

    assert answer["updates_available"] == 3
    assert {"slug", "current_version", "latest_version", "is_security_update", "is_breaking_change"} <= set(answer["plugins"][0])
    assert answer["checked_at"]
    assert [one["latest_version"] for one in listed["data"]] == ["1.1.0"] * 3
    assert listed["meta"]["stats"]["updates_available"] == 3
    assert (details["available"], details["latest_version"], details["release_date"]) == (True, "1.1.0", "2026-01-02")


def test_each_plugin_is_done_by_itself_and_the_results_are_in_the_order_asked(three, call):
    asked = ["nobody", "base", "other"]
    answer = call("POST", "/admin/plugins/bulk", {"action": "deactivate", "plugins": asked}).body["data"]

    assert [one["slug"] for one in answer["results"]] == asked
    assert [one["success"] for one in answer["results"]] == [False, False, True]
    assert answer["results"][1]["error"] == "Cannot deactivate: other plugins depend on this plugin"
    assert (answer["processed"], answer["succeeded"], answer["failed"]) == (3, 1, 2)


@pytest.mark.parametrize("action", ["deactivate", "delete"])
def test_those_that_need_others_go_first(three, call, action):
    answer = call("POST", "/admin/plugins/bulk", {"action": action, "plugins": ["base", "shop"]}).body["data"]

    assert [one["success"] for one in answer["results"]] == [True, True], answer


def test_those_that_others_need_come_first(three, call):
    call("POST", "/admin/plugins/bulk", {"action": "deactivate", "plugins": ["base", "shop"]})

    answer = call("POST", "/admin/plugins/bulk", {"action": "activate", "plugins": ["shop", "base"]}).body["data"]

    assert [one["success"] for one in answer["results"]] == [True, True], answer


def test_many_are_updated(three, call):
    answer = call("POST", "/admin/plugins/bulk", {"action": "update", "plugins": ["shop", "base", "other"]}).body["data"]

    assert answer["succeeded"] == 3, answer
    assert {one.version for one in plugins.all_installed()} == {"1.1.0"}


def test_one_that_fails_among_many_says_so_with_its_code(three, call):
    three.loads["other"] = {"ok": False, "error": {"message": "API key is required"}}

    answer = call("POST", "/admin/plugins/bulk", {"action": "update", "plugins": ["other", "base"]}).body["data"]

    (failed, updated) = answer["results"]
    assert (failed["code"], "API key is required" in failed["error"]) == ("UPDATE_FAILED", True)
    assert (updated["success"], plugins.get("other").version) == (True, "1.0.0")


@pytest.mark.parametrize(
    "body",
    [
        {"action": "explode", "plugins": ["base"]},
        {"action": "activate", "plugins": []},
        {"action": "activate", "plugins": ["x"] * 51},
        {"action": "activate"},
        {"plugins": ["base"]},
        {"action": "activate", "plugins": "base"},
    ],
)
def test_bad_input_is_refused_by_field(platform, call, body):
    assert call("POST", "/admin/plugins/bulk", body).error["code"] == "VALIDATION_ERROR"


def test_pins_core_plugins_and_unknown_ones_are_refused_by_themselves_and_the_others_are_done(three, call, repository):
    repository.publish(package("heart", is_core=True))
    assert three.install("heart").status == "succeeded"
    assert call("PUT", "/admin/plugins/other/update-policy", {"pinned_version": "1.0.0"}).status == 200

    updated = call("POST", "/admin/plugins/bulk", {"action": "update", "plugins": ["other", "base", "base"]}).body["data"]
    gone = call("POST", "/admin/plugins/bulk", {"action": "delete", "plugins": ["heart", "other"]}).body["data"]

    assert [(one["slug"], one.get("code")) for one in updated["results"]] == [("other", "PLUGIN_PINNED"), ("base", None)]
    assert [(one["slug"], one.get("code")) for one in gone["results"]] == [("heart", "PLUGIN_IS_CORE"), ("other", None)]
    assert plugins.find("heart").is_active


@pytest.mark.parametrize(
    ("action", "permission"),
    [("activate", "plugins.activate"), ("deactivate", "plugins.activate"), ("update", "plugins.update"), ("delete", "plugins.uninstall")],
)
def test_each_action_needs_its_own_permission(platform, call, action, permission):
    accounts.create_user(username="vera", full_name="Vera", email="v@example.com", role="user", by=None)
    token = accounts.create_token(Caller("user", "vera", "Vera", "user", None), "t", None).text
    accounts.create_user(username="max", full_name="Max", email="m@example.com", role="manager", by=None)
    managers = Caller("user", "max", "Max", "manager", None)
    managers_token = accounts.create_token(managers, "t", None).text

    assert call("POST", "/admin/plugins/bulk", {"action": action, "plugins": ["x"]}, token=token).status == 403
    answer = call("POST", "/admin/plugins/bulk", {"action": action, "plugins": ["x"]}, token=managers_token)
    assert answer.status == (200 if managers.may(permission) else 403)
