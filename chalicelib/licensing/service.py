"""What the platform does with one licence: ask about it, and check it without asking."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.core import clock, config
from chalicelib.core.errors import StreamSpaceError
from chalicelib.licensing import client, installation, signed
from chalicelib.licensing.errors import LicenseExpired, LicenseInvalid
from chalicelib.licensing.keys import SealedKey
from chalicelib.licensing.license import Confirmation, License, Standing, standing_of


def grace() -> timedelta:
    """How long a licence goes on that the service cannot confirm, since it last did."""
    return timedelta(days=int(config.setting("LICENSE_GRACE_DAYS", "14")))


def activate(slug: str, key: SealedKey) -> Confirmation:
    """Take a seat; doing so twice takes one. Raises LicenseInvalid, LicenseExpired, LicenseServiceUnavailable."""
    return client.activation(slug, key.opened(slug))


def renew(slug: str, license: License) -> Confirmation:
    """What the licence is now. Raises what :func:`activate` raises."""
    return client.renewal(slug, license.key.opened(slug))


def require(slug: str, license: License | None) -> None:
    """Raises LicenseInvalid or LicenseExpired unless the licence is good: by what is known of it, and by its signature under the pinned
    key. The service is not asked. One GetItem."""
    if license is None:
        raise LicenseInvalid("missing", slug)
    standing = standing_of(license, clock.now(), grace())
    if not standing.is_valid:
        raise explained(slug, license, standing)
    public_keys = config.setting("LICENSE_PUBLIC_KEY", "")
    try:
        signed.read(license.token, public_keys, slug=slug, installation_id=installation.id_of_this(), at=clock.now())
    except signed.NotGenuine as error:
        raise LicenseInvalid("signature", slug) from error


def explained(slug: str, license: License, standing: Standing) -> StreamSpaceError:
    """The error for a licence that stands like this."""
    reason = standing.reason or "unknown_key"
    if standing.status == "expired":
        ended = license.terms.expires_at if reason == "expired" else standing.valid_until
        return LicenseExpired(reason, slug, expires_at=clock.rfc3339(ended) if ended else None)
    return LicenseInvalid(reason, slug)
