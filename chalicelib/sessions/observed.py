"""What a pod says about itself, read from its object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.sessions.objects import MADE_FROM
from chalicelib.sessions.session import PodStatus

UNSCHEDULABLE = "Unschedulable"
_ENDED = ("Failed", "Succeeded")


@dataclass(frozen=True)
class Pod:
    """``made_from`` tells the spec that it was made from; ``is_leaving``: deleted, but still there."""

    name: str
    uid: str
    made_from: str
    is_ready: bool
    is_leaving: bool
    is_scheduled: bool
    status: PodStatus

    @property
    def has_ended(self) -> bool:
        """It will not run again by itself: its node was lost or it was evicted."""
        return self.status.phase in _ENDED


def pod_of(item: Mapping[str, Any]) -> Pod:
    """From the pod's object. Source: Kubernetes, "Pod Lifecycle"."""
    metadata, status = item["metadata"], item.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    return Pod(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        made_from=(metadata.get("annotations") or {}).get(MADE_FROM, ""),
        is_ready=conditions.get("Ready", {}).get("status") == "True",
        is_leaving=bool(metadata.get("deletionTimestamp")),
        is_scheduled=conditions.get("PodScheduled", {}).get("status") == "True" or bool((item.get("spec") or {}).get("nodeName")),
        status=_status(status, conditions),
    )


def _status(status: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]) -> PodStatus:
    """The first that explains: no node, a container that waits or ended, the pod's own reason."""
    phase = status.get("phase") or "Pending"
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return PodStatus(phase, scheduled.get("reason", ""), scheduled.get("message", ""))
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        trouble = state.get("waiting") or state.get("terminated")
        if trouble:
            return PodStatus(phase, trouble.get("reason", ""), trouble.get("message", ""))
    return PodStatus(phase, status.get("reason", ""), status.get("message", ""))
