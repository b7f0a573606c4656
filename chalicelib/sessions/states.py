"""The states of a session, and the changes between them.

::

    created ──► running ◄──► hibernated
                   │              │
                   └► terminated ◄┘      final: only deleting it follows

Asking for the state that a session has already is no change and no event: a repeated request is harmless.
"""

from typing import Final, Literal, get_args

from chalicelib.sessions.errors import InvalidStateTransition

SessionState = Literal["running", "hibernated", "terminated"]

RUNNING: Final = "running"
HIBERNATED: Final = "hibernated"
TERMINATED: Final = "terminated"
STATES: tuple[SessionState, ...] = get_args(SessionState)

# What a session may be created as.
INITIAL: tuple[SessionState, ...] = (RUNNING, HIBERNATED)

TRANSITIONS: dict[tuple[SessionState, SessionState], str] = {
    (RUNNING, HIBERNATED): "session.hibernated",
    (HIBERNATED, RUNNING): "session.woken",
    (RUNNING, TERMINATED): "session.stopped",
    (HIBERNATED, TERMINATED): "session.stopped",
}


def transition(before: SessionState, after: SessionState) -> str | None:
    """The event that going from ``before`` to ``after`` is; None when they are the same. Raises InvalidStateTransition."""
    if before == after:
        return None
    event = TRANSITIONS.get((before, after))
    if event is None:
        allowed = [to for (start, to) in TRANSITIONS if start == before]
        way = f"from there it can only become {' or '.join(allowed)}" if allowed else "that state is final"
        raise InvalidStateTransition(
            f"The session is {before} and cannot become {after}: {way}", **{"from": before, "to": after, "allowed": allowed}
        )
    return event
