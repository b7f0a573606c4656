"""Single sign-on, with a provider whose tokens are really signed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from oidc_provider import OidcProvider, public

from chalicelib import accounts
from chalicelib.accounts import sso
from chalicelib.accounts.oidc import challenge_of
from chalicelib.accounts.sso import SsoSettings, role_of, suggested_username
from chalicelib.api import auth
from chalicelib.api import sso as routes
from chalicelib.api.http import Api
from chalicelib.core import clock, config
from tests.event_history import history

BUDGETS = {(route.method, route.pattern): route.aws_calls for route in routes.routes.declared}
PLATFORM = "https://platform.example"
JANE = {"sub": "0001", "preferred_username": "Jane.Smith", "name": "Jane Smith", "email": "jane@example.com", "email_verified": True}
VERIFIER = "v" * 43


@pytest.fixture
def provider(aws: Any) -> Iterator[OidcProvider]:
    server = OidcProvider()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    sso.forget()
    secrets_key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    with config.overridden(PUBLIC_API_URL=PLATFORM, SECRETS_KEY_ID=secrets_key):
        yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def configured(provider: OidcProvider) -> Callable[..., None]:
    """``configured(roles={…})``: single sign-on is on."""

    def make(**more: Any) -> None:
        sso.configure(SsoSettings(provider.issuer, provider.client_id, **more), provider.client_secret)
        provider.asked.clear()

    return make


@dataclass(frozen=True)
class Page:
    status: int
    headers: dict[str, Any]
    text: str

    @property
    def location(self) -> str:
        return str(self.headers["Location"])

    @property
    def cookies(self) -> dict[str, str]:
        found = self.headers.get("Set-Cookie") or []
        texts = found if isinstance(found, list) else [found]
        return dict(text.partition(";")[0].split("=", 1) for text in texts)


@pytest.fixture
def browser(aws: Any, aws_calls: list[str]) -> Callable[..., Page]:
    """``browser("/auth/sso/login", {…}, cookie=…)``, within the route's budget."""
    app = Api("test")
    app.include(auth.routes)
    app.include(routes.routes)

    def ask(path: str, query: dict[str, str] | None = None, *, method: str = "GET", body: Any = None, **headers: str) -> Page:
        event = {
            "httpMethod": method,
            "path": f"/api/v1{path}",
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
            "requestContext": {"requestId": "r", "identity": {"sourceIp": "192.0.2.1"}},
            "stageVariables": None,
        }
        aws_calls.clear()
        answer = app(event, None)
        assert len(aws_calls) <= BUDGETS[method, f"/api/v1{path}"], aws_calls
        return Page(answer["statusCode"], {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}, answer["body"])

    return ask


@pytest.fixture
def sign_in(provider: OidcProvider, browser: Callable[..., Page]) -> Callable[..., Page]:
    """``sign_in(JANE)``: what the browser gets when it comes back from the provider."""

    def go(who: dict[str, Any], *, login: dict[str, str] | None = None, **back: str) -> Page:
        begun = browser("/auth/sso/login", login)
        code = provider.authorize(begun.location, **who)
        state = parse_qs(urlsplit(begun.location).query)["state"][0]
        kept = back.pop("cookie", f"__Host-streamspace-sso={begun.cookies.get('__Host-streamspace-sso')}")
        return browser("/auth/sso/callback", {"code": code, "state": state, **back}, cookie=kept)

    return go


def who_is(page: Page) -> accounts.Caller:
    return accounts.caller_of(page.cookies["__Host-streamspace"])


def test_a_user_is_made_at_the_first_sign_in_and_found_at_the_next(configured, sign_in, browser):
    configured()
    begun = browser("/auth/sso/login")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.location).query).items()}
    assert asked["redirect_uri"] == f"{PLATFORM}/api/v1/auth/sso/callback"
    assert asked["scope"] == "openid profile email"

    first = sign_in(JANE, login={"after": "/api/v1/sessions/jane-firefox/enter?rd=x"})
    again = sign_in({**JANE, "preferred_username": "renamed", "email": "new@example.com"})

    assert (first.status, first.location) == (303, f"{PLATFORM}/api/v1/sessions/jane-firefox/enter?rd=x")
    user = accounts.get_user("jane-smith")
    assert (user.full_name, user.email, user.role, user.tier) == ("Jane Smith", "jane@example.com", "user", "free")
    assert who_is(first).id == who_is(again).id == "jane-smith"
    assert [event.type for event in history("user#jane-smith")] == ["user.login", "user.login", "user.created"]
    with pytest.raises(accounts.WrongCredentials):
        accounts.login("jane-smith", "")


