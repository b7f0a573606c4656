"""The door to Kubernetes. Only the worker opens it, and the comparison with the records (:mod:`drift`): the client costs half a second to
import, which no request should pay.

What each answer means is written down here, once:

=====================  =================================================
404 on get, delete     it is gone: fine
404 on apply           the namespace is missing: made, once
409 on delete          somebody replaced it meanwhile: look again
410 on a list          its place was forgotten: goes on at the next name
429, 5xx, no answer    :class:`ClusterUnavailable`: later
other 4xx              :class:`ClusterRefused`: with Kubernetes' sentence
=====================  =================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from chalicelib.core import config
from chalicelib.sessions import eks, objects
from chalicelib.sessions.objects import Object

FIELD_MANAGER = "streamspace"
_TIMEOUT_S = (2, 10)

LARGEST_PAGE = 500

_PATHS = {
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "PersistentVolumeClaim": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
}
# What belongs to no namespace, or is listed across them to see what nodes have left.
_EVERYWHERE = {"Node": "/api/v1/nodes", "Pod": "/api/v1/pods", "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses"}


class ClusterUnavailable(Exception):
    """The cluster gave no usable answer: to be tried again later."""


class ClusterRefused(Exception):
    """The cluster does not want this, and will not want it in a minute. ``reason`` is Kubernetes' word, such as ``Invalid``; ``following``
    is where a list that it forgot can go on."""

    def __init__(self, status: int, reason: str, message: str, following: str = "") -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message, self.following = status, reason, message, following


@dataclass(frozen=True)
class Page:
    """A part of a list. ``following`` is where it goes on, for some minutes; "" at its end."""

    items: list[Object]
    following: str


class Cluster(Protocol):
    """Objects of one namespace. Every method raises ClusterUnavailable or ClusterRefused."""

    def apply(self, wanted: Object) -> Object:
        """Make it so (server-side apply), whether it exists or not; the object as it then is."""

    def get(self, kind: str, name: str) -> Object | None:
        """None when there is none."""

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> bool:
        """Ask for it to be gone; True when it is already. With ``uid``, only that very object, and none that has taken its name."""

    def page(self, kind: str, selector: str, after: str = "") -> Page:
        """At most five hundred that the label selector takes, by name; ``after`` is the ``following`` of the page before."""

    def everywhere(self, kind: str, after: str = "", *, fields: str = "") -> Page:
        """The same of nodes and ingress classes, or of pods of all namespaces that the field selector takes."""


class KubernetesCluster:
    """The real one (or one that speaks its protocol), by the official client's transport."""

    def __init__(self, api_client: Any, namespace: str) -> None:
        self._api = api_client
        self._namespace = namespace

    def apply(self, wanted: Object) -> Object:
        path = self._path(wanted["kind"], wanted["metadata"]["name"])
        try:
            return self._apply(path, wanted)
        except ClusterRefused as refused:
            if refused.status != 404:
                raise
        # What is applied is made where it is missing; only its namespace can be what was not found.
        self._apply(f"/api/v1/namespaces/{self._namespace}", objects.namespace(self._namespace))
        return self._apply(path, wanted)

    def _apply(self, path: str, wanted: Object) -> Object:
        query = [("fieldManager", FIELD_MANAGER), ("force", "true")]
        return self._call("PATCH", path, query=query, body=wanted, content_type="application/apply-patch+yaml") or {}

    def get(self, kind: str, name: str) -> Object | None:
        return self._call("GET", self._path(kind, name), missing_is_none=True)

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> bool:
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            return self._call("DELETE", self._path(kind, name), body=body, missing_is_none=True) is None
        except ClusterRefused as refused:
            if refused.status == 409 and uid:
                # That very object is gone; another one has its name.
                return True
            raise

    def page(self, kind: str, selector: str, after: str = "") -> Page:
        return self._page(self._path(kind), [("labelSelector", selector)], after)

    def everywhere(self, kind: str, after: str = "", *, fields: str = "") -> Page:
        return self._page(_EVERYWHERE[kind], [("fieldSelector", fields)] if fields else [], after)

    def _page(self, path: str, chosen: list[tuple[str, str]], after: str) -> Page:
        query = [*chosen, ("limit", str(LARGEST_PAGE))]
        try:
            found = self._call("GET", path, query=[*query, ("continue", after)] if after else query) or {}
        except ClusterRefused as refused:
            if refused.status != 410 or not refused.following:
                raise
            # The list as it was is forgotten after some minutes; this goes on with the list as it is.
            found = self._call("GET", path, query=[*query, ("continue", refused.following)]) or {}
        return Page(found.get("items") or [], (found.get("metadata") or {}).get("continue") or "")

    def _path(self, kind: str, name: str | None = None) -> str:
        path = _PATHS[kind].format(namespace=self._namespace)
        return f"{path}/{name}" if name else path

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        missing_is_none: bool = False,
    ) -> Object | None:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json", **({"Content-Type": content_type} if body is not None else {})}
        request = self._api.param_serialize(
            method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            answer = self._api.call_api(*request, _request_timeout=_TIMEOUT_S)
            status, text = answer.status, answer.read()
        except (HTTPError, OSError) as error:
            raise ClusterUnavailable(f"{method} {path}: {error}") from error
        except ApiException as error:
            status, text = int(error.status or 0), (error.body or "").encode()
        if 200 <= status < 300:
            return _json(text)
        if status == 404 and missing_is_none:
            return None
        said = _json(text)
        message = str(said.get("message") or text[:200])
        # 401 comes from a token that has just expired or a cluster that is starting: also a matter of time.
        if status in (0, 401, 408, 429) or status >= 500:
            raise ClusterUnavailable(f"{method} {path}: {status} {message}")
        raise ClusterRefused(status, str(said.get("reason") or ""), message, str((said.get("metadata") or {}).get("continue") or ""))


@cache
def cluster() -> Cluster:
    """The cluster that this function's environment names; its client is made once for each container.

    ``STREAMSPACE_KUBERNETES_URL``: that address, without sign-in (a simulated one). ``STREAMSPACE_KUBECONFIG``: that file.
    ``STREAMSPACE_EKS_CLUSTER``: that cluster of this account.
    """
    from kubernetes.client import ApiClient, Configuration

    if url := config.setting("KUBERNETES_URL", ""):
        return KubernetesCluster(ApiClient(Configuration(host=url.rstrip("/"), retries=False)), config.namespace())
    if path := config.setting("KUBECONFIG", ""):
        from kubernetes.config import new_client_from_config

        return KubernetesCluster(new_client_from_config(config_file=path), config.namespace())
    name = config.setting("EKS_CLUSTER")
    found = eks.find(name)
    configuration = Configuration(host=found.endpoint, ca_cert_data=found.certificate_authority, retries=False)
    tokens = eks.Tokens(name)

    def refresh(configuration: Any) -> None:
        configuration.api_key["authorization"] = f"Bearer {tokens.current()}"

    refresh(configuration)
    configuration.refresh_api_key_hook = refresh  # type: ignore[assignment]
    return KubernetesCluster(ApiClient(configuration), config.namespace())


def _json(text: bytes) -> Object:
    try:
        value = json.loads(text or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
