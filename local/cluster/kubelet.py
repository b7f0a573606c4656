"""Makes what was asked for come true: pods are scheduled, started and stopped, claims are bound, ingresses get an
address.

Like the real one it works level-triggered: each round looks at every object as it is and takes the next step. A pod is
placed on a node that has room for its requests; without one it stays Pending, Unschedulable, and is placed when room
appears. An image says how its container fares: ``…/missing:…`` and ``…:does-not-exist`` cannot be pulled, ``…/crash:…``
ends again and again, all others run.
"""

import copy
import logging
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from math import ceil

from local.cluster.errors import Json, Refused
from local.cluster.quantities import parse
from local.cluster.resources import CLAIMS, EVENTS, INGRESS_CLASSES, INGRESSES, NODES, PODS
from local.cluster.store import Store

logger = logging.getLogger("streamspace.cluster")

LONGEST_STOP_S = 0.3
"""A container here obeys SIGTERM at once; its grace is not used up."""

ENDED = ("Succeeded", "Failed")


@dataclass
class Capacity:
    """What each node has to give, and how many there are."""

    nodes: int = 2
    cpu: str = "8"
    memory: str = "32Gi"
    pods: int = 110


@dataclass
class Kubelet:
    """One for all nodes, the scheduler and the volume binder included."""

    store: Store
    start_delay_s: float = 0.5
    paused: bool = False
    _since: dict[tuple[str, str], float] = field(default_factory=dict)
    _as_wanted: dict[str, str] = field(default_factory=dict)
    _addresses: int = 0
    _thread: threading.Thread | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self.store.wake()
        if self._thread:
            self._thread.join(timeout=5)

    def set_capacity(self, capacity: Capacity) -> None:
        """Have just these nodes. Pods on a node that goes are deleted; pods that no longer fit keep running, as in a
        real cluster."""
        wanted = {f"node-{number}": capacity for number in range(1, capacity.nodes + 1)}
        with self.store.changed:
            present = {node["metadata"]["name"]: node for node in self.store.all(NODES)}
            for name in sorted(set(present) - set(wanted)):
                for pod in self.store.all(PODS):
                    if pod["spec"].get("nodeName") == name:
                        self.store.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"], grace_s=0)
                self.store.delete(NODES, "", name)
            for name in wanted:
                if name not in present:
                    labels = {
                        "kubernetes.io/hostname": name,
                        "kubernetes.io/os": "linux",
                        "kubernetes.io/arch": "amd64",
                    }
                    node = self.store.create(NODES, "", {"metadata": {"name": name, "labels": labels}}, manager="kubelet")
                else:
                    node = present[name]
                self.store.set_status(NODES, node, _node_status(capacity))

    def have_ingress_class(self) -> None:
        """Have the class that an installation of ingress-nginx brings, as the cluster's default."""
        with self.store.changed:
            if not self.store.all(INGRESS_CLASSES):
                metadata = {"name": "nginx", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
                wanted = {"metadata": metadata, "spec": {"controller": "k8s.io/ingress-nginx"}}
                self.store.create(INGRESS_CLASSES, "", wanted, manager="kubelet")

    def evict(self, namespace: str, name: str) -> None:
        """End a pod as a node under pressure does: it stays, Failed, with the reason Evicted."""
        pod = self.store.get(PODS, namespace, name)
        message = "The node was low on resource: memory."
        status = {**pod["status"], "phase": "Failed", "reason": "Evicted", "message": message, "containerStatuses": []}
        status["conditions"] = _conditions(pod, self.store.timestamp(), ready=False, reason="Evicted")
        self.store.set_status(PODS, pod, status)
        self._tell(pod, "Evicted", message, warning=True)

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self.store.changed:
                version = self.store.version
            began = time.monotonic()
            try:
                due_s = 3600.0 if self.paused else self.round()
            except Exception:
                logger.exception("a round failed")
                due_s = 1.0
            # What changes meanwhile is seen by one round, so that many changes in a large cluster do not mean as many looks at all of it.
            self._stopped.wait(time.monotonic() - began)
            with self.store.changed:
                if self.store.version == version and not self._stopped.is_set():
                    self.store.changed.wait(max(due_s, 0.01))

    def round(self) -> float:
        """Take every step that is due; gives in how many seconds the next one may be."""
        pods = self.store.seen(PODS)
        living = {pod["metadata"]["uid"] for pod in pods}
        self._since = {key: since for key, since in self._since.items() if key[0] in living}
        self._as_wanted = {uid: version for uid, version in self._as_wanted.items() if uid in living}
        for claim in self.store.seen(CLAIMS):
            self._bind(claim)
        for ingress in self.store.seen(INGRESSES):
            if not ingress["status"].get("loadBalancer"):
                self.store.set_status(INGRESSES, ingress, {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}})
        due_s = [3600.0]
        # Counted when the first pod wants a node: most rounds are about others.
        room: dict[str, Room] | None = None
        for pod in pods:
            if self._as_wanted.get(pod["metadata"]["uid"]) == pod["metadata"]["resourceVersion"]:
                continue
            if pod["metadata"].get("deletionTimestamp"):
                due_s.append(self._end(pod))
            elif pod["status"].get("phase") in ENDED:
                continue
            elif not pod["spec"].get("nodeName"):
                if room is None:
                    room = _room(self.store.seen(NODES), pods)
                self._schedule(pod, room)
            else:
                due_s.append(self._run_containers(pod))
        return min(due_s)

    # Steps

    def _bind(self, claim: Json) -> None:
        metadata = claim["metadata"]
        if metadata.get("deletionTimestamp"):
            if not self.store.in_use(claim):
                self.store.remove(CLAIMS, metadata["namespace"], metadata["name"], metadata["uid"])
            return
        storage = claim["spec"]["resources"]["requests"]["storage"]
        status = {"phase": "Bound", "accessModes": claim["spec"]["accessModes"], "capacity": {"storage": storage}}
        if claim["status"] != status:
            self.store.set_status(CLAIMS, claim, status, spec={"volumeName": f"pvc-{metadata['uid']}"})

    def _schedule(self, pod: Json, room: "dict[str, Room]") -> None:
        obstacle = self._missing_claim(pod)
        if not obstacle:
            asked = _requests(pod)
            wanted_labels = pod["spec"].get("nodeSelector") or {}
            reasons: dict[str, int] = {}
            for name, node in sorted(room.items(), key=lambda entry: (-entry[1].memory, entry[0])):
                lacking = node.lacks(asked, wanted_labels)
                if not lacking:
                    node.take(asked)
                    self._place(pod, name)
                    return
                for reason in lacking:
                    reasons[reason] = reasons.get(reason, 0) + 1
            listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
            obstacle = f"0/{len(room)} nodes are available: {listed or 'no nodes'}."
        condition = self._condition("PodScheduled", False, reason="Unschedulable", message=obstacle)
        known = [entry for entry in pod["status"].get("conditions") or [] if entry["type"] == "PodScheduled"]
        if not known or known[0].get("message") != obstacle:
            self.store.set_status(PODS, pod, {**pod["status"], "phase": "Pending", "conditions": [condition]})
            self._tell(pod, "FailedScheduling", obstacle, warning=True)

    def _missing_claim(self, pod: Json) -> str:
        for volume in pod["spec"].get("volumes") or []:
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if name:
                try:
                    self.store.get(CLAIMS, pod["metadata"]["namespace"], name)
                except Refused:
                    return f'persistentvolumeclaim "{name}" not found'
        return ""

    def _place(self, pod: Json, node: str) -> None:
        waiting = [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": False,
                "started": False,
                "restartCount": 0,
                "state": {"waiting": {"reason": "ContainerCreating"}},
            }
            for container in pod["spec"]["containers"]
        ]
        status = {
            **pod["status"],
            "phase": "Pending",
            "hostIP": _host_address(node),
            "startTime": self.store.timestamp(),
            "conditions": _conditions(pod, self.store.timestamp(), ready=False, reason="ContainersNotReady"),
            "containerStatuses": waiting,
        }
        self.store.set_status(PODS, pod, status, spec={"nodeName": node})
        place = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        self._tell(pod, "Scheduled", f"Successfully assigned {place} to {node}")

    def _run_containers(self, pod: Json) -> float:
        statuses = pod["status"].get("containerStatuses") or []
        by_name = {status["name"]: status for status in statuses}
        wanted = [_fate(container["image"]) for container in pod["spec"]["containers"]]
        as_wanted = all(
            _fares_as(by_name.get(container["name"]), container["image"], fate)
            for container, fate in zip(pod["spec"]["containers"], wanted, strict=True)
        )
        if as_wanted:
            self._as_wanted[pod["metadata"]["uid"]] = pod["metadata"]["resourceVersion"]
            return 3600.0
        left_s = self._elapses(pod, "start", self.start_delay_s)
        if left_s > 0:
            return left_s
        now = self.store.timestamp()
        statuses = [
            _container_status(container, fate, now, by_name.get(container["name"]))
            for container, fate in zip(pod["spec"]["containers"], wanted, strict=True)
        ]
        ready = all(fate == "runs" for fate in wanted)
        started = any(fate != "ImagePullBackOff" for fate in wanted)
        self._addresses += 1
        address = pod["status"].get("podIP") or f"10.244.{self._addresses // 250 % 250}.{self._addresses % 250 + 1}"
        status = {
            **pod["status"],
            "phase": "Running" if started else "Pending",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": _conditions(pod, now, ready=ready, reason="ContainersNotReady"),
            "containerStatuses": statuses,
        }
        self.store.set_status(PODS, pod, status)
        for container, fate in zip(pod["spec"]["containers"], wanted, strict=True):
            if fate == "runs":
                self._tell(pod, "Started", f"Started container {container['name']}")
            elif fate == "ImagePullBackOff":
                self._tell(pod, "Failed", f'Failed to pull image "{container["image"]}": not found', warning=True)
            else:
                self._tell(pod, "BackOff", f"Back-off restarting failed container {container['name']}", warning=True)
        return 3600.0

    def _end(self, pod: Json) -> float:
        grace_s = min(pod["metadata"].get("deletionGracePeriodSeconds", 0), LONGEST_STOP_S)
        left_s = self._elapses(pod, "end", grace_s)
        if left_s <= 0:
            metadata = pod["metadata"]
            self.store.remove(PODS, metadata["namespace"], metadata["name"], metadata["uid"])
            return 3600.0
        return left_s

    def _elapses(self, pod: Json, what: str, delay_s: float) -> float:
        """Seconds left of ``delay_s`` since this was first asked for this pod."""
        began = self._since.setdefault((pod["metadata"]["uid"], what), time.monotonic())
        return began + delay_s - time.monotonic()

    def _condition(self, kind: str, holds: bool, *, reason: str = "", message: str = "") -> Json:
        return _condition(kind, holds, self.store.timestamp(), reason=reason, message=message)

    def _tell(self, pod: Json, reason: str, message: str, *, warning: bool = False) -> None:
        metadata, now = pod["metadata"], self.store.timestamp()
        event = {
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "kind": "Pod",
                "apiVersion": "v1",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": "simulator"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self.store.create(EVENTS, metadata["namespace"], event, manager="kubelet")
        except Refused:
            logger.debug("no event for %s: its namespace is going", metadata["name"])


@dataclass
class Room:
    """What is left on a node."""

    millis: int
    memory: int
    pods: int
    labels: dict[str, str]

    def lacks(self, asked: tuple[int, int], labels: dict[str, str]) -> list[str]:
        """Why a pod cannot go here, in the scheduler's words; nothing when it can."""
        if any(self.labels.get(name) != value for name, value in labels.items()):
            return ["node(s) didn't match Pod's node affinity/selector"]
        found = [
            (asked[0] > self.millis, "Insufficient cpu"),
            (asked[1] > self.memory, "Insufficient memory"),
            (self.pods < 1, "Too many pods"),
        ]
        return [reason for lacking, reason in found if lacking]

    def take(self, asked: tuple[int, int]) -> None:
        self.millis -= asked[0]
        self.memory -= asked[1]
        self.pods -= 1


def _room(nodes: list[Json], pods: list[Json]) -> dict[str, Room]:
    room = {}
    for node in nodes:
        if not node.get("spec", {}).get("unschedulable"):
            has = node["status"]["allocatable"]
            labels = node["metadata"].get("labels") or {}
            room[node["metadata"]["name"]] = Room(_millis(has["cpu"]), _bytes(has["memory"]), int(has["pods"]), labels)
    for pod in pods:
        place = room.get(pod["spec"].get("nodeName", ""))
        if place and pod["status"].get("phase") not in ENDED:
            place.take(_requests(pod))
    return room


def _requests(pod: Json) -> tuple[int, int]:
    asked = [(container.get("resources") or {}).get("requests") or {} for container in pod["spec"]["containers"]]
    return sum(_millis(str(each.get("cpu", 0))) for each in asked), sum(_bytes(str(each.get("memory", 0))) for each in asked)


# The same few amounts are asked for again and again.
@cache
def _millis(cpu: str) -> int:
    return ceil(parse(cpu) * 1000)


@cache
def _bytes(memory: str) -> int:
    return ceil(parse(memory))


def _fate(image: str) -> str:
    path, _, tag = image.rpartition(":")
    last = f"/{path or image}".rsplit("/", 1)[1]
    if last == "missing" or tag == "does-not-exist":
        return "ImagePullBackOff"
    return "CrashLoopBackOff" if last == "crash" else "runs"


def _fares_as(status: Json | None, image: str, fate: str) -> bool:
    """Whether a container is already in the state that its image leads to."""
    if status is None or status["image"] != image:
        return False
    if fate == "runs":
        return "running" in status["state"]
    return bool(status["state"].get("waiting", {}).get("reason") == fate)


def _container_status(container: Json, fate: str, now: str, before: Json | None) -> Json:
    status: Json = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": fate == "runs",
        "started": fate == "runs",
        "restartCount": (before or {}).get("restartCount", 0),
        "lastState": {},
    }
    if fate == "runs":
        status["state"] = {"running": {"startedAt": now}}
    elif fate == "CrashLoopBackOff":
        status["restartCount"] += 1
        status["state"] = {"waiting": {"reason": fate, "message": "back-off 10s restarting failed container"}}
        status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}}
    else:
        status["state"] = {"waiting": {"reason": fate, "message": f'Back-off pulling image "{container["image"]}"'}}
    return status


