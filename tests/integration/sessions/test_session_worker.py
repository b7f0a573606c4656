"""The worker makes the cluster as the records say, from any state, as often as it is called."""

import json
from typing import Any

import pytest
from sessions_cluster import CANNOT_PULL, PENDING, READY, UNSCHEDULABLE

from chalicelib import sessions
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.sessions import models
from chalicelib.sessions.cluster import ClusterRefused
from chalicelib.sessions.errors import InsufficientResources, SessionNotFound
from chalicelib.sessions.objects import HOME_OF
from tests.event_history import history

ALL = ["Ingress", "PersistentVolumeClaim", "Pod", "Service"]
HOME = ["PersistentVolumeClaim"]


@pytest.fixture
def john(platform: Any) -> Caller:
    platform.template()
    return platform.user("john")


def events_of(session_id: str) -> list[str]:
    return [event.type for event in history(f"session#{session_id}", newest_first=False)]


def message(session_id: str, attempt: int = 1, **more: Any) -> dict[str, Any]:
    body = {"session_id": session_id, "attempt": attempt, **more}
    return {"Records": [{"messageId": "m1", "attributes": {}, "body": json.dumps(body)}]}


def test_a_session_gets_its_objects_and_starts_when_its_pod_is_ready(platform, john):
    session = platform.session()

    assert platform.worker.reconcile(session.id)

    assert platform.cluster.kinds() == ALL
    shown = sessions.get_session(session.id, by=john)
    assert shown.url == "https://john-firefox.streamspace.local"
    assert shown.pod_name == platform.cluster.only("Pod")["metadata"]["name"]
    started = history(f"session#{session.id}")[0]
    assert started.type == "session.started"
    assert started.data == sessions.session_object(shown)


def test_called_again_it_changes_nothing(platform, john):
    session = platform.ready_session()
    before = dict(platform.cluster.objects)

    for _ in range(3):
        assert platform.worker.reconcile(session.id)

    assert platform.cluster.objects == before
    assert sessions.get_session(session.id, by=john) == session
    assert events_of(session.id) == ["session.created", "session.started"]


@pytest.mark.parametrize("lost", ["Pod", "Service", "Ingress", "PersistentVolumeClaim"])
def test_what_the_cluster_lost_is_made_again(platform, john, lost):
    session = platform.ready_session()
    del platform.cluster.objects[lost, platform.cluster.only(lost)["metadata"]["name"]]

    assert platform.worker.reconcile(session.id)

    assert platform.cluster.kinds() == ALL


