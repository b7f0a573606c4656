"""Licences of installed plugins: what activating, confirming and losing one means for the plugin.

Promises
    A plugin that needs a licence is active only while it has one that is good; what ends is noticed within the hour, and then the plugin
    is switched off, and administrators are told, once.
    They are warned before: 14 and 3 days before a licence expires, and when the licence service was away for a day, and again 3 days
    before that ends the licence. (Who is killed between telling them and noting it tells them twice.)
    A licence and the events about it change together or not at all. Each seat is kept with a plugin, or given back (``licensing.returns``).
    An update keeps the licence, an uninstall gives it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from chalicelib import licensing, messaging
from chalicelib.accounts import Caller
from chalicelib.core import clock, log
from chalicelib.events import Actor, retried, unit_of_work
from chalicelib.licensing import License, LicenseExpired, LicenseInvalid, LicenseServiceUnavailable, SealedKey, Standing
from chalicelib.licensing.license import AWAY, ENDED, EXPIRY
from chalicelib.plugins import dependencies, lifecycle, locks, registry
from chalicelib.plugins.errors import PluginBusy
from chalicelib.plugins.registry import InstalledPlugin

WARNED_BEFORE_DAYS = (14, 3)
# A service that is away for less is nobody's trouble.
_AWAY_FOR = timedelta(days=1)
# The check's function has two minutes; one licence may take the service's deadline, and switching a plugin off some seconds.
_CHECK_PATIENCE_S = 75.0
_PLATFORM = Actor("platform", "StreamSpace")


@dataclass(frozen=True)
class Verified:
    """``is_confirmed``: the service said so just now; else it could not be asked, and the signed licence that is here is good."""

    plugin: InstalledPlugin
    is_confirmed: bool


def standing(plugin: InstalledPlugin) -> Standing | None:
    """How its licence stands now. None: it needs none, and has none. Costs nothing."""
    if plugin.license is not None:
        return licensing.standing_of(plugin.license, clock.now(), licensing.grace())
    return licensing.missing() if plugin.manifest.requires_license else None


def activate(slug: str, key: str, *, by: Caller) -> InstalledPlugin:
    """Take a seat for this installation and keep the licence; the one before it, if it was another key's, gives its seat back.

    The plugin is not switched on. Raises: PluginNotFound, ValidationError for a key that is none, PluginBusy, LicenseInvalid,
    LicenseExpired, LicenseServiceUnavailable.
    """
    registry.get(slug)
    sealed = licensing.sealed(key, slug)
    with locks.held(slug, "activate licence"):
        return attach(slug, sealed, by.actor)


def attach(slug: str, key: SealedKey, actor: Actor) -> InstalledPlugin:
    """What :func:`activate` does, for who has the lock. May be done twice."""
    registry.get(slug)
    licensing.returns.claim(slug, key)
    try:
        confirmation = licensing.activate(slug, key)
    except (LicenseInvalid, LicenseExpired):
        # It was refused: there is no seat.
        licensing.returns.settle(slug, key)
        raise
    plugin = _keep(slug, License.fresh(key, confirmation, clock.now()), actor)
    give_back(slug)
    return plugin


@retried
def _keep(slug: str, license: License, actor: Actor) -> InstalledPlugin:
    before = registry.get(slug)
    old = before.license
    is_another = old is None or old.key.fingerprint != license.key.fingerprint
    plugin = replace(before, license=license)
    with unit_of_work(actor) as work:
        row = registry.save(work, plugin)
        licensing.returns.settle_with(work, slug, license.key)
        if old is not None and is_another:
            licensing.returns.order_with(work, slug, old.key)
        # The same once more, such as by a step that runs twice, is no news.
        if old is None or is_another or _is_news(old, license):
            work.emit("plugin.license_activated", row, {"plugin": plugin.summary(), **_told_of(license)})
    return plugin


def deactivate(slug: str, *, by: Caller) -> InstalledPlugin:
    """Let go of the licence and give its seat back, now or as soon as the service is there. A plugin that needs it is switched off first.

    Raises: PluginNotFound, PluginBusy, LicenseInvalid where there is none, PluginIsCore and HasDependents for one that is active.
    """
    registry.get(slug)
    with locks.held(slug, "deactivate licence"):
        plugin = registry.get(slug)
        if plugin.license is None:
            raise LicenseInvalid("missing", slug)
        if plugin.is_active and plugin.manifest.requires_license:
            plugin.must_not_be_core()
            dependencies.refuse_while_needed(slug, [one for one in registry.all_installed() if one.is_active])
            lifecycle.switch_off(slug, by.actor)
        return detach(slug, by.actor) or registry.get(slug)


def detach(slug: str, actor: Actor) -> InstalledPlugin | None:
    """The licence goes, and its seat with it; for who has the lock. May be done twice; no plugin and no licence are fine."""
    plugin = _let_go(slug, actor)
    give_back(slug)
    return plugin


@retried
def _let_go(slug: str, actor: Actor) -> InstalledPlugin | None:
    before = registry.find(slug)
    if before is None or before.license is None:
        return before
    plugin = replace(before, license=None)
    with unit_of_work(actor) as work:
        row = registry.save(work, plugin)
        licensing.returns.order_with(work, slug, before.license.key)
        work.emit("plugin.license_deactivated", row, {"plugin": plugin.summary(), "license_key": before.license.key.masked})
    return plugin


def give_back(slug: str) -> int:
    """Give back the plugin's seats that are on the list; how many. For who has the lock. While the service is away they stay on it."""
    waiting = licensing.returns.of(slug)
    if not waiting:
        return 0
    plugin = registry.find(slug)
    kept = plugin.license.key.fingerprint if plugin and plugin.license else None
    count = 0
    for key in waiting:
        if key.fingerprint == kept:
            licensing.returns.settle(slug, key)
            continue
        try:
            licensing.returns.give_back(slug, key)
            count += 1
        except LicenseServiceUnavailable as error:
            log.logger().warning("seat not given back yet", extra={"plugin": slug, "license_key": key.masked, "reason": error.message})
    return count


