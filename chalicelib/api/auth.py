"""``/auth``: signing in and out, and personal tokens."""

from __future__ import annotations

from chalicelib import accounts
from chalicelib.api import browsers, signing_in
from chalicelib.api.http import Reply, Request, Routes
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
        "new_password": {"type": "string", "minLength": 8, "maxLength": 256, "description": "Takes the password's place"},
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


# What is known of who tries (with the rates), the count, user, transaction, what is known now; a new password: user, tokens, transaction.
@routes.post("/auth/login", public=True, body=_LOGIN, returns="SignIn", aws_calls=8)
def login(request: Request) -> Reply:
    """Sign in with username and password. 401 UNAUTHENTICATED, the same for a wrong name as for a wrong password. 403
    PASSWORD_CHANGE_REQUIRED where the password is right and an administrator wants another one: ``new_password``. 429 SIGN_IN_LOCKED after
    too many wrong ones, and RATE_LIMITED: tries are counted under the name that they give, whether or not anybody has it."""
    given = request.body
    entered = signing_in.with_password(request, given["username"], given["password"], given.get("new_password"))
    return Reply(views.signed_in(entered.signed_in), headers={"Set-Cookie": entered.cookies})


# Token, user, transaction, the visits that it made; for each 49 of these one more.
@routes.post("/auth/logout", returns="Nothing", aws_calls=4)
def logout(request: Request) -> Reply:
    """End the token that this request carries, at once. 403 PERMISSION_DENIED for a plugin."""
    accounts.logout(request.caller)
    return Reply(message="Signed out", headers={"Set-Cookie": browsers.cookie(browsers.SIGN_IN, "")})


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


@routes.delete("/auth/tokens/{id}", returns="Nothing", aws_calls=3)
def revoke_token(request: Request, id: str) -> Reply:
    """End one of the caller's tokens, at once. 404 TOKEN_NOT_FOUND."""
    accounts.revoke_token(request.caller, id)
    return Reply(message="Token revoked")
