"""Three attempts, ended within two minutes whatever becomes of each; and what the platform's own faults are worth."""

import itertools
import json
from contextlib import ExitStack

import pytest

from chalicelib.core import clock
from chalicelib.runtime import attempts, dead_letters, deliveries
from chalicelib.runtime.attempts import PAUSE_AFTER_S
from chalicelib.runtime.deliveries import DEAD_LETTER, RETRY, RUN
from chalicelib.runtime.limits import DEFAULT
from chalicelib.runtime.provisioning import _visibility_s as visibility

THROWN = {"name": "TypeError", "message": "x is undefined"}
AWAY = {"name": "PlatformUnreachableError", "message": "refused", "code": "PLATFORM_UNREACHABLE", "fault": "platform"}
THROTTLED = {"name": "RateLimitedError", "message": "slow down", "code": "RATE_LIMITED", "fault": "platform"}
CRASHES, THROWS = "crashes", "throws"


def place(event):
    return event.id, event.aggregate, event.sequence


def fail(event, *, begun, error=THROWN, **more):
    return deliveries.report_failure("watcher", *place(event), begun=begun, error=error, receipt_handles=[], **more)


def begin(event, **more):
    return deliveries.begin_attempt("watcher", *place(event), **more)


@pytest.mark.parametrize("fates", list(itertools.product([CRASHES, THROWS], repeat=3)), ids="-".join)
def test_three_attempts_of_the_longest_kind_have_ended_within_two_minutes(happened, plugin_queue, fates):
    """Each attempt takes all of the function's time; the protocol as the SDKs follow it, with the clock moved instead of waited for."""
    plugin_queue("watcher")
    (event,) = happened("a")
    passed_s, tried = 0.0, 0

    with ExitStack() as travels:

        def wait(seconds):
            nonlocal passed_s
            passed_s += seconds
            travels.enter_context(clock.travel(seconds))

        for received in itertools.count(1):
            if received > 1 and begin(event) == DEAD_LETTER:
                break
            tried += 1
            if fates[(tried - 1) % 3] == CRASHES:
                wait(float(visibility(DEFAULT)))
                continue
            wait(DEFAULT.timeout_s)
            if fail(event, begun=received > 1) == DEAD_LETTER:
                break
            wait(PAUSE_AFTER_S[min(tried, 2)])

    assert tried == 3
    assert passed_s <= 120
    (letter,) = dead_letters.of("watcher")[0]
    assert letter.attempts == 3


def test_an_event_that_was_only_held_up_has_all_of_its_three_attempts(happened, plugin_queue):
    plugin_queue("watcher")
    poison, behind = happened("a", 2)
    fail(poison, begun=False)
    begin(poison)
    fail(poison, begun=True)
    begin(poison)
    assert fail(poison, begun=True) == DEAD_LETTER

    verdicts = [verdict for _ in range(3) for verdict in (begin(behind), fail(behind, begun=True))]

    assert verdicts == [RUN, RETRY, RUN, RETRY, RUN, DEAD_LETTER]


def test_what_is_the_platforms_fault_counts_as_no_attempt_and_waits_longer_each_time(happened, plugin_queue):
    queue = plugin_queue("watcher")
    (event,) = happened("a")
    queue.put(json.dumps(event.message()))
    (message,) = queue.receive()

    def excuse(begun):
        return deliveries.report_failure("watcher", *place(event), begun=begun, error=AWAY, receipt_handles=[message["ReceiptHandle"]])

    verdicts = [excuse(begun=False)]
    for _ in range(20):
        verdicts += [begin(event), excuse(begun=True)]

    assert set(verdicts) == {RUN, RETRY}
    assert dead_letters.history("watcher") == ([], None)
    assert [attempts.excuse_delay_s(number) for number in (1, 2, 3, 8, 100)] == [5, 10, 20, 600, 600]
    assert fail(event, begun=False) == RETRY, "its own failures begin at the first"


@pytest.mark.parametrize(("error", "believed_s"), [(AWAY, 3600), (THROTTLED, 24 * 3600)])
def test_an_excuse_is_believed_for_its_time_and_then_counts_as_a_failure(happened, plugin_queue, error, believed_s):
    plugin_queue("watcher")
    (event,) = happened("a")
    assert fail(event, begun=False, error=error) == RETRY

    with clock.travel(believed_s - 10):
        for _ in range(5):
            assert (begin(event), fail(event, begun=True, error=error)) == (RUN, RETRY)
    with clock.travel(believed_s + 10):
        verdicts = [verdict for _ in range(3) for verdict in (begin(event), fail(event, begun=True, error=error))]

    assert verdicts[-1] == DEAD_LETTER
    (letter,) = dead_letters.of("watcher")[0]
    assert letter.error == error


def test_an_attempt_whose_excuse_could_not_be_told_at_once_is_taken_back_with_the_next(happened, plugin_queue):
    """The API went away after the attempt had begun: neither the call nor the report of it came through."""
    plugin_queue("watcher")
    (event,) = happened("a")
    fail(event, begun=False, error=AWAY)

    verdicts = [begin(event, unreported=AWAY) for _ in range(10)]

    assert verdicts == [RUN] * 10


def test_a_failure_that_could_not_be_told_counts_and_is_the_dead_letters_error(happened, plugin_queue):
    plugin_queue("watcher")
    (event,) = happened("a")

    verdicts = [begin(event, unreported=THROWN) for _ in range(3)]

    assert verdicts == [RUN, RUN, DEAD_LETTER]
    assert dead_letters.of("watcher")[0][0].error == THROWN
