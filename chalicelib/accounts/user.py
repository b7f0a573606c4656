"""A user as a value: tiers, quotas, and what makes a valid one. Nothing here touches AWS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib.accounts.errors import InvalidEmail
from chalicelib.accounts.passwords import LONGEST, SHORTEST
from chalicelib.accounts.permissions import ROLES
from chalicelib.core import clock
from chalicelib.core.errors import ValidationError
from chalicelib.core.quantities import parse_duration, parse_memory

# A DNS label with room for "-{template}" behind it: sessions and claims are named after their user.
USERNAME = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
USERNAME_RULE = "1 to 32 lower-case letters, digits and hyphens, with a letter or digit at both ends"

MOST_SESSIONS = 1000

_USERNAME = re.compile(USERNAME)
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Quotas:
    """What a user may use at a time, as it is written; the numbers are beside."""

    memory: str
    max_sessions: int
    storage: str
    max_session_duration: str

    @property
    def memory_bytes(self) -> int:
        return parse_memory(self.memory)

    @property
    def storage_bytes(self) -> int:
        return parse_memory(self.storage)

    @property
    def max_session_duration_s(self) -> int:
        return parse_duration(self.max_session_duration)


# Each quota's name here, and in the document.
SHOWN = {"memory": "memory", "max_sessions": "maxSessions", "storage": "storage", "max_session_duration": "maxSessionDuration"}

# As shipped; administrators change them (tiers.py).
# A free user has room for two browsers for a morning; a professional for a working day's five tools; an enterprise for a lab.
OF_TIER = {
    "free": Quotas(memory="4Gi", max_sessions=2, storage="10Gi", max_session_duration="4h"),
    "pro": Quotas(memory="16Gi", max_sessions=5, storage="100Gi", max_session_duration="12h"),
    "enterprise": Quotas(memory="64Gi", max_sessions=20, storage="500Gi", max_session_duration="24h"),
}
TIERS = tuple(OF_TIER)


@dataclass(frozen=True)
class User:
    """A person with an account. ``quotas`` are the tier's, with the user's own in their place where there are any."""

    username: str
    full_name: str
    email: str
    tier: str
    role: str
    quotas: Quotas
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None = None


def user_object(user: User) -> dict[str, Any]:
    """The documented User. Source: plugin API, getUsers()."""
    shown = {
        "username": user.username,
        "fullName": user.full_name,
        "email": user.email,
        "tier": user.tier,
        "quotas": quotas_object(user.quotas),
        "createdAt": clock.rfc3339(user.created_at),
        "updatedAt": clock.rfc3339(user.updated_at),
    }
    if user.last_login is not None:
        shown["lastLogin"] = clock.rfc3339(user.last_login)
    return shown


def quotas_object(quotas: Quotas) -> dict[str, Any]:
    """The documented quotas of a User."""
    return {shown: getattr(quotas, name) for name, shown in SHOWN.items()}


def is_email(text: str) -> bool:
    """Whether ``text`` is one address that mail can be sent to: a dot-atom of ASCII, and a domain of at least two labels.

    Narrower than RFC 5321 on purpose: quoted local parts and address literals are mistakes far more often than addresses.
    """
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    return (
        bool(at)
        and len(text) <= 254
        and len(local) <= 64
        and _LOCAL_PART.fullmatch(local) is not None
        and len(labels) >= 2
        and all(_LABEL.fullmatch(label) for label in labels)
    )


def effective_quotas(of_tier: Quotas, own: Mapping[str, Any]) -> Quotas:
    """The tier's quotas with the user's ``own`` (keys as in Quotas) in their place, one by one."""
    return replace(of_tier, **own)


def changed_quotas(own: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A user's own quotas after ``changes``; a change to None gives the quota back to the tier."""
    return {name: value for name, value in {**own, **changes}.items() if value is not None}


def check_user(
    *,
    username: str | None = None,
    full_name: str | None = None,
    email: str | None = None,
    tier: str | None = None,
    quotas: Mapping[str, Any] | None = None,
    role: str | None = None,
    password: str | None = None,
) -> None:
    """Each value that is given must be a valid one. Raises InvalidEmail, ValidationError with all the other faults."""
    faults: dict[str, list[str]] = {}
    if username is not None and _USERNAME.fullmatch(username) is None:
        faults["username"] = [f"Must be {USERNAME_RULE}"]
    if full_name is not None and not full_name.strip():
        faults["fullName"] = ["Must not be empty"]
    if tier is not None and tier not in OF_TIER:
        faults["tier"] = [f"Must be one of: {', '.join(TIERS)}"]
    if role is not None and role not in ROLES:
        faults["role"] = [f"Must be one of: {', '.join(ROLES)}"]
    if password is not None and not SHORTEST <= len(password) <= LONGEST:
        faults["password"] = [f"Must have {SHORTEST} to {LONGEST} characters"]
    for name, value in (quotas or {}).items():
        if value is not None and (fault := _quota_fault(name, value)):
            faults[f"quotas.{SHOWN[name]}"] = [fault]
    if faults:
        raise ValidationError(faults)
    if email is not None and not is_email(email):
        raise InvalidEmail(email)


_PARSERS: dict[str, Callable[[str], int]] = {"memory": parse_memory, "storage": parse_memory, "max_session_duration": parse_duration}


def _quota_fault(name: str, value: Any) -> str | None:
    if name == "max_sessions":
        return None if 0 <= value <= MOST_SESSIONS else f"Must be between 0 and {MOST_SESSIONS}"
    try:
        return None if _PARSERS[name](value) > 0 else "Must be more than nothing"
    except ValueError as error:
        return str(error)
