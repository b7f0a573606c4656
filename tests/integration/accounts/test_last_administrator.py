"""There is always an administrator, whoever removes whom and however many do so at once."""

import threading

import pytest
from accounts_people import ADMIN, PASSWORD

from chalicelib import accounts
from chalicelib.accounts import Caller, last_administrator
from chalicelib.accounts.bootstrap import ensure_administrator
from tests.event_history import history


def acting(username):
    return Caller("user", username, username.title(), "admin", None)


@pytest.fixture
def before_there_was_the_set(aws):
    """Forget who the administrators are, as on a platform that was deployed before this was written down."""

    def forget():
        last_administrator.AdministratorsRow().delete()

    return forget


@pytest.mark.parametrize(
    "use",
    [
        lambda: accounts.update_user("ann", role="manager", by=acting("ann")),
        lambda: accounts.update_user("ann", role="user", by=None),
        lambda: accounts.delete_user("ann", acting("ann")),
    ],
)
def test_the_only_administrator_stays_one_and_signed_in(person, use):
    person("ann", role="admin")
    person("max", role="manager")
    token = accounts.login("ann", PASSWORD).token

    with pytest.raises(accounts.LastAdministrator, match="'ann' is the only administrator") as refused:
        use()

    assert (refused.value.code, refused.value.status, refused.value.details) == ("LAST_ADMINISTRATOR", 409, {"username": "ann"})
    assert accounts.get_user("ann").role == "admin"
    assert accounts.caller_of(token).role == "admin"
    assert [event.type for event in history("user#ann")] == ["user.login", "user.created"]


def test_with_a_second_one_the_first_may_go(person):
    person("ann", role="admin")
    person("bob")
    accounts.update_user("bob", role="admin", by=ADMIN)

    accounts.delete_user("ann", acting("bob"))

    assert accounts.administrators() == ["bob"]
    with pytest.raises(accounts.LastAdministrator):
        accounts.update_user("bob", role="user", by=acting("bob"))


def test_other_changes_of_the_only_one_are_nobodys_business(person):
    person("ann", role="admin")

    user = accounts.update_user("ann", full_name="Ann Other", role="admin", tier="pro", by=ADMIN)

    assert (user.full_name, user.role, user.tier) == ("Ann Other", "admin", "pro")


def remove(username, by):
    accounts.delete_user(username, by)


def demote(username, by):
    accounts.update_user(username, role="user", by=by)


@pytest.mark.parametrize("how", [remove, demote])
@pytest.mark.parametrize("is_written_down", [True, False])
def test_of_administrators_who_are_rid_of_each_other_at_once_one_stays(person, before_there_was_the_set, how, is_written_down):
    names = ["ann", "bob", "cid", "dan"]
    for name in names:
        person(name, role="admin", password=None)
    if not is_written_down:
        before_there_was_the_set()
    outcomes = []

    def race(number):
        try:
            how(names[number], acting(names[number - 1]))
            outcomes.append("done")
        except accounts.LastAdministrator as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["LAST_ADMINISTRATOR", "done", "done", "done"]
    assert len(accounts.administrators()) == 1


def test_a_platform_from_before_learns_who_they_are_when_it_must(person, before_there_was_the_set, aws_calls):
    person("ann", role="admin")
    person("bob", role="admin")
    before_there_was_the_set()
    aws_calls.clear()

    accounts.update_user("bob", role="manager", by=ADMIN)
    with pytest.raises(accounts.LastAdministrator):
        accounts.update_user("ann", role="manager", by=ADMIN)

    assert "Scan" not in aws_calls


def test_who_is_made_administrator_on_a_platform_from_before_does_not_hide_the_others(person, before_there_was_the_set):
    person("ann", role="admin")
    before_there_was_the_set()

    person("bob", role="admin")

    accounts.update_user("bob", role="user", by=ADMIN)
    assert accounts.administrators() == ["ann"]
    with pytest.raises(accounts.LastAdministrator):
        accounts.delete_user("ann", ADMIN)


def test_who_comes_back_as_administrator_counts_again(person):
    person("ann", role="admin")
    person("bob", role="admin")
    accounts.update_user("ann", role="user", by=ADMIN)
    ensure_administrator("ann", PASSWORD)

    accounts.delete_user("bob", ADMIN)

    assert accounts.administrators() == ["ann"]
