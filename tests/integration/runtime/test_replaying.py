"""A stretch of history is delivered again: what the plugin hooks, in order, marked; in the background where it is much."""

import json
from datetime import timedelta

import pytest

from chalicelib.core import clock
from chalicelib.core.errors import ValidationError
from chalicelib.events import unit_of_work
from chalicelib.runtime import active, dead_letters, deliveries, replaying
from chalicelib.runtime.errors import PluginReceivesNothing

HOOKS = ["session.created", "user.login"]


def everything(queue):
    found = []
    while page := queue.receive():
        for message in page:
            found.append(message)
            queue.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


def hours_ago(hours):
    return clock.now() - timedelta(hours=hours)


def test_it_has_what_the_plugin_hooks_and_what_happened_in_that_time(happened, plugin_queue):
    queue = plugin_queue("watcher", hooks=HOOKS)
    with clock.travel(-5 * 3600):
        happened("early")
    with clock.travel(-3 * 3600):
        created = happened("a", 2)
        happened("a2", 1, "session.deleted")
        login = happened("b", 1, "user.login")
    happened("late")

    replay = replaying.replay_stretch("watcher", hours_ago(4), hours_ago(1))

    assert (replay.sent, replay.is_done) == (3, True)
    bodies = everything(queue)
    assert {body["id"] for body in bodies} == {event.id for event in [*created, *login]}
    assert [body["id"] for body in bodies if body["aggregate"] == "subject#a"] == [event.id for event in created]
    assert all(body["replayed"] and body["settings_version"] == 1 for body in bodies)
    assert replaying.under_way("watcher") == []


def test_what_is_too_much_for_a_request_goes_on_in_the_background_once(happened, plugin_queue):
    queue = plugin_queue("watcher", hooks=HOOKS)
    made = []
    for number in range(4):
        with clock.travel(-3600 * (number + 1)):
            made += happened(f"s{number}", 60)

    replay = replaying.replay_stretch("watcher", hours_ago(6), None)
    assert not replay.is_done
    assert replaying.under_way("watcher") == [replay]
    total = replay.sent
    # Each run of the worker has its time; how much it does in that is the machine's.
    while replaying.under_way("watcher"):
        total += replaying.go_on()

    assert total == len(made)
    assert replaying.go_on() == 0
    bodies = everything(queue)
    assert sorted(body["id"] for body in bodies) == sorted(event.id for event in made)
    for number in range(4):
        own = [body["sequence"] for body in bodies if body["aggregate"] == f"subject#s{number}"]
        assert own == sorted(own)


def test_what_a_failing_worker_left_is_sent_by_the_next_at_least_once_and_in_order(happened, plugin_queue):
    queue = plugin_queue("watcher", hooks=HOOKS)
    with clock.travel(-2 * 3600):
        made = happened("a", 150)
    replay = replaying.replay_stretch("watcher", hours_ago(60), None)
    assert (replay.sent, replay.is_done) == (0, False)
    sends = []

    def fail_after_thirty(**_):
        sends.append(1)
        if len(sends) > 130:
            raise ConnectionError("killed")

    queue.sqs.meta.events.register_first("before-call.sqs.SendMessage", fail_after_thirty)
    try:
        replaying.go_on()
    finally:
        queue.sqs.meta.events.unregister("before-call.sqs.SendMessage", fail_after_thirty)
    (left,) = replaying.under_way("watcher")
    assert left.sent == 100, "page by page"

    replaying.go_on()

    ids = [body["id"] for body in everything(queue)]
    assert list(dict.fromkeys(ids)) == [event.id for event in made]


def test_a_plugin_that_was_switched_off_meanwhile_receives_no_more(happened, plugin_queue):
    plugin_queue("watcher", hooks=HOOKS)
    happened("a", 3)
    replay = replaying.replay_stretch("watcher", hours_ago(50), None)
    assert not replay.is_done
    with unit_of_work() as work:
        active.remove(work, "watcher")

    assert replaying.go_on() == 0
    assert replaying.under_way("watcher") == []


@pytest.mark.parametrize(("since", "until"), [(1, 2), (1, 1), (-1, None)], ids=["backwards", "nothing", "future"])
def test_a_stretch_that_is_none_is_refused(plugin_queue, since, until):
    plugin_queue("watcher", hooks=HOOKS)

    with pytest.raises(ValidationError):
        replaying.replay_stretch("watcher", hours_ago(since), None if until is None else hours_ago(until))


def test_a_plugin_that_is_off_is_refused(plugin_queue):
    plugin_queue("watcher", is_active=False)

    with pytest.raises(PluginReceivesNothing):
        replaying.replay_stretch("watcher", hours_ago(1), None)


def test_many_dead_letters_are_replayed_fifty_at_a_time_oldest_first(happened, plugin_queue):
    queue = plugin_queue("watcher", hooks=HOOKS)
    events = happened("a", replaying.LETTERS_AT_ONCE + 3)
    for event in reversed(events):
        for _ in range(3):
            deliveries.report_failure(
                "watcher", event.id, event.aggregate, event.sequence, begun=False, error={"message": "no"}, receipt_handles=[]
            )

    assert replaying.replay_letters("watcher") == (50, True)
    assert replaying.replay_letters("watcher") == (3, False)

    assert [body["id"] for body in everything(queue)] == [event.id for event in events]
    assert dead_letters.of("watcher") == ([], None)
