"""Is this a reference to a container image?

Source: the grammar of github.com/distribution/reference: ``[domain[:port]/]path[:tag][@digest]``.
"""

import re

from chalicelib.sessions.errors import InvalidImage

_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = rf"(?P<name>(?:{_DOMAIN}/)?{_PATH_PART}(?:/{_PATH_PART})*)"
_TAG = r"(?::\w[\w.-]{0,127})?"
_DIGEST = r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
_REFERENCE = re.compile(_NAME + _TAG + _DIGEST, re.ASCII)
_LONGEST_NAME = 255
_LONGEST = 1024


def check_image(reference: str) -> None:
    """Raises InvalidImage for what no registry could have. Whether the registry has it, ``registries`` asks where it may."""
    found = _REFERENCE.fullmatch(reference) if len(reference) <= _LONGEST else None
    if found is None or len(found["name"]) > _LONGEST_NAME:
        raise InvalidImage(
            f"'{reference[:200]}' is not an image reference; write it like 'registry.example.com/team/app:1.2', in lower case",
            field="baseImage",
        )
