"""A session's own address: who gets in, as ingress-nginx asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from chalicelib import accounts, sessions
from chalicelib.api import visits as visit_routes
from chalicelib.core import clock, config
from chalicelib.core.errors import Unauthenticated

HOST = "john-firefox.streamspace.local"
BUDGETS = {(route.method, route.pattern): route.aws_calls for route in visit_routes.routes.declared}


@dataclass(frozen=True)
class Page:
    status: int
    headers: dict[str, Any]
    text: str

    @property
    def cookie(self) -> str | None:
        """The last cookie that is set, as the browser sends it back."""
        set_cookie = self.headers.get("Set-Cookie")
        last = set_cookie[-1] if isinstance(set_cookie, list) else set_cookie
        return last.partition(";")[0] if last else None

    @property
    def ticket(self) -> str:
        return parse_qs(urlsplit(self.headers["Location"]).query)["streamspace_ticket"][0]


@pytest.fixture
def browser(platform: Any) -> Callable[..., Page]:
    """``browser("GET", "/sessions/john-firefox/enter", cookie=…)``: a request as API Gateway passes it on."""
    platform.app.include(visit_routes.routes)

    def ask(method: str, path: str, *, query: dict[str, str] | None = None, body: str | None = None, **headers: str | None) -> Page:
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        event = {
            "httpMethod": method,
            "path": f"/api/v1{path}",
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
            "body": body,
            "isBase64Encoded": False,
            "requestContext": {"requestId": "r", "domainName": "api.example.com", "identity": {"sourceIp": "192.0.2.1"}},
            "stageVariables": None,
        }
        answer = platform.app(event, None)
        return Page(answer["statusCode"], {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}, answer["body"])

    return ask


@pytest.fixture
def ingress(browser: Callable[..., Page]) -> Callable[..., Page]:
    """``ingress(path, cookie=…)``: what ingress-nginx asks before it lets a browser's request for ``path`` through."""

    def ask(path: str = "/", *, session: str = "john-firefox", method: str = "GET", **headers: str | None) -> Page:
        given = {
            "x_original_url": f"https://{session}.streamspace.local{path}",
            "x_original_method": method,
            "x_auth_request_redirect": path,
            "x_sent_from": "nginx-ingress-controller",
            **headers,
        }
        return browser("GET", f"/sessions/{session}/auth", **given)

    return ask


@pytest.fixture
def token_of(platform: Any) -> Callable[..., str]:
    """``token_of("john")``: a token of a new person's, without the half second that a password takes."""

    def make(username: str, role: str = "user") -> str:
        return accounts.create_token(platform.user(username, role=role), "test", None).text

    return make


@pytest.fixture
def john(platform: Any, token_of: Callable[..., str]) -> str:
    """John's token; he has a session of firefox."""
    platform.template()
    token = token_of("john")
    platform.session()
    return token


@pytest.fixture
def enter(browser: Callable[..., Page], ingress: Callable[..., Page]) -> Callable[..., str]:
    """``enter(token)``: the visit's cookie of whoever is signed in with ``token``."""

    def get(token: str, session: str = "john-firefox") -> str:
        there = browser("GET", f"/sessions/{session}/enter", cookie=f"__Host-streamspace={token}")
        inside = ingress(f"/?streamspace_ticket={there.ticket}", session=session)
        assert inside.status == 200
        assert inside.cookie is not None
        return inside.cookie

    return get


def test_the_way_in(john, browser, ingress, platform):
    accounts.set_password("john", "correct horse", by=None)
    stranger = ingress("/editor?file=a%20b")
    page = browser("GET", "/sessions/john-firefox/enter", query={"rd": f"https://{HOST}/editor?file=a%20b"})
    form = f"username=john&password={quote('correct horse')}"
    signed_in = browser(
        "POST",
        "/sessions/john-firefox/enter",
        query={"rd": f"https://{HOST}/editor?file=a%20b"},
        body=form,
        content_type="application/x-www-form-urlencoded",
    )
    arrived = ingress(f"/editor?file=a+b&streamspace_ticket={signed_in.ticket}")
    later = ingress("/editor", cookie=f"app=1; {arrived.cookie}; broken[]=;x")

    assert stranger.status == 401
    assert (page.status, "<form" in page.text) == (401, True)
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert signed_in.status == 303
    assert signed_in.headers["Location"].startswith(f"https://{HOST}/editor?file=a+b&streamspace_ticket=ss_")
    sign_in_cookie = signed_in.headers["Set-Cookie"][0]
    assert sign_in_cookie.startswith("__Host-streamspace=ss_")
    assert arrived.status == 200
    visit_cookie = arrived.headers["Set-Cookie"]
    assert visit_cookie.startswith("__Host-streamspace-visit=ss_")
    for cookie in (sign_in_cookie, visit_cookie):
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert (later.status, later.cookie) == (200, None)
    assert sessions.get_session("john-firefox", by=platform.admin).last_activity is not None


