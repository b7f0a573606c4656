"""Quotas that change while the platform runs, and the home that counts against them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib import accounts, sessions
from chalicelib.accounts import allowed, tiers
from chalicelib.core import clock
from chalicelib.core.errors import StreamSpaceError
from chalicelib.sessions import leaving, models, names
from chalicelib.sessions.errors import QuotaExceeded

GI = 1024**3
FREE = {"memory": "64Gi", "max_sessions": 5, "storage": "10Gi", "max_session_duration": "4h"}


@pytest.fixture
def john(platform: Any) -> Any:
    """A user without quotas of his own."""
    platform.template()
    accounts.create_user(username="john", full_name="John", email="john@example.com", by=None)
    tiers.set_quotas("free", FREE, by=platform.admin)
    return platform


def free(platform: Any, **more: Any) -> None:
    tiers.set_quotas("free", {**FREE, **more}, by=platform.admin)


def home_bytes(username: str = "john") -> int:
    return int(models.usage_of(username).home_bytes or 0)


def outcome(use: Any) -> Any:
    try:
        return use()
    except StreamSpaceError as error:
        return error


def test_the_next_session_after_a_change_of_the_tier_is_under_it_though_another_container_made_it(john):
    known = allowed.tiers()
    john.session()
    free(john, max_sessions=1)
    # As a container that has read the tiers just before the change, in another one.
    allowed._Known.tiers, allowed._Known.read_at = known, clock.timestamp()

    refused = outcome(john.session)

    assert isinstance(refused, QuotaExceeded)
    assert (refused.details["quota"], refused.details["used"], refused.details["allowed"]) == ("sessions", 1, 1)
    free(john, max_sessions=2)
    assert john.session().state == "running"


def test_a_lowered_tier_leaves_what_runs_and_frees_places_only_below_it(john):
    first, second, third = (john.session() for _ in range(3))
    free(john, max_sessions=2)

    assert sessions.get_session(first.id, by=john.admin).state == "running"
    sessions.delete_session(third.id, by=john.admin)
    assert isinstance(outcome(john.session), QuotaExceeded)
    sessions.delete_session(second.id, by=john.admin)
    assert john.session().state == "running"


def test_creations_that_race_with_changes_never_exceed_the_largest_that_held(john):
    free(john, max_sessions=3)

    def change(number: int) -> None:
        free(john, max_sessions=2 + number % 2)

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(outcome, john.session) for _ in range(16)]
        for change_made in [pool.submit(change, number) for number in range(4)]:
            change_made.result()
        outcomes = [one.result() for one in found]

    created = [one for one in outcomes if isinstance(one, sessions.Session)]
    assert 2 <= len(created) <= 3
    assert int(models.usage_of("john").sessions) == len(created)
    assert {type(one) for one in outcomes} <= {sessions.Session, QuotaExceeded}


def test_a_home_is_counted_once_however_many_sessions_begin_at_once(john):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: outcome(john.session), range(20)))

    assert sum(isinstance(one, sessions.Session) for one in found) == 5
    assert home_bytes() == 10 * GI


def test_a_session_without_a_home_takes_no_storage(john):
    john.session(persistentHome=False)

    assert home_bytes() == 0


def test_a_refused_session_counts_no_home(john):
    free(john, max_sessions=0)

    assert isinstance(outcome(john.session), QuotaExceeded)
    assert home_bytes() == 0


def test_a_home_grows_with_the_quota_and_is_refused_under_a_smaller_one_until_that_is_enough_again(john):
    john.ready_session()
    free(john, storage="20Gi")
    john.ready_session()
    assert home_bytes() == 20 * GI
    assert john.cluster.get("PersistentVolumeClaim", names.home_claim("john"))["spec"]["resources"]["requests"]["storage"] == "20Gi"
    free(john, storage="15Gi")

    refused = outcome(john.session)

    assert isinstance(refused, QuotaExceeded)
    assert refused.details == {"quota": "storage", "used": 20 * GI, "allowed": 15 * GI, "requested": 0}
    assert "20Gi of 15Gi" in refused.message
    assert int(models.usage_of("john").sessions) == 2
    assert john.session(persistentHome=False).state == "running"
    accounts.update_user("john", quotas={"storage": "20Gi"}, by=None)
    assert john.session().state == "running"


def test_changes_of_storage_that_race_with_creations_leave_the_home_within_the_largest(john):
    def change(number: int) -> None:
        free(john, storage=f"{10 + number}Gi")

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(outcome, john.session) for _ in range(12)]
        for change_made in [pool.submit(change, number) for number in range(4)]:
            change_made.result()
        outcomes = [one.result() for one in found]

    launched = [
        models.session_with_launch(one.id)[1].storage  # type: ignore[index]
        for one in outcomes
        if isinstance(one, sessions.Session)
    ]
    assert len(launched) == 5
    assert home_bytes() == max(int(text.removesuffix("Gi")) for text in launched) * GI


def test_a_home_that_goes_with_its_user_is_free_for_whoever_has_the_name_next(john):
    john.session()
    sessions.remove_user("john", delete_storage=True, by=john.admin)
    assert home_bytes() == 0
    accounts.create_user(username="john", full_name="John II", email="john@example.com", quotas={"storage": "1Gi"}, by=None)

    john.session()

    assert home_bytes() == 1 * GI


def test_a_home_that_stays_is_counted_for_whoever_has_the_name_next(john):
    john.session()
    sessions.remove_user("john", by=john.admin)
    assert home_bytes() == 10 * GI
    accounts.create_user(username="john", full_name="John II", email="john@example.com", quotas={"storage": "1Gi"}, by=None)

    assert outcome(john.session).details["quota"] == "storage"


def test_usage_shows_what_is_taken_and_allowed_to_its_owner_and_those_who_may(john):
    john.session()
    mine, mary = john.sign_in("john"), john.sign_in(john.user("mary").id)

    answer = john.call("GET", "/users/john/usage", token=mine)

    assert answer.data == {
        "sessions": {"used": 1, "allowed": 5},
        "memory": {"used": 2 * GI, "allowed": 64 * GI},
        "storage": {"used": 10 * GI, "allowed": 10 * GI},
    }
    assert john.call("GET", "/users/john/usage", token=mary).status == 403
    assert john.call("GET", "/users/nobody/usage", token=john.sign_in(john.user("max", role="manager").id)).status == 404


@pytest.mark.parametrize("goes_on_by", ["request", "sweep"])
def test_of_administrators_who_remove_each_other_at_once_one_stays(platform, monkeypatch, goes_on_by):
    if goes_on_by == "sweep":
        monkeypatch.setattr(leaving, "IN_A_REQUEST_S", 0.0)
    platform.template()
    people = [platform.user(name, role="admin") for name in ("ann", "bob", "cid")]
    for one in people:
        platform.session(one.id)

    with ThreadPoolExecutor(3) as pool:
        pairs = zip(people, people[1:] + people[:1], strict=True)
        removals = [pool.submit(outcome, lambda a=asks, w=whom: sessions.remove_user(w.id, by=a)) for asks, whom in pairs]
        outcomes = [one.result() for one in removals]
    leaving.go_on_removing()

    assert [type(one) for one in outcomes if not isinstance(one, bool)] == [accounts.LastAdministrator]
    (left,) = accounts.administrators()
    assert [session.user for session in sessions.list_sessions(by=platform.admin).sessions] == [left]
    assert accounts.update_user(left, full_name="Still here", by=None).role == "admin"
    assert models.removals() == []
