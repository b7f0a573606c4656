"""Secret settings, encrypted by KMS. The encryption context binds a ciphertext to its plugin and key: elsewhere it opens nothing."""

from __future__ import annotations

import base64

from chalicelib.core import aws
from chalicelib.core.config import setting

LARGEST_BYTES = 4096  # what KMS encrypts itself


def sealed(slug: str, key: str, text: str) -> str:
    """The ciphertext, in base64. One call of KMS."""
    answer = aws.client("kms").encrypt(
        KeyId=setting("SECRETS_KEY_ID"), Plaintext=text.encode(), EncryptionContext={"plugin": slug, "setting": key}
    )
    return base64.b64encode(answer["CiphertextBlob"]).decode()


def opened(slug: str, key: str, ciphertext: str) -> str:
    """What :func:`sealed` was given. One call of KMS."""
    answer = aws.client("kms").decrypt(
        KeyId=setting("SECRETS_KEY_ID"),
        CiphertextBlob=base64.b64decode(ciphertext),
        EncryptionContext={"plugin": slug, "setting": key},
    )
    return str(answer["Plaintext"].decode())
