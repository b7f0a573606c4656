"""The routes of accounts: who may call them, what they answer, what they cost."""

import pytest
from accounts_people import PASSWORD

from chalicelib import accounts
from chalicelib.api import auth, users

NEW = {"username": "mary", "fullName": "Mary Major", "email": "mary@example.com"}


def budget(method: str, pattern: str) -> int:
    return next(
        route.aws_calls
        for route in auth.routes.declared + users.routes.declared
        if (route.method, route.pattern) == (method, f"/api/v1{pattern}")
    )


def test_signing_in_answers_the_token_and_the_user_with_the_role(accounts_api, person, aws_calls):
    user = person("jane", role="manager")
    aws_calls.clear()

    answer = accounts_api("POST", "/auth/login", {"username": "jane", "password": PASSWORD})

    assert answer.status == 200
    assert set(answer.data) == {"token", "expires_at", "user"}
    assert answer.data["user"].pop("lastLogin") <= answer.data["expires_at"]
    assert answer.data["user"] == {**accounts.user_object(user), "role": "manager"}
    assert len(aws_calls) <= budget("POST", "/auth/login")


def test_a_wrong_name_and_a_wrong_password_answer_the_same(accounts_api, person):
    person("jane")

    answers = [
        accounts_api("POST", "/auth/login", {"username": name, "password": "wrong password"})
        for name in ("jane", "nobody", "No Such User!")
    ]

    assert {answer.status for answer in answers} == {401}
    assert answers[0].error == answers[1].error == answers[2].error


def test_signing_out_kills_the_token(accounts_api, signed_in, aws_calls):
    token = signed_in("jane")
    aws_calls.clear()

    assert accounts_api("POST", "/auth/logout", token=token).status == 200

    assert len(aws_calls) == budget("POST", "/auth/logout")
    assert accounts_api("GET", "/auth/me", token=token).status == 401


def test_me_is_the_caller_with_the_role(accounts_api, signed_in, aws_calls):
    token = signed_in("jane")
    aws_calls.clear()

    answer = accounts_api("GET", "/auth/me", token=token)

    assert answer.data == {**accounts.user_object(accounts.get_user("jane")), "role": "user"}
    aws_calls.pop()
    assert len(aws_calls) == budget("GET", "/auth/me")


def test_a_plugin_is_nobody(accounts_api, aws):
    token = accounts.issue_plugin_token("report", frozenset({"read:users", "admin"}))

    assert accounts_api("GET", "/auth/me", token=token).status == 403
    assert accounts_api("POST", "/auth/logout", token=token).status == 403
    assert accounts_api("GET", "/auth/tokens", token=token).status == 403


def test_a_personal_token_is_made_listed_and_revoked(accounts_api, signed_in, aws_calls):
    token = signed_in("jane", role="manager")
    aws_calls.clear()

    made = accounts_api("POST", "/auth/tokens", {"name": "ci", "scopes": ["read:users"], "expires_in_days": 7}, token=token)
    assert made.status == 201
    assert len(aws_calls) == budget("POST", "/auth/tokens")
    assert accounts_api("GET", "/users", token=made.data["token"]).status == 200
    assert accounts_api("POST", "/users", NEW, token=made.data["token"]).error["code"] == "PERMISSION_DENIED"

    aws_calls.clear()
    listed = accounts_api("GET", "/auth/tokens", token=token)
    assert len(aws_calls) == budget("GET", "/auth/tokens")
    assert listed.data == [{name: value for name, value in made.data.items() if name != "token"}]
    assert set(listed.data[0]) == {"id", "name", "scopes", "created_at", "expires_at"}

    aws_calls.clear()
    assert accounts_api("DELETE", f"/auth/tokens/{made.data['id']}", token=token).status == 200
    assert len(aws_calls) == budget("DELETE", "/auth/tokens/{id}")
    assert accounts_api("GET", "/users", token=made.data["token"]).status == 401
    assert accounts_api("DELETE", f"/auth/tokens/{made.data['id']}", token=token).error["code"] == "TOKEN_NOT_FOUND"


