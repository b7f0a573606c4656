"""Sign-ins and tokens as JSON."""

from typing import Any

from chalicelib.accounts import NewToken, SignedIn, Token, User, user_object
from chalicelib.core import clock


def account(user: User) -> dict[str, Any]:
    """The documented User, and beside it the role: what the person who asks may do."""
    return {**user_object(user), "role": user.role}


def signed_in(sign_in: SignedIn) -> dict[str, Any]:
    return {"token": sign_in.token, "expires_at": clock.rfc3339(sign_in.expires_at), "user": account(sign_in.user)}


def token(one: Token) -> dict[str, Any]:
    """``scopes`` null: whatever the owner may."""
    return {
        "id": one.id,
        "name": one.name,
        "scopes": None if one.scopes is None else sorted(one.scopes),
        "created_at": clock.rfc3339(one.created_at),
        "expires_at": clock.rfc3339(one.expires_at),
    }


def new_token(made: NewToken) -> dict[str, Any]:
    return {**token(made.token), "token": made.text}
