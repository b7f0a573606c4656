"""What a cluster's nodes have left, and whether a session would fit. Pure: objects in, amounts out.

A pod needs one node with room for all of it, so what counts is not the sum. Of nodes, those that take no pods are left out: cordoned, not
ready, or with a taint that keeps pods off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.core.quantities import parse_cpu, parse_memory

Object = Mapping[str, Any]
Amounts = tuple[int, int]
"""Bytes of memory and thousandths of a core."""

_KEEPS_OFF = ("NoSchedule", "NoExecute")


class Room:
    """Counts nodes' room down, pod by pod."""

    def __init__(self, nodes: Iterable[Object]) -> None:
        self._left: dict[str, list[int]] = {}
        for node in nodes:
            if _takes_pods(node):
                has = (node.get("status") or {}).get("allocatable") or {}
                self._left[node["metadata"]["name"]] = [*_amounts(has), int(has.get("pods", "0"))]

    def take(self, pods: Iterable[Object]) -> None:
        """Count off what these pods, which have not ended, have asked for."""
        for pod in pods:
            left = self._left.get((pod.get("spec") or {}).get("nodeName", ""))
            if left is not None:
                memory, cpu = requests_of(pod)
                left[0] -= memory
                left[1] -= cpu
                left[2] -= 1

    @property
    def has_nodes(self) -> bool:
        return bool(self._left)

    def most(self) -> list[Amounts]:
        """The largest amounts that one node has left: none of them fits within another. Empty when no node takes another pod."""
        most: list[Amounts] = []
        for memory, cpu in sorted(((left[0], left[1]) for left in self._left.values() if left[2] > 0), reverse=True):
            if memory > 0 and cpu > 0 and (not most or cpu > most[-1][1]):
                most.append((memory, cpu))
        return most


def fits(wanted: Amounts, most: Iterable[Amounts]) -> bool:
    return any(wanted[0] <= memory and wanted[1] <= cpu for memory, cpu in most)


def requests_of(pod: Object) -> Amounts:
    """What the scheduler keeps free for a pod. Source: Kubernetes, "Resource sharing within containers"."""
    spec = pod.get("spec") or {}
    running = [_requests(container) for container in spec.get("containers") or ()]
    first = [_requests(container) for container in spec.get("initContainers") or ()]
    memory = max([sum(one[0] for one in running), *(one[0] for one in first)])
    cpu = max([sum(one[1] for one in running), *(one[1] for one in first)])
    over = _amounts(spec.get("overhead") or {})
    return memory + over[0], cpu + over[1]


def _requests(container: Object) -> Amounts:
    return _amounts((container.get("resources") or {}).get("requests") or {})


def _amounts(resources: Mapping[str, Any]) -> Amounts:
    return parse_memory(str(resources.get("memory", "0"))), parse_cpu(str(resources.get("cpu", "0")))


def _takes_pods(node: Object) -> bool:
    spec, conditions = node.get("spec") or {}, (node.get("status") or {}).get("conditions") or ()
    is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return is_ready and not spec.get("unschedulable") and not any(taint.get("effect") in _KEEPS_OFF for taint in spec.get("taints") or ())
