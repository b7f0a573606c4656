"""Making an installed plugin's settings and data what they were in one of its backups.

A backup of a plugin that is not installed any more is restored by installing it from there: see ``install.plan_from_backup``.
"""

from __future__ import annotations

from typing import Any

from chalicelib import plugins
from chalicelib.jobs import artifacts, backups, install
from chalicelib.jobs.errors import BackupNotFound, BackupOfAnotherVersion
from chalicelib.jobs.records import Job
from chalicelib.jobs.saga import Saga, Step


def plan(slug: str, backup_path: str) -> dict[str, Any]:
    """Raises BackupNotFound, BackupOfAnotherVersion, and what installing from a backup raises."""
    key = backup_path.lstrip("/")
    backup = next((one for one in backups.listed(slug) if one.key == key), None)
    if backup is None:
        raise BackupNotFound(f"'{slug}' has no backup {backup_path}", slug=slug, backup_path=backup_path)
    plugin = plugins.find(slug)
    if plugin is None:
        return install.plan_from_backup(key, slug)
    if plugin.version != backup.version:
        raise BackupOfAnotherVersion(
            f"The backup is of version {backup.version}, and {plugin.version} is installed; update '{slug}' to {backup.version} first",
            installed_version=plugin.version,
            backup_version=backup.version,
        )
    return {
        "source": "data",
        "slug": slug,
        "version": plugin.version,
        "backup_key": key,
        "was_active": plugin.is_active,
        "locks": [slug],
    }


def pause(job: Job) -> None:
    if job.request["was_active"]:
        plugins.hold(job.slug)


def resume(job: Job) -> None:
    if job.request["was_active"]:
        plugins.resume(job.slug, job.actor)


def back_up(job: Job) -> None:
    """The way back. What is there already is from before."""
    backups.make_snapshot(_way_back(job), job.slug)


def discard_backup(job: Job) -> None:
    artifacts.delete(_way_back(job))


def restore(job: Job) -> None:
    backups.restore_data(job.request["backup_key"], job.slug)


def take_back(job: Job) -> None:
    backups.restore_data(_way_back(job), job.slug)


def start(job: Job) -> None:
    """It loads anew, with the settings and the data that it finds now."""
    resume(job)


def conclude(job: Job) -> dict[str, Any]:
    return {
        "slug": job.slug,
        "version": job.request["version"],
        "restored_from": f"/{job.request['backup_key']}",
        "status": plugins.get(job.slug).status,
    }


def _way_back(job: Job) -> str:
    return backups.passing_key_of(job.slug, job.id)


RESTORE = Saga(
    "restore",
    Step("pausing", pause, resume, progress=20, message="Pausing the plugin…"),
    Step("backing-up", back_up, discard_backup, progress=40, message="Keeping what is there…"),
    Step("restoring", restore, take_back, progress=80, message="Restoring settings and data…"),
    Step("starting", start, pause, progress=95, message="Starting the plugin…"),
    Step("result", conclude, progress=99, message="Finishing…"),
    tidy=discard_backup,
)