def test_nothing_is_put_on_a_pod_that_is_leaving(platform, john):
    session = platform.ready_session()
    platform.cluster.objects["Pod", session.pod_name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    platform.cluster.calls.clear()

    assert not platform.worker.reconcile(session.id, patience_s=0)

    applied = {kind for verb, kind, _ in platform.cluster.calls if verb == "apply"}
    assert applied.isdisjoint({"Pod", "Service", "Ingress"})
    shown = sessions.get_session(session.id, by=john)
    assert (shown.url, shown.status.reason) == (None, "Restarting")


def test_a_pod_that_is_not_ready_is_named_and_looked_at_again(platform, john, event_of):
    platform.cluster.set_pods(PENDING)
    session = platform.session()

    answer = platform.worker.handle_events(event_of(f"session#{session.id}"))

    shown = sessions.get_session(session.id, by=john)
    assert answer == {"batchItemFailures": []}
    assert (shown.url, shown.status.phase) == (None, "Pending")
    assert shown.pod_name is not None
    (check,) = platform.checks.messages()
    assert (check["session_id"], check["attempt"], check["delay_s"]) == (session.id, 1, 1)


def test_re_checks_go_on_with_growing_delays_until_the_pod_is_ready(platform, john):
    platform.cluster.set_pods(PENDING)
    session = platform.session()

    for attempt in range(1, 13):
        platform.worker.handle_checks(message(session.id, attempt))
    delays = [check["delay_s"] for check in platform.checks.messages()]
    platform.cluster.set_pods(READY)
    platform.worker.handle_checks(message(session.id, 13))

    assert delays == [1, 2, 3, 5, 8, 13, 21, 34, 55, 60, 60, 60]
    assert len(platform.checks.messages()) == 12
    assert events_of(session.id) == ["session.created", "session.started"]


def test_a_re_check_costs_one_look_at_the_pod_while_that_is_what_was_asked_for(platform, john, event_of):
    platform.cluster.set_pods(PENDING)
    session = platform.session()
    platform.worker.handle_events(event_of(f"session#{session.id}"))
    (check,) = platform.checks.taken()
    platform.cluster.calls.clear()

    platform.worker.handle_checks({"Records": [{"messageId": "m", "body": json.dumps(check)}]})
    looked = list(platform.cluster.calls)
    (next_check,) = platform.checks.taken()
    del platform.cluster.objects["Pod", platform.cluster.only("Pod")["metadata"]["name"]]
    platform.worker.handle_checks({"Records": [{"messageId": "m", "body": json.dumps(next_check)}]})

    assert looked == [("get", "Pod", "ss-john-firefox")]
    assert platform.cluster.kinds() == ALL, "and a pod that is gone meanwhile is made again, with all that belongs to it"


def test_a_re_check_ends_when_a_newer_event_has_its_own(platform, john, event_of):
    platform.cluster.set_pods(PENDING)
    session = platform.session()
    platform.worker.handle_events(event_of(f"session#{session.id}"))
    (check,) = platform.checks.messages()
    sessions.update_session(session.id, {"labels": {"a": "b"}}, by=john)
    platform.cluster.calls.clear()

    platform.worker.handle_checks(message(session.id, 1, sequence=check["sequence"]))

    assert platform.cluster.calls == []
    assert len(platform.checks.messages()) == 1


def test_hibernating_takes_the_pod_and_keeps_the_home_and_waking_starts_nothing_anew(platform, john):
    session = platform.ready_session()

    sessions.update_session(session.id, {"state": "hibernated"}, by=john)
    assert platform.worker.reconcile(session.id)
    asleep, kinds = sessions.get_session(session.id, by=john), platform.cluster.kinds()
    sessions.update_session(session.id, {"state": "running"}, by=john)
    assert platform.worker.reconcile(session.id)

    assert kinds == HOME
    assert (asleep.pod_name, asleep.url) == (None, None)
    assert sessions.get_session(session.id, by=john).url == session.url
    assert events_of(session.id) == ["session.created", "session.started", "session.hibernated", "session.woken"]


def test_a_session_that_was_created_asleep_starts_when_it_first_runs(platform, john):
    session = platform.session(state="hibernated")
    assert platform.worker.reconcile(session.id)
    assert platform.cluster.objects == {}

    sessions.update_session(session.id, {"state": "running"}, by=john)
    assert platform.worker.reconcile(session.id)

    assert events_of(session.id) == ["session.created", "session.woken", "session.started"]


def test_a_deleted_sessions_record_goes_when_its_objects_are_gone(platform, john):
    session = platform.ready_session()
    platform.cluster.lingering = {"Pod"}
    sessions.delete_session(session.id, by=john)

    assert not platform.worker.reconcile(session.id)
    assert models.session_of_id(session.id) is not None
    platform.cluster.lingering = set()
    assert platform.worker.reconcile(session.id)

    assert platform.cluster.kinds() == HOME
    assert models.session_with_launch(session.id) is None
    assert models.session_of_id(session.id) is None
    assert platform.session().id == session.id


def test_a_life_under_an_id_that_was_used_before_starts_by_itself(platform, john):
    first = platform.ready_session()
    sessions.delete_session(first.id, by=john)
    platform.worker.reconcile(first.id)
    with clock.travel(1):
        second = platform.ready_session()

    assert second.id == first.id
    assert events_of(second.id)[-2:] == ["session.created", "session.started"]


def test_a_late_message_of_a_session_that_is_gone_does_no_harm(platform, john, event_of):
    answer = platform.worker.handle_events(event_of("session#long-gone"))

    assert answer == {"batchItemFailures": []}
    assert platform.cluster.objects == {}
    assert platform.checks.messages() == []


def test_a_run_that_is_overtaken_by_a_change_leaves_what_the_newest_record_wants(platform, john):
    session = platform.session()
    platform.cluster.before_apply = lambda wanted: (
        sessions.update_session(session.id, {"state": "hibernated"}, by=john) and None if wanted["kind"] == "Ingress" else None
    )

    assert platform.worker.reconcile(session.id)

    assert platform.cluster.kinds() == HOME
    assert events_of(session.id) == ["session.created", "session.hibernated"]


def test_a_run_that_is_overtaken_by_the_end_of_its_session_cleans_up_after_itself(platform, john):
    session = platform.session()

    def end(wanted: dict[str, Any]) -> None:
        platform.cluster.before_apply = lambda wanted: None
        sessions.delete_session(session.id, by=john)
        assert platform.worker.reconcile(session.id)

    platform.cluster.before_apply = lambda wanted: end(wanted) if wanted["kind"] == "Pod" else None

    assert platform.worker.reconcile(session.id)

    assert platform.cluster.kinds() == HOME
    assert models.session_of_id(session.id) is None


def test_a_run_that_is_late_takes_no_pod_that_it_did_not_see(platform, john):
    session = platform.ready_session()
    sessions.update_session(session.id, {"state": "hibernated"}, by=john)
    woken = []

    def meanwhile(kind, name):
        platform.cluster.before_delete = lambda kind, name: None
        assert platform.worker.reconcile(session.id)
        sessions.update_session(session.id, {"state": "running"}, by=john)
        assert platform.worker.reconcile(session.id)
        woken.append(platform.cluster.only("Pod")["metadata"]["uid"])

    platform.cluster.before_delete = meanwhile
    assert platform.worker.reconcile(session.id)

    assert [platform.cluster.only("Pod")["metadata"]["uid"]] == woken
    assert platform.cluster.kinds() == ALL


def test_other_resources_replace_the_pod(platform, john):
    session = platform.ready_session()
    uid = platform.cluster.only("Pod")["metadata"]["uid"]

    sessions.update_session(session.id, {"resources": {"memory": "4Gi"}}, by=john)
    assert platform.worker.reconcile(session.id)

    pod = platform.cluster.only("Pod")
    assert pod["metadata"]["uid"] != uid
    assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "4Gi"
    assert events_of(session.id) == ["session.created", "session.started", "session.changed"]


def test_other_labels_leave_the_pod_running(platform, john):
    session = platform.ready_session()
    uid = platform.cluster.only("Pod")["metadata"]["uid"]

    sessions.update_session(session.id, {"labels": {"team": "b"}}, by=john)
    assert platform.worker.reconcile(session.id)

    pod = platform.cluster.only("Pod")
    assert (pod["metadata"]["uid"], pod["metadata"]["labels"]["team"]) == (uid, "b")


def test_a_pod_that_was_thrown_out_is_replaced(platform, john):
    session = platform.ready_session()
    uid = platform.cluster.only("Pod")["metadata"]["uid"]
    platform.cluster.only("Pod")["status"] = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}

    assert platform.worker.reconcile(session.id)

    assert platform.cluster.only("Pod")["metadata"]["uid"] != uid


