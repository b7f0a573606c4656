"""Pods are scheduled, run and end; a capacity can run out; the simulator can be told to fail."""

import json
import urllib.request

import pytest
from kubernetes.client.exceptions import ApiException


def tell(cluster, verb, what, /, **body):
    request = urllib.request.Request(
        f"{cluster.url}/_simulator/{what}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method=verb
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@pytest.fixture
def phase(core):
    return lambda name: core.read_namespaced_pod(name, "default").status.phase


@pytest.fixture
def condition(core):
    def of(name, kind):
        found = core.read_namespaced_pod(name, "default").status.conditions or []
        return next((entry for entry in found if entry.type == kind), None)

    return of


def test_a_pod_becomes_running_and_ready_with_an_address(core, pod, until, phase, condition):
    core.create_namespaced_pod("default", pod())

    until(lambda: phase("john-firefox") == "Running")
    running = core.read_namespaced_pod("john-firefox", "default")

    assert running.status.pod_ip
    assert running.spec.node_name in ("node-1", "node-2")
    assert running.status.container_statuses[0].ready is True
    assert condition("john-firefox", "Ready").status == "True"
    reasons = {event.reason for event in core.list_namespaced_event("default").items}
    assert reasons >= {"Scheduled", "Started"}


def test_a_pod_that_fits_nowhere_waits_until_there_is_room(cluster, core, pod, until, phase, condition):
    core.create_namespaced_pod("default", pod("large", memory="3Gi"))
    core.create_namespaced_pod("default", pod("larger", memory="3Gi"))
    core.create_namespaced_pod("default", pod("third", memory="3Gi"))

    until(lambda: phase("larger") == "Running")
    until(lambda: condition("third", "PodScheduled"))
    waiting = condition("third", "PodScheduled")
    core.delete_namespaced_pod("large", "default")
    until(lambda: phase("third") == "Running")

    assert (waiting.status, waiting.reason) == ("False", "Unschedulable")
    assert waiting.message == "0/2 nodes are available: 2 Insufficient memory."


def test_more_nodes_make_room(cluster, core, pod, until, phase, condition):
    core.create_namespaced_pod("default", pod(cpu="3"))
    until(lambda: condition("john-firefox", "PodScheduled"))

    tell(cluster, "PUT", "capacity", cpu="4")

    until(lambda: phase("john-firefox") == "Running")


@pytest.mark.parametrize(
    ("image", "waiting_for", "expected_phase"),
    [
        ("registry.example.com/missing:1", "ImagePullBackOff", "Pending"),
        ("firefox:does-not-exist", "ImagePullBackOff", "Pending"),
        ("registry.example.com:5000/crash:1", "CrashLoopBackOff", "Running"),
    ],
)
def test_an_image_says_how_its_container_fares(core, pod, until, phase, image, waiting_for, expected_phase):
    core.create_namespaced_pod("default", pod(image=image))

    def waiting():
        states = core.read_namespaced_pod("john-firefox", "default").status.container_statuses or []
        return [status.state.waiting.reason for status in states if status.state.waiting]

    until(lambda: waiting() == [waiting_for])
    assert phase("john-firefox") == expected_phase


def test_a_deleted_pod_says_so_and_goes_after_its_grace(core, pod, until, phase):
    core.create_namespaced_pod("default", pod(terminationGracePeriodSeconds=1))
    until(lambda: phase("john-firefox") == "Running")

    going = core.delete_namespaced_pod("john-firefox", "default")

    assert going.metadata.deletion_timestamp is not None
    until(lambda: not core.list_namespaced_pod("default").items)


def test_a_pod_deleted_without_grace_is_gone_at_once(core, pod, until, phase):
    core.create_namespaced_pod("default", pod())
    until(lambda: phase("john-firefox") == "Running")

    core.delete_namespaced_pod("john-firefox", "default", grace_period_seconds=0)

    assert core.list_namespaced_pod("default").items == []


def test_a_claim_is_bound_and_protected_while_a_pod_uses_it(core, pod, until, phase):
    claim = {
        "metadata": {"name": "john-home"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": "john-home"}}]
    core.create_namespaced_pod("default", pod(volumes=volumes))
    core.create_namespaced_persistent_volume_claim("default", claim)
    until(lambda: phase("john-firefox") == "Running")

    core.delete_namespaced_persistent_volume_claim("john-home", "default")
    protected = core.read_namespaced_persistent_volume_claim("john-home", "default")
    core.delete_namespaced_pod("john-firefox", "default")
    until(lambda: not core.list_namespaced_persistent_volume_claim("default").items)

    assert protected.status.phase == "Bound"
    assert protected.metadata.deletion_timestamp is not None


def test_an_evicted_pod_stays_and_says_why(cluster, core, pod, until, phase):
    core.create_namespaced_pod("default", pod())
    until(lambda: phase("john-firefox") == "Running")

    tell(cluster, "POST", "evict/default/john-firefox")

    evicted = core.read_namespaced_pod("john-firefox", "default").status
    assert (evicted.phase, evicted.reason) == ("Failed", "Evicted")


def test_a_paused_kubelet_leaves_pods_pending(cluster, core, pod, until, phase):
    tell(cluster, "PUT", "kubelet", paused=True)
    core.create_namespaced_pod("default", pod())
    assert phase("john-firefox") == "Pending"

    tell(cluster, "PUT", "kubelet", paused=False)

    until(lambda: phase("john-firefox") == "Running")


def test_the_next_requests_fail_as_told_and_then_no_more(cluster, core, pod):
    tell(cluster, "POST", "failures", count=2, status=503, method="POST", path="/pods$")
    statuses = []

    for _ in range(2):
        with pytest.raises(ApiException) as failed:
            core.create_namespaced_pod("default", pod())
        statuses.append((failed.value.status, json.loads(failed.value.body)["reason"]))

    assert statuses == [(503, "ServiceUnavailable")] * 2
    assert core.create_namespaced_pod("default", pod()).metadata.name == "john-firefox"
