"""A poison event is set aside alone, after three attempts; what is set aside can be delivered again."""

import time

import pytest

from chalicelib.core import clock
from chalicelib.runtime import dead_letters, deliveries, replaying
from chalicelib.runtime.deliveries import DEAD_LETTER, RETRY, RUN
from chalicelib.runtime.errors import DeadLetterNotFound, EventNotFound
from chalicelib.runtime.models import RuntimeRow

THROWN = {"name": "TypeError", "message": "x is undefined", "hook": "onSessionCreated", "location": "index.js:3"}


def fail(event, *, begun=False, slug="watcher", handles=()):
    return deliveries.report_failure(
        slug, event.id, event.aggregate, event.sequence, begun=begun, error=THROWN, receipt_handles=list(handles)
    )


def begin(event, slug="watcher"):
    return deliveries.begin_attempt(slug, event.id, event.aggregate, event.sequence)


def set_aside(event, slug="watcher"):
    for _ in range(3):
        verdict = fail(event, slug=slug)
    assert verdict == DEAD_LETTER


def test_an_event_that_throws_three_times_becomes_a_dead_letter_with_its_own_error(happened, plugin_queue):
    plugin_queue("watcher")
    (event,) = happened("a")

    verdicts = [fail(event), begin(event), fail(event, begun=True), begin(event), fail(event, begun=True)]

    assert verdicts == [RETRY, RUN, RETRY, RUN, DEAD_LETTER]
    (letter,) = dead_letters.of("watcher")[0]
    assert (letter.event_id, letter.event_type, letter.attempts, letter.error) == (event.id, "session.created", 3, THROWN)


def test_attempts_are_counted_for_each_event_and_not_for_its_group(happened, plugin_queue):
    plugin_queue("watcher")
    poison, behind = happened("a", 2)

    set_aside(poison)

    assert begin(behind) == RUN
    assert [letter.event_id for letter in dead_letters.of("watcher")[0]] == [poison.id]


def test_attempts_are_counted_for_each_plugin(happened, plugin_queue):
    plugin_queue("watcher")
    plugin_queue("other")
    (event,) = happened("a")

    set_aside(event)

    assert fail(event, slug="other") == RETRY
    assert dead_letters.of("other")[0] == []


def test_an_event_whose_attempts_are_begun_and_never_reported_is_set_aside_as_crashed(happened, plugin_queue):
    plugin_queue("watcher", places={"session.created": "index.js:3"})
    (event,) = happened("a")

    # The first delivery is not announced: these are the second, the third, and the one that comes too late.
    assert [begin(event) for _ in range(3)] == [RUN, RUN, DEAD_LETTER]

    (letter,) = dead_letters.of("watcher")[0]
    assert (letter.error["name"], letter.error["hook"], letter.error["location"]) == ("PluginCrashed", "onSessionCreated", "index.js:3")
    assert "in onSessionCreated (begins at index.js:3), in each of 3 attempts" in letter.error["message"]
    assert letter.attempts == 3


def test_after_it_was_set_aside_an_event_begins_anew(happened, plugin_queue):
    plugin_queue("watcher")
    (event,) = happened("a")
    set_aside(event)

    assert begin(event) == RUN


def test_a_retry_shows_exactly_the_given_messages_again_after_the_pause(happened, plugin_queue):
    queue = plugin_queue("watcher")
    (event,) = happened("a")
    for number, body in enumerate(("troubled", "behind", "healthy")):
        queue.put(body, group=f"g{number}")
    received = {message["Body"]: message["ReceiptHandle"] for message in queue.receive()}
    assert len(received) == 3

    assert fail(event, handles=[received["troubled"], received["behind"]]) == RETRY

    assert queue.receive() == []
    time.sleep(2.1)
    assert {message["Body"] for message in queue.receive()} == {"troubled", "behind"}


def test_a_receipt_handle_that_is_no_good_harms_nothing(happened, plugin_queue):
    plugin_queue("watcher")
    (event,) = happened("a")

    assert fail(event, handles=["forged"]) == RETRY


