"""``/users``: the people of the platform. Deleting one lies with their sessions, in ``sessions.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib import accounts
from chalicelib.accounts import ROLES, TIERS, user_object
from chalicelib.api.http import Reply, Request, Routes

routes = Routes()

# The document's names of the quotas, and the domain's.
_QUOTAS = {"memory": "memory", "maxSessions": "max_sessions", "storage": "storage", "maxSessionDuration": "max_session_duration"}


def _quotas(kind_of: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "memory": {"type": kind_of["text"], "maxLength": 64},
            "maxSessions": {"type": kind_of["number"], "minimum": 0, "maximum": 1000},
            "storage": {"type": kind_of["text"], "maxLength": 64},
            "maxSessionDuration": {"type": kind_of["text"], "maxLength": 64},
        },
    }


_FULL_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_EMAIL = {"type": "string", "minLength": 1, "maxLength": 320}
_TIER = {"enum": list(TIERS)}
_ROLE = {"enum": list(ROLES)}
_PASSWORD = {"type": "string", "minLength": 8, "maxLength": 256}

_NEW_USER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["username", "fullName", "email"],
    "properties": {
        "username": {"type": "string", "maxLength": 256},
        "fullName": _FULL_NAME,
        "email": _EMAIL,
        "tier": _TIER | {"default": "free"},
        "quotas": _quotas({"text": "string", "number": "integer"}),
        "role": _ROLE | {"default": "user"},
        "password": _PASSWORD,
        "mustChangePassword": {"type": "boolean", "default": False},
    },
}
_CHANGES = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "fullName": _FULL_NAME,
        "email": _EMAIL,
        "tier": _TIER,
        # null gives a quota back to the tier.
        "quotas": _quotas({"text": ["string", "null"], "number": ["integer", "null"]}),
        "role": _ROLE,
        "password": _PASSWORD,
        "currentPassword": {"type": "string", "maxLength": 1024},
        "mustChangePassword": {"type": "boolean"},
    },
}


@routes.get(
    "/users",
    permission="users.view",
    scope="read:users",
    query={
        "tier": _TIER,
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        "offset": {"type": "integer", "minimum": 0, "maximum": 100_000, "default": 0},
        "cursor": {"type": "string", "maxLength": 1000},
    },
    returns="[User]",
    meta="CursorMeta",
    aws_calls=4,
)
def users(request: Request) -> Reply:
    """getUsers(). By username; ``meta.next_cursor`` (null at the end) goes on where this page ends. 422 VALIDATION_ERROR."""
    found, next_cursor = accounts.list_users(**request.query)
    return Reply([user_object(user) for user in found], meta={"next_cursor": next_cursor})


@routes.post("/users", permission="users.manage", scope="write:users", body=_NEW_USER, returns={201: "User"}, aws_calls=2)
def create_user(request: Request) -> Reply:
    """createUser(). 409 USER_ALREADY_EXISTS, 422 INVALID_EMAIL, 422 VALIDATION_ERROR."""
    given = request.body
    user = accounts.create_user(
        username=given["username"],
        full_name=given["fullName"],
        email=given["email"],
        tier=given.get("tier", "free"),
        quotas=_domain_quotas(given.get("quotas")),
        password=given.get("password"),
        role=given.get("role", "user"),
        must_change_password=given.get("mustChangePassword", False),
        by=request.caller,
    )
    return Reply(user_object(user), status=201)


@routes.get("/users/{username}", scope="read:users", returns="User", aws_calls=2)
def user(request: Request, username: str) -> Reply:
    """getUser(). Everybody's own; others' with users.view. 404 USER_NOT_FOUND."""
    request.caller.require_self_or(username, "users.view")
    return Reply(user_object(accounts.get_user(username)))


# Token, user, write; for one's own password the present one; when tokens must follow, user, tokens and a write for each 49 of them.
@routes.patch("/users/{username}", scope="write:users", body=_CHANGES, returns="User", aws_calls=7)
def update_user(request: Request, username: str) -> Reply:
    """updateUser(), and ``role`` and ``password``. Everybody their own name, email and (with ``currentPassword``) password; the rest, and
    others', with users.manage. 404 USER_NOT_FOUND, 409 LAST_ADMINISTRATOR, 422 INVALID_EMAIL, 422 VALIDATION_ERROR, 401 for a wrong
    ``currentPassword``."""
    given = request.body
    user = accounts.update_user(
        username,
        full_name=given.get("fullName"),
        email=given.get("email"),
        tier=given.get("tier"),
        quotas=_domain_quotas(given.get("quotas")),
        role=given.get("role"),
        password=given.get("password"),
        current_password=given.get("currentPassword"),
        must_change_password=given.get("mustChangePassword"),
        by=request.caller,
    )
    return Reply(user_object(user))


def _domain_quotas(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if given is None else {_QUOTAS[name]: value for name, value in given.items()}
