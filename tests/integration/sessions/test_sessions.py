"""What people and plugins can do with sessions."""

import contextlib
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chalicelib import accounts, sessions
from chalicelib.accounts import Caller, UserNotFound
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied, StreamSpaceError, ValidationError
from chalicelib.sessions import models
from chalicelib.sessions.errors import InvalidStateTransition, QuotaExceeded, SessionNotFound, TemplateNotFound
from tests.event_history import history

DOCUMENTED = {"id", "name", "user", "template", "state", "resources", "persistentHome", "idleTimeout", "createdAt", "updatedAt"}


def events_of(session_id: str) -> list[str]:
    return [event.type for event in history(f"session#{session_id}", newest_first=False)]


def usage(username: str) -> tuple[int, int]:
    row = models.usage_of(username)
    return int(row.sessions or 0), int(row.memory_bytes or 0)


@pytest.fixture
def john(platform: Any) -> Caller:
    platform.template()
    return platform.user("john")


def test_a_session_is_created_running_with_its_templates_resources_and_told_of(platform, john):
    session = sessions.create_session({"user": "john", "template": "firefox"}, by=john)

    shown = sessions.session_object(session)
    assert set(shown) == DOCUMENTED
    assert (shown["id"], shown["name"], shown["state"]) == ("john-firefox", "john-firefox", "running")
    assert shown["resources"] == {"memory": "2Gi", "cpu": "1000m"}
    assert (shown["persistentHome"], shown["idleTimeout"], session.max_session_duration) == (True, "30m", "4h")
    (event,) = history("session#john-firefox")
    assert (event.type, event.data, event.actor) == ("session.created", shown, {"id": "john", "name": "John"})


def test_what_is_read_is_what_was_created(platform, john):
    created = platform.session(resources={"memory": "4Gi"}, idleTimeout="1h", persistentHome=False, env={"A": "b"}, labels={"team": "x"})

    row, launch = models.session_with_launch(created.id)
    assert row.value() == created == sessions.get_session(created.id, by=john)
    assert (created.memory, created.cpu, created.idle_timeout, created.persistent_home) == ("4Gi", "1000m", "1h", False)
    assert (launch.env, launch.labels) == ({"A": "b"}, {"team": "x"})


def test_a_second_session_of_the_same_template_gets_a_suffix(platform, john):
    first, second = platform.session(), platform.session()

    assert first.id == "john-firefox"
    assert second.id.startswith("john-firefox-")
    assert second.id != first.id


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"user": "nobody", "template": "firefox"}, UserNotFound),
        ({"user": "john", "template": "nothing"}, TemplateNotFound),
        ({"user": "john", "template": "firefox", "state": "terminated"}, ValidationError),
        ({"user": "john", "template": "firefox", "maxSessionDuration": "5h"}, QuotaExceeded),
    ],
)
def test_what_cannot_be_created_leaves_nothing(platform, john, options, error):
    with pytest.raises(error):
        sessions.create_session(options, by=platform.admin)

    assert sessions.list_sessions(by=platform.admin).sessions == []
    assert usage("john") == (0, 0)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"resources": {"memory": "lots"}}, "resources.memory"),
        ({"resources": {"memory": "0"}}, "resources.memory"),
        ({"resources": {"cpu": "-1"}}, "resources.cpu"),
        ({"idleTimeout": "soon"}, "idleTimeout"),
        ({"maxSessionDuration": "0"}, "maxSessionDuration"),
        ({"env": {"1ST": "x"}}, "env.1ST"),
        ({"env": {"A=B": "x"}}, "env.A=B"),
        ({"labels": {"team": "x" * 64}}, "labels.team"),
        ({"labels": {"app.kubernetes.io/name": "mine"}}, "labels.app.kubernetes.io/name"),
        ({"labels": {"stream.space/session": "another"}}, "labels.stream.space/session"),
    ],
)
def test_a_wrong_value_is_refused_by_its_fields_name_and_nothing_is_created(platform, john, more, field):
    with pytest.raises(ValidationError) as refused:
        platform.session(**more)

    assert list(refused.value.details) == [field]
    assert platform.call("GET", "/sessions", token=platform.sign_in("john")).data == []


def test_states_change_as_the_table_says_and_each_change_is_told_once(platform, john):
    session = platform.session()

    for state in ("running", "hibernated", "hibernated", "running", "terminated", "terminated"):
        assert sessions.update_session(session.id, {"state": state}, by=john).state == state

    assert events_of(session.id) == ["session.created", "session.hibernated", "session.woken", "session.stopped"]


