"""A session as a value, and the rules about it that need no AWS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chalicelib.core import clock, config
from chalicelib.core.quantities import parse_memory
from chalicelib.events import Actor
from chalicelib.sessions import states
from chalicelib.sessions.states import RUNNING, SessionState
from chalicelib.sessions.timing import EndKind

# Who acts where nobody asked.
PLATFORM = Actor("platform", "StreamSpace", "platform")

DEFAULT_IDLE_TIMEOUT = "30m"
DEFAULT_MAX_SESSION_DURATION = "8h"


@dataclass(frozen=True)
class PodStatus:
    """Why a session is not ready (yet), as the cluster says: ``phase`` Pending, ``reason`` Unschedulable, and a sentence."""

    phase: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class Session:
    """What is wanted of the cluster, and what was seen there (``url``, ``pod_name``, ``status``)."""

    id: str
    user: str
    template: str
    state: SessionState
    memory: str
    cpu: str
    persistent_home: bool
    idle_timeout: str
    max_session_duration: str
    created_at: datetime
    updated_at: datetime
    url: str | None = None
    pod_name: str | None = None
    last_activity: datetime | None = None
    was_started: bool = False
    deleted_at: datetime | None = None
    status: PodStatus | None = None
    # What its two clocks are read from (see timing): since when it runs, how long it ran before, since when its pod is ready.
    running_since: datetime | None = None
    ran_s: float = 0
    ready_since: datetime | None = None
    awake_until: datetime | None = None
    # The end that its owner was told of, and the moment before which it does not come.
    warned_of: datetime | None = None
    ends_no_sooner_than: datetime | None = None
    ended_by: EndKind | None = None

    @property
    def memory_bytes(self) -> int:
        return parse_memory(self.memory)

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def claim(self) -> Claim:
        """What this session takes of its user's quotas."""
        return claim_of(self.state, self.memory_bytes)

    @property
    def is_ready(self) -> bool:
        """Its pod was seen ready, and nothing has been seen since that speaks against it."""
        return self.state == RUNNING and self.pod_name is not None and self.ready_since is not None and self.status is None

    def moved(self, to: SessionState, now: datetime, *, ended_by: EndKind | None = None) -> tuple[Session, str | None]:
        """The session in another state, and the event that this is. ``ended_by``: it ended by itself. Raises InvalidStateTransition."""
        event = states.transition(self.state, to)
        if event is None:
            return self, None
        ran = self.ran_s
        if self.state == RUNNING:
            ran += max((now - (self.running_since or self.created_at)).total_seconds(), 0)
        return (
            replace(
                self,
                state=to,
                # Nobody can use it until the worker has seen a pod that is ready (again).
                url=None,
                status=None,
                updated_at=now,
                running_since=now if to == RUNNING else None,
                ran_s=ran,
                ready_since=None,
                awake_until=None,
                warned_of=None,
                ends_no_sooner_than=None,
                ended_by=ended_by,
            ),
            event,
        )


@dataclass(frozen=True)
class Claim:
    """A share of a user's quotas."""

    sessions: int = 0
    memory_bytes: int = 0

    def __sub__(self, other: Claim) -> Claim:
        return Claim(self.sessions - other.sessions, self.memory_bytes - other.memory_bytes)


def claim_of(state: SessionState, memory_bytes: int) -> Claim:
    """A running session counts and uses its memory; a hibernated one counts, but its memory is free; a terminated one is over."""
    if state == RUNNING:
        return Claim(1, memory_bytes)
    return Claim(1, 0) if state == states.HIBERNATED else Claim()


@dataclass(frozen=True)
class Launch:
    """What else the worker needs to make a session's objects, as it was when the session was created.

    ``template`` is the template's spec at that moment: a session outlives its template, and wakes as what it was created.
    ``home_of`` tells one life of a username from the next, so that a home is never deleted for the wrong person.
    """

    template: dict[str, Any]
    storage: str
    home_of: str = ""
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def session_object(session: Session) -> dict[str, Any]:
    """The documented Session: exactly these fields, optional ones absent when unset. Source: plugin API, Session API."""
    shown: dict[str, Any] = {
        "id": session.id,
        "name": session.id,
        "user": session.user,
        "template": session.template,
        "state": session.state,
        "resources": {"memory": session.memory, "cpu": session.cpu},
        "persistentHome": session.persistent_home,
        "idleTimeout": session.idle_timeout,
        "createdAt": clock.rfc3339(session.created_at),
        "updatedAt": clock.rfc3339(session.updated_at),
    }
    if session.url:
        shown["url"] = session.url
    if session.pod_name:
        shown["podName"] = session.pod_name
    if session.last_activity:
        shown["lastActivity"] = clock.rfc3339(session.last_activity)
    return shown


def address_of(session_id: str) -> str:
    return f"https://{session_id}.{config.ingress_domain()}"
