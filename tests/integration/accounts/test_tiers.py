"""Tiers: their quotas are changed while the platform runs, for everybody in them, and no user is touched for it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from accounts_people import ADMIN

from chalicelib import accounts
from chalicelib.accounts import Caller, allowed, counts, tiers
from chalicelib.accounts.user import OF_TIER
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied, ValidationError
from chalicelib.events import Actor
from tests.event_history import history

SMALL = {"memory": "1Gi", "max_sessions": 1, "storage": "5Gi", "max_session_duration": "1h"}


def test_tiers_are_as_shipped_until_they_are_changed_and_again_when_they_are_reset(aws):
    assert {tier.name: tier.quotas for tier in tiers.all_tiers()} == OF_TIER

    changed = tiers.set_quotas("free", SMALL, by=ADMIN)

    assert (vars(changed.quotas), changed.shipped) == (SMALL, OF_TIER["free"])
    assert {tier.name: tier.quotas for tier in tiers.all_tiers()} == {**OF_TIER, "free": changed.quotas}
    assert tiers.reset("free", by=ADMIN).quotas == OF_TIER["free"]
    assert tiers.reset("free", by=ADMIN).quotas == OF_TIER["free"]
    assert {tier.name: tier.quotas for tier in tiers.all_tiers()} == OF_TIER


def test_a_users_own_quotas_stay_in_the_tiers_place_one_by_one_and_nobody_is_touched(person):
    before = person("jane", quotas={"max_sessions": 7})

    tiers.set_quotas("free", SMALL, by=ADMIN)

    after = accounts.get_user("jane")
    assert vars(after.quotas) == {**SMALL, "max_sessions": 7}
    assert after.updated_at == before.updated_at
    assert [event.type for event in history("user#jane")] == ["user.created"]
    assert [vars(user.quotas) for user in accounts.list_users()[0]] == [vars(after.quotas)]


def test_another_container_follows_within_a_second_and_at_once_where_it_reads_anew(person):
    person("jane")
    known = allowed.tiers()
    tiers.set_quotas("free", SMALL, by=ADMIN)
    # As a container that has read the tiers just before the change, in another one.
    allowed._Known.tiers, allowed._Known.read_at = known, clock.timestamp()

    assert accounts.get_user("jane").quotas == OF_TIER["free"]
    assert vars(accounts.get_user("jane", anew=True).quotas) == SMALL
    allowed._Known.tiers, allowed._Known.read_at = known, clock.timestamp()
    with clock.travel(1.1):
        assert vars(accounts.get_user("jane").quotas) == SMALL


def test_a_user_and_the_tiers_are_one_read(person, aws_calls):
    person("jane")
    aws_calls.clear()

    accounts.get_user("jane", anew=True)

    assert aws_calls == ["BatchGetItem"]


def test_changes_at_once_are_all_kept_with_those_of_rates(aws):
    changes = [
        lambda: tiers.set_quotas("free", SMALL, by=ADMIN),
        lambda: tiers.set_quotas("pro", {**SMALL, "max_sessions": 2}, by=ADMIN),
        lambda: tiers.set_quotas("enterprise", {**SMALL, "max_sessions": 3}, by=ADMIN),
        lambda: counts.change_rates({"read": 7}, by=Actor("root", "Root")),
    ]

    with ThreadPoolExecutor(4) as pool:
        for change in [pool.submit(change) for change in changes]:
            change.result()

    assert [tier.quotas.max_sessions for tier in tiers.all_tiers()] == [1, 2, 3]
    assert allowed.rates().of_group("read") == 7


def test_safe_mode_and_tiers_do_not_undo_each_other(aws):
    from chalicelib.events import unit_of_work

    tiers.set_quotas("free", SMALL, by=ADMIN)
    with unit_of_work() as work:
        counts.put_safe_mode(work, ["core"])

    tiers.set_quotas("pro", SMALL, by=ADMIN)

    assert counts.is_safe_mode()
    assert [tier.quotas.max_sessions for tier in tiers.all_tiers()] == [1, 1, 20]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"memory": "lots"}, "quotas.memory"),
        ({"memory": "0"}, "quotas.memory"),
        ({"max_sessions": 1001}, "quotas.maxSessions"),
        ({"storage": "-1Gi"}, "quotas.storage"),
        ({"max_session_duration": "soon"}, "quotas.maxSessionDuration"),
    ],
)
def test_a_wrong_quota_is_refused_by_its_name_and_changes_nothing(aws, more, field):
    with pytest.raises(ValidationError) as refused:
        tiers.set_quotas("free", {**SMALL, **more}, by=ADMIN)

    assert list(refused.value.details) == [field]
    assert {tier.name: tier.quotas for tier in tiers.all_tiers()} == OF_TIER


def test_there_are_no_other_tiers_and_only_administrators_change_them(aws):
    for use in (lambda: tiers.set_quotas("gold", SMALL, by=ADMIN), lambda: tiers.reset("gold", by=ADMIN)):
        with pytest.raises(accounts.TierNotFound, match="free, pro, enterprise"):
            use()
    for role in ("manager", "user"):
        with pytest.raises(PermissionDenied):
            tiers.set_quotas("free", SMALL, by=Caller("user", "max", "Max", role, None))
