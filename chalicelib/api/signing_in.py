"""Signing people in, for every route that does: the API's, and the pages for browsers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from chalicelib import accounts
from chalicelib.accounts import SignedIn, WrongCredentials, guessing
from chalicelib.api import browsers
from chalicelib.api.http import Request, count
from chalicelib.core import clock

DEVICE = "__Host-streamspace-device"


@dataclass(frozen=True)
class Entered:
    """Somebody who signed in, and the cookies that their browser keeps of it."""

    signed_in: SignedIn
    cookies: list[str]


def with_password(request: Request, username: str, password: str, new_password: str | None = None) -> Entered:
    """Raises: WrongCredentials, PasswordChangeRequired, SignInLocked, RateLimited, ValidationError for the new password."""
    attempt = guessing.begin(username, request.source_ip, browsers.cookie_of(request, DEVICE))
    if accounts.counts.are_on():
        count(request, "login", attempt.name, "login")
    try:
        signed_in = accounts.login(username, password, new_password)
    except WrongCredentials:
        attempt.failed()
        raise
    # A program keeps no cookies; browsers say what led to their request.
    device = attempt.succeeded(is_browser="sec-fetch-site" in request.headers or "cookie" in request.headers)
    return Entered(signed_in, [*cookies(signed_in), *([_of_device(device)] if device else [])])


def cookies(signed_in: SignedIn) -> list[str]:
    """What keeps a browser signed in for the pages that it comes to by itself."""
    return [browsers.cookie(browsers.SIGN_IN, signed_in.token, signed_in.expires_at)]


def _of_device(device: str) -> str:
    return browsers.cookie(DEVICE, device, clock.now() + timedelta(seconds=guessing.KNOWN_FOR_S))
