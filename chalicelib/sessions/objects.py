"""The Kubernetes objects of a session, as plain dictionaries: what is wanted, from the record alone.

Pod: restricted (Pod Security Standards) unless its template declares a ``securityContext`` within Baseline; no service-account token.
Claim: the user's home, shared by all their sessions. Service and ingress: where the session is reached; the pod owns them, so that
Kubernetes itself removes them with it. Network policy: one for all sessions, so that none reaches another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.sessions import names
from chalicelib.sessions.session import Launch, Session
from chalicelib.sessions.template import DEFAULT_HOME, HOME_VOLUME

Object = dict[str, Any]

DOMAIN = "stream.space"
SESSION_LABEL, USER_LABEL, TEMPLATE_LABEL = f"{DOMAIN}/session", f"{DOMAIN}/user", f"{DOMAIN}/template"
# Says what a pod was made from: a pod cannot be changed, so one that was made from something else is replaced.
MADE_FROM = f"{DOMAIN}/made-from"
# Which life of the username a home belongs to.
HOME_OF = f"{DOMAIN}/home-of"

_CONTAINER = "session"
_NOBODY_SPECIAL = 1000
# A remote desktop's WebSocket is silent while its user reads.
_PROXY_TIMEOUT_S = "3600"


@dataclass(frozen=True)
class Place:
    """Where objects go in the cluster. Empty classes mean the cluster's defaults.

    ``platform_url`` is where the ingress asks who may come in, and ``ingress_controllers`` are those that do ask (:mod:`entrances`).
    """

    namespace: str
    ingress_domain: str
    ingress_class: str = ""
    storage_class: str = ""
    # Where people's connections come from if that is outside the cluster's pods: a load balancer's subnets.
    ingress_cidrs: tuple[str, ...] = ()
    platform_url: str = ""
    ingress_controllers: tuple[str, ...] = ()


def namespace(name: str) -> Object:
    """The sessions' namespace. Kubernetes itself refuses in it what no template may ask for (Pod Security Standards, Baseline)."""
    labels = {**_platform_labels("sessions"), "pod-security.kubernetes.io/enforce": "baseline"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def isolation(place: Place) -> Object:
    """Sessions are reached from other namespaces (the ingress controller's) and from the given networks, and by no other session. They
    reach the internet and names, but not what a node tells its own programs (credentials, at 169.254.169.254).

    One for all sessions: a policy of each one's own would be one more object and call for each, and say the same.
    """
    other_namespaces: Object = {
        "namespaceSelector": {
            "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [place.namespace]}]
        }
    }
    names_of_hosts = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}
    internet = [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
        {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::/32"]}},
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "sessions-apart", "namespace": place.namespace, "labels": _platform_labels("isolation")},
        "spec": {
            "podSelector": {"matchExpressions": [{"key": SESSION_LABEL, "operator": "Exists"}]},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [other_namespaces, *({"ipBlock": {"cidr": cidr}} for cidr in place.ingress_cidrs)]}],
            "egress": [names_of_hosts, {"to": internet}],
        },
    }


def pod(session: Session, launch: Launch, place: Place) -> Object:
    spec = _pod_spec(session, launch)
    made_from = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    metadata = _metadata(names.objects_of(session.id), session, place, labels=launch.labels)
    metadata["annotations"][MADE_FROM] = made_from
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def home_claim(session: Session, launch: Launch, place: Place) -> Object:
    """The claim of the user's home. ReadWriteMany, since a user's sessions may run on several nodes."""
    spec: Object = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": launch.storage}}}
    if place.storage_class:
        spec["storageClassName"] = place.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.home_claim(session.user),
            "namespace": place.namespace,
            "labels": {**_platform_labels("home"), USER_LABEL: names.label_value(session.user)},
            "annotations": {f"{DOMAIN}/username": session.user, HOME_OF: launch.home_of},
        },
        "spec": spec,
    }


def service(session: Session, launch: Launch, place: Place, owner: Object | None = None) -> Object | None:
    """None for a template without ports. ``owner`` is the pod, as the cluster has it."""
    ports = _ports(launch.template)
    if not ports:
        return None
    metadata = _metadata(names.objects_of(session.id), session, place) | _owned_by(owner)
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": _service_spec(session.id, ports)}


