"""People on the whole stack, with the roles and schedules that it has: single sign-on, removal by the sweeper, tiers at run time."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chalicelib.accounts import Caller
from chalicelib.sessions import leaving
from local import settings
from tests.e2e.aws import Account
from tests.e2e.client import BASE_PATH, Answer, Api, Refused, eventually
from tests.e2e.conftest import RunningStack
from tests.integration.accounts.oidc_provider import OidcProvider

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TEMPLATE = "firefox-browser"


@pytest.fixture
def provider(api: Api) -> Iterator[OidcProvider]:
    """Single sign-on is on, with a provider that signs in ``provider.person``; its group ``leads`` are managers."""
    with OidcProvider() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        about = {"issuer": server.issuer, "client_id": server.client_id, "client_secret": server.client_secret}
        api.put("/platform/sso", {**about, "roles": {"leads": "manager"}})
        yield server
        api.delete("/platform/sso")
        server.shutdown()


class Browser:
    """Follows what it is told, and keeps the cookies."""

    def __init__(self, api: Api) -> None:
        self.nobody = Api(api.url)
        self.cookies: dict[str, str] = {}

    def go(self, path: str) -> Answer:
        answer = self.nobody.raw("GET", path, headers={"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())})
        for text in answer.headers.getlist("Set-Cookie"):  # type: ignore[attr-defined]
            name, _, value = text.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def begin(self, after: str = "/api/v1/platform") -> str:
        """To the login page; where the provider's page is."""
        return str(self.go(f"{BASE_PATH}/auth/sso/login?{urlencode({'after': after})}").headers["Location"])

    def come_back(self, address: str, **instead: str) -> Answer:
        """Through the provider's page at ``address``, and back to the platform."""
        try:
            urllib.request.build_opener(_NoRedirects).open(address, timeout=30)
            raise AssertionError("the provider sends nobody back")
        except urllib.error.HTTPError as redirected:
            back = urlsplit(redirected.headers["Location"])
        given = {name: values[0] for name, values in parse_qs(back.query).items()}
        return self.go(f"{BASE_PATH}/auth/sso/callback?{urlencode({**given, **instead})}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def test_who_comes_from_the_provider_is_made_a_user_and_found_again_with_the_role_of_their_groups(api, provider):
    name = f"sso-{uuid.uuid4().hex[:8]}"
    provider.person = {"sub": name, "preferred_username": name, "name": "Jane Smith", "email": f"{name}@example.com", "groups": ["leads"]}
    browser = Browser(api)

    address = browser.begin()
    assert address.startswith(f"{provider.issuer}/authorize?")
    assert {"code_challenge", "state", "nonce"} <= set(parse_qs(urlsplit(address).query))
    first = browser.come_back(address)

    assert (first.status, urlsplit(first.headers["Location"]).path) == (303, "/api/v1/platform")
    user = Api(api.url, browser.cookies["__Host-streamspace"]).get("/auth/me")
    assert (user["username"], user["fullName"], user["tier"], user["role"]) == (name, "Jane Smith", "free", "manager")

    provider.person = {**provider.person, "preferred_username": "renamed", "groups": []}
    again = Browser(api)
    assert again.come_back(again.begin()).status == 303
    me = Api(api.url, again.cookies["__Host-streamspace"]).get("/auth/me")
    assert (me["username"], me["role"], me["createdAt"]) == (name, "user", user["createdAt"])
    api.delete(f"/users/{name}")


def test_a_sign_in_that_is_not_what_was_begun_is_refused(api, provider):
    provider.person = {"sub": "mallory", "preferred_username": f"mallory-{uuid.uuid4().hex[:8]}"}
    refused: dict[str, Answer] = {}

    other = Browser(api)
    other.begin()
    victim = Browser(api)
    refused["another browser's"] = other.come_back(victim.begin())
    refused["a state that was not given out"] = Browser(api).come_back(Browser(api).begin(), state="forged")
    browser = Browser(api)
    address = browser.begin()
    provider.claims = {"nonce": "another"}
    refused["another nonce"] = browser.come_back(address)
    provider.claims = {}
    browser = Browser(api)
    address = browser.begin()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    refused["another's code (PKCE)"] = browser.come_back(f"{provider.issuer}/authorize?{urlencode({**asked, 'code_challenge': 'A' * 43})}")
    browser = Browser(api)
    address = browser.begin()
    browser.come_back(address)
    refused["a second time"] = browser.come_back(address)

    assert {how: answer.status for how, answer in refused.items()} == dict.fromkeys(refused, 401)
    assert all('role="alert"' in answer.text for answer in refused.values())
    for user in api.get("/users", limit=1000):
        if user["username"].startswith("mallory-"):
            api.delete(f"/users/{user['username']}")


@pytest.fixture
def begin_removal(account: Account, stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Begin to remove a user as a request does that has no time for more: all the rest is the sweeper's."""
    for name in account.tables():
        if found := re.search(r"-(\w+)Table", name):
            monkeypatch.setenv(f"STREAMSPACE_{found[1].upper()}_TABLE", name)
    for name, value in {**settings.ROOT_CREDENTIALS, "AWS_ENDPOINT_URL": stack.aws_endpoint_url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(leaving, "IN_A_REQUEST_S", 0.0)
    by = Caller("user", stack.admin["username"], "Administrator", "admin", None)

    def begin(username: str) -> None:
        assert leaving.remove_user(username, delete_storage=True, by=by) is False

    return begin


def test_a_user_with_sessions_and_a_home_is_removed_by_the_sweeper_with_the_rights_it_has(api, user, account, stack, begin_removal):
    sessions = [user.api.post("/sessions", {"user": user.username, "template": TEMPLATE, "idleTimeout": "1h"}) for _ in range(2)]
    for session in sessions:
        user.api.running(session["id"])
    usage = api.get(f"/users/{user.username}/usage")
    assert (usage["sessions"]["used"], usage["storage"]["used"]) == (2, usage["storage"]["allowed"])
    begin_removal(user.username)

    answer = account.client("lambda").invoke(FunctionName=f"{settings.STACK_NAME}-session-sweeper", Payload=b"{}")

    assert "FunctionError" not in answer, answer["Payload"].read()
    # Unless the minute's own sweep was faster.
    assert json.load(answer["Payload"])["users_removed"] in (0, 1)
    eventually(lambda: is_gone(api, f"/users/{user.username}"), within_s=90)
    with pytest.raises(Refused) as dead:
        user.api.get("/auth/me")
    assert dead.value.status == 401
    assert api.get("/sessions", user=user.username) == []
    homes = f"{stack.kubernetes_url}/api/v1/namespaces/streamspace/persistentvolumeclaims/home-{user.username}"
    eventually(lambda: not exists(homes), within_s=90)


def test_an_administrator_is_removed_by_the_sweeper_of_a_platform_that_never_wrote_down_who_they_are(api, user, account, begin_removal):
    user.api.running(user.api.post("/sessions", {"user": user.username, "template": TEMPLATE})["id"])
    api.patch(f"/users/{user.username}", {"role": "admin"})
    (table,) = [name for name in account.tables() if "Accounts" in name]
    dynamodb, key = account.client("dynamodb"), {"pk": {"S": "PLATFORM"}, "sk": {"S": "ADMINISTRATORS"}}
    begin_removal(user.username)
    dynamodb.delete_item(TableName=table, Key=key)

    answer = account.client("lambda").invoke(FunctionName=f"{settings.STACK_NAME}-session-sweeper", Payload=b"{}")

    assert "FunctionError" not in answer, answer["Payload"].read()
    eventually(lambda: is_gone(api, f"/users/{user.username}"), within_s=90)
    names = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]["usernames"]["SS"]
    assert "admin" in names
    assert user.username not in names


def is_gone(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except Refused as refused:
        return refused.code == "USER_NOT_FOUND"
    return False


def exists(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise


def test_a_tier_that_becomes_smaller_holds_for_the_next_session(api, user):
    before = next(one for one in api.get("/admin/tiers") if one["tier"] == "free")
    own = {"maxSessions": None, "memory": None}
    api.patch(f"/users/{user.username}", {"quotas": own})
    session = user.api.post("/sessions", {"user": user.username, "template": TEMPLATE})
    api.put("/admin/tiers/free", {"quotas": {**before["quotas"], "maxSessions": 1}})
    try:
        with pytest.raises(Refused) as refused:
            user.api.post("/sessions", {"user": user.username, "template": TEMPLATE})
        assert (refused.value.code, refused.value.details["allowed"]) == ("QUOTA_EXCEEDED", 1)
        assert user.api.session(session["id"])["state"] == "running"
    finally:
        api.put("/admin/tiers/free", {"quotas": before["quotas"]})


def test_the_administrator_of_the_stack_stays(api, stack):
    with pytest.raises(Refused) as refused:
        api.delete(f"/users/{stack.admin['username']}")

    assert (refused.value.status, refused.value.code) == (409, "LAST_ADMINISTRATOR")
