"""Which kinds the simulated cluster knows, and what it demands of an object before it takes it."""

import re
from dataclasses import dataclass

from local.cluster.errors import Invalid, Json
from local.cluster.quantities import parse


@dataclass(frozen=True)
class Resource:
    """One kind of object and where its API lives."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    has_status: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As error messages name it: ``pods``, ``ingresses.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Resource("Namespace", "namespaces", namespaced=False, short=("ns",), has_status=True)
NODES = Resource("Node", "nodes", namespaced=False, short=("no",), has_status=True)
PODS = Resource("Pod", "pods", short=("po",), has_status=True)
CLAIMS = Resource("PersistentVolumeClaim", "persistentvolumeclaims", short=("pvc",), has_status=True)
SERVICES = Resource("Service", "services", short=("svc",), has_status=True)
EVENTS = Resource("Event", "events", short=("ev",))
INGRESSES = Resource("Ingress", "ingresses", group="networking.k8s.io", short=("ing",), has_status=True)
INGRESS_CLASSES = Resource("IngressClass", "ingressclasses", group="networking.k8s.io", namespaced=False)

RESOURCES = (
    NAMESPACES,
    NODES,
    PODS,
    CLAIMS,
    SERVICES,
    EVENTS,
    Resource("ConfigMap", "configmaps", short=("cm",)),
    Resource("Secret", "secrets"),
    Resource("ServiceAccount", "serviceaccounts", short=("sa",)),
    Resource("ResourceQuota", "resourcequotas", short=("quota",), has_status=True),
    Resource("LimitRange", "limitranges", short=("limits",)),
    INGRESSES,
    INGRESS_CLASSES,
    Resource("NetworkPolicy", "networkpolicies", group="networking.k8s.io", short=("netpol",)),
)

BY_PLACE = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_DNS_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")
_LABEL_NAME = re.compile(r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")

POD_FIELDS_THAT_MAY_CHANGE = {"containers", "initContainers", "activeDeadlineSeconds", "tolerations", "nodeName"}


def check(resource: Resource, item: Json, before: Json | None) -> None:
    """What the API server checks of an object that is created (``before`` is None) or changed.

    Raises: Invalid, naming the field, what is wrong with it and what is right.
    """
    problems: list[tuple[str, str]] = []
    metadata = item["metadata"]
    _check_name(resource, metadata["name"], problems)
    for name, value in (metadata.get("labels") or {}).items():
        if not _LABEL_NAME.match(name):
            problems.append(
                (
                    "metadata.labels",
                    f"Invalid value: {name!r}: a label's name has at most 63 letters, digits, '-', '_' or '.'",
                )
            )
        if not isinstance(value, str) or not _LABEL_VALUE.match(value):
            problems.append(
                (
                    "metadata.labels",
                    f"Invalid value: {value!r}: a label's value has at most 63 letters, digits, '-', '_' or '.'",
                )
            )
    spec = item.get("spec") or {}
    if resource.kind == "Pod":
        _check_pod(spec, problems)
        if before:
            _check_pod_change(before.get("spec") or {}, spec, problems)
    elif resource.kind == "PersistentVolumeClaim":
        _check_claim(spec, (before or {}).get("spec"), problems)
    elif resource.kind == "Service" and spec.get("type") != "ExternalName" and not spec.get("ports"):
        problems.append(("spec.ports", "Required value"))
    elif resource.kind == "Ingress" and not spec.get("rules") and not spec.get("defaultBackend"):
        problems.append(("spec", "Invalid value: null: either `defaultBackend` or `rules` must be specified"))
    if problems:
        raise invalid(resource, metadata["name"], problems)


def invalid(resource: Resource, name: str, problems: list[tuple[str, str]]) -> Invalid:
    listed = "; ".join(f"{field}: {message}" for field, message in problems)
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": field} for field, message in problems]
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return Invalid(
        f'{kind} "{name}" is invalid: {listed}',
        details={"name": name, "group": resource.group, "kind": resource.kind, "causes": causes},
    )


def _check_name(resource: Resource, name: str, problems: list[tuple[str, str]]) -> None:
    if resource.kind == "Service":
        fits, rule = (
            _SERVICE_NAME.match(name),
            "a DNS-1035 label: at most 63 of 'a-z', '0-9' and '-', starting with a letter",
        )
    elif resource.kind == "Namespace":
        fits, rule = (
            _DNS_LABEL.match(name),
            "an RFC 1123 label: at most 63 of 'a-z', '0-9' and '-', starting and ending with a letter or digit",
        )
    else:
        fits, rule = _DNS_SUBDOMAIN.match(name), "an RFC 1123 subdomain: at most 253 of 'a-z', '0-9', '-' and '.'"
    if not fits:
        problems.append(("metadata.name", f'Invalid value: "{name}": must be {rule}'))


def _check_pod(spec: Json, problems: list[tuple[str, str]]) -> None:
    containers = spec.get("containers") or []
    if not containers:
        problems.append(("spec.containers", "Required value"))
    names = set()
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    for place, container in enumerate(containers):
        field = f"spec.containers[{place}]"
        name = container.get("name") or ""
        if not _DNS_LABEL.match(name):
            problems.append((f"{field}.name", f'Invalid value: "{name}": must be an RFC 1123 label'))
        if name in names:
            problems.append((f"{field}.name", f'Duplicate value: "{name}"'))
        names.add(name)
        if not container.get("image"):
            problems.append((f"{field}.image", "Required value"))
        for mount in container.get("volumeMounts") or []:
            if mount.get("name") not in volumes:
                problems.append((f"{field}.volumeMounts", f'Not found: "{mount.get("name")}"'))
        _check_amounts(container.get("resources") or {}, f"{field}.resources", problems)


def _check_amounts(resources: Json, field: str, problems: list[tuple[str, str]]) -> None:
    amounts = {}
    for section in ("requests", "limits"):
        for name, quantity in (resources.get(section) or {}).items():
            try:
                amounts[section, name] = parse(quantity)
            except ValueError as problem:
                problems.append((f"{field}.{section}.{name}", f"Invalid value: {problem}"))
    for (section, name), amount in amounts.items():
        limit = amounts.get(("limits", name))
        if section == "requests" and limit is not None and amount > limit:
            problems.append((f"{field}.requests", f"Invalid value: must be less than or equal to {name} limit"))


def _check_pod_change(before: Json, after: Json, problems: list[tuple[str, str]]) -> None:
    changed = {name for name in {*before, *after} - POD_FIELDS_THAT_MAY_CHANGE if before.get(name) != after.get(name)}

    def without_images(spec: Json) -> list[Json]:
        return [{k: v for k, v in container.items() if k != "image"} for container in spec.get("containers") or []]

    if without_images(before) != without_images(after):
        changed.add("containers")
    if before.get("nodeName") and before["nodeName"] != after.get("nodeName"):
        changed.add("nodeName")
    if changed:
        listed = ", ".join(sorted(changed))
        problems.append(("spec", f"Forbidden: pod updates may not change fields other than images and tolerations ({listed})"))


def _check_claim(spec: Json, before: Json | None, problems: list[tuple[str, str]]) -> None:
    if not spec.get("accessModes"):
        problems.append(("spec.accessModes", "Required value: at least 1 access mode is required"))
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if not storage:
        problems.append(("spec.resources[storage]", "Required value"))
        return
    try:
        amount = parse(storage)
    except ValueError as problem:
        problems.append(("spec.resources.requests.storage", f"Invalid value: {problem}"))
        return
    if before:
        fixed = ("accessModes", "storageClassName", "volumeMode", "selector")
        if any(before.get(name) != spec.get(name) for name in fixed):
            problems.append(("spec", "Forbidden: spec is immutable after creation except resources.requests"))
        elif amount < parse(before["resources"]["requests"]["storage"]):
            problems.append(("spec.resources.requests.storage", "Forbidden: field can not be less than status.capacity"))