def ingress(session: Session, launch: Launch, place: Place, owner: Object | None = None) -> Object | None:
    """None for a template without a TCP port. ``owner`` is the pod, as the cluster has it."""
    port = _entrance(_ports(launch.template))
    if port is None:
        return None
    metadata = _metadata(names.objects_of(session.id), session, place) | _owned_by(owner)
    metadata["annotations"] |= _guard(session.id, place)
    spec = _ingress_spec(session.id, port, place)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


def leads_to(kind: str, pod: Object, present: Object | None, place: Place) -> bool:
    """Whether the service or ingress that should lead to this pod is there and as :func:`service` and :func:`ingress` make it.

    What others added to it is theirs. True where the pod has no port for one.
    """
    ports, session_id = _ports_of_pod(pod), str(pod["metadata"]["labels"][SESSION_LABEL])
    port = _entrance(ports)
    if not ports or (kind == "Ingress" and port is None):
        return True
    if present is None or pod["metadata"]["uid"] not in [one.get("uid") for one in present["metadata"].get("ownerReferences") or ()]:
        return False
    spec = present.get("spec") or {}
    if kind == "Service":
        wanted = _service_spec(session_id, ports)
        there = [{name: one.get(name) for name in ("name", "port", "targetPort", "protocol")} for one in spec.get("ports") or ()]
        return all(spec.get(name) == wanted[name] for name in ("type", "selector")) and all(one in there for one in wanted["ports"])
    assert port is not None, "an ingress without a port was answered for above"
    annotations = present["metadata"].get("annotations") or {}
    return all(spec.get(name) == value for name, value in _ingress_spec(session_id, port, place).items()) and all(
        annotations.get(name) == value for name, value in _guard(session_id, place).items()
    )


def _service_spec(session_id: str, ports: list[Object]) -> Object:
    return {
        "type": "ClusterIP",
        "selector": {SESSION_LABEL: session_id},
        "ports": [
            {"name": port["name"], "port": port["containerPort"], "targetPort": port["name"], "protocol": port["protocol"]}
            for port in ports
        ],
    }


def _ingress_spec(session_id: str, port: Object, place: Place) -> Object:
    host = f"{session_id}.{place.ingress_domain}"
    backend = {"service": {"name": names.objects_of(session_id), "port": {"name": port["name"]}}}
    return {
        "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        # Without a secret's name the controller answers with its own certificate, which is the wildcard of the domain.
        "tls": [{"hosts": [host]}],
        **({"ingressClassName": place.ingress_class} if place.ingress_class else {}),
    }


def _guard(session_id: str, place: Place) -> dict[str, str]:
    """The ingress asks ``auth-url`` about every request, and sends whom it does not know to ``auth-signin``.

    The session is in the path, where no browser can say another one. Source: ingress-nginx, "External Authentication".
    """
    here = f"{place.platform_url.rstrip('/')}/api/v1/sessions/{session_id}"
    return {
        "nginx.ingress.kubernetes.io/proxy-read-timeout": _PROXY_TIMEOUT_S,
        "nginx.ingress.kubernetes.io/proxy-send-timeout": _PROXY_TIMEOUT_S,
        "nginx.ingress.kubernetes.io/auth-url": f"{here}/auth",
        "nginx.ingress.kubernetes.io/auth-signin": f"{here}/enter",
        # The visit's cookie comes with the first answer, whatever the application answers.
        "nginx.ingress.kubernetes.io/auth-always-set-cookie": "true",
    }


def has_entrance(launch: Launch) -> bool:
    """Whether the session can be reached at an address at all."""
    return _entrance(_ports(launch.template)) is not None


