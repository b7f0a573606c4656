"""Passwords: argon2id, and the same time for a name that nobody has as for a wrong password."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 8, 256

# The hash of a password that nobody has, with the parameters below: verifying against it takes as long as against a user's.
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$jrTZZDKqwke6AE4uZTyfCg$cXnkLxzwQbxkzw0wNE7bJ+1VtV86tI/g7ENl3tQPPpQ"


@cache
def _hasher() -> "PasswordHasher":
    # Inside a function, as everything that is slow to import: cold start is measured.
    from argon2 import PasswordHasher, profiles

    # 64 MiB, three passes, four lanes. The first recommended option of RFC 9106 §4 wants 2 GiB, more than the API's function has; this is
    # the second. About 0.13 s, with 64 MiB to spare in a function of 512 MiB, which handles one request at a time.
    return PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)


def hashed(password: str) -> str:
    """The password's hash, salted, with its parameters, in PHC format."""
    return _hasher().hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether ``password`` is the one that ``stored`` was made of. With None (no such user, or one without a password) False, as slowly."""
    from argon2.exceptions import VerificationError

    try:
        return _hasher().verify(stored or _NOBODYS, password) and stored is not None
    except VerificationError:
        return False


def is_outdated(stored: str) -> bool:
    """Whether ``stored`` was made with other parameters than today's."""
    return _hasher().check_needs_rehash(stored)
