"""A plugin that takes nothing any more is set aside once, with its events kept; one bad event never does that."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import accounts, messaging, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import Unauthenticated
from chalicelib.events import Dispatcher
from chalicelib.events.records import EventRow
from chalicelib.marketplace import repository as marketplace
from chalicelib.plugins import PluginNotActive, locks
from chalicelib.runtime import circuit, dead_letters, deliveries, replaying
from chalicelib.runtime.circuit import MOST_FAILURES
from chalicelib.runtime.errors import PluginFailedToLoad
from tests.event_history import history
from tests.integration.jobs.conftest import package

ADMIN = Caller("user", "ann", "Ann Lee", "admin", None)
THROWN = {"name": "TypeError", "message": "x is undefined", "hook": "onSessionCreated", "location": "index.js:3"}


@pytest.fixture
def watcher(platform, repository):
    """An active plugin that hooks ``session.created``."""
    repository.publish(package("watcher"))
    marketplace.forget()
    job = platform.install("watcher")
    assert job.status == "succeeded", job.error
    return plugins.get("watcher")


def kill(event, error=THROWN):
    """The event dies: reported three times, and then what the API's route does."""
    for _ in range(3):
        verdict = deliveries.report_failure(
            "watcher", event.id, event.aggregate, event.sequence, begun=False, error=error, receipt_handles=[]
        )
    assert verdict == deliveries.DEAD_LETTER
    return plugins.set_aside_failing("watcher")


def kill_many(happened, count, prefix="s", error=THROWN):
    for number in range(count):
        kill(*happened(f"{prefix}{number}"), error=error)


def dispatch(*events):
    """What the events table's stream makes of them."""
    records = [
        {"eventName": "INSERT", "dynamodb": {"NewImage": EventRow.get(event.aggregate, event.sequence).to_dynamodb_dict()}}
        for event in events
    ]
    Dispatcher(runtime.active.subscribers).handle(records)


def waiting(platform):
    sqs = platform.aws.client("sqs")
    url = sqs.get_queue_url(QueueName="test-plugin-watcher.fifo")["QueueUrl"]
    found = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
    return found


def told_to_admins():
    return messaging.inbox(ADMIN).notifications


def mapping_state(platform):
    (mapping,) = platform.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return mapping["State"]


def token_is_alive(platform):
    configuration = platform.aws.client("lambda").get_function_configuration(FunctionName="test-plugin-watcher")
    try:
        return accounts.caller_of(configuration["Environment"]["Variables"]["STREAMSPACE_TOKEN"]).is_plugin
    except Unauthenticated:
        return False


def test_ten_dead_letters_and_nothing_delivered_between_them_set_the_plugin_aside(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES - 1)
    assert plugins.get("watcher").is_active
    assert kill(*happened("last")) == 1

    plugin = plugins.get("watcher")
    assert (plugin.status, plugin.error_reason) == ("error", "failed_to_stay_up")
    assert plugin.error == "Failed to stay up: 10 events failed one after another, the last one with: x is undefined (index.js:3)"
    assert not token_is_alive(platform)
    assert mapping_state(platform) == "Disabled"
    assert runtime.active.everyone() == []
    (notification,) = told_to_admins()
    assert "Watcher" in notification.title
    assert "x is undefined" in notification.message
    (failed,) = [event for event in history("plugin#watcher") if event.type == "plugin.failed"]
    assert failed.data["reason"] == "failed_to_stay_up"
    assert circuit.failing() == []


def test_its_events_are_kept_while_it_is_set_aside_and_come_in_order_when_it_is_active_again(platform, watcher, happened):
    before = happened("waits", 2)
    dispatch(*before)
    kill_many(happened, MOST_FAILURES)
    after = happened("waits too", 2)
    dispatch(*after)

    plugins.activate("watcher", by=ADMIN)

    assert (plugins.get("watcher").status, plugins.get("watcher").error, plugins.get("watcher").error_reason) == ("active", None, None)
    assert mapping_state(platform) == "Enabled"
    assert [body["id"] for body in waiting(platform)] == [event.id for event in [*before, *after]]
    assert len(dead_letters.history("watcher")[0]) == MOST_FAILURES, "the history outlives it"


def test_an_activation_that_fails_keeps_the_events_and_says_that_it_failed_to_start(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES)
    platform.loads["watcher"] = {"ok": False, "error": {"name": "Error", "message": "API key is required"}}

    with pytest.raises(PluginFailedToLoad) as failed:
        plugins.activate("watcher", by=ADMIN)

    assert failed.value.details["reason"] == "failed_to_start"
    plugin = plugins.get("watcher")
    assert (plugin.status, plugin.error_reason, plugin.error) == ("error", "failed_to_start", "Failed to start: API key is required")
    event = happened("later")
    dispatch(*event)
    del platform.loads["watcher"]
    plugins.activate("watcher", by=ADMIN)
    assert [body["id"] for body in waiting(platform)] == [event[0].id]


