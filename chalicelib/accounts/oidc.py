"""An OpenID provider, as its client sees it: discovery, where to send a browser, and what a code is worth.

Promises
    What a provider says of somebody is believed only from an ID token whose signature, algorithm, issuer, audience, times and nonce are
    right. Only asymmetric algorithms are taken, so that no secret that others know can sign.
    Discovery and keys are kept for an hour; an unknown key makes them be read again, at most once a minute, whoever asks.
    Everything goes over HTTPS (to loopback, on a developer's machine, without), follows no redirect, and is bounded in time and size.

Source: OpenID Connect Core 1.0 §3.1; Discovery 1.0; RFC 7636 (PKCE); RFC 9207 (``iss`` in the answer); RFC 9700 (best practice).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from chalicelib.accounts.errors import SsoFailed, SsoUnavailable
from chalicelib.core import clock, config, outgoing

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_KEPT_S, _READ_AGAIN_S = 3600.0, 60.0
_LEEWAY_S = 60
# A sign-in makes three requests at most, within a function of half a minute.
_ALL_S = 8.0
_MOST_BYTES = 512 * 1024
_ONLY_THE_SIGNATURE: Any = {
    "verify_signature": True,
    **{f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")},
}


@dataclass
class Provider:
    """One provider and this platform's registration with it. Made once for each container, for what it keeps."""

    issuer: str
    client_id: str
    client_secret: str | None
    scopes: str = "openid profile email"
    _document: dict[str, Any] = field(default_factory=dict)
    _document_at: float = float("-inf")
    _keys: list[dict[str, Any]] = field(default_factory=list)
    _keys_at: float = float("-inf")

    def discover(self) -> Mapping[str, Any]:
        """The provider's metadata. Raises SsoUnavailable, also where it is another provider's."""
        if clock.timestamp() - self._document_at >= _KEPT_S:
            document = _json_of(_ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"))
            if document.get("issuer") != self.issuer:
                raise SsoUnavailable(f"The document at {self.issuer} is the one of another issuer")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                _require_safe(str(document.get(name) or ""))
            self._document, self._document_at = document, clock.timestamp()
        return self._document

    def address(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where to send a browser."""
        endpoint = str(self.discover()["authorization_endpoint"])
        question = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(question)}"

    def claims_for(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> dict[str, Any]:
        """What the provider says of whoever came back with ``code``. Raises SsoFailed, SsoUnavailable."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self.client_secret:
            # Both are form-encoded before they are joined. Source: RFC 6749 §2.3.1.
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self.client_id
        status, content = _ask("POST", str(self.discover()["token_endpoint"]), urlencode(form), headers)
        if status >= 500:
            raise SsoUnavailable()
        answer = _json_of((200, content))
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise SsoFailed(f"The provider did not take the code: {str(answer.get('error') or status)[:100]}")
        return self._checked(token, nonce)

    def _checked(self, token: str, nonce: str) -> dict[str, Any]:
        import jwt

        try:
            # Only the signature: what the token says is looked at below, where each fault has its name.
            claims = jwt.decode(token, self._key_of(token), algorithms=list(ALGORITHMS), options=_ONLY_THE_SIGNATURE)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise SsoFailed("The provider's ID token is not signed as it should be") from error
        self._require(claims, nonce)
        return dict(claims)

    def _require(self, claims: Mapping[str, Any], nonce: str) -> None:
        """Source: OpenID Connect Core 1.0 §3.1.3.7."""
        now = clock.timestamp()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        faults = {
            "iss": claims.get("iss") != self.issuer,
            "aud": self.client_id not in audiences,
            "azp": (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != self.client_id,
            "exp": not _is_number(claims.get("exp")) or claims["exp"] <= now - _LEEWAY_S,
            "iat": not _is_number(claims.get("iat")) or claims["iat"] > now + _LEEWAY_S,
            "nbf": "nbf" in claims and (not _is_number(claims["nbf"]) or claims["nbf"] > now + _LEEWAY_S),
            "nonce": not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()),
            "sub": not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255,
        }
        wrong = [name for name, is_wrong in faults.items() if is_wrong]
        if wrong:
            raise SsoFailed(f"The provider's ID token is not for this sign-in: {', '.join(wrong)}")

    def _key_of(self, token: str) -> Any:
        """The provider's key that the token names. Where it names none, the provider must have only one."""
        from jwt import PyJWK

        kid = _header_of(token).get("kid")
        age = clock.timestamp() - self._keys_at
        is_unknown = kid is not None and all(key.get("kid") != kid for key in self._keys)
        if age >= _KEPT_S or (is_unknown and age >= _READ_AGAIN_S):
            found = _json_of(_ask("GET", str(self.discover()["jwks_uri"])))
            # Keys of kinds that we do not know, or for encryption, are not ours to complain about; shared secrets are no keys at all.
            keys = [one for one in found.get("keys") or () if isinstance(one, dict) and one.get("kty") in ("RSA", "EC")]
            self._keys, self._keys_at = [one for one in keys if one.get("use", "sig") == "sig"], clock.timestamp()
        named = [key for key in self._keys if kid is None or key.get("kid") == kid]
        if len(named) != 1:
            raise SsoFailed("The provider's ID token is signed with a key that the provider does not show")
        return PyJWK.from_dict(named[0])


def challenge_of(verifier: str) -> str:
    """Source: RFC 7636 §4.2, S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def is_safe_address(url: str) -> bool:
    """Over HTTPS; on a developer's machine loopback may do without."""
    parts = urlsplit(url)
    is_loopback = config.is_local() and parts.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(parts.hostname) and parts.username is None and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback))


def _require_safe(url: str) -> None:
    if not is_safe_address(url):
        raise SsoUnavailable(f"The provider names an address that is not an https one: {url[:200]}")


def _header_of(token: str) -> dict[str, Any]:
    part = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError as error:
        raise SsoFailed("The provider's ID token cannot be read") from error
    return header if isinstance(header, dict) else {}


def _ask(method: str, url: str, body: str | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    _require_safe(url)
    content = body.encode() if body is not None else None
    try:
        answer = outgoing.request(
            method, url, headers or {}, content=content, ends_at=time.monotonic() + _ALL_S, read_bytes=_MOST_BYTES + 1
        )
    except outgoing.FAILURES as error:
        raise SsoUnavailable() from error
    if len(answer.body) > _MOST_BYTES:
        raise SsoUnavailable("The provider's answer is too long")
    return answer.status, answer.body


def _json_of(answer: tuple[int, bytes]) -> dict[str, Any]:
    status, content = answer
    try:
        value = json.loads(content) if status == 200 else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SsoUnavailable(f"The provider answered {status} without a document")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