def test_terminated_is_final(platform, john):
    session = platform.session()
    sessions.update_session(session.id, {"state": "terminated"}, by=john)

    with pytest.raises(InvalidStateTransition) as refused:
        sessions.update_session(session.id, {"state": "running"}, by=john)

    assert refused.value.details == {"from": "terminated", "to": "running", "allowed": []}


def test_a_change_that_only_the_record_needs_tells_nobody(platform, john):
    session = platform.session()

    assert sessions.update_session(session.id, {"idleTimeout": "2h"}, by=john).idle_timeout == "2h"
    assert events_of(session.id) == ["session.created"]


def test_new_resources_and_labels_wake_the_worker(platform, john):
    session = platform.session()

    sessions.update_session(session.id, {"resources": {"memory": "4Gi"}}, by=john)
    sessions.update_session(session.id, {"labels": {"team": "b"}}, by=john)

    assert events_of(session.id) == ["session.created", "session.changed", "session.changed"]
    assert models.session_with_launch(session.id)[1].labels == {"team": "b"}
    assert usage("john") == (1, 4 * 1024**3)


def test_a_deleted_session_is_gone_from_every_answer_and_keeps_its_id_until_the_cluster_is_clean(platform, john):
    session = platform.session()

    sessions.delete_session(session.id, by=john)

    with pytest.raises(SessionNotFound):
        sessions.get_session(session.id, by=john)
    with pytest.raises(SessionNotFound):
        sessions.delete_session(session.id, by=john)
    for conditions in ({}, {"user": "john"}, {"template": "firefox"}, {"state": "running"}, {"state": "terminated"}):
        assert sessions.list_sessions(by=platform.admin, **conditions).sessions == []
    assert events_of(session.id) == ["session.created", "session.stopped", "session.deleted"]
    assert usage("john") == (0, 0)
    assert platform.session().id != session.id


def test_deleting_a_terminated_session_does_not_stop_it_again(platform, john):
    session = platform.session()
    sessions.update_session(session.id, {"state": "terminated"}, by=john)

    sessions.delete_session(session.id, by=john)

    assert events_of(session.id) == ["session.created", "session.stopped", "session.deleted"]


def test_lists_answer_every_combination_of_conditions_in_order(platform):
    for name in ("firefox", "blender"):
        platform.template(name)
    for name in ("john", "jane"):
        platform.user(name)
    made = [platform.session(user, template) for user in ("john", "jane") for template in ("firefox", "blender", "firefox")]
    sessions.update_session(made[0].id, {"state": "hibernated"}, by=platform.admin)

    for user in (None, "john", "jane", "nobody"):
        for template in (None, "firefox", "blender"):
            for state in (None, "running", "hibernated", "terminated"):
                found = sessions.list_sessions(by=platform.admin, user=user, template=template, state=state).sessions
                expected = [
                    one.id
                    for one in made
                    if user in (None, one.user)
                    and template in (None, one.template)
                    and state in (None, "hibernated" if one is made[0] else "running")
                ]
                assert sorted(one.id for one in found) == sorted(expected)
                assert [one.created_at for one in found] == sorted(one.created_at for one in found)


def test_pages_by_offset_and_by_cursor_are_the_same_list(platform, john):
    made = [platform.session().id for _ in range(5)]

    by_offset = [one.id for offset in range(0, 6, 2) for one in sessions.list_sessions(by=john, limit=2, offset=offset).sessions]
    by_cursor, cursor = [], None
    while True:
        page = sessions.list_sessions(by=john, limit=2, cursor=cursor)
        by_cursor += [one.id for one in page.sessions]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert sorted(by_offset) == sorted(made)
    assert by_cursor == by_offset


def test_people_act_on_their_own_sessions_and_managers_on_all(platform, john):
    jane, manager = platform.user("jane"), platform.user("mary", role="manager")
    plugin = Caller("plugin", "clock", "clock", "user", frozenset({"read:sessions", "write:sessions"}))
    session = platform.session()

    for act in (
        lambda by: sessions.get_session(session.id, by=by),
        lambda by: sessions.list_sessions(by=by, user="john"),
        lambda by: sessions.sessions_of("john", by=by),
        lambda by: sessions.update_session(session.id, {"state": "running"}, by=by),
        lambda by: sessions.record_activity(session.id, by=by),
    ):
        with pytest.raises(PermissionDenied):
            act(jane)
        for allowed in (john, manager, plugin):
            act(allowed)
    with pytest.raises(PermissionDenied):
        sessions.create_session({"user": "john", "template": "firefox"}, by=jane)
    with pytest.raises(PermissionDenied):
        sessions.delete_session(session.id, by=jane)


