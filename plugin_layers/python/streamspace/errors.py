"""The errors that the API's calls raise: one class per code of the platform, all below :class:`StreamSpaceError`.

::

    StreamSpaceError
      SessionNotFoundError, QuotaExceededError, ...   what the platform answered, named after its code
      PlatformUnreachableError                        no answer: refused, reset, timed out
      DialogTimeoutError                              nobody answered a dialog in time
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class StreamSpaceError(Exception):
    """Base of all; also raised as itself for a code that has no class here.

    ``status`` is the HTTP status, None when there was no answer.
    """

    code = "STREAMSPACE_ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Any = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.details = details
        self.status = status
        self.request_id = request_id

    @property
    def name(self) -> str:
        """The class's name, as the JavaScript SDK and a failure report call it."""
        return type(self).__name__


class SessionNotFoundError(StreamSpaceError):
    code = "SESSION_NOT_FOUND"


class UserNotFoundError(StreamSpaceError):
    code = "USER_NOT_FOUND"


class TemplateNotFoundError(StreamSpaceError):
    """No such session template, or no such email template."""

    code = "TEMPLATE_NOT_FOUND"


class UserAlreadyExistsError(StreamSpaceError):
    code = "USER_ALREADY_EXISTS"


class TemplateAlreadyExistsError(StreamSpaceError):
    code = "TEMPLATE_ALREADY_EXISTS"


class QuotaExceededError(StreamSpaceError):
    """The user has as many sessions, or as much memory, as the quota allows."""

    code = "QUOTA_EXCEEDED"


class InsufficientResourcesError(StreamSpaceError):
    """The cluster has no room."""

    code = "INSUFFICIENT_RESOURCES"


class InvalidStateTransitionError(StreamSpaceError):
    code = "INVALID_STATE_TRANSITION"


class InvalidEmailError(StreamSpaceError):
    """A user's email address is malformed."""

    code = "INVALID_EMAIL"


class InvalidEmailAddressError(StreamSpaceError):
    """A recipient's address is malformed."""

    code = "INVALID_EMAIL_ADDRESS"


class InvalidImageError(StreamSpaceError):
    code = "INVALID_IMAGE"


class EmailNotConfiguredError(StreamSpaceError):
    code = "EMAIL_NOT_CONFIGURED"


class CommandFailedError(StreamSpaceError):
    """The command's handler threw; ``details`` has its ``name`` and ``message``."""

    code = "COMMAND_FAILED"


class CommandNotFoundError(StreamSpaceError):
    code = "COMMAND_NOT_FOUND"


class EndpointFailedError(StreamSpaceError):
    """The handler of a plugin's endpoint threw; ``details`` has its ``name`` and ``message``."""

    code = "ENDPOINT_FAILED"


class PluginCrashedError(StreamSpaceError):
    """The function of the plugin that was called died, or ran out of time."""

    code = "PLUGIN_CRASHED"


class ValueTooLargeError(StreamSpaceError):
    """``storage.set`` with more than a value may have; ``details``: ``size_bytes`` and ``limit_bytes``."""

    code = "VALUE_TOO_LARGE"


class StorageQuotaExceededError(StreamSpaceError):
    """The plugin keeps as much as it may; ``details``: ``used_bytes``, ``allowed_bytes``, ``used_keys``, ``allowed_keys``."""

    code = "STORAGE_QUOTA_EXCEEDED"


class TableNotFoundError(StreamSpaceError):
    """No migration of the plugin made such a table; ``details`` has the names of those that there are."""

    code = "TABLE_NOT_FOUND"


class ItemAlreadyExistsError(StreamSpaceError):
    """``put`` with ``if_not_exists`` where there is an item with this key."""

    code = "ITEM_ALREADY_EXISTS"


class NotificationNotFoundError(StreamSpaceError):
    code = "NOTIFICATION_NOT_FOUND"


class DialogNotFoundError(StreamSpaceError):
    code = "DIALOG_NOT_FOUND"


class DialogClosedError(StreamSpaceError):
    """Somebody answered it already, or nobody waits for the answer any more."""

    code = "DIALOG_CLOSED"


class UnauthenticatedError(StreamSpaceError):
    code = "UNAUTHENTICATED"


class PermissionDeniedError(StreamSpaceError):
    """The plugin's manifest does not ask for the scope."""

    code = "PERMISSION_DENIED"


class NotFoundError(StreamSpaceError):
    code = "NOT_FOUND"


class MethodNotAllowedError(StreamSpaceError):
    code = "METHOD_NOT_ALLOWED"


class ValidationError(StreamSpaceError):
    code = "VALIDATION_ERROR"


class RateLimitedError(StreamSpaceError):
    """``retry_after`` is in seconds, None when the platform did not say."""

    code = "RATE_LIMITED"
    retry_after: float | None = None


class DailyQuotaExceededError(RateLimitedError):
    """The plugin's calls of today are used up; ``retry_after`` is when the next day of UTC begins."""

    code = "DAILY_QUOTA_EXCEEDED"


class PayloadTooLargeError(StreamSpaceError):
    code = "PAYLOAD_TOO_LARGE"