@pytest.mark.parametrize("act", [begin, fail])
def test_a_forged_place_is_no_event_and_counts_nothing(happened, plugin_queue, act):
    plugin_queue("watcher")
    first, second = happened("a", 2)
    forged = [
        type(first)(**{**vars(first), "aggregate": "subject#b"}),
        type(first)(**{**vars(first), "sequence": second.sequence}),
        type(first)(**{**vars(first), "id": first.id + 1}),
    ]

    for one in forged:
        with pytest.raises(EventNotFound):
            act(one)

    assert list(RuntimeRow.query("ATTEMPTS#watcher")) == []


def test_a_failure_of_any_size_can_be_set_aside(happened, plugin_queue):
    plugin_queue("watcher")
    (event,) = happened("a")
    huge = {"name": "Error", "message": "x" * 500_000, "stack": "y" * 500_000, "details": {"z": "z" * 500_000}}

    for _ in range(3):
        deliveries.report_failure("watcher", event.id, event.aggregate, event.sequence, begun=False, error=huge, receipt_handles=[])

    assert dead_letters.of("watcher")[0][0].error["message"] == "x" * 1000


def test_dead_letters_are_listed_newest_first(happened, plugin_queue):
    plugin_queue("watcher")
    events = [*happened("a"), *happened("b"), *happened("c")]
    for event in events:
        set_aside(event)

    assert [letter.event_id for letter in dead_letters.of("watcher")[0]] == [event.id for event in reversed(events)]


def test_a_replayed_letter_is_delivered_again_whole_with_the_settings_of_today(happened, plugin_queue):
    queue = plugin_queue("watcher", settings_version=7)
    first, second = happened("a", 2)
    set_aside(first)
    set_aside(second)

    assert replaying.replay_letters("watcher", first.id) == (1, False)

    assert queue.bodies() == [
        {**first.message(), "settings_version": 7, "subscriber": "watcher", "report_delivery": True, "replayed": True}
    ]
    assert [letter.event_id for letter in dead_letters.of("watcher")[0]] == [second.id]
    assert begin(first) == RUN


def test_replaying_all_sends_them_in_the_order_in_which_they_happened(happened, plugin_queue):
    queue = plugin_queue("watcher")
    events = happened("a", 3)
    for event in reversed(events):
        set_aside(event)

    assert replaying.replay_letters("watcher") == (3, False)

    assert [body["id"] for body in queue.bodies()] == [event.id for event in events]
    assert dead_letters.of("watcher")[0] == []


def test_a_letter_can_be_replayed_again_right_after_it_died_again(happened, plugin_queue):
    queue = plugin_queue("watcher")
    (event,) = happened("a")
    set_aside(event)
    replaying.replay_letters("watcher")
    for message in queue.receive():
        queue.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
    set_aside(event)

    with clock.travel(1):
        assert replaying.replay_letters("watcher") == (1, False)

    assert [body["id"] for body in queue.bodies()] == [event.id]


def test_replaying_what_is_not_there_says_so_or_does_nothing(happened, plugin_queue):
    plugin_queue("watcher")

    with pytest.raises(DeadLetterNotFound):
        replaying.replay_letters("watcher", 5)

    assert replaying.replay_letters("watcher") == (0, False)


def test_what_the_backstop_queue_caught_becomes_a_dead_letter(happened, plugin_queue):
    plugin_queue("watcher")
    (event,) = happened("a")

    deliveries.record_undeliverable("watcher", {**event.message(), "subscriber": "watcher"})
    deliveries.record_undeliverable("watcher", {**event.message(), "subscriber": "watcher"})

    (letter,) = dead_letters.of("watcher")[0]
    assert (letter.event_id, letter.error["name"]) == (event.id, "Undeliverable")


def test_what_the_backstop_queue_caught_of_an_event_that_the_log_has_dropped_is_let_go(plugin_queue):
    plugin_queue("watcher")

    deliveries.record_undeliverable("watcher", {"id": 1, "aggregate": "subject#gone", "sequence": 1})

    assert dead_letters.of("watcher")[0] == []
