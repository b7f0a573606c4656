"""Version numbers as SemVer 2.0 defines them: what is one, and which of two comes first."""

import re

_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRERELEASE_PART = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_PRERELEASE_PART}(?:\.{_PRERELEASE_PART})*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_LONGEST = 64
"""A version is part of a file's name and of a function's tags; nobody needs a longer one."""

Precedence = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def is_version(text: object) -> bool:
    return isinstance(text, str) and len(text) <= _LONGEST and _VERSION.fullmatch(text) is not None


def precedence(version: str) -> Precedence:
    """A sort key: greater keys take precedence; build metadata does not count. Source: SemVer 2.0 §11."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r} is not a SemVer version")
    major, minor, patch, prerelease = found.groups()
    parts = tuple(
        # Numbers sort as numbers and before words, which sort as ASCII.
        (False, int(part), "") if part.isdigit() else (True, 0, part)
        for part in (prerelease.split(".") if prerelease else ())
    )
    return int(major), int(minor), int(patch), prerelease is None, parts
