"""What can be wrong with licences.

StreamSpaceError
├── LicenseInvalid              403   LICENSE_INVALID               details.reason: one of INVALID
├── LicenseExpired              403   LICENSE_EXPIRED               details.reason: one of EXPIRED
└── LicenseServiceUnavailable   503   LICENSE_SERVICE_UNAVAILABLE   away, not configured, or answers what cannot be believed

Source of the first two codes: REST, Error Codes.
"""

from __future__ import annotations

from typing import Any

from chalicelib.core.errors import ServiceUnavailable, StreamSpaceError

# Why a licence is none, and the sentence about it.
INVALID = {
    "missing": "It has no licence; activate one with its key",
    "unknown_key": "The licence service does not know this key",
    "wrong_plugin": "The key is for another plugin",
    "wrong_installation": "The licence is for another installation",
    "revoked": "The licence was revoked",
    "seats_used": "All seats of the licence are taken; deactivate it somewhere else first",
    "no_seat": "The licence's seat was given to another installation; activate it again",
    "not_yet_valid": "The licence begins later",
    "signature": "The stored licence is not signed by the key that this platform trusts; renew it",
}
EXPIRED = {
    "expired": "The licence has expired; renew it",
    "unconfirmed": "The licence service was away for longer than the time of grace; the licence must be confirmed again",
}


class LicenseInvalid(StreamSpaceError):
    code, status = "LICENSE_INVALID", 403
    message = "License key is invalid"

    def __init__(self, reason: str, slug: str, **details: Any) -> None:
        super().__init__(f"'{slug}': {INVALID[reason]}", reason=reason, slug=slug, **details)


class LicenseExpired(StreamSpaceError):
    code, status = "LICENSE_EXPIRED", 403
    message = "License has expired"

    def __init__(self, reason: str, slug: str, **details: Any) -> None:
        super().__init__(f"'{slug}': {EXPIRED[reason]}", reason=reason, slug=slug, **details)


class LicenseServiceUnavailable(ServiceUnavailable):
    code = "LICENSE_SERVICE_UNAVAILABLE"
    message = "Cannot reach the licence service"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{type(self).message}: {reason}", reason=reason)
