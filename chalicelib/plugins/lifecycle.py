"""Switching installed plugins on and off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib import accounts, licensing, runtime
from chalicelib.accounts import Caller
from chalicelib.core import clock, log
from chalicelib.core.errors import ServiceUnavailable
from chalicelib.events import Actor, retried, unit_of_work
from chalicelib.plugins import dependencies, limits, locks, policies, registry, safe_mode, settings
from chalicelib.plugins.manifest import Manifest
from chalicelib.plugins.registry import FAILED_TO_START, FAILED_TO_STAY_UP, FailureReason, InstalledPlugin
from chalicelib.runtime.active import ActivePlugin
from chalicelib.runtime.errors import PluginCrashed, PluginFailedToLoad

# What onUnload may take at most before the plugin is off all the same; the request has 29 s for all of it.
_UNLOAD_S = 10


def activate(slug: str, *, by: Caller) -> InstalledPlugin:
    """Make an installed plugin receive events and answer commands.

    Runs the plugin's ``onLoad``; what it registers becomes visible in the same transaction that makes it active, so nobody ever sees a
    half-active plugin. A plugin that fails to load is left in ``error``, with its own message.

    Raises: PluginNotFound, PluginBusy, PluginAlreadyActive, PluginDenied, SafeModeIsOn, LicenseInvalid, LicenseExpired, DependenciesNotMet,
    PluginFailedToLoad, PluginCrashed, CommandAlreadyRegistered, ValidationError for a schedule.
    """
    registry.get(slug)
    with locks.held(slug, "activate"):
        plugin = registry.get(slug)
        plugin.must_not_be_active()
        policies.lists().refuse_installed(plugin)
        safe_mode.refuse_start(slug)
        try:
            return switch_on(plugin, by.actor)
        except (PluginFailedToLoad, PluginCrashed) as error:
            _mark_failed(slug, f"Failed to start: {error.details.get('message') or error.message}", by.actor)
            error.details["reason"] = FAILED_TO_START
            raise


def switch_on(plugin: InstalledPlugin, actor: Actor, *, resumes: bool = False) -> InstalledPlugin:
    """What activation does; each part may be done twice. A failure takes back what was done, and :func:`switch_off` what a kill left.

    ``resumes``: it was only held, and goes on with whatever licence it had; the check of the licences sees to that.
    """
    if not resumes:
        _must_be_licensed(plugin)
    dependencies.require_active(plugin.manifest, registry.all_installed())
    try:
        return _start(plugin, actor)
    except Exception:
        if runtime.active.find(plugin.slug) is None:
            stop(plugin.slug)
        raise


@dataclass(frozen=True)
class NewVersion:
    """What an installed plugin becomes. ``publisher``: who signed it."""

    manifest: Manifest
    package_sha256: str
    publisher: str | None = None


def update(
    slug: str, version: NewVersion, actor: Actor, *, start: bool, reason: str | None = None, job_id: str | None = None
) -> InstalledPlugin:
    """Make an installed plugin another version of itself, whose code is in its function already; ``start`` loads it first.

    ``job_id``: no other job works on what the version relies on, at the moment when it becomes the plugin's. Raises PluginBusy otherwise.

    From one transaction to the next it is the new version, active, with what the new ``onLoad`` registered. May be done twice.
    Raises what :func:`switch_on` raises; the plugin is then still the old version, and held (:func:`hold`).
    """
    before = registry.get(slug)
    if before.version == version.manifest.version and (before.is_active or not start):
        return before
    after = _become(before, version, clock.now())
    if not start:
        return _mark_updated(slug, version, None, actor, reason, job_id)
    _must_be_licensed(after)
    dependencies.require_active(version.manifest, registry.all_installed())
    return _start(after, actor, lambda active: _mark_updated(slug, version, active, actor, reason, job_id))


def _become(before: InstalledPlugin, version: NewVersion, at: datetime) -> InstalledPlugin:
    return before.updated_to(version.manifest, version.package_sha256, at, version.publisher)


def hold(slug: str) -> None:
    """Stop calling the plugin, so that it can be changed: its events wait in its queue, its commands are refused. Nothing is lost."""
    runtime.active.hold(slug)
    runtime.provisioning.switch_deliveries(slug, on=False)
    runtime.schedules.delete(slug)
    _unload(slug)


def resume(slug: str, actor: Actor) -> InstalledPlugin:
    """What :func:`hold` stopped goes on, as :func:`switch_on` does it; in safe mode, where nothing can load, when that is left."""
    active = runtime.active.with_queue(slug)
    if active is not None and active.is_held and active.is_paused:
        runtime.schedules.create(slug, runtime.provisioning.function_arn(slug), active.registered.get("schedules") or [])
        runtime.active.release(slug)
        safe_mode.follow(slug)
        return registry.get(slug)
    return switch_on(registry.get(slug), actor, resumes=True)


def fall_back(slug: str, message: str, reason: FailureReason | None, actor: Actor) -> None:
    """Out of service, as it was before somebody tried to mend it; what waits in its queue stays there."""
    stop(slug)
    _mark_failed(slug, message, actor, reason=reason or FAILED_TO_START, although_active=True)


@retried
def _mark_updated(
    slug: str, version: NewVersion, active: ActivePlugin | None, actor: Actor, reason: str | None, job_id: str | None
) -> InstalledPlugin:
    before = registry.get(slug)
    now = clock.now()
    plugin = _become(before, version, now)
    if active is not None:
        plugin = plugin.activated(now)
    with unit_of_work(actor) as work:
        if job_id is not None:
            locks.require_free(work, dependencies.installed_among([plugin.manifest], registry.all_installed()), owner=job_id)
        row = registry.save(work, plugin)
        if active is not None:
            runtime.active.put(work, replace(active, settings_version=plugin.settings_version))
            runtime.circuit.settle_with(work, slug)
        told = {"plugin": plugin.summary(), "previous_version": before.version, **({"reason": reason} if reason else {})}
        work.emit("plugin.updated", row, told)
    return plugin


def _start(plugin: InstalledPlugin, actor: Actor, conclude: Callable[[ActivePlugin], InstalledPlugin] | None = None) -> InstalledPlugin:
    """``conclude`` writes down that it runs; without one it is marked as active."""
    slug = plugin.slug
    token = accounts.issue_plugin_token(slug, plugin.manifest.scopes)
    function_arn = runtime.provisioning.set_token(slug, token)
    # A new version may wish for more, and a change of limits may have died half-way.
    limits.apply(plugin)
    values, settings_version = settings.current_of(plugin), plugin.settings_version
    told = {"settings": values, "settings_version": settings_version, "secret_settings": settings.secret_keys(plugin)}
    answer = runtime.invoking.call(slug, {"kind": "load", **told})
    if not answer["ok"]:
        failure = answer["error"]
        raise PluginFailedToLoad(
            f"'{slug}' failed to load: {failure['message']}",
            plugin=slug,
            **{key: failure[key] for key in ("name", "message", "location", "hook") if key in failure},
        )
    registered = _registered(plugin, runtime.registration.checked(slug, answer.get("registered")))
    runtime.active.refuse_taken_commands(slug, registered)
    queue_url = runtime.provisioning.queue_url(slug)
    if queue_url is None:
        raise ServiceUnavailable(f"The queue of '{slug}' is missing; remove the plugin and install it again")
    runtime.schedules.create(slug, function_arn, registered["schedules"])
    # Nothing is sent to it before it is active. The other way about, a kill between the two would leave it active and deaf.
    runtime.provisioning.switch_deliveries(slug, on=True)
    active = ActivePlugin(slug, queue_url, settings_version, registered)
    started = conclude(active) if conclude else _mark_active(slug, active, actor)
    # Safe mode may have been entered since this began.
    if runtime.active.safe_mode().is_on:
        safe_mode.follow(slug)
    return started


def deactivate(slug: str, *, by: Caller) -> InstalledPlugin:
    """Stop a plugin: no event, command, schedule or call of its token comes through any more.

    One that was set aside can be deactivated too, and then loses what waits for it.

    Raises: PluginNotFound, PluginBusy, PluginNotActive, PluginIsCore, HasDependents (with the active ones that need it).
    """
    registry.get(slug)
    with locks.held(slug, "deactivate"):
        plugin = registry.get(slug)
        is_set_aside = plugin.status == "error" and runtime.active.with_queue(slug) is not None
        if not is_set_aside:
            plugin.must_be_active()
        plugin.must_not_be_core()
        dependencies.refuse_while_needed(slug, [one for one in registry.all_installed() if one.is_active])
        return switch_off(slug, by.actor)


def switch_off(slug: str, actor: Actor) -> InstalledPlugin:
    """What deactivation does, from any state."""
    active = runtime.active.find(slug)
    if active is not None and not active.is_paused:
        _unload(slug)
    # Before it is marked inactive: an attempt that dies half-way is found active, and can be made again.
    _silence(slug)
    inactive = _mark_inactive(slug, actor)
    # What waited for it is dropped: a plugin that is off receives nothing, also not later.
    runtime.provisioning.purge_queue(slug)
    return inactive


def _must_be_licensed(plugin: InstalledPlugin) -> None:
    if plugin.manifest.requires_license:
        licensing.require(plugin.slug, plugin.license)


def stop(slug: str) -> None:
    """No call of its token, no event and no schedule comes through from here on. May be done twice."""
    accounts.revoke_plugin_token(slug)
    _silence(slug)


def _silence(slug: str) -> None:
    runtime.provisioning.switch_deliveries(slug, on=False)
    runtime.schedules.delete(slug)


def _registered(plugin: InstalledPlugin, answered: dict[str, Any]) -> dict[str, Any]:
    """What the manifest declares, with what the code registered: where both name a thing, the code's word holds."""
    contributes = plugin.manifest.contributes
    tasks = [
        {"name": one["name"], "expression": one["schedule"], **({"timezone": one["timezone"]} if one.get("timezone") else {})}
        for one in contributes.get("scheduled_tasks", [])
    ]
    theme = answered.get("theme")
    return {
        "hooks": answered.get("hooks") or [],
        "permissions": contributes.get("permissions", []),
        "commands": answered.get("commands") or [],
        "widgets": _by("id", contributes.get("widgets", []), answered.get("widgets")),
        "menuItems": _by("path", contributes.get("menu_items", []), answered.get("menuItems")),
        "settingsPages": _by("id", contributes.get("settings_pages", []), answered.get("settingsPages")),
        "schedules": _by("name", tasks, answered.get("schedules")),
        # What the manifest only declares is not served: the SDK registers a declared endpoint that names its handler.
        "endpoints": answered.get("endpoints") or [],
        "places": answered.get("places") or {},
        **({"theme": {"name": plugin.name, **theme}} if theme else {}),
    }


