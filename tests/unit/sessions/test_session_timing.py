"""When a session ends by itself, and what is to be done about it at a given moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.quantities import parse_duration
from chalicelib.sessions import timing
from chalicelib.sessions.session import Session
from chalicelib.sessions.timing import End, Step

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
SESSION = Session(
    id="john-firefox",
    user="john",
    template="firefox",
    state="running",
    memory="2Gi",
    cpu="1",
    persistent_home=True,
    idle_timeout="30m",
    max_session_duration="8h",
    created_at=NOON,
    updated_at=NOON,
    running_since=NOON,
)


def after(duration):
    return NOON + timedelta(seconds=parse_duration(duration))


def test_idleness_is_counted_from_the_last_thing_that_happened():
    assert timing.next_end(SESSION) == End("idle", after("30m"))
    assert timing.next_end(replace(SESSION, ready_since=after("2m"))) == End("idle", after("32m"))
    assert timing.next_end(replace(SESSION, ready_since=after("2m"), last_activity=after("1h"))) == End("idle", after("90m"))


def test_a_lifetime_is_all_the_running_together_and_stands_still_while_the_session_sleeps():
    used = replace(SESSION, last_activity=after("7h50m"))
    asleep, _ = used.moved("hibernated", after("7h55m"))
    woken, _ = asleep.moved("running", after("100h"))

    assert timing.next_end(used) == End("lifetime", after("8h"))
    assert timing.next_end(asleep) is None
    assert timing.next_end(woken) == End("lifetime", after("100h5m"))


def test_waking_begins_idleness_anew():
    asleep, _ = SESSION.moved("hibernated", after("30m"))
    woken, _ = asleep.moved("running", after("9h"))

    assert timing.next_end(woken) == End("idle", after("9h30m"))


@pytest.mark.parametrize(("idle", "lifetime"), [("0", "2000000h"), ("0s", "2562047h"), ("0", "8h")])
def test_without_an_idle_timeout_only_a_lifetime_ends_a_session(idle, lifetime):
    end = timing.next_end(replace(SESSION, idle_timeout=idle, max_session_duration=lifetime))

    assert end == (End("lifetime", after("8h")) if lifetime == "8h" else None)
    assert timing.due_at(replace(SESSION, state="terminated")) is None


def test_a_session_that_is_held_awake_is_not_idle_before_that():
    held = replace(SESSION, awake_until=after("3h"))

    assert timing.next_end(held) == End("idle", after("3h"))
    assert timing.next_end(replace(held, last_activity=after("2h50m"))) == End("idle", after("3h20m"))


def test_the_owner_is_told_five_minutes_before_and_then_it_ends():
    told = replace(SESSION, warned_of=after("30m"), ends_no_sooner_than=after("30m"))

    assert timing.due_at(SESSION) == after("25m")
    assert timing.step(SESSION, after("24m59s")) == Step("wait", End("idle", after("30m")))
    assert timing.step(SESSION, after("25m")) == Step("warn", End("idle", after("30m")))
    assert timing.due_at(told) == after("30m")
    assert timing.step(told, after("29m")) == Step("wait", End("idle", after("30m")))
    assert timing.step(told, after("30m")) == Step("end", End("idle", after("30m")))


def test_a_short_timeout_is_told_of_half_way():
    assert timing.step(replace(SESSION, idle_timeout="4m"), after("2m")) == Step("warn", End("idle", after("4m")))


def test_activity_after_the_warning_makes_it_void():
    used = replace(SESSION, warned_of=after("30m"), ends_no_sooner_than=after("30m"), last_activity=after("27m"))

    assert timing.step(used, after("30m")) == Step("wait", End("idle", after("57m")))
    assert timing.step(used, after("52m")) == Step("warn", End("idle", after("57m")))


def test_nobody_is_put_to_sleep_untold_though_no_sweep_ran_for_hours():
    late = timing.step(SESSION, after("4h"))
    told = replace(SESSION, warned_of=after("30m"), ends_no_sooner_than=late.end.at)

    assert late == Step("warn", End("idle", after("4h5m")))
    assert timing.step(told, after("4h1m")) == Step("wait", End("idle", after("4h5m")))
    assert timing.step(told, after("4h5m")) == Step("end", End("idle", after("4h5m")))


MINUTES = st.integers(0, 600)


@settings(max_examples=60, deadline=None)
@given(idle=MINUTES, lifetime=st.integers(1, 600), used=st.none() | MINUTES, held=st.none() | MINUTES, begin=MINUTES)
def test_whatever_happened_a_sweep_of_each_minute_warns_once_and_then_ends_in_time(idle, lifetime, used, held, begin):
    session = replace(
        SESSION,
        idle_timeout=f"{idle}m" if idle else "0",
        max_session_duration=f"{lifetime}m",
        last_activity=None if used is None else after(f"{used}m"),
        awake_until=None if held is None else after(f"{held}m"),
    )
    acts = []
    for minute in range(begin, begin + 1300):
        now = after(f"{minute}m")
        step = timing.step(session, now)
        assert step is not None, "every lifetime ends"
        assert (step.act == "wait") == (now < timing.due_at(session)), "the index says when there is something to do"
        if step.act == "warn":
            acts.append(("warn", now))
            unended = timing.idle_ends_at(session) if step.end.kind == "idle" else timing.lifetime_ends_at(session)
            session = replace(session, warned_of=unended, ends_no_sooner_than=step.end.at)
        if step.act == "end":
            acts.append(("end", now))
            break

    assert [act for act, _ in acts] == ["warn", "end"]
    period = idle if step.end.kind == "idle" else lifetime
    assert acts[1][1] - acts[0][1] >= min(timing.WARNED_BEFORE, timedelta(minutes=period) / 2) - timedelta(minutes=1)