def _pod_spec(session: Session, launch: Launch) -> Object:
    template = launch.template
    env = {one["name"]: one.get("value") or "" for one in template.get("env") or ()} | launch.env
    volumes, mounts = _volumes(session, template)
    container: Object = {
        "name": _CONTAINER,
        "image": template["baseImage"],
        "env": [{"name": name, "value": value} for name, value in env.items()],
        # Requests equal limits: what a session may use is there when it is used, and what is counted is what is taken.
        "resources": {
            "requests": {"memory": session.memory, "cpu": session.cpu},
            "limits": {"memory": session.memory, "cpu": session.cpu},
        },
        "securityContext": _container_security(template),
        "volumeMounts": mounts,
    }
    ports = _ports(template)
    if ports:
        container["ports"] = [{"name": one["name"], "containerPort": one["containerPort"], "protocol": one["protocol"]} for one in ports]
    entrance = _entrance(ports)
    if entrance is not None:
        # Readiness only. A liveness probe would restart a desktop that is merely busy, and lose what its user has not saved; one that has
        # ended is restarted anyway.
        container["readinessProbe"] = {
            "tcpSocket": {"port": entrance["name"]},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
            "failureThreshold": 3,
        }
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "securityContext": _pod_security(template, env),
        "containers": [container],
        "volumes": volumes,
    }


def _pod_security(template: Mapping[str, Any], env: Mapping[str, str]) -> Object:
    """The user that the template names, or the one that its PUID and PGID do (as linuxserver.io's images are told), or 1000."""
    declared = template.get("securityContext") or {}
    user = declared.get("runAsUser", _number(env.get("PUID")))
    group = declared.get("runAsGroup", _number(env.get("PGID")))
    return {
        "runAsNonRoot": declared.get("runAsNonRoot", user != 0),
        "runAsUser": user,
        "runAsGroup": group,
        "fsGroup": declared.get("fsGroup", group or _NOBODY_SPECIAL),
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _container_security(template: Mapping[str, Any]) -> Object:
    declared = template.get("securityContext")
    if not declared:
        return {"allowPrivilegeEscalation": False, "privileged": False, "capabilities": {"drop": ["ALL"]}}
    own = {name: declared[name] for name in ("allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities") if name in declared}
    return {"allowPrivilegeEscalation": False, **own, "privileged": False}


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and 0 < int(text) < 2**31 else _NOBODY_SPECIAL


def _volumes(session: Session, template: Mapping[str, Any]) -> tuple[list[Object], list[Object]]:
    """The home where the template wants it, and a fresh empty directory for every other mount."""
    wanted = template.get("volumeMounts") or ()
    paths = {mount["name"]: mount["mountPath"] for mount in wanted}
    paths.setdefault(HOME_VOLUME, DEFAULT_HOME)
    volumes: list[Object] = []
    mounts: list[Object] = []
    for name, path in paths.items():
        volume = "home" if name == HOME_VOLUME else names.exact(name, "volume")
        if name == HOME_VOLUME and session.persistent_home:
            volumes.append({"name": volume, "persistentVolumeClaim": {"claimName": names.home_claim(session.user)}})
        else:
            volumes.append({"name": volume, "emptyDir": {}})
        mounts.append({"name": volume, "mountPath": path})
    return volumes, mounts


def _ports(template: Mapping[str, Any]) -> list[Object]:
    return [{**port, "protocol": port.get("protocol") or "TCP"} for port in template.get("ports") or ()]


def _ports_of_pod(pod: Object) -> list[Object]:
    """The same of a pod that was made from the template; a cluster may add containers to it."""
    return [port for one in pod["spec"].get("containers") or () if one.get("name") == _CONTAINER for port in one.get("ports") or ()]


def _entrance(ports: list[Object]) -> Object | None:
    """The port at which people reach the session: the first one of TCP."""
    return next((port for port in ports if port["protocol"] == "TCP"), None)


def _platform_labels(component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/part-of": "streamspace",
        "app.kubernetes.io/managed-by": "streamspace",
        "app.kubernetes.io/component": component,
    }


def _owned_by(owner: Object | None) -> Object:
    if owner is None:
        return {}
    metadata = owner["metadata"]
    return {"ownerReferences": [{"apiVersion": "v1", "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}]}


def _metadata(name: str, session: Session, place: Place, labels: Mapping[str, str] | None = None) -> Object:
    return {
        "name": name,
        "namespace": place.namespace,
        "labels": {
            **(labels or {}),
            **_platform_labels("session"),
            "app.kubernetes.io/name": names.label_value(session.template),
            "app.kubernetes.io/instance": session.id,
            SESSION_LABEL: session.id,
            USER_LABEL: names.label_value(session.user),
            TEMPLATE_LABEL: names.label_value(session.template),
        },
        "annotations": {f"{DOMAIN}/username": session.user, f"{DOMAIN}/template-name": session.template},
    }
