"""Plugins that cause each other's events are stopped; what they did is done, and administrators are told."""

import json

import pytest

from chalicelib import accounts, messaging, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.events import unit_of_work
from chalicelib.marketplace import repository as marketplace
from chalicelib.runtime.active import ActivePlugin
from chalicelib.workers import dispatch
from tests.event_history import history
from tests.integration.jobs.conftest import package
from tests.integration.test_dispatcher import inserted

ADMIN = Caller("user", "ann", "Ann", "admin", None)
LIMIT = 10


@pytest.fixture
def loop(platform, repository, call, monkeypatch):
    """``loop("a", "b")``: plugins that answer to each update of a user with another one, but not to their own where there are two.

    Runs until nothing happens any more, and says how many rounds that took.
    """
    monkeypatch.setenv("STREAMSPACE_SESSIONS_QUEUE_URL", "http://nowhere")
    accounts.create_user(username="jane", full_name="0", email="jane@example.com", by=None)

    def install(slug):
        repository.publish(package(slug, permissions=["write:users"]))
        marketplace.forget()
        assert platform.install(slug, activate=False).status == "succeeded"
        url = runtime.provisioning.queue_url(slug)
        with unit_of_work() as work:
            runtime.active.put(work, ActivePlugin(slug, url, 1, {"hooks": ["user.updated"]}))
        return url, accounts.issue_plugin_token(slug, frozenset({"write:users"}))

    def run(*slugs, headers=lambda event: {"x-streamspace-hops": str(event.get("hops", 0))}):
        installed = {slug: install(slug) for slug in slugs}
        call("PATCH", "/users/jane", {"fullName": "1"})
        sqs = platform.aws.client("sqs")
        rounds = 0
        seen = set()
        while rounds < 50:
            rows = [event.row() for event in history("user#jane", newest_first=False) if event.id not in seen]
            seen |= {row.id for row in rows}
            dispatch.handle({"Records": [inserted(row) for row in rows]})
            heard = 0
            for slug, (url, token) in installed.items():
                for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    event = json.loads(message["Body"])
                    if len(slugs) > 1 and event["data"]["fullName"].startswith(slug):
                        continue
                    heard += 1
                    answer = call("PATCH", "/users/jane", {"fullName": f"{slug} {rounds}"}, token=token, headers=headers(event))
                    assert answer.status == 200, answer.text
            if not heard:
                break
            rounds += 1
        return rounds

    return run


def notifications():
    return messaging.inbox(ADMIN).notifications


def test_a_plugin_that_causes_its_own_events_is_stopped_after_ten_hooks(loop):
    assert loop("echo") == LIMIT + 1

    events = list(history("user#jane", newest_first=False))
    updated = [event for event in events if event.type == "user.updated"]
    assert [event.hops for event in updated] == list(range(LIMIT + 2))
    assert accounts.get_user("jane").full_name == f"echo {LIMIT}", "the last change was made, and told to nobody"


def test_two_plugins_that_answer_to_each_other_are_stopped_as_well(loop):
    loop("ping", "pong")

    updated = [event for event in history("user#jane", newest_first=False) if event.type == "user.updated"]
    # Both answer to the person's change, so there are two strands; each ends after as many hooks.
    assert max(event.hops for event in updated) == LIMIT + 1
    assert len(updated) <= 1 + 2 * (LIMIT + 1)
    assert {event.caused_by for event in updated if event.hops > LIMIT} == {"ping", "pong"}
    assert plugins.tell_of_loops() == 2


def test_administrators_are_told_once_in_an_hour_and_the_plugins_log_says_it(loop):
    loop("echo")

    assert plugins.tell_of_loops() == 1
    assert plugins.tell_of_loops() == 0

    (notification,) = notifications()
    assert notification.title == "Echo is part of a loop"
    (told,) = [event for event in history("plugin#echo") if event.type == "plugin.loop_stopped"]
    assert (told.data["event_type"], told.data["hops"], told.data["count"]) == ("user.updated", LIMIT + 1, 1)


def test_another_loop_within_the_hour_is_told_when_it_is_over(loop):
    loop("echo")
    plugins.tell_of_loops()
    (withheld,) = [event for event in history("user#jane") if event.hops > LIMIT]
    runtime.loops.note(withheld)

    assert plugins.tell_of_loops() == 0
    with clock.travel(3700):
        assert plugins.tell_of_loops() == 1


@pytest.mark.parametrize(
    "headers",
    [lambda event: {}, lambda event: {"x-streamspace-hops": "nonsense"}, lambda event: {"x-streamspace-hops": "-5"}],
    ids=["silent", "nonsense", "negative"],
)
def test_a_plugin_that_does_not_say_what_it_answers_to_is_stopped_all_the_same(loop, headers):
    assert loop("echo", headers=headers) == LIMIT + 1


def test_a_person_cannot_be_taken_for_a_plugin(loop, call):
    call("PATCH", "/users/ann", {"fullName": "Other"}, headers={"x-streamspace-hops": "50"})

    assert history("user#ann")[0].hops == 0
