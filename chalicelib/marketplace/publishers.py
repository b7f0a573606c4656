"""Who made a release: a publisher is the holder of an Ed25519 key.

The signed index names the key of each release's publisher, and the publisher's own signature over the release stands beside it. So who runs
the marketplace cannot put a release under a publisher's name, and a publisher's place cannot be taken without it being seen: the installed
plugin remembers the key. Source of the format: docs/repository-format.md.
"""

from __future__ import annotations

import base64

KEY_BYTES = 32


def statement(slug: str, version: str, sha256: str) -> bytes:
    """What a publisher signs: this package, as this version of this plugin. No part has line breaks, so no two releases share one."""
    return f"streamspace-release-v1\n{slug}\n{version}\n{sha256}\n".encode()


def is_key(text: str) -> bool:
    """Whether it could be somebody's public key: the base64 of 32 bytes."""
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except ValueError:
        return False


def is_signed(message: bytes, signature: bytes | str, public_key: str) -> bool:
    """Whether the signature (base64) is by that key (base64). Raises ValueError for a key that is none."""
    # Imported here: it costs 50 ms, which requests without a signature need not pay.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
    try:
        key.verify(base64.b64decode(signature.strip(), validate=True), message)
    except (InvalidSignature, ValueError):
        return False
    return True
