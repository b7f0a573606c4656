"""``/sessions``, and what of ``/users`` lies with sessions. Source: plugin API, Session API; deleteUser()."""

from __future__ import annotations

from typing import Any

from chalicelib import sessions
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.views import sessions as views
from chalicelib.sessions import session_object

routes = Routes()

_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_STATE = {"type": "string", "enum": list(sessions.STATES)}
_AMOUNT = {"type": "string", "minLength": 1, "maxLength": 64}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_RESOURCES = {"type": "object", "additionalProperties": False, "properties": {"memory": _AMOUNT, "cpu": _AMOUNT}}

# Whether a quantity is one, and what Kubernetes takes as a name, the domain says: in better sentences than a pattern can.
CREATE_SESSION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["user", "template"],
    "properties": {
        "user": _NAME,
        "template": _NAME,
        "state": _STATE | {"default": "running"},
        "resources": _RESOURCES,
        "persistentHome": {"type": "boolean", "default": True},
        "idleTimeout": _AMOUNT | {"default": "30m"},
        "maxSessionDuration": _AMOUNT | {"default": "8h"},
        "env": _TEXTS,
        "labels": _TEXTS,
    },
}
UPDATE_SESSION = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {"state": _STATE, "resources": _RESOURCES, "idleTimeout": _AMOUNT, "labels": _TEXTS},
}
EXTEND_SESSION = {"type": "object", "additionalProperties": False, "properties": {"duration": _AMOUNT}}
_PAGE: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": sessions.MOST_AT_ONCE, "default": sessions.DEFAULT_LIMIT},
    "offset": {"type": "integer", "minimum": 0, "maximum": sessions.DEEPEST_OFFSET, "default": 0},
    "cursor": {"type": "string", "maxLength": 1000},
}
_BODY_LIMIT = 128 * 1024


@routes.get(
    "/sessions",
    scope="read:sessions",
    query={"user": _NAME, "state": _STATE, "template": _NAME, **_PAGE},
    returns="[Session]",
    meta="CursorMeta",
    aws_calls=2,
)
def list_sessions(request: Request) -> Reply:
    """getSessions(). Oldest first; ``meta.next_cursor`` (null at the end) goes on where this page ends. 422 VALIDATION_ERROR."""
    found = sessions.list_sessions(by=request.caller, **request.query)
    return Reply(views.sessions(found.sessions), meta={"next_cursor": found.next_cursor})


# Token, user, template with capacity, transaction; a second transaction when the plain id is taken.
@routes.post("/sessions", scope="write:sessions", body=CREATE_SESSION, body_limit=_BODY_LIMIT, returns={201: "Session"}, aws_calls=5)
def create_session(request: Request) -> Reply:
    """createSession(). 404 USER_NOT_FOUND, TEMPLATE_NOT_FOUND; 403 QUOTA_EXCEEDED; 503 INSUFFICIENT_RESOURCES; 422 VALIDATION_ERROR."""
    return Reply(session_object(sessions.create_session(request.body, by=request.caller)), status=201)


@routes.get("/sessions/{id}", scope="read:sessions", returns="Session", aws_calls=2)
def get_session(request: Request, id: str) -> Reply:
    """getSession(). 404 SESSION_NOT_FOUND."""
    return Reply(session_object(sessions.get_session(id, by=request.caller)))


# Token, session with capacity, transaction; the user too when the session wakes or grows.
@routes.patch("/sessions/{id}", scope="write:sessions", body=UPDATE_SESSION, body_limit=_BODY_LIMIT, returns="Session", aws_calls=4)
def update_session(request: Request, id: str) -> Reply:
    """updateSession(). 404 SESSION_NOT_FOUND; 409 INVALID_STATE_TRANSITION; 403 QUOTA_EXCEEDED; 503 INSUFFICIENT_RESOURCES; 422
    VALIDATION_ERROR."""
    return Reply(session_object(sessions.update_session(id, request.body, by=request.caller)))


@routes.delete("/sessions/{id}", scope="write:sessions", returns="Nothing", aws_calls=3)
def delete_session(request: Request, id: str) -> Reply:
    """deleteSession(). 404 SESSION_NOT_FOUND."""
    sessions.delete_session(id, by=request.caller)
    return Reply(message="Session deleted")


@routes.post("/sessions/{id}/activity", scope="write:sessions", returns="Session", aws_calls=3)
def record_activity(request: Request, id: str) -> Reply:
    """Somebody uses the session (a connection, a key, a click): its idle time begins again. Reading it does not do that.

    404 SESSION_NOT_FOUND.
    """
    return Reply(session_object(sessions.record_activity(id, by=request.caller)))


@routes.get("/sessions/{id}/status", scope="read:sessions", returns="SessionStatus", aws_calls=2)
def session_status(request: Request, id: str) -> Reply:
    """How the session is (``phase``, ``reason`` and a ``message`` in words), and when and why it ends by itself. 404 SESSION_NOT_FOUND."""
    return Reply(sessions.status_object(sessions.get_session(id, by=request.caller)))


# Token, session, transaction; the user too when the session's lifetime has to be longer.
@routes.post("/sessions/{id}/extend", scope="write:sessions", body=EXTEND_SESSION, returns="SessionStatus", aws_calls=4)
def extend_session(request: Request, id: str) -> Reply:
    """Keep a running session from ending by itself: as if it was used now, or for a ``duration``. The answer is its new status.

    404 SESSION_NOT_FOUND; 409 INVALID_STATE_TRANSITION when it does not run; 403 QUOTA_EXCEEDED; 422 VALIDATION_ERROR.
    """
    extended = sessions.extend_session(id, request.body.get("duration"), by=request.caller)
    return Reply(sessions.status_object(extended))


@routes.get("/users/{username}/sessions", scope="read:sessions", returns="[Session]", aws_calls=3)
def user_sessions(request: Request, username: str) -> Reply:
    """getUserSessions(). 404 USER_NOT_FOUND."""
    return Reply(views.sessions(sessions.sessions_of(username, by=request.caller)))


@routes.get("/users/{username}/usage", scope="read:users", returns="Usage", aws_calls=3)
def usage(request: Request, username: str) -> Reply:
    """What a user has taken of the quotas, and what is allowed; memory and storage in bytes. Everybody's own; others' with users.view.
    404 USER_NOT_FOUND."""
    return Reply(views.usage(sessions.usage_of(username, by=request.caller)))


# For a user without sessions: token, user, the removal's beginning, after which nobody signs in; the tokens; sessions, counters, inbox and
# marks; the row read and deleted, and tokens made meanwhile; the removal's end. Each session adds two.
@routes.delete(
    "/users/{username}",
    permission="users.manage",
    scope="write:users",
    query={"deleteSessions": {"type": "boolean", "default": True}, "deleteStorage": {"type": "boolean", "default": False}},
    returns={200: "Nothing", 202: "Deleting"},
    aws_calls=14,
)
def delete_user(request: Request, username: str) -> Reply:
    """deleteUser(). 202 where there is more to delete than fits into a request: it goes on by itself. 404 USER_NOT_FOUND; 409
    LAST_ADMINISTRATOR; 422 VALIDATION_ERROR for a home without its sessions."""
    is_done = sessions.remove_user(
        username,
        delete_sessions=request.query["deleteSessions"],
        delete_storage=request.query["deleteStorage"],
        by=request.caller,
    )
    if not is_done:
        return Reply({"username": username, "status": "deleting"}, status=202, message="The user is being deleted, which goes on by itself")
    return Reply(message="User deleted")
