"""Licence keys: ``XXXX-XXXX-XXXX-XXXX``, sixteen letters and digits; kept encrypted, shown masked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from chalicelib.core import secrets
from chalicelib.core.errors import ValidationError

_FORM = re.compile(r"[A-Z0-9]{4}(-[A-Z0-9]{4}){3}")


@dataclass(frozen=True)
class SealedKey:
    """``ciphertext`` opens for its plugin only; ``fingerprint`` tells whether two are the same key."""

    ciphertext: str
    masked: str
    fingerprint: str

    def opened(self, slug: str) -> str:
        """The key itself. One call of KMS."""
        return secrets.opened(self.ciphertext, plugin=slug, purpose="license key")


def sealed(text: str, slug: str) -> SealedKey:
    """Small letters and blanks around it are forgiven. One call of KMS. Raises ValidationError for ``license_key``."""
    key = parsed(text)
    return SealedKey(secrets.sealed(key, plugin=slug, purpose="license key"), masked(key), fingerprint(key))


def parsed(text: str) -> str:
    """The key in its usual form. Raises ValidationError for ``license_key``."""
    key = text.strip().upper()
    if not _FORM.fullmatch(key):
        raise ValidationError({"license_key": ["A licence key is four groups of four letters or digits: XXXX-XXXX-XXXX-XXXX"]})
    return key


def masked(key: str) -> str:
    return f"****-****-****-{key[-4:]}"


def fingerprint(key: str) -> str:
    """A key has some 80 random bits: nobody finds it by trying."""
    return sha256(key.encode()).hexdigest()[:32]
