"""What a token looks like: ``ss_``, 32 random URL-safe characters (192 bits), and 6 characters of checksum.

The prefix lets secret scanners find a leaked one; the checksum tells a mistyped or made-up one without asking the database.
Source of the idea: GitHub, "Behind GitHub's new authentication token formats" (2021).
"""

import hashlib
import re
import secrets
import zlib

_PREFIX = "ss_"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"ss_[A-Za-z0-9_-]{32}[A-Za-z0-9]{6}")
_CHECKSUM = 6


def fresh() -> str:
    """A token that nobody had before."""
    body = _PREFIX + secrets.token_urlsafe(24)
    return body + _checksum(body)


def is_well_formed(token: str) -> bool:
    return _FORM.fullmatch(token) is not None and _checksum(token[:-_CHECKSUM]) == token[-_CHECKSUM:]


def hash_of(token: str) -> str:
    """What is stored in the token's place. A token is random, so one fast hash is enough: there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def id_of(token_hash: str) -> str:
    """The token's public name: 96 bits of its hash, from which nobody gets back to the token."""
    return f"tok_{token_hash[:24]}"


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
