"""A template as a value: the ``kind: Template`` document that it came as, and the documented object that it is shown as."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.core import clock
from chalicelib.core.errors import ValidationError
from chalicelib.core.quantities import parse_cpu, parse_memory
from chalicelib.sessions.images import check_image
from chalicelib.sessions.options import Faults, amount_faults, env_faults

KIND = "Template"

# The fields of CreateTemplateOptions beside the name; whatever else a document's spec has is kept and given back as it was.
DOCUMENTED = (
    "displayName",
    "description",
    "category",
    "icon",
    "baseImage",
    "defaultResources",
    "ports",
    "env",
    "capabilities",
    "tags",
)

HOME_VOLUME = "user-home"
DEFAULT_HOME = "/config"

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
# Pod Security Standards, Baseline: nothing more can be asked for, so that no template opens the node.
_SECURITY_FIELDS = {
    "runAsUser": int,
    "runAsGroup": int,
    "fsGroup": int,
    "runAsNonRoot": bool,
    "allowPrivilegeEscalation": bool,
    "readOnlyRootFilesystem": bool,
    "privileged": bool,
    "capabilities": dict,
}
_BASELINE_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)


@dataclass(frozen=True)
class Template:
    """``metadata`` and ``spec`` are the document's, untouched; ``spec`` has at least the required fields of CreateTemplateOptions."""

    name: str
    spec: Mapping[str, Any]
    metadata: Mapping[str, Any]
    api_version: str
    created_at: datetime
    updated_at: datetime

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.spec.get("tags") or ()))


def template_object(template: Template) -> dict[str, Any]:
    """The documented Template: exactly these fields. Source: plugin API, Template API."""
    spec = template.spec
    shown: dict[str, Any] = {
        "name": template.name,
        "displayName": spec["displayName"],
        "description": spec["description"],
        "category": spec["category"],
        "baseImage": spec["baseImage"],
        "defaultResources": {"memory": spec["defaultResources"]["memory"], "cpu": spec["defaultResources"]["cpu"]},
        "ports": [
            {"name": port["name"], "containerPort": port["containerPort"], "protocol": port.get("protocol") or "TCP"}
            for port in spec["ports"]
        ],
        "env": [{"name": one["name"], "value": one.get("value") or ""} for one in spec.get("env") or ()],
        "capabilities": list(spec.get("capabilities") or ()),
        "tags": list(spec.get("tags") or ()),
        "createdAt": clock.rfc3339(template.created_at),
        "updatedAt": clock.rfc3339(template.updated_at),
    }
    if spec.get("icon"):
        shown["icon"] = spec["icon"]
    return shown


def document_of(template: Template) -> dict[str, Any]:
    """The ``kind: Template`` document, with everything that it was imported with."""
    return {"apiVersion": template.api_version, "kind": KIND, "metadata": dict(template.metadata), "spec": dict(template.spec)}


def spec_of_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """CreateTemplateOptions as a document's spec."""
    return {name: options[name] for name in DOCUMENTED if name in options}


def check_template(name: str, spec: Mapping[str, Any], *, at: str = "") -> None:
    """Raises ValidationError with every fault that a JSON Schema does not see, or InvalidImage. ``at`` stands before the fields' names."""
    faults: Faults = {}
    if not _NAME.fullmatch(name) or ".." in name:
        faults["metadata.name" if at else "name"] = [
            "Must consist of lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
        ]
    resources = spec["defaultResources"]
    faults |= amount_faults(f"{at}defaultResources.memory", resources["memory"], parse_memory)
    faults |= amount_faults(f"{at}defaultResources.cpu", resources["cpu"], parse_cpu)
    faults |= _port_faults(spec["ports"], f"{at}ports")
    for number, one in enumerate(spec.get("env") or ()):
        found = env_faults({one["name"]: one.get("value") or ""})
        if found:
            faults[f"{at}env.{number}"] = [sentence for sentences in found.values() for sentence in sentences]
    faults |= _mount_faults(spec.get("volumeMounts"), f"{at}volumeMounts")
    faults |= _security_faults(spec.get("securityContext"), f"{at}securityContext")
    if faults:
        raise ValidationError(faults)
    check_image(spec["baseImage"])


def _port_faults(ports: list[dict[str, Any]], field: str) -> Faults:
    faults: Faults = {}
    seen: set[str] = set()
    for number, port in enumerate(ports):
        name = port["name"]
        if len(name) > 15 or not _PORT_NAME.fullmatch(name):
            faults[f"{field}.{number}.name"] = [
                "A port's name has at most 15 lower-case letters, digits and single '-', and at least one letter"
            ]
        elif name in seen:
            faults[f"{field}.{number}.name"] = [f"Another port is called '{name}' already"]
        seen.add(name)
    return faults


def _mount_faults(mounts: Any, field: str) -> Faults:
    if mounts is None:
        return {}
    if not isinstance(mounts, list):
        return {field: ["Must be a list"]}
    faults: Faults = {}
    for number, mount in enumerate(mounts):
        path = mount.get("mountPath") if isinstance(mount, dict) else None
        if not isinstance(mount, dict) or not isinstance(mount.get("name"), str) or not isinstance(path, str):
            faults[f"{field}.{number}"] = ["Must have the texts 'name' and 'mountPath'"]
        elif not path.startswith("/") or path == "/" or ":" in path or ".." in path.split("/"):
            faults[f"{field}.{number}.mountPath"] = ["Must be an absolute path inside the container, without '..' and ':'"]
    return faults


def _security_faults(context: Any, field: str) -> Faults:
    if context is None:
        return {}
    if not isinstance(context, dict):
        return {field: ["Must be an object"]}
    faults: Faults = {}
    for name, value in context.items():
        kind = _SECURITY_FIELDS.get(name)
        if kind is None:
            faults[f"{field}.{name}"] = [f"Sessions take of a securityContext only: {', '.join(_SECURITY_FIELDS)}"]
        elif type(value) is not kind:
            faults[f"{field}.{name}"] = [f"Must be {'true or false' if kind is bool else 'a whole number' if kind is int else 'an object'}"]
    if context.get("privileged") is True:
        faults[f"{field}.privileged"] = ["A privileged container owns its node; sessions do not get that"]
    capabilities = context.get("capabilities")
    if isinstance(capabilities, dict):
        added = capabilities.get("add") or []
        if set(capabilities) - {"add", "drop"} or not all(isinstance(one, str) for key in capabilities for one in capabilities[key] or []):
            faults[f"{field}.capabilities"] = ["Must be lists of texts under 'add' and 'drop'"]
        elif excess := sorted(set(added) - _BASELINE_CAPABILITIES):
            faults[f"{field}.capabilities.add"] = [
                f"Sessions do not get {', '.join(excess)}; allowed: {', '.join(sorted(_BASELINE_CAPABILITIES))}"
            ]
    return faults
