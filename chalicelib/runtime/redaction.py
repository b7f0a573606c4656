"""Takes a plugin's secrets, and tokens, out of what is shown of its log.

The SDKs do the same before they write (``streamspace/redaction.py``, ``redaction.js``); this catches what got past them, such as what a
function writes while it crashes. ``tests/sdk/redaction.json`` holds all three to the same cases.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

# A shorter one would blot out half of every text; alone, as a whole text, it is hidden all the same.
_SHORTEST = 4
# Of a secret with several lines, such as a private key, which is often printed line by line.
_SHORTEST_LINE = 8
_SHORTEST_IN_BASE64 = 6
_HIDDEN = "[secret]"
_TOKEN = re.compile(r"ss_[A-Za-z0-9_-]{38}")


class Redaction:
    """Hides these secrets, in all the forms that they take in a log, and every token of the platform's."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = {secret for secret in secrets if secret}
        forms = sorted({form for secret in self._secrets for form in _forms_of(secret)}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, forms))) if forms else None

    def text(self, text: str) -> str:
        if text in self._secrets:
            return _HIDDEN
        without_secrets = self._pattern.sub(_HIDDEN, text) if self._pattern else text
        return _TOKEN.sub("[token]", without_secrets)

    def value(self, value: Any) -> Any:
        """A JSON value with its texts, keys and numbers redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value if self.text(str(value)) == str(value) else _HIDDEN
        return value


def _forms_of(secret: str) -> Iterator[str]:
    """As it is, in JSON, in JSON within JSON, in a repr, in a URL, in a form, in base64 (of itself or with something before it)."""
    lines = [line.strip() for line in secret.splitlines()]
    several = [secret.strip(), *(line for line in lines if len(line) >= _SHORTEST_LINE)] if len(lines) > 1 else []
    for part in {secret, *several}:
        if len(part) < _SHORTEST:
            continue
        yield part
        for in_json in (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]):
            yield in_json
            yield json.dumps(in_json)[1:-1]
        yield repr(part)[1:-1]
        yield from (quote(part, safe=""), quote(part, safe="!'()*"), quote_plus(part))
        yield from _in_base64(part.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """The characters of base64 that the secret alone decides, for each of its three places in a group of bytes."""
    if len(secret) < _SHORTEST_IN_BASE64:
        return
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret).decode()
        alone = text[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield alone
        yield alone.replace("+", "-").replace("/", "_")
