"""Takes the plugin's secret settings, and the platform's tokens, out of what is logged or told of a failure.

What a container knew once stays hidden as long as it lives: after a change of the settings the old value may still turn up.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHORTEST = 4  # a shorter one would blot out half of every text; alone, as a whole text, it is hidden all the same
SHORTEST_LINE = 8  # of a secret with several lines, such as a private key, which is often printed line by line
SHORTEST_IN_BASE64 = 6
HIDDEN = "[secret]"
NOTHING = "(?!)"

_OURS = r"ss_[A-Za-z0-9_-]{38}"  # a token of the platform

_known: set[str] = set()
_pattern: re.Pattern[str] | None = None  # all forms of all secrets; None until it is needed


def hide(secrets: Iterable[object]) -> None:
    """From now on these texts are hidden, too."""
    global _pattern
    before = len(_known)
    for secret in secrets:
        _known.update(_texts_of(secret))
    if len(_known) != before:
        _pattern = None


def _pattern_of(secrets: Iterable[str]) -> re.Pattern[str]:
    forms = {form for secret in secrets for form in _forms_of(secret)}
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or NOTHING)


def _texts_of(secret: object) -> list[str]:
    """Of a dict or list with secrets in it: the longer texts, since which of them are the secrets is not told."""
    if isinstance(secret, str):
        return [secret] if secret else []
    inner = secret.values() if isinstance(secret, dict) else secret if isinstance(secret, list) else ()
    return [text for one in inner for text in _texts_of(one) if len(text) >= SHORTEST_LINE]


def redacted(text: str) -> str:
    global _pattern
    if text in _known:
        return HIDDEN
    if _pattern is None:
        _pattern = _pattern_of(_known)
    without_secrets = _pattern.sub(HIDDEN, text)
    return re.sub(_OURS, "[token]", without_secrets) if "ss_" in without_secrets else without_secrets


def _forms_of(secret: str) -> Iterator[str]:
    """A secret as it turns up: as it is, in JSON, in JSON within JSON, in a repr, in a URL, in a form, in base64."""
    import json

    from .arguments import percent_encoded

    lines = [line.strip() for line in secret.splitlines()]
    several = [secret.strip(), *(line for line in lines if len(line) >= SHORTEST_LINE)] if len(lines) > 1 else []
    for part in {secret, *several}:
        if len(part) < SHORTEST:
            continue
        yield part
        for in_json in (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]):
            yield in_json
            yield json.dumps(in_json)[1:-1]
        yield repr(part)[1:-1]
        in_url = percent_encoded(part)
        yield in_url
        yield in_url.replace("%20", "+")
        for mark in "!'()*":
            in_url = in_url.replace(f"%{ord(mark):02X}", mark)
        yield in_url
        yield from _in_base64(part.encode("utf-8", "surrogatepass"))


def _in_base64(secret: bytes) -> Iterator[str]:
    """The characters of base64 that the secret alone decides, for each of its three places in a group of bytes."""
    from binascii import b2a_base64

    if len(secret) < SHORTEST_IN_BASE64:
        return
    for before in range(3):
        text = b2a_base64(bytes(before) + secret, newline=False).decode()
        alone = text[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield alone
        yield alone.replace("+", "-").replace("/", "_")
