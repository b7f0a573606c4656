"""Starting jobs, waiting for them, following them."""

from __future__ import annotations

import json
import time
from typing import Any

from chalicelib.core import aws, clock, config
from chalicelib.events import Actor
from chalicelib.jobs import install, records, uninstall
from chalicelib.jobs.records import FAILED, Job, News

# A request waits so long for its job before it answers 202: API Gateway gives up after 29 s.
PATIENCE_S = 20.0
_FIRST_LOOK_S = 0.2
_LONGEST_PAUSE_S = 1.0


def start_install(request: dict[str, Any], *, actor: Actor) -> Job:
    """Raises what the plans raise, and PluginBusy."""
    activate = bool(request.get("activate", False))
    if request["source"] == "upload":
        plan = install.plan_from_upload(request["package"], activate=activate)
    else:
        plan = install.plan_from_marketplace(request["slug"], request.get("version"), activate=activate)
    return _start("install", plan["slug"], plan, actor)


def start_uninstall(slug: str, *, keep_data: bool, backup: bool, actor: Actor) -> Job:
    """Raises PluginNotFound, PluginIsCore, HasDependents, PluginBusy."""
    return _start("uninstall", slug, uninstall.plan(slug, keep_data=keep_data, backup=backup), actor)


def _start(kind: str, slug: str, request: dict[str, Any], actor: Actor) -> Job:
    job = records.begin(kind, slug, request, actor=actor, locks=request["locks"])
    try:
        aws.client("stepfunctions").start_execution(
            # The job's id as the execution's name: starting it twice is starting it once.
            stateMachineArn=config.setting("STATE_MACHINES") + kind,
            name=job.id,
            input=json.dumps({"job_id": job.id}),
        )
    except Exception:
        job.status, job.ended_at = FAILED, clock.rfc3339(clock.now())
        job.error = {"step": None, "code": "NOT_STARTED", "message": "The job could not be started", "details": {}}
        job.save()
        records.unlock(job.id, request["locks"])
        raise
    return job


def wait_for_end(job_id: str, patience_s: float = PATIENCE_S) -> Job:
    """The job as it is when it ends, or after ``patience_s``."""
    deadline = time.monotonic() + patience_s
    pause_s = _FIRST_LOOK_S
    while True:
        job = records.get(job_id)
        if job.has_ended or time.monotonic() + pause_s > deadline:
            return job
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)


def wait_for_news(job_id: str, after: str, patience_s: float = PATIENCE_S) -> list[News]:
    """Progress events after the given one, waiting for the first; empty when none came in time. Raises JobNotFound."""
    records.get(job_id)
    deadline = time.monotonic() + patience_s
    pause_s = _FIRST_LOOK_S
    while True:
        found = records.news(job_id, after)
        if found or time.monotonic() + pause_s > deadline:
            return found
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
