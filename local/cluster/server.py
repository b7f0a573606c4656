"""The cluster's API over HTTP, as the official client speaks it, and ``/_simulator/…`` beside it.

=========================================  ==================================================================
``GET /_simulator/state``                  every object, the capacity and the timing
``PUT /_simulator/capacity``               ``{"nodes": 2, "cpu": "8", "memory": "32Gi", "pods": 110}``, each optional
``POST /_simulator/failures``              ``{"count": 3, "status": 500, "method": "POST", "path": "/pods"}``: the next
                                           requests whose method and path match (a regular expression)
                                           fail; ``"drop": true`` hangs up instead
``PUT /_simulator/kubelet``                ``{"paused": true, "start_delay_s": 0.5}``
``POST /_simulator/evict/{ns}/{pod}``      the node throws the pod out
``POST /_simulator/reset``                 an empty cluster
=========================================  ==================================================================
"""

import copy
import json
import logging
import re
import socket
import threading
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import yaml

from local import settings
from local.cluster.errors import (
    REASONS,
    BadRequest,
    Expired,
    Json,
    MethodNotAllowed,
    NotFound,
    Refused,
    UnsupportedMediaType,
    status,
)
from local.cluster.kubelet import Capacity, Kubelet
from local.cluster.resources import BY_PLACE, PODS, RESOURCES, Resource
from local.cluster.store import Store

VERSION = {
    "major": "1",
    "minor": "31",
    "gitVersion": "v1.31.0-simulated",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}

PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic-merge",
    "application/apply-patch+yaml": "apply",
}

_OBJECTS = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<part>[a-z]+))?)?\Z"
)
_NAMESPACE_ITSELF = re.compile(r"/api/v1/namespaces(?:/(?P<name>[^/]+)(?:/(?P<part>status|finalize))?)?\Z")

logger = logging.getLogger("streamspace.cluster")


@dataclass
class Failure:
    """Requests that are to fail, until ``count`` of them have."""

    count: int = 1
    status: int = 500
    method: str = ""
    path: str = ""
    message: str = "the simulator was told to fail this request"
    drop: bool = False

    def concerns(self, method: str, path: str) -> bool:
        return self.count > 0 and self.method in ("", method) and re.search(self.path, path) is not None


