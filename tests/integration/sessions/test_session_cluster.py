"""What passes over the wire between the gateway and a Kubernetes API, and what each answer means."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.core import config
from chalicelib.sessions import cluster as gateway
from chalicelib.sessions import eks
from chalicelib.sessions.cluster import Cluster, ClusterRefused, ClusterUnavailable

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ss-a"}}


class Api:
    """Answers each request with what the test put here, and keeps the requests."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[dict[str, Any]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.requests.append(
                    {
                        "method": self.command,
                        "path": url.path,
                        "query": {name: values[-1] for name, values in parse_qs(url.query).items()},
                        "headers": {name.lower(): value for name, value in self.headers.items()},
                        "body": json.loads(body) if body else None,
                    }
                )
                status, value = api.answers.pop(0)
                text = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PATCH = do_DELETE = answer

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def cluster(api: Api) -> Iterator[Cluster]:
    gateway.cluster.cache_clear()
    with config.overridden(KUBERNETES_URL=api.url):
        yield gateway.cluster()
    gateway.cluster.cache_clear()


def test_apply_is_a_server_side_apply_that_owns_its_fields(api, cluster):
    api.answers = [(201, {**POD, "status": {}})]

    assert cluster.apply(POD) == {**POD, "status": {}}
    (request,) = api.requests
    assert (request["method"], request["path"]) == ("PATCH", "/api/v1/namespaces/streamspace/pods/ss-a")
    assert request["query"] == {"fieldManager": "streamspace", "force": "true"}
    assert request["headers"]["content-type"] == "application/apply-patch+yaml"
    assert request["body"] == POD
    assert "authorization" not in request["headers"]


def test_a_missing_namespace_is_made(api, cluster):
    api.answers = [(404, {"reason": "NotFound", "message": "namespaces not found"}), (201, {}), (201, POD)]

    assert cluster.apply(POD) == POD
    assert [request["path"] for request in api.requests] == [
        "/api/v1/namespaces/streamspace/pods/ss-a",
        "/api/v1/namespaces/streamspace",
        "/api/v1/namespaces/streamspace/pods/ss-a",
    ]


def test_ingresses_have_their_own_group(api, cluster):
    api.answers = [(200, {})]

    cluster.get("Ingress", "a")

    assert api.requests[0]["path"] == "/apis/networking.k8s.io/v1/namespaces/streamspace/ingresses/a"


def test_what_is_not_there_is_none_and_deleted_already(api, cluster):
    api.answers = [(404, {"reason": "NotFound"}), (404, {"reason": "NotFound"}), (200, POD)]

    assert cluster.get("Pod", "a") is None
    assert cluster.delete("Pod", "a") is True
    assert cluster.delete("Pod", "a") is False


def test_only_the_object_that_is_meant_is_deleted(api, cluster):
    api.answers = [(409, {"reason": "Conflict", "message": "uid in precondition"})]

    assert cluster.delete("Pod", "a", uid="u1") is True
    assert api.requests[0]["body"]["preconditions"] == {"uid": "u1"}


def test_a_list_comes_in_pages_of_five_hundred(api, cluster):
    api.answers = [(200, {"items": [{"a": 1}], "metadata": {"continue": "more"}}), (200, {"items": [{"a": 2}], "metadata": {}})]

    first = cluster.page("Pod", "stream.space/session")
    second = cluster.page("Pod", "stream.space/session", first.following)

    assert (first.items, second.items, second.following) == ([{"a": 1}], [{"a": 2}], "")
    assert api.requests[0]["query"] == {"labelSelector": "stream.space/session", "limit": "500"}
    assert api.requests[1]["query"]["continue"] == "more"


def test_a_list_whose_place_was_forgotten_goes_on_at_the_next_name(api, cluster):
    expired = {"reason": "Expired", "message": "too old", "metadata": {"continue": "newer"}}
    api.answers = [(410, expired), (200, {"items": [{"a": 2}], "metadata": {}})]

    assert cluster.page("Pod", "stream.space/session", "old").items == [{"a": 2}]
    assert [request["query"]["continue"] for request in api.requests] == ["old", "newer"]


def test_nodes_and_the_pods_of_all_namespaces_are_listed_too(api, cluster):
    api.answers = [(200, {"items": []}), (200, {"items": []})]

    cluster.everywhere("Node")
    cluster.everywhere("Pod", fields="status.phase!=Failed")

    assert [request["path"] for request in api.requests] == ["/api/v1/nodes", "/api/v1/pods"]
    assert api.requests[1]["query"]["fieldSelector"] == "status.phase!=Failed"


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_cluster_that_cannot_answer_now_is_unavailable(api, cluster, status):
    api.answers = [(status, {"message": "later"})]

    with pytest.raises(ClusterUnavailable, match="later"):
        cluster.apply(POD)


def test_a_refusal_has_the_clusters_own_words(api, cluster):
    api.answers = [(422, {"reason": "Invalid", "message": "spec: Required value"})]

    with pytest.raises(ClusterRefused) as refused:
        cluster.apply(POD)

    assert (refused.value.status, refused.value.reason, refused.value.message) == (422, "Invalid", "spec: Required value")


def test_a_cluster_where_nobody_listens_is_unavailable(api, cluster):
    api.server.shutdown()
    api.server.server_close()

    with pytest.raises(ClusterUnavailable):
        cluster.get("Pod", "a")


def test_eks_is_asked_with_a_token_of_this_functions_identity(api, aws, monkeypatch):
    # moto's clusters have no endpoint that answers, and an authority that is no certificate.
    described = {"endpoint": api.url, "certificateAuthority": {"data": base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()}}
    monkeypatch.setattr(aws.client("eks"), "describe_cluster", lambda name: {"cluster": described})
    api.answers = [(200, POD)]
    gateway.cluster.cache_clear()

    with config.overridden(EKS_CLUSTER="streamspace"):
        gateway.cluster().get("Pod", "a")
    gateway.cluster.cache_clear()

    assert eks.find("streamspace").certificate_authority == "-----BEGIN CERTIFICATE-----"
    scheme, _, token = api.requests[0]["headers"]["authorization"].partition(" ")
    assert scheme == "Bearer"
    assert token.startswith("k8s-aws-v1.")