def test_a_user_is_created_with_the_documented_answer(accounts_api, signed_in, aws_calls):
    token = signed_in("root", role="admin")
    aws_calls.clear()

    answer = accounts_api(
        "POST", "/users", {**NEW, "tier": "pro", "quotas": {"memory": "32Gi", "maxSessions": 10}, "password": PASSWORD}, token=token
    )

    assert answer.status == 201
    assert len(aws_calls) == budget("POST", "/users")
    assert set(answer.data) == {"username", "fullName", "email", "tier", "quotas", "createdAt", "updatedAt"}
    assert answer.data["quotas"] == {"memory": "32Gi", "maxSessions": 10, "storage": "100Gi", "maxSessionDuration": "12h"}
    assert accounts_api("POST", "/users", NEW, token=token).error["code"] == "USER_ALREADY_EXISTS"
    assert accounts_api("POST", "/auth/login", {"username": "mary", "password": PASSWORD}).status == 200


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"email": "no address"}, "INVALID_EMAIL", "email"),
        ({"username": "Mary M"}, "VALIDATION_ERROR", "username"),
        ({"tier": "gold"}, "VALIDATION_ERROR", "tier"),
        ({"quotas": {"memory": "16GB"}}, "VALIDATION_ERROR", "quotas.memory"),
        ({"quotas": {"cpu": "1"}}, "VALIDATION_ERROR", "quotas.cpu"),
        ({"role": "root"}, "VALIDATION_ERROR", "role"),
        ({"password": "short"}, "VALIDATION_ERROR", "password"),
        ({"shoeSize": 43}, "VALIDATION_ERROR", "shoeSize"),
    ],
)
def test_a_faulty_field_is_named(accounts_api, signed_in, change, code, field):
    token = signed_in("root", role="admin")

    answer = accounts_api("POST", "/users", {**NEW, **change}, token=token)

    assert (answer.status, answer.error["code"], list(answer.error["details"])) == (422, code, [field])
    assert accounts.find_user("mary") is None


def test_users_are_listed_with_filter_paging_and_cursor(accounts_api, signed_in, person, aws_calls):
    token = signed_in("root", role="admin")
    for name in ("a", "b", "c"):
        person(name, tier="pro", password=None)
    aws_calls.clear()

    everybody = accounts_api("GET", "/users", token=token)
    assert len(aws_calls) == budget("GET", "/users")
    pros = accounts_api("GET", "/users", token=token, query={"tier": "pro", "limit": 2})
    rest = accounts_api("GET", "/users", token=token, query={"tier": "pro", "limit": 2, "cursor": pros.body["meta"]["next_cursor"]})

    assert [user["username"] for user in everybody.data] == ["a", "b", "c", "root"]
    assert [user["username"] for user in pros.data + rest.data] == ["a", "b", "c"]
    assert rest.body["meta"]["next_cursor"] is None
    assert accounts_api("GET", "/users", token=token, query={"limit": 1001}).status == 422


def test_one_user_is_read_by_oneself_and_by_those_who_may_view(accounts_api, signed_in, aws_calls):
    jane, manager = signed_in("jane"), signed_in("max", role="manager")
    aws_calls.clear()

    assert accounts_api("GET", "/users/jane", token=jane).data["username"] == "jane"
    assert len(aws_calls) == budget("GET", "/users/{username}")
    assert accounts_api("GET", "/users/jane", token=manager).status == 200
    assert accounts_api("GET", "/users/max", token=jane).status == 403
    assert accounts_api("GET", "/users", token=jane).status == 403
    assert accounts_api("GET", "/users/nobody", token=manager).error["code"] == "USER_NOT_FOUND"


def test_a_plugin_with_the_scopes_reads_and_writes_users(accounts_api, person):
    person("jane")
    token = accounts.issue_plugin_token("directory", frozenset({"read:users", "write:users"}))

    assert [user["username"] for user in accounts_api("GET", "/users", token=token).data] == ["jane"]
    assert accounts_api("PATCH", "/users/jane", {"tier": "enterprise"}, token=token).data["quotas"]["memory"] == "64Gi"
    assert accounts_api("PATCH", "/users/jane", {"role": "admin"}, token=token).error["details"] == {"scope": "admin"}


def test_the_dearest_change_of_a_user_keeps_to_its_budget(accounts_api, signed_in, aws_calls):
    token = signed_in("root", role="admin")
    aws_calls.clear()

    answer = accounts_api(
        "PATCH",
        "/users/root",
        {"fullName": "Root", "email": "r@example.com", "tier": "pro", "role": "admin", "quotas": {"memory": None},
         "password": "another long one", "currentPassword": PASSWORD},
        token=token,
    )  # fmt: skip

    assert answer.status == 200
    assert len(aws_calls) == budget("PATCH", "/users/{username}")


def test_no_route_of_accounts_scans(accounts_api, signed_in, aws_calls):
    token = signed_in("root", role="admin")

    accounts_api("GET", "/users", token=token)
    accounts_api("PATCH", "/users/root", {"role": "admin"}, token=token)
    accounts_api("GET", "/auth/tokens", token=token)

    assert "Scan" not in aws_calls
