"""How a session is and what becomes of it, in words: what stands beside the documented Session, whose fields are fixed.

``reason`` is Kubernetes' own word where the cluster gave one, and one of ours for the rest. ``message`` is a sentence for the person who
waits, with the cluster's words behind it.
"""

from __future__ import annotations

from typing import Any

from chalicelib.core import clock
from chalicelib.sessions import timing
from chalicelib.sessions.session import PodStatus, Session
from chalicelib.sessions.states import HIBERNATED, RUNNING

CLUSTER_AWAY = "ClusterUnavailable"

_SENTENCES = {
    "Ready": "It runs and can be used",
    "Starting": "It was asked for; its pod is about to be made",
    "ContainerCreating": "Its pod has a node, which fetches the image and starts it",
    "PodInitializing": "Its pod has a node, and prepares itself",
    "ContainersNotReady": "It has started, and does not answer at its port yet",
    "Restarting": "Its former pod is leaving; a new one follows at once",
    "HomeInUse": "The home of a former user of this name is being deleted first",
    "Unschedulable": "The cluster has no node with room for it; it starts when there is",
    "ErrImagePull": "Its image cannot be pulled: the template names one that is not there, or that the cluster may not have",
    "ImagePullBackOff": "Its image cannot be pulled: the template names one that is not there, or that the cluster may not have",
    "InvalidImageName": "Its template's image has a name that no registry takes",
    "CrashLoopBackOff": "Its application ends again and again as soon as it has started",
    "OOMKilled": "It was stopped because it used more memory than it has; give it more",
    "Error": "Its application ended with an error, and is started again",
    "IngressNotGuarded": "It is not started, since nothing would ask who may come in",
    "Completed": "Its application ended, and is started again",
    "Evicted": "Its node threw it out to save itself; it is started anew elsewhere",
    "NodeLost": "Its node is gone; it is started anew elsewhere",
    "CreateContainerConfigError": "The cluster cannot make its container of what the template says",
    "CreateContainerError": "The cluster cannot make its container",
    "RunContainerError": "The cluster cannot start its container",
    CLUSTER_AWAY: "The cluster does not answer at the moment; it is asked again, less and less often, until it does",
}

# What waiting alone does not mend. A session that meets one of these is not looked at every moment, and people need not wait for it.
HOPELESS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff"})


def explain(session: Session) -> PodStatus:
    """Phase, reason and a sentence, whatever state the session is in."""
    if session.state == HIBERNATED:
        if session.ended_by == "idle":
            return PodStatus("Hibernated", "Idle", f"Nobody used it for {session.idle_timeout}. Its home is kept; wake it to go on")
        return PodStatus("Hibernated", "Asked", "It was put to sleep. Its home is kept; wake it to go on")
    if session.state != RUNNING:
        if session.ended_by == "lifetime":
            return PodStatus("Terminated", "LifetimeOver", f"It ran for the {session.max_session_duration} that it may. Its home is kept")
        return PodStatus("Terminated", "Asked", "It was ended. Its home is kept")
    seen = session.status
    if seen is None:
        return _worded("Running", "Ready") if session.is_ready else _worded("Pending", "Starting")
    return _worded(seen.phase, seen.reason or ("ContainersNotReady" if seen.phase == "Running" else "Starting"), seen.message)


def status_object(session: Session) -> dict[str, Any]:
    """``GET sessions/{id}/status``: how it is, and when and why it ends by itself. ``end`` is null for one that does not."""
    seen = explain(session)
    shown: dict[str, Any] = {
        "id": session.id,
        "state": session.state,
        "ready": session.is_ready,
        "phase": seen.phase,
        "reason": seen.reason,
        "message": seen.message,
        "idleTimeout": session.idle_timeout,
        "maxSessionDuration": session.max_session_duration,
        "end": _end_object(session),
    }
    for name, moment in (
        ("idleSince", timing.idle_since(session)),
        ("awakeUntil", session.awake_until),
        ("lifetimeEndsAt", timing.lifetime_ends_at(session)),
    ):
        if moment is not None:
            shown[name] = clock.rfc3339(moment)
    return shown


def _end_object(session: Session) -> dict[str, Any] | None:
    end = timing.next_end(session)
    if end is None:
        return None
    at = clock.rfc3339(end.at)
    if end.kind == "idle":
        held = session.awake_until is not None and session.awake_until == timing.idle_ends_at(session)
        why = "it is held awake until then" if held else f"nobody has used it since {clock.rfc3339(timing.idle_since(session) or end.at)}"
        sentence = f"It hibernates at {at}, unless it is used before: {why}"
    else:
        sentence = f"It is terminated at {at}, when it has run for {session.max_session_duration}"
    return {
        "kind": end.kind,
        "leadsTo": "hibernated" if end.kind == "idle" else "terminated",
        "at": at,
        "warnedAt": clock.rfc3339(end.at - timing.notice(session, end.kind)),
        "message": sentence,
    }


def _worded(phase: str, reason: str, detail: str = "") -> PodStatus:
    sentence = _SENTENCES.get(reason)
    if sentence is None:
        return PodStatus(phase, reason, detail or f"The cluster says: {reason}")
    return PodStatus(phase, reason, f"{sentence} ({detail})" if detail else sentence)
