"""The cluster and the records come apart, and are found: whichever side lost something, and in whatever way."""

from __future__ import annotations

import copy
import json

import pytest
from sessions_cluster import CANNOT_PULL, READY, UNSCHEDULABLE

from chalicelib import sessions
from chalicelib.core import clock, config
from chalicelib.sessions import models, names, objects
from chalicelib.sessions.cluster import ClusterRefused
from chalicelib.sessions.errors import InsufficientResources


@pytest.fixture
def john(platform):
    platform.template()
    return platform.user("john", max_sessions=20)


def mended(platform):
    """One minute: the comparison, and the worker with what it was told. The ids that it was told."""
    platform.checks.taken()
    platform.comparison.mend()
    told = platform.checks.taken()
    for message in told:
        platform.worker.handle_checks({"Records": [{"messageId": "m", "body": json.dumps(message)}]})
    return [message["session_id"] for message in told]


def put_pod(platform, name, session_id, uid="stray"):
    platform.cluster.objects["Pod", name] = {
        "kind": "Pod",
        "metadata": {"name": name, "uid": uid, "labels": {objects.SESSION_LABEL: session_id}},
        "spec": {},
        "status": READY,
    }


def test_where_everything_is_as_it_should_be_nobody_is_told_anything(platform, john):
    platform.ready_session(), platform.ready_session()
    platform.session(state="hibernated")

    assert mended(platform) == []


def test_a_pod_that_was_deleted_by_hand_is_made_again(platform, john):
    session, other = platform.ready_session(), platform.ready_session()
    del platform.cluster.objects["Pod", session.pod_name]

    assert mended(platform) == [session.id]

    assert ("Pod", session.pod_name) in platform.cluster.objects
    assert sessions.get_session(session.id, by=john).is_ready
    assert sessions.get_session(other.id, by=john).is_ready


def test_a_pod_that_no_session_owns_is_removed(platform, john):
    put_pod(platform, names.objects_of("nobody-firefox"), "nobody-firefox")

    assert mended(platform) == ["nobody-firefox"]

    assert platform.cluster.kinds() == []


def test_a_pod_with_a_sessions_label_under_another_name_is_removed_and_the_sessions_own_is_not(platform, john):
    session = platform.ready_session()
    put_pod(platform, "thief", session.id)

    assert mended(platform) == []

    assert [name for kind, name in platform.cluster.objects if kind == "Pod"] == [session.pod_name]


def test_a_pod_that_outlived_its_sessions_sleep_is_removed(platform, john):
    session = platform.ready_session()
    sessions.update_session(session.id, {"state": "hibernated"}, by=john)

    assert mended(platform) == [session.id]

    assert "Pod" not in platform.cluster.kinds()


def test_a_pod_that_the_platform_lost_sight_of_is_found_again(platform, john):
    session = platform.session()
    platform.cluster.set_pods(CANNOT_PULL)
    platform.worker.reconcile(session.id)
    platform.cluster.set_pods(READY)

    assert mended(platform) == [session.id]

    assert sessions.get_session(session.id, by=john).is_ready


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, None),
        (
            {"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}}]},
            "CrashLoopBackOff",
        ),
        (CANNOT_PULL, "ImagePullBackOff"),
    ],
    ids=["evicted", "crash-looping", "image gone"],
)
def test_a_pod_that_fell_ill_is_seen_and_its_session_shows_it(platform, john, status, reason):
    session = platform.ready_session()
    uid = platform.cluster.only("Pod")["metadata"]["uid"]
    platform.cluster.set_pods(status)
    if reason is None:
        platform.cluster.pod_status = READY

    assert mended(platform) == [session.id]

    found = sessions.get_session(session.id, by=john)
    shown = sessions.status_object(found)
    if reason is None:
        assert platform.cluster.only("Pod")["metadata"]["uid"] != uid
        assert shown["ready"]
    else:
        assert found.url is None, "where nothing answers is no address"
        assert (shown["ready"], shown["reason"]) == (False, reason)
        assert len(shown["message"]) > 30
    assert mended(platform) == [], "it is told once, and then known"


LEADING = ("Service", "Ingress")


def emptied(item):
    item["spec"] = {"ports": []} if item["kind"] == "Service" else {"rules": []}


def opened(item):
    del item["metadata"]["annotations"]["nginx.ingress.kubernetes.io/auth-url"]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        *((kind, emptied) for kind in LEADING),
        *((kind, lambda item: item["metadata"].pop("ownerReferences")) for kind in LEADING),
        ("Service", lambda item: item["spec"].update(type="LoadBalancer")),
        ("Service", lambda item: item["spec"]["selector"].update({objects.SESSION_LABEL: "another"})),
        ("Service", lambda item: item["spec"]["ports"][0].update(targetPort=22)),
        ("Ingress", opened),
        ("Ingress", lambda item: item["metadata"].pop("annotations")),
        ("Ingress", lambda item: item["spec"].update(ingressClassName="alb")),
        ("Ingress", lambda item: item["spec"]["rules"].append({"host": "open.example.com"})),
        ("Ingress", lambda item: item["spec"].pop("tls")),
    ],
)
def test_what_leads_to_a_session_is_put_right_when_somebody_changed_it(platform, john, kind, change):
    session, _ = platform.ready_session(), platform.ready_session()
    name = session.pod_name
    before = copy.deepcopy(platform.cluster.objects[kind, name])
    change(platform.cluster.objects[kind, name])

    assert mended(platform) == [session.id]

    assert platform.cluster.objects[kind, name] == before
    assert mended(platform) == []


