"""Never one request more than allowed, whoever asks and however many at once; and what administrators change holds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import accounts, plugins
from chalicelib.accounts import Caller, allowed, counts
from chalicelib.core import clock
from chalicelib.core.errors import DailyQuotaExceeded, RateLimited
from chalicelib.core.rate_limiter import DEFAULT_PER_MINUTE, Window
from chalicelib.events import Actor
from chalicelib.marketplace import repository as marketplace
from tests.integration.jobs.conftest import package

ADMIN = Caller("user", "ann", "Ann", "admin", None)
DAY_S = 24 * 3600


@pytest.fixture(autouse=True)
def limited(aws, monkeypatch):
    """Limits are on, and it is early in a minute and in a day: no test runs over the edge of a window by chance."""
    monkeypatch.setenv("STREAMSPACE_RATE_LIMITS", "on")
    allowed.forget()
    with clock.travel(DAY_S - time.time() % DAY_S + 60):
        yield
    allowed.forget()


@pytest.fixture
def watcher(platform, repository):
    """An active plugin's token."""
    repository.publish(package("watcher", permissions=["storage"]))
    marketplace.forget()
    assert platform.install("watcher").status == "succeeded"
    return accounts.issue_plugin_token("watcher", frozenset({"storage"}))


def set_rates(**rates):
    counts.change_rates(rates, by=Actor("admin", "Administrator"))


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("GET", "/admin/plugins", 100),
        ("POST", "/admin/plugins/none/activate", 30),
        ("POST", "/admin/plugins/install", 5),
        ("GET", "/admin/plugins/marketplace", 60),
    ],
)
def test_the_documents_limits_are_the_defaults_and_after_retry_after_the_next_one_passes(call, platform, method, path, limit):
    for left in reversed(range(limit)):
        answer = call(method, path)
        assert answer.status != 429
        assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == (str(limit), str(left))

    refused = call(method, path)

    assert (refused.status, refused.error["code"], refused.headers["X-RateLimit-Remaining"]) == (429, "RATE_LIMITED", "0")
    wait_s = int(refused.headers["Retry-After"])
    assert 1 <= wait_s <= 60
    assert int(refused.headers["X-RateLimit-Reset"]) == pytest.approx(clock.timestamp() + wait_s, abs=1.5)
    with clock.travel(wait_s):
        assert call(method, path).status != 429


def test_groups_and_callers_do_not_share(call, platform):
    set_rates(read=1, write=1)
    assert call("GET", "/admin/plugins").status == 200
    assert call("GET", "/admin/plugins").status == 429

    assert call("POST", "/admin/plugins/none/activate").status == 404
    assert call("GET", "/users").status == 200
    accounts.create_user(username="bob", full_name="B", email="b@example.com", role="admin", by=None)
    other = accounts.create_token(Caller("user", "bob", "B", "admin", None), "t", None).text
    assert call("GET", "/admin/plugins", token=other).status == 200
    second_of_the_same = accounts.create_token(ADMIN, "t2", None).text
    assert call("GET", "/admin/plugins", token=second_of_the_same).status == 429


def test_of_many_at_once_exactly_the_limit_passes(aws):
    set_rates(write=30)

    def one(_):
        try:
            return counts.count("user", "ann", "write").remaining
        except RateLimited:
            return None

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(one, range(90)))

    assert sorted(left for left in found if left is not None) == list(range(30))


@pytest.mark.parametrize("path", ["/admin/plugins", "/users", "/platform/settings", "/users/none", "/auth/tokens"])
def test_counting_costs_one_call_and_no_other(call, aws_calls, monkeypatch, path):
    call("GET", path)
    aws_calls.clear()
    call("GET", path)
    limited = list(aws_calls)
    monkeypatch.setenv("STREAMSPACE_RATE_LIMITS", "off")
    aws_calls.clear()
    call("GET", path)

    assert sorted(limited) == sorted([*aws_calls, "UpdateItem"])


def test_reading_the_rates_costs_no_call_of_its_own(call, aws_calls):
    allowed.forget()
    aws_calls.clear()

    call("GET", "/users/none")

    assert aws_calls == ["BatchGetItem", "UpdateItem", "GetItem"]


def test_what_is_refused_is_not_counted_and_a_higher_limit_holds_at_once(call, platform):
    set_rates(read=2)
    statuses = [call("GET", "/admin/plugins").status for _ in range(5)]
    assert statuses == [200, 200, 429, 429, 429]

    changed = call("PATCH", "/platform/settings", {"rate_limits": {"read": 3}})

    assert changed.body["data"]["rate_limits"] == {**DEFAULT_PER_MINUTE, "read": 3}
    assert [call("GET", "/admin/plugins").status for _ in range(2)] == [200, 429]
    assert call("PATCH", "/platform/settings", {"rate_limits": {"read": None}}).body["data"]["rate_limits"] == DEFAULT_PER_MINUTE


