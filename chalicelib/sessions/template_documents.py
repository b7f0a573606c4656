"""``kind: Template`` documents as they are in circulation, made whole.

The custom resource asks for ``displayName`` and ``baseImage`` only, and its fields are Kubernetes' own types; what CreateTemplateOptions
asks for beside them is filled in here, as a defaulting webhook of the cluster would. Nothing that a document has is taken away.

Source: StreamSpace, the Template custom resource; Kubernetes API, ResourceRequirements, EnvVar and ContainerPort.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.errors import ValidationError
from chalicelib.sessions.options import Faults

API_VERSION = "stream.space/v1alpha1"
# The group had another name in later releases of the custom resource.
API_VERSIONS = r"^stream\.(space|streamspace\.io)/v1[a-z0-9]*$"

NO_CATEGORY = "Uncategorized"
DEFAULT_MEMORY, DEFAULT_CPU = "2Gi", "1000m"
_LISTS = ("ports", "env", "capabilities", "tags", "volumeMounts")
_SCREENS = ("kasmvnc", "vnc", "webapp")


def completed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with all required fields of CreateTemplateOptions. Raises ValidationError for what sessions cannot be given."""
    # "tags:" with nothing behind it is YAML's null.
    whole = {name: value for name, value in spec.items() if not (name in _LISTS and value is None)}
    faults = _faults(whole)
    if faults:
        raise ValidationError(faults)
    whole.setdefault("description", "")
    whole.setdefault("category", NO_CATEGORY)
    whole["defaultResources"] = _resources(whole.get("defaultResources") or {})
    whole["ports"] = [_named(port) for port in whole["ports"]] if "ports" in whole else _screen_ports(whole)
    if "env" in whole:
        whole["env"] = [{**one, "value": _text(one.get("value"))} if "value" in one else one for one in whole["env"]]
    return whole


def _faults(spec: Mapping[str, Any]) -> Faults:
    faults: Faults = {}
    for number, one in enumerate(spec.get("env") or ()):
        if one.get("valueFrom") is not None:
            faults[f"spec.env.{number}.valueFrom"] = ["Sessions are given nothing of the cluster's own objects; write the 'value' out"]
    for number, port in enumerate(spec.get("ports") or ()):
        if port.get("hostPort"):
            faults[f"spec.ports.{number}.hostPort"] = ["Sessions get no port of their node; they are reached by their own address"]
    return faults


def _resources(given: Mapping[str, Any]) -> dict[str, Any]:
    """``{memory, cpu}`` beside what is there: as written, or from Kubernetes' own ``limits`` and ``requests``."""
    limits, requests = given.get("limits") or {}, given.get("requests") or {}

    def amount(name: str, default: str) -> str:
        return _text(next((place[name] for place in (given, limits, requests) if place.get(name) is not None), default))

    return {**given, "memory": amount("memory", DEFAULT_MEMORY), "cpu": amount("cpu", DEFAULT_CPU)}


def _screen_ports(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A document that lists no ports may say where its screen is."""
    for name in _SCREENS:
        screen = spec.get(name)
        if isinstance(screen, dict) and screen.get("enabled") is not False and type(screen.get("port")) is int:
            return [{"name": "http" if name == "webapp" else "vnc", "containerPort": screen["port"], "protocol": "TCP"}]
    return []


def _named(port: Mapping[str, Any]) -> dict[str, Any]:
    return dict(port) if port.get("name") else {**port, "name": f"port-{port['containerPort']}"}


def _text(value: Any) -> str:
    """YAML reads 1000 and true where a text was meant."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