@pytest.mark.parametrize("kind", LEADING)
def test_what_leads_to_a_session_is_made_again_when_somebody_deleted_it(platform, john, kind):
    session, _ = platform.ready_session(), platform.ready_session()
    del platform.cluster.objects[kind, session.pod_name]

    assert mended(platform) == [session.id]

    assert (kind, session.pod_name) in platform.cluster.objects
    assert mended(platform) == []


def test_what_contradicts_what_is_wanted_is_made_anew(platform, john):
    session = platform.ready_session()
    name = session.pod_name
    platform.cluster.objects["Service", name]["spec"]["ports"] = [{"name": "vnc", "port": 22}]

    def refuse(wanted):
        present = platform.cluster.objects.get(("Service", name))
        if wanted["kind"] == "Service" and present and present["spec"]["ports"][0]["port"] == 22:
            raise ClusterRefused(422, "Invalid", "spec.ports[1].name: Duplicate value")

    platform.cluster.before_apply = refuse

    assert mended(platform) == [session.id]

    assert [port["port"] for port in platform.cluster.objects["Service", name]["spec"]["ports"]] == [3000]
    assert sessions.get_session(session.id, by=john).is_ready


@pytest.mark.parametrize("kind", LEADING)
def test_what_others_added_is_theirs_and_no_drift(platform, john, kind):
    session = platform.ready_session()
    item = platform.cluster.objects[kind, session.pod_name]
    item["metadata"]["annotations"]["example.com/team"] = "b"
    item["metadata"]["labels"]["team"] = "b"
    item["metadata"]["ownerReferences"].append({"kind": "ConfigMap", "name": "a", "uid": "u"})
    item["spec"]["loadBalancerClass" if kind == "Service" else "defaultBackend"] = {}
    if kind == "Service":
        item["spec"]["clusterIP"] = "10.96.0.9"
        item["spec"]["ports"][0]["nodePort"] = 30000
        item["spec"]["ports"].append({"name": "metrics", "port": 9100, "targetPort": 9100, "protocol": "TCP"})
    platform.cluster.objects["Pod", session.pod_name]["spec"]["containers"].insert(0, {"name": "sidecar", "ports": [{"containerPort": 1}]})

    assert mended(platform) == []


@pytest.mark.parametrize("ports", [[], [{"name": "dns", "containerPort": 53, "protocol": "UDP"}]])
def test_a_session_that_nothing_leads_to_is_not_told_of_again_and_again(platform, john, ports):
    platform.template("batch", ports=ports)
    platform.ready_session(template="batch")

    assert mended(platform) == []


@pytest.mark.parametrize("kind", LEADING)
def test_what_leads_to_no_session_is_removed(platform, john, kind):
    session = platform.ready_session()
    gone = platform.ready_session()
    left = copy.deepcopy(platform.cluster.objects[kind, gone.pod_name])
    sessions.delete_session(gone.id, by=john)
    assert platform.worker.reconcile(gone.id)
    platform.cluster.objects[kind, gone.pod_name] = left
    stray = copy.deepcopy(left)
    stray["metadata"] |= {"name": "door", "uid": "door"}
    stray["metadata"]["labels"][objects.SESSION_LABEL] = session.id
    platform.cluster.objects[kind, "door"] = stray

    assert mended(platform) == [gone.id]

    assert {name for its, name in platform.cluster.objects if its == kind} == {session.pod_name}
    assert mended(platform) == []


