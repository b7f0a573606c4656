"""The jobs table: job records, their journal and progress."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib import plugins
from chalicelib.core import clock, ids
from chalicelib.core.errors import ConcurrentChange
from chalicelib.core.tables import Row, TableMeta, table
from chalicelib.events import Actor, UnitOfWork, unit_of_work
from chalicelib.jobs.errors import JobNotFound

QUEUED, RUNNING, SUCCEEDED, FAILED, STUCK = "queued", "running", "succeeded", "failed", "stuck"
ENDED = (SUCCEEDED, FAILED, STUCK)

# Longer than a state machine may run, so that a lock never outlives its job by much and is never lost under one.
_LOCK_S = 1200
_OPEN = "OPEN"
_KEPT_S = 30 * 24 * 3600
_LONGEST_ID = 100


class _Open(GlobalSecondaryIndex["JobRow"]):
    """Jobs that have not ended, by the time of their start. An ended job leaves the index."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class JobRow(Row):
    """``pk`` JOB#{id}: sk RECORD (the job), JOURNAL#{order} (a step that began), PROGRESS#{id} (news of it)."""

    class Meta(TableMeta):
        table_name = table("JOBS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    # One text with everything that is not part of a condition: it is always read and written whole.
    body = UnicodeAttribute(null=True)
    status = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    open = _Open()


@dataclass
class Job:
    """One install or uninstall. ``request`` is what was asked, ``made`` what the steps returned (by step), ``error`` why it failed."""

    id: str
    kind: str
    slug: str
    actor: Actor
    request: dict[str, Any]
    status: str = QUEUED
    step: str | None = None
    progress: int = 0
    made: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    left: list[str] = field(default_factory=list)
    # How often a state machine had to be started again for it, because the one before was stopped from outside.
    recoveries: int = 0
    started_at: str = ""
    ended_at: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    def save(self) -> None:
        self.row().save()

    def row(self) -> JobRow:
        body = {name: value for name, value in vars(self).items() if name not in ("actor", "status")}
        body["actor"] = vars(self.actor)
        row = JobRow(f"JOB#{self.id}", "RECORD", status=self.status, body=json.dumps(body), expires_at=_later(_KEPT_S))
        if not self.has_ended:
            row.gsi1pk, row.gsi1sk = _OPEN, self.started_at
        return row


@dataclass(frozen=True)
class News:
    """One progress event: ``id`` orders them, ``event`` is progress, complete or failed."""

    id: str
    event: str
    data: dict[str, Any]

    @property
    def is_last(self) -> bool:
        return self.event in ("complete", "failed")


# What else belongs to the transaction that begins a job.
Also = Callable[[UnitOfWork, Job], None]


def begin(kind: str, slug: str, request: dict[str, Any], *, actor: Actor, also: Also | None = None) -> Job:
    """A new job, with its locks: see :func:`take_locks`. Raises PluginBusy, naming the plugin, and writes nothing."""
    job = Job(ids.text("job"), kind, slug, actor, request, started_at=clock.rfc3339(clock.now()))
    take_locks(job, also)
    return job


def take_locks(job: Job, also: Also | None = None) -> None:
    """Save the job with the locks on all plugins that it will touch (``locks``), while nobody works on those that it relies on (``uses``).
    Raises PluginBusy, naming the plugin, and writes nothing."""
    with unit_of_work() as work:
        plugins.locks.take(work, job.request["locks"], owner=job.id, doing=job.kind, for_s=_LOCK_S)
        plugins.locks.require_free(work, set(job.request.get("uses", [])) - set(job.request["locks"]), owner=job.id)
        work.save(job.row())
        if also is not None:
            also(work, job)


def get(job_id: str) -> Job:
    """Raises JobNotFound. Costs one GetItem."""
    if len(job_id.encode()) > _LONGEST_ID:
        # It comes from a path, and may be longer than a key may be.
        raise JobNotFound(job_id=job_id)
    try:
        return _job(JobRow.get(f"JOB#{job_id}", "RECORD", consistent_read=True))
    except JobRow.DoesNotExist:
        raise JobNotFound(job_id=job_id) from None


def open_since(moment: datetime) -> list[Job]:
    """Jobs that started before ``moment`` and have not ended, oldest first. Key condition: gsi1pk = OPEN, gsi1sk < moment."""
    return [_job(row) for row in JobRow.open.query(_OPEN, JobRow.gsi1sk < clock.rfc3339(moment))]


def _job(row: JobRow) -> Job:
    body = json.loads(row.body)
    return Job(**{**body, "actor": Actor(**body["actor"]), "status": row.status})


def end(job: Job) -> None:
    """Save a job that has ended, and give its locks back in the same moment: who sees its end can begin the next operation."""
    locked = job.request.get("locks", [job.slug])
    try:
        with unit_of_work() as work:
            work.save(job.row())
            plugins.locks.give_back(work, locked, owner=job.id)
    except ConcurrentChange:
        # One of them expired, and has another owner.
        job.save()
        unlock(job.id, locked)


def unlock(job_id: str, slugs: Iterable[str]) -> None:
    """Give back the locks that this job holds; another job's are left alone."""
    plugins.locks.release(job_id, slugs)


def journal(job_id: str, order: str) -> None:
    """Write down that a step begins, before it acts. Doing so twice is harmless."""
    JobRow(f"JOB#{job_id}", f"JOURNAL#{order}", expires_at=_later(_KEPT_S)).save()


def strike(job_id: str, order: str) -> None:
    """The step was undone: its journal entry goes."""
    JobRow(f"JOB#{job_id}", f"JOURNAL#{order}").delete()


def began(job_id: str, prefix: str = "") -> list[str]:
    """The journal's entries that start with ``prefix``, oldest first. Key condition: pk, sk begins with JOURNAL#prefix."""
    rows = JobRow.query(f"JOB#{job_id}", JobRow.sk.startswith(f"JOURNAL#{prefix}"), consistent_read=True)
    return [row.sk.removeprefix("JOURNAL#") for row in rows]


def tell(job_id: str, event: str, data: dict[str, Any]) -> None:
    """Add a progress event."""
    JobRow(
        f"JOB#{job_id}", f"PROGRESS#{ids.number():016d}", body=json.dumps({"event": event, "data": data}), expires_at=_later(_KEPT_S)
    ).save()


def news(job_id: str, after: str = "") -> list[News]:
    """Progress events after the one with that id, oldest first; an id that was never given out counts as none.

    Key condition: pk, sk between PROGRESS#after and the end.
    """
    if not re.fullmatch("[0-9]{16}", after):
        after = ""
    start, end = f"PROGRESS#{after}\x01" if after else "PROGRESS#", "PROGRESS#~"
    found = []
    for row in JobRow.query(f"JOB#{job_id}", JobRow.sk.between(start, end), consistent_read=True):
        body = json.loads(row.body)
        found.append(News(row.sk.removeprefix("PROGRESS#"), body["event"], body["data"]))
    return found


def _later(seconds: int) -> int:
    return int(clock.timestamp()) + seconds
