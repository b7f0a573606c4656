"""Signing in and out."""

import threading

import pytest
from accounts_people import PASSWORD

from chalicelib import accounts
from chalicelib.accounts import passwords
from chalicelib.core import clock
from chalicelib.core.errors import Unauthenticated
from tests.event_history import history


def test_signing_in_gives_a_token_and_is_remembered_and_told(person):
    person("jane", role="manager")

    signed_in = accounts.login("jane", PASSWORD)

    assert accounts.caller_of(signed_in.token).id == "jane"
    assert signed_in.role == "manager"
    assert (signed_in.expires_at - clock.now()).total_seconds() == pytest.approx(12 * 3600, abs=3)
    stored = accounts.get_user("jane")
    assert stored == signed_in.user
    assert stored.last_login is not None
    event = history("user#jane")[0]
    assert event.type == "user.login"
    assert event.data == accounts.user_object(stored)
    assert event.actor == {"id": "jane", "name": "Jane"}


@pytest.mark.parametrize(
    ("username", "password"), [("jane", "wrong password"), ("nobody", PASSWORD), ("silent", PASSWORD), ("Jane", PASSWORD)]
)
def test_a_wrong_name_and_a_wrong_password_are_one_error(person, aws_calls, username, password):
    person("jane")
    person("silent", password=None)
    aws_calls.clear()

    with pytest.raises(accounts.WrongCredentials) as refused:
        accounts.login(username, password)

    assert (refused.value.code, refused.value.status, refused.value.details) == ("UNAUTHENTICATED", 401, {})
    assert refused.value.message == "The username or the password is wrong"
    assert aws_calls == ["GetItem"]


def test_a_wrong_name_takes_one_argon2_as_a_wrong_password_does(person, monkeypatch):
    import argon2

    person("jane")
    verified: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(hasher, stored, password):
        verified.append(argon2.extract_parameters(stored))
        return verify(hasher, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    for username in ("jane", "nobody"):
        with pytest.raises(accounts.WrongCredentials):
            accounts.login(username, "wrong password")

    assert len(verified) == 2
    assert verified[0] == verified[1]


def test_people_who_sign_in_at_the_same_moment_all_get_in(person):
    person("jane")
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda: tokens.append(accounts.login("jane", PASSWORD).token)) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {accounts.caller_of(token).id for token in tokens} == {"jane"}
    assert [event.type for event in history("user#jane")].count("user.login") == 4


def test_a_password_kept_with_older_parameters_is_hashed_anew_when_it_is_proven(person):
    from argon2 import PasswordHasher

    from chalicelib.accounts.models import find_user

    person("jane")
    row = find_user("jane")
    row.password_hash = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    row.save()

    accounts.login("jane", PASSWORD)

    assert not passwords.is_outdated(find_user("jane").password_hash)
    assert accounts.login("jane", PASSWORD).user.username == "jane"


def test_signing_out_ends_that_token_only_and_is_told(person):
    person("jane")
    here, there = accounts.login("jane", PASSWORD).token, accounts.login("jane", PASSWORD).token

    accounts.logout(accounts.caller_of(here))

    with pytest.raises(Unauthenticated):
        accounts.caller_of(here)
    assert accounts.caller_of(there).id == "jane"
    event = history("user#jane")[0]
    assert (event.type, event.data) == ("user.logout", accounts.user_object(accounts.get_user("jane")))