class ServiceUnavailableError(StreamSpaceError):
    code = "SERVICE_UNAVAILABLE"


class ConflictError(StreamSpaceError):
    code = "CONFLICT"


class ConcurrentChangeError(StreamSpaceError):
    """Somebody else changed it in between: read it again, then change it."""

    code = "CONCURRENT_CHANGE"


class OperationInProgressError(StreamSpaceError):
    code = "OPERATION_IN_PROGRESS"


class PluginNotFoundError(StreamSpaceError):
    code = "PLUGIN_NOT_FOUND"


class PluginAlreadyInstalledError(StreamSpaceError):
    code = "PLUGIN_ALREADY_INSTALLED"


class PluginAlreadyActiveError(StreamSpaceError):
    code = "PLUGIN_ALREADY_ACTIVE"


class PluginNotActiveError(StreamSpaceError):
    code = "PLUGIN_NOT_ACTIVE"


class PluginIsCoreError(StreamSpaceError):
    code = "PLUGIN_IS_CORE"


class DependenciesNotMetError(StreamSpaceError):
    code = "DEPENDENCIES_NOT_MET"


class DependencyConflictError(StreamSpaceError):
    code = "DEPENDENCY_CONFLICT"


class HasDependentsError(StreamSpaceError):
    code = "HAS_DEPENDENTS"


class JobNotFoundError(StreamSpaceError):
    code = "JOB_NOT_FOUND"


class LicenseInvalidError(StreamSpaceError):
    code = "LICENSE_INVALID"


class LicenseExpiredError(StreamSpaceError):
    code = "LICENSE_EXPIRED"


class LicenseServiceUnavailableError(StreamSpaceError):
    code = "LICENSE_SERVICE_UNAVAILABLE"


class MarketplaceUnavailableError(StreamSpaceError):
    code = "MARKETPLACE_UNAVAILABLE"


class InstallationFailedError(StreamSpaceError):
    code = "INSTALLATION_FAILED"


class UpdateFailedError(StreamSpaceError):
    code = "UPDATE_FAILED"


class PackageInvalidError(StreamSpaceError):
    code = "PACKAGE_INVALID"


class SignatureInvalidError(StreamSpaceError):
    code = "SIGNATURE_INVALID"


class PlatformUnreachableError(StreamSpaceError):
    """No answer came: the connection was refused or broke, or the time was up."""

    code = "PLATFORM_UNREACHABLE"


class DialogTimeoutError(StreamSpaceError):
    """The person did not answer the dialog while the call could wait."""

    code = "DIALOG_TIMEOUT"


BY_CODE: dict[str, type[StreamSpaceError]] = {
    found.code: found
    for found in list(globals().values())
    if isinstance(found, type) and issubclass(found, StreamSpaceError) and found is not StreamSpaceError
}

# What an answer without our envelope (a proxy's HTML page, an empty body) most likely means.
_CODE_OF_STATUS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    429: "RATE_LIMITED",
}


def from_answer(
    call: str,
    status: int,
    error: Mapping[str, Any],
    *,
    request_id: str | None = None,
    retry_after_s: float | None = None,
) -> StreamSpaceError:
    """The error for an answer that is not a success. ``call`` is the method as its author wrote it: ``email.send``."""
    code = error.get("code") or _CODE_OF_STATUS.get(status) or f"HTTP_{status}"
    details = error.get("details")
    message = error.get("message") or f"{call}: the platform answered {status}"
    scope = details.get("scope") if isinstance(details, dict) else None
    if code == "PERMISSION_DENIED" and scope:
        message = f"{call} needs the scope '{scope}'; add it to \"permissions\" in manifest.json"
    if code == "VALIDATION_ERROR" and isinstance(details, dict) and details:
        message = _faults_in(call, details)
    made = BY_CODE.get(code, StreamSpaceError)(message, code=code, details=details, status=status, request_id=request_id)
    if isinstance(made, RateLimitedError):
        made.retry_after = retry_after_s
    return made


_MOST_FAULTS = 3


def _faults_in(call: str, details: dict[str, Any]) -> str:
    """``api.get_sessions: limit: Must be an integer``. The platform's own message is the same whatever is wrong."""
    faults = [
        f"{field}: {sentences[0] if isinstance(sentences, list) and sentences else sentences}" for field, sentences in details.items()
    ]
    more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
    return f"{call}: {'; '.join([*faults[:_MOST_FAULTS], *more])}"


_PLATFORMS_FAULTS = frozenset({"PLATFORM_UNREACHABLE", "RATE_LIMITED", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR"})
_LONGEST_CHAIN = 5


def is_platforms_fault(error: BaseException | None) -> bool:
    """Whether a hook that failed with this failed because the platform was away or busy: this error, or one that it was raised from."""
    for _ in range(_LONGEST_CHAIN):
        if isinstance(error, StreamSpaceError) and (error.code in _PLATFORMS_FAULTS or _is_server_error(error.code)):
            return True
        error = error.__cause__ if error is not None else None
    return False


def _is_server_error(code: str) -> bool:
    """An answer without our envelope, such as a gateway's."""
    return len(code) == len("HTTP_503") and code.startswith("HTTP_5")