def _conditions(pod: Json, now: str, *, ready: bool, reason: str) -> list[Json]:
    before = {entry["type"]: entry for entry in pod["status"].get("conditions") or []}
    wanted = [("Initialized", True), ("Ready", ready), ("ContainersReady", ready), ("PodScheduled", True)]
    result = []
    for kind, holds in wanted:
        condition = _condition(kind, holds, now, reason="" if holds else reason)
        known = before.get(kind)
        if known and known["status"] == condition["status"]:
            condition["lastTransitionTime"] = known["lastTransitionTime"]
        result.append(condition)
    return result


def _condition(kind: str, holds: bool, now: str, *, reason: str = "", message: str = "") -> Json:
    condition = {"type": kind, "status": str(holds), "lastTransitionTime": now}
    return condition | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def _node_status(capacity: Capacity) -> Json:
    has = {"cpu": capacity.cpu, "memory": capacity.memory, "pods": str(capacity.pods)}
    return {
        "capacity": has,
        "allocatable": copy.deepcopy(has),
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        "nodeInfo": {"kubeletVersion": "v1.31.0-simulated", "operatingSystem": "linux", "architecture": "amd64"},
    }


def _host_address(node: str) -> str:
    """A made-up address of the node's own network."""
    return f"10.0.0.{int(node.rsplit('-', 1)[1]) % 250 + 1}"
