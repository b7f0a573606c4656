"""A session's own address: what the ingress asks of every request that comes there, and where it sends a browser that it does not know.

::

    browser ── https://jane-firefox.example.com ──► ingress ── GET sessions/jane-firefox/auth ──► 401
       ◄── 302 sessions/jane-firefox/enter?rd=… ──┘
    browser ── signs in there, if it has not yet ──► 303 https://jane-firefox.example.com/?streamspace_ticket=…
    browser ── with the ticket ──► ingress ── auth ──► 200 and the visit's cookie

Source: ingress-nginx, "External Authentication"; docs/sessions.md, "Reaching a session".
"""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from chalicelib import accounts, sessions
from chalicelib.accounts import Caller, sso
from chalicelib.api import browsers, signing_in
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied, StreamSpaceError, Unauthenticated, ValidationError

routes = Routes()

_TICKET = "streamspace_ticket"
_RETURN = {"rd": {"type": "string", "maxLength": 4000}}
_FORM = "application/x-www-form-urlencoded"


# Ticket, its transaction, session, activity; or visit, its transaction each half hour, session, activity.
@routes.get("/sessions/{id}/auth", public=True, returns="Passed", aws_calls=4)
def auth(request: Request, id: str) -> Reply:
    """May this browser's request pass to the session? 200 yes; 401 UNAUTHENTICATED: it must sign in; 403 PERMISSION_DENIED: it may
    not, or there is no such running session.

    Asked by the ingress, with the browser's own headers beside ``X-Original-URL``.
    """
    _refuse_others_pages(request, id)
    if accounts.is_token(_bearer(request)):
        raise PermissionDenied("A token of the platform does not belong on a session's address: what runs there could read it")
    try:
        made = sessions.visiting.admit(id, visit=browsers.cookie_of(request, browsers.VISIT), ticket=_ticket(request))
    except (sessions.SessionNotFound, sessions.SessionNotRunning) as error:
        # The ingress takes any status but 401 and 403 for a failure of its own.
        raise PermissionDenied(error.message) from error
    return Reply(text="", headers={"Set-Cookie": browsers.cookie(browsers.VISIT, made)} if made else {})


# Token, session and ticket; or whether there is single sign-on.
@routes.get("/sessions/{id}/enter", public=True, query=_RETURN, returns="Pages", aws_calls=3)
def enter(request: Request, id: str) -> Reply:
    """Where the ingress sends a browser that must sign in: on to the session where it has, and else to a page with a form."""
    caller = _signed_in(request)
    if caller is None:
        return _sign_in_page(request, id)
    return _go_on(request, id, caller)


# A login, then the token that it made, the session and the ticket.
@routes.post("/sessions/{id}/enter", public=True, query=_RETURN, takes=(_FORM,), returns="Pages", body_limit=8 * 1024, aws_calls=11)
def sign_in_and_enter(request: Request, id: str) -> Reply:
    """The form of that page."""
    if (request.header("sec-fetch-site") or "same-origin") not in ("same-origin", "none"):
        return _message("This form was sent by another site", 403)
    media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise ValidationError({"body": [f"Content-Type must be {_FORM}"]})
    given = {name: values[-1] for name, values in parse_qs(request.limited_body.decode("utf-8", "replace")).items()}
    username, password = given.get("username", "")[:256], given.get("password", "")[:1024]
    try:
        entered = signing_in.with_password(request, username, password, given.get("new_password"))
    except StreamSpaceError as error:
        return _sign_in_page(request, id, error=error)
    answer = _go_on(request, id, accounts.caller_of(entered.signed_in.token))
    cookies = [*entered.cookies, *_listed(answer.headers.get("Set-Cookie"))]
    return Reply(status=answer.status, text=answer.text, headers={**answer.headers, "Set-Cookie": cookies})


@routes.post("/sessions/{id}/tickets", scope="write:sessions", returns={201: "Ticket"}, aws_calls=3)
def ticket(request: Request, id: str) -> Reply:
    """An address that lets a browser into the session, once and within a minute: ``url``. Its owner, and administrators. 404
    SESSION_NOT_FOUND, 409 SESSION_NOT_RUNNING, 403 PERMISSION_DENIED."""
    until = clock.now() + accounts.visits.TICKET_LASTS
    made = sessions.visiting.ticket(id, by=request.caller)
    return Reply({"url": _with_ticket(_home(id), made), "expiresAt": clock.rfc3339(until)}, status=201)


