"""Notifications: each reader's own view of what they, and everyone, were told."""

import pytest

from chalicelib import accounts, messaging
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied, ValidationError
from chalicelib.messaging import ADMINS, EVERYONE
from chalicelib.messaging.errors import NotificationActionNotFound

DAY_S = 24 * 3600
PLUGIN = Caller("plugin", "report", "report", "user", frozenset({"notifications"}))


def titles(caller, **how) -> list[str]:
    return [one.title for one in messaging.inbox(caller, **how).notifications]


def items(aws) -> list[dict]:
    return aws.client("dynamodb").scan(TableName="test-MessagingTable")["Items"]


def test_a_notification_has_the_documented_defaults_and_tells_its_sender(reader):
    jane = reader("jane")

    sent = messaging.notify("jane", "Ready", "Your session is ready", by=PLUGIN)

    assert (sent.type, sent.dismissible, sent.timeout_ms, sent.persistent, sent.read) == ("info", True, 5000, True, False)
    assert (sent.sender.kind, sent.sender.id) == ("plugin", "report")
    assert list(messaging.inbox(jane).notifications) == [sent]


def test_everyone_is_told_with_one_item(reader, aws):
    readers = [reader(name) for name in ("jane", "john", "mary")]

    messaging.notify(EVERYONE, "Maintenance", "From 2 to 4")

    assert [titles(one) for one in readers] == [["Maintenance"]] * 3
    assert len(items(aws)) == 1


def test_administrators_are_who_is_one_when_reading(reader):
    admin, manager = reader("root", role="admin"), reader("max", role="manager")
    messaging.notify(ADMINS, "Disk full", "Look")

    assert titles(admin) == ["Disk full"]
    assert titles(manager) == []
    assert messaging.inbox(manager).unread == 0


def test_ones_own_and_everyones_are_merged_newest_first_page_by_page(reader):
    jane, _ = reader("jane"), reader("john")
    told = []
    for number in range(7):
        with clock.travel(number):
            to = EVERYONE if number % 3 == 1 else "jane"
            told.append(messaging.notify(to, f"n{number}", "…").title)
            messaging.notify("john", "not hers", "…")

    with clock.travel(10):
        pages, cursor = [], None
        while not pages or cursor:
            found = messaging.inbox(jane, limit=3, cursor=cursor)
            pages.append([one.title for one in found.notifications])
            cursor = found.next_cursor

    assert pages == [["n6", "n5", "n4"], ["n3", "n2", "n1"], ["n0"]]


def test_reading_is_each_readers_own(reader):
    jane, john = reader("jane"), reader("john")
    own = messaging.notify("jane", "own", "…")
    shared = messaging.notify(EVERYONE, "shared", "…")

    for one in (own, shared, shared):
        messaging.mark_read(jane, one.id)

    assert [one.read for one in messaging.inbox(jane).notifications] == [True, True]
    assert messaging.inbox(jane).unread == 0
    assert titles(jane, unread_only=True) == []
    assert (messaging.inbox(john).unread, titles(john, unread_only=True)) == (1, ["shared"])


def test_unread_counts_all_and_not_only_the_page(reader):
    jane = reader("jane")
    for number in range(5):
        messaging.notify("jane", f"n{number}", "…")
    messaging.notify(EVERYONE, "shared", "…")
    messaging.mark_read(jane, messaging.inbox(jane, limit=1).notifications[0].id)

    assert messaging.inbox(jane, limit=2).unread == 5


def test_dismissing_is_each_readers_own(reader):
    jane, john = reader("jane"), reader("john")
    own = messaging.notify("jane", "own", "…")
    shared = messaging.notify(EVERYONE, "shared", "…")

    for one in (own, shared):
        messaging.dismiss(jane, one.id)

    assert titles(jane) == []
    assert messaging.inbox(jane).unread == 0
    assert titles(john) == ["shared"]


def test_what_was_dismissed_stays_so_when_it_is_marked_read(reader):
    jane = reader("jane")
    shared = messaging.notify(EVERYONE, "shared", "…")
    messaging.dismiss(jane, shared.id)

    messaging.mark_read(jane, shared.id)

    assert titles(jane) == []


@pytest.mark.parametrize("to", ["jane", EVERYONE])
def test_what_is_not_dismissible_stays(reader, to):
    jane = reader("jane")
    sent = messaging.notify(to, "stay", "…", dismissible=False)

    with pytest.raises(messaging.NotificationNotDismissible):
        messaging.dismiss(jane, sent.id)

    assert titles(jane) == ["stay"]


