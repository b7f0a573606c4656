"""Putting another version of an installed plugin in the place of the one that is there; newer or older.

Promises
    Events that come meanwhile wait, and reach the version that is there in the end.
    A version that does not load, or a job that dies, leaves the version before it, running as it ran, with the data that it had.
    The files of the new version are its own: nothing of the old one's is among them.
    What is wrong with the installed version (it does not load, its package was found to be bad) does not keep another one out.
"""

from __future__ import annotations

from typing import Any

from chalicelib import marketplace, messaging, plugins, runtime
from chalicelib.core import config, versions
from chalicelib.core.errors import ConcurrentChange, ValidationError
from chalicelib.jobs import artifacts, backups, install
from chalicelib.jobs.packages import Given
from chalicelib.jobs.records import Job
from chalicelib.jobs.saga import Saga, Step
from chalicelib.plugins import InstalledPlugin, Package
from chalicelib.runtime.provisioning import Code


def plan_from_marketplace(slug: str, version: str | None, *, backup: bool) -> dict[str, Any]:
    """To the pinned version, or else the newest release that fits and is not skipped, or to the one named, which may be older.

    Raises: PluginNotFound, PluginUpToDate, PluginPinned, PluginDenied, ListingNotFound, DependencyConflict, IncompatibleRelease,
    MarketplaceUnavailable.
    """
    plugin = plugins.get(slug)
    policy = plugins.policies.of(slug)
    release = _wanted(plugin, version, policy)
    must_not_be_pinned(slug, release.version, policy)
    if release.version == plugin.version or (version is None and versions.compare(release.version, plugin.version) < 0):
        raise plugins.PluginUpToDate(f"'{slug}' {plugin.version} is installed already", slug=slug, version=plugin.version)
    plan = plugins.resolve([(slug, release.version)], marketplace.catalogue(), _others(slug))
    install.refuse_denied(plan.releases)
    needed = install.needs(one for one in plan.releases if one.slug != slug)
    uses = plugins.installed_among([release, *plan.releases], _others(slug))
    return _plan(plugin, release.version, needed, uses, backup=backup) | {"source": "marketplace", "publisher": release.publisher}


def plan_from_upload(slug: str, given: Given, *, backup: bool) -> dict[str, Any]:
    """Raises ValidationError and what :func:`plan_from_marketplace` raises."""
    manifest = given.package.manifest
    if manifest.slug != slug:
        raise ValidationError({given.field: [f"It is the package of '{manifest.slug}', not of '{slug}'"]})
    return _plan_of_package(given.package, backup=backup) | given.keep()


def _plan_again(job: Job) -> dict[str, Any]:
    archive, backup = install.archive_of_job(job), job.request["backup"]
    if archive is None:
        return plan_from_marketplace(job.slug, job.request["version"], backup=backup)
    return _plan_of_package(plugins.read_package(archive), backup=backup)


def _plan_of_package(package: Package, *, backup: bool) -> dict[str, Any]:
    manifest = package.manifest
    slug, plugin = manifest.slug, plugins.get(manifest.slug)
    if manifest.version == plugin.version:
        raise plugins.PluginUpToDate(
            f"'{slug}' {plugin.version} is installed already; give the new package another version, such as {plugin.version}+2",
            slug=slug,
            version=plugin.version,
        )
    must_not_be_pinned(slug, manifest.version, plugins.policies.of(slug))
    plugins.policies.lists().refuse(slug, None, manifest.author.get("name"))
    plugins.require_system(manifest)
    others = [*_others(slug), InstalledPlugin.fresh(manifest, package.sha256, plugin.installed_at)]
    wanted = [(one.slug, one.version_constraint) for one in manifest.dependencies if not one.is_optional]
    plan = plugins.resolve([(slug, manifest.version), *wanted], marketplace.catalogue(), others) if wanted else None
    if plan:
        install.refuse_denied(plan.releases)
    needed = install.needs(plan.releases) if plan else []
    uses = plugins.installed_among([manifest, *(plan.releases if plan else ())], _others(slug))
    return _plan(plugin, manifest.version, needed, uses, backup=backup)