def _go_on(request: Request, id: str, caller: Caller) -> Reply:
    try:
        made = sessions.visiting.ticket(id, by=caller)
    except Unauthenticated as error:
        return _sign_in_page(request, id, error=error)
    except StreamSpaceError as error:
        return _message(error.message, error.status)
    return browsers.redirect(_with_ticket(_wanted(request, id), made))


def _signed_in(request: Request) -> Caller | None:
    token = browsers.cookie_of(request, browsers.SIGN_IN)
    try:
        return accounts.caller_of(token) if token else None
    except Unauthenticated:
        return None


def _refuse_others_pages(request: Request, id: str) -> None:
    """Sessions are neighbours in one domain, and a browser sends a session's cookie with what another session's page asks of it. Source:
    W3C, Fetch Metadata Request Headers; RFC 6455 §10.2 for WebSockets, whose handshake says its origin."""
    own = f"https://{sessions.visiting.host_of(id)}"
    origin = request.header("origin")
    if origin is not None and origin.lower() != own:
        raise PermissionDenied("Another site's page may not call this session")
    if request.header("sec-fetch-site") not in ("cross-site", "same-site"):
        return
    is_page = request.header("sec-fetch-mode") == "navigate" and (request.header("x-original-method") or "GET") in ("GET", "HEAD")
    is_framed = request.header("sec-fetch-dest") not in (None, "document")
    framed_by, platform = request.header("referer") or "", browsers.platform_url(request)
    if not is_page or (is_framed and browsers.origin_of(framed_by) != browsers.origin_of(platform)):
        raise PermissionDenied("Another site's page may not use this session")


def _bearer(request: Request) -> str:
    return (request.header("authorization") or "").rpartition(" ")[2]


def _ticket(request: Request) -> str | None:
    """From the address that the browser asked for, as the ingress tells it."""
    told = request.header("x-original-url") or request.header("x-auth-request-redirect") or ""
    found = dict(parse_qsl(urlsplit(told).query))
    return found.get(_TICKET)


def _home(id: str) -> str:
    return f"https://{sessions.visiting.host_of(id)}/"


def _wanted(request: Request, id: str) -> str:
    """Where the browser wanted to go, if that is this session; else its beginning: nobody is sent anywhere else."""
    rd = str(request.query["rd"] or "")
    try:
        parts = urlsplit(rd)
    except ValueError:
        return _home(id)
    if parts.scheme not in ("http", "https") or parts.netloc.lower() != sessions.visiting.host_of(id) or "\\" in rd:
        return _home(id)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != _TICKET]
    return urlunsplit(("https", parts.netloc.lower(), quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._"), urlencode(kept), ""))


def _with_ticket(url: str, made: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode({_TICKET: made})}"


def _sign_in_page(request: Request, id: str, error: StreamSpaceError | None = None) -> Reply:
    rd = urlencode({"rd": request.query["rd"] or ""})
    told = f'<p role="alert">{escape(error.message)}</p>' if error else ""
    new_password = (
        '<label>New password <input name="new_password" type="password" autocomplete="new-password" required minlength="8"></label>'
        if isinstance(error, accounts.PasswordChangeRequired)
        else ""
    )
    body = (
        f"<p>To open the session <strong>{escape(id)}</strong>.</p>{told}"
        f'<form method="post" action="enter?{escape(rd)}">'
        '<label>Username <input name="username" autocomplete="username" required autofocus></label>'
        '<label>Password <input name="password" type="password" autocomplete="current-password" required></label>'
        f"{new_password}<button>Sign in</button></form>{_other_way(request, id, rd)}"
    )
    return browsers.page(
        "Sign in",
        body,
        status=error.status if error else 401,
        goes_to=f"https://{sessions.visiting.host_of(id)}" if _is_host(id) else "",
        headers=_retry_after(error),
    )


def _other_way(request: Request, id: str, rd: str) -> str:
    if sso.settings() is None:
        return ""
    after = f"{request.path}?{rd}"
    return f'<p><a class="button" href="../../auth/sso/login?{escape(urlencode({"after": after}))}">Single sign-on</a></p>'


def _message(sentence: str, status: int) -> Reply:
    return browsers.page("This session cannot be opened", f"<p>{escape(sentence)}</p>", status=status)


def _is_host(id: str) -> bool:
    return all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in id)


def _retry_after(error: StreamSpaceError | None) -> dict[str, str | list[str]]:
    wait: Any = error.details.get("retry_after_s") if error else None
    return {"Retry-After": str(wait)} if wait else {}


def _listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)
