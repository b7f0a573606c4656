"""Label and field selectors. Source: Kubernetes, "Labels and Selectors" and "Field Selectors"."""

import re
from collections.abc import Callable
from typing import Any

from local.cluster.errors import BadRequest, Json

Predicate = Callable[[Json], bool]

_SET_BASED = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)\Z")
_COMPARED = re.compile(r"(?P<key>[^\s=!,()]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!,()]*)\Z")
_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?\Z")
_SEPARATOR = re.compile(r",(?![^(]*\))")

_FIELDS = {
    "pods": {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    },
    "events": {
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.uid",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    },
    "namespaces": {"status.phase"},
    "nodes": {"spec.unschedulable"},
    "secrets": {"type"},
}


def labels(selector: str) -> Predicate:
    """Whether an object's labels match: ``a=b, a!=b, a in (b,c), a notin (b,c), a, !a``; all of them, when comma
    separated.

    Raises: BadRequest.
    """
    requirements = [_label_requirement(part.strip()) for part in _SEPARATOR.split(selector) if part.strip()]

    def matches(item: Json) -> bool:
        found = item.get("metadata", {}).get("labels") or {}
        return all(requirement(found) for requirement in requirements)

    return matches


def fields(selector: str, plural: str) -> Predicate:
    """Whether an object's fields match ``metadata.name=x, status.phase!=Running``.

    Raises: BadRequest, also for a field by which Kubernetes cannot select this kind.
    """
    known = {"metadata.name", "metadata.namespace"} | _FIELDS.get(plural, set())
    wanted = []
    for part in (part.strip() for part in selector.split(",")):
        if not part:
            continue
        comparison = _COMPARED.match(part)
        if not comparison:
            raise BadRequest(f"invalid selector: '{part}'; can't understand '{part}'")
        if comparison["key"] not in known:
            raise BadRequest(f'field label not supported: "{comparison["key"]}"')
        wanted.append((comparison["key"].split("."), comparison["operator"] != "!=", comparison["value"]))
    return lambda item: all((_text(item, path) == value) is equal for path, equal, value in wanted)


def _label_requirement(part: str) -> Callable[[Json], bool]:
    if set_based := _SET_BASED.match(part):
        key, values = set_based["key"], {value.strip() for value in set_based["values"].split(",")}
        if set_based["operator"] == "in":
            return lambda found: found.get(key) in values
        return lambda found: found.get(key) not in values
    if comparison := _COMPARED.match(part):
        key, value = comparison["key"], comparison["value"]
        if comparison["operator"] == "!=":
            return lambda found: found.get(key) != value
        return lambda found: found.get(key) == value
    if part.startswith("!") and _KEY.match(part[1:]):
        return lambda found: part[1:] not in found
    if _KEY.match(part):
        return lambda found: part in found
    raise BadRequest(f"unable to parse requirement: {part!r}")


def _text(item: Any, path: list[str]) -> str:
    for step in path:
        item = item.get(step) if isinstance(item, dict) else None
    if item is None:
        return ""
    return str(item).lower() if isinstance(item, bool) else str(item)
