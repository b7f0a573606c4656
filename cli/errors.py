"""What can go wrong in a command, as one tree that `cli.main` shows as a line on stderr.

CliError
├── ApiError            the API answered with an error envelope
├── NetworkError        no answer came, or one that is no envelope
├── NoStack             there is no address to talk to
├── JobFailed           an install, update or uninstall ended without success
├── PackageInvalid      a folder cannot be packed, or a zip is no plugin package
├── VersionExists       the repository already has this version, with other bytes
├── RepositoryInvalid   the repository's index or key is not what it should be
└── FiguresInvalid      figures for a repository's plugins that are none
"""

from typing import Any


class CliError(Exception):
    """A failure that is understood: shown as ``CODE: message`` with its details, never as a traceback."""

    code = "FAILED"

    def __init__(self, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ApiError(CliError):
    """The API's own error, with the envelope's ``code``, ``message`` and ``details``. Source: REST, Error Response."""

    def __init__(self, code: str, message: str, details: Any = None, *, status: int) -> None:
        super().__init__(message, details)
        self.code = code
        self.status = status


class NetworkError(CliError):
    code = "NETWORK_ERROR"


class NoStack(CliError):
    code = "NO_STACK"


class JobFailed(CliError):
    code = "JOB_FAILED"


class PackageInvalid(CliError):
    code = "PACKAGE_INVALID"


class VersionExists(CliError):
    code = "VERSION_EXISTS"


class RepositoryInvalid(CliError):
    code = "REPOSITORY_INVALID"


class LicenseUnknown(CliError):
    code = "LICENSE_UNKNOWN"


class FiguresInvalid(CliError):
    code = "FIGURES_INVALID"
