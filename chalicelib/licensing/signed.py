"""Signed licences: an EdDSA JWT, believed only under a key that is pinned here.

Source: RFC 7519 (JWT), RFC 8037 (Ed25519 in JOSE), RFC 8725 (JWT Best Current Practices): one algorithm, which we name and the token
does not choose; an explicit type, so that nothing else signed with the key passes for a licence; the audience is checked.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.licensing.errors import LicenseInvalid, LicenseServiceUnavailable
from chalicelib.licensing.license import Terms

TYPE = "streamspace-license+jwt"
LARGEST = 16 * 1024
# How far the service's clock and ours may be apart.
SKEW = timedelta(minutes=5)

_CLAIMS = ["jti", "sub", "aud", "iat", "nonce", "license"]
_LONGEST_TEXT = 200


class NotGenuine(Exception):
    """Not a licence that the holder of the pinned key made; says why."""


def read(token: str, public_keys: str, *, slug: str, installation_id: str, at: datetime, nonce: str | None = None) -> Terms:
    """What is in it. ``public_keys``: Ed25519, base64, one or several with commas between. ``nonce``: of the question that it answers.

    Expiry is not looked at here: an expired licence still says when it ended. Raises NotGenuine; LicenseInvalid for a genuine one that is
    for something else: wrong_plugin, wrong_installation, not_yet_valid.
    """
    claims = _verified(token, public_keys)
    if nonce is not None and claims["nonce"] != nonce:
        raise NotGenuine("it answers another question than the one that was asked")
    if claims["aud"] not in (installation_id, [installation_id]):
        raise LicenseInvalid("wrong_installation", slug)
    if claims["sub"] != slug:
        raise LicenseInvalid("wrong_plugin", slug, licensed_plugin=str(claims["sub"])[:_LONGEST_TEXT])
    made_at, starts_at = _moment(claims, "iat"), _moment(claims, "nbf")
    if made_at is None or made_at > at + SKEW:
        raise NotGenuine("it was made in the future: the service's clock, or ours, is wrong")
    if starts_at is not None and starts_at > at + SKEW:
        raise LicenseInvalid("not_yet_valid", slug, starts_at=starts_at.isoformat().replace("+00:00", "Z"))
    return _terms(claims, starts_at)


def _verified(token: str, public_keys: str) -> dict[str, Any]:
    # Imported here: cryptography costs 50 ms, and most requests have nothing to do with licences.
    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(token) > LARGEST:
        raise NotGenuine(f"it has more than {LARGEST} characters")
    why = "it is not signed by the key that this platform trusts"
    for text in public_keys.split(","):
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
        except ValueError as error:
            raise LicenseServiceUnavailable("the configured public key is not 32 bytes in base64") from error
        try:
            # Times are compared with our own clock, and the audience with an error of its own.
            checks = {"require": _CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
            decoded = jwt.decode_complete(token, key, algorithms=["EdDSA"], options=checks)  # type: ignore[arg-type]
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
            raise NotGenuine(f"it is no signed licence: {error}") from error
        if decoded["header"].get("typ") != TYPE:
            raise NotGenuine(f"it is signed, but no licence: its type is {decoded['header'].get('typ')!r}")
        return dict(decoded["payload"])
    raise NotGenuine(why)


def _terms(claims: dict[str, Any], starts_at: datetime | None) -> Terms:
    if not claims["jti"]:
        raise NotGenuine("it has no id")
    about = claims["license"]
    kind = about.get("type") if isinstance(about, dict) else None
    if not isinstance(kind, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,49}", kind):
        raise NotGenuine("its type is not a short name")
    features = about.get("features", [])
    if not isinstance(features, list) or not all(isinstance(one, str) and len(one) <= _LONGEST_TEXT for one in features):
        raise NotGenuine("its features are not a list of names")
    return Terms(
        id=str(claims["jti"])[:_LONGEST_TEXT],
        type=kind,
        features=tuple(features),
        starts_at=starts_at,
        expires_at=_moment(claims, "exp"),
        seats=_count(about, "seats"),
        seats_used=_count(about, "seats_used"),
    )


def _count(about: dict[str, Any], name: str) -> int | None:
    value = about.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise NotGenuine(f"its '{name}' is not a whole number")
    return value


def _moment(claims: dict[str, Any], name: str) -> datetime | None:
    value = claims.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise NotGenuine(f"its '{name}' is not a time") from error
