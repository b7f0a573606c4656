"""What a user may be, and what the documents call one."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.accounts import passwords
from chalicelib.accounts.errors import InvalidEmail
from chalicelib.accounts.user import OF_TIER, User, changed_quotas, check_user, effective_quotas, is_email, user_object
from chalicelib.core.errors import ValidationError

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_user(**changes) -> User:
    values = {
        "username": "jane",
        "full_name": "Jane Smith",
        "email": "jane@example.com",
        "tier": "pro",
        "role": "user",
        "quotas": OF_TIER["pro"],
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }
    return User(**{**values, **changes})


def test_the_user_object_has_exactly_the_documented_fields():
    assert user_object(a_user(role="admin")) == {
        "username": "jane",
        "fullName": "Jane Smith",
        "email": "jane@example.com",
        "tier": "pro",
        "quotas": {"memory": "16Gi", "maxSessions": 5, "storage": "100Gi", "maxSessionDuration": "12h"},
        "createdAt": "2026-01-02T03:04:05Z",
        "updatedAt": "2026-01-02T03:04:05Z",
    }


def test_last_login_appears_once_there_was_one():
    assert user_object(a_user(last_login=MOMENT))["lastLogin"] == "2026-01-02T03:04:05Z"


def test_a_higher_tier_never_gives_less():
    tiers = list(OF_TIER.values())

    for lower, higher in pairwise(tiers):
        assert lower.memory_bytes < higher.memory_bytes
        assert lower.max_sessions < higher.max_sessions
        assert lower.storage_bytes < higher.storage_bytes
        assert lower.max_session_duration_s < higher.max_session_duration_s


def test_own_quotas_stand_in_place_of_the_tiers_and_the_rest_moves_with_the_tier():
    own = changed_quotas({}, {"memory": "32Gi"})

    assert effective_quotas(OF_TIER["free"], own).max_sessions == OF_TIER["free"].max_sessions
    assert effective_quotas(OF_TIER["enterprise"], own).max_sessions == OF_TIER["enterprise"].max_sessions
    assert effective_quotas(OF_TIER["enterprise"], own).memory == "32Gi"


@given(
    own=st.dictionaries(st.sampled_from(["memory", "storage"]), st.sampled_from(["1Gi", "2Gi"])),
    changes=st.dictionaries(st.sampled_from(["memory", "storage"]), st.sampled_from(["3Gi", None])),
)
def test_a_quota_changed_to_none_is_the_tiers_again(own, changes):
    after = changed_quotas(own, changes)

    for name in ("memory", "storage"):
        expected = changes[name] if name in changes else own.get(name)
        assert after.get(name) == expected
        assert (name in after) == (expected is not None)


@pytest.mark.parametrize("username", ["a", "john", "user1", "a-b", "0", "a" * 32])
def test_a_dns_label_is_a_username(username):
    check_user(username=username)


@pytest.mark.parametrize("username", ["", "-a", "a-", "John", "a b", "a.b", "a_b", "a" * 33, "john\n", "jöhn", "*", "@admins"])
def test_anything_else_is_not(username):
    with pytest.raises(ValidationError) as refused:
        check_user(username=username)

    assert list(refused.value.details) == ["username"]


@pytest.mark.parametrize("email", ["jane@example.com", "j.a+b@sub.example.co", "o'neil@example.com", "admin@streamspace.local"])
def test_an_address_that_mail_can_be_sent_to_is_an_email(email):
    assert is_email(email)


@pytest.mark.parametrize(
    "email",
    ["", "jane", "@example.com", "jane@", "jane@localhost", "jane@example..com", "ja ne@example.com", "jane@example.com\n",
     "a@b@example.com",
     ".jane@example.com", "jane@-example.com", "jane@example.com\r\nBcc: x@example.com", "<jane@example.com>", "jäne@example.com",
     "a" * 65 + "@example.com", "jane@" + "a." * 130 + "com"],
)  # fmt: skip
def test_what_is_no_address_is_an_invalid_email(email):
    with pytest.raises(InvalidEmail) as refused:
        check_user(email=email)

    assert (refused.value.code, refused.value.status) == ("INVALID_EMAIL", 422)


@pytest.mark.parametrize(
    ("quotas", "field"),
    [
        ({"memory": "16GB"}, "quotas.memory"),
        ({"memory": "0"}, "quotas.memory"),
        ({"storage": "-1Gi"}, "quotas.storage"),
        ({"max_session_duration": "1d"}, "quotas.maxSessionDuration"),
        ({"max_session_duration": "0s"}, "quotas.maxSessionDuration"),
        ({"max_sessions": -1}, "quotas.maxSessions"),
        ({"max_sessions": 1001}, "quotas.maxSessions"),
    ],
)
def test_a_quota_that_is_no_amount_is_named_as_the_document_names_it(quotas, field):
    with pytest.raises(ValidationError) as refused:
        check_user(quotas=quotas)

    assert list(refused.value.details) == [field]


def test_all_faults_are_told_at_once():
    with pytest.raises(ValidationError) as refused:
        check_user(username="-", full_name=" ", tier="gold", role="root", password="short")

    assert set(refused.value.details) == {"username", "fullName", "tier", "role", "password"}


def test_nobodys_password_costs_as_much_as_anybodys():
    """Else a name that nobody has could be told by the time that a wrong password takes."""
    assert not passwords.is_outdated(passwords._NOBODYS)
    assert not passwords.matches(None, "not the password of anybody")


def test_a_password_matches_its_own_hash_only():
    stored = passwords.hashed("correct horse")

    assert passwords.matches(stored, "correct horse")
    assert not passwords.matches(stored, "correct horse ")
    assert "correct" not in stored