def test_it_is_off_until_somebody_turns_it_on(provider, configured, browser):
    assert json.loads(browser("/auth/sso/login").text)["error"]["code"] == "SSO_NOT_CONFIGURED"
    configured()
    assert browser("/auth/sso/login").status == 303
    sso.turn_off()
    assert browser("/auth/sso/login").status == 404


def test_groups_give_roles_at_each_sign_in(configured, sign_in):
    configured(roles={"ops": "admin", "leads": "manager"})
    accounts.create_user(username="root", full_name="Root", email="root@example.com", role="admin", by=None)

    assert who_is(sign_in({**JANE, "groups": ["staff", "leads", "ops"]})).role == "admin"
    assert who_is(sign_in({**JANE, "groups": "leads"})).role == "manager"
    assert who_is(sign_in(JANE)).role == "user"


def test_the_last_administrator_signs_in_as_one_whatever_the_groups_say(configured, sign_in):
    configured(roles={"ops": "admin"})
    assert who_is(sign_in({**JANE, "groups": "ops"})).role == "admin"

    assert who_is(sign_in(JANE)).role == "admin"

    accounts.create_user(username="root", full_name="Root", email="root@example.com", role="admin", by=None)
    assert who_is(sign_in(JANE)).role == "user"


def test_without_a_mapping_roles_are_the_platforms_own_business(configured, sign_in):
    configured()
    sign_in(JANE)
    accounts.update_user("jane-smith", role="manager", by=None)

    assert who_is(sign_in({**JANE, "groups": ["admin"]})).role == "manager"


WRONG: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://evil.example"},
    "audience": {"aud": "another-client"},
    "no audience": {"aud": None},
    "another's part of the audience": {"aud": ["streamspace", "other"], "azp": "other"},
    "several audiences and no word for whom": {"aud": ["streamspace", "other"]},
    "expired": {"exp": 1_700_000_000},
    "never expires": {"exp": None},
    "from the future": {"iat": 4_000_000_000},
    "not yet": {"nbf": 4_000_000_000},
    "another sign-in's nonce": {"nonce": "other"},
    "no nonce": {"nonce": None},
    "no subject": {"sub": None},
    "a subject that is no text": {"sub": 7},
    "a time that is no number": {"exp": "4000000000"},
}


def test_a_token_that_is_wrong_in_anything_signs_nobody_in(configured, provider, sign_in):
    configured()
    for name, claims in WRONG.items():
        provider.claims = claims

        refused = sign_in(JANE)

        assert (refused.status, "__Host-streamspace" in refused.cookies) == (401, False), name
    assert accounts.find_user("jane-smith") is None
    provider.claims = {"aud": ["streamspace", "other"], "azp": "streamspace"}
    assert sign_in(JANE).status == 200


def test_a_token_with_another_signature_signs_nobody_in(configured, provider, sign_in):
    configured()
    forgeries: dict[str, tuple[str, dict[str, Any], bytes | None]] = {
        "another key under the same name": ("stranger", {"kid": "one"}, None),
        "an unknown key": ("stranger", {}, None),
        "a secret that everybody knows": ("one", {"alg": "HS256"}, json.dumps(public("one")).encode()),
        "no signature": ("one", {"alg": "none"}, None),
    }
    for name, (signed_by, header, secret) in forgeries.items():
        provider.signed_by, provider.header, provider.secret = signed_by, header, secret

        refused = sign_in(JANE)

        assert (refused.status, "__Host-streamspace" in refused.cookies) == (401, False), name


def test_a_new_key_is_learnt_at_once_and_unknown_ones_do_not_make_us_ask_again_and_again(configured, provider, sign_in):
    configured()
    sign_in(JANE)
    provider.published, provider.signed_by = ["one", "two"], "two"
    assert sign_in(JANE).status == 401, "the keys were read a moment ago"
    with clock.travel(61):
        provider.claims = {"exp": 4_000_000_000}
        assert sign_in(JANE).status == 200
        asked = provider.asked.count("/keys")
        provider.signed_by = "stranger"
        for _ in range(3):
            assert sign_in(JANE).status == 401
        assert provider.asked.count("/keys") == asked
    assert provider.asked.count("/.well-known/openid-configuration") == 1
    with clock.travel(3700):
        provider.signed_by, provider.published = "two", ["two"]
        assert sign_in(JANE).status == 200
        provider.signed_by = "one"
        assert sign_in(JANE).status == 401, "a key that was taken back is forgotten"


