"""Browsers that come by themselves, without a program that holds a token: their two cookies, the platform's own address, and plain pages.

``__Host-`` keeps a cookie to the very host that set it: no session's page can set one for its neighbours, or for the platform.
Source: RFC 6265bis §4.1.3.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from chalicelib.api.http import Reply, Request
from chalicelib.core import clock, config

# On the platform's own address: who signed in. Read by the pages that browsers come to by themselves, and by no route of the API, which
# therefore cannot be called across sites.
SIGN_IN = "__Host-streamspace"
# On a session's address: the visit.
VISIT = "__Host-streamspace-visit"

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;color:#1c2434}"
    "h1{font-size:1.4rem}label{display:block;margin:.8rem 0}"
    "input{display:block;width:100%;box-sizing:border-box;padding:.5rem;font:inherit}"
    "button,.button{display:inline-block;margin-top:.8rem;padding:.5rem 1.2rem;font:inherit;color:#fff;background:#1d5fbf;border:0;"
    "border-radius:.3rem;text-decoration:none}[role=alert]{color:#a11}"
)


def cookie(name: str, value: str, expires_at: datetime | None = None) -> str:
    """A ``Set-Cookie`` header. Without ``expires_at`` it ends with the browser; an empty value ends it now."""
    lasts = "" if expires_at is None else f"; Max-Age={max(0, int((expires_at - clock.now()).total_seconds()))}"
    ends = "; Max-Age=0" if not value else lasts
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{ends}"


def cookie_of(request: Request, name: str) -> str | None:
    """The cookie's value; None where there is none."""
    jar: SimpleCookie = SimpleCookie()
    for part in request.joined_headers.get("cookie", "").replace(", ", "; ").split("; "):
        # One by one: applications' own cookies need not be well-formed, and must not hide ours.
        try:
            jar.load(part)
        except CookieError:
            continue
    return jar[name].value if name in jar else None


def platform_url(request: Request) -> str:
    """What ``/api/v1`` is appended to, for browsers: as configured, or API Gateway's own address of this stage."""
    if configured := config.setting("PUBLIC_API_URL", ""):
        return configured.rstrip("/")
    context = request.gateway
    stage = str(context.get("stage") or "")
    return f"https://{context.get('domainName') or request.header('host')}" + (f"/{stage}" if stage else "")


def origin_of(url: str) -> str:
    """Scheme, host and port. Source: RFC 6454 §4."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def page(title: str, body: str, *, status: int = 200, goes_to: str = "", headers: dict[str, str | list[str]] | None = None) -> Reply:
    """A page of ours: no script, nothing from elsewhere, in nobody's frame. ``goes_to`` is an origin that its form may lead to."""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self' {goes_to}; frame-ancestors 'none'; base-uri 'none'"
    return Reply(
        status=status,
        text=(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(title)} · StreamSpace</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{body}</html>"
        ),
        headers={
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            **(headers or {}),
        },
    )


def redirect(to: str, *cookies: str) -> Reply:
    """303, so that whatever the method was, a GET follows."""
    headers: dict[str, str | list[str]] = {"Location": to, "Referrer-Policy": "no-referrer"}
    return Reply(status=303, text="", headers={**headers, "Set-Cookie": [*cookies]} if cookies else headers)
