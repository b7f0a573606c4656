"""Webhooks: events sent to addresses that administrators name.

Promises
    Each event reaches each webhook that asked for its type at least once, while the webhook is active; all attempts carry the same id.
    A receiver that fails is tried again for a day, with growing, jittered delays; one that fails for five days, or says 410, is
    switched off, and administrators are told.
    A slow receiver delays nobody else: it is served from a queue of its own kind (``sending``).
    Nothing is ever sent to an address inside our own network: looked at after DNS resolution, and no redirect is followed
    (``addresses``).
    A secret is encrypted from the moment that it is stored, and never read back.

Source: REST, Webhooks; https://www.standardwebhooks.com
"""

from chalicelib.webhooks.delivering import deliver, fan_out, requeue_due
from chalicelib.webhooks.delivery import Attempt, Delivery
from chalicelib.webhooks.errors import DeliveryNotFound, WebhookNotActive, WebhookNotFound
from chalicelib.webhooks.history import deliveries, get_delivery, redeliver, redeliver_failures, send_test
from chalicelib.webhooks.service import all_webhooks, change, create, delete, get, rotate_secret, subscribers
from chalicelib.webhooks.webhook import EVENT_TYPES, Webhook

__all__ = [
    "EVENT_TYPES",
    "Attempt",
    "Delivery",
    "DeliveryNotFound",
    "Webhook",
    "WebhookNotActive",
    "WebhookNotFound",
    "all_webhooks",
    "change",
    "create",
    "delete",
    "deliver",
    "deliveries",
    "fan_out",
    "get",
    "get_delivery",
    "redeliver",
    "redeliver_failures",
    "requeue_due",
    "rotate_secret",
    "send_test",
    "subscribers",
]
