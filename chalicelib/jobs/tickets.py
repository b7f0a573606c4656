"""Tickets: to follow one job without a token, which a browser's EventSource cannot send.

Promises
    A ticket shows the progress of its job, and is good for nothing else. Only its hash is stored.
    It ends with the token of whoever asked for it, and by itself a little after the longest job.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from chalicelib.core import clock
from chalicelib.core.errors import Unauthenticated
from chalicelib.jobs.records import JobRow

_VALID_FOR = timedelta(minutes=20)


@dataclass(frozen=True)
class Ticket:
    text: str
    expires_at: datetime


def issue(job_id: str, token_hash: str) -> Ticket:
    """A ticket for whoever has the token with that hash. One call."""
    ticket = Ticket(secrets.token_urlsafe(24), clock.now() + _VALID_FOR)
    JobRow(f"JOB#{job_id}", _key(ticket.text), body=token_hash, expires_at=int(ticket.expires_at.timestamp())).save()
    return ticket


def token_hash_of(job_id: str, text: str) -> str:
    """The hash of the token that the ticket was given to. One GetItem. Raises Unauthenticated, for another job's ticket too."""
    try:
        row = JobRow.get(f"JOB#{job_id}", _key(text), consistent_read=True)
    except JobRow.DoesNotExist:
        row = None
    if row is None or row.body is None or int(row.expires_at or 0) <= clock.timestamp():
        raise Unauthenticated("The ticket is not one of this job, or has expired; POST to the job's /tickets for another")
    return row.body


def _key(text: str) -> str:
    return f"TICKET#{sha256(text.encode()).hexdigest()}"
