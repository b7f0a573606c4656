"""Versions and ranges: Semantic Versioning 2.0 for the one, npm's grammar for the other. The only module that names the library.

Sources: https://semver.org, https://github.com/npm/node-semver#ranges
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from typing import Any

# semver.org's own suggestion, except that it has no group names.
_VERSION = re.compile(
    r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_BARE = re.compile(r"v?\d+(?:\.\d+){0,2}")
_LONGEST = 256  # as npm has it: nobody's range is longer, and no regular expression gets to see more


@dataclass(frozen=True)
class Dependency:
    """A plugin's wish for another one."""

    slug: str
    version_constraint: str = "*"
    is_optional: bool = False


def is_version(text: str) -> bool:
    """Strictly: ``1.2`` and ``v1.2.0`` are none."""
    return len(text) <= _LONGEST and _VERSION.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def is_range(text: str) -> bool:
    return len(text) <= _LONGEST and _library().valid_range(text, False) is not None


@lru_cache(maxsize=4096)
def satisfies(version: str, range_: str) -> bool:
    """Whether the version is in the range. A pre-release only fits a range that names a pre-release of the same version, as with npm."""
    return is_version(version) and is_range(range_) and bool(_library().satisfies(version, range_, False))


def compare(one: str, other: str) -> int:
    """-1, 0 or 1, as ``one`` is older than, as old as, or newer than ``other``. Build metadata does not count. Source: SemVer 2.0 §11."""
    return int(_library().compare(one, other, False))


def newest_first(versions: Iterable[str]) -> list[str]:
    return sorted(versions, key=cmp_to_key(compare), reverse=True)


def newest(versions: Iterable[str], range_: str = "*") -> str | None:
    """The newest version in the range; None where there is none."""
    return next(iter(newest_first(version for version in versions if satisfies(version, range_))), None)


def is_prerelease(version: str) -> bool:
    return "-" in version.partition("+")[0]


def is_breaking(current: str, latest: str) -> bool:
    """Whether SemVer lets an update break its users: another major version; before 1.0.0, another minor one. Source: SemVer 2.0 §4."""
    before, after = (tuple(int(part) for part in re.split(r"[-+]", version)[0].split(".")) for version in (current, latest))
    return before[0] != after[0] or (before[0] == 0 and before[1] != after[1])


def system_range(requirements: dict[str, Any]) -> str | None:
    """The range of platform versions in ``requirements``; None where it asks for nothing. A bare ``2.0.0`` means at least that one."""
    text = requirements.get("system_version", requirements.get("streamspaceVersion"))
    if not isinstance(text, str) or not text.strip():
        return None
    text = text.strip()
    return f">={text}" if _BARE.fullmatch(text) else text


def fits_system(requirements: dict[str, Any], platform_version: str) -> bool:
    """Whether this platform is new (and old) enough for ``requirements``."""
    wanted = system_range(requirements)
    return wanted is None or satisfies(platform_version, wanted)


def _library() -> Any:
    # Imported by the first call: it brings logging and forty regular expressions with it, which a request without versions need not pay.
    import nodesemver  # type: ignore[import-untyped]

    return nodesemver
