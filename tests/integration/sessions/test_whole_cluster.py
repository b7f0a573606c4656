"""The whole way: a person's request, the worker, the official client, and a cluster that answers as Kubernetes does.

The simulated cluster by default. With ``KUBECONFIG`` it is the cluster that the file's current context names, in a namespace of its own,
which is removed at the end. Two kinds of cluster will do:

- one with nodes, where ``STREAMSPACE_TEST_IMAGE`` (default: nginx without root, which listens on port 8080) can be pulled;
- an API server alone (kube-apiserver with etcd, as envtest starts them): then the tests themselves play the kubelet.

What needs the simulator's own levers (capacity, eviction) is skipped there.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from chalicelib import sessions
from chalicelib.core import config
from chalicelib.sessions import cluster as gateway
from chalicelib.sessions import drift, models, objects
from chalicelib.sessions.worker import Worker
from tests.event_history import history

simulated = pytest.importorskip("local.cluster.server")

IMAGE, PORT = os.environ.get("STREAMSPACE_TEST_IMAGE", "nginxinc/nginx-unprivileged:1.29-alpine"), 8080
KINDS = ("Pod", "Service", "Ingress", "PersistentVolumeClaim")
OURS = "app.kubernetes.io/managed-by=streamspace"


class WholeCluster:
    """``url`` is the simulator's; None for a real cluster."""

    def __init__(self, url: str | None) -> None:
        self.url = url
        self.patience_s = 10 if url else 120
        self.has_kubelet = url is not None or bool(gateway.cluster().everywhere("Node").items)

    def tell_simulator(self, method: str, path: str, body: Any = None) -> Any:
        if self.url is None:
            pytest.skip("a lever of the simulator's")
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"{}")

    def there_are(self, kind: str) -> list[str]:
        living = (one for one in gateway.cluster().page(kind, OURS).items if not one["metadata"].get("deletionTimestamp"))
        return sorted(one["metadata"]["name"] for one in living)

    def everything(self) -> list[str]:
        return [name for kind in KINDS for name in self.there_are(kind)]

    def pod(self, name: str) -> Any:
        found = gateway.cluster().get("Pod", name)
        assert found is not None
        return found

    def settle(self, session_id: str) -> bool:
        """Let the worker look as often as its re-checks would."""
        return self.until(lambda: Worker().reconcile(session_id))

    def until(self, holds: Any) -> bool:
        until = time.monotonic() + self.patience_s
        while not (held := holds()) and time.monotonic() < until:
            self._play_kubelet()
        return bool(held)

    def _play_kubelet(self) -> None:
        """Where there is none: a pod that is to run is ready, and one that is to go is gone."""
        if self.has_kubelet:
            return
        door: Any = gateway.cluster()
        for pod in door.page("Pod", objects.SESSION_LABEL).items:
            path = door._path("Pod", pod["metadata"]["name"])
            if pod["metadata"].get("deletionTimestamp"):
                door._call("DELETE", path, body={"gracePeriodSeconds": 0}, missing_is_none=True)
            elif not pod.get("status", {}).get("conditions"):
                ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
                door._call("PATCH", f"{path}/status", body=ready, content_type="application/merge-patch+json", missing_is_none=True)
        # An API server alone collects no garbage: what a pod owned goes when it is asked to, and a claim is protected by nobody.


@pytest.fixture
def cluster() -> Iterator[WholeCluster]:
    file = os.environ.get("KUBECONFIG")
    namespace = f"streamspace-test-{uuid.uuid4().hex[:8]}"
    gateway.cluster.cache_clear()
    with ExitStack() as stack:
        stack.callback(gateway.cluster.cache_clear)
        stack.enter_context(config.overridden(API_URL="https://platform.example.com"))
        if file:
            stack.enter_context(config.overridden(KUBECONFIG=file, NAMESPACE=namespace))
            door: Any = gateway.cluster()
            stack.callback(door._call, "DELETE", f"/api/v1/namespaces/{namespace}", missing_is_none=True)
            stack.enter_context(config.overridden(INGRESS_CLASS=_ingress_class(door, namespace, stack)))
            yield WholeCluster(None)
        else:
            simulator = simulated.Cluster()
            simulator.kubelet.start_delay_s = 0.1
            url = simulator.start(0)
            stack.callback(simulator.stop)
            stack.enter_context(config.overridden(KUBERNETES_URL=url, NAMESPACE=namespace))
            yield WholeCluster(url)


def _ingress_class(door: Any, name: str, stack: ExitStack) -> str:
    """One of ingress-nginx, whether the cluster has that controller or not."""
    path = f"/apis/networking.k8s.io/v1/ingressclasses/{name}"
    wanted = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": name}}
    door._apply(path, {**wanted, "spec": {"controller": "k8s.io/ingress-nginx"}})
    stack.callback(door._call, "DELETE", path, missing_is_none=True)
    return name


@pytest.fixture
def john(platform: Any) -> Any:
    platform.template(baseImage=IMAGE, ports=[{"name": "web", "containerPort": PORT}])
    return platform.user("john")


