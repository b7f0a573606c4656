"""Plugin API, "Session API". Reads need the scope ``read:sessions``, changes ``write:sessions``."""

from __future__ import annotations

from .arguments import given, may_have, need, segment
from .awaitable import awaitable
from .client import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .types import Session, SessionState, SomeResources


@awaitable
def get_sessions(
    user: str | None = None,
    *,
    state: SessionState | None = None,
    template: str | None = None,
    limit: int = 100,
    offset: int | None = None,
) -> list[Session]:
    """The sessions that match, ``limit`` of them at most."""
    may_have("api.get_sessions", "text", user=user, state=state, template=template)
    may_have("api.get_sessions", "count", limit=limit, offset=offset)
    query = {"user": user, "state": state, "template": template, "limit": limit, "offset": offset}
    found: list[Session] = request("api.get_sessions", "GET", "sessions", query=query)
    return found


@awaitable
def get_session(session_id: str) -> Session:
    """Raises SessionNotFoundError."""
    key = segment("api.get_session", "session_id", session_id)
    found: Session = request("api.get_session", "GET", f"sessions/{key}")
    return found


@awaitable
def create_session(
    user: str,
    template: str,
    *,
    state: SessionState = "running",
    resources: SomeResources | None = None,
    persistent_home: bool = True,
    idle_timeout: str = "30m",
    max_session_duration: str | None = None,
    env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Session:
    """``resources`` are the template's where they are left out; ``max_session_duration`` is 8 h, or the user's quota if that is less.

    Raises: UserNotFoundError, TemplateNotFoundError, QuotaExceededError, InsufficientResourcesError.
    """
    body = given(
        user=need("api.create_session", "user", user),
        template=need("api.create_session", "template", template),
        state=state,
        resources=resources,
        persistentHome=persistent_home,
        idleTimeout=idle_timeout,
        maxSessionDuration=max_session_duration,
        env=env,
        labels=labels,
    )
    created: Session = request("api.create_session", "POST", "sessions", body=body)
    return created


@awaitable
def update_session(
    session_id: str,
    *,
    state: SessionState | None = None,
    resources: SomeResources | None = None,
    idle_timeout: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Session:
    """Changes what is given. Raises: SessionNotFoundError, InvalidStateTransitionError."""
    key = segment("api.update_session", "session_id", session_id)
    body = given(state=state, resources=resources, idleTimeout=idle_timeout, labels=labels)
    updated: Session = request("api.update_session", "PATCH", f"sessions/{key}", body=body)
    return updated


@awaitable
def delete_session(session_id: str) -> None:
    """For good. Raises SessionNotFoundError."""
    key = segment("api.delete_session", "session_id", session_id)
    request("api.delete_session", "DELETE", f"sessions/{key}")


@awaitable
def get_user_sessions(username: str) -> list[Session]:
    """Raises UserNotFoundError."""
    name = segment("api.get_user_sessions", "username", username)
    found: list[Session] = request("api.get_user_sessions", "GET", f"users/{name}/sessions")
    return found