@dataclass
class Cluster:
    """A whole simulated cluster: its objects, its kubelet and its server."""

    capacity: Capacity = field(default_factory=Capacity)
    store: Store = field(default_factory=Store)
    kubelet: Kubelet = field(init=False)
    failures: list[Failure] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _server: "_Server | None" = None

    def __post_init__(self) -> None:
        self.kubelet = Kubelet(self.store)

    def start(self, port: int = 0) -> str:
        """Serve on the loopback address; gives the URL. Port 0 takes any free one."""
        self.kubelet.set_capacity(self.capacity)
        self.kubelet.have_ingress_class()
        self._server = _Server((settings.HOST, port), _Handler)
        self._server.cluster = self
        self.kubelet.start()
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="cluster-api", daemon=True).start()
        return f"http://{settings.HOST}:{self._server.server_address[1]}"

    def stop(self) -> None:
        self.store.close()
        self.kubelet.stop()
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def set_capacity(self, changes: Json) -> Capacity:
        self.capacity = replace(self.capacity, **changes)
        self.kubelet.set_capacity(self.capacity)
        return self.capacity

    def dump(self) -> Json:
        return {"capacity": asdict(self.capacity), "start_delay_s": self.kubelet.start_delay_s, **self.store.dump()}

    def load(self, dumped: Json) -> None:
        """Become what ``dump`` gave."""
        self.capacity = Capacity(**dumped["capacity"])
        self.kubelet.start_delay_s = dumped["start_delay_s"]
        self.store.load(dumped)

    def reset(self) -> None:
        self.store.load({"version": self.store.version, "objects": Store().dump()["objects"]})
        self.failures.clear()
        self.kubelet.set_capacity(self.capacity)
        self.kubelet.have_ingress_class()

    def told_to_fail(self, method: str, path: str) -> Failure | None:
        with self.lock:
            for failure in self.failures:
                if failure.concerns(method, path):
                    failure.count -= 1
                    return failure
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    cluster: Cluster

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a client hung up", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    VERBS: ClassVar = {"GET": "read", "POST": "create", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        try:
            self._route(url.path)
        except Refused as refusal:
            self._send(refusal.code, refusal.status())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as problem:
            logger.exception("%s %s", self.command, self.path)
            self._send(500, status(500, "InternalError", f"Internal error occurred: {problem!r}"))

    def _route(self, path: str) -> None:
        cluster = self.server.cluster
        if path.startswith("/_simulator/"):
            return self._administer(path.removeprefix("/_simulator/"))
        if failure := cluster.told_to_fail(self.command, path):
            if failure.drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return None
            return self._send(failure.status, status(failure.status, REASONS.get(failure.status, "Unknown"), failure.message))
        if path in ("/healthz", "/livez", "/readyz"):
            return self._send_bytes(200, b"ok", "text/plain")
        if (found := _discovery(path)) is not None:
            return self._send(200, found)
        place = _NAMESPACE_ITSELF.match(path)
        if place:
            resource, namespace = BY_PLACE["", "v1", "namespaces"], ""
        else:
            place = _OBJECTS.match(path)
            known = place and BY_PLACE.get((place["group"] or "", place["version"], place["plural"]))
            if not place or not known:
                raise NotFound("the server could not find the requested resource")
            resource, namespace = known, place["namespace"] or ""
        name, part = place["name"] or "", place["part"] or ""
        return self._serve(resource, namespace, name, part)

    def _serve(self, resource: Resource, namespace: str, name: str, part: str) -> None:
        if part == "eviction" and resource is PODS and self.command == "POST":
            return self._evict_politely(namespace, name)
        if part == "log" and resource is PODS and self.command == "GET":
            return self._send_bytes(200, self._log_of(namespace, name), "text/plain")
        if part not in ("", "status") or (part == "status" and not resource.has_status):
            raise NotFound("the server could not find the requested resource")
        if self.command == "GET":
            return self._read(resource, namespace, name)
        if resource.namespaced and not namespace:
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        if self.command == "POST" and not name:
            return self._create(resource, namespace)
        if self.command == "PUT" and name:
            return self._replace(resource, namespace, name, part)
        if self.command == "PATCH" and name:
            return self._patch(resource, namespace, name, part)
        if self.command == "DELETE":
            return self._delete(resource, namespace, name) if name else self._delete_collection(resource, namespace)
        raise MethodNotAllowed("the server does not allow this method on the requested resource")

    # Reading

    def _read(self, resource: Resource, namespace: str, name: str) -> None:
        store = self.server.cluster.store
        if name:
            return self._send(200, store.get(resource, namespace, name))
        chosen = {"labels": self.query.get("labelSelector", ""), "fields": self.query.get("fieldSelector", "")}
        if self.query.get("watch", "").lower() in ("1", "true"):
            return self._watch(resource, namespace, chosen)
        page = store.page(resource, namespace, limit=self._number("limit"), after=self.query.get("continue", ""), **chosen)
        metadata: Json = {"resourceVersion": str(page.version)}
        if page.next:
            metadata.update({"continue": page.next, "remainingItemCount": page.remaining})
        listed = {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": metadata,
            "items": page.items,
        }
        return self._send(200, listed)

    def _watch(self, resource: Resource, namespace: str, chosen: dict[str, str]) -> None:
        timeout_s = self._number("timeoutSeconds") or 1800
        since = self.query.get("resourceVersion", "")
        try:
            events = self.server.cluster.store.watch(resource, namespace, since=since, timeout_s=timeout_s, **chosen)
        except Expired as refusal:
            events = iter([{"type": "ERROR", "object": refusal.status()}])
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for event in events:
            if event is None:
                if self._left():
                    self.close_connection = True
                    return
                continue
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _left(self) -> bool:
        """Whether the client hung up: nothing is ever sent by one that watches."""
        self.connection.setblocking(False)
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.connection.setblocking(True)

    def _log_of(self, namespace: str, name: str) -> bytes:
        pod = self.server.cluster.store.get(PODS, namespace, name)
        return "".join(f"{container['name']}: simulated\n" for container in pod["spec"]["containers"]).encode()

    # Writing

    def _create(self, resource: Resource, namespace: str) -> None:
        made = self.server.cluster.store.create(resource, namespace, self._document(), manager=self._manager(), dry_run=self._dry_run())
        self._send(201, made)

    def _replace(self, resource: Resource, namespace: str, name: str, part: str) -> None:
        changed = self.server.cluster.store.replace(
            resource, namespace, name, self._document(), manager=self._manager(), part=part, dry_run=self._dry_run()
        )
        self._send(200, changed)

    def _patch(self, resource: Resource, namespace: str, name: str, part: str) -> None:
        media_type = self.headers.get("Content-Type", "").split(";")[0].strip()
        kind = PATCHES.get(media_type)
        if not kind:
            known = ", ".join(PATCHES)
            raise UnsupportedMediaType(f"the body of the request was in an unknown format - accepted media types include: {known}")
        if kind == "apply" and "fieldManager" not in self.query:
            raise BadRequest("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch")
        forced = self.query.get("force", "").lower() == "true"
        patched, made = self.server.cluster.store.patch(
            resource,
            namespace,
            name,
            self._document(),
            kind,
            manager=self._manager(),
            force=forced,
            part=part,
            dry_run=self._dry_run(),
        )
        self._send(201 if made else 200, patched)

    def _delete(self, resource: Resource, namespace: str, name: str) -> None:
        item, gone = self.server.cluster.store.delete(resource, namespace, name, **self._delete_options(), dry_run=self._dry_run())
        if resource is PODS or not gone:
            return self._send(200, item)
        details = {"name": name, "group": resource.group, "kind": resource.plural, "uid": item["metadata"]["uid"]}
        return self._send(200, status(200, "", "", details) | {"status": "Success"})

    def _delete_collection(self, resource: Resource, namespace: str) -> None:
        store = self.server.cluster.store
        options = self._delete_options()
        page = store.page(resource, namespace, labels=self.query.get("labelSelector", ""), fields=self.query.get("fieldSelector", ""))
        for item in page.items:
            try:
                store.delete(resource, namespace, item["metadata"]["name"], **options)
            except NotFound:
                continue
        self._send(
            200,
            {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": {}, "items": page.items},
        )

    def _evict_politely(self, namespace: str, name: str) -> None:
        """The Eviction API, which drains use: a deletion that budgets may refuse; there are none here."""
        self.server.cluster.store.delete(PODS, namespace, name)
        self._send(201, status(201, "", "") | {"status": "Success"})

    def _delete_options(self) -> Json:
        options = self._document() if self.body else {}
        if not isinstance(options, dict):
            raise BadRequest("the delete options are not an object")
        grace_s = self.query.get("gracePeriodSeconds", options.get("gracePeriodSeconds"))
        conditions = options.get("preconditions") or {}
        return {
            "grace_s": None if grace_s is None else int(grace_s),
            "uid": conditions.get("uid"),
            "version": conditions.get("resourceVersion"),
            "propagation": self.query.get("propagationPolicy") or options.get("propagationPolicy") or "Background",
        }

    # The simulator's own

    def _administer(self, what: str) -> None:
        cluster = self.server.cluster
        wanted = self._document() if self.body else {}
        try:
            match self.command, what.split("/"):
                case "GET", ["state"]:
                    paused = {"paused": cluster.kubelet.paused}
                    return self._send(200, cluster.dump() | paused)
                case "PUT", ["capacity"]:
                    return self._send(200, asdict(cluster.set_capacity(wanted)))
                case "POST", ["failures"]:
                    with cluster.lock:
                        cluster.failures.append(Failure(**wanted))
                    return self._send(201, wanted)
                case "DELETE", ["failures"]:
                    with cluster.lock:
                        cluster.failures.clear()
                    return self._send(200, {})
                case "PUT", ["kubelet"]:
                    cluster.kubelet.paused = bool(wanted.get("paused", cluster.kubelet.paused))
                    cluster.kubelet.start_delay_s = float(wanted.get("start_delay_s", cluster.kubelet.start_delay_s))
                    cluster.store.wake()
                    return self._send(200, {"paused": cluster.kubelet.paused, "start_delay_s": cluster.kubelet.start_delay_s})
                case "POST", ["evict", namespace, name]:
                    cluster.kubelet.evict(namespace, name)
                    return self._send(200, cluster.store.get(PODS, namespace, name))
                case "POST", ["reset"]:
                    cluster.reset()
                    return self._send(200, {})
        except (TypeError, ValueError) as problem:
            raise BadRequest(f"the simulator does not understand {wanted!r}: {problem}") from None
        raise NotFound(f"the simulator has no {self.command} {what}")

    # The request and its answer

    def _document(self) -> Any:
        try:
            if "yaml" in self.headers.get("Content-Type", ""):
                return yaml.safe_load(self.body)
            return json.loads(self.body)
        except (ValueError, yaml.YAMLError) as problem:
            raise BadRequest(f"the request's body could not be read: {problem}") from None

    def _number(self, name: str) -> int:
        text = self.query.get(name, "")
        if text and not text.isdigit():
            raise BadRequest(f"{name} is not a number: {text!r}")
        return int(text or 0)

    def _manager(self) -> str:
        return self.query.get("fieldManager") or self.headers.get("User-Agent", "unknown").split("/")[0]

    def _dry_run(self) -> bool:
        return self.query.get("dryRun", "").lower() == "all"

    def _send(self, code: int, document: Any) -> None:
        self._send_bytes(code, json.dumps(document).encode(), "application/json")

    def _send_bytes(self, code: int, content: bytes, media_type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _discovery(path: str) -> Any:
    """What tells a dynamic client or kubectl which kinds there are; None when the path is no such question."""
    path = path.rstrip("/")
    groups = sorted({(resource.group, resource.version) for resource in RESOURCES if resource.group})
    if path == "/version":
        return copy.deepcopy(VERSION)
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*group) for group in groups]}
    for group, version in [("", "v1"), *groups]:
        if path == (f"/apis/{group}/{version}" if group else "/api/v1"):
            offered = [
                {
                    "name": resource.plural + suffix,
                    "singularName": resource.kind.lower(),
                    "namespaced": resource.namespaced,
                    "kind": resource.kind,
                    "shortNames": list(resource.short),
                    "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
                    if not suffix
                    else ["get", "patch", "update"],
                }
                for resource in RESOURCES
                if (resource.group, resource.version) == (group, version)
                for suffix in ("", "/status")
                if not suffix or resource.has_status
            ]
            name = f"{group}/{version}" if group else version
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": offered}
        if group and path == f"/apis/{group}":
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, version)}
    return None


def _group(group: str, version: str) -> Json:
    offered = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [offered], "preferredVersion": offered}