def test_a_pod_that_cannot_pull_its_image_says_so_on_the_record_only(platform, john):
    platform.cluster.set_pods(CANNOT_PULL)
    session = platform.session()

    assert not platform.worker.reconcile(session.id)

    stored = models.session_of_id(session.id)
    assert stored.status == {"phase": "Pending", "reason": "ImagePullBackOff", "message": "not found"}
    assert "status" not in sessions.session_object(stored.value())


def test_without_room_in_the_cluster_nothing_as_large_is_begun_until_there_is(platform, john):
    platform.cluster.set_pods(UNSCHEDULABLE)
    stuck = platform.session()
    asleep = platform.session(state="hibernated")
    assert not platform.worker.reconcile(stuck.id)

    with pytest.raises(InsufficientResources) as refused:
        platform.session()
    with pytest.raises(InsufficientResources):
        sessions.update_session(asleep.id, {"state": "running"}, by=john)
    platform.session(resources={"memory": "1Gi"})
    platform.session(state="hibernated")
    platform.cluster.set_pods(READY)
    assert platform.worker.reconcile(stuck.id)

    assert refused.value.details["retry_after_s"] > 0
    assert platform.session().state == "running"


def test_a_shortage_that_nobody_confirms_is_forgotten(platform, john):
    platform.cluster.set_pods(UNSCHEDULABLE)
    platform.worker.reconcile(platform.session().id)

    with clock.travel(61):
        assert platform.session().state == "running"


def test_a_cluster_that_is_away_is_asked_again_and_the_record_kept(platform, john, event_of):
    session = platform.session()
    platform.cluster.is_away = True

    answer = platform.worker.handle_events(event_of(f"session#{session.id}"))
    platform.worker.handle_checks(message(session.id, 4))
    platform.cluster.is_away = False
    platform.worker.handle_checks(message(session.id, 5))

    assert answer == {"batchItemFailures": []}
    assert [(check["attempt"], check["delay_s"]) for check in platform.checks.messages()] == [(1, 1), (5, 5)]
    assert events_of(session.id) == ["session.created", "session.started"]


def test_what_the_cluster_refuses_is_written_on_the_record(platform, john):
    platform.cluster.refusal = ClusterRefused(403, "Forbidden", "exceeded quota: team")
    session = platform.session()

    assert not platform.worker.reconcile(session.id)

    assert models.session_of_id(session.id).status == {"phase": "Failed", "reason": "Forbidden", "message": "exceeded quota: team"}


