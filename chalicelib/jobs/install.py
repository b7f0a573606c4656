"""Installing a plugin, with the plugins that it needs.

Promises
    Dependencies come first, in order, and are installed once, also when two installations that need the same one begin at the same moment:
    the second waits for the first, and then plans for what is there.
    Going back takes away what the job brought, but for what another plugin needs by then.
    Nothing is registered while what it needs is being removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from chalicelib import licensing, marketplace, messaging, plugins, runtime
from chalicelib.core import clock, config
from chalicelib.core.versions import Dependency
from chalicelib.events import retried, unit_of_work
from chalicelib.jobs import artifacts, backups, records
from chalicelib.jobs.packages import Given
from chalicelib.jobs.records import Job
from chalicelib.jobs.saga import Saga, Step
from chalicelib.licensing import SealedKey
from chalicelib.plugins import InstalledPlugin, Package, PluginBusy
from chalicelib.runtime.provisioning import Code

# A dependency that a job installs: its slug, its version, and who signed it.
Needed = dict[str, Any]

# Less than a step's worker has (120 s).
_PATIENCE_S = 100.0
_PAUSE_S = 0.5


def refuse_denied(releases: Iterable[marketplace.Release]) -> None:
    """Raises PluginDenied where the administrators' lists allow one of them not. One GetItem."""
    wanted = list(releases)
    listings = marketplace.listings_of([one.slug for one in wanted])
    lists = plugins.policies.lists()
    for one in wanted:
        lists.refuse(one.slug, one.publisher, listings[one.slug].author.get("name"))


def needs(releases: Iterable[marketplace.Release]) -> list[Needed]:
    """These releases, as a plan keeps them."""
    return [{"slug": one.slug, "version": one.version, "publisher": one.publisher} for one in releases]


def plan_from_marketplace(slug: str, version: str | None, *, activate: bool) -> dict[str, Any]:
    """What the job will do, decided before it starts: which release of which plugin, dependencies first.

    Raises: PluginNotFound, PluginDenied (also for what it needs), DependencyConflict, MarketplaceUnavailable.
    """
    installed = plugins.all_installed()
    plugins.refuse_installed(slug, installed)
    _, release = marketplace.find_release(slug, version)
    plan = plugins.resolve([(slug, release.version)], marketplace.catalogue(), installed)
    refuse_denied(plan.releases)
    needed = needs(one for one in plan.releases if one.slug != slug)
    touched = [slug, *(one["slug"] for one in needed)]
    return {
        "source": "marketplace",
        "slug": slug,
        "version": release.version,
        "publisher": release.publisher,
        "activate": activate,
        "dependencies": needed,
        "locks": [*touched, *_switched_off(release.dependencies, installed, activate=activate)],
        "uses": plugins.installed_among(plan.releases, installed),
        "keeps": with_kept_data(touched),
    }


def plan_from_upload(given: Given, *, activate: bool) -> dict[str, Any]:
    """The package waits in the bucket for its job. Raises what :func:`plan_from_marketplace` raises."""
    return {**_plan_of_package(given.package, activate=activate), **given.keep()}


def plan_from_backup(key: str, slug: str) -> dict[str, Any]:
    """The plugin that was backed up, with its data, in the place of what an earlier life of it left. Raises what :func:`plan_from_upload`
    raises."""
    package = plugins.read_package(backups.package_of(key))
    if package.manifest.slug != slug:
        raise plugins.PackageInvalid({"backup_path": [f"It is a backup of '{package.manifest.slug}', not of '{slug}'"]})
    return {**_plan_of_package(package, activate=True, publisher=backups.publisher_in(key)), "source": "backup", "backup_key": key}


