"""Safe mode: every plugin that is not core is off until it is left again.

Promises
    Off begins with one transaction, however many plugins there are: from then on no token of theirs opens anything, no command, endpoint,
    button, widget or theme of theirs is there, and none is activated. When :func:`switch` returns, that holds in every container.
    What happens meanwhile is kept: events go on to the plugins' queues and wait there, schedules rest.
    Leaving restores what was active, without loading anything: the same tokens, registrations and schedules. A plugin that was deactivated,
    removed or set aside meanwhile stays so.
    Queues and schedules follow the transaction, one plugin at a time; what is killed half-way the sweep finishes within a minute. A message
    or a run that is faster meets a closed platform, and comes again.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from chalicelib import accounts, messaging, runtime
from chalicelib.accounts import Caller
from chalicelib.core import clock, log
from chalicelib.core.errors import SafeModeIsOn
from chalicelib.events import retried, unit_of_work
from chalicelib.plugins import locks, registry
from chalicelib.plugins.errors import PluginBusy
from chalicelib.runtime.active import SafeMode

_ENTERED = "Every plugin that is not core is off; what happens meanwhile is kept for them."
_LEFT = "What was active is on again."
_AT_ONCE = 8
# A request has 29 s; the rest is the sweep's.
_PATIENCE_S = 15.0


def switch(*, on: bool, by: Caller) -> SafeMode:
    """Enter or leave safe mode; again is fine. What holds when it returns; ``left`` names plugins whose queues follow within a minute."""
    if declare(by, on=on):
        # Until then a container may go by what it read before.
        time.sleep(accounts.allowed.FRESH_S)
    settle()
    return runtime.active.safe_mode()


@retried
def declare(by: Caller, *, on: bool) -> bool:
    """The one transaction; whether there was anything to change. What belongs to it besides is :func:`switch`'s."""
    before = runtime.active.safe_mode()
    if before.is_on == on:
        return False
    spared = frozenset(one.slug for one in registry.all_installed() if one.manifest.is_core) if on else frozenset[str]()
    concerned = tuple(one.slug for one in runtime.active.all_with_queues() if one.slug not in (spared or before.spared))
    mode = SafeMode(on, spared, concerned, clock.rfc3339(clock.now()), by.name)
    with unit_of_work(by.actor) as work:
        runtime.active.put_safe_mode(work, mode, before=before)
        accounts.counts.put_safe_mode(work, spared if on else None)
        messaging.notify(
            messaging.ADMINS,
            "Safe mode was entered" if on else "Safe mode was left",
            f"By {by.name}. {_ENTERED if on else _LEFT}",
            type="warning" if on else "info",
            work=work,
        )
    return True


def settle(patience_s: float = _PATIENCE_S) -> int:
    """Bring queues and schedules in line with the mode, of those plugins that are not yet; how many. One GetItem where there are none."""
    left = runtime.active.safe_mode().left
    if not left:
        return 0
    ends_at = time.monotonic() + patience_s
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        done = [slug for slug, is_done in zip(left, threads.map(lambda slug: _settle_one(slug, ends_at), left), strict=True) if is_done]
    _strike(done)
    return len(done)


def _settle_one(slug: str, ends_at: float) -> bool:
    if time.monotonic() > ends_at:
        return False
    try:
        with locks.held(slug, "safe mode"):
            follow(slug)
    except PluginBusy:
        return False
    except Exception:  # noqa: BLE001 the others go on, and it stays on the list
        log.logger().exception("a plugin did not follow safe mode", extra={"plugin": slug})
        return False
    return True


def follow(slug: str) -> None:
    """Bring one plugin's queue and schedules in line with the mode as it is now. Who calls this holds its lock. May be done twice."""
    plugin = runtime.active.with_queue(slug)
    if plugin is None or plugin.is_set_aside or plugin.is_held:
        # It is off, or somebody changes it, for reasons of its own.
        return
    runtime.schedules.switch(slug, on=not plugin.is_paused)
    runtime.provisioning.switch_deliveries(slug, on=not plugin.is_paused)


@retried
def _strike(done: list[str]) -> None:
    now = runtime.active.safe_mode()
    left = tuple(slug for slug in now.left if slug not in done)
    if left != now.left:
        with unit_of_work() as work:
            runtime.active.put_safe_mode(work, replace(now, left=left), before=now)


def refuse_start(slug: str) -> None:
    """Raises SafeModeIsOn where nothing of this plugin may be started now. One GetItem."""
    if runtime.active.safe_mode().pauses(slug):
        raise SafeModeIsOn(slug)
