"""Users: created once, changed by those who may, told of, listed without a scan."""

import threading

import pytest
from accounts_people import ADMIN, PASSWORD, PLUGIN_WITH_USERS

from chalicelib import accounts
from chalicelib.accounts import Caller
from chalicelib.accounts.bootstrap import ensure_administrator
from chalicelib.core.errors import PermissionDenied, ValidationError
from tests.event_history import history

JANE = Caller("user", "jane", "Jane", "user", None)
MANAGER = Caller("user", "max", "Max", "manager", None)
NARROW_ADMIN = Caller("user", "root", "Root", "admin", frozenset({"write:users"}))
PLUGIN_ADMIN = Caller("plugin", "sso", "sso", "admin", frozenset({"admin"}))


def create(username="jane", by=ADMIN, **more):
    given = {"full_name": username.title(), "email": f"{username}@example.com", **more}
    return accounts.create_user(username=username, by=by, **given)


def types_of(username: str) -> list[str]:
    return [event.type for event in history(f"user#{username}", newest_first=False)]


def test_a_new_user_has_the_free_tiers_quotas_and_is_told_of(aws):
    user = create()

    assert (user.tier, user.role, user.quotas.max_sessions) == ("free", "user", 2)
    assert accounts.get_user("jane") == user
    event = history("user#jane")[0]
    assert (event.type, event.data, event.actor) == ("user.created", accounts.user_object(user), {"id": "root", "name": "Root"})


def test_of_racing_creations_one_wins_and_is_told_once(aws):
    outcomes: list[str] = []

    def race(number: int) -> None:
        try:
            outcomes.append(create(full_name=f"Jane {number}").full_name)
        except accounts.UserAlreadyExists as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("USER_ALREADY_EXISTS") == 4
    assert accounts.get_user("jane").full_name in outcomes
    assert types_of("jane") == ["user.created"]


def test_a_user_without_a_password_cannot_sign_in(aws):
    create()

    with pytest.raises(accounts.WrongCredentials):
        accounts.login("jane", "")


def test_a_change_of_tier_moves_the_quotas_that_are_not_the_users_own(aws):
    create(quotas={"memory": "32Gi", "storage": None})

    user = accounts.update_user("jane", tier="enterprise", quotas={"max_sessions": 7}, by=ADMIN)

    assert (user.quotas.memory, user.quotas.max_sessions) == ("32Gi", 7)
    assert (user.quotas.storage, user.quotas.max_session_duration) == ("500Gi", "24h")
    assert accounts.update_user("jane", quotas={"memory": None}, by=ADMIN).quotas.memory == "64Gi"
    assert types_of("jane") == ["user.created", "user.updated", "user.updated"]


def test_changes_that_race_are_all_kept(aws):
    create()
    changes = [{"full_name": "Jane S."}, {"email": "jane.s@example.com"}, {"tier": "pro"}, {"quotas": {"memory": "1Gi"}}]
    threads = [threading.Thread(target=lambda change=change: accounts.update_user("jane", by=ADMIN, **change)) for change in changes]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    user = accounts.get_user("jane")
    assert (user.full_name, user.email, user.tier, user.quotas.memory) == ("Jane S.", "jane.s@example.com", "pro", "1Gi")
    assert types_of("jane").count("user.updated") == 4


def test_everybody_changes_their_own_name_and_email(aws):
    create()

    user = accounts.update_user("jane", full_name="Jane Doe", email="doe@example.com", by=JANE)

    assert (user.full_name, user.email) == ("Jane Doe", "doe@example.com")


@pytest.mark.parametrize("change", [{"tier": "pro"}, {"quotas": {"memory": "64Gi"}}, {"role": "admin"}])
def test_nobody_gives_themselves_more(aws, change):
    before = create()

    with pytest.raises(PermissionDenied):
        accounts.update_user("jane", by=JANE, **change)

    assert accounts.get_user("jane") == before


@pytest.mark.parametrize("by", [JANE, MANAGER])
def test_other_people_are_managed_by_those_who_may(aws, by):
    create("john")

    for use in (
        lambda: create("mary", by=by),
        lambda: accounts.update_user("john", email="x@example.com", by=by),
        lambda: accounts.set_password("john", "another long one", by=by),
        lambda: accounts.delete_user("john", by),
    ):
        with pytest.raises(PermissionDenied):
            use()

    assert types_of("john") == ["user.created"]


@pytest.mark.parametrize("by", [PLUGIN_WITH_USERS, NARROW_ADMIN])
def test_a_program_without_the_scope_admin_gives_no_power(aws, by):
    create("john", by=by)

    for use in (
        lambda: create("mary", role="admin", by=by),
        lambda: create("mary", password=PASSWORD, by=by),
        lambda: accounts.update_user("john", role="admin", by=by),
        lambda: accounts.set_password("john", PASSWORD, by=by),
    ):
        with pytest.raises(PermissionDenied, match="admin"):
            use()

    assert accounts.find_user("mary") is None
    assert accounts.get_user("john").role == "user"


def test_a_plugin_is_not_the_user_of_the_same_name(aws):
    create("directory")

    with pytest.raises(PermissionDenied):
        accounts.set_password("directory", PASSWORD, current_password="", by=PLUGIN_WITH_USERS)