def test_a_sessions_life_from_creation_to_its_end(platform, john, cluster):
    session = platform.session()

    assert cluster.settle(session.id)
    running = sessions.get_session(session.id, by=john)
    objects_of_running = cluster.everything()
    sessions.update_session(session.id, {"state": "hibernated"}, by=john)
    assert cluster.settle(session.id)
    objects_of_hibernated = cluster.everything()
    sessions.update_session(session.id, {"state": "running"}, by=john)
    assert cluster.settle(session.id)
    sessions.update_session(session.id, {"resources": {"memory": "3Gi"}, "labels": {"team": "b"}}, by=john)
    assert cluster.settle(session.id)
    changed = cluster.pod("ss-john-firefox")
    sessions.delete_session(session.id, by=john)
    assert cluster.settle(session.id)

    assert (running.url, running.pod_name) == ("https://john-firefox.streamspace.local", "ss-john-firefox")
    assert objects_of_running == ["ss-john-firefox", "ss-john-firefox", "ss-john-firefox", "home-john"]
    assert objects_of_hibernated == ["home-john"]
    assert changed["spec"]["containers"][0]["resources"]["limits"]["memory"] == "3Gi"
    assert changed["metadata"]["labels"]["team"] == "b"
    assert cluster.everything() == ["home-john"]
    assert models.session_of_id(session.id) is None
    assert [event.type for event in history("session#john-firefox", newest_first=False)] == [
        "session.created",
        "session.started",
        "session.hibernated",
        "session.woken",
        "session.changed",
        "session.stopped",
        "session.deleted",
    ]


def test_a_user_who_is_removed_with_storage_leaves_an_empty_cluster(platform, john, cluster):
    session = platform.session()
    assert cluster.settle(session.id)

    sessions.remove_user("john", delete_storage=True, by=platform.admin)
    Worker().reconcile_home("john")
    assert cluster.settle(session.id)
    assert cluster.until(lambda: Worker().reconcile_home("john"))

    assert cluster.everything() == []


def test_pods_own_what_leads_to_them_and_the_policy_keeps_sessions_apart(platform, john, cluster):
    session = platform.session()
    assert cluster.settle(session.id)

    uid = cluster.pod("ss-john-firefox")["metadata"]["uid"]
    owners = {kind: gateway.cluster().get(kind, "ss-john-firefox")["metadata"]["ownerReferences"] for kind in ("Service", "Ingress")}

    assert {kind: [owner["uid"] for owner in found] for kind, found in owners.items()} == {"Service": [uid], "Ingress": [uid]}
    assert gateway.cluster().get("NetworkPolicy", "sessions-apart") is not None
    ingress = gateway.cluster().get("Ingress", "ss-john-firefox")
    assert ingress["spec"]["ingressClassName"] == config.setting("INGRESS_CLASS", "nginx")
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/auth-url"].endswith("/sessions/john-firefox/auth")


def test_a_pod_that_is_deleted_by_hand_and_one_that_nobody_owns_are_found_by_the_comparison(platform, john, cluster):
    session = platform.session()
    assert cluster.settle(session.id)
    pod = cluster.pod("ss-john-firefox")
    gateway.cluster().delete("Pod", "ss-john-firefox")
    stray = {**pod, "metadata": {"name": "stray", "namespace": config.namespace(), "labels": pod["metadata"]["labels"]}}
    stray = {key: stray[key] for key in ("apiVersion", "kind", "metadata")} | {"spec": {"containers": [{"name": "a", "image": IMAGE}]}}
    gateway.cluster().apply(stray)
    sent = platform.checks

    def both_are_right() -> bool:
        drift.mend()
        for message in sent.taken():
            Worker().reconcile(message["session_id"])
        now = gateway.cluster().get("Pod", "ss-john-firefox")
        return now is not None and now["metadata"]["uid"] != pod["metadata"]["uid"] and cluster.there_are("Pod") == ["ss-john-firefox"]

    assert cluster.until(both_are_right)
    assert cluster.settle(session.id)
    assert sessions.get_session(session.id, by=john).is_ready


def test_what_leads_to_a_pod_comes_back_when_it_was_deleted_or_changed_by_hand(platform, john, cluster):
    session, name = platform.session(), "ss-john-firefox"
    assert cluster.settle(session.id)
    door: Any = gateway.cluster()
    before = {kind: door.get(kind, name) for kind in ("Service", "Ingress")}
    sent = platform.checks

    def compared() -> list[str]:
        sent.taken()
        drift.mend()
        told = [message["session_id"] for message in sent.taken()]
        for one in told:
            Worker().reconcile(one)
        return told

    def by_hand(kind: str, change: Any) -> None:
        door._call("PATCH", door._path(kind, name), body=change, content_type="application/merge-patch+json")

    assert compared() == [], "what the cluster itself adds is no drift"
    door.delete("Service", name)
    assert cluster.until(lambda: session.id in compared() and door.get("Service", name) is not None)
    by_hand("Service", {"spec": {"selector": {objects.SESSION_LABEL: "another"}, "ports": [{"port": 22, "name": "ssh"}]}})
    assert compared() == [session.id]
    opened = {"tls": None, "rules": [{"host": "a.example.com"}]}
    by_hand("Ingress", {"metadata": {"annotations": None, "ownerReferences": None}, "spec": opened})
    assert compared() == [session.id]
    assert compared() == []

    now = {kind: door.get(kind, name) for kind in before}
    assert before["Service"]["spec"]["ports"][0] in now["Service"]["spec"]["ports"]
    assert now["Service"]["spec"]["selector"] == before["Service"]["spec"]["selector"]
    assert now["Ingress"]["spec"] == before["Ingress"]["spec"]
    assert now["Ingress"]["metadata"]["annotations"] == before["Ingress"]["metadata"]["annotations"]