def _wanted(plugin: InstalledPlugin, version: str | None, policy: plugins.UpdatePolicy) -> marketplace.Release:
    if version is None and policy.pinned_version == plugin.version:
        raise plugins.PluginPinned(plugin.slug, plugin.version)
    listing, release = marketplace.find_release(plugin.slug, version or policy.pinned_version)
    if version is None and policy.skips(release.version):
        wanted = [one for one in plugins.newer_releases(plugin, listing) if not policy.skips(one.version)]
        if not wanted:
            raise plugins.PluginUpToDate(
                f"All that is newer than '{plugin.slug}' {plugin.version} is skipped by its update policy; name a version to install it",
                slug=plugin.slug,
                version=plugin.version,
            )
        return wanted[0]
    return release


def must_not_be_pinned(slug: str, version: str, policy: plugins.UpdatePolicy) -> None:
    """Raises PluginPinned where the plugin is pinned to another version."""
    if policy.pinned_version is not None and policy.holds_back(version):
        raise plugins.PluginPinned(slug, policy.pinned_version)


def _others(slug: str) -> list[InstalledPlugin]:
    return [one for one in plugins.all_installed() if one.slug != slug]


def _plan(plugin: InstalledPlugin, version: str, needed: list[install.Needed], uses: list[str], *, backup: bool) -> dict[str, Any]:
    new = [one["slug"] for one in needed]
    return {
        "slug": plugin.slug,
        "from_version": plugin.version,
        "from_publisher": plugin.publisher,
        "version": version,
        # One that fell out of service by its own fault is meant to run: the new version may mend it.
        "activate": plugin.status != "inactive",
        "was_active": plugin.is_active,
        "error": plugin.error,
        "error_reason": plugin.error_reason,
        "backup": backup,
        "migrations": [one.number for one in runtime.migrations.applied(plugin.slug)],
        "dependencies": needed,
        "keeps": install.with_kept_data(new),
        "locks": [plugin.slug, *new],
        "uses": uses,
    }


def fetch_package(job: Job) -> dict[str, Any]:
    return install.fetch(job, _plan_again)


def unpack(job: Job) -> None:
    """The code only: what is published changes when the version does. Raises ConcurrentChange where the plan speaks of another version, and
    UpdateNeedsApproval where nobody asked for what the package asks for."""
    installed = plugins.get(job.slug)
    if installed.version != job.request["from_version"]:
        raise ConcurrentChange()
    package = _new_package(job)
    if job.request.get("is_automatic"):
        reasons = plugins.reasons_in_package(installed, package.manifest, job.request["publisher"])
        if reasons:
            raise plugins.UpdateNeedsApproval(job.slug, reasons.as_json())
    _keep_code(job, package)


def discard_code(job: Job) -> None:
    artifacts.delete(artifacts.code_key(job.slug, job.request["version"]))
    messaging.templates.forget(job.slug, job.request["version"])


def pause(job: Job) -> None:
    if job.request["was_active"]:
        plugins.hold(job.slug)


def resume(job: Job) -> None:
    """The old version runs again; its code and data are back by now."""
    if job.request["was_active"]:
        plugins.resume(job.slug, job.actor)


def back_up(job: Job) -> dict[str, Any]:
    """Always: it is the way back. It is kept where that was asked for."""
    backups.make(_backup_key(job), job.slug, job.request["from_version"])
    return {"backup_path": f"/{_backup_key(job)}"} if job.request["backup"] else {}


def discard_backup(job: Job) -> None:
    artifacts.delete(_backup_key(job))


def migrate(job: Job) -> dict[str, Any]:
    """Bring the plugin's tables to what the new version needs: forward, or back where it is an older one."""
    package = _new_package(job)
    runtime.migrations.migrate(job.slug, package.migrations, package.manifest.tables)
    undone = set(job.request["migrations"]) - {one.number for one in runtime.migrations.applied(job.slug)}
    return {"migrations_run": install.migrations_run(job) + len(undone)}


def restore_data(job: Job) -> None:
    """What migrations did, and what the new version wrote while it was tried, goes. Nothing of the plugin runs by now."""
    backups.restore_data(_backup_key(job), job.slug)


def switch_code(job: Job) -> None:
    _put_in_place(job, _new_package(job))


def switch_code_back(job: Job) -> None:
    archive = backups.package_of(_backup_key(job))
    package = plugins.read_package(archive)
    artifacts.put(artifacts.package_key(job.slug, package.manifest.version), archive)
    _keep_code(job, package)
    _put_in_place(job, package)


