"""The keys of a repository and of a publisher: Ed25519 (RFC 8032), private as 32 raw bytes, public as base64 of its 32 raw bytes."""

import base64
import binascii
import contextlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cli.errors import RepositoryInvalid

_RAW_BYTES = 32


class KeyPair(NamedTuple):
    private: bytes
    """32 raw bytes: what a key file holds."""
    public: str
    """Base64: what the platform's configuration pins as ``MarketplacePublicKey``."""


def generate_key() -> KeyPair:
    private = Ed25519PrivateKey.generate().private_bytes_raw()
    return KeyPair(private, public_key_of(private))


def public_key_of(private_key: bytes) -> str:
    """Base64 of the public key. ``private_key`` is what `sign` accepts."""
    return base64.b64encode(_private(private_key).public_key().public_bytes_raw()).decode()


def sign(message: bytes, private_key: bytes) -> bytes:
    """Base64 of the signature over ``message``, as ``index.json.sig`` holds it.

    ``private_key`` is the content of a key file: 32 raw bytes, their base64, or PKCS #8 in PEM.

    Raises: RepositoryInvalid if it is none of these.
    """
    return base64.b64encode(_private(private_key).sign(message))


def release_statement(slug: str, version: str, sha256: str) -> bytes:
    """What a publisher's signature is over; as the platform checks it (``chalicelib/marketplace/publishers.py``), and a test compares."""
    return f"streamspace-release-v1\n{slug}\n{version}\n{sha256}\n".encode()


def kept_key(path: Path) -> bytes:
    """The private key in that file, which is made, for its owner only, where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(generate_key().private)
        # Of two who make it at the same moment, both use the one that was first.
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
        Path(name).unlink()
    return path.read_bytes()


def is_signed(message: bytes, signature: bytes, public_key: str) -> bool:
    """Whether ``signature``, in base64, was made over ``message`` with the other half of ``public_key``."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature.strip(), validate=True), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(key: bytes) -> Ed25519PrivateKey:
    try:
        if key.startswith(b"-----BEGIN"):
            loaded = load_pem_private_key(key, password=None)
            if isinstance(loaded, Ed25519PrivateKey):
                return loaded
        else:
            raw = key if len(key) == _RAW_BYTES else base64.b64decode(key.strip(), validate=True)
            return Ed25519PrivateKey.from_private_bytes(raw)
    except (ValueError, TypeError, binascii.Error):
        pass  # what was wrong with it would tell about a secret
    raise RepositoryInvalid("The signing key must be an Ed25519 private key: 32 raw bytes, their base64, or PEM")