def verify(slug: str) -> Verified:
    """Ask the service whether the licence is good; where it cannot be asked, its signature, date and grace say so.

    What is learnt is kept. Raises: PluginNotFound, LicenseInvalid, LicenseExpired.
    """
    plugin = registry.get(slug)
    is_confirmed = True
    try:
        plugin = _asked(plugin, _PLATFORM)
    except LicenseServiceUnavailable:
        is_confirmed = False
        plugin = registry.get(slug)
        licensing.require(slug, plugin.license)
    return Verified(plugin, is_confirmed)


def renew(slug: str, *, by: Caller) -> InstalledPlugin:
    """Fetch the licence anew, such as one that was prolonged. Raises what :func:`verify` raises, PluginBusy, LicenseServiceUnavailable."""
    registry.get(slug)
    with locks.held(slug, "renew licence"):
        return _asked(registry.get(slug), by.actor)


def _asked(plugin: InstalledPlugin, actor: Actor) -> InstalledPlugin:
    """The plugin with what the service says of its licence now, which is kept, whatever it is. Raises what the service refuses it for,
    and LicenseServiceUnavailable."""
    slug, license = plugin.slug, plugin.license
    if license is None:
        raise LicenseInvalid("missing", slug)
    now = clock.now()
    try:
        confirmation = licensing.renew(slug, license)
    except (LicenseInvalid, LicenseExpired) as refusal:
        reason = str(refusal.details["reason"])
        _record(slug, license, lambda kept: kept.refused_for(reason, now), actor)
        raise
    except LicenseServiceUnavailable:
        _record(slug, license, lambda kept: kept.unanswered(now), actor)
        raise
    return _record(slug, license, lambda kept: kept.confirmed(confirmation, now), actor)


@retried
def _record(slug: str, asked: License, change: Callable[[License], License], actor: Actor) -> InstalledPlugin:
    """An event only where the holder has something else now."""
    plugin = registry.get(slug)
    before = plugin.license
    if before is None or before.key.fingerprint != asked.key.fingerprint:
        # Another one was activated meanwhile: this answer is not about it.
        return plugin
    after = change(before)
    changed = replace(plugin, license=after)
    if not _is_news(before, after):
        registry.note_license(plugin, after)
        return changed
    with unit_of_work(actor) as work:
        row = registry.save(work, changed)
        work.emit("plugin.license_renewed", row, {"plugin": plugin.summary(), **_told_of(after)})
    return changed


def _is_news(before: License, after: License) -> bool:
    """Whether the holder has something else now: other terms, or a licence again that was refused."""
    return after.terms.grants_other_than(before.terms) or (before.refused is not None and after.refused is None)


def _told_of(license: License) -> dict[str, Any]:
    ends = license.terms.expires_at
    return {
        "license_key": license.key.masked,
        "type": license.terms.type,
        "features": list(license.terms.features),
        "expires_at": clock.rfc3339(ends) if ends else None,
    }


# ── The check, by the clock ─────────────────────────────────────────────────────────────────────────────────────────────────────


def check() -> dict[str, int]:
    """Have each licence confirmed that is due, switch off what has none any more, warn, and give back the seats that are on the list.

    A plugin that somebody works on, and what there is no time left for, waits for the next check; the one that was not asked about for
    the longest time comes first. Costs a Query, and some calls for each licence that is due.
    """
    deadline = time.monotonic() + _CHECK_PATIENCE_S
    done = {"checked": 0, "ended": 0, "given_back": 0}
    licensed = [one for one in registry.all_installed() if one.license is not None or (one.lacks_license and one.is_active)]
    for plugin in sorted(licensed, key=lambda one: one.license.asked_at if one.license else one.installed_at):
        if time.monotonic() > deadline:
            break
        done["ended"] += _unless_busy(plugin.slug, _check_one)
        done["checked"] += 1
    for slug in licensing.returns.due():
        if time.monotonic() > deadline:
            break
        done["given_back"] += _unless_busy(slug, give_back)
    return done


