"""The Kubernetes objects of a session, whole, and as Kubernetes' own schemas want them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import kubernetes_validate
import pytest

from chalicelib.core.errors import ValidationError
from chalicelib.sessions import objects
from chalicelib.sessions.objects import Place
from chalicelib.sessions.session import Launch, Session
from chalicelib.sessions.template import check_template

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLACE = Place("streamspace", "streamspace.local", platform_url="https://api.example.com/live/")
SESSION = Session(
    id="john-firefox",
    user="john",
    template="firefox",
    state="running",
    memory="2Gi",
    cpu="1000m",
    persistent_home=True,
    idle_timeout="30m",
    max_session_duration="8h",
    created_at=NOW,
    updated_at=NOW,
)
SPEC: dict[str, Any] = {
    "displayName": "Firefox",
    "description": "",
    "category": "Web Browsers",
    "baseImage": "lscr.io/linuxserver/firefox:latest",
    "defaultResources": {"memory": "2Gi", "cpu": "1000m"},
    "ports": [{"name": "vnc", "containerPort": 3000, "protocol": "TCP"}],
    "env": [{"name": "PUID", "value": "1001"}, {"name": "TZ", "value": "Etc/UTC"}],
    "volumeMounts": [{"name": "user-home", "mountPath": "/config"}],
}
LAUNCH = Launch(SPEC, "50Gi", "2026-01-01T00:00:00+00:00", {"TZ": "Europe/Berlin", "EXTRA": "1"}, {"team": "x"})
LABELS = {
    "app.kubernetes.io/part-of": "streamspace",
    "app.kubernetes.io/managed-by": "streamspace",
    "app.kubernetes.io/component": "session",
    "app.kubernetes.io/name": "firefox",
    "app.kubernetes.io/instance": "john-firefox",
    "stream.space/session": "john-firefox",
    "stream.space/user": "john",
    "stream.space/template": "firefox",
}
ANNOTATIONS = {"stream.space/username": "john", "stream.space/template-name": "firefox"}


def test_the_pod():
    pod = objects.pod(SESSION, LAUNCH, PLACE)

    made_from = pod["metadata"]["annotations"].pop("stream.space/made-from")
    assert len(made_from) == 16
    assert pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "ss-john-firefox", "namespace": "streamspace", "labels": {"team": "x", **LABELS}, "annotations": ANNOTATIONS},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1001,
                "runAsGroup": 1000,
                "fsGroup": 1000,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "session",
                    "image": "lscr.io/linuxserver/firefox:latest",
                    "env": [
                        {"name": "PUID", "value": "1001"},
                        {"name": "TZ", "value": "Europe/Berlin"},
                        {"name": "EXTRA", "value": "1"},
                    ],
                    "resources": {"requests": {"memory": "2Gi", "cpu": "1000m"}, "limits": {"memory": "2Gi", "cpu": "1000m"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "privileged": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "home", "mountPath": "/config"}],
                    "ports": [{"name": "vnc", "containerPort": 3000, "protocol": "TCP"}],
                    "readinessProbe": {"tcpSocket": {"port": "vnc"}, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 3},
                }
            ],
            "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home-john"}}],
        },
    }


def test_the_home():
    assert objects.home_claim(SESSION, LAUNCH, replace(PLACE, storage_class="efs")) == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "home-john",
            "namespace": "streamspace",
            "labels": {
                "app.kubernetes.io/part-of": "streamspace",
                "app.kubernetes.io/managed-by": "streamspace",
                "app.kubernetes.io/component": "home",
                "stream.space/user": "john",
            },
            "annotations": {"stream.space/username": "john", "stream.space/home-of": "2026-01-01T00:00:00+00:00"},
        },
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "50Gi"}}, "storageClassName": "efs"},
    }


def test_the_service():
    assert objects.service(SESSION, LAUNCH, PLACE) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "ss-john-firefox", "namespace": "streamspace", "labels": LABELS, "annotations": ANNOTATIONS},
        "spec": {
            "type": "ClusterIP",
            "selector": {"stream.space/session": "john-firefox"},
            "ports": [{"name": "vnc", "port": 3000, "targetPort": "vnc", "protocol": "TCP"}],
        },
    }


def test_the_ingress():
    backend = {"service": {"name": "ss-john-firefox", "port": {"name": "vnc"}}}
    assert objects.ingress(SESSION, LAUNCH, replace(PLACE, ingress_class="nginx")) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "ss-john-firefox",
            "namespace": "streamspace",
            "labels": LABELS,
            "annotations": {
                **ANNOTATIONS,
                "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
                "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
                "nginx.ingress.kubernetes.io/auth-url": "https://api.example.com/live/api/v1/sessions/john-firefox/auth",
                "nginx.ingress.kubernetes.io/auth-signin": "https://api.example.com/live/api/v1/sessions/john-firefox/enter",
                "nginx.ingress.kubernetes.io/auth-always-set-cookie": "true",
            },
        },
        "spec": {
            "ingressClassName": "nginx",
            "rules": [
                {"host": "john-firefox.streamspace.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
            ],
            "tls": [{"hosts": ["john-firefox.streamspace.local"]}],
        },
    }


ROOT = {"runAsUser": 0, "runAsNonRoot": False, "capabilities": {"add": ["CHOWN", "SETUID", "SETGID"]}}
CASES = {
    "usual": (SESSION, LAUNCH),
    "no home": (replace(SESSION, persistent_home=False), LAUNCH),
    "no port": (SESSION, replace(LAUNCH, template={**SPEC, "ports": []})),
    "UDP first": (
        SESSION,
        replace(LAUNCH, template={**SPEC, "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}, *SPEC["ports"]]}),
    ),
    "root": (SESSION, replace(LAUNCH, template={**SPEC, "securityContext": ROOT})),
    "more mounts": (SESSION, replace(LAUNCH, template={**SPEC, "volumeMounts": [{"name": "Data_1", "mountPath": "/data"}]})),
    "long": (replace(SESSION, id="a" * 63, user="b" * 32, template="c" * 100 + ".io"), LAUNCH),
}


@pytest.mark.parametrize("version", ["1.30", "1.31", "1.32", "1.33", "1.34", "1.37"])
@pytest.mark.parametrize("case", CASES)
def test_kubernetes_takes_every_object(case, version):
    session, launch = CASES[case]

    pod = objects.pod(session, launch, PLACE)
    living = {**pod, "metadata": {**pod["metadata"], "uid": "6d7c1b0e-0000-4000-8000-000000000000"}}
    made = [pod, objects.home_claim(session, launch, PLACE)]
    made += [make(session, launch, PLACE, living) for make in (objects.service, objects.ingress)]

    for one in (*made, objects.namespace("streamspace"), objects.isolation(replace(PLACE, ingress_cidrs=("10.0.0.0/16",)))):
        if one is not None:
            kubernetes_validate.validate(one, version, strict=True)


def test_a_template_without_ports_has_nothing_to_be_reached_by():
    session, launch = CASES["no port"]

    assert objects.service(session, launch, PLACE) is None
    assert objects.ingress(session, launch, PLACE) is None
    assert not objects.has_entrance(launch)


def test_people_enter_by_the_first_tcp_port():
    session, launch = CASES["UDP first"]

    assert objects.pod(session, launch, PLACE)["spec"]["containers"][0]["readinessProbe"]["tcpSocket"] == {"port": "vnc"}


def test_a_template_that_needs_root_says_so_and_gets_no_more_than_it_says():
    spec = objects.pod(*CASES["root"], PLACE)["spec"]

    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsNonRoot"]) == (0, False)
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "capabilities": {"add": ["CHOWN", "SETUID", "SETGID"]},
    }


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"privileged": True}, "securityContext.privileged"),
        ({"capabilities": {"add": ["SYS_ADMIN"]}}, "securityContext.capabilities.add"),
        ({"capabilities": ["ALL"]}, "securityContext.capabilities"),
        ({"procMount": "Unmasked"}, "securityContext.procMount"),
        ({"runAsUser": "0"}, "securityContext.runAsUser"),
    ],
)
def test_no_template_opens_the_node(context, field):
    with pytest.raises(ValidationError) as refused:
        check_template("firefox", {**SPEC, "securityContext": context})

    assert field in refused.value.details


def test_labels_of_a_session_do_not_change_what_its_pod_is_made_from():
    one = objects.pod(SESSION, LAUNCH, PLACE)
    other = objects.pod(SESSION, replace(LAUNCH, labels={"team": "y"}), PLACE)
    larger = objects.pod(replace(SESSION, memory="4Gi"), LAUNCH, PLACE)

    def made_from(pod):
        return pod["metadata"]["annotations"][objects.MADE_FROM]

    assert made_from(one) == made_from(other) != made_from(larger)


def test_a_sessions_own_labels_never_pass_for_the_platforms():
    pod = objects.pod(SESSION, replace(LAUNCH, labels={"stream.space/session": "another"}), PLACE)

    assert pod["metadata"]["labels"]["stream.space/session"] == "john-firefox"


def test_kubernetes_removes_service_and_ingress_with_their_pod():
    pod = {"kind": "Pod", "metadata": {"name": "ss-john-firefox", "uid": "u1"}}

    for made in (objects.service(SESSION, LAUNCH, PLACE, pod), objects.ingress(SESSION, LAUNCH, PLACE, pod)):
        assert made["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", "name": "ss-john-firefox", "uid": "u1"}]
    assert "ownerReferences" not in objects.home_claim(SESSION, LAUNCH, PLACE)["metadata"], "a home outlives every session"


def test_no_session_reaches_another_one_or_what_the_node_keeps_for_itself():
    policy = objects.isolation(replace(PLACE, ingress_cidrs=("10.0.0.0/16",)))["spec"]

    assert policy["podSelector"] == {"matchExpressions": [{"key": "stream.space/session", "operator": "Exists"}]}
    (entrance,) = policy["ingress"]
    assert entrance == {
        "from": [
            {
                "namespaceSelector": {
                    "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["streamspace"]}]
                }
            },
            {"ipBlock": {"cidr": "10.0.0.0/16"}},
        ]
    }
    assert {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}} in policy["egress"][1]["to"]


def test_a_pod_is_what_pod_security_calls_restricted_unless_its_template_says_that_it_needs_more():
    """Source: Kubernetes, "Pod Security Standards", Restricted."""
    spec = objects.pod(SESSION, LAUNCH, PLACE)["spec"]
    (container,) = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] != 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
    assert {kind for volume in spec["volumes"] for kind in volume if kind != "name"} <= {"persistentVolumeClaim", "emptyDir"}