def test_a_sign_in_ends_once_and_in_the_browser_that_began_it(configured, provider, browser, sign_in):
    configured()
    assert sign_in(JANE, cookie="__Host-streamspace-sso=another").status == 401
    assert sign_in(JANE, cookie="").status == 401
    assert sign_in(JANE, iss="https://evil.example").status == 401
    assert sign_in(JANE, iss=provider.issuer).status == 200

    begun = browser("/auth/sso/login")
    state = parse_qs(urlsplit(begun.location).query)["state"][0]
    kept = f"__Host-streamspace-sso={begun.cookies['__Host-streamspace-sso']}"
    code = provider.authorize(begun.location, **JANE)
    with clock.travel(601):
        assert browser("/auth/sso/callback", {"code": code, "state": state}, cookie=kept).status == 401
    assert browser("/auth/sso/callback", {"code": code, "state": state}, cookie=kept).status == 200
    assert browser("/auth/sso/callback", {"code": code, "state": state}, cookie=kept).status == 401


def test_what_the_provider_refuses_is_told_as_text(configured, browser):
    configured()

    page = browser("/auth/sso/callback", {"error": "access_denied", "error_description": "<script>no</script>"})

    assert page.status == 401
    assert "&lt;script&gt;no" in page.text


def test_an_existing_user_is_taken_over_by_nobody(configured, person, sign_in):
    person("jane-smith", email="jane@example.com")
    configured()

    made = who_is(sign_in(JANE)).id

    assert made.startswith("jane-smith-")
    assert made != "jane-smith"


def test_an_existing_user_is_linked_by_a_verified_address_where_that_is_wanted(configured, person, sign_in):
    person("jane", email="jane@example.com")
    person("root", email="root@example.com", role="admin")
    configured(link_by_verified_email=True, creates_users=False)
    jane = {**JANE, "preferred_username": "jane"}

    assert sign_in({**jane, "email_verified": False}).status == 401
    assert sign_in({**jane, "email_verified": "true"}).status == 401
    assert sign_in({**jane, "email": "mallory@example.com"}).status == 401
    assert sign_in({**jane, "preferred_username": "root", "email": "root@example.com"}).status == 401
    assert who_is(sign_in(jane)).id == "jane"
    assert who_is(sign_in({**jane, "email_verified": False})).id == "jane", "by issuer and subject from now on"
    assert sign_in({**jane, "sub": "0002", "email_verified": False}).status == 401


def test_who_was_deleted_does_not_become_whoever_has_the_name_next(configured, person, sign_in):
    configured()
    sign_in(JANE)
    accounts.delete_user("jane-smith", None)
    with clock.travel(5):
        person("jane-smith", email="other@example.com", role="manager")

        again = who_is(sign_in(JANE))

    assert again.id.startswith("jane-smith-")
    assert again.role == "user"


def test_a_program_gets_its_token_for_a_code_and_its_secret_once(configured, browser, sign_in):
    configured()
    wanted = {"redirect_uri": "http://127.0.0.1:5000/done", "code_challenge": challenge_of(VERIFIER), "state": "mine"}

    def code() -> str:
        back = sign_in(JANE, login=wanted)
        assert back.location.startswith("http://127.0.0.1:5000/done?code=")
        assert "__Host-streamspace" not in back.cookies
        given = parse_qs(urlsplit(back.location).query)
        assert given["state"] == ["mine"]
        return given["code"][0]

    def token(code: str, verifier: str) -> Page:
        return browser("/auth/sso/token", method="POST", body={"code": code, "code_verifier": verifier})

    good = code()
    answer = token(good, VERIFIER)
    assert answer.status == 200
    data = json.loads(answer.text)["data"]
    assert (data["username"], data["role"]) == ("jane-smith", "user")
    assert accounts.caller_of(data["token"]).id == "jane-smith"
    assert token(good, VERIFIER).status == 401
    stolen = code()
    assert token(stolen, "w" * 43).status == 401
    assert token(stolen, VERIFIER).status == 401, "the code is spent"
    late = code()
    with clock.travel(61):
        assert token(late, VERIFIER).status == 401


