"""Single sign-on: the way to the provider and back, and what administrators say of it. Source: docs/sign-in.md."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from chalicelib import accounts
from chalicelib.accounts import sso
from chalicelib.accounts.sso import SsoSettings
from chalicelib.api import browsers, signing_in
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.routing import BASE_PATH
from chalicelib.core.errors import StreamSpaceError, ValidationError

routes = Routes()

# Which sign-in this browser has begun.
_BEGUN = "__Host-streamspace-sso"
_CALLBACK = f"{BASE_PATH}/auth/sso/callback"
_TEXT = {"type": "string", "minLength": 1, "maxLength": 2000}

_SETTINGS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["issuer", "client_id"],
    "properties": {
        "issuer": _TEXT,
        "client_id": _TEXT,
        "client_secret": {**_TEXT, "description": "Left out: the present one stays; never shown"},
        "scopes": {**_TEXT, "default": "openid profile email"},
        "groups_claim": {**_TEXT, "default": "groups"},
        "roles": {
            "type": "object",
            "maxProperties": 200,
            "additionalProperties": {"enum": list(accounts.ROLES)},
            "description": "The provider's groups, and the roles that they give",
        },
        "default_role": {"enum": list(accounts.ROLES), "default": "user"},
        "default_tier": {"enum": list(accounts.TIERS), "default": "free"},
        "creates_users": {"type": "boolean", "default": True},
        "link_by_verified_email": {"type": "boolean", "default": False},
    },
}
_EXCHANGE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["code", "code_verifier"],
    "properties": {"code": _TEXT, "code_verifier": {"type": "string", "minLength": 43, "maxLength": 128}},
}


# Settings, the client's secret where the container has not opened it, and what was begun.
@routes.get(
    "/auth/sso/login",
    public=True,
    query={
        "after": {"type": "string", "maxLength": 4000},
        "redirect_uri": {"type": "string", "maxLength": 2000},
        "code_challenge": {"type": "string", "pattern": r"^[A-Za-z0-9_-]{43}$"},
        "state": {"type": "string", "maxLength": 500},
    },
    returns="Pages",
    aws_calls=3,
)
def login(request: Request) -> Reply:
    """To the provider. It ends at the path ``after`` of this platform; or, for a program, at its ``redirect_uri`` (on loopback, or on this
    platform's own address) with a ``code`` for ``auth/sso/token``. 404 SSO_NOT_CONFIGURED, 503 SSO_UNAVAILABLE, 422 VALIDATION_ERROR."""
    leads_to = _destination(request)
    begun = sso.begin(callback=browsers.platform_url(request) + _CALLBACK, leads_to=leads_to)
    return browsers.redirect(begun.address, browsers.cookie(_BEGUN, begun.state))


# What was begun, read and ended; settings and secret; identity, user, role with tokens (4), sign-in with user (2); the program's code (2).
@routes.get(
    "/auth/sso/callback",
    public=True,
    query={name: {"type": "string", "maxLength": 4000} for name in ("code", "state", "iss", "error", "error_description")},
    returns="Pages",
    aws_calls=14,
)
def callback(request: Request) -> Reply:
    """Where the provider sends the browser back to."""
    given = request.query
    try:
        if given["error"] or not given["code"] or not given["state"]:
            said = given["error_description"] or given["error"] or "it gave no code"
            raise accounts.SsoFailed(f"The provider did not sign you in: {said[:200]}")
        ended = sso.end(state=given["state"], of_browser=browsers.cookie_of(request, _BEGUN), code=given["code"], issuer=given["iss"])
        leads_to = ended.leads_to
        if "redirect_uri" in leads_to:
            code = sso.code_for(ended.signed_in, leads_to["code_challenge"])
            to = leads_to["redirect_uri"]
            answer = urlencode({"code": code, **({"state": leads_to["state"]} if leads_to.get("state") else {})})
            return browsers.redirect(f"{to}{'&' if '?' in to else '?'}{answer}", browsers.cookie(_BEGUN, ""))
        cookies = [*signing_in.cookies(ended.signed_in), browsers.cookie(_BEGUN, "")]
        if leads_to["after"]:
            return browsers.redirect(browsers.platform_url(request) + leads_to["after"], *cookies)
        return browsers.page("Signed in", "<p>You are signed in, and can close this page.</p>", headers={"Set-Cookie": cookies})
    except StreamSpaceError as error:
        again = f'<p><a class="button" href="{escape(browsers.platform_url(request))}{BASE_PATH}/auth/sso/login">Try again</a></p>'
        return browsers.page("You are not signed in", f'<p role="alert">{escape(error.message)}</p>{again}', status=error.status)


@routes.post("/auth/sso/token", public=True, body=_EXCHANGE, returns="ProgramsToken", aws_calls=4)
def token(request: Request) -> Reply:
    """A program's token, for the code that came to its ``redirect_uri`` and the secret of its ``code_challenge``. 401 SSO_FAILED."""
    username, text = sso.exchange(request.body["code"], request.body["code_verifier"])
    caller = accounts.caller_of(text)
    return Reply({"token": text, "username": username, "role": caller.role})


@routes.get("/platform/sso", permission="platform.configure", returns="SingleSignOn?", aws_calls=2)
def settings(request: Request) -> Reply:
    """Single sign-on as it is configured; null where it is off."""
    found = sso.settings()
    return Reply(_shown(found) if found else None)


@routes.put("/platform/sso", permission="platform.configure", body=_SETTINGS, returns="SingleSignOn", aws_calls=4)
def configure(request: Request) -> Reply:
    """Turn single sign-on on, or change it. The provider is asked whether it is one. 422 VALIDATION_ERROR."""
    given = dict(request.body)
    secret = given.pop("client_secret", None)
    return Reply(_shown(sso.configure(SsoSettings(**given), secret)), message="Single sign-on configured")


@routes.delete("/platform/sso", permission="platform.configure", returns="Nothing", aws_calls=2)
def turn_off(request: Request) -> Reply:
    """Turn single sign-on off. Who is signed in stays so."""
    sso.turn_off()
    return Reply(message="Single sign-on is off")


def _destination(request: Request) -> dict[str, str]:
    given = request.query
    if given["redirect_uri"]:
        if not _is_ours(request, given["redirect_uri"]):
            raise ValidationError({"redirect_uri": ["Must be http://127.0.0.1:{port}/… or an address of this platform"]})
        if not given["code_challenge"]:
            raise ValidationError({"code_challenge": ["Is needed with redirect_uri"]})
        return {name: given[name] or "" for name in ("redirect_uri", "code_challenge", "state")}
    after = given["after"] or ""
    if after and (not after.startswith("/") or after.startswith("//") or "\\" in after or any(ord(letter) < 33 for letter in after)):
        raise ValidationError({"after": ["Must be a path of this platform, such as /api/v1/…"]})
    return {"after": after}


def _is_ours(request: Request, url: str) -> bool:
    """Loopback, at any port, as RFC 8252 §7.3 has it for programs; or this platform's own origin, for its console."""
    if any(ord(letter) < 33 for letter in url) or "\\" in url or "#" in url:
        return False
    try:
        parts = urlsplit(url)
        is_loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1") and parts.port is not None
    except ValueError:
        return False
    return parts.username is None and (is_loopback or browsers.origin_of(url) == browsers.origin_of(browsers.platform_url(request)))


def _shown(found: SsoSettings) -> dict[str, Any]:
    return {**vars(found), "roles": dict(found.roles)}
