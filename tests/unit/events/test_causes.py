"""How many hooks led to an event: a pure decision."""

import pytest

from chalicelib.events.causes import MOST_HOPS, Actor, Cause, cause_of

NOW = 1_000_000.0


def last(hops, seconds_ago=1):
    return Cause(hops, "other", NOW - seconds_ago)


def hops_of(actor, before=None):
    cause = cause_of(actor, before, NOW)
    return cause.hops if cause else 0


def plugin(hops):
    return Actor("watcher", "watcher", "plugin", hops)


@pytest.mark.parametrize("before", [None, last(5)])
def test_what_a_person_does_begins_anew(before):
    assert hops_of(Actor("ann", "Ann"), before) == hops_of(None, before) == 0


def test_what_a_plugin_says_holds_whatever_was_before():
    assert hops_of(plugin(3)) == hops_of(plugin(3), last(7)) == 3


def test_a_plugin_that_does_not_say_is_taken_to_answer_to_what_just_happened():
    assert hops_of(plugin(None)) == 1
    assert hops_of(plugin(None), last(4)) == 5
    assert hops_of(plugin(None), last(4, seconds_ago=61)) == 1


def test_the_platform_goes_on_with_what_somebody_began():
    platform = Actor("platform", "StreamSpace", "platform")

    assert hops_of(platform) == 0
    assert cause_of(platform, last(4, seconds_ago=10_000), NOW) == last(4, seconds_ago=10_000)


def test_hops_stay_small_enough_to_be_written_down():
    assert hops_of(plugin(10**6)) == MOST_HOPS


def test_a_cause_is_read_as_it_was_written():
    assert Cause.of_text(last(2).text()) == last(2)
    assert Cause.of_text(None) is None
