"""How often an event was tried, and when it is tried again.

Promises
    An event has three attempts. The third has ended within two minutes of the first's beginning, whether they throw, time out or kill the
    function, as long as the plugin's timeout is the default.
    What the plugin says is the platform's fault is no attempt, and is tried again with growing delays: for an hour, a throttle for a
    day. After that it counts like any failure, so that no plugin can excuse itself for ever.

The arithmetic, with the default timeout of 30 s and a queue that shows a message again after 35 s: an attempt that kills the function
costs 35 s, one that throws at most 30 s and the pause after it. Three of the worst, 107 s, are told in
``tests/integration/runtime/test_attempts.py``.

An attempt is counted when it is begun or reported, never from SQS's receive count, which a failed message raises for all of its group.
A first delivery is not announced (that would be a call for each healthy event), so an event that is announced for the first time counts as
tried once before; unless an earlier event of its own session or user held it up just now.
"""

from __future__ import annotations

from typing import Any

from chalicelib.core import clock
from chalicelib.events import Event
from chalicelib.runtime.limits import DEFAULT
from chalicelib.runtime.models import RuntimeRow, event_key

ATTEMPTS = 3
# How long a failed event, and what is behind it in its group, waits for the next attempt.
PAUSE_AFTER_S = {1: 2, 2: 10}
PLATFORM = "platform"
_EXCUSED_FOR_S, _THROTTLED_FOR_S = 3600, 24 * 3600
_FIRST_DELAY_S, _LONGEST_DELAY_S = 5, 600
_COUNTED_FOR_S = 48 * 3600
# Within one run of the function the head of a group is troubled and the next event announced. A function that was killed in between
# shows its messages again only after the queue's patience, which is longer.
_HELD_UP_S = DEFAULT.timeout_s + 3


def excuse_delay_s(excuses: int) -> int:
    """The delay after the excuse of that number, from 1: 5, 10, 20 … and never more than 600 s. Pure."""
    return min(_FIRST_DELAY_S * 2 ** min(excuses - 1, 10), _LONGEST_DELAY_S)


def is_excused(error: dict[str, Any], *, excused_for_s: float) -> bool:
    """Whether a failure is believed to be the platform's, when the event was excused for that long already. Pure."""
    if error.get("fault") != PLATFORM:
        return False
    return excused_for_s < (_THROTTLED_FOR_S if error.get("code") == "RATE_LIMITED" else _EXCUSED_FOR_S)


def begin(slug: str, event: Event) -> int:
    """Count an attempt that begins; how many there were with it. Three to four calls."""
    row = _row(slug, event.id)
    row.update(actions=[RuntimeRow.attempts.add(1), _expiry()])
    if int(row.attempts) == 1 and row.excuses is None and not _was_held_up(slug, event):
        row.update(actions=[RuntimeRow.attempts.add(1)])
    _note_head(slug, event)
    return int(row.attempts)


def failed(slug: str, event: Event, *, begun: bool) -> int:
    """An attempt failed, which was counted when it was ``begun``, or is counted now; how many there were with it. Two calls."""
    row = _row(slug, event.id)
    # Where the count is lost (its time was over), the one that just failed is known at least.
    row.update(actions=[RuntimeRow.attempts.set(RuntimeRow.attempts | 1) if begun else RuntimeRow.attempts.add(1), _expiry()])
    _note_head(slug, event)
    return int(row.attempts)


def excuse(slug: str, event: Event, error: dict[str, Any], *, begun: bool) -> int | None:
    """The delay in seconds before an attempt that failed by the platform's fault is made again; None when that is not (any more) believed.

    Two or three calls.
    """
    now_s = int(clock.timestamp())
    known = _find(slug, event.id)
    since = int(known.excused_since) if known is not None and known.excused_since is not None else now_s
    if not is_excused(error, excused_for_s=now_s - since):
        return None
    row = _row(slug, event.id)
    actions = [RuntimeRow.excuses.add(1), RuntimeRow.excused_since.set(since), _expiry()]
    if begun and known is not None and int(known.attempts or 0) > 0:
        actions.append(RuntimeRow.attempts.add(-1))
    row.update(actions=actions)
    _note_head(slug, event)
    return excuse_delay_s(int(row.excuses))


def forget(slug: str, event_id: int) -> None:
    """The event begins anew."""
    _row(slug, event_id).delete()


def _was_held_up(slug: str, event: Event) -> bool:
    """Whether an earlier event of its aggregate was in trouble so recently that this one was received with it, and given back untried."""
    try:
        head = RuntimeRow.get(f"ATTEMPTS#{slug}", _head_key(event), consistent_read=True)
    except RuntimeRow.DoesNotExist:
        return False
    return int(head.sequence) < event.sequence and clock.timestamp() - float(head.at) < _HELD_UP_S


def _note_head(slug: str, event: Event) -> None:
    RuntimeRow(f"ATTEMPTS#{slug}", _head_key(event)).update(
        actions=[RuntimeRow.sequence.set(event.sequence), RuntimeRow.at.set(clock.timestamp()), _expiry()]
    )


def _find(slug: str, event_id: int) -> RuntimeRow | None:
    try:
        return RuntimeRow.get(f"ATTEMPTS#{slug}", event_key(event_id), consistent_read=True)
    except RuntimeRow.DoesNotExist:
        return None


def _row(slug: str, event_id: int) -> RuntimeRow:
    return RuntimeRow(f"ATTEMPTS#{slug}", event_key(event_id))


def _head_key(event: Event) -> str:
    return f"HEAD#{event.aggregate}"


def _expiry() -> Any:
    return RuntimeRow.expires_at.set(int(clock.timestamp()) + _COUNTED_FOR_S)
