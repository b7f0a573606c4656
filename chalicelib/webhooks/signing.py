"""How a webhook's receiver knows that it was us.

Two ways, of which a receiver takes the one that it likes:

* ``signature`` in the body, as the REST document has it: ``sha256=`` and the HMAC-SHA256, in hex, of the body without that member, which is
  its last one: ``JSON.stringify({event, timestamp, data})`` of what was received.
* The headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` of Standard Webhooks: ``v1,`` and the HMAC-SHA256, in base64,
  of ``{id}.{timestamp}.{body}``; while a secret is being replaced, one for each, separated by blanks.

A secret that begins with ``whsec_`` is base64 behind that, as Standard Webhooks has it; any other is its own UTF-8 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any

PREFIX = "whsec_"


def new_secret() -> str:
    """24 random bytes: Standard Webhooks asks for 24 to 64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def is_usable(secret: str) -> bool:
    if not secret.startswith(PREFIX):
        return bool(secret)
    try:
        return bool(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except binascii.Error:
        return False


def body(payload: dict[str, Any], secret: str) -> bytes:
    """The payload with its ``signature`` behind everything else."""
    unsigned = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    signature = "sha256=" + _mac(secret, _bytes(unsigned)).hex()
    return _bytes(f'{unsigned[:-1]},"signature":"{signature}"}}')


def headers(message_id: str, timestamp: int, content: bytes, valid: Sequence[str]) -> dict[str, str]:
    """``timestamp`` is the attempt's own, in epoch seconds. ``valid``: the secrets that sign, the newest first."""
    signed = f"{message_id}.{timestamp}.".encode() + content
    signatures = [f"v1,{base64.b64encode(_mac(secret, signed)).decode()}" for secret in valid]
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": " ".join(signatures)}


def _mac(secret: str, content: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix(PREFIX)) if secret.startswith(PREFIX) else secret.encode()
    return hmac.new(key, content, hashlib.sha256).digest()


def _bytes(text: str) -> bytes:
    # Half of a surrogate pair, which JSON may hold and UTF-8 may not, becomes U+FFFD, as it does in JavaScript's TextEncoder.
    return text.encode(errors="surrogatepass").decode(errors="replace").encode()
