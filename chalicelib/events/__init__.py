"""Events: what happened, told to whoever asked.

Promises
    No event without its change, and no change without its event: both are in one DynamoDB transaction (the outbox).
    Events of one aggregate (a session, a user, a plugin) reach each subscriber in the order in which they were committed, whatever
    order the stream shows them in. At least once; a duplicate has the same ``id``.
    The same records are the log that administrators read.
"""

from chalicelib.events.dispatcher import Dispatcher, Subscriber, queue_subscriber
from chalicelib.events.outbox import Actor, UnitOfWork, retried, unit_of_work
from chalicelib.events.records import Event, EventSourced, history, read
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
    "history",
    "queue_subscriber",
    "read",
    "retried",
    "unit_of_work",
]
