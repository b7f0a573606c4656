"""A webhook as a value: where it sends, and what it asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.events import PLUGIN_EVENTS, SESSION_EVENTS, USER_EVENTS

EVENT_TYPES = (*PLUGIN_EVENTS, *SESSION_EVENTS, *USER_EVENTS)
WILDCARDS = ("*", "plugin.*", "session.*", "user.*")

# How long a secret that was replaced still signs, so that a receiver can change over. Source: Standard Webhooks, Secret rotation.
ROTATION = timedelta(hours=24)
# A receiver that failed for so long, and was never well in between, is switched off.
PATIENCE = timedelta(days=5)


@dataclass(frozen=True)
class Webhook:
    """``secrets``: ciphertexts, the valid one first. ``failing_since``: when its receiver began to fail; None while it is well.

    ``is_slow``: its receiver took long to answer the last time, and is served apart from the others.
    """

    id: str
    url: str
    events: tuple[str, ...]
    secret: str
    created_at: datetime
    updated_at: datetime
    created_by: str
    description: str = ""
    is_active: bool = True
    disabled_reason: str | None = None
    previous_secret: str | None = None
    previous_secret_until: datetime | None = None
    failing_since: datetime | None = None
    is_slow: bool = False

    def wants(self, event_type: str) -> bool:
        return self.is_active and any(fits(pattern, event_type) for pattern in self.events)

    def secrets_at(self, moment: datetime) -> list[str]:
        """The ciphertexts that sign now."""
        until = self.previous_secret_until
        previous = [self.previous_secret] if self.previous_secret and until and moment < until else []
        return [self.secret, *previous]

    def rotated(self, secret: str, moment: datetime) -> Webhook:
        return replace(self, secret=secret, previous_secret=self.secret, previous_secret_until=moment + ROTATION, updated_at=moment)

    def switched_on(self) -> Webhook:
        """Well again until shown otherwise."""
        return replace(self, is_active=True, disabled_reason=None, failing_since=None, is_slow=False)


def fits(pattern: str, event_type: str) -> bool:
    return pattern in ("*", event_type) or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))


def wanted_types(webhooks: Sequence[Webhook]) -> frozenset[str]:
    """All types that any of them wants."""
    return frozenset(one for one in EVENT_TYPES if any(webhook.wants(one) for webhook in webhooks))