def test_who_may_not_see_others_sees_their_own(platform, john):
    jane = platform.user("jane")
    mine, _ = platform.session("jane"), platform.session("john")

    assert [one.id for one in sessions.list_sessions(by=jane).sessions] == [mine.id]
    assert len(sessions.list_sessions(by=platform.admin).sessions) == 2


def test_activity_is_noted_and_not_at_every_call(platform, john):
    session = platform.session()

    first = sessions.record_activity(session.id, by=john)
    again = sessions.record_activity(session.id, by=john)
    with clock.travel(60):
        later = sessions.record_activity(session.id, by=john)

    assert first.last_activity == again.last_activity
    assert later.last_activity > first.last_activity
    assert sessions.get_session(session.id, by=john).last_activity == later.last_activity


def test_activity_survives_a_change_of_state_that_was_read_before_it(platform, john):
    session = platform.session()
    stale = models.session_of_id(session.id)
    sessions.record_activity(session.id, by=john)

    from chalicelib.core.errors import ConcurrentChange
    from chalicelib.events import unit_of_work

    with pytest.raises(ConcurrentChange), unit_of_work() as work:
        work.save(stale.take(stale.value()), stale.next_revision())

    assert sessions.get_session(session.id, by=john).last_activity is not None


# ── Quotas ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_fifty_racing_requests_exactly_as_many_win_as_there_are_places_and_the_others_learn_why(platform):
    platform.template()
    platform.user("john", max_sessions=5)
    outcomes: list[Any] = []

    def create() -> None:
        try:
            outcomes.append(platform.session())
        except StreamSpaceError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=create) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    refused = [one for one in outcomes if isinstance(one, Exception)]
    assert len(outcomes) == 50
    assert {type(one) for one in refused} == {QuotaExceeded}
    assert len(refused) == 45
    assert {(one.details["quota"], one.details["used"], one.details["allowed"]) for one in refused} == {("sessions", 5, 5)}
    assert len(sessions.list_sessions(by=platform.admin).sessions) == 5
    assert usage("john") == (5, 5 * 2 * 1024**3)


def test_a_full_quota_says_what_is_used_and_allowed(platform):
    platform.template()
    platform.user("john", max_sessions=1)
    platform.session()

    with pytest.raises(QuotaExceeded) as refused:
        platform.session()

    assert refused.value.details == {"quota": "sessions", "used": 1, "allowed": 1, "requested": 1}


def test_memory_counts_for_running_sessions_only_and_is_asked_for_again_when_one_wakes(platform):
    platform.template()
    john = platform.user("john", memory="4Gi")
    first, _ = platform.session(), platform.session()

    with pytest.raises(QuotaExceeded) as refused:
        platform.session()
    sessions.update_session(first.id, {"state": "hibernated"}, by=john)
    platform.session()
    with pytest.raises(QuotaExceeded):
        sessions.update_session(first.id, {"state": "running"}, by=john)

    assert refused.value.details == {"quota": "memory", "used": 4 * 1024**3, "allowed": 4 * 1024**3, "requested": 2 * 1024**3}
    assert usage("john") == (3, 4 * 1024**3)
    assert sessions.get_session(first.id, by=john).state == "hibernated"


def test_the_quotas_of_this_moment_hold(platform):
    platform.template()
    platform.user("john", max_sessions=0)
    with pytest.raises(QuotaExceeded):
        platform.session()

    accounts.update_user("john", quotas={"max_sessions": 1}, by=None)

    assert platform.session().id == "john-firefox"


def test_a_quota_below_what_is_used_ends_nothing_and_lets_nothing_more_in(platform, john):
    first, second = platform.session(), platform.session()
    sessions.update_session(second.id, {"state": "hibernated"}, by=john)

    accounts.update_user("john", quotas={"max_sessions": 1, "memory": "2Gi"}, by=None)

    assert {one.state for one in sessions.list_sessions(by=john).sessions} == {"running", "hibernated"}
    for more in (lambda: platform.session(), lambda: sessions.update_session(second.id, {"state": "running"}, by=john)):
        with pytest.raises(QuotaExceeded):
            more()
    sessions.delete_session(first.id, by=john)
    assert sessions.update_session(second.id, {"state": "running"}, by=john).state == "running"


