"""The ingress class that sessions get: one whose controller asks the platform who may come in.

Controllers pass over annotations that they do not know. So a class of another controller (``alb``, for one) would open every session to
whoever has its address, and nothing would look wrong.

Promises
    No Ingress is made unless its class's controller is known to ask about every request, and is told whom: what cannot be seen is refused.
    Each Ingress names its class, so that a new default of the cluster changes none.
    One call to the cluster for each container and five minutes.
Source: Kubernetes, "Ingress class"; ingress-nginx, "External Authentication".
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from chalicelib.core import clock
from chalicelib.sessions.cluster import Cluster
from chalicelib.sessions.objects import Place

ASKING = ("k8s.io/ingress-nginx",)
"""Controllers that understand the annotations ``auth-url`` and ``auth-signin`` of ingress-nginx, by ``spec.controller`` of their class."""

_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_KNOWN_FOR_S = 300

_known: WeakKeyDictionary[Cluster, tuple[float, Place, str]] = WeakKeyDictionary()


class EntranceRefused(Exception):
    """Sessions would be open to everybody. ``reason`` is a word for programs, ``message`` a sentence for who can change it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = "IngressNotGuarded", message


def class_of(gateway: Cluster, place: Place) -> str:
    """The name of the ingress class for this place. Raises EntranceRefused, ClusterUnavailable, ClusterRefused."""
    since, known_place, name = _known.get(gateway, (0.0, None, ""))
    if known_place != place or clock.timestamp() - since > _KNOWN_FOR_S:
        name = _checked(gateway, place)
        _known[gateway] = clock.timestamp(), place, name
    return name


def _checked(gateway: Cluster, place: Place) -> str:
    if not place.platform_url:
        raise EntranceRefused("An ingress has nobody to ask who may come in: the platform's own address (STREAMSPACE_API_URL) is not set")
    classes = {one["metadata"]["name"]: one for one in gateway.everywhere("IngressClass").items}
    defaults = [name for name, one in classes.items() if (one["metadata"].get("annotations") or {}).get(_DEFAULT) == "true"]
    wanted = [place.ingress_class] if place.ingress_class else defaults
    if not wanted:
        raise EntranceRefused("The cluster has no default ingress class: name one of its classes that asks who may come in (IngressClass)")
    for name in wanted:
        _must_ask(name, classes.get(name), place)
    return wanted[0]


def _must_ask(name: str, found: Any, place: Place) -> None:
    if found is None:
        raise EntranceRefused(f"The cluster has no ingress class '{name}' (IngressClass)")
    controller = str((found.get("spec") or {}).get("controller") or "")
    if controller not in place.ingress_controllers:
        raise EntranceRefused(
            f"The ingress class '{name}' is run by '{controller}', which is not known to ask who may come in: sessions would be open to "
            f"whoever knows their address. Use a class of {' or '.join(place.ingress_controllers)}; or, if that controller understands "
            "ingress-nginx's auth annotations, name it in IngressControllers"
        )