def _plan_of_package(package: Package, *, activate: bool, publisher: str | None = None) -> dict[str, Any]:
    installed = plugins.all_installed()
    slug = package.manifest.slug
    plugins.require_system(package.manifest)
    plugins.refuse_installed(slug, installed)
    plugins.policies.lists().refuse(slug, publisher, package.manifest.author.get("name"))
    wanted = [(one.slug, one.version_constraint) for one in package.manifest.dependencies if not one.is_optional]
    releases = plugins.resolve(wanted, marketplace.catalogue(), installed).releases if wanted else ()
    if releases:
        refuse_denied(releases)
    needed = needs(releases)
    touched = [slug, *(one["slug"] for one in needed)]
    return {
        "slug": slug,
        "version": package.manifest.version,
        "publisher": publisher,
        "activate": activate,
        "dependencies": needed,
        "locks": [*touched, *_switched_off(package.manifest.dependencies, installed, activate=activate)],
        "uses": plugins.installed_among([package.manifest, *releases], installed),
        "keeps": with_kept_data(touched),
    }


def waiting(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan of a job that holds its own plugin only, and makes the rest of its plan when nobody works on what it needs any more."""
    return {**plan, "waits": True, "locks": [plan["slug"]], "uses": [], "dependencies": []}


def with_license_key(plan: dict[str, Any], key: str | None) -> dict[str, Any]:
    """The plan with the key, encrypted. Raises ValidationError for a key that is none."""
    return plan if key is None else {**plan, "license_key": vars(licensing.sealed(key, plan["slug"]))}


def discard_upload(plan: dict[str, Any]) -> None:
    """The package that waits for a job which never came to be."""
    if plan["source"] == "upload":
        artifacts.delete(plan["upload_key"])


# ── The steps. Each works on one plugin of the job: the one that was asked for, or a dependency. ─────────────────────────────────────


def fetch_package(job: Job) -> dict[str, Any]:
    return fetch(job, _plan_again)


def fetch(job: Job, plan_again: Callable[[Job], dict[str, Any]]) -> dict[str, Any]:
    """``plan_again`` is for a job that waits its turn: its plan, for what is there then."""
    if job.request.get("waits"):
        _wait_for_turn(job, plan_again)
    archive = archive_of_job(job)
    if archive is None:
        release = _planned_release(job)
        archive = marketplace.download(release)
    _must_be(job, plugins.read_package(archive))
    artifacts.put(artifacts.package_key(job.slug, job.request["version"]), archive)
    return {"size_bytes": len(archive)}


def archive_of_job(job: Job) -> bytes | None:
    """The package that came with it; None where the marketplace has it."""
    match job.request["source"]:
        case "upload":
            return artifacts.get(job.request["upload_key"])
        case "backup":
            return backups.package_of(job.request["backup_key"])
    return None


def _plan_again(job: Job) -> dict[str, Any]:
    archive, before = archive_of_job(job), job.request
    if archive is None:
        return plan_from_marketplace(job.slug, before["version"], activate=before["activate"])
    return _plan_of_package(plugins.read_package(archive), activate=before["activate"], publisher=before.get("publisher"))


def _wait_for_turn(job: Job, plan_again: Callable[[Job], dict[str, Any]]) -> None:
    """Another job works on something that this one needs. When that has ended, well or not, the plan is made for what is there then.
    Raises PluginBusy after a while, and what planning raises."""
    message = "Waiting for another operation on what it needs…"
    records.tell(job.id, "progress", {"step": "downloading", "progress": 0, "message": message})
    ends_at = time.monotonic() + _PATIENCE_S
    before = job.request
    while True:
        # Whose package it may be was decided when it was asked for.
        job.request = {**before, **plan_again(job), "publisher": before.get("publisher"), "waits": False}
        try:
            return records.take_locks(job)
        except PluginBusy:
            # Its locks are still those of before.
            job.request = before
            if time.monotonic() > ends_at:
                raise
        time.sleep(_PAUSE_S)


def _planned_release(job: Job) -> marketplace.Release:
    """Raises SignatureInvalid where the marketplace names another publisher by now: nobody agreed to that one."""
    _, release = marketplace.find_release(job.slug, job.request["version"])
    if release.publisher != job.request.get("publisher"):
        raise marketplace.SignatureInvalid(
            f"{job.slug} {release.version} is signed by another publisher than when this was asked for; ask again to take it from that one",
            slug=job.slug,
            publisher=release.publisher,
        )
    return release


def _must_be(job: Job, package: Package) -> None:
    """Raises PackageInvalid for a package that is another one than its listing says."""
    found = {"name": package.manifest.slug, "version": package.manifest.version}
    wanted = {"name": job.slug, "version": job.request["version"]}
    faults = {f"manifest.{key}": [f"Must be '{wanted[key]}', not '{found[key]}'"] for key in found if found[key] != wanted[key]}
    if faults:
        raise plugins.PackageInvalid(faults)


def discard_package(job: Job) -> None:
    artifacts.delete(artifacts.package_key(job.slug, job.request["version"]))
    if job.request["source"] == "upload":
        artifacts.delete(job.request["upload_key"])


def unpack(job: Job) -> dict[str, Any]:
    package = _package(job)
    artifacts.put(artifacts.code_key(job.slug, package.manifest.version), plugins.code_bundle(package))
    messaging.templates.keep(job.slug, package.manifest.version, messaging.templates.sources_in(package.files))
    return {"assets": plugins.assets.publish(job.slug, package)}


def discard_code(job: Job) -> None:
    artifacts.delete(artifacts.code_key(job.slug, job.request["version"]))
    messaging.templates.forget(job.slug, job.request["version"])
    plugins.assets.withdraw(job.slug)


def install_dependencies(job: Job) -> dict[str, Any]:
    """Each missing dependency is installed and switched on by the same steps, in order; each of its steps has its own journal entry."""
    names = []
    for number, needed in enumerate(job.request["dependencies"]):
        part = _part(job, needed)
        message = f"Installing {needed['slug']}…"
        records.tell(job.id, "progress", {"step": "dependencies", "progress": INSTALL["dependencies"].progress, "message": message})
        for position, step in enumerate(_PARTS):
            records.journal(job.id, _part_order(number, position, step))
            part.made[step.name] = step.act(part) or {}
        names.append(needed["slug"])
    for slug in _inactive_requirements(job):
        records.journal(job.id, _SWITCHED_ON + slug)
        plugins.switch_on(plugins.get(slug), job.actor)
    return {"installed": names}


def remove_dependencies(job: Job) -> None:
    """Only what this job installed, last first; what it only switched on is switched off again. What another plugin needs by now stays."""
    for entry in reversed(records.began(job.id, "dependencies/")):
        if entry.startswith(_SWITCHED_ON):
            slug = entry.removeprefix(_SWITCHED_ON)
            if not _needed_by_others(slug, job, active=True):
                plugins.switch_off(slug, job.actor)
            records.strike(job.id, entry)
            continue
        _, number, _, name = entry.split("/")
        part = _part(job, job.request["dependencies"][int(number)])
        undo = next(step for step in _PARTS if step.name == name).undo
        if undo is not None and not _needed_by_others(part.slug, job):
            undo(part)
        records.strike(job.id, entry)


def _needed_by_others(slug: str, job: Job, *, active: bool = False) -> bool:
    """Whether a plugin that this job did not bring needs it (``active``: and is active)."""
    own = {job.slug, *(one["slug"] for one in job.request["dependencies"])}
    dependents = plugins.dependents_of(slug, plugins.all_installed())
    return any(one.slug not in own and (one.is_active or not active) for one in dependents)


def run_migrations(job: Job) -> dict[str, Any]:
    """Make the plugin's tables what its version needs. Where data was kept, there is a snapshot of it first."""
    if _keeps(job):
        backups.make_snapshot(_snapshot(job), job.slug)
    if job.request["source"] == "backup":
        # Its tables are those of its version; a migration more would be one too many.
        backups.restore_data(job.request["backup_key"], job.slug)
    package = _package(job)
    runtime.migrations.migrate(job.slug, package.migrations, package.manifest.tables)
    return {"migrations_run": migrations_run(job)}


def migrations_run(job: Job) -> int:
    """How many this job ran, also in a try that died."""
    began = clock.parse_rfc3339(job.started_at)
    return sum(clock.parse_rfc3339(one.ran_at) >= began for one in runtime.migrations.applied(job.slug))


def restore_tables(job: Job) -> None:
    """The data is as it was, also what the plugin did to it when it was started; where nothing was kept, there is nothing."""
    if not _keeps(job):
        runtime.holdings.forget(job.slug)
        plugins.forget_settings(job.slug)
    elif artifacts.exists(_snapshot(job)):
        backups.restore_data(_snapshot(job), job.slug)


def provision(job: Job) -> dict[str, Any]:
    manifest = _package(job).manifest
    # What an administrator set for an earlier life of the plugin, whose data was kept, holds again.
    limits = runtime.limits.of(job.slug, manifest.limits)
    role_arn = runtime.provisioning.create_role(job.slug)
    queue_url = runtime.provisioning.create_queue(job.slug, limits)
    code = Code(config.setting("PACKAGES_BUCKET"), artifacts.code_key(job.slug, job.request["version"]))
    function_arn = runtime.provisioning.create_function(
        job.slug, manifest.runtime, code, role_arn, runtime.provisioning.environment(job.slug), limits
    )
    runtime.provisioning.create_mapping(job.slug, queue_url, limits)
    return {"function": function_arn}


def deprovision(job: Job) -> None:
    runtime.provisioning.delete_function(job.slug)
    runtime.provisioning.delete_queue(job.slug)
    runtime.provisioning.delete_role(job.slug)


@retried
def register(job: Job) -> dict[str, Any]:
    if plugins.find(job.slug) is not None:
        # This step was here before, and its worker died after the transaction.
        return {}
    package = _package(job)
    plugin = InstalledPlugin.fresh(package.manifest, package.sha256, clock.now(), job.request.get("publisher"))
    with unit_of_work(job.actor) as work:
        # What it relies on is not being removed: who removes it will see this plugin from now on.
        plugins.locks.require_free(work, plugins.installed_among([package.manifest], plugins.all_installed()), owner=job.id)
        row = plugins.add(work, plugin)
        work.emit("plugin.installed", row, {"plugin": plugin.summary()})
    return {"permissions": len(package.manifest.contributes.get("permissions", []))}


@retried
def unregister(job: Job) -> None:
    plugin = plugins.find(job.slug)
    if plugin is not None:
        with unit_of_work(job.actor) as work:
            row = plugins.remove(work, plugin)
            runtime.active.remove(work, job.slug)
            work.emit("plugin.uninstalled", row, {"plugin": plugin.summary(), "reason": f"the job {job.id} was rolled back"})
    # What an earlier life of the plugin left to be kept is not this job's to remove.
    if not _keeps(job):
        plugins.forget_settings(job.slug)
    runtime.holdings.forget(job.slug, keep_data=_keeps(job))


def activate_license(job: Job) -> dict[str, Any]:
    """Take a seat with the key that came along; a plugin that has no use for a licence is installed all the same."""
    key = job.request.get("license_key")
    if key is None:
        return {}
    plugin = plugins.get(job.slug)
    if not plugin.manifest.is_premium:
        return {"notes": ["The licence key was not used: the plugin needs none"]}
    plugins.licenses.attach(job.slug, SealedKey(**key), job.actor)
    return {}


def give_license_back(job: Job) -> None:
    """Also a seat that was taken by a worker that died before it could say so. While the service is away it waits on a list."""
    plugins.licenses.detach(job.slug, job.actor)


def switch_on(job: Job) -> dict[str, Any]:
    """What needs a licence and came without a key stays off; unless another plugin needs it now, which cannot do without."""
    plugin = plugins.get(job.slug)
    notes = [*plugin.manifest.notes, *job.made.get("licensing", {}).get("notes", [])]
    if plugin.lacks_license and not job.request.get("is_needed_now"):
        notes.append("It needs a licence: activate one, then the plugin")
    elif job.request["activate"] and plugin.status != "active":
        plugin = plugins.switch_on(plugin, job.actor)
    return {"plugin": {**plugin.summary(), "status": plugin.status}, "notes": notes}


def switch_off(job: Job) -> None:
    if plugins.find(job.slug) is not None:
        plugins.switch_off(job.slug, job.actor)


def conclude(job: Job) -> dict[str, Any]:
    """The document's answer. The upload has served. Source: REST §7."""
    if job.request["source"] == "upload":
        artifacts.delete(job.request["upload_key"])
    return {
        "plugin": job.made["activating"]["plugin"],
        "installation": {
            "dependencies_installed": job.made["dependencies"]["installed"],
            "migrations_run": job.made["migrations"]["migrations_run"],
            "permissions_registered": job.made["registering"].get("permissions", 0),
            "assets_published": bool(job.made["extracting"]["assets"]),
            "notes": job.made["activating"]["notes"],
        },
    }


def discard_snapshots(job: Job) -> None:
    for slug in job.request.get("keeps", []):
        artifacts.delete(backups.passing_key_of(slug, job.id))


_FETCH = Step("downloading", fetch_package, discard_package, progress=25, message="Downloading plugin…")
_UNPACK = Step("extracting", unpack, discard_code, progress=40, message="Checking and extracting files…")
_MIGRATE = Step("migrations", run_migrations, restore_tables, progress=75, message="Running migrations…")
_PROVISION = Step("provisioning", provision, deprovision, progress=80, message="Making its function and queue…")
_REGISTER = Step("registering", register, unregister, progress=85, message="Registering the plugin…")
_LICENSE = Step("licensing", activate_license, give_license_back, progress=90, message="Activating its licence…")
_SWITCH_ON = Step("activating", switch_on, switch_off, progress=95, message="Starting the plugin…")
_PARTS = (_FETCH, _UNPACK, _MIGRATE, _PROVISION, _REGISTER, _SWITCH_ON)

# After the numbers of the dependencies that are installed, so that it is undone before them.
_SWITCHED_ON = "dependencies/switched-on/"

INSTALL = Saga(
    "install",
    _FETCH,
    _UNPACK,
    Step("dependencies", install_dependencies, remove_dependencies, progress=55, message="Installing what it needs…"),
    _MIGRATE,
    _PROVISION,
    _REGISTER,
    _LICENSE,
    _SWITCH_ON,
    Step("result", conclude, progress=99, message="Finishing…"),
    tidy=discard_snapshots,
)


def _keeps(job: Job) -> bool:
    return job.slug in job.request.get("keeps", [])


def _snapshot(job: Job) -> str:
    return backups.passing_key_of(job.slug, job.id)


def with_kept_data(slugs: list[str]) -> list[str]:
    """Those that were here before, and whose data was kept when they were uninstalled."""
    return [slug for slug in slugs if _left_something(slug)]


def _left_something(slug: str) -> bool:
    has_settings = any(plugins.stored_settings(slug).values())
    return has_settings or runtime.holdings.are_kept(slug)


def _part(job: Job, needed: Needed) -> Job:
    """The job as its steps see it while they work on a dependency."""
    request: dict[str, Any] = {"source": "marketplace", "version": needed["version"], "publisher": needed.get("publisher")}
    request |= {"activate": True, "dependencies": [], "keeps": job.request.get("keeps", []), "is_needed_now": job.request["activate"]}
    return Job(job.id, job.kind, needed["slug"], job.actor, request, started_at=job.started_at)


def _part_order(number: int, position: int, step: Step) -> str:
    return f"dependencies/{number:03d}/{position}/{step.name}"


def _inactive_requirements(job: Job) -> list[str]:
    if not job.request["activate"]:
        return []
    return [
        slug
        for slug in _switched_off(_package(job).manifest.dependencies, plugins.all_installed(), activate=True)
        # What was switched off only after the plan was made is not locked: activating will say that it is missing.
        if slug in job.request["locks"]
    ]


def _switched_off(wanted: Iterable[Dependency], installed: Iterable[InstalledPlugin], *, activate: bool) -> list[str]:
    """Those that are needed, installed and inactive: they are switched on with it, and nothing else is done to them."""
    needed = {one.slug for one in wanted if not one.is_optional}
    return [plugin.slug for plugin in installed if activate and plugin.slug in needed and plugin.status == "inactive"]


def _package(job: Job) -> Package:
    return plugins.read_package(artifacts.get(artifacts.package_key(job.slug, job.request["version"])))