def test_another_tier_moves_what_is_not_the_users_own(platform):
    platform.template()
    accounts.create_user(username="john", full_name="J", email="j@example.com", tier="pro", quotas={"memory": "1Gi"}, by=None)

    quotas = accounts.update_user("john", tier="free", by=None).quotas

    assert (quotas.max_sessions, quotas.memory) == (2, "1Gi")
    with pytest.raises(QuotaExceeded):
        platform.session()
    assert accounts.update_user("john", quotas={"memory": None}, by=None).quotas.memory == "4Gi"
    assert platform.session().memory == "2Gi"


@pytest.fixture
def counted(platform: Any) -> Any:
    platform.template()
    return platform


def test_whatever_is_done_the_counters_equal_what_exists(counted):
    lives = iter(range(1000))

    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.name = f"user{next(lives)}"
            counted.user(self.name, max_sessions=3, memory="8Gi")
            self.ids: list[str] = []

        def _try(self, act: Any) -> None:
            with contextlib.suppress(QuotaExceeded, InvalidStateTransition, SessionNotFound):
                act()

        @rule(state=st.sampled_from(["running", "hibernated"]), memory=st.sampled_from(["1Gi", "3Gi", "9Gi"]))
        def create(self, state: str, memory: str) -> None:
            self._try(lambda: self.ids.append(counted.session(self.name, state=state, resources={"memory": memory}).id))

        @rule(
            which=st.integers(0, 9),
            state=st.sampled_from(["running", "hibernated", "terminated"]),
            memory=st.sampled_from([None, "1Gi", "5Gi"]),
        )
        def update(self, which: int, state: str, memory: str | None) -> None:
            if self.ids:
                updates = {"state": state, **({"resources": {"memory": memory}} if memory else {})}
                self._try(lambda: sessions.update_session(self.ids[which % len(self.ids)], updates, by=counted.admin))

        @rule(which=st.integers(0, 9))
        def delete(self, which: int) -> None:
            if self.ids:
                self._try(lambda: sessions.delete_session(self.ids[which % len(self.ids)], by=counted.admin))

        @invariant()
        def counters_equal_what_exists(self) -> None:
            found = sessions.list_sessions(by=counted.admin, user=self.name).sessions
            count, memory = usage(self.name)
            assert count == sum(one.state != "terminated" for one in found) <= 3
            assert memory == sum(one.memory_bytes for one in found if one.state == "running") <= 8 * 1024**3

    Life.TestCase.settings = settings(max_examples=8, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
    Life.TestCase().runTest()


# ── Users who leave ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_removed_user_leaves_no_session(platform, john):
    made = [platform.session() for _ in range(3)]

    sessions.remove_user("john", by=platform.admin)

    assert sessions.list_sessions(by=platform.admin).sessions == []
    assert all(events_of(one.id)[-1] == "session.deleted" for one in made)
    assert accounts.find_user("john") is None
    assert models.unwanted_home_of("john") is None
    with pytest.raises(UserNotFound):
        platform.session()


def test_sessions_stay_when_asked(platform, john):
    platform.session()

    sessions.remove_user("john", delete_sessions=False, by=platform.admin)

    assert len(sessions.list_sessions(by=platform.admin).sessions) == 1


def test_a_new_user_of_an_old_name_can_create_sessions(platform, john):
    sessions.remove_user("john", by=platform.admin)
    with clock.travel(1):
        platform.user("john")

        assert platform.session().user == "john"


def test_no_session_slips_in_while_its_user_is_removed(platform, john):
    user = accounts.get_user("john")
    from chalicelib.sessions import quotas

    models.usage_row("john").update([models.UsageRow.closed_for.set(quotas.life_of(user))])

    with pytest.raises(UserNotFound):
        platform.session()


def test_only_who_may_manage_users_removes_one(platform, john):
    with pytest.raises(PermissionDenied):
        sessions.remove_user("john", by=john)


def test_a_home_cannot_go_without_its_sessions(platform, john):
    with pytest.raises(ValidationError):
        sessions.remove_user("john", delete_sessions=False, delete_storage=True, by=platform.admin)

    assert accounts.find_user("john") is not None
