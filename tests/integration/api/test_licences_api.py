"""REST §14, and what §1, §2, §5, §7 and §13 say of licences, over the whole API and within its budgets."""

from datetime import UTC, datetime

import pytest

from chalicelib import accounts
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.marketplace import repository as marketplace
from tests.integration.jobs.conftest import package
from tests.integration.licensing.conftest import office

__all__ = ["office"]

PATH = "/admin/plugins/paid/license"


@pytest.fixture
def paid(platform, repository, office):
    repository.publish(package("paid", requires_license=True))
    repository.publish(package("free"))
    marketplace.forget()
    for slug in ("paid", "free"):
        assert platform.install(slug).status == "succeeded"
    return platform


@pytest.fixture
def spend(call, whole_app, aws_calls):
    """``spend("POST", "/admin/plugins/paid/license/renew")``: the answer, once its calls were compared with the route's budget."""

    def make(method, path, body=None, pattern=None, **more):
        budget = whole_app.declared["/api/v1" + (pattern or path.replace("/paid", "/{slug}"))][method].aws_calls
        aws_calls.clear()
        answer = call(method, path, body, **more)
        assert len(aws_calls) <= budget, (budget, aws_calls)
        return answer

    return make


def row(call, slug="paid"):
    return next(one for one in call("GET", "/admin/plugins").body["data"] if one["slug"] == slug)


def block(call):
    return call("GET", "/admin/plugins/paid").body["data"]["license"]


def test_a_licences_life_as_the_document_shows_it(paid, spend, call, office):
    ends = int(clock.timestamp()) + 365 * 86400
    key = office.book.issue("paid", type="professional", features=("advanced_reports", "api_access"), expires_at=ends, seats=2)
    expires_at = clock.rfc3339(datetime.fromtimestamp(ends, UTC))
    nothing = {"status": "missing", "type": None, "expires_at": None, "days_remaining": None}
    assert (row(call)["has_valid_license"], row(call)["is_premium"], block(call)) == (False, True, nothing)

    activated = spend("POST", f"{PATH}/activate", {"license_key": key})

    assert activated.status == 200
    assert activated.body["data"] == {
        "status": "active",
        "type": "professional",
        "features": ["advanced_reports", "api_access"],
        "expires_at": expires_at,
    }
    assert block(call) == {"status": "active", "type": "professional", "expires_at": expires_at, "days_remaining": 365}
    assert row(call)["has_valid_license"] is True
    assert spend("POST", "/admin/plugins/paid/activate").body["data"]["status"] == "active"

    verified = spend("GET", f"{PATH}/verify").body["data"]
    assert verified.items() >= activated.body["data"].items()
    assert (verified["is_confirmed"], verified["license_key"], verified["seats"]) == (True, f"****-****-****-{key[-4:]}", 2)
    assert spend("POST", f"{PATH}/renew").body["data"]["seats_used"] == 1

    deactivated = spend("POST", f"{PATH}/deactivate")
    assert deactivated.body["data"] == {"status": "inactive", "slug": "paid", "plugin_status": "inactive"}
    assert (row(call)["has_valid_license"], block(call), office.seats_used()) == (False, nothing, 0)
    log = [one["event"] for one in call("GET", "/admin/plugins/paid/events").body["data"]]
    assert log == ["license_deactivated", "deactivated", "activated", "license_activated", "installed"]


def test_a_plugin_that_needs_no_licence_has_none_and_is_well(paid, call):
    assert row(call, "free")["has_valid_license"] is True
    assert call("GET", "/admin/plugins/free").body["data"]["license"] is None


def test_the_list_costs_the_same_however_many_plugins_have_licences(paid, spend, office, aws_calls):
    spend("GET", "/admin/plugins")
    without = len(aws_calls)
    spend("POST", f"{PATH}/activate", {"license_key": office.issue()})

    spend("GET", "/admin/plugins")

    assert len(aws_calls) == without == 3