def test_another_container_learns_of_a_change_within_a_second(call, platform, aws):
    assert call("GET", "/admin/plugins").status == 200
    allowed.AllowedRow(version=1, body='{"per_minute": {"read": 1}, "daily_calls": {}}').save()

    with clock.travel(1.1):
        assert call("GET", "/admin/plugins").status == 429


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rate_limits": {}},
        {"rate_limits": {"read": 0}},
        {"rate_limits": {"read": -1}},
        {"rate_limits": {"read": 10**9}},
        {"rate_limits": {"reads": 5}},
        {"rate_limits": {"read": "5"}},
        {"other": 1},
    ],
)
def test_settings_that_make_no_sense_are_refused(call, body):
    assert call("PATCH", "/platform/settings", body).error["code"] == "VALIDATION_ERROR"


def test_settings_are_for_administrators(call, watcher):
    accounts.create_user(username="max", full_name="M", email="m@example.com", role="manager", by=None)
    manager = accounts.create_token(Caller("user", "max", "M", "manager", None), "t", None).text

    for token in (manager, watcher):
        assert call("GET", "/platform/settings", token=token).status == 403
        assert call("PATCH", "/platform/settings", {"rate_limits": {"read": 1000}}, token=token).status == 403


def test_attempts_to_sign_in_are_counted_under_the_name_whether_or_not_anybody_has_it(call):
    set_rates(login=3)
    for name in ("ann", "nobody"):
        wrong = {"username": name, "password": "wrong-password"}
        statuses = [call("POST", "/auth/login", wrong, token=None).status for _ in range(4)]
        assert statuses == [401, 401, 401, 429]


def test_a_plugin_that_floods_is_slowed_and_nobody_else(call, watcher):
    set_rates(plugin=4)

    statuses = [call("GET", "/storage", token=watcher).status for _ in range(6)]

    assert statuses == [200, 200, 200, 200, 429, 429]
    assert call("GET", "/users").status == 200
    other = accounts.issue_plugin_token("other", frozenset({"storage"}))
    assert call("GET", "/storage", token=other).status == 200
    assert call("GET", "/runtime/self", token=watcher).status == 200, "what the runtime asks for it goes on"


def test_a_plugins_day_ends_after_its_calls_and_begins_anew_at_midnight(call, watcher):
    call("PATCH", "/admin/plugins/watcher/limits", {"daily_calls": 3})
    assert [call("GET", "/storage", token=watcher).status for _ in range(4)] == [200, 200, 200, 429]

    refused = call("GET", "/storage", token=watcher)

    assert refused.error["code"] == "DAILY_QUOTA_EXCEEDED"
    assert (refused.error["details"]["plugin"], refused.error["details"]["limit"]) == ("watcher", 3)
    wait_s = int(refused.headers["Retry-After"])
    assert DAY_S - 120 < wait_s <= DAY_S
    assert call("GET", "/admin/plugins/watcher/limits").body["data"]["used"] == {"daily_calls": 3}
    assert call("GET", "/runtime/self", token=watcher).status == 200
    call("PATCH", "/admin/plugins/watcher/limits", {"daily_calls": 4})
    assert [call("GET", "/storage", token=watcher).status for _ in range(2)] == [200, 429]
    with clock.travel(wait_s):
        assert call("GET", "/storage", token=watcher).status == 200


def test_of_a_plugins_many_calls_at_once_exactly_its_day_passes(aws):
    from chalicelib.events import unit_of_work

    with unit_of_work() as work:
        counts.put_daily_calls(work, "watcher", 25)
    allowed.rates()

    def one(_):
        try:
            counts.count("plugin", "watcher", "plugin")
        except DailyQuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(80))) == 25
    assert counts.calls_today("watcher") == 25


def test_a_plugin_with_no_calls_a_day_gets_none(call, watcher):
    call("PATCH", "/admin/plugins/watcher/limits", {"daily_calls": 0})

    assert call("GET", "/storage", token=watcher).error["code"] == "DAILY_QUOTA_EXCEEDED"


def test_a_count_stays_small_however_long_a_caller_asks(aws):
    for minute in range(0, 300, 3):
        with clock.travel(minute * 60):
            counts.count("user", "ann", "read")

    items = aws.client("dynamodb").scan(TableName=allowed.AllowedRow.Meta.table_name)["Items"]
    (kept,) = [item for item in items if item["pk"]["S"] == "CALLS#user#ann"]
    assert len(kept) < 12


def test_the_day_goes_with_its_plugin(platform, watcher):
    plugins.change_limits("watcher", {"daily_calls": 3}, by=ADMIN)

    platform.uninstall("watcher")

    assert allowed.rates().a_day("watcher") == 100_000


def test_windows_are_the_clocks():
    assert Window.at(0) == Window.at(59.9) != Window.at(60)
    assert (Window.at(61).ends_at, Window.at(61).day_ends_at) == (120, DAY_S)
