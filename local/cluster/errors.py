"""The answers that Kubernetes gives to a refused request, as ``Status`` objects."""

from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """A request that the API answers with a ``Status`` instead of an object."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str, *, details: Json | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}

    def status(self) -> Json:
        return status(self.code, self.reason, self.message, self.details)


class BadRequest(Refused):
    code, reason = 400, "BadRequest"


class NotFound(Refused):
    code, reason = 404, "NotFound"


class MethodNotAllowed(Refused):
    code, reason = 405, "MethodNotAllowed"


class AlreadyExists(Refused):
    code, reason = 409, "AlreadyExists"


class Conflict(Refused):
    code, reason = 409, "Conflict"


class Expired(Refused):
    code, reason = 410, "Expired"


class UnsupportedMediaType(Refused):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(Refused):
    code, reason = 422, "Invalid"


REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def status(code: int, reason: str, message: str, details: Json | None = None) -> Json:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success" if code < 400 else "Failure",
        "message": message,
        "reason": reason,
        "details": details or {},
        "code": code,
    }