def test_deactivating_a_plugin_that_was_set_aside_drops_what_waits(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES)
    dispatch(*happened("later"))

    plugins.deactivate("watcher", by=ADMIN)

    assert plugins.get("watcher").status == "inactive"
    assert waiting(platform) == []
    dispatch(*happened("later still"))
    assert waiting(platform) == []
    with pytest.raises(PluginNotActive):
        plugins.deactivate("watcher", by=ADMIN)


def test_what_was_delivered_between_two_dead_letters_closes_the_circuit(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES - 1, "a")
    circuit.note_delivery("watcher")
    kill_many(happened, MOST_FAILURES - 1, "b")

    assert plugins.get("watcher").is_active
    assert len(circuit.streak("watcher")) == MOST_FAILURES - 1


def test_a_report_that_says_so_closes_it_before_its_own_failure_counts(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES - 1)
    (event,) = happened("last")

    deliveries.report_failure(
        "watcher", event.id, event.aggregate, event.sequence, begun=False, error=THROWN, receipt_handles=[], has_delivered=True
    )

    assert circuit.streak("watcher") == []


def test_one_bad_event_never_sets_its_plugin_aside_however_often_it_is_replayed(platform, watcher, happened):
    (event,) = happened("bad")
    for minute in range(MOST_FAILURES + 5):
        with clock.travel(minute):
            kill(event)
            replaying.replay_letters("watcher", event.id)

    assert plugins.get("watcher").is_active
    assert len(dead_letters.history("watcher")[0]) == MOST_FAILURES + 5


def test_dead_letters_of_more_than_an_hour_ago_do_not_count(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES - 1)

    with clock.travel(3700):
        kill_many(happened, MOST_FAILURES - 1, "later")

    assert plugins.get("watcher").is_active


def test_activating_forgives_what_was_before(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES - 1)
    plugins.deactivate("watcher", by=ADMIN)
    plugins.activate("watcher", by=ADMIN)

    kill(*happened("one"))

    assert plugins.get("watcher").is_active


def test_what_the_backstop_queue_caught_does_not_count(platform, watcher, happened):
    for number in range(MOST_FAILURES + 1):
        (event,) = happened(f"s{number}")
        deliveries.record_undeliverable("watcher", event.message())

    assert not circuit.is_failing("watcher")


def test_many_that_notice_it_at_once_set_it_aside_once(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES - 1)
    events = [*happened("x"), *happened("y"), *happened("z")]

    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(kill, events))

    plugins.set_aside_failing()
    assert sum(done) == 1
    assert len(told_to_admins()) == 1
    assert [event.type for event in history("plugin#watcher")].count("plugin.failed") == 1


def test_an_event_that_dies_after_its_plugin_was_set_aside_tells_nobody_again(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES)
    (event,) = happened("in flight")

    assert kill(event) == 0
    assert len(told_to_admins()) == 1
    assert circuit.failing() == []


def test_while_another_operation_has_the_plugin_it_waits_for_the_next_look(platform, watcher, happened):
    with locks.held("watcher", "test"):
        kill_many(happened, MOST_FAILURES)
        assert plugins.get("watcher").is_active

    assert plugins.set_aside_failing() == 1
    assert plugins.get("watcher").status == "error"
    assert plugins.set_aside_failing() == 0


@pytest.mark.parametrize("operation", ["UpdateEventSourceMapping", "TransactWriteItems"])
def test_a_worker_that_dies_while_it_sets_aside_leaves_it_to_the_next(platform, watcher, happened, operation):
    from tests.integration.jobs.test_faults import refused

    kill_many(happened, MOST_FAILURES - 1)
    containing = "plugin.failed" if operation == "TransactWriteItems" else ""
    with refused(platform, operation, containing):
        assert kill(*happened("last")) == 0

    assert plugins.set_aside_failing() == 1

    assert plugins.get("watcher").status == "error"
    assert mapping_state(platform) == "Disabled"
    assert not token_is_alive(platform)


def test_a_plugin_that_cannot_start_in_cold_containers_says_that_it_failed_to_start(platform, watcher, happened):
    kill_many(happened, MOST_FAILURES, error={**THROWN, "hook": "onLoad", "message": "no connection"})

    plugin = plugins.get("watcher")
    assert plugin.error_reason == "failed_to_start"
    assert plugin.error == "Failed to start, for 10 events one after another: no connection (index.js:3)"


def test_messages_ask_for_reports_of_delivery_only_while_there_is_something_to_contradict(platform, watcher, happened):
    healthy = happened("healthy")
    dispatch(*healthy)
    kill(*happened("bad"))
    troubled = happened("troubled")
    dispatch(*troubled)
    circuit.note_delivery("watcher")
    mended = happened("mended")
    dispatch(*mended)

    asked = {body["id"]: body.get("report_delivery", False) for body in waiting(platform)}

    assert asked == {healthy[0].id: False, troubled[0].id: True, mended[0].id: False}


def test_the_history_is_paged_latest_first(platform, watcher, happened):
    kill_many(happened, 5)

    first, cursor = dead_letters.history("watcher", limit=3)
    second, end = dead_letters.history("watcher", limit=3, cursor=cursor)

    ids = [letter.event_id for letter in [*first, *second]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), end) == (5, None)
