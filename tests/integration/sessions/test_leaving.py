"""Users who are removed, also when there is much to remove and whoever removes it dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import accounts, sessions
from chalicelib.core import clock
from chalicelib.core.errors import Unauthenticated
from chalicelib.sessions import leaving, models
from tests.event_history import history


@pytest.fixture
def john(platform: Any) -> str:
    platform.template()
    caller = platform.user("john")
    for _ in range(3):
        platform.session()
    return accounts.create_token(caller, "test", None).text


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no time for more than to begin."""
    monkeypatch.setattr(leaving, "IN_A_REQUEST_S", 0.0)


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``dying(5, removal)``: ``removal`` is run, and killed at its fifth AWS call, before (or ``after``) that has its effect."""
    from botocore.client import BaseClient

    call = BaseClient._make_api_call

    def run(at: int, removal: Callable[[], Any], *, after: bool) -> bool:
        left = [at]

        def counted(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            left[0] -= 1
            if left[0] == 0 and not after:
                raise KeyboardInterrupt
            answer = call(client, operation, parameters)
            if left[0] == 0:
                raise KeyboardInterrupt
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(BaseClient, "_make_api_call", counted)
            try:
                removal()
            except KeyboardInterrupt:
                return True
        return False

    return run


def is_gone(username: str, platform: Any) -> bool:
    return (
        accounts.find_user(username) is None
        and sessions.list_sessions(user=username, by=platform.admin).sessions == []
        and int(models.usage_of(username).sessions) == 0
        and models.removals() == []
    )


def test_what_does_not_fit_into_a_request_goes_on_by_the_sweep(platform, john, begun):
    answer = platform.call("DELETE", "/users/john", token=accounts.create_token(platform.user("root", role="admin"), "t", None).text)

    assert (answer.status, answer.data) == (202, {"username": "john", "status": "deleting"})
    assert accounts.find_user("john") is not None
    with pytest.raises(Unauthenticated):
        accounts.caller_of(john)
    with pytest.raises(accounts.UserNotFound):
        platform.session()
    assert leaving.go_on_removing() == 1
    assert is_gone("john", platform)
    event = history("user#john")[0]
    assert (event.type, event.actor) == ("user.deleted", {"id": "root", "name": "Root"})
    assert leaving.go_on_removing() == 0


def test_nobody_signs_in_who_is_being_removed(platform, john, begun):
    accounts.set_password("john", "correct horse", by=None)
    sessions.remove_user("john", by=platform.admin)

    with pytest.raises(accounts.WrongCredentials):
        accounts.login("john", "correct horse")


def test_a_removal_that_is_killed_anywhere_is_finished_by_the_sweep(platform, dying):
    """One session, so that there are about thirty calls to be killed at; every third of them, before and after its effect."""
    platform.template()
    killed = 0
    for after in (False, True):
        for at in range(1 + after, 40, 3):
            platform.user("jane")
            platform.session("jane")

            if dying(at, lambda: sessions.remove_user("jane", delete_storage=True, by=platform.admin), after=after):
                killed += 1
                if models.removals():
                    leaving.go_on_removing()
                else:
                    # It died before it had begun, or when all was done.
                    untouched = accounts.find_user("jane") is not None
                    assert not untouched or models.usage_of("jane").closed_for is None
                    if untouched:
                        sessions.remove_user("jane", delete_storage=True, by=platform.admin)
            assert is_gone("jane", platform), (at, after)
    assert killed >= 8


def test_counters_that_are_wrong_keep_nobody_for_ever(platform, john, begun):
    models.usage_row("john").update([models.UsageRow.sessions.add(1)])
    sessions.remove_user("john", delete_storage=True, by=platform.admin)

    assert leaving.go_on_removing() == 0
    with clock.travel(70):
        assert leaving.go_on_removing() == 1

    assert accounts.find_user("john") is None
    assert models.unwanted_home_of("john") is not None


def test_a_removal_that_is_late_does_not_touch_a_later_user_of_the_name(platform, john):
    sessions.remove_user("john", by=platform.admin)
    with clock.travel(5):
        platform.user("john")
        asked = {"kind": "user", "id": "root", "name": "Root", "hops": None}
        models.removal_row(
            "john", life="2020-01-01T00:00:00+00:00", delete_sessions=True, asked_by=asked, since="2020-01-01T00:00:00Z"
        ).save()

        leaving.go_on_removing()

    assert accounts.find_user("john") is not None
    assert models.removals() == []