def test_what_the_cluster_does_not_take_is_said_on_the_session(platform, john, cluster):
    session = platform.session(labels={"team": "a"})
    row = models.session_of_id(session.id)
    models.LaunchRow(row.pk, "launch").update([models.LaunchRow.labels.set({"team": "not a label!"})])

    assert not Worker().reconcile(session.id)

    shown = sessions.status_object(sessions.get_session(session.id, by=john))
    assert (shown["phase"], shown["reason"]) == ("Failed", "Invalid")
    assert "label" in shown["message"]


# ── What needs the simulator's levers ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_session_waits_for_room_and_starts_when_there_is(platform, john, cluster):
    cluster.tell_simulator("PUT", "/_simulator/capacity", {"nodes": 1, "memory": "1Gi"})
    session = platform.session()

    assert not Worker().reconcile(session.id)
    stuck = sessions.get_session(session.id, by=john)
    cluster.tell_simulator("PUT", "/_simulator/capacity", {"nodes": 1, "memory": "8Gi"})
    assert cluster.settle(session.id)

    assert (stuck.url, stuck.status.reason) == (None, "Unschedulable")
    assert sessions.get_session(session.id, by=john).status is None


def test_what_the_nodes_have_left_is_counted_with_the_pods_of_everybody(platform, john, cluster):
    cluster.tell_simulator("PUT", "/_simulator/capacity", {"nodes": 2, "memory": "8Gi", "cpu": "4"})
    assert cluster.settle(platform.session(resources={"memory": "5Gi", "cpu": "1"}).id)

    assert drift.measure_room() == 2

    assert models.template_and_capacity("firefox")[1].room.most == [[8 * 1024**3, 4000]]
    with pytest.raises(sessions.service.InsufficientResources):
        platform.session(resources={"memory": "9Gi"})


def test_a_pod_that_is_thrown_out_comes_back(platform, john, cluster):
    session = platform.session()
    assert cluster.settle(session.id)

    cluster.tell_simulator("POST", f"/_simulator/evict/{config.namespace()}/ss-john-firefox", {})
    assert cluster.settle(session.id)

    assert cluster.there_are("Pod") == ["ss-john-firefox"]
    assert sessions.get_session(session.id, by=john).url is not None


def test_an_image_that_cannot_be_pulled_is_said_at_once(platform, john, cluster):
    cluster.tell_simulator("PUT", "/_simulator/kubelet", {"start_delay_s": 0.1})
    platform.template("broken", baseImage="registry.example.com/missing:1")
    session = platform.session(template="broken")

    assert cluster.until(lambda: Worker().reconcile(session.id) or sessions.get_session(session.id, by=john).status.reason in PULL)

    shown = sessions.status_object(sessions.get_session(session.id, by=john))
    assert shown["ready"] is False
    assert shown["message"].startswith("Its image cannot be pulled")


PULL = ("ErrImagePull", "ImagePullBackOff")


def test_a_cluster_that_is_away_is_said_and_the_session_starts_when_it_is_back(platform, john, cluster):
    session = platform.session()
    cluster.tell_simulator("POST", "/_simulator/failures", {"count": 50, "drop": True})

    Worker()._work_on({"session_id": session.id}, attempt=0)
    away = sessions.status_object(sessions.get_session(session.id, by=john))
    cluster.tell_simulator("DELETE", "/_simulator/failures")
    assert cluster.settle(session.id)

    assert (away["state"], away["ready"], away["reason"]) == ("running", False, "ClusterUnavailable")
    assert [message["attempt"] for message in platform.checks.messages()] == [1]
    assert sessions.get_session(session.id, by=john).is_ready


def test_a_larger_quota_grows_the_home(platform, john, cluster):
    from chalicelib import accounts

    cluster.tell_simulator("GET", "/_simulator/state")
    assert cluster.settle(platform.session().id)
    accounts.update_user("john", quotas={"storage": "200Gi"}, by=None)
    assert cluster.settle(platform.session().id)

    claim = gateway.cluster().get("PersistentVolumeClaim", "home-john")
    assert claim["spec"]["resources"]["requests"]["storage"] == "200Gi"