@pytest.mark.parametrize("to", ["jane", EVERYONE])
def test_what_does_not_persist_is_gone_in_time_whether_or_not_dynamodb_removed_it(reader, aws, to):
    jane = reader("jane")
    sent = messaging.notify(to, "brief", "…", persistent=False, timeout_ms=10_000)

    with clock.travel(300):
        assert titles(jane) == ["brief"]
    with clock.travel(315):
        assert titles(jane) == titles(jane, unread_only=True) == []
        assert messaging.inbox(jane).unread == 0
        for use in (messaging.mark_read, messaging.dismiss, lambda caller, id: messaging.button(caller, id, 0)):
            with pytest.raises(messaging.NotificationNotFound):
                use(jane, sent.id)
    assert len(items(aws)) == 1
    assert int(items(aws)[0]["expires_at"]["N"]) - clock.timestamp() == pytest.approx(311, abs=3)


def test_what_persists_stays_for_its_months(reader):
    jane = reader("jane")
    messaging.notify("jane", "own", "…")
    messaging.notify(EVERYONE, "shared", "…")

    with clock.travel(29 * DAY_S):
        assert sorted(titles(jane)) == ["own", "shared"]
    with clock.travel(89 * DAY_S):
        assert titles(jane) == ["own"]
    with clock.travel(91 * DAY_S):
        assert titles(jane) == []


def test_nobody_touches_what_is_anothers(reader):
    reader("jane")
    john = reader("john")
    hers = messaging.notify("jane", "hers", "…", actions=[{"label": "Go", "url": "/x"}])
    admins = messaging.notify(ADMINS, "admins", "…", actions=[{"label": "Go", "url": "/x"}])
    in_disguise = "ntfall_" + admins.id.partition("_")[2]

    for notification_id in (hers.id, admins.id, in_disguise, "ntf_", "nonsense", "ntfall_nonsense", ""):
        for use in (messaging.mark_read, messaging.dismiss, lambda caller, id: messaging.button(caller, id, 0)):
            with pytest.raises(messaging.NotificationNotFound):
                use(john, notification_id)


def test_a_plugin_has_no_inbox_not_even_that_of_a_user_with_its_name(reader):
    reader("report")
    sent = messaging.notify("report", "hers", "…")

    for use in (
        lambda: messaging.inbox(PLUGIN),
        lambda: messaging.mark_read(PLUGIN, sent.id),
        lambda: messaging.dismiss(PLUGIN, sent.id),
        lambda: messaging.button(PLUGIN, sent.id, 0),
    ):
        with pytest.raises(PermissionDenied):
            use()


def test_people_notify_themselves_and_others_only_with_the_permission(reader):
    jane, manager = reader("jane"), reader("max", role="manager")

    messaging.notify("jane", "note", "…", by=jane)
    messaging.notify("jane", "order", "…", by=manager)
    for to in ("max", EVERYONE, ADMINS, "nobody"):
        with pytest.raises(PermissionDenied):
            messaging.notify(to, "spam", "…", by=jane)

    assert titles(jane) == ["order", "note"]
    assert titles(manager) == []


def test_nobody_is_told_when_there_is_no_such_user(reader, aws):
    with pytest.raises(accounts.UserNotFound):
        messaging.notify("nobody", "lost", "…")

    assert items(aws) == []


def test_each_button_is_found_at_its_place(reader):
    jane = reader("jane")
    actions = [{"label": "Go", "url": "/sessions"}, {"label": "Later", "handler": "remind"}, {"label": "OK"}]
    for to in ("jane", EVERYONE):
        sent = messaging.notify(to, "t", "…", actions=actions)

        assert [messaging.button(jane, sent.id, place)[1].url for place in (0, 1, 2)] == ["/sessions", None, None]
        assert messaging.button(jane, sent.id, 1)[1].handler == "remind"
        for missing in (3, -1):
            with pytest.raises(NotificationActionNotFound):
                messaging.button(jane, sent.id, missing)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "/\\evil.example", "data:text/html,x", "sessions", "https://", "/x\n"]
)
def test_a_link_that_is_no_link_is_refused(reader, url):
    reader("jane")

    with pytest.raises(ValidationError):
        messaging.notify("jane", "t", "…", actions=[{"label": "Go", "url": url}])


def test_a_forgotten_user_leaves_nothing(reader, aws):
    jane = reader("jane")
    for number in range(30):
        messaging.notify("jane", f"n{number}", "…")
    shared = messaging.notify(EVERYONE, "shared", "…")
    messaging.mark_read(jane, shared.id)

    messaging.forget_user("jane")

    assert [item["pk"]["S"] for item in items(aws)] == ["BROADCASTS"]


@pytest.mark.parametrize("cursor", ["nonsense", "e30"])
def test_a_cursor_of_another_list_is_refused(reader, cursor):
    with pytest.raises(ValidationError):
        messaging.inbox(reader("jane"), cursor=cursor)
