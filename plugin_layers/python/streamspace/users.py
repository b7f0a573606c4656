"""Plugin API, "User API". Reads need the scope ``read:users``, changes ``write:users``."""

from __future__ import annotations

from .arguments import given, may_have, need, segment
from .awaitable import awaitable
from .client import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .types import SomeQuotas, User


@awaitable
def get_users(*, tier: str | None = None, limit: int = 100, offset: int | None = None) -> list[User]:
    """The users that match, ``limit`` of them at most."""
    may_have("api.get_users", "text", tier=tier)
    may_have("api.get_users", "count", limit=limit, offset=offset)
    query = {"tier": tier, "limit": limit, "offset": offset}
    found: list[User] = request("api.get_users", "GET", "users", query=query)
    return found


@awaitable
def get_user(username: str) -> User:
    """Raises UserNotFoundError."""
    name = segment("api.get_user", "username", username)
    found: User = request("api.get_user", "GET", f"users/{name}")
    return found


@awaitable
def create_user(username: str, full_name: str, email: str, *, tier: str = "free", quotas: SomeQuotas | None = None) -> User:
    """Raises: UserAlreadyExistsError, InvalidEmailError."""
    body = given(
        username=need("api.create_user", "username", username),
        fullName=need("api.create_user", "full_name", full_name),
        email=need("api.create_user", "email", email),
        tier=tier,
        quotas=quotas,
    )
    created: User = request("api.create_user", "POST", "users", body=body)
    return created


@awaitable
def update_user(
    username: str,
    *,
    full_name: str | None = None,
    email: str | None = None,
    tier: str | None = None,
    quotas: SomeQuotas | None = None,
) -> User:
    """Changes what is given. Raises UserNotFoundError."""
    name = segment("api.update_user", "username", username)
    body = given(fullName=full_name, email=email, tier=tier, quotas=quotas)
    updated: User = request("api.update_user", "PATCH", f"users/{name}", body=body)
    return updated


@awaitable
def delete_user(username: str, *, delete_sessions: bool = True, delete_storage: bool = False) -> None:
    """Raises UserNotFoundError."""
    name = segment("api.delete_user", "username", username)
    query = {"deleteSessions": delete_sessions, "deleteStorage": delete_storage}
    request("api.delete_user", "DELETE", f"users/{name}", query=query)
