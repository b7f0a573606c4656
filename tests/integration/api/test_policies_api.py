"""Update policies and plugin lists over the whole API, each within its budget."""

import base64

import pytest

from chalicelib import accounts
from chalicelib.accounts import Caller
from tests.integration.api.test_budgets import spend
from tests.integration.jobs.conftest import package

__all__ = ["spend"]
KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def mailer(platform, repository):
    repository.publish(package("mailer"))
    assert platform.install("mailer").status == "succeeded"
    repository.publish(package("mailer", "1.1.0", permissions=["email"]))
    return platform


def test_a_plugins_policy_is_replaced_as_a_whole_and_says_what_holds(mailer, spend):
    path, pattern = "/admin/plugins/mailer/update-policy", "/admin/plugins/{slug}/update-policy"
    assert spend("PUT", "/admin/update-policy", body={"automatic": "security", "wait_hours": 72}).status == 200

    wanted = {"pinned_version": "1.0.0", "skipped_versions": ["1.1.0"], "automatic": "all", "wait_hours": 1}
    changed = spend("PUT", path, pattern, wanted).body["data"]

    assert changed == {**wanted, "effective": {"automatic": "all", "wait_hours": 1}}
    assert spend("GET", path, pattern).body["data"] == changed
    assert spend("PUT", path, pattern, {}).body["data"] == {
        "pinned_version": None,
        "skipped_versions": [],
        "automatic": None,
        "wait_hours": None,
        "effective": {"automatic": "security", "wait_hours": 72},
    }
    shown = spend("GET", "/admin/update-policy").body["data"]
    assert shown.pop("changed_at")
    assert shown == {"automatic": "security", "wait_hours": 72, "changed_by": "ann", "last_check": None}
    assert spend("GET", "/admin/plugins/absent/update-policy", pattern).error["code"] == "PLUGIN_NOT_FOUND"
    assert spend("PUT", "/admin/plugins/absent/update-policy", pattern, {}).error["code"] == "PLUGIN_NOT_FOUND"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/admin/plugins/mailer/update-policy", {"pinned_version": "latest"}, "pinned_version"),
        ("/admin/plugins/mailer/update-policy", {"skipped_versions": ["x"]}, "skipped_versions"),
        ("/admin/plugins/mailer/update-policy", {"automatic": "often"}, "automatic"),
        ("/admin/plugins/mailer/update-policy", {"wait_hours": -1}, "wait_hours"),
        ("/admin/update-policy", {"automatic": "all", "wait_hours": None}, "wait_hours"),
        ("/admin/update-policy", {"automatic": "all"}, "wait_hours"),
        ("/admin/plugin-lists", {"allow": {"publishers": ["Ann"]}}, "allow.publishers"),
        ("/admin/plugin-lists", {"deny": {"plugins": ["No Slug"]}}, "deny.plugins"),
    ],
)
def test_what_means_nothing_is_refused_by_field_and_changes_nothing(call, path, body, field):
    before = call("GET", path).body.get("data")

    refused = call("PUT", path, body)

    assert (refused.status, list(refused.error["details"])) == (422, [field])
    assert call("GET", path).body.get("data") == before


def test_a_check_and_the_details_say_what_to_look_at_and_what_is_not_wanted(mailer, call, spend):
    found = spend("POST", "/admin/plugins/check-updates").body["data"]
    (update,) = found["plugins"]

    assert (found["updates_available"], found["unlisted"]) == (1, [])
    assert (update["requires_approval"], update["approval_reasons"]) == (True, {"more_scopes": ["email"]})
    assert (update["pinned"], update["skipped"]) == (False, False)
    details = call("GET", "/admin/plugins/mailer").body["data"]
    assert details["publisher"] is None
    assert details["update"]["approval_reasons"] == {"more_scopes": ["email"]}
    assert (details["update"]["available"], details["update"]["latest_version"]) == (True, "1.1.0")

    for policy, name in (({"pinned_version": "1.0.0"}, "pinned"), ({"skipped_versions": ["1.1.0"]}, "skipped")):
        call("PUT", "/admin/plugins/mailer/update-policy", policy)
        shown = call("GET", "/admin/plugins/mailer").body["data"]["update"]
        assert (shown[name], shown["available"], shown["latest_version"]) == (True, False, "1.1.0")
        checked = call("POST", "/admin/plugins/check-updates").body["data"]
        assert (checked["updates_available"], checked["plugins"][0][name]) == (0, True)
        listed = call("GET", "/admin/plugins").body
        assert (listed["data"][0]["has_update"], listed["data"][0]["latest_version"]) == (False, "1.0.0")
        assert listed["meta"]["stats"]["updates_available"] == 0


def test_lists_are_replaced_and_show_what_is_installed_all_the_same(mailer, call, spend):
    wanted = {"allow": {"plugins": [], "publishers": [KEY]}, "deny": {"plugins": ["mailer"], "publishers": ["Mallory"]}}

    changed = spend("PUT", "/admin/plugin-lists", body=wanted).body["data"]

    assert {name: changed[name] for name in wanted} == wanted
    assert [(one["slug"], one["status"]) for one in changed["denied"]] == [("mailer", "active")]
    assert (changed["changed_by"], spend("GET", "/admin/plugin-lists").body["data"]) == ("ann", changed)
    assert "denied plugins" in call("GET", "/admin/plugins").body["data"][0]["denied"]
    assert call("POST", "/admin/plugins/mailer/update", {}).error["code"] == "PLUGIN_DENIED"
    assert call("POST", "/admin/plugins/mailer/deactivate").status == 200
    refused = call("POST", "/admin/plugins/mailer/activate")
    assert (refused.status, refused.error["code"], refused.error["details"]["slug"]) == (403, "PLUGIN_DENIED", "mailer")


def test_policies_are_for_those_who_may(call):
    accounts.create_user(username="vera", full_name="Vera", email="v@example.com", role="user", by=None)
    token = accounts.create_token(Caller("user", "vera", "Vera", "user", None), "t", None).text

    for path, body in (
        ("/admin/update-policy", {"automatic": "all", "wait_hours": 0}),
        ("/admin/plugins/x/update-policy", {}),
        ("/admin/plugin-lists", {"deny": {}}),
    ):
        assert call("PUT", path, body, token=token).status == 403
