"""The licence service over HTTP. Source: docs/licences.md.

What it refuses, it says with a code; all else (no answer, a wrong one, one that is not its own) means that it could not be asked.
"""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core import clock, config, outgoing
from chalicelib.core.outgoing import OutOfTime
from chalicelib.licensing import installation, signed
from chalicelib.licensing.errors import INVALID, LicenseExpired, LicenseInvalid, LicenseServiceUnavailable
from chalicelib.licensing.license import Confirmation

DEADLINE_S = 8.0
_LARGEST_ANSWER = 64 * 1024
# What the service may refuse a key for; of these, only an expiry has an error of its own.
_REFUSALS = ("unknown_key", "wrong_plugin", "revoked", "seats_used", "no_seat", "expired")
_REFUSED_WITH = (403, 404, 409)


def activation(slug: str, key: str) -> Confirmation:
    """Take a seat for this installation, or keep the one that it has. Raises LicenseInvalid, LicenseExpired, LicenseServiceUnavailable."""
    return _confirmation("activations", slug, key)


def renewal(slug: str, key: str) -> Confirmation:
    """What the licence is now; takes no seat. Raises what :func:`activation` raises."""
    return _confirmation("renewals", slug, key)


def deactivation(slug: str, key: str) -> None:
    """Give this installation's seat back; none there is fine. Raises LicenseServiceUnavailable."""
    try:
        _asked("deactivations", slug, key, installation.id_of_this(), nonce=None)
    except (LicenseInvalid, LicenseExpired):
        return


def _confirmation(what: str, slug: str, key: str) -> Confirmation:
    installation_id, nonce = installation.id_of_this(), secrets.token_urlsafe(16)
    public_keys = config.setting("LICENSE_PUBLIC_KEY", "")
    if not public_keys:
        raise LicenseServiceUnavailable("no public key is configured to check its licences with")
    answer = _asked(what, slug, key, installation_id, nonce=nonce)
    token = answer.get("license")
    if not isinstance(token, str):
        raise LicenseServiceUnavailable("its answer holds no licence")
    try:
        terms = signed.read(token, public_keys, slug=slug, installation_id=installation_id, at=clock.now(), nonce=nonce)
    except signed.NotGenuine as error:
        raise LicenseServiceUnavailable(f"its licence cannot be believed: {error}") from error
    if terms.expires_at is not None and terms.expires_at <= clock.now():
        raise LicenseExpired("expired", slug, expires_at=clock.rfc3339(terms.expires_at))
    return Confirmation(token, terms)


def _asked(what: str, slug: str, key: str, installation_id: str, *, nonce: str | None) -> dict[str, Any]:
    url = f"{_base()}/v1/{what}"
    question = {"license_key": key, "plugin": slug, "installation_id": installation_id, **({"nonce": nonce} if nonce else {})}
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": f"StreamSpace/{config.PLATFORM_VERSION}",
    }
    try:
        answer = outgoing.request(
            "POST",
            url,
            headers,
            content=json.dumps(question).encode(),
            ends_at=time.monotonic() + DEADLINE_S,
            read_bytes=_LARGEST_ANSWER + 1,
        )
    except OutOfTime as error:
        raise LicenseServiceUnavailable(f"no answer within {DEADLINE_S:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise LicenseServiceUnavailable(str(error) or type(error).__name__) from error
    body = _document(answer.body)
    if answer.status == 200 and body is not None:
        return body
    if answer.status in _REFUSED_WITH and body is not None:
        _raise_refusal(body.get("error"), slug)
    raise LicenseServiceUnavailable(f"it answered {answer.status}" + ("" if body is not None else " with something that is not JSON"))


def _raise_refusal(error: Any, slug: str) -> None:
    """Only for what the protocol knows: a web server in between has refusals of its own."""
    code = error.get("code") if isinstance(error, Mapping) else None
    if code not in _REFUSALS:
        return
    told = error.get("details")
    details = {name: told[name] for name in ("expires_at", "seats", "seats_used", "licensed_plugin") if name in told} if told else {}
    if code == "expired":
        raise LicenseExpired(code, slug, **details)
    assert code in INVALID
    raise LicenseInvalid(code, slug, **details)


def _document(body: bytes) -> dict[str, Any] | None:
    if len(body) > _LARGEST_ANSWER:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _base() -> str:
    url = config.setting("LICENSE_SERVICE_URL", "").rstrip("/")
    if not url:
        raise LicenseServiceUnavailable("none is configured")
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and config.is_local()):
        raise LicenseServiceUnavailable(f"its address must begin with https://, not {scheme}://")
    return url
