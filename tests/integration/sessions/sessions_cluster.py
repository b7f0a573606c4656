"""A cluster in memory behind the worker's own door, and a queue to look into."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from typing import Any

from chalicelib.sessions.cluster import ClusterRefused, ClusterUnavailable, Page

Object = dict[str, Any]


def ingress_class(name: str, controller: str = "k8s.io/ingress-nginx", *, is_default: bool = True) -> Object:
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if is_default else {}
    return {"kind": "IngressClass", "metadata": {"name": name, "annotations": annotations}, "spec": {"controller": controller}}


class FakeCluster:
    """Pods are ready at once, and gone at once, unless the test says otherwise."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        # What stands for all sessions together.
        self.policies: dict[str, Object] = {}
        self.nodes: list[Object] = []
        self.ingress_classes = [ingress_class("nginx")]
        self.calls: list[tuple[str, str, str]] = []
        self.is_away = False
        self.refusal: ClusterRefused | None = None
        self.pod_status: Object = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.lingering: set[str] = set()
        self.before_apply: Callable[[Object], None] = lambda wanted: None
        self.before_delete: Callable[[str, str], None] = lambda kind, name: None
        self.page_size = 500
        self._uids = itertools.count(1)

    def apply(self, wanted: Object) -> Object:
        self._answer("apply", wanted["kind"], wanted["metadata"]["name"])
        self.before_apply(wanted)
        if wanted["kind"] == "NetworkPolicy":
            self.policies[wanted["metadata"]["name"]] = copy.deepcopy(wanted)
            return wanted
        key = wanted["kind"], wanted["metadata"]["name"]
        before = self.objects.get(key)
        made = copy.deepcopy(wanted)
        made["metadata"]["uid"] = before["metadata"]["uid"] if before else f"uid-{next(self._uids)}"
        if before and before["metadata"].get("deletionTimestamp"):
            made["metadata"]["deletionTimestamp"] = before["metadata"]["deletionTimestamp"]
        if wanted["kind"] == "Pod":
            made["status"] = copy.deepcopy(self.pod_status)
        self.objects[key] = made
        return copy.deepcopy(made)

    def get(self, kind: str, name: str) -> Object | None:
        self._answer("get", kind, name)
        return copy.deepcopy(self.objects.get((kind, name)))

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> bool:
        self._answer("delete", kind, name)
        self.before_delete(kind, name)
        present = self.objects.get((kind, name))
        if present is None or (uid and present["metadata"]["uid"] != uid):
            return True
        if kind in self.lingering:
            present["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            return False
        del self.objects[kind, name]
        return False

    def page(self, kind: str, selector: str, after: str = "") -> Page:
        self._answer("list", kind, "")
        found = sorted(name for (its_kind, name), one in self.objects.items() if its_kind == kind and selector in one["metadata"]["labels"])
        return self._page([self.objects[kind, name] for name in found], after)

    def everywhere(self, kind: str, after: str = "", *, fields: str = "") -> Page:
        self._answer("list everywhere", kind, "")
        pods = [one for (its, _), one in sorted(self.objects.items()) if its == "Pod"]
        return self._page({"Node": self.nodes, "IngressClass": self.ingress_classes, "Pod": pods}[kind], after)

    def _page(self, found: list[Object], after: str) -> Page:
        begin = int(after or 0)
        end = begin + self.page_size
        return Page(copy.deepcopy(found[begin:end]), str(end) if end < len(found) else "")

    def kinds(self) -> list[str]:
        return sorted(kind for kind, _ in self.objects)

    def only(self, kind: str) -> Object:
        (found,) = [one for (its_kind, _), one in self.objects.items() if its_kind == kind]
        return found

    def set_pods(self, status: Object) -> None:
        """All pods from now on, and those that are there; but a pod that has ended stays so."""
        self.pod_status = status
        for (kind, _), one in self.objects.items():
            if kind == "Pod" and one["status"].get("phase") != "Failed":
                one["status"] = copy.deepcopy(status)

    def _answer(self, verb: str, kind: str, name: str) -> None:
        self.calls.append((verb, kind, name))
        if self.is_away:
            raise ClusterUnavailable("connection refused")
        if self.refusal and verb == "apply":
            raise self.refusal


PENDING: Object = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}
READY: Object = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNSCHEDULABLE: Object = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: insufficient memory"}],
}
CANNOT_PULL: Object = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "True"}],
    "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}],
}


class Queue:
    """What was sent to a queue, with the delays that it was sent with."""

    def __init__(self, sqs: Any, name: str) -> None:
        self.url = sqs.create_queue(QueueName=name)["QueueUrl"]
        self._sent: list[dict[str, Any]] = []
        sqs.meta.events.register("provide-client-params.sqs.SendMessage", self._note)
        sqs.meta.events.register("provide-client-params.sqs.SendMessageBatch", self._note_batch)

    def messages(self) -> list[dict[str, Any]]:
        return list(self._sent)

    def taken(self) -> list[dict[str, Any]]:
        """What was sent since the last time that this was asked."""
        sent, self._sent = self._sent, []
        return sent

    def _note_batch(self, params: dict[str, Any], **more: Any) -> None:
        if params["QueueUrl"] == self.url:
            self._sent += [{**json.loads(entry["MessageBody"]), "delay_s": 0} for entry in params["Entries"]]

    def _note(self, params: dict[str, Any], **more: Any) -> None:
        if params["QueueUrl"] == self.url:
            self._sent.append({**json.loads(params["MessageBody"]), "delay_s": params["DelaySeconds"]})
