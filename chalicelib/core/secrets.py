"""Secrets that the platform must be able to read back, encrypted by KMS.

The encryption context says what a ciphertext is for: for anything else it opens nothing.
Source: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

import base64

from chalicelib.core import aws
from chalicelib.core.config import setting

LARGEST_BYTES = 4096  # what KMS encrypts itself


def sealed(text: str, /, **context: str) -> str:
    """The ciphertext, in base64. One call of KMS."""
    answer = aws.client("kms").encrypt(KeyId=setting("SECRETS_KEY_ID"), Plaintext=text.encode(), EncryptionContext=context)
    return base64.b64encode(answer["CiphertextBlob"]).decode()


def opened(ciphertext: str, /, **context: str) -> str:
    """What :func:`sealed` was given, for the same context. One call of KMS."""
    answer = aws.client("kms").decrypt(
        KeyId=setting("SECRETS_KEY_ID"), CiphertextBlob=base64.b64decode(ciphertext), EncryptionContext=context
    )
    return str(answer["Plaintext"].decode())
