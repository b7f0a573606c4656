"""Tokens: one read to know a caller, dead at once, never more powerful than their owner."""

import threading

import pytest
from accounts_people import ADMIN, PASSWORD, PLUGIN_WITH_USERS

from chalicelib import accounts
from chalicelib.accounts import models
from chalicelib.core import clock
from chalicelib.core.errors import Conflict, PermissionDenied, Unauthenticated, ValidationError

DAY_S = 24 * 3600


def is_alive(token: str) -> bool:
    try:
        accounts.caller_of(token)
    except Unauthenticated:
        return False
    return True


def test_a_token_tells_its_caller_with_one_consistent_read(signed_in, aws_calls):
    token = signed_in("jane", role="manager")
    # What administrators allow is known, and fresh; else it is read along, with the same call.
    accounts.allowed.rates()
    aws_calls.clear()

    caller = accounts.caller_of(token)

    assert (caller.kind, caller.id, caller.name, caller.role, caller.scopes) == ("user", "jane", "Jane", "manager", None)
    assert aws_calls == ["GetItem"]


@pytest.mark.parametrize("garbage", ["", "x", "ss_", "ss_" + "a" * 38, "Bearer x", "ss_" + "é" * 38])
def test_garbage_is_refused_without_a_call(aws_calls, garbage):
    with pytest.raises(Unauthenticated):
        accounts.caller_of(garbage)

    assert aws_calls == []


def test_a_token_that_nobody_was_given_is_refused(aws):
    from chalicelib.accounts import token_text

    assert not is_alive(token_text.fresh())


def test_neither_token_nor_password_can_be_found_in_the_table(signed_in, aws):
    token = signed_in("jane")

    stored = str(aws.client("dynamodb").scan(TableName="test-AccountsTable")["Items"])

    assert token not in stored
    assert token[3:-6] not in stored
    assert PASSWORD not in stored


def test_a_sign_in_ends_after_twelve_hours(signed_in):
    token = signed_in("jane")

    with clock.travel(12 * 3600 - 60):
        assert is_alive(token)
    with clock.travel(12 * 3600 + 2):
        assert not is_alive(token)


def test_a_personal_token_has_its_scopes_and_its_days(person):
    person("jane")
    jane = accounts.caller_of(accounts.login("jane", PASSWORD).token)

    made = accounts.create_token(jane, "ci", ["read:sessions"], expires_in_days=3)

    assert accounts.caller_of(made.text).scopes == frozenset({"read:sessions"})
    with clock.travel(3 * DAY_S - 60):
        assert is_alive(made.text)
    with clock.travel(3 * DAY_S + 2):
        assert not is_alive(made.text)
        assert accounts.list_tokens(jane) == []


def test_a_list_shows_the_callers_own_personal_tokens_newest_first(person):
    person("jane")
    person("john")
    jane = accounts.caller_of(accounts.login("jane", PASSWORD).token)
    john = accounts.caller_of(accounts.login("john", PASSWORD).token)
    accounts.create_token(john, "johns", None)
    first = accounts.create_token(jane, "first", None)
    with clock.travel(5):
        second = accounts.create_token(jane, "second", ["email"])

        assert accounts.list_tokens(jane) == [second.token, first.token]


def test_a_revoked_token_is_dead_at_once_and_others_live_on(person):
    person("jane")
    sign_in = accounts.login("jane", PASSWORD).token
    jane = accounts.caller_of(sign_in)
    made = accounts.create_token(jane, "ci", None)

    accounts.revoke_token(jane, made.token.id)

    assert not is_alive(made.text)
    assert is_alive(sign_in)
    assert accounts.list_tokens(jane) == []


def test_nobody_can_revoke_anothers_token(person):
    person("jane")
    person("john")
    jane = accounts.caller_of(accounts.login("jane", PASSWORD).token)
    john = accounts.caller_of(accounts.login("john", PASSWORD).token)
    made = accounts.create_token(jane, "ci", None)

    with pytest.raises(accounts.TokenNotFound):
        accounts.revoke_token(john, made.token.id)

    assert is_alive(made.text)


def test_a_user_who_is_named_like_a_plugin_cannot_revoke_its_token(person):
    person("report")
    report = accounts.caller_of(accounts.login("report", PASSWORD).token)
    of_plugin = accounts.issue_plugin_token("report", frozenset())
    plugin_token_id = models.find_plugin_token("report").token_id

    with pytest.raises(accounts.TokenNotFound):
        accounts.revoke_token(report, plugin_token_id)

    assert is_alive(of_plugin)


def test_a_token_makes_none_that_may_do_more_than_itself(person):
    person("jane")
    jane = accounts.caller_of(accounts.login("jane", PASSWORD).token)
    narrow = accounts.caller_of(accounts.create_token(jane, "narrow", ["read:users", "email"]).text)

    accounts.create_token(narrow, "narrower", ["email"])
    for more in (None, ["write:users"], ["email", "admin"]):
        with pytest.raises(PermissionDenied):
            accounts.create_token(narrow, "wider", more)


def test_an_unknown_scope_is_refused_by_name(person):
    person("jane")
    jane = accounts.caller_of(accounts.login("jane", PASSWORD).token)

    with pytest.raises(ValidationError) as refused:
        accounts.create_token(jane, "ci", ["read:everything"])

    assert "read:everything" in refused.value.details["scopes"][0]


