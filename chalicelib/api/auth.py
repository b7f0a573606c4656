"""``/auth``: signing in and out, and personal tokens."""

from __future__ import annotations

from chalicelib import accounts
from chalicelib.api.http import Reply, Request, Routes, count
from chalicelib.api.views import auth as views
from chalicelib.core.errors import PermissionDenied

routes = Routes()

_LOGIN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["username", "password"],
    "properties": {
        "username": {"type": "string", "minLength": 1, "maxLength": 256},
        "password": {"type": "string", "minLength": 1, "maxLength": 1024},
    },
}
_NEW_TOKEN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "scopes": {
            "type": ["array", "null"],
            "items": {"enum": sorted(accounts.SCOPES)},
            "minItems": 1,
            "description": "What the token may call; left out or null: whatever its owner may",
        },
        "expires_in_days": {"type": "integer", "minimum": 1, "maximum": 365, "default": 90},
    },
}


@routes.post("/auth/login", public=True, body=_LOGIN, returns="SignIn", aws_calls=2)
def login(request: Request) -> Reply:
    """Sign in with username and password. 401 UNAUTHENTICATED, the same for a wrong name as for a wrong password. 429 RATE_LIMITED: tries
    are counted under the name that they give, whether or not anybody has it."""
    if accounts.counts.are_on():
        # Nobody's token was read, and the rates with it.
        accounts.counts.rates()
        count(request, "login", request.body["username"], "login")
    return Reply(views.signed_in(accounts.login(request.body["username"], request.body["password"])))


@routes.post("/auth/logout", returns="Nothing", aws_calls=3)
def logout(request: Request) -> Reply:
    """End the token that this request carries, at once. 403 PERMISSION_DENIED for a plugin."""
    accounts.logout(request.caller)
    return Reply(message="Signed out")


@routes.get("/auth/me", scope="read:users", returns="Account", aws_calls=2)
def me(request: Request) -> Reply:
    """The caller's own user, with the role. 403 PERMISSION_DENIED for a plugin, which is no user."""
    if request.caller.is_plugin:
        raise PermissionDenied("A plugin's token belongs to no user")
    return Reply(views.account(accounts.get_user(request.caller.id)))


@routes.get("/auth/tokens", returns="[Token]", aws_calls=2)
def tokens(request: Request) -> Reply:
    """The caller's personal tokens, newest first."""
    return Reply([views.token(one) for one in accounts.list_tokens(request.caller)])


@routes.post("/auth/tokens", body=_NEW_TOKEN, returns={201: "NewToken"}, aws_calls=2)
def create_token(request: Request) -> Reply:
    """A personal token, whose text is in this answer only. 422 VALIDATION_ERROR."""
    given = request.body
    made = accounts.create_token(request.caller, given["name"], given.get("scopes"), given.get("expires_in_days", 90))
    return Reply(views.new_token(made), status=201)


@routes.delete("/auth/tokens/{id}", returns="Nothing", aws_calls=2)
def revoke_token(request: Request, id: str) -> Reply:
    """End one of the caller's tokens, at once. 404 TOKEN_NOT_FOUND."""
    accounts.revoke_token(request.caller, id)
    return Reply(message="Token revoked")
