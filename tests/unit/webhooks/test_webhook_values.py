"""What a webhook wants, and when a delivery is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.webhooks.delivery import DELAYS_S, Attempt, next_attempt
from chalicelib.webhooks.webhook import EVENT_TYPES, Webhook, wanted_types

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def webhook(*events, **more):
    return Webhook("w", "https://example.com", events, "sealed", NOW, NOW, "ann", **more)


@pytest.mark.parametrize(
    ("pattern", "event", "wanted"),
    [
        ("*", "session.created", True),
        ("plugin.*", "plugin.installed", True),
        ("plugin.*", "session.created", False),
        ("plugin.installed", "plugin.installed", True),
        ("plugin.installed", "plugin.activated", False),
    ],
)
def test_patterns(pattern, event, wanted):
    assert webhook(pattern).wants(event) is wanted


def test_one_that_is_switched_off_wants_nothing():
    assert not webhook("*", is_active=False).wants("plugin.installed")
    assert wanted_types([webhook("*", is_active=False)]) == frozenset()
    assert wanted_types([webhook("user.*"), webhook("plugin.failed")]) == {
        *(one for one in EVENT_TYPES if one.startswith("user.")),
        "plugin.failed",
    }


def test_a_replaced_secret_signs_for_one_more_day():
    rotated = webhook("*").rotated("new", NOW)

    assert rotated.secrets_at(NOW + timedelta(hours=23)) == ["new", "sealed"]
    assert rotated.secrets_at(NOW + timedelta(hours=25)) == ["new"]


def attempt(status_code=500, retry_after_s=None):
    return Attempt("2026-01-02T03:04:05Z", status_code, None, 10, "", retry_after_s)


def test_the_delays_grow_are_jittered_and_cover_a_day():
    moment, waits = NOW, []
    for made in range(1, len(DELAYS_S)):
        following = next_attempt(made, attempt(), moment)
        waits.append((following - moment).total_seconds())
        moment = following

    assert next_attempt(len(DELAYS_S), attempt(), moment) is None
    for wait, least in zip(waits, DELAYS_S[1:], strict=True):
        assert least <= wait <= least * 1.2
    assert (moment - NOW) > timedelta(hours=24)
    assert len({next_attempt(3, attempt(), NOW) for _ in range(20)}) > 1


def test_retry_after_is_honoured_up_to_a_day():
    assert next_attempt(1, attempt(429, 120), NOW) - NOW >= timedelta(seconds=120)
    assert next_attempt(1, attempt(503, 10**8), NOW) - NOW == timedelta(days=1)
    assert next_attempt(6, attempt(503, 1), NOW) - NOW >= timedelta(hours=10)


@pytest.mark.parametrize(("code", "succeeded"), [(200, True), (204, True), (299, True), (301, False), (404, False), (None, False)])
def test_any_2xx_counts(code, succeeded):
    assert attempt(code).has_succeeded is succeeded


def test_a_receiver_that_is_gone_is_not_tried_again():
    assert next_attempt(1, attempt(410), NOW) is None
