"""Signing people in, for every route that does: the API's, and the pages for browsers."""

from __future__ import annotations

from chalicelib import accounts
from chalicelib.accounts import SignedIn
from chalicelib.api import browsers
from chalicelib.api.http import Request, count


def with_password(request: Request, username: str, password: str) -> SignedIn:
    """Raises: WrongCredentials, RateLimited."""
    if accounts.counts.are_on():
        # Nobody's token was read, and the rates with it.
        accounts.counts.rates()
        count(request, "login", username, "login")
    return accounts.login(username, password)


def cookies(request: Request, signed_in: SignedIn) -> list[str]:
    """What keeps a browser signed in for the pages that it comes to by itself."""
    return [browsers.cookie(browsers.SIGN_IN, signed_in.token, signed_in.expires_at)]


def other_ways(request: Request, after: str) -> str:
    """Links to the other ways to sign in, which lead back to the path ``after``."""
    return ""