def test_a_plugin_with_the_scope_admin_may_give_power(aws):
    assert create("mary", role="manager", password=PASSWORD, by=PLUGIN_ADMIN).role == "manager"


def test_ones_own_password_needs_the_present_one(aws):
    create(password=PASSWORD)

    for wrong in (None, "", "wrong password"):
        with pytest.raises(accounts.WrongCredentials):
            accounts.set_password("jane", "another long one", current_password=wrong, by=JANE)

    assert accounts.login("jane", PASSWORD).user.username == "jane"


def test_a_change_with_one_faulty_field_changes_nothing(aws):
    before = create(password=PASSWORD)

    with pytest.raises(accounts.InvalidEmail):
        accounts.update_user("jane", full_name="New", email="no address", password="another long one", by=ADMIN)

    assert accounts.get_user("jane") == before
    assert accounts.login("jane", PASSWORD).user.username == "jane"


def test_a_deleted_user_is_gone_and_told_of(aws):
    user = create(password=PASSWORD)

    accounts.delete_user("jane", ADMIN)

    assert accounts.find_user("jane") is None
    assert history("user#jane")[0].data == accounts.user_object(user)
    assert types_of("jane") == ["user.created", "user.deleted"]
    with pytest.raises(accounts.UserNotFound):
        accounts.delete_user("jane", ADMIN)


def test_a_deletion_leaves_no_row(aws):
    create(password=PASSWORD)
    accounts.create_token(accounts.caller_of(accounts.login("jane", PASSWORD).token), "ci", None)

    accounts.delete_user("jane", ADMIN)

    assert aws.client("dynamodb").scan(TableName="test-AccountsTable")["Items"] == []


@pytest.mark.parametrize(
    "use",
    [
        lambda: accounts.get_user("nobody"),
        lambda: accounts.update_user("nobody", tier="pro", by=ADMIN),
        lambda: accounts.delete_user("nobody", ADMIN),
    ],
)
def test_a_user_who_is_not_there_is_not_found(aws, use):
    with pytest.raises(accounts.UserNotFound, match="nobody"):
        use()

    assert types_of("nobody") == []


def test_all_users_are_listed_by_name_whatever_their_tier(aws, aws_calls):
    for username, tier in [("d", "free"), ("a", "pro"), ("c", "enterprise"), ("b", "free")]:
        create(username, tier=tier)
    accounts.allowed.tiers()
    aws_calls.clear()

    found, following = accounts.list_users()

    assert [user.username for user in found] == ["a", "b", "c", "d"]
    assert following is None
    assert aws_calls == ["Query"] * 3


def test_a_tier_is_listed_with_one_query(aws, aws_calls):
    for username, tier in [("d", "free"), ("a", "pro"), ("c", "free"), ("b", "free")]:
        create(username, tier=tier)
    accounts.update_user("c", tier="pro", by=ADMIN)
    accounts.allowed.tiers()
    aws_calls.clear()

    found, _ = accounts.list_users(tier="pro")

    assert [user.username for user in found] == ["a", "c"]
    assert aws_calls == ["Query"]


@pytest.mark.parametrize("tier", [None, "free"])
def test_pages_by_cursor_and_by_offset_show_everybody_once(aws, tier):
    names = [f"user{number}" for number in range(7)]
    for number, name in enumerate(names):
        create(name, tier="free" if tier else ["free", "pro", "enterprise"][number % 3])

    by_cursor, cursor, rounds = [], None, 0
    while rounds == 0 or cursor:
        found, cursor = accounts.list_users(tier=tier, limit=3, cursor=cursor)
        by_cursor += [user.username for user in found]
        rounds += 1
    by_offset = [user.username for offset in (0, 3, 6) for user in accounts.list_users(tier=tier, limit=3, offset=offset)[0]]

    assert by_cursor == by_offset == names
    assert rounds == 3


@pytest.mark.parametrize("cursor", ["nonsense", "e30", "eyJhZnRlciI6MX0"])
def test_a_cursor_that_we_did_not_give_out_is_refused(aws, cursor):
    with pytest.raises(ValidationError):
        accounts.list_users(cursor=cursor)


def test_administrators_are_found_by_key(aws, aws_calls):
    create("b", role="admin")
    create("a", role="admin")
    create("c", role="manager")
    create("d")
    accounts.update_user("b", role="user", by=ADMIN)
    aws_calls.clear()

    assert accounts.administrators() == ["a"]
    assert aws_calls == ["Query"]


def test_the_first_administrator_is_made_once_however_often_it_is_asked(aws):
    first = ensure_administrator("admin", PASSWORD)
    second = ensure_administrator("admin", PASSWORD)

    caller = accounts.caller_of(second)
    assert (caller.id, caller.role, caller.scopes) == ("admin", "admin", None)
    assert len(accounts.list_tokens(caller)) == 1
    assert first != second
    assert types_of("admin") == ["user.created"]
    assert accounts.login("admin", PASSWORD).role == "admin"


def test_an_administrator_who_lost_role_or_password_has_them_again(aws):
    create("admin", password="something else", role="user")

    token = ensure_administrator("admin", PASSWORD)

    assert accounts.caller_of(token).role == "admin"
    assert accounts.login("admin", PASSWORD).role == "admin"