def test_nobody_is_sent_elsewhere_after_signing_in(configured, browser):
    configured()
    challenge = {"code_challenge": challenge_of(VERIFIER)}
    for uri in (
        "https://evil.example/",
        "http://127.0.0.1/no-port",
        "http://127.0.0.1:80@evil.example/",
        "http://localhost.evil.example:80/",
        "https://platform.example.evil.example/",
        "https://platform.example@evil.example/",
        "javascript:alert(1)",
        "http://127.0.0.1:99999/",
    ):
        assert browser("/auth/sso/login", {"redirect_uri": uri, **challenge}).status == 422, uri
    for after in ("https://evil.example", "//evil.example", "/\\evil.example", "evil"):
        assert browser("/auth/sso/login", {"after": after}).status == 422, after
    assert browser("/auth/sso/login", {"redirect_uri": "http://127.0.0.1:80/"}).status == 422
    assert browser("/auth/sso/login", {"redirect_uri": f"{PLATFORM}/console/", **challenge}).status == 303


def test_settings_are_shown_without_the_secret_which_is_kept_for_the_same_client_only(provider, browser, signed_in, sign_in):
    authorization = f"Bearer {signed_in('root', role='admin')}"
    given = {"issuer": provider.issuer, "client_id": provider.client_id, "roles": {"ops": "admin"}}

    put = browser("/platform/sso", method="PUT", body={**given, "client_secret": provider.client_secret}, authorization=authorization)
    shown = json.loads(browser("/platform/sso", authorization=authorization).text)["data"]

    assert put.status == 200
    assert (shown["issuer"], shown["roles"], shown["creates_users"]) == (provider.issuer, {"ops": "admin"}, True)
    assert "s3cret" not in put.text + json.dumps(shown)
    assert sign_in(JANE).status == 200
    browser("/platform/sso", method="PUT", body={**given, "default_tier": "pro"}, authorization=authorization)
    assert sign_in(JANE).status == 200, "the secret is still there"
    assert browser("/platform/sso", method="DELETE", authorization=authorization).status == 200
    assert json.loads(browser("/platform/sso", authorization=authorization).text)["data"] is None
    assert browser("/platform/sso", method="PUT", body=given, authorization=f"Bearer {signed_in('jane')}").status == 403


def test_what_is_no_provider_is_refused_with_a_sentence(provider, browser, signed_in):
    authorization = f"Bearer {signed_in('root', role='admin')}"

    def refused(**given: Any) -> dict[str, Any]:
        body = {"issuer": provider.issuer, "client_id": "c", **given}
        answer = browser("/platform/sso", method="PUT", body=body, authorization=authorization)
        assert answer.status == 422
        return json.loads(answer.text)["error"]["details"]

    assert list(refused(issuer="http://elsewhere.example")) == ["issuer"]
    assert list(refused(issuer="http://127.0.0.1:1")) == ["issuer"]
    assert list(refused(scopes="profile")) == ["scopes"]
    assert list(refused(roles={"ops": "king"})) == ["roles.ops"]
    provider.document = {"issuer": "https://another.example"}
    assert "another issuer" in refused()["issuer"][0]
    provider.document = {"token_endpoint": "http://plain.example/token"}
    assert "https" in refused()["issuer"][0]
    assert sso.settings() is None


def test_a_provider_that_is_away_is_no_verdict(configured, provider, sign_in):
    configured()
    provider.token_status = 503
    assert sign_in(JANE).status == 503
    provider.token_status = 302
    assert sign_in(JANE).status in (401, 503)


@pytest.mark.parametrize(
    ("claims", "username"),
    [
        ({"preferred_username": "Jane.Smith@corp.example"}, "jane-smith"),
        ({"email": "j+tag@example.com"}, "j-tag"),
        ({"preferred_username": "---", "name": "Jörg Ä"}, "j-rg"),
        ({"preferred_username": "x" * 40}, "x" * 32),
    ],
    ids=["login name", "address", "name", "long"],
)
def test_a_username_is_made_that_is_a_valid_one(claims, username):
    assert suggested_username(claims) == username


def test_somebody_without_any_name_gets_one():
    assert suggested_username({"preferred_username": "日本"}).startswith("user-")


def test_the_most_powerful_role_of_somebodys_groups_counts():
    about = SsoSettings("i", "c", roles={"a": "manager", "b": "admin"}, default_role="user")

    assert role_of({"groups": ["a", "b", 7, None]}, about) == "admin"
    assert role_of({"groups": {"a": 1}}, about) == "user"