@pytest.mark.parametrize(
    ("key", "status", "code", "details"),
    [
        (lambda office: "nonsense", 422, "VALIDATION_ERROR", {"license_key"}),
        (lambda office: 7, 422, "VALIDATION_ERROR", {"license_key"}),
        (lambda office: office.issue("other"), 403, "LICENSE_INVALID", {"reason", "slug", "licensed_plugin"}),
        (lambda office: office.issue(days=-1), 403, "LICENSE_EXPIRED", {"reason", "slug", "expires_at"}),
    ],
    ids=["no key", "a number", "of another plugin", "expired"],
)
def test_a_key_that_is_refused_says_why(paid, spend, office, key, status, code, details):
    answer = spend("POST", f"{PATH}/activate", {"license_key": key(office)})

    assert (answer.status, answer.error["code"], set(answer.error["details"])) == (status, code, details)


def test_without_a_licence_activating_is_forbidden_alone_and_among_many(paid, call):
    alone = call("POST", "/admin/plugins/paid/activate")
    call("POST", "/admin/plugins/free/deactivate")
    many = call("POST", "/admin/plugins/bulk", {"action": "activate", "plugins": ["paid", "free"]}).body["data"]

    assert (alone.status, alone.error["code"], alone.error["details"]["reason"]) == (403, "LICENSE_INVALID", "missing")
    assert [(one["slug"], one["success"], one.get("code")) for one in many["results"]] == [
        ("paid", False, "LICENSE_INVALID"), ("free", True, None)
    ]  # fmt: skip


def test_an_expired_licence_shows_and_is_no_licence(paid, call, office):
    call("POST", f"{PATH}/activate", {"license_key": office.issue(days=2)})

    with clock.travel(3 * 86400):
        refused = call("POST", "/admin/plugins/paid/activate")
        verified = call("GET", f"{PATH}/verify")
        shown = (row(call)["has_valid_license"], block(call)["status"], block(call)["days_remaining"])

    assert [(one.status, one.error["code"]) for one in (refused, verified)] == [(403, "LICENSE_EXPIRED")] * 2
    assert shown == (False, "expired", 0)


def test_while_the_service_is_away_verifying_answers_and_activating_and_renewing_say_so(paid, spend, call, office):
    key = office.issue()
    call("POST", f"{PATH}/activate", {"license_key": key})
    office.is_away()

    renewed, activated, verified = (
        spend("POST", f"{PATH}/renew"), spend("POST", f"{PATH}/activate", {"license_key": key}), spend("GET", f"{PATH}/verify")
    )  # fmt: skip

    assert [(one.status, one.error["code"]) for one in (renewed, activated)] == [(503, "LICENSE_SERVICE_UNAVAILABLE")] * 2
    assert (verified.status, verified.body["data"]["status"], verified.body["data"]["is_confirmed"]) == (200, "grace", False)
    assert row(call)["has_valid_license"] is True


def test_an_installation_with_a_wrong_key_is_refused_as_such_and_leaves_nothing(platform, repository, call, office):
    repository.publish(package("paid", requires_license=True))
    marketplace.forget()

    answer = call("POST", "/admin/plugins/install", {"source": "marketplace", "slug": "paid", "license_key": office.issue("other")})

    assert (answer.status, answer.error["code"]) == (403, "LICENSE_INVALID")
    assert (answer.error["details"]["step"], answer.error["details"]["cause"]["code"]) == ("licensing", "LICENSE_INVALID")
    assert "for another plugin" in answer.error["message"]
    assert answer.error["details"]["licensed_plugin"] == "other"
    assert call("GET", "/admin/plugins/paid").status == 404


def test_licences_are_for_those_who_may(paid, call):
    accounts.create_user(username="mo", full_name="Mo", email="mo@example.com", role="user", by=None)
    token = accounts.create_token(Caller("user", "mo", "Mo", "user", None), "test", None).text

    for method, action in (("POST", "activate"), ("POST", "deactivate"), ("GET", "verify"), ("POST", "renew")):
        answer = call(method, f"{PATH}/{action}", {"license_key": "x"} if action == "activate" else None, token=token)
        assert (answer.status, answer.error["code"]) == (403, "PERMISSION_DENIED")
    for method, action in (("POST", "deactivate"), ("GET", "verify"), ("POST", "renew")):
        assert call(method, f"/admin/plugins/nobody/license/{action}").error["code"] == "PLUGIN_NOT_FOUND"
        assert call(method, f"{PATH}/{action}").error["code"] == "LICENSE_INVALID"