def test_tokens_follow_a_change_of_role(person):
    person("jane")
    sign_in = accounts.login("jane", PASSWORD).token
    personal = accounts.create_token(accounts.caller_of(sign_in), "ci", ["read:users"]).text

    accounts.update_user("jane", role="manager", by=ADMIN)

    assert [accounts.caller_of(token).role for token in (sign_in, personal)] == ["manager", "manager"]
    assert accounts.caller_of(personal).scopes == frozenset({"read:users"})


def test_more_tokens_than_a_transaction_takes_follow_too(person):
    person("jane")
    jane = accounts.caller_of(accounts.login("jane", PASSWORD).token)
    texts = [accounts.create_token(jane, f"t{number}", None).text for number in range(60)]

    accounts.update_user("jane", role="manager", by=ADMIN)
    assert {accounts.caller_of(text).role for text in texts} == {"manager"}

    accounts.delete_user("jane", ADMIN)
    assert not any(map(is_alive, texts))


def test_whatever_races_with_a_change_of_role_no_token_keeps_the_old_one(person):
    person("jane", role="manager")
    jane = accounts.caller_of(accounts.login("jane", PASSWORD).token)
    made: list[str] = []
    begin = threading.Barrier(4)

    def make_tokens() -> None:
        begin.wait()
        for _ in range(5):
            try:
                made.append(accounts.create_token(jane, "ci", None).text)
            except Conflict:
                return

    def demote() -> None:
        begin.wait()
        accounts.update_user("jane", role="user", by=ADMIN)

    threads = [threading.Thread(target=make_tokens) for _ in range(3)] + [threading.Thread(target=demote)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {accounts.caller_of(text).role for text in made} <= {"user"}


def test_who_was_looked_up_before_a_change_of_role_or_a_deletion_makes_no_token_after_it(person, aws):
    person("jane", role="manager")
    looked_up_before = accounts.caller_of(accounts.login("jane", PASSWORD).token)

    for change in (lambda: accounts.update_user("jane", role="user", by=ADMIN), lambda: accounts.delete_user("jane", ADMIN)):
        change()
        with pytest.raises(Conflict):
            accounts.create_token(looked_up_before, "late", None)

    assert aws.client("dynamodb").scan(TableName="test-AccountsTable")["Items"] == []


def test_a_new_password_ends_other_sign_ins_and_spares_personal_tokens(person):
    person("jane")
    here, elsewhere = (accounts.login("jane", PASSWORD).token for _ in range(2))
    personal = accounts.create_token(accounts.caller_of(here), "ci", None).text

    accounts.set_password("jane", "another long one", current_password=PASSWORD, by=accounts.caller_of(here))

    assert [is_alive(token) for token in (here, elsewhere, personal)] == [True, False, True]


def test_a_password_set_by_an_administrator_ends_every_sign_in(person):
    person("jane")
    token = accounts.login("jane", PASSWORD).token

    accounts.set_password("jane", "another long one", by=ADMIN)

    assert not is_alive(token)
    assert is_alive(accounts.login("jane", "another long one").token)


def test_a_deleted_users_tokens_are_dead(person):
    person("jane")
    sign_in = accounts.login("jane", PASSWORD).token
    personal = accounts.create_token(accounts.caller_of(sign_in), "ci", None).text

    accounts.delete_user("jane", ADMIN)

    assert not is_alive(sign_in)
    assert not is_alive(personal)


def test_a_plugins_token_is_limited_to_its_scopes(aws):
    caller = accounts.caller_of(accounts.issue_plugin_token("report", frozenset({"email"})))

    assert (caller.kind, caller.id, caller.role, caller.scopes) == ("plugin", "report", "user", frozenset({"email"}))


def test_a_plugin_without_scopes_may_do_nothing_not_everything(aws):
    caller = accounts.caller_of(accounts.issue_plugin_token("report", frozenset()))

    assert caller.scopes == frozenset()


def test_a_plugin_with_the_scope_admin_is_an_administrator(aws):
    assert accounts.caller_of(accounts.issue_plugin_token("report", frozenset({"admin"}))).role == "admin"


def test_a_plugins_new_token_ends_its_earlier_one(aws):
    first = accounts.issue_plugin_token("report", frozenset())
    of_other = accounts.issue_plugin_token("billing", frozenset())

    second = accounts.issue_plugin_token("report", frozenset())

    assert [is_alive(token) for token in (first, second, of_other)] == [False, True, True]


def test_of_racing_rotations_one_token_lives(aws):
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda: tokens.append(accounts.issue_plugin_token("report", frozenset()))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tokens) == 4
    assert sum(map(is_alive, tokens)) == 1


def test_a_revoked_plugin_token_is_dead_and_revoking_again_is_fine(aws):
    token = accounts.issue_plugin_token("report", frozenset())

    accounts.revoke_plugin_token("report")
    accounts.revoke_plugin_token("report")

    assert not is_alive(token)


def test_a_plugin_has_no_personal_tokens(aws):
    for use in (lambda: accounts.list_tokens(PLUGIN_WITH_USERS), lambda: accounts.create_token(PLUGIN_WITH_USERS, "x", None)):
        with pytest.raises(PermissionDenied):
            use()
