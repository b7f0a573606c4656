"""What can go wrong with a job, as a caller sees it."""

from chalicelib.core.errors import Conflict, NotFound, StreamSpaceError


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
