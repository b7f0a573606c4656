"""What a request that started a job answers: its result when it is done in time, else where to follow it."""

from __future__ import annotations

from chalicelib import jobs
from chalicelib.api.http import Reply, Request
from chalicelib.api.views import jobs as views
from chalicelib.jobs import Job


def answer(request: Request, job: Job, done: str) -> Reply:
    """Waits up to 20 s, unless the caller prefers not to. Raises what :func:`jobs.failure_of` says where the job failed."""
    wants_no_wait = "respond-async" in (request.header("prefer") or "")
    if not wants_no_wait:
        job = jobs.wait_for_end(job.id)
    if job.status == jobs.SUCCEEDED:
        return Reply({**job.made["result"], "job_id": job.id}, message=done)
    if job.has_ended:
        raise jobs.failure_of(job)
    # Source of Prefer and its echo: RFC 7240 §4.1
    applied = {"Preference-Applied": "respond-async"} if wants_no_wait else {}
    ticket = jobs.tickets.issue(job.id, request.caller.token_hash)
    return Reply(views.started(job, ticket), status=202, message="Still working; follow the job", headers=applied)
