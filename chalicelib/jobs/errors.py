"""What can go wrong with a job, as a caller sees it."""

from chalicelib.core.errors import NotFound, StreamSpaceError


class JobNotFound(NotFound):
    code = "JOB_NOT_FOUND"
    message = "There is no such job"


class InstallationFailed(StreamSpaceError):
    code, status = "INSTALLATION_FAILED", 500
    message = "Plugin installation failed"


class UninstallationFailed(StreamSpaceError):
    code, status = "UNINSTALLATION_FAILED", 500
    message = "Plugin could not be removed"


class UpdateFailed(StreamSpaceError):
    code, status = "UPDATE_FAILED", 500
    message = "Plugin update failed; the version before it is in place again"