def test_an_open_tab_costs_two_reads_a_request_and_now_and_then_a_note_of_activity(john, enter, ingress, aws_calls):
    visit = enter(john)

    aws_calls.clear()
    ingress(cookie=visit)
    assert [one.removeprefix("Batch") for one in aws_calls] == ["GetItem", "GetItem"]
    with clock.travel(15 * 60):
        aws_calls.clear()
        ingress(cookie=visit)
        assert [one.removeprefix("Batch") for one in aws_calls] == ["GetItem", "GetItem", "UpdateItem"]


def test_each_way_in_stays_within_its_budget(john, browser, ingress, aws_calls):
    accounts.set_password("john", "correct horse", by=None)

    def spent(method: str, name: str, page: Page) -> Page:
        assert len(aws_calls) <= BUDGETS[method, f"/api/v1/sessions/{{id}}/{name}"], aws_calls
        aws_calls.clear()
        return page

    aws_calls.clear()
    there = spent("GET", "enter", browser("GET", "/sessions/john-firefox/enter", cookie=f"__Host-streamspace={john}"))
    inside = spent("GET", "auth", ingress(f"/?streamspace_ticket={there.ticket}"))
    with clock.travel(2400):
        assert spent("GET", "auth", ingress(cookie=inside.cookie)).status == 200
    made = spent("POST", "tickets", browser("POST", "/sessions/john-firefox/tickets", authorization=f"Bearer {john}"))
    form = f"username=john&password={quote('correct horse')}"
    kind = "application/x-www-form-urlencoded"
    assert spent("POST", "enter", browser("POST", "/sessions/john-firefox/enter", body=form, content_type=kind)).status == 303
    assert made.status == 201
    assert json.loads(made.text)["data"]["url"].startswith(f"https://{HOST}/?streamspace_ticket=ss_")


def test_only_the_owner_and_administrators_get_in(john, token_of, browser, enter, ingress):
    for username, role in {"jane": "user", "boss": "manager"}.items():
        token = token_of(username, role)
        assert browser("GET", "/sessions/john-firefox/enter", cookie=f"__Host-streamspace={token}").status == 403
        assert browser("POST", "/sessions/john-firefox/tickets", authorization=f"Bearer {token}").status == 403
    plugin = accounts.issue_plugin_token("spy", frozenset({"write:sessions", "admin"}))

    assert browser("POST", "/sessions/john-firefox/tickets", authorization=f"Bearer {plugin}").status == 403
    assert ingress(cookie=enter(token_of("root", "admin"))).status == 200


def test_an_administrator_who_is_one_no_more_is_out(john, token_of, enter, ingress):
    visit = enter(token_of("root", "admin"))
    token_of("next", "admin")

    accounts.update_user("root", role="manager", by=None)

    assert ingress(cookie=visit).status == 403


def test_a_ticket_works_once_in_a_minute_and_for_its_session_only(john, platform, browser, ingress):
    platform.session()
    other = next(one.id for one in sessions.list_sessions(by=platform.admin).sessions if one.id != "john-firefox")

    def ticket() -> str:
        return browser("GET", "/sessions/john-firefox/enter", cookie=f"__Host-streamspace={john}").ticket

    used, stale, elsewhere = ticket(), ticket(), ticket()
    assert ingress(f"/?streamspace_ticket={used}").status == 200
    assert ingress(f"/?streamspace_ticket={used}").status == 401
    with clock.travel(62):
        assert ingress(f"/?streamspace_ticket={stale}").status == 401
    assert ingress(f"/?streamspace_ticket={elsewhere}", session=other).status == 401
    assert ingress("/?streamspace_ticket=nonsense").status == 401


def test_what_a_session_can_read_opens_nothing_else(john, platform, enter, ingress, browser):
    platform.session()
    other = next(one.id for one in sessions.list_sessions(by=platform.admin).sessions if one.id != "john-firefox")
    cookie = enter(john)
    visit = cookie.partition("=")[2]

    assert ingress(session=other, cookie=cookie).status == 401
    with pytest.raises(Unauthenticated):
        accounts.caller_of(visit)
    assert browser("GET", "/sessions/john-firefox/enter", cookie=f"__Host-streamspace={visit}").status == 401


def test_a_token_of_the_platform_is_turned_away_before_the_session_can_read_it(john, enter, ingress):
    cookie = enter(john)

    assert ingress(cookie=cookie, authorization=f"Bearer {john}").status == 403
    assert ingress(cookie=cookie, authorization="Basic YXBwOnBhc3N3b3Jk").status == 200, "the application's own sign-in passes"
    assert ingress(authorization=f"Bearer {john}").status == 403


def test_a_visit_ends_with_the_sign_in_that_made_it(john, platform, enter, ingress):
    ended = {
        "signing out": lambda token: accounts.logout(accounts.caller_of(token)),
        "a new password": lambda token: accounts.set_password("john", "another horse", by=None),
    }
    accounts.set_password("john", "correct horse", by=None)
    for way, end in ended.items():
        token = accounts.login("john", "correct horse").token
        visit = enter(token)
        end(token)
        assert ingress(cookie=visit).status == 401, way
    caller = accounts.caller_of(john)
    personal = accounts.create_token(caller, "laptop", None)
    visit = enter(personal.text)
    accounts.revoke_token(caller, personal.token.id)
    assert ingress(cookie=visit).status == 401
    visit = enter(john)
    sessions.remove_user("john", delete_sessions=False, by=platform.admin)
    assert ingress(cookie=visit).status == 401


