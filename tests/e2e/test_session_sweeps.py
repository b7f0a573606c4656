"""Sessions that nobody uses, and a cluster that drifts, on the whole stack: its schedules, roles and queues included.

The sweep comes every minute; the tests ask its function for it at once, which is the same sweep.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from local import settings
from tests.e2e.client import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

TEMPLATE = "firefox-browser"


@pytest.fixture
def sweep(account):
    def run() -> dict[str, int]:
        answer = account.client("lambda").invoke(FunctionName=f"{settings.STACK_NAME}-session-sweeper", Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.load(answer["Payload"])

    return run


@pytest.fixture
def pods(stack):
    """``pods(method, name, body)``: the cluster's own API of pods, as its administrator has it."""
    return lambda method, name="", body=None: ask_cluster(stack, method, f"/api/v1/namespaces/streamspace/pods{name and '/'}{name}", body)


def ask_cluster(stack: Any, method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{stack.kubernetes_url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def named(pods: Any) -> dict[str, str]:
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in pods("GET")["items"]}


def test_a_pod_that_was_deleted_comes_back_and_one_that_nobody_owns_goes(user, sweep, pods):
    session = user.api.post("/sessions", {"user": user.username, "template": TEMPLATE})
    path = f"/sessions/{session['id']}/status"
    eventually(lambda: user.api.get(path)["ready"], within_s=60)
    mine = user.api.get(f"/sessions/{session['id']}")["podName"]
    uid = named(pods)[mine]

    stray = {"name": f"stray-{user.username}", "labels": {"stream.space/session": session["id"]}}
    pods("POST", body={"metadata": stray, "spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}})
    pods("DELETE", mine)
    eventually(lambda: named(pods).get(mine) != uid, within_s=30)
    done = sweep()
    eventually(lambda: named(pods).get(mine) not in (None, uid), within_s=60)
    eventually(lambda: stray["name"] not in named(pods), within_s=60)

    assert set(done) == {"users_removed", "sessions_ended_or_warned", "drifted", "nodes_measured"}, (
        "each of the sweeps ran, with the rights it has"
    )
    assert done["nodes_measured"] > 0
    eventually(lambda: user.api.get(path)["ready"], within_s=60)


def test_a_service_that_was_deleted_comes_back_and_an_entrance_that_somebody_opened_is_guarded_again(user, sweep, stack):
    session = user.api.post("/sessions", {"user": user.username, "template": TEMPLATE})
    eventually(lambda: user.api.get(f"/sessions/{session['id']}/status")["ready"], within_s=60)
    name = user.api.get(f"/sessions/{session['id']}")["podName"]
    services = "/api/v1/namespaces/streamspace/services"
    ingress = f"/apis/networking.k8s.io/v1/namespaces/streamspace/ingresses/{name}"
    auth_url = "nginx.ingress.kubernetes.io/auth-url"
    guarded = ask_cluster(stack, "GET", ingress)
    assert guarded["spec"]["ingressClassName"] == "nginx"
    assert guarded["metadata"]["annotations"][auth_url].endswith(f"/sessions/{session['id']}/auth")

    ask_cluster(stack, "DELETE", f"{services}/{name}")
    ask_cluster(stack, "PATCH", ingress, {"metadata": {"annotations": {auth_url: None}}})
    sweep()

    eventually(lambda: name in [one["metadata"]["name"] for one in ask_cluster(stack, "GET", services)["items"]], within_s=60)
    eventually(lambda: ask_cluster(stack, "GET", ingress)["metadata"]["annotations"] == guarded["metadata"]["annotations"], within_s=60)


def test_an_idle_session_is_told_of_kept_by_a_click_and_sleeps_in_the_end(user, sweep):
    session = user.api.post("/sessions", {"user": user.username, "template": TEMPLATE, "idleTimeout": "24s"})
    path = f"/sessions/{session['id']}"
    eventually(lambda: user.api.get(f"{path}/status")["ready"], within_s=60)
    url = user.api.get(path)["url"]

    def warnings() -> list[Any]:
        sweep()
        return [one for one in user.api.get("/notifications") if session["id"] in one["title"]]

    eventually(lambda: len(warnings()) == 1, within_s=60)
    (warning,) = warnings()
    kept = user.api.post(f"/notifications/{warning['id']}/actions/0", {})
    eventually(lambda: len(warnings()) == 2, within_s=60)
    eventually(lambda: sweep() and user.api.get(path)["state"] == "hibernated", within_s=60)
    asleep = user.api.get(f"{path}/status")
    user.api.patch(path, {"state": "running"})
    eventually(lambda: user.api.get(f"{path}/status")["ready"], within_s=60)

    assert [action["label"] for action in warning["actions"]] == ["Keep it running"]
    assert session["id"] in kept["message"]
    assert asleep["reason"] == "Idle"
    assert user.api.get(path)["url"] == url


def test_an_image_that_cannot_be_pulled_is_said_within_seconds(api, user):
    name = f"broken-{user.username}"
    template = {
        **{"name": name, "displayName": "Broken", "description": "Its image is nowhere", "category": "Tests"},
        **{"baseImage": "registry.example.com/missing:1", "defaultResources": {"memory": "1Gi", "cpu": "100m"}, "ports": []},
    }
    api.post("/templates", template)
    try:
        session = user.api.post("/sessions", {"user": user.username, "template": name})
        eventually(lambda: user.api.get(f"/sessions/{session['id']}/status")["reason"] == "ImagePullBackOff", within_s=30)

        assert user.api.get(f"/sessions/{session['id']}/status")["message"].startswith("Its image cannot be pulled")
    finally:
        api.delete(f"/templates/{name}")
