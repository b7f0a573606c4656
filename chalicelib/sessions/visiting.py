"""Who may come to a session's own address with a browser: its owner, and administrators (``sessions.visit``).

The ingress asks for each request of a browser. What shows who somebody is there is a visit (``accounts.visits``), never a token of the API:
whatever runs in the session reads all that reaches it.
"""

from __future__ import annotations

from chalicelib.accounts import Caller, visits
from chalicelib.core import config
from chalicelib.core.errors import Unauthenticated
from chalicelib.sessions import models
from chalicelib.sessions.errors import SessionNotFound, SessionNotRunning
from chalicelib.sessions.service import note_activity
from chalicelib.sessions.session import Session
from chalicelib.sessions.states import RUNNING

_PERMISSION = "sessions.visit"


def host_of(session_id: str) -> str:
    """The host of the session's address."""
    return f"{session_id}.{config.ingress_domain()}"


def ticket(session_id: str, *, by: Caller) -> str:
    """What lets ``by`` into the session once, within a minute.

    Raises: SessionNotFound, PermissionDenied, SessionNotRunning, Unauthenticated.
    """
    _visited(session_id, by)
    return visits.issue_ticket(by, session_id)


def admit(session_id: str, *, visit: str | None, ticket: str | None) -> str | None:
    """Let a browser's request pass, by its visit, or by a ticket, which gives a new visit: its text. Counts as activity.

    Raises: Unauthenticated where neither is good; PermissionDenied, SessionNotFound, SessionNotRunning for somebody known.
    """
    caller, made = None, None
    if visit:
        try:
            caller = visits.visitor(visit, session_id)
        except Unauthenticated:
            if not ticket:
                raise
    if caller is None:
        if not ticket:
            raise Unauthenticated("Sign in to visit this session")
        made, caller = visits.redeem(ticket, session_id)
    note_activity(_visited(session_id, caller))
    return made


def _visited(session_id: str, caller: Caller) -> Session:
    row = models.session_of_id(session_id)
    if row is None or row.deleted_at:
        raise SessionNotFound(f"There is no session '{session_id}'", session=session_id)
    session = row.value()
    caller.require_self_or(session.user, _PERMISSION)
    if session.state != RUNNING:
        raise SessionNotRunning(
            f"The session '{session.id}' is {session.state}" + ("; wake it first" if session.state == "hibernated" else ""),
            session=session.id,
            state=session.state,
        )
    return session