def test_a_stray_that_is_being_deleted_is_left_to_that(platform, john):
    session = platform.ready_session()
    stray = copy.deepcopy(platform.cluster.objects["Service", session.pod_name])
    stray["metadata"] |= {"name": "door", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    platform.cluster.objects["Service", "door"] = stray

    assert mended(platform) == []
    assert ("delete", "Service", "door") not in platform.cluster.calls


def test_services_are_compared_where_no_ingress_would_be_made(platform, john, monkeypatch):
    session, other = platform.ready_session(), platform.ready_session()
    platform.cluster.ingress_classes = []
    del platform.cluster.objects["Service", session.pod_name]
    del platform.cluster.objects["Ingress", other.pod_name]

    with clock.travel(301):
        platform.comparison.mend()

    assert [message["session_id"] for message in platform.checks.taken()] == [session.id]


def test_a_home_that_was_deleted_before_its_pod_had_a_node_is_made_again(platform, john):
    platform.cluster.set_pods(UNSCHEDULABLE)
    session = platform.session()
    begun = {}
    platform.worker.reconcile(session.id, begun=begun)
    (home,) = [key for key in platform.cluster.objects if key[0] == "PersistentVolumeClaim"]
    del platform.cluster.objects[home]

    platform.worker.reconcile(session.id, patience_s=0, begun=begun)

    assert home in platform.cluster.objects


def test_a_session_that_drifts_every_minute_has_no_more_checks_than_one(platform, john):
    session = platform.ready_session()
    platform.cluster.lingering = {"Pod"}
    platform.cluster.set_pods({"phase": "Failed"})

    for minute in range(5):
        with clock.travel(60 * minute):
            platform.comparison.mend()
    (first, *_) = told = platform.checks.taken()
    for attempt in range(0, 7):
        platform.worker.handle_checks({"Records": [{"messageId": "m", "body": json.dumps(first | {"attempt": attempt})}]})

    assert [message["session_id"] for message in told] == [session.id] * 5
    followed = platform.checks.taken()
    assert [message["attempt"] for message in followed] == [1, 2, 3, 4, 5, 6], "and the last one leads to no other"


def test_a_large_cluster_is_compared_stretch_by_stretch_and_the_next_minute_goes_on(platform, john, monkeypatch):
    made = [platform.ready_session() for _ in range(9)]
    platform.cluster.page_size = 2
    monkeypatch.setattr("chalicelib.sessions.drift.PAGES_A_RUN", 2)
    by_pod = sorted(made, key=lambda session: session.pod_name)
    del platform.cluster.objects["Pod", by_pod[8].pod_name]
    put_pod(platform, names.objects_of("zz"), "zz")

    rounds = [mended(platform) for _ in range(3)]

    assert rounds == [[], [], [by_pod[8].id, "zz"]]
    assert models.drift_position() == models.DriftPosition()


@pytest.mark.parametrize("kind", LEADING)
def test_the_kinds_are_read_side_by_side_however_their_pages_fall(platform, john, kind, monkeypatch):
    platform.template("batch", ports=[])
    made = sorted((platform.ready_session(template=name) for name in ("firefox", "batch") * 7), key=lambda session: session.pod_name)
    platform.cluster.page_size = 3
    monkeypatch.setattr("chalicelib.sessions.drift.PAGES_A_RUN", 2)
    with_entrance = [session for session in made if session.template == "firefox"]
    lost = with_entrance[1::3]
    for session in lost:
        del platform.cluster.objects[kind, session.pod_name]
    stray = copy.deepcopy(platform.cluster.objects[kind, with_entrance[0].pod_name])
    stray["metadata"] |= {"name": "zz-door", "uid": "door"}
    platform.cluster.objects[kind, "zz-door"] = stray

    told = [one for _ in range(4) for one in mended(platform)]

    assert sorted(told) == sorted(session.id for session in lost)
    assert (kind, "zz-door") not in platform.cluster.objects
    assert [mended(platform) for _ in range(4)] == [[], [], [], []]


def test_a_comparison_costs_what_the_pages_cost_and_not_what_the_sessions_do(platform, john, aws_calls):
    for _ in range(12):
        platform.ready_session()
    platform.cluster.calls.clear()
    aws_calls.clear()

    platform.comparison.mend()

    listed = [("list", kind, "") for kind in ("Pod", "Service", "Ingress")]
    assert platform.cluster.calls == [("apply", "NetworkPolicy", "sessions-apart"), *listed]
    assert sorted(aws_calls) == ["GetItem", "PutItem", "Query"]


def test_a_record_from_before_there_were_sweeps_is_taken_into_their_indexes(platform, john):
    session = platform.ready_session()
    row = models.session_of_id(session.id)
    row.update([attribute.remove() for attribute in (type(row).gsi5pk, type(row).gsi5sk, type(row).gsi6pk, type(row).gsi6sk)])

    assert mended(platform) == [session.id]

    assert models.session_of_id(session.id).is_indexed
    assert mended(platform) == []


# ── Room ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def node(memory="8Gi", cpu="4"):
    status = {"allocatable": {"memory": memory, "cpu": cpu, "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": "node-1"}, "spec": {}, "status": status}


def test_what_no_node_has_left_is_refused_when_it_is_asked_for(platform, john):
    platform.cluster.nodes = [node(memory="3Gi")]
    asleep = platform.session(state="hibernated", resources={"memory": "6Gi"})

    assert platform.comparison.measure_room() == 1

    with pytest.raises(InsufficientResources, match="4Gi"):
        platform.session(resources={"memory": "4Gi"})
    with pytest.raises(InsufficientResources):
        sessions.update_session(asleep.id, {"state": "running"}, by=john)
    assert platform.session().state == "running"
    with clock.travel(200):
        assert platform.session(resources={"memory": "4Gi"}).state == "running", "old news refuse nobody"


def test_a_cluster_that_makes_nodes_as_it_needs_them_refuses_nobody(platform, john):
    platform.cluster.nodes = [node(memory="1Gi")]

    with config.overridden(CLUSTER_GROWS="true"):
        assert platform.comparison.measure_room() == 0
        assert platform.session().state == "running"
