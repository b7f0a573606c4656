"""What can go wrong with a job, as a caller sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.core.errors import Conflict, NotFound, StreamSpaceError
from chalicelib.licensing import LicenseExpired, LicenseInvalid
from chalicelib.marketplace import SignatureInvalid

if TYPE_CHECKING:
    from chalicelib.jobs.records import Job


class JobNotFound(NotFound):
    code = "JOB_NOT_FOUND"
    message = "There is no such job"


class InstallationFailed(StreamSpaceError):
    code, status = "INSTALLATION_FAILED", 500
    message = "Plugin installation failed"


class UninstallationFailed(StreamSpaceError):
    code, status = "UNINSTALLATION_FAILED", 500
    message = "Plugin could not be removed"


class BackupNotFound(NotFound):
    code = "BACKUP_NOT_FOUND"
    message = "There is no such backup"


class BackupOfAnotherVersion(Conflict):
    """``details``: ``installed_version``, ``backup_version``."""

    code = "BACKUP_OF_ANOTHER_VERSION"
    message = "The backup is of another version of the plugin"


class RestorationFailed(StreamSpaceError):
    code, status = "RESTORATION_FAILED", 500
    message = "The backup could not be restored; everything is as it was before"


class UpdateFailed(StreamSpaceError):
    code, status = "UPDATE_FAILED", 500
    message = "Plugin update failed; the version before it is in place again"


_OF_KIND: dict[str, type[StreamSpaceError]] = {
    "install": InstallationFailed,
    "restore": RestorationFailed,
    "uninstall": UninstallationFailed,
    "update": UpdateFailed,
}
# The fault of what was asked for, and no accident on the way.
_OF_WHAT_WAS_ASKED = {error.code: error for error in (LicenseExpired, LicenseInvalid, SignatureInvalid)}


def failure_of(job: Job) -> StreamSpaceError:
    """Of a job that has ended without success. ``details``: ``job_id``, ``step``, ``cause`` (the error there), ``left`` (what could not be
    removed)."""
    cause: dict[str, Any] = job.error or {}
    details = {"job_id": job.id, "step": cause.get("step"), "cause": cause, "left": job.left}
    asked = _OF_WHAT_WAS_ASKED.get(cause.get("code", ""))
    if asked is not None:
        return asked.retold(cause["message"], {**cause["details"], **details})
    return _OF_KIND[job.kind](cause.get("message"), **details)
