"""The cluster and the records come apart, and are found: whichever side lost something, and in whatever way."""

from __future__ import annotations

import json

import pytest
from sessions_cluster import CANNOT_PULL, READY

from chalicelib import sessions
from chalicelib.core import clock, config
from chalicelib.sessions import models, names, objects
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


def test_a_comparison_costs_what_the_pages_cost_and_not_what_the_sessions_do(platform, john, aws_calls):
    for _ in range(12):
        platform.ready_session()
    platform.cluster.calls.clear()
    aws_calls.clear()

    platform.comparison.mend()

    assert platform.cluster.calls == [("apply", "NetworkPolicy", "sessions-apart"), ("list", "Pod", "")]
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
