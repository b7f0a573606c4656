"""Licences: what the licence service says of a key, checked without it afterwards.

Promises
    A licence counts only when the holder of the pinned key signed it, for this plugin and this installation, in answer to the question
    that was just asked: one of another platform, or one from before it was revoked, is worth nothing.
    While the service is away, slow or answers nonsense, a licence goes on for days of grace since it was last confirmed; then it is over.
    A seat that was taken is a licence of an installed plugin, or is given back: also when whoever took it was killed (``returns``).
    A key is encrypted from the moment that it comes in, and shown masked.

Here are licences as such. What they mean for installed plugins is ``plugins.licenses``. The service's protocol is docs/licences.md.
"""

from chalicelib.licensing import returns
from chalicelib.licensing.errors import LicenseExpired, LicenseInvalid, LicenseServiceUnavailable
from chalicelib.licensing.keys import SealedKey, sealed
from chalicelib.licensing.license import Confirmation, License, Standing, missing, standing_of
from chalicelib.licensing.service import activate, explained, grace, renew, require

__all__ = [
    "Confirmation",
    "License",
    "LicenseExpired",
    "LicenseInvalid",
    "LicenseServiceUnavailable",
    "SealedKey",
    "Standing",
    "activate",
    "explained",
    "grace",
    "missing",
    "renew",
    "require",
    "returns",
    "sealed",
    "standing_of",
]
