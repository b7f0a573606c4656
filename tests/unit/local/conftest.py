"""A simulated cluster in this process, and the official client for it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from local.cluster.kubelet import Capacity
from local.cluster.server import Cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    simulated = Cluster(Capacity(nodes=2, cpu="2", memory="4Gi", pods=10))
    simulated.kubelet.start_delay_s = 0.05
    simulated.url = simulated.start()
    yield simulated
    simulated.stop()


@pytest.fixture
def api(cluster: Cluster) -> Iterator[client.ApiClient]:
    configuration = client.Configuration(host=cluster.url)
    configuration.retries = False
    with client.ApiClient(configuration) as opened:
        yield opened


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture
def networking(api: client.ApiClient) -> client.NetworkingV1Api:
    return client.NetworkingV1Api(api)


@pytest.fixture
def pod() -> Callable[..., dict[str, Any]]:
    def made(name: str = "john-firefox", *, image: str = "firefox:1", cpu: str = "100m", memory: str = "64Mi", **more: Any):
        metadata = {"name": name, "labels": more.pop("labels", {"app": name})} | more.pop("metadata", {})
        container = {"name": "desktop", "image": image, "resources": {"requests": {"cpu": cpu, "memory": memory}}}
        return {"metadata": metadata, "spec": {"containers": [container | more.pop("container", {})], **more}}

    return made


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    def wait(question: Callable[[], Any], timeout_s: float = 5.0) -> Any:
        ends = time.monotonic() + timeout_s
        while not (answer := question()):
            assert time.monotonic() < ends, "it did not become so in time"
            time.sleep(0.01)
        return answer

    return wait
