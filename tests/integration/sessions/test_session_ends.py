"""Sessions that end by themselves: told before, kept by one call, asleep or over in time; and what that costs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import accounts, messaging, sessions
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied, ValidationError
from chalicelib.messaging import NotificationActionUnavailable, NotificationAlreadyActed
from chalicelib.runtime import actions
from chalicelib.sessions import models
from chalicelib.sessions.errors import InvalidStateTransition, QuotaExceeded
from tests.event_history import history

MINUTE, HOUR = 60, 3600


@pytest.fixture
def john(platform):
    platform.template()
    return platform.user("john", max_session_duration="12h")


def told(person):
    return messaging.inbox(person).notifications


def state_of(session):
    return sessions.get_session(session.id, by=SYSTEM).state


def events_of(session):
    return [event.type for event in history(f"session#{session.id}", newest_first=False)]


def sweep_at(seconds):
    with clock.travel(seconds):
        return sessions.end_due()


SYSTEM = accounts.Caller("user", "root", "Root", "admin", None)


def test_an_idle_session_is_told_of_five_minutes_before_and_then_sleeps(platform, john):
    session = platform.ready_session()

    assert sweep_at(24 * MINUTE) == 0
    assert told(john) == []
    assert sweep_at(26 * MINUTE) == 1
    (warning,) = told(john)
    assert sweep_at(27 * MINUTE) == 0
    assert state_of(session) == "running"
    assert sweep_at(31 * MINUTE) == 1

    asleep = sessions.get_session(session.id, by=john)
    assert (asleep.state, asleep.ended_by) == ("hibernated", "idle")
    assert events_of(session) == ["session.created", "session.started", "session.hibernated"]
    assert (warning.type, warning.sender.kind, [action.label for action in warning.actions]) == ("warning", "platform", ["Keep it running"])
    assert session.id in warning.title
    assert len(told(john)) == 1
    assert int(models.usage_of("john").memory_bytes) == 0
    assert platform.worker.reconcile(session.id)
    assert platform.cluster.kinds() == ["PersistentVolumeClaim"]


def test_a_connection_or_a_key_keeps_a_session_awake_and_looking_at_it_does_not(platform, john):
    used, watched = platform.ready_session(), platform.ready_session()
    with clock.travel(20 * MINUTE):
        sessions.record_activity(used.id, by=john)
        sessions.get_session(watched.id, by=john)
        sessions.list_sessions(by=john)
    sweep_at(26 * MINUTE)
    sweep_at(32 * MINUTE)

    assert (state_of(used), state_of(watched)) == ("running", "hibernated")


def test_the_button_of_the_warning_keeps_it_running_once_for_each_person(platform, john):
    session = platform.ready_session()
    sweep_at(26 * MINUTE)
    (warning,) = told(john)

    with clock.travel(28 * MINUTE):
        pressed = actions.press(john, warning.id, 0)
        with pytest.raises(NotificationAlreadyActed):
            actions.press(john, warning.id, 0)
    sweep_at(31 * MINUTE)

    assert state_of(session) == "running"
    assert session.id in pressed.message
    assert sweep_at(54 * MINUTE) == 1
    assert len(told(john)) == 2


def test_a_button_of_the_platform_that_it_does_not_know_runs_nothing(platform, john):
    sent = messaging.notify("john", "T", "M", actions=[{"label": "X", "handler": "accounts.delete:john"}])

    with pytest.raises(NotificationActionUnavailable):
        actions.press(john, sent.id, 0)


def test_a_session_that_has_run_for_its_lifetime_is_terminated_and_its_home_kept(platform, john):
    session = platform.ready_session(maxSessionDuration="1h", idleTimeout="0")

    sweep_at(55 * MINUTE)
    assert state_of(session) == "running"
    sweep_at(60 * MINUTE)

    over = sessions.get_session(session.id, by=john)
    assert (over.state, over.ended_by) == ("terminated", "lifetime")
    assert events_of(session)[-1] == "session.stopped"
    assert (int(models.usage_of("john").sessions), int(models.usage_of("john").memory_bytes)) == (0, 0)
    assert platform.worker.reconcile(session.id)
    assert platform.cluster.kinds() == ["PersistentVolumeClaim"]


def test_a_job_holds_its_session_awake_within_the_quota(platform, john):
    session = platform.ready_session(maxSessionDuration="2h")

    held = sessions.extend_session(session.id, "3h", by=john)
    with pytest.raises(QuotaExceeded) as refused:
        sessions.extend_session(session.id, "13h", by=john)
    for minute in range(0, 170, 10):
        sweep_at(minute * MINUTE)

    assert state_of(session) == "running"
    assert sessions.status_object(held)["awakeUntil"] == sessions.status_object(held)["end"]["at"]
    assert (refused.value.details["quota"], refused.value.details["allowed"]) == ("maxSessionDuration", "12h")
    sweep_at(176 * MINUTE)
    sweep_at(182 * MINUTE)
    assert state_of(session) == "hibernated", "the job is over, and nothing but idleness ends it"


def test_an_extension_is_taken_back(platform, john):
    session = platform.ready_session()
    sessions.extend_session(session.id, "3h", by=john)

    kept = sessions.extend_session(session.id, "1h", by=john)
    back = sessions.extend_session(session.id, "0", by=john)

    assert kept.awake_until is not None
    assert back.awake_until is None
    sweep_at(26 * MINUTE)
    sweep_at(31 * MINUTE)
    assert state_of(session) == "hibernated"


def test_a_lifetime_that_is_about_to_end_grows_by_an_hour_and_no_farther_than_the_quota(platform, john):
    session = platform.ready_session(maxSessionDuration="11h30m", idleTimeout="0")

    with clock.travel(11 * HOUR + 27 * MINUTE):
        longer = sessions.extend_session(session.id, by=john)
    with clock.travel(11 * HOUR + 58 * MINUTE), pytest.raises(QuotaExceeded) as refused:
        sessions.extend_session(session.id, by=john)

    assert longer.max_session_duration == "12h"
    assert refused.value.details["used"] == "11h58m"


def test_who_may_extend_what(platform, john):
    session, jane = platform.ready_session(), platform.user("jane")

    with pytest.raises(PermissionDenied):
        sessions.extend_session(session.id, by=jane)
    with pytest.raises(ValidationError) as fault:
        sessions.extend_session(session.id, "soon", by=john)
    with pytest.raises(ValidationError):
        sessions.extend_session(session.id, "9000h", by=john)
    sessions.update_session(session.id, {"state": "hibernated"}, by=john)
    with pytest.raises(InvalidStateTransition):
        sessions.extend_session(session.id, by=john)
    assert list(fault.value.details) == ["duration"]


def test_a_session_without_an_owner_ends_all_the_same(platform, john):
    session = platform.ready_session()
    sessions.remove_user("john", delete_sessions=False, by=SYSTEM)

    sweep_at(26 * MINUTE)
    sweep_at(31 * MINUTE)

    assert state_of(session) == "hibernated"


def test_what_happens_at_the_same_moment_wins_over_the_sweep(platform, john):
    session = platform.ready_session()
    sweep_at(26 * MINUTE)
    stale = models.session_of_id(session.id)
    with clock.travel(29 * MINUTE):
        sessions.record_activity(session.id, by=john)
    from chalicelib.core.errors import ConcurrentChange
    from chalicelib.sessions import service

    with pytest.raises(ConcurrentChange), clock.travel(31 * MINUTE):
        service.end_by_itself(stale, "idle")

    assert state_of(session) == "running"


def test_two_sweeps_at_once_end_a_session_once(platform, john):
    session = platform.ready_session()
    sweep_at(26 * MINUTE)
    with clock.travel(31 * MINUTE), ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: sessions.end_due(), range(2)))

    assert sum(ended) == 1
    assert events_of(session).count("session.hibernated") == 1
    assert int(models.usage_of("john").sessions) == 1


@pytest.mark.parametrize("others", [0, 300])
def test_a_sweep_costs_what_is_due_however_many_sessions_there_are(platform, john, aws_calls, others):
    for number in range(others):
        asleep = f"other-{number}"
        row = models.session_row(platform_session(asleep, idle_timeout="0"))
        row.save()
    for number in range(10):
        models.session_row(platform_session(f"due-{number}")).save()
    aws_calls.clear()

    with clock.travel(26 * MINUTE):
        assert sessions.end_due() == 10

    counted = {name: aws_calls.count(name) for name in ("Query", "PutItem", "TransactWriteItems")}
    reads = aws_calls.count("GetItem") + aws_calls.count("BatchGetItem")
    # One look at the index and one at the records; for each: is the owner there, the warning, and the note of it.
    assert (counted, reads) == ({"Query": 1, "PutItem": 10, "TransactWriteItems": 10}, 1 + 10)
    assert len(aws_calls) == 32


def platform_session(session_id, **changes):
    now = clock.now()
    values = {
        "id": session_id,
        "user": "john",
        "template": "firefox",
        "state": "running",
        "memory": "2Gi",
        "cpu": "1",
        "persistent_home": True,
        "idle_timeout": "30m",
        "max_session_duration": "8h",
        "created_at": now,
        "updated_at": now,
        "running_since": now,
    }
    return sessions.Session(**(values | changes))


def test_the_status_says_how_a_session_is_and_when_and_why_it_ends(platform, john):
    token = platform.sign_in("john")
    session = platform.session()
    path = f"/sessions/{session.id}"

    starting = platform.call("GET", f"{path}/status", token=token).data
    platform.worker.reconcile(session.id)
    running = platform.call("GET", f"{path}/status", token=token).data
    extended = platform.call("POST", f"{path}/extend", {"duration": "2h"}, token=token)
    bad = platform.call("POST", f"{path}/extend", {"duration": 5, "by": "me"}, token=token)
    sessions.update_session(session.id, {"state": "hibernated"}, by=john)
    asleep = platform.call("GET", f"{path}/status", token=token).data

    assert (starting["ready"], starting["phase"], starting["reason"]) == (False, "Pending", "Starting")
    assert (running["ready"], running["phase"], running["reason"]) == (True, "Running", "Ready")
    assert (running["end"]["kind"], running["end"]["leadsTo"]) == ("idle", "hibernated")
    assert running["end"]["at"] in running["end"]["message"]
    assert extended.status == 200
    assert extended.data["end"]["at"] == extended.data["awakeUntil"]
    assert (bad.status, set(bad.error["details"])) == (422, {"duration", "by"})
    assert (asleep["reason"], asleep["end"]) == ("Asked", None)