def _by(key: str, declared: list[dict[str, Any]], answered: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return list({one.get(key): one for one in [*declared, *(answered or [])]}.values())


@retried
def _mark_active(slug: str, active: ActivePlugin, actor: Actor) -> InstalledPlugin:
    plugin = registry.get(slug).activated(clock.now())
    with unit_of_work(actor) as work:
        row = registry.save(work, plugin)
        # Settings that were changed while it loaded are the ones that its next call shall have.
        runtime.active.put(work, replace(active, settings_version=plugin.settings_version))
        runtime.circuit.settle_with(work, slug)
        work.emit("plugin.activated", row, {"plugin": plugin.summary()})
    return plugin


@retried
def _mark_inactive(slug: str, actor: Actor) -> InstalledPlugin:
    before = registry.get(slug)
    plugin = before.deactivated(clock.now())
    with unit_of_work(actor) as work:
        # All of it in one moment: what it registered, where its events go, and what it may.
        row = registry.save(work, plugin)
        runtime.active.remove(work, slug)
        accounts.drop_plugin_token(work, slug)
        runtime.circuit.settle_with(work, slug)
        if before.status == "active" or before.error_reason == FAILED_TO_STAY_UP:
            work.emit("plugin.deactivated", row, {"plugin": plugin.summary()})
    return plugin


@retried
def _mark_failed(slug: str, message: str, actor: Actor, *, reason: FailureReason = FAILED_TO_START, although_active: bool = False) -> None:
    before = registry.get(slug)
    if before.is_active and not although_active:
        # Another attempt was faster, and better.
        return
    plugin = before.failed(message, reason, clock.now())
    with unit_of_work(actor) as work:
        row = registry.save(work, plugin)
        # Its events are kept for the attempt that succeeds.
        if runtime.active.with_queue(slug) is not None:
            runtime.active.set_aside(work, slug)
        work.emit("plugin.failed", row, {"plugin": plugin.summary(), "error": message, "reason": reason})


def _unload(slug: str) -> None:
    """Let the plugin close what it opened. Whether it can or not, and whether or not it ever ends, it goes off."""
    try:
        answer = runtime.invoking.call(slug, {"kind": "unload"}, patience_s=_UNLOAD_S)
    except Exception:  # noqa: BLE001 a plugin that crashes is switched off all the more
        log.logger().warning("unload failed", extra={"plugin": slug}, exc_info=True)
        return
    if not answer["ok"]:
        log.logger().warning("onUnload threw", extra={"plugin": slug, "error": answer.get("error")})
