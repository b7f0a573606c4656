"""The cluster's objects: versions, watches, and deletion with all that follows from it."""

import base64
import copy
import json
import secrets
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.cluster import applying, patching, resources, selectors
from local.cluster.errors import AlreadyExists, BadRequest, Conflict, Expired, Json, NotFound
from local.cluster.resources import CLAIMS, EVENTS, NAMESPACES, PODS, RESOURCES, Resource

Key = tuple[str, str, str, str]
"""Group, plural, namespace ("" for none), name."""

CHANGES_KEPT = 5000
"""A watch that starts before the oldest change kept is answered 410 and has to list again."""

EVENTS_KEPT = 1000

NAMESPACES_AT_FIRST = ("default", "kube-system")

_READ_ONLY = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)


@dataclass(frozen=True)
class Change:
    version: int
    kind: str
    key: Key
    item: Json
    before: Json | None = None


@dataclass
class Page:
    items: list[Json]
    version: int
    next: str | None = None
    remaining: int | None = None


@dataclass
class Store:
    """Every object of one cluster. All methods are safe to call from any thread; what they return is the caller's own
    copy."""

    now: Callable[[], float] = time.time
    objects: dict[Key, Json] = field(default_factory=dict)
    version: int = 1
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    _changes: deque[Change] = field(default_factory=lambda: deque(maxlen=CHANGES_KEPT))
    _oldest: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        for name in NAMESPACES_AT_FIRST:
            self.create(NAMESPACES, "", {"metadata": {"name": name}}, manager="simulator")

    # Reading

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """Raises: NotFound."""
        with self.changed:
            return copy.deepcopy(self._found(resource, namespace, name))

    def all(self, resource: Resource) -> list[Json]:
        """Every object of a kind, oldest first."""
        with self.changed:
            found = [item for key, item in self.objects.items() if key[:2] == (resource.group, resource.plural)]
            return copy.deepcopy(sorted(found, key=lambda item: item["metadata"]["creationTimestamp"]))

    def seen(self, resource: Resource) -> list[Json]:
        """The same without copying them, for who looks at all of them all the time: to be read, never changed.

        What is written later are other objects, so that what was seen stays as it was.
        """
        with self.changed:
            found = [item for key, item in self.objects.items() if key[:2] == (resource.group, resource.plural)]
        return sorted(found, key=lambda item: item["metadata"]["creationTimestamp"])

    def page(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", limit: int = 0, after: str = "") -> Page:
        """Objects by namespace and name, at most ``limit`` of them; ``after`` is the ``next`` of the page before.

        Raises: BadRequest for a selector or a token that makes no sense.
        """
        by_label, by_field = selectors.labels(labels), selectors.fields(fields, resource.plural)
        last = _place(after) if after else None
        with self.changed:
            keys = sorted(key for key in self.objects if key[:2] == (resource.group, resource.plural))
            found = [
                (key, self.objects[key])
                for key in keys
                if (not namespace or key[2] == namespace)
                and (last is None or key[2:] > last)
                and by_label(self.objects[key])
                and by_field(self.objects[key])
            ]
            page = found[:limit] if limit else found
            left = len(found) - len(page)
            token = _token(page[-1][0]) if left else None
            return Page(copy.deepcopy([item for _, item in page]), self.version, token, left or None)

    def watch(
        self,
        resource: Resource,
        namespace: str,
        *,
        since: str,
        labels: str = "",
        fields: str = "",
        timeout_s: float = 1800,
    ) -> Iterator[Json | None]:
        """Watch events, as they happen; None now and then while nothing does, so that a caller notices a client that
        left.

        Without ``since`` it begins with everything there is, as ADDED. Raises: Expired when ``since`` is too long ago.
        """
        by_label, by_field = selectors.labels(labels), selectors.fields(fields, resource.plural)

        def concerns(key: Key) -> bool:
            return key[:2] == (resource.group, resource.plural) and (not namespace or key[2] == namespace)

        def selected(item: Json | None) -> bool:
            return item is not None and by_label(item) and by_field(item)

        with self.changed:
            seen = self.version
            first: list[Json] = []
            if since in ("", "0"):
                first = [
                    {"type": "ADDED", "object": copy.deepcopy(item)}
                    for key, item in sorted(self.objects.items())
                    if concerns(key) and selected(item)
                ]
            else:
                seen = _version(since)
                if seen < self._oldest:
                    raise Expired(f"too old resource version: {seen} ({self.version})")
        return self._follow(seen, first, concerns, selected, timeout_s)

    def _follow(
        self,
        seen: int,
        first: list[Json],
        concerns: Callable[[Key], bool],
        selected: Callable[[Json | None], bool],
        timeout_s: float,
    ) -> Iterator[Json | None]:
        yield from first
        ends = time.monotonic() + timeout_s
        while not self.closed and (left_s := ends - time.monotonic()) > 0:
            with self.changed:
                if self.version <= seen:
                    self.changed.wait(min(left_s, 1.0))
                news = [change for change in self._changes if change.version > seen]
                seen = max([seen, *(change.version for change in news)])
            if not news:
                yield None
            for change in news:
                if not concerns(change.key):
                    continue
                was, is_now = selected(change.before), selected(change.item)
                if change.kind == "DELETED":
                    kind = "DELETED" if was or is_now else None
                elif is_now:
                    kind = "MODIFIED" if was else "ADDED"
                else:
                    kind = "DELETED" if was else None
                if kind:
                    yield {"type": kind, "object": copy.deepcopy(change.item)}

    # Writing

    def create(self, resource: Resource, namespace: str, item: Json, *, manager: str, dry_run: bool = False) -> Json:
        """Raises: NotFound (the namespace), AlreadyExists, BadRequest, Conflict (the namespace is going), Invalid."""
        item = self._prepared(resource, namespace, item)
        metadata = item["metadata"]
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                raise resources.invalid(resource, "", [("metadata.name", "Required value: name or generateName is required")])
            metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
        for name in _READ_ONLY:
            metadata.pop(name, None)
        if resource.has_status:
            item.pop("status", None)
        with self.changed:
            key = self._key(resource, namespace, metadata["name"])
            if key in self.objects:
                raise AlreadyExists(
                    f'{resource.qualified} "{metadata["name"]}" already exists',
                    details=_named(resource, metadata["name"]),
                )
            if resource.namespaced:
                self._must_take(namespace)
            resources.check(resource, item, None)
            _set_defaults(resource, item)
            metadata.update(uid=str(uuid.uuid4()), creationTimestamp=self.timestamp())
            if resource is not EVENTS:
                metadata["generation"] = 1
                if not any(entry["operation"] == "Apply" for entry in metadata.get("managedFields") or []):
                    applying.updated(None, item, manager=manager, now=self.timestamp())
            if not dry_run:
                self._put(key, item, "ADDED")
                self._forget_old_events(resource)
            return copy.deepcopy(item)

    def replace(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        item: Json,
        *,
        manager: str,
        part: str = "",
        dry_run: bool = False,
    ) -> Json:
        """``part`` is "" for everything but the status, or "status". Raises: NotFound, Conflict, BadRequest,
        Invalid."""
        item = self._prepared(resource, namespace, item)
        if item["metadata"].setdefault("name", name) != name:
            raise BadRequest(f"the name of the object ({item['metadata']['name']}) does not match the name on the URL ({name})")
        with self.changed:
            return self._changed(resource, namespace, name, item, manager=manager, part=part, dry_run=dry_run)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Any,
        kind: str,
        *,
        manager: str,
        force: bool = False,
        part: str = "",
        dry_run: bool = False,
    ) -> tuple[Json, bool]:
        """The object after the patch, and whether it was made by it (only ``apply`` makes one).

        ``kind`` is "merge", "strategic-merge", "json" or "apply". Raises: NotFound, Conflict, BadRequest, Invalid.
        """
        with self.changed:
            if kind == "apply":
                return self._applied(resource, namespace, name, patch, manager=manager, force=force, part=part, dry_run=dry_run)
            live = self._found(resource, namespace, name)
            if kind == "json":
                item = patching.json_patch(live, patch)
            elif isinstance(patch, dict):
                item = patching.merge(live, patch) if kind == "merge" else patching.strategic_merge(live, patch)
            else:
                raise BadRequest("a patch of this type is an object")
            return self._changed(resource, namespace, name, item, manager=manager, part=part, dry_run=dry_run), False

    def set_status(self, resource: Resource, item: Json, status: Json, *, spec: Json | None = None) -> None:
        """What the cluster's own parts found out about an object; nothing happens when it is gone or knows already."""
        with self.changed:
            key = self._key(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"])
            live = self.objects.get(key)
            if live is None or live["metadata"]["uid"] != item["metadata"]["uid"]:
                return
            new = {**live, "status": status}
            if spec:
                new["spec"] = {**live.get("spec", {}), **spec}
            if new != live:
                new["metadata"] = dict(live["metadata"])
                self._put(key, new, "MODIFIED")

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        grace_s: int | None = None,
        uid: str | None = None,
        version: str | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> tuple[Json, bool]:
        """The object, and whether it is gone already; a pod has its grace, and an object with finalizers stays until
        they are taken away.

        Raises: NotFound, Conflict when a precondition does not hold.
        """
        with self.changed:
            live = self._found(resource, namespace, name)
            self._must_match(resource, live, uid, version)
            if dry_run:
                return copy.deepcopy(live), False
            key = self._key(resource, namespace, name)
            if propagation == "Orphan":
                self._orphan_dependents(live)
            elif propagation == "Foreground":
                self._delete_dependents(live)
            stays_s = self._stays_s(resource, live, grace_s)
            if stays_s is not None or live["metadata"].get("finalizers"):
                self._mark_deleted(key, live, stays_s or 0)
                return copy.deepcopy(self.objects.get(key, live)), key not in self.objects
            self._drop(key)
            return copy.deepcopy(live), True

    def remove(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        """Take a deleted object away at last, as the kubelet does with a pod that ended; finalizers still hold it."""
        with self.changed:
            key = self._key(resource, namespace, name)
            live = self.objects.get(key)
            if live and live["metadata"]["uid"] == uid and not live["metadata"].get("finalizers"):
                self._drop(key)

    def wake(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def close(self) -> None:
        """End every watch."""
        self.closed = True
        self.wake()

    # Keeping

    def dump(self) -> Json:
        with self.changed:
            return {
                "version": self.version,
                "objects": [[list(key), item] for key, item in copy.deepcopy(self.objects).items()],
            }

    def load(self, dumped: Json) -> None:
        """Become what ``dump`` gave; watches that began before are told to list again."""
        with self.changed:
            self.objects = {(key[0], key[1], key[2], key[3]): item for key, item in dumped["objects"]}
            self.version = max(self.version, dumped["version"]) + 1
            self._changes.clear()
            self._oldest = self.version
            self.changed.notify_all()

    def timestamp(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # What the above is made of; all of it is called with the lock held

    def _key(self, resource: Resource, namespace: str, name: str) -> Key:
        return (resource.group, resource.plural, namespace if resource.namespaced else "", name)

    def _found(self, resource: Resource, namespace: str, name: str) -> Json:
        item = self.objects.get(self._key(resource, namespace, name))
        if item is None:
            raise NotFound(f'{resource.qualified} "{name}" not found', details=_named(resource, name))
        return item

    def _put(self, key: Key, item: Json, kind: str) -> None:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self._note(Change(self.version, kind, key, item, self.objects.get(key)))
        self.objects[key] = item
        self.changed.notify_all()

    def _note(self, change: Change) -> None:
        if len(self._changes) == CHANGES_KEPT:
            self._oldest = self._changes[0].version
        self._changes.append(change)

    def _prepared(self, resource: Resource, namespace: str, item: Any) -> Json:
        if not isinstance(item, dict):
            raise BadRequest("the request's body is not an object")
        item = copy.deepcopy(item)
        if item.setdefault("kind", resource.kind) != resource.kind:
            raise BadRequest(f"{item['kind']} in version {item.get('apiVersion')!r} cannot be handled as a {resource.kind}")
        if item.setdefault("apiVersion", resource.api_version) != resource.api_version:
            raise BadRequest(
                f"the API version in the data ({item['apiVersion']}) does not match the expected API version ({resource.api_version})"
            )
        metadata = item.setdefault("metadata", {})
        if not isinstance(metadata, dict) or not isinstance(item.get("spec") or {}, dict):
            raise BadRequest("metadata and spec have to be objects")
        if resource.namespaced:
            if metadata.get("namespace") is None:
                metadata["namespace"] = namespace
            if metadata["namespace"] != namespace:
                raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
        else:
            metadata.pop("namespace", None)
        return item

    def _must_take(self, namespace: str) -> None:
        home = self.objects.get(self._key(NAMESPACES, "", namespace))
        if home is None:
            raise NotFound(f'namespaces "{namespace}" not found', details=_named(NAMESPACES, namespace))
        if home["metadata"].get("deletionTimestamp"):
            raise Conflict(f"unable to create new content in namespace {namespace} because it is being terminated")

    def _must_match(self, resource: Resource, live: Json, uid: str | None, version: str | None) -> None:
        name = live["metadata"]["name"]
        for wanted, label in ((uid, "uid"), (version, "resourceVersion")):
            if wanted and wanted != live["metadata"][label]:
                raise Conflict(
                    f'Operation cannot be fulfilled on {resource.qualified} "{name}": Precondition failed: '
                    f"{label} in precondition: {wanted}, {label} in object meta: {live['metadata'][label]}",
                    details=_named(resource, name),
                )

    def _changed(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        item: Json,
        *,
        manager: str,
        part: str,
        dry_run: bool,
        applied: bool = False,
    ) -> Json:
        live = self._found(resource, namespace, name)
        key = self._key(resource, namespace, name)
        metadata = item["metadata"]
        wanted_version = metadata.get("resourceVersion")
        if wanted_version and wanted_version != live["metadata"]["resourceVersion"]:
            raise Conflict(
                f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been modified; '
                "please apply your changes to the latest version and try again",
                details=_named(resource, name),
            )
        if metadata.get("uid") and metadata["uid"] != live["metadata"]["uid"]:
            raise Conflict(f'Operation cannot be fulfilled on {resource.qualified} "{name}": the uid is another one')
        if part == "status":
            item = {**live, "metadata": metadata, "status": item.get("status") or {}}
        elif resource.has_status:
            item = {**item, "status": live["status"]} if "status" in live else {k: v for k, v in item.items() if k != "status"}
        item["metadata"] = metadata = dict(metadata)
        for label in _READ_ONLY:
            metadata.pop(label, None)
            if label in live["metadata"]:
                metadata[label] = live["metadata"][label]
        if metadata.get("name") != name or (resource.namespaced and metadata.get("namespace", namespace) != namespace):
            raise BadRequest("the name and the namespace of an object cannot be changed")
        if part != "status":
            _set_defaults(resource, item, live)
            resources.check(resource, item, live)
        if not applied and resource is not EVENTS:
            applying.updated(live, item, manager=manager, now=self.timestamp())
        if _essence(item) == _essence(live) and (not applied or _owners(item) == _owners(live)):
            return copy.deepcopy(live)
        if item.get("spec") != live.get("spec") and "generation" in metadata:
            metadata["generation"] += 1
        if not dry_run:
            self._put(key, item, "MODIFIED")
            if metadata.get("deletionTimestamp") and not metadata.get("finalizers") and not self._has_grace(resource, item):
                self._drop(key)
        return copy.deepcopy(item)

    def _applied(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        wanted: Any,
        *,
        manager: str,
        force: bool,
        part: str,
        dry_run: bool,
    ) -> tuple[Json, bool]:
        wanted = self._prepared(resource, namespace, wanted)
        if wanted["metadata"].setdefault("name", name) != name:
            raise BadRequest(f"the name of the object ({wanted['metadata']['name']}) does not match the name on the URL ({name})")
        live = self.objects.get(self._key(resource, namespace, name))
        version = wanted["metadata"].pop("resourceVersion", None)
        if version and (live is None or version != live["metadata"]["resourceVersion"]):
            raise Conflict(f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been modified')
        if part != "status":
            wanted.pop("status", None) if resource.has_status else None
        item = applying.apply(live, wanted, manager=manager, force=force, now=self.timestamp())
        if live is None:
            return self.create(resource, namespace, item, manager=manager, dry_run=dry_run), True
        item["metadata"].pop("resourceVersion", None)
        return (
            self._changed(resource, namespace, name, item, manager=manager, part=part, dry_run=dry_run, applied=True),
            False,
        )

    def _has_grace(self, resource: Resource, item: Json) -> bool:
        return resource is PODS and bool((item.get("spec") or {}).get("nodeName"))

    def _stays_s(self, resource: Resource, live: Json, grace_s: int | None) -> int | None:
        """How long a deleted object stays, or None when it goes at once."""
        if resource is PODS and self._has_grace(resource, live) and live.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            usual_s = live["spec"].get("terminationGracePeriodSeconds", 30)
            stays_s = usual_s if grace_s is None else grace_s
            return stays_s or None
        if resource is CLAIMS and self.in_use(live):
            return 0
        return None

    def in_use(self, claim: Json) -> bool:
        """Whether a pod that has not ended mounts the claim; it is protected so long."""
        name, namespace = claim["metadata"]["name"], claim["metadata"]["namespace"]
        with self.changed:
            return any(
                key[:3] == ("", "pods", namespace)
                and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
                and any((volume.get("persistentVolumeClaim") or {}).get("claimName") == name for volume in pod["spec"].get("volumes") or [])
                for key, pod in self.objects.items()
            )

    def _mark_deleted(self, key: Key, live: Json, grace_s: int) -> None:
        if live["metadata"].get("deletionTimestamp") and grace_s >= live["metadata"].get("deletionGracePeriodSeconds", 0):
            return
        item = copy.deepcopy(live)
        when = datetime.fromtimestamp(self.now() + grace_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        item["metadata"].update(deletionTimestamp=when, deletionGracePeriodSeconds=grace_s)
        self._put(key, item, "MODIFIED")

    def _drop(self, key: Key) -> None:
        item = copy.deepcopy(self.objects.pop(key))
        before = item
        self.version += 1
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        self._note(Change(self.version, "DELETED", key, item, before))
        self.changed.notify_all()
        if item.get("kind") == EVENTS.kind:
            # Events come and go with each pod; nothing is ever theirs.
            return
        self._delete_dependents(item)
        if key[:2] == ("", "namespaces"):
            self._empty(key[3])

    def _dependents(self, owner: Json) -> list[tuple[Resource, Json]]:
        uid = owner["metadata"]["uid"]
        kinds = {(resource.group, resource.plural): resource for resource in RESOURCES}
        return [
            (kinds[key[:2]], item)
            for key, item in list(self.objects.items())
            if any(reference.get("uid") == uid for reference in item["metadata"].get("ownerReferences") or ())
        ]

    def _delete_dependents(self, owner: Json) -> None:
        dependents = self._dependents(owner)
        uids = {item["metadata"]["uid"] for item in self.objects.values()} - {owner["metadata"]["uid"]} if dependents else set()
        for resource, item in dependents:
            references = item["metadata"]["ownerReferences"]
            if not any(reference["uid"] in uids for reference in references):
                key = self._key(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"])
                if key in self.objects:
                    self.delete(resource, key[2], key[3])

    def _orphan_dependents(self, owner: Json) -> None:
        for resource, item in self._dependents(owner):
            new = copy.deepcopy(item)
            metadata = new["metadata"]
            others = [each for each in metadata.pop("ownerReferences") if each["uid"] != owner["metadata"]["uid"]]
            if others:
                metadata["ownerReferences"] = others
            self._put(self._key(resource, metadata.get("namespace", ""), metadata["name"]), new, "MODIFIED")

    def _empty(self, namespace: str) -> None:
        for resource in RESOURCES:
            for key in list(self.objects):
                if resource.namespaced and key[:3] == (resource.group, resource.plural, namespace) and key in self.objects:
                    self.delete(resource, namespace, key[3], grace_s=0)

    def _forget_old_events(self, resource: Resource) -> None:
        # Now and then: to count them means to look at every object.
        if resource is EVENTS and self.version % 50 == 0:
            keys = [key for key in self.objects if key[1] == "events"]
            for key in keys[: max(0, len(keys) - EVENTS_KEPT)]:
                self._drop(key)


def _essence(item: Json) -> Json:
    metadata = {k: v for k, v in item["metadata"].items() if k not in ("resourceVersion", "managedFields", "generation")}
    return {**item, "metadata": metadata}


def _owners(item: Json) -> list[tuple[str, str, str]]:
    entries = item["metadata"].get("managedFields") or []
    return sorted((entry["manager"], entry["operation"], json.dumps(entry.get("fieldsV1"), sort_keys=True)) for entry in entries)


def _set_defaults(resource: Resource, item: Json, live: Json | None = None) -> None:
    spec = item.setdefault("spec", {}) if resource.has_status else item.get("spec") or {}
    if resource is PODS:
        for name, value in {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "serviceAccountName": "default",
            "enableServiceLinks": True,
            "securityContext": {},
        }.items():
            spec.setdefault(name, value)
        for container in spec.get("containers") or []:
            container.setdefault("imagePullPolicy", "IfNotPresent")
            container.setdefault("resources", {})
            asked = container["resources"]
            if asked.get("limits"):
                asked["requests"] = {**asked["limits"], **(asked.get("requests") or {})}
        item.setdefault("status", {"phase": "Pending", "qosClass": "Burstable"})
    elif resource is CLAIMS:
        spec.setdefault("volumeMode", "Filesystem")
        item.setdefault("status", {"phase": "Pending"})
    elif resource is NAMESPACES:
        item.setdefault("status", {"phase": "Active"})
        item["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = item["metadata"]["name"]
    elif resource is resources.SERVICES:
        spec.setdefault("type", "ClusterIP")
        for port in spec.get("ports") or []:
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))
        before = (live or {}).get("spec", {})
        spec.setdefault("clusterIP", before.get("clusterIP") or f"10.96.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}")
        item.setdefault("status", {"loadBalancer": {}})
    elif resource is resources.INGRESSES:
        item.setdefault("status", {"loadBalancer": {}})


def _named(resource: Resource, name: str) -> Json:
    return {"name": name, "group": resource.group, "kind": resource.plural}


def _version(text: str) -> int:
    if not text.isdigit():
        raise BadRequest(f"invalid resource version: {text!r}")
    return int(text)


def _token(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key[2:]).encode()).decode()


def _place(token: str) -> tuple[str, ...]:
    try:
        return tuple(json.loads(base64.urlsafe_b64decode(token)))
    except ValueError:
        raise BadRequest("continue key is not valid") from None