def test_a_visit_lasts_an_hour_and_longer_for_who_goes_on_visiting(john, enter, ingress):
    idle, used = enter(john), enter(john)

    with clock.travel(40 * 60):
        assert ingress(cookie=used).status == 200
    with clock.travel(80 * 60):
        assert ingress(cookie=used).status == 200
        assert ingress(cookie=idle).status == 401
    with clock.travel(110 * 60):
        assert ingress(cookie=used).status == 200
    with clock.travel(91 * 86400):
        assert ingress(cookie=used).status == 401


def test_a_session_that_does_not_run_lets_nobody_in_and_the_page_says_why(john, platform, enter, ingress, browser):
    visit = enter(john)
    for state in ("hibernated", "terminated", "deleted"):
        if state == "deleted":
            sessions.delete_session("john-firefox", by=platform.admin)
        else:
            sessions.update_session("john-firefox", {"state": state}, by=platform.admin)

        page = browser("GET", "/sessions/john-firefox/enter", cookie=f"__Host-streamspace={john}")

        assert ingress(cookie=visit).status == 403
        assert ingress().status == 401, "a stranger learns nothing of it"
        assert (page.status, "Location" in page.headers) == (404 if state == "deleted" else 409, False)
        assert ("wake it" in page.text) == (state == "hibernated")


def test_who_is_unknown_learns_nothing_of_which_sessions_there_are(john, ingress):
    there, nowhere = ingress(), ingress(session="no-such")

    assert there.status == nowhere.status == 401
    assert json.loads(there.text)["error"] == json.loads(nowhere.text)["error"]


OWN = f"https://{HOST}"
NEIGHBOUR = "https://jane-evil.streamspace.local"


REQUESTS: list[tuple[int, dict[str, str]]] = [
    (200, {"origin": OWN, "sec_fetch_site": "same-origin", "sec_fetch_mode": "websocket", "sec_websocket_version": "13"}),
    (200, {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}),
    (200, {"sec_fetch_site": "none", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}),
    (
        200,
        {
            "sec_fetch_site": "cross-site",
            "sec_fetch_mode": "navigate",
            "sec_fetch_dest": "iframe",
            "referer": "https://api.example.com/console",
        },
    ),
    (403, {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe", "referer": f"{NEIGHBOUR}/"}),
    (403, {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}),
    (403, {"origin": NEIGHBOUR, "sec_fetch_site": "same-site", "sec_fetch_mode": "websocket", "sec_websocket_version": "13"}),
    (403, {"origin": NEIGHBOUR, "sec_websocket_version": "13"}),
    (403, {"origin": NEIGHBOUR, "method": "POST"}),
    (403, {"origin": "null"}),
    (403, {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}),
    (403, {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document", "method": "POST"}),
]


def test_a_page_of_another_session_cannot_use_the_visit(john, enter, ingress):
    cookie = enter(john)

    answers = [ingress(cookie=cookie, **headers).status for _, headers in REQUESTS]

    assert answers == [status for status, _ in REQUESTS]


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    f"https://{HOST}@evil.example/",
    f"https://{HOST}:8443/",
    f"https://evil.example\\@{HOST}/",
    "javascript:alert(1)",
    "https://[",
    "",
]


def test_nobody_is_sent_anywhere_but_to_the_session(john, browser):
    for rd in ELSEWHERE:
        answer = browser("GET", "/sessions/john-firefox/enter", query={"rd": rd}, cookie=f"__Host-streamspace={john}")

        assert urlsplit(answer.headers["Location"])[:3] == ("https", HOST, "/"), rd


def test_the_form_says_what_was_wrong_and_takes_nothing_from_other_sites(john, browser):
    kind = "application/x-www-form-urlencoded"
    wrong = browser("POST", "/sessions/john-firefox/enter", body="username=john&password=no", content_type=kind)
    foreign = browser(
        "POST", "/sessions/john-firefox/enter", body="username=john&password=no", content_type=kind, sec_fetch_site="cross-site"
    )

    assert (wrong.status, "Set-Cookie" in wrong.headers, 'role="alert"' in wrong.text) == (401, False, True)
    assert foreign.status == 403


def test_html_in_a_name_stays_text(browser):
    page = browser("GET", "/sessions/%3Cscript%3E/enter", query={"rd": '"><script>'})

    assert page.status == 401
    assert "<script" not in page.text


def test_the_platforms_own_address_is_the_configured_one(john, enter, ingress):
    framed = {
        "sec_fetch_site": "same-site",
        "sec_fetch_mode": "navigate",
        "sec_fetch_dest": "iframe",
        "referer": "https://console.example/x",
    }
    cookie = enter(john)

    with config.overridden(PUBLIC_API_URL="https://console.example"):
        assert ingress(cookie=cookie, **framed).status == 200
    assert ingress(cookie=cookie, **framed).status == 403
