"""The circuit breaker: a plugin that takes nothing any more is noticed, so that it can be set aside with its events kept.

Promises
    It opens when ten different events have become dead letters within an hour with nothing delivered between them. The same event
    counts once, however often it is replayed.
    A delivery closes it again, as does an activation. Deliveries are reported only while there is a dead letter to be contradicted: each
    message says whether (``report_delivery``), so a healthy plugin's events cost no call.
    What is found open stays on a list until the plugin was set aside, so that a killed worker's work is finished by the next.

Here it is only noticed. Setting a plugin aside is a change of its status: ``plugins.set_aside``.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from chalicelib.core import clock
from chalicelib.events import UnitOfWork
from chalicelib.runtime import active, dead_letters
from chalicelib.runtime.dead_letters import DeadLetter
from chalicelib.runtime.models import RuntimeRow

MOST_FAILURES = 10
WITHIN_S = 3600

_FAILING = "FAILING"


def is_open(failures: Iterable[DeadLetter]) -> bool:
    """Whether these, with nothing delivered between them, are too many. Pure."""
    return len({letter.event_id for letter in failures if letter.counts}) >= MOST_FAILURES


def streak(slug: str) -> list[DeadLetter]:
    """What died within the last hour, and since the last delivery or activation; latest first. Two calls."""
    now_ms = int(clock.timestamp() * 1000)
    since_ms = max(now_ms - WITHIN_S * 1000, active.delivered_at_ms(slug) or 0)
    return dead_letters.history_since(slug, since_ms)


def note_dead_letter(slug: str) -> None:
    """A dead letter was recorded: deliveries are to be reported from now on; and if it was one too many, the plugin is put on the list."""
    active.expect_reports(slug)
    if is_open(streak(slug)):
        # An update keeps what the row says already: that the plugin was marked.
        RuntimeRow(_FAILING, slug).update(actions=[RuntimeRow.at.set(int(clock.timestamp()))])


def note_delivery(slug: str) -> None:
    """The plugin has taken an event."""
    active.note_delivery(slug)


def is_failing(slug: str) -> bool:
    """Whether it is on the list. One GetItem."""
    with suppress(RuntimeRow.DoesNotExist):
        RuntimeRow.get(_FAILING, slug, consistent_read=True)
        return True
    return False


def mark(work: UnitOfWork, slug: str) -> None:
    """With the transaction that takes it out of service: what follows from that is still to be done."""
    work.update(RuntimeRow(_FAILING, slug), [RuntimeRow.is_set_aside.set(True)])


def is_marked(slug: str) -> bool:
    """Whether it was taken out of service, and not all of what follows was done. One GetItem."""
    with suppress(RuntimeRow.DoesNotExist):
        return bool(RuntimeRow.get(_FAILING, slug, consistent_read=True).is_set_aside)
    return False


def failing() -> list[str]:
    """The slugs on the list. Key condition: pk = FAILING."""
    return [row.sk for row in RuntimeRow.query(_FAILING, consistent_read=True)]


def settle(slug: str) -> None:
    """Off the list."""
    RuntimeRow(_FAILING, slug).delete()


def settle_with(work: UnitOfWork, slug: str) -> None:
    """Off the list, with the transaction that makes the plugin active."""
    work.delete(RuntimeRow(_FAILING, slug))
