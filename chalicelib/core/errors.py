"""The root of the error tree, and the errors that belong to no part of the domain.

    StreamSpaceError                 code, status, message, details
    ├── Unauthenticated              401
    ├── PermissionDenied             403
    ├── NotFound                     404   (each part of the domain has its own subclasses)
    ├── MethodNotAllowed             405
    ├── Conflict                     409
    │   ├── ConcurrentChange         409   somebody else wrote first; use cases try again
    │   └── SafeModeIsOn             409   the plugin is off until the platform leaves safe mode
    ├── PayloadTooLarge              413
    ├── ValidationError              422   details: field -> list of sentences
    ├── RateLimited                  429
    │   └── DailyQuotaExceeded       429   a plugin's own: its calls of today are used up
    └── ServiceUnavailable           503

The HTTP edge turns a leaf into the documented envelope; the SDKs turn it back into a class of the same name. A part of the domain
keeps its errors in its own ``errors.py``.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from chalicelib.core import clock
from chalicelib.core.rate_limiter import Allowance, Window


class StreamSpaceError(Exception):
    """Something that a caller can be told: a stable code, an HTTP status, a sentence, and details that help to mend it."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    message: str = "Something went wrong"

    def __init__(self, message: str | None = None, /, **details: Any) -> None:
        self.message = message or type(self).message
        self.details: dict[str, Any] = details
        super().__init__(self.message)

    @classmethod
    def retold(cls, message: str, details: Mapping[str, Any]) -> Self:
        """One that was met somewhere else, made again from what was kept of it."""
        error = cls.__new__(cls)
        StreamSpaceError.__init__(error, message, **details)
        return error


class Unauthenticated(StreamSpaceError):
    code, status = "UNAUTHENTICATED", 401
    message = "Sign in first: send 'Authorization: Bearer <token>' with a valid token"


class PermissionDenied(StreamSpaceError):
    code, status = "PERMISSION_DENIED", 403
    message = "You are not allowed to do this"


class NotFound(StreamSpaceError):
    code, status = "NOT_FOUND", 404
    message = "There is nothing at this path"


class MethodNotAllowed(StreamSpaceError):
    code, status = "METHOD_NOT_ALLOWED", 405
    message = "This path does not take that method"


class Conflict(StreamSpaceError):
    code, status = "CONFLICT", 409
    message = "The request conflicts with the present state"


class ConcurrentChange(Conflict):
    """A conditional write lost against another one. Use cases read again and try again; a caller sees it only after several losses."""

    code = "CONCURRENT_CHANGE"
    message = "Somebody else changed this at the same moment; try again"


class SafeModeIsOn(Conflict):
    """Every plugin that is not core is off; what happens meanwhile is kept for it."""

    code = "SAFE_MODE"
    message = "The platform is in safe mode"

    def __init__(self, slug: str) -> None:
        super().__init__(f"The platform is in safe mode, and '{slug}' is off until an administrator leaves it", slug=slug)


class OperationInProgress(Conflict):
    code = "OPERATION_IN_PROGRESS"
    message = "Another operation on this is still running"


class PayloadTooLarge(StreamSpaceError):
    code, status = "PAYLOAD_TOO_LARGE", 413
    message = "The body is too large"


class ValidationError(StreamSpaceError):
    """``details`` maps each faulty field (dotted path; ``body`` for the whole) to its sentences. Source: REST §4, Validation Errors."""

    code, status = "VALIDATION_ERROR", 422
    message = "The given data was invalid"

    def __init__(self, faults: Mapping[str, list[str]], message: str | None = None) -> None:
        super().__init__(message)
        self.details = dict(faults)


class RateLimited(StreamSpaceError):
    """Too many requests in this minute; ``retry_after_s`` is when the next one has room. Source: REST, Rate Limiting."""

    code, status = "RATE_LIMITED", 429
    message = "Too many requests; slow down"

    def __init__(self, group: str, limit: int, window: Window) -> None:
        wait_s = _until(window.ends_at)
        super().__init__(
            f"At most {limit} '{group}' requests a minute are allowed; the next is in {wait_s} s",
            group=group,
            limit=limit,
            retry_after_s=wait_s,
        )
        self.allowance = Allowance(limit, 0, window.ends_at)


class DailyQuotaExceeded(RateLimited):
    code = "DAILY_QUOTA_EXCEEDED"

    def __init__(self, slug: str, limit: int, window: Window) -> None:
        wait_s = _until(window.day_ends_at)
        StreamSpaceError.__init__(
            self,
            f"The plugin '{slug}' has made its {limit} calls of today; administrators can allow more, and midnight UTC begins a new day",
            plugin=slug,
            limit=limit,
            retry_after_s=wait_s,
        )
        self.allowance = Allowance(limit, 0, window.day_ends_at)


def _until(moment: int) -> int:
    return max(1, math.ceil(moment - clock.timestamp()))


class ServiceUnavailable(StreamSpaceError):
    code, status = "SERVICE_UNAVAILABLE", 503
    message = "A service that this needs is away; try again shortly"
