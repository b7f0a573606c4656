"""Making, changing and removing webhooks."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from chalicelib.accounts import Caller
from chalicelib.core import clock, config, ids, secrets
from chalicelib.core.errors import ConcurrentChange, ValidationError
from chalicelib.events import Subscriber
from chalicelib.webhooks import addresses, models, signing
from chalicelib.webhooks.addresses import AddressRefused
from chalicelib.webhooks.errors import TooManyWebhooks, WebhookNotFound
from chalicelib.webhooks.webhook import EVENT_TYPES, WILDCARDS, Webhook, wanted_types

MOST = 100
# Resolving a name is a courtesy when a webhook is made (each attempt does it again), so it waits for no slow server.
_LOOK_UP_S = 2.0


def all_webhooks() -> list[Webhook]:
    """By age. Costs one Query."""
    return models.webhooks()


def get(webhook_id: str) -> Webhook:
    """Raises WebhookNotFound. Costs one GetItem."""
    webhook = models.find_webhook(webhook_id)
    if webhook is None:
        raise WebhookNotFound(webhook_id=webhook_id)
    return webhook


def create(url: str, events: Sequence[str], *, secret: str | None = None, description: str = "", by: Caller) -> tuple[Webhook, str | None]:
    """The webhook, and its secret where one had to be made: it is not shown again.

    Raises: ValidationError, TooManyWebhooks.
    """
    _check(url=url, events=events, secret=secret)
    if len(models.webhooks()) >= MOST:
        raise TooManyWebhooks(limit=MOST)
    made = None if secret else signing.new_secret()
    webhook_id, now = ids.text("whk"), clock.now()
    webhook = Webhook(
        id=webhook_id,
        url=url,
        events=tuple(dict.fromkeys(events)),
        secret=secrets.sealed(secret or made or "", webhook=webhook_id),
        created_at=now,
        updated_at=now,
        created_by=by.id,
        description=description,
    )
    models.add_webhook(webhook)
    return webhook, made


def change(webhook_id: str, changes: dict[str, Any]) -> Webhook:
    """``changes`` has any of url, events, description, is_active, secret (which replaces the old one as :func:`rotate_secret` does).

    A webhook that is switched on again counts as well. Raises: WebhookNotFound, ValidationError, ConcurrentChange.
    """
    _check(**{key: changes.get(key) for key in ("url", "events", "secret")})
    read = get(webhook_id)
    now = _later_than(read)
    webhook = replace(read, updated_at=now)
    if changes.get("url") is not None:
        webhook = replace(webhook, url=changes["url"], failing_since=None, is_slow=False)
    if changes.get("events") is not None:
        webhook = replace(webhook, events=tuple(dict.fromkeys(changes["events"])))
    if changes.get("description") is not None:
        webhook = replace(webhook, description=changes["description"])
    if changes.get("secret"):
        webhook = webhook.rotated(secrets.sealed(changes["secret"], webhook=webhook_id), now)
    if changes.get("is_active") is True and not read.is_active:
        webhook = webhook.switched_on()
    if changes.get("is_active") is False:
        webhook = replace(webhook, is_active=False, disabled_reason="Switched off by an administrator")
    _save(webhook, read)
    return webhook


def rotate_secret(webhook_id: str) -> tuple[Webhook, str]:
    """A new secret, shown this once; the old one signs beside it for another day. Raises WebhookNotFound."""
    read = get(webhook_id)
    made = signing.new_secret()
    webhook = read.rotated(secrets.sealed(made, webhook=webhook_id), _later_than(read))
    _save(webhook, read)
    return webhook, made


def delete(webhook_id: str) -> None:
    """It and its history. What is on its way to it at this moment may still arrive. Raises WebhookNotFound."""
    if not models.remove_webhook(webhook_id):
        raise WebhookNotFound(webhook_id=webhook_id)
    models.remove_deliveries(webhook_id)


def subscribers() -> Iterable[Subscriber]:
    """One for all webhooks: the queue whose function makes deliveries. None while nobody wants anything."""
    types = wanted_types(models.webhooks())
    if types:
        yield Subscriber("webhooks", config.setting("WEBHOOK_EVENTS_QUEUE_URL"), types)


def _check(*, url: str | None, events: Sequence[str] | None, secret: str | None) -> None:
    faults: dict[str, list[str]] = {}
    if url is not None:
        found = addresses.faults_of(url, allows_loopback=config.is_local()) or _look_up(url)
        if found:
            faults["url"] = found
    if events is not None:
        unknown = [one for one in events if one not in (*EVENT_TYPES, *WILDCARDS)]
        if unknown:
            known = ", ".join((*EVENT_TYPES, *WILDCARDS))
            faults["events"] = [f"There is no event '{one}'; known are: {known}" for one in unknown]
    if secret is not None and not signing.is_usable(secret):
        faults["secret"] = ["Must not be empty, and behind 'whsec_' must be base64"]
    if faults:
        raise ValidationError(faults)


def _look_up(url: str) -> list[str]:
    """Whether the name leads where it must not. A name that cannot be resolved now may be tomorrow."""
    parts = urlsplit(url)
    refused: list[str] = []

    def look() -> None:
        try:
            addresses.resolve(parts.hostname or "", parts.port or 443, allows_loopback=config.is_local())
        except AddressRefused as error:
            refused.append(str(error))
        except (OSError, UnicodeError):
            return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_LOOK_UP_S)
    return list(refused)


def _later_than(read: Webhook) -> datetime:
    """Now, but never the moment of the last change: that is what tells two writers apart."""
    return max(clock.now(), read.updated_at + timedelta(milliseconds=1))


def _save(webhook: Webhook, read: Webhook) -> None:
    if not models.replace_webhook(webhook, read):
        if models.find_webhook(webhook.id) is None:
            raise WebhookNotFound(webhook_id=webhook.id)
        raise ConcurrentChange()
