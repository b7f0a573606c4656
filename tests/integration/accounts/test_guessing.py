"""Guessing passwords is slow, and keeps nobody else from signing in."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from accounts_people import ADMIN, PASSWORD

from chalicelib import accounts
from chalicelib.accounts import SignInLocked, guessing
from chalicelib.core import clock

HOME, ATTACKER = "198.51.100.7", "203.0.113.9"


def guess(username: str = "jane", address: str = ATTACKER, device: str | None = None, times: int = 1) -> None:
    for _ in range(times):
        with suppress(SignInLocked):
            guessing.begin(username, address, device).failed()


def is_open(username: str = "jane", address: str = ATTACKER, device: str | None = None) -> bool:
    try:
        guessing.begin(username, address, device)
    except SignInLocked:
        return False
    return True


def known_device(address: str = HOME) -> str:
    device = guessing.begin("jane", address, None).succeeded(is_browser=True)
    assert device is not None
    return device


def test_ten_wrong_passwords_shut_their_address_for_a_minute_and_then_for_longer(aws):
    guess(times=9)
    assert is_open()
    guess()

    with pytest.raises(SignInLocked) as refused:
        guessing.begin("jane", ATTACKER, None)

    assert (refused.value.status, refused.value.code) == (429, "SIGN_IN_LOCKED")
    assert 55 <= refused.value.details["retry_after_s"] <= 60
    with clock.travel(61):
        guess()
        assert not is_open()
        with clock.travel(61):
            assert not is_open()
        with clock.travel(121):
            assert is_open()
    with clock.travel(2 * 86400):
        guess()
        assert is_open(), "a day later nothing is remembered, though the table may not have dropped it yet"


def test_names_that_nobody_has_are_shut_as_names_are(aws):
    guess("nobody", times=10)

    assert not is_open("nobody")
    assert is_open("jane")


def test_an_attacker_shuts_out_neither_the_device_nor_the_address_that_the_user_is_known_by(aws):
    device = known_device()
    for number in range(12):
        guess(address=f"203.0.113.{number}", times=9)

    assert not is_open(address="203.0.113.200"), "a hundred guesses of strangers shut the door to strangers"
    assert is_open(address=HOME)
    assert is_open(address="203.0.113.200", device=device)
    assert is_open("john", address="203.0.113.200"), "others' names have nothing to do with it"


def test_somebody_at_the_known_address_does_not_shut_out_a_known_device(aws):
    device = known_device()

    guess(address=HOME, times=10)

    assert not is_open(address=HOME)
    assert is_open(address=HOME, device=device)


def test_a_known_device_that_guesses_is_shut_and_so_is_a_made_up_one(aws):
    device = known_device()
    guess(device=device, times=10)
    assert not is_open(device=device)

    guess(device="ss_made-up", times=10)
    assert not is_open(device="ss_another-made-up")


def test_a_known_device_is_one_for_its_user_only_and_for_ninety_days(aws):
    device = known_device()
    guess("john", address=ATTACKER, times=10)

    assert not is_open("john", device=device)
    with clock.travel(91 * 86400):
        for number in range(12):
            guess(address=f"203.0.113.{number}", times=9)
        assert not is_open(address="203.0.113.200", device=device)


def test_a_right_password_empties_the_bucket(aws):
    guess(times=9)
    guessing.begin("jane", ATTACKER, None).succeeded(is_browser=False)
    guess(times=9)

    assert is_open()


def test_a_customer_of_ipv6_has_one_bucket_and_not_billions(aws):
    for number in range(10):
        guess(address=f"2001:db8:1:2::{number:x}")

    assert not is_open(address="2001:db8:1:2:ffff::1")
    assert is_open(address="2001:db8:1:3::1")


def test_signing_in_over_http_counts_and_remembers(accounts_api, person, aws_calls):
    person("jane")
    right = {"username": "jane", "password": PASSWORD}

    aws_calls.clear()
    signed_in = accounts_api("POST", "/auth/login", right)
    assert aws_calls == ["BatchGetItem", "GetItem", "TransactWriteItems", "BatchWriteItem"]
    aws_calls.clear()
    wrong = [accounts_api("POST", "/auth/login", {**right, "password": "wrong"}) for _ in range(10)]
    # The second one reads along what is allowed, where that was read more than a second ago.
    assert [call.removeprefix("Batch") for call in aws_calls] == ["GetItem", "GetItem", "UpdateItem"] * 10
    locked = accounts_api("POST", "/auth/login", right)

    assert signed_in.status == 200
    assert [one.error["code"] for one in wrong] == ["UNAUTHENTICATED"] * 10
    assert (locked.status, locked.error["code"]) == (429, "SIGN_IN_LOCKED")
    assert 30 <= int(locked.headers["Retry-After"]) <= 60


def test_a_password_that_must_be_changed_opens_only_with_a_new_one(accounts_api, person, signed_in):
    before = signed_in("jane")
    login = {"username": "jane", "password": PASSWORD}

    accounts.update_user("jane", must_change_password=True, by=ADMIN)

    assert accounts_api("GET", "/auth/me", token=before).status == 401
    assert accounts_api("POST", "/auth/login", login).error["code"] == "PASSWORD_CHANGE_REQUIRED"
    assert accounts_api("POST", "/auth/login", {**login, "password": "wrong"}).error["code"] == "UNAUTHENTICATED"
    assert accounts_api("POST", "/auth/login", {**login, "new_password": PASSWORD}).status == 422
    changed = accounts_api("POST", "/auth/login", {**login, "new_password": "another battery"})
    assert changed.status == 200
    assert accounts_api("GET", "/auth/me", token=changed.data["token"]).status == 200
    assert accounts_api("POST", "/auth/login", login).status == 401
    assert accounts_api("POST", "/auth/login", {**login, "password": "another battery"}).status == 200


def test_a_new_password_at_sign_in_ends_the_other_sign_ins(person: Any):
    person("jane")
    elsewhere = accounts.login("jane", PASSWORD)

    here = accounts.login("jane", PASSWORD, "another battery")

    assert accounts.caller_of(here.token).id == "jane"
    with pytest.raises(accounts.WrongCredentials):
        accounts.login("jane", PASSWORD)
    from chalicelib.core.errors import Unauthenticated

    with pytest.raises(Unauthenticated):
        accounts.caller_of(elsewhere.token)


def test_only_who_may_give_passwords_asks_for_a_new_one(accounts_api, signed_in):
    token = signed_in("jane")

    assert accounts_api("PATCH", "/users/jane", {"mustChangePassword": False}, token=token).status == 403