def start(job: Job) -> dict[str, Any]:
    package = _new_package(job)
    version = plugins.NewVersion(package.manifest, package.sha256, job.request.get("publisher"))
    plugins.update(job.slug, version, job.actor, start=job.request["activate"], job_id=job.id)
    return {}


def take_back(job: Job) -> None:
    """The old version's name in the list."""
    if job.request["activate"]:
        # The new version may be running: nothing may write while its data is put back, by the way back of an earlier step.
        plugins.hold(job.slug)
    package = plugins.read_package(backups.package_of(_backup_key(job)))
    reason = f"the job {job.id} was rolled back"
    version = plugins.NewVersion(package.manifest, package.sha256, job.request.get("from_publisher"))
    plugins.update(job.slug, version, job.actor, start=False, reason=reason)
    if job.request["activate"] and not job.request["was_active"]:
        message = job.request["error"] or "It failed before this update"
        plugins.fall_back(job.slug, message, job.request["error_reason"], job.actor)


def conclude(job: Job) -> dict[str, Any]:
    """The document's answer. What was of the old version only goes. Source: REST §8."""
    before = job.request["from_version"]
    artifacts.delete(artifacts.package_key(job.slug, before))
    artifacts.delete(artifacts.code_key(job.slug, before))
    messaging.templates.forget(job.slug, before)
    if job.request["source"] == "upload":
        artifacts.delete(job.request["upload_key"])
    plugin = plugins.get(job.slug)
    return {
        "slug": job.slug,
        "previous_version": before,
        "current_version": job.request["version"],
        "notes": list(plugin.manifest.notes),
        "migrations_run": job.made["migrations"]["migrations_run"],
        "backup_path": job.made["backing-up"].get("backup_path"),
        "dependencies_installed": job.made["dependencies"]["installed"],
        "status": plugin.status,
    }


def discard_way_back(job: Job) -> None:
    """The backup that nobody asked for, and snapshots of what dependencies had left."""
    artifacts.delete(backups.passing_key_of(job.slug, job.id))
    install.discard_snapshots(job)


def _keep_code(job: Job, package: Package) -> None:
    """What belongs to one version, under its name: nothing uses it until the plugin is that version."""
    version = package.manifest.version
    artifacts.put(artifacts.code_key(job.slug, version), plugins.code_bundle(package))
    messaging.templates.keep(job.slug, version, messaging.templates.sources_in(package.files))


def _put_in_place(job: Job, package: Package) -> None:
    """The function runs this package's code, and its files are what is published: all of them, and no others."""
    manifest = package.manifest
    limits = runtime.limits.of(job.slug, manifest.limits)
    code = Code(config.setting("PACKAGES_BUCKET"), artifacts.code_key(job.slug, manifest.version))
    role_arn = runtime.provisioning.create_role(job.slug)
    runtime.provisioning.create_function(job.slug, manifest.runtime, code, role_arn, runtime.provisioning.environment(job.slug), limits)
    plugins.assets.publish(job.slug, package)


def _new_package(job: Job) -> Package:
    return plugins.read_package(artifacts.get(artifacts.package_key(job.slug, job.request["version"])))


def _backup_key(job: Job) -> str:
    if job.request["backup"]:
        return backups.key_of(job.slug, job.request["from_version"], job.started_at)
    return backups.passing_key_of(job.slug, job.id)


UPDATE = Saga(
    "update",
    Step("downloading", fetch_package, install.discard_package, progress=20, message="Downloading the new version…"),
    Step("extracting", unpack, discard_code, progress=30, message="Checking and extracting files…"),
    Step("dependencies", install.install_dependencies, install.remove_dependencies, progress=45, message="Installing what it needs…"),
    Step("pausing", pause, resume, progress=55, message="Pausing the plugin…"),
    Step("backing-up", back_up, discard_backup, progress=65, message="Making a backup…"),
    Step("migrations", migrate, restore_data, progress=75, message="Running migrations…"),
    Step("switching", switch_code, switch_code_back, progress=80, message="Putting the new version in place…"),
    Step("starting", start, take_back, progress=95, message="Starting the new version…"),
    Step("result", conclude, progress=99, message="Finishing…"),
    tidy=discard_way_back,
)
