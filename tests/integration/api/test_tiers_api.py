"""The routes of tiers: who may call them, what they answer and cost."""

from typing import Any

import pytest

from chalicelib import accounts
from chalicelib.accounts import Caller

SMALL = {"memory": "1Gi", "maxSessions": 1, "storage": "5Gi", "maxSessionDuration": "1h"}
SHIPPED = {"memory": "4Gi", "maxSessions": 2, "storage": "10Gi", "maxSessionDuration": "4h"}


@pytest.fixture
def token(aws: Any) -> str:
    accounts.create_user(username="ann", full_name="Ann", email="ann@example.com", role="admin", by=None)
    return accounts.create_token(Caller("user", "ann", "Ann", "admin", None), "test", None).text


def budget(whole_app, method, pattern):
    return whole_app.declared[f"/api/v1{pattern}"][method].aws_calls


def test_a_tier_is_listed_changed_and_reset(call, whole_app, aws_calls):
    aws_calls.clear()
    listed = call("GET", "/admin/tiers").body["data"]
    assert len(aws_calls) <= budget(whole_app, "GET", "/admin/tiers")
    assert [one["tier"] for one in listed] == ["free", "pro", "enterprise"]
    assert listed[0] == {"tier": "free", "quotas": SHIPPED, "shippedQuotas": SHIPPED, "isChanged": False}

    aws_calls.clear()
    changed = call("PUT", "/admin/tiers/free", {"quotas": SMALL})
    assert len(aws_calls) <= budget(whole_app, "PUT", "/admin/tiers/{tier}")
    assert (changed.status, changed.body["data"]) == (
        200,
        {"tier": "free", "quotas": SMALL, "shippedQuotas": SHIPPED, "isChanged": True},
    )
    assert call("POST", "/users", {"username": "jane", "fullName": "Jane", "email": "j@example.com"}).body["data"]["quotas"] == SMALL

    aws_calls.clear()
    reset = call("DELETE", "/admin/tiers/free")
    assert len(aws_calls) <= budget(whole_app, "DELETE", "/admin/tiers/{tier}")
    assert reset.body["data"] == listed[0]
    assert call("GET", "/users/jane").body["data"]["quotas"] == SHIPPED


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "quotas"),
        ({"quotas": {**SMALL, "cpu": "1"}}, "quotas"),
        ({"quotas": {"memory": "1Gi"}}, "quotas"),
        ({"quotas": {**SMALL, "maxSessions": -1}}, "quotas.maxSessions"),
        ({"quotas": {**SMALL, "storage": "much"}}, "quotas.storage"),
    ],
)
def test_a_body_that_is_none_is_refused_by_its_field_and_changes_nothing(call, body, field):
    refused = call("PUT", "/admin/tiers/free", body)

    assert (refused.status, refused.error["code"]) == (422, "VALIDATION_ERROR")
    assert all(one.startswith(field) for one in refused.error["details"])
    assert not any(one["isChanged"] for one in call("GET", "/admin/tiers").body["data"])


def test_an_unknown_tier_is_not_found(call):
    for answer in (call("PUT", "/admin/tiers/gold", {"quotas": SMALL}), call("DELETE", "/admin/tiers/gold")):
        assert (answer.status, answer.error["code"], answer.error["details"]) == (404, "TIER_NOT_FOUND", {"tier": "gold"})


@pytest.mark.parametrize("role", ["manager", "user"])
def test_only_administrators_see_and_change_tiers(call, role):
    accounts.create_user(username="max", full_name="Max", email="m@example.com", role=role, by=None)
    token = accounts.create_token(Caller("user", "max", "Max", role, None), "t", None).text

    statuses = [
        call(method, path, body, token=token).status
        for method, path, body in (
            ("GET", "/admin/tiers", None),
            ("PUT", "/admin/tiers/free", {"quotas": SMALL}),
            ("DELETE", "/admin/tiers/free", None),
        )
    ]

    assert statuses == [403] * 3


def test_the_only_administrator_is_not_removed(call):
    refused = call("DELETE", "/users/ann")

    assert (refused.status, refused.error["code"], refused.error["details"]) == (409, "LAST_ADMINISTRATOR", {"username": "ann"})
    assert call("PATCH", "/users/ann", {"role": "user"}).error["code"] == "LAST_ADMINISTRATOR"
    assert call("GET", "/users/ann").status == 200
