"""The whole way: a person's request, the worker, the official client, and a cluster that answers as Kubernetes does."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import sessions
from chalicelib.core import config
from chalicelib.events import history
from chalicelib.sessions import cluster as gateway
from chalicelib.sessions import models
from chalicelib.sessions.worker import Worker

simulated = pytest.importorskip("local.cluster.server")


class Simulator:
    def __init__(self, url: str) -> None:
        self.url = url

    def tell(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"{}")

    def there_are(self, kind: str) -> list[str]:
        group = "apis/networking.k8s.io/v1" if kind == "ingresses" else "api/v1"
        return [one["metadata"]["name"] for one in self.tell("GET", f"/{group}/namespaces/streamspace/{kind}")["items"]]

    def everything(self) -> list[str]:
        return [name for kind in ("pods", "services", "ingresses", "persistentvolumeclaims") for name in self.there_are(kind)]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    cluster = simulated.Cluster()
    cluster.kubelet.start_delay_s = 0.1
    url = cluster.start(0)
    gateway.cluster.cache_clear()
    with config.overridden(KUBERNETES_URL=url):
        made = Simulator(url)
        yield made
    gateway.cluster.cache_clear()
    cluster.stop()


def settle(session_id: str) -> bool:
    """Let the worker look as often as its re-checks would, for at most ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if Worker().reconcile(session_id):
            return True
    return False


@pytest.fixture
def john(platform: Any) -> Any:
    platform.template()
    return platform.user("john")


def test_a_sessions_life_from_creation_to_its_end(platform, john, simulator):
    session = platform.session()

    assert Worker().reconcile(session.id), "a fast cluster needs no re-check"
    running = sessions.get_session(session.id, by=john)
    objects_of_running = simulator.everything()
    sessions.update_session(session.id, {"state": "hibernated"}, by=john)
    assert settle(session.id)
    objects_of_hibernated = simulator.everything()
    sessions.update_session(session.id, {"state": "running"}, by=john)
    assert settle(session.id)
    sessions.update_session(session.id, {"resources": {"memory": "3Gi"}, "labels": {"team": "b"}}, by=john)
    assert settle(session.id)
    changed = simulator.tell("GET", "/api/v1/namespaces/streamspace/pods/ss-john-firefox")
    sessions.delete_session(session.id, by=john)
    assert settle(session.id)

    assert (running.url, running.pod_name) == ("https://john-firefox.streamspace.local", "ss-john-firefox")
    assert objects_of_running == ["ss-john-firefox", "ss-john-firefox", "ss-john-firefox", "home-john"]
    assert objects_of_hibernated == ["home-john"]
    assert changed["spec"]["containers"][0]["resources"]["limits"]["memory"] == "3Gi"
    assert changed["metadata"]["labels"]["team"] == "b"
    assert simulator.everything() == ["home-john"]
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


def test_a_user_who_is_removed_with_storage_leaves_an_empty_cluster(platform, john, simulator):
    session = platform.session()
    assert settle(session.id)

    sessions.remove_user("john", delete_storage=True, by=platform.admin)
    Worker().reconcile_home("john")
    assert settle(session.id)
    until = time.monotonic() + 10
    while not Worker().reconcile_home("john") and time.monotonic() < until:
        pass

    assert simulator.everything() == []


def test_a_session_waits_for_room_and_starts_when_there_is(platform, john, simulator):
    simulator.tell("PUT", "/_simulator/capacity", {"nodes": 1, "memory": "1Gi"})
    session = platform.session()

    assert not Worker().reconcile(session.id)
    stuck = sessions.get_session(session.id, by=john)
    simulator.tell("PUT", "/_simulator/capacity", {"nodes": 1, "memory": "8Gi"})
    assert settle(session.id)

    assert (stuck.url, stuck.status.reason) == (None, "Unschedulable")
    assert sessions.get_session(session.id, by=john).status is None


def test_a_pod_that_is_thrown_out_comes_back(platform, john, simulator):
    session = platform.session()
    assert settle(session.id)

    simulator.tell("POST", "/_simulator/evict/streamspace/ss-john-firefox", {})
    assert settle(session.id)

    assert simulator.there_are("pods") == ["ss-john-firefox"]
    assert sessions.get_session(session.id, by=john).url is not None


def test_a_larger_quota_grows_the_home(platform, john, simulator):
    from chalicelib import accounts

    assert settle(platform.session().id)
    accounts.update_user("john", quotas={"storage": "200Gi"}, by=None)
    assert settle(platform.session().id)

    claim = simulator.tell("GET", "/api/v1/namespaces/streamspace/persistentvolumeclaims/home-john")
    assert claim["spec"]["resources"]["requests"]["storage"] == "200Gi"