def test_a_message_that_fails_holds_up_its_own_group_only(platform, john, event_of):
    bad, good = platform.session(), platform.session()
    batch = event_of(f"session#{bad.id}", f"session#{good.id}", f"session#{bad.id}")
    batch["Records"][0]["body"] = "not JSON"

    answer = platform.worker.handle_events(batch)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]}
    assert events_of(good.id) == ["session.created", "session.started"]
    assert events_of(bad.id) == ["session.created"]


# ── Homes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_users_sessions_share_their_home(platform, john):
    platform.ready_session()
    platform.ready_session()

    assert platform.cluster.kinds().count("PersistentVolumeClaim") == 1
    assert platform.cluster.only("PersistentVolumeClaim")["metadata"]["name"] == "home-john"


def test_a_session_without_a_home_makes_none(platform, john):
    platform.ready_session(persistentHome=False)

    assert "PersistentVolumeClaim" not in platform.cluster.kinds()


def test_a_home_never_shrinks(platform, john):
    platform.ready_session()
    asked = platform.cluster.only("PersistentVolumeClaim")["spec"]["resources"]["requests"]
    # Somebody who looks after the cluster has made it larger than the platform asked for.
    asked["storage"] = "900Gi"

    platform.ready_session()

    assert platform.cluster.only("PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"] == "900Gi"


def test_a_user_who_is_removed_with_storage_leaves_nothing_in_the_cluster(platform, john, event_of):
    session = platform.ready_session()
    sessions.remove_user("john", delete_storage=True, by=platform.admin)

    platform.worker.handle_events(event_of(f"session#{session.id}"))
    platform.worker.handle_events(event_of("user#john", type="user.deleted"))

    assert platform.cluster.objects == {}
    assert models.unwanted_home_of("john") is None


def test_a_user_who_is_removed_without_storage_leaves_the_home(platform, john, event_of):
    session = platform.ready_session()
    sessions.remove_user("john", by=platform.admin)

    platform.worker.handle_events(event_of(f"session#{session.id}"))
    platform.worker.handle_events(event_of("user#john", type="user.deleted"))

    assert platform.cluster.kinds() == HOME


def test_a_home_that_is_still_in_use_is_looked_at_again(platform, john, event_of):
    platform.ready_session()
    platform.cluster.lingering = {"PersistentVolumeClaim"}
    sessions.remove_user("john", delete_storage=True, by=platform.admin)

    platform.worker.handle_events(event_of("user#john", type="user.deleted"))
    (check,) = platform.checks.messages()
    platform.cluster.lingering = set()
    platform.worker.handle_checks({"Records": [{"messageId": "m", "body": json.dumps(check)}]})

    assert "PersistentVolumeClaim" not in platform.cluster.kinds()
    assert models.unwanted_home_of("john") is None


def test_nobody_gets_the_home_of_a_removed_namesake(platform, john, event_of):
    first = platform.ready_session()
    old_home = platform.cluster.only("PersistentVolumeClaim")["metadata"]["uid"]
    sessions.remove_user("john", delete_storage=True, by=platform.admin)
    platform.worker.reconcile(first.id)
    with clock.travel(5):
        platform.user("john")
        second = platform.ready_session()
        new_home = platform.cluster.only("PersistentVolumeClaim")["metadata"]

        platform.worker.handle_events(event_of("user#john", type="user.deleted"))

        assert new_home["uid"] != old_home
        assert platform.cluster.only("PersistentVolumeClaim")["metadata"]["uid"] == new_home["uid"]
        assert sessions.get_session(second.id, by=platform.admin).url is not None


def test_a_wish_that_comes_late_does_not_touch_the_home_of_a_namesake(platform, john, event_of):
    platform.ready_session()
    claim = platform.cluster.only("PersistentVolumeClaim")
    models.home_row("john", "2020-01-01T00:00:00+00:00").save()

    platform.worker.handle_events(event_of("user#john", type="user.deleted"))

    assert claim["metadata"]["annotations"][HOME_OF] > "2020"
    assert platform.cluster.only("PersistentVolumeClaim") == claim
    assert models.unwanted_home_of("john") is None


def test_a_deleted_session_is_not_found_while_its_objects_linger(platform, john):
    session = platform.ready_session()
    platform.cluster.lingering = {"Pod"}
    sessions.delete_session(session.id, by=john)
    platform.worker.reconcile(session.id)

    with pytest.raises(SessionNotFound):
        sessions.get_session(session.id, by=john)
