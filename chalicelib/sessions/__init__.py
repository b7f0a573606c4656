"""Sessions: applications that people run, and the templates that they are started from.

Promises
    The record says what is wanted; the worker makes the cluster so, from any state, as often as needed. Nothing here waits for the cluster.
    Every change of a session and its event are one transaction. ``session.started`` is told once in a session's life.
    Quotas hold: of racing requests exactly as many win as there are places, and the counters equal what exists.
    A session's own address is open to its owner and to administrators alone (``visiting``).
    A session that nobody uses, or that has run for as long as it may, ends by itself; its owner is told before.
    A deleted session is gone from every answer at once; its id is taken until its objects have left the cluster.

The worker is ``chalicelib.sessions.worker``, and what compares the cluster with the records ``chalicelib.sessions.drift``; only
``chalicelib.workers`` imports them: they bring the Kubernetes client.
"""

from chalicelib.sessions import visiting
from chalicelib.sessions.ending import KEEP_RUNNING, end_due
from chalicelib.sessions.errors import SessionNotFound, SessionNotRunning
from chalicelib.sessions.explaining import status_object
from chalicelib.sessions.leaving import go_on_removing, remove_user
from chalicelib.sessions.quotas import Usage
from chalicelib.sessions.service import (
    DEEPEST_OFFSET,
    DEFAULT_LIMIT,
    MOST_AT_ONCE,
    Listed,
    create_session,
    delete_session,
    extend_session,
    get_session,
    list_sessions,
    record_activity,
    sessions_of,
    update_session,
    usage_of,
)
from chalicelib.sessions.session import Session, session_object
from chalicelib.sessions.states import STATES, TRANSITIONS, SessionState
from chalicelib.sessions.template import Template, document_of, template_object
from chalicelib.sessions.templates import (
    TemplatesListed,
    create_template,
    delete_template,
    get_template,
    list_templates,
    replace_template,
)
from chalicelib.sessions.yaml_documents import read_yaml

__all__ = [
    "DEEPEST_OFFSET",
    "DEFAULT_LIMIT",
    "KEEP_RUNNING",
    "MOST_AT_ONCE",
    "STATES",
    "TRANSITIONS",
    "Listed",
    "Session",
    "SessionNotFound",
    "SessionNotRunning",
    "SessionState",
    "Template",
    "TemplatesListed",
    "Usage",
    "create_session",
    "create_template",
    "delete_session",
    "delete_template",
    "document_of",
    "end_due",
    "extend_session",
    "get_session",
    "get_template",
    "go_on_removing",
    "list_sessions",
    "list_templates",
    "read_yaml",
    "record_activity",
    "remove_user",
    "replace_template",
    "session_object",
    "sessions_of",
    "status_object",
    "template_object",
    "update_session",
    "usage_of",
    "visiting",
]