def _unless_busy(slug: str, work: Callable[[str], int]) -> int:
    try:
        with locks.held(slug, "check licence"):
            return work(slug)
    except PluginBusy:
        return 0
    except Exception:  # noqa: BLE001 one plugin's trouble is not the others', and the next check comes
        log.logger().exception("licence not checked", extra={"plugin": slug})
        return 0


def _check_one(slug: str) -> int:
    """1 where the licence was found to have ended."""
    plugin = registry.find(slug)
    if plugin is None:
        return 0
    license = plugin.license
    if license is not None and license.is_to_be_asked_about(clock.now()):
        try:
            _asked(plugin, _PLATFORM)
        except (LicenseInvalid, LicenseExpired, LicenseServiceUnavailable) as error:
            log.logger().warning("licence not confirmed", extra={"plugin": slug, "reason": error.message})
        plugin = registry.get(slug)
    now = standing(plugin)
    if now is None:
        return 0
    if not now.is_valid:
        return _end(plugin, now)
    _warn(plugin, now)
    return 0


def _end(plugin: InstalledPlugin, now: Standing) -> int:
    is_off = plugin.is_active and plugin.manifest.requires_license
    if is_off:
        lifecycle.switch_off(plugin.slug, _PLATFORM)
    license = plugin.license
    if license is None or ENDED in license.told:
        return int(is_off)
    needing = [one.name for one in dependencies.dependents_of(plugin.slug, registry.all_installed()) if one.is_active] if is_off else []
    why = licensing.explained(plugin.slug, license, now).message
    messaging.notify(
        messaging.ADMINS,
        title=f"The licence of {plugin.name} has ended",
        message=f"{why}."
        + (" The plugin was switched off; activate it again when there is a licence." if is_off else "")
        + (f" These need it: {', '.join(needing)}." if needing else ""),
        type="error",
        actions=[{"label": "Show the plugin", "url": f"/admin/plugins/{plugin.slug}"}],
    )
    _note_told(plugin.slug, license, (ENDED,), "plugin.license_ended", {"reason": now.reason, "license_key": license.key.masked})
    return 1


def _warn(plugin: InstalledPlugin, now: Standing) -> None:
    license = plugin.license
    if license is None:
        return
    marks, sentence = _due_warning(license, now)
    if sentence is None:
        return
    messaging.notify(
        messaging.ADMINS,
        title=f"The licence of {plugin.name} is about to end",
        message=sentence,
        type="warning",
        actions=[{"label": "Show the plugin", "url": f"/admin/plugins/{plugin.slug}"}],
    )
    told = {**_told_of(license), "days_remaining": now.days_remaining, "valid_until": _text(now)}
    _note_told(plugin.slug, license, marks, "plugin.license_expiring", told)


def _due_warning(license: License, now: Standing) -> tuple[tuple[str, ...], str | None]:
    """The marks that are passed, and what to say where one of them is new."""
    at = clock.now()
    ends = license.terms.expires_at
    if ends is not None:
        passed = tuple(f"{EXPIRY}{days}" for days in WARNED_BEFORE_DAYS if ends - at <= timedelta(days=days))
        if set(passed) - set(license.told):
            days = now.days_remaining
            return passed, f"It expires on {clock.rfc3339(ends)}, in {days} day{'' if days == 1 else 's'}. Renew it with its vendor."
    since = license.unreachable_since
    if since is not None and at - since >= _AWAY_FOR:
        is_near = now.valid_until is not None and now.valid_until - at <= timedelta(days=WARNED_BEFORE_DAYS[-1])
        passed = (f"{AWAY}long", *((f"{AWAY}near",) if is_near else ()))
        if set(passed) - set(license.told):
            return passed, (
                f"The licence service could not be asked since {clock.rfc3339(since)}. "
                f"Unless it is there again, the licence is over on {_text(now)}."
            )
    return (), None


@retried
def _note_told(slug: str, license: License, marks: tuple[str, ...], event: str, data: dict[str, Any]) -> None:
    plugin = registry.get(slug)
    if plugin.license is None or plugin.license.key.fingerprint != license.key.fingerprint:
        return
    told = replace(plugin, license=plugin.license.having_told(marks))
    with unit_of_work(_PLATFORM) as work:
        row = registry.save(work, told)
        work.emit(event, row, {"plugin": plugin.summary(), **data})


def _text(now: Standing) -> str | None:
    return clock.rfc3339(now.valid_until) if now.valid_until else None
