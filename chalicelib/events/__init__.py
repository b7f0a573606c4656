"""Events: what happened, told to whoever asked.

Promises
    No event without its change, and no change without its event: both are in one DynamoDB transaction (the outbox).
    Events of one aggregate (a session, a user, a plugin) reach each subscriber in the order in which they were committed, whatever
    order the stream shows them in. At least once; a duplicate has the same ``id``.
    Plugins that cause each other's events do not do so for ever (``causes``).
    The same records are the log that administrators read, any page of which costs the same (``log``).
"""

from chalicelib.events import log
from chalicelib.events.causes import Actor
from chalicelib.events.dispatcher import Dispatcher, Subscriber, queue_subscriber
from chalicelib.events.outbox import UnitOfWork, retried, unit_of_work
from chalicelib.events.records import Event, EventSourced, hour_of, of_hour, read
from chalicelib.events.types import PLUGIN_EVENTS, SESSION_EVENTS, USER_EVENTS

__all__ = [
    "PLUGIN_EVENTS",
    "SESSION_EVENTS",
    "USER_EVENTS",
    "Actor",
    "Dispatcher",
    "Event",
    "EventSourced",
    "Subscriber",
    "UnitOfWork",
    "hour_of",
    "log",
    "of_hour",
    "queue_subscriber",
    "read",
    "retried",
    "unit_of_work",
]
