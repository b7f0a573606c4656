"""Starting jobs, waiting for them, following them."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

from chalicelib import plugins
from chalicelib.core import aws, clock, config, log
from chalicelib.events import Actor
from chalicelib.jobs import install, packages, records, restore, uninstall, update
from chalicelib.jobs.records import FAILED, Also, Job, News
from chalicelib.plugins import PluginBusy

# A request waits so long for its job before it answers 202: API Gateway gives up after 29 s.
PATIENCE_S = 20.0
# Longer than it takes from the job's record to the execution's start.
_ABANDONED_AFTER = timedelta(seconds=30)
_FIRST_LOOK_S = 0.2
_LONGEST_PAUSE_S = 1.0


def start_install(request: dict[str, Any], *, actor: Actor, uploader: str = "") -> Job:
    """``request``: source, slug and version? or package or upload_id, activate?, license_key?. ``uploader``: whose an ``upload_id`` must
    be. Raises what the plans raise, and PluginBusy."""
    activate = bool(request.get("activate", False))
    if request["source"] == "upload":
        plan = install.plan_from_upload(packages.of_request(request, uploader), activate=activate)
    else:
        plan = install.plan_from_marketplace(request["slug"], request.get("version"), activate=activate)
    return _start_with_package("install", plan["slug"], plan, request, actor, uploader)


def start_update(slug: str, request: dict[str, Any], *, actor: Actor, uploader: str = "") -> Job:
    """``request``: version?, backup?, package? (base64) or upload_id? (instead of the marketplace's). Raises what the plans raise, and
    PluginBusy."""
    backup = bool(request.get("backup", True))
    if packages.is_given(request):
        plan = update.plan_from_upload(slug, packages.of_request(request, uploader), backup=backup)
    else:
        plan = update.plan_from_marketplace(slug, request.get("version"), backup=backup)
    return _start_with_package("update", slug, plan, request, actor, uploader)


def start_restore(slug: str, backup_path: str, *, actor: Actor) -> Job:
    """Of an installed plugin its settings and data; else all of it, by installing it. Raises what the plans raise, and PluginBusy."""
    plan = restore.plan(slug, backup_path)
    return _start_or_wait("install" if plan["source"] == "backup" else "restore", slug, plan, actor)


def start_uninstall(slug: str, *, keep_data: bool, backup: bool, actor: Actor) -> Job:
    """Raises PluginNotFound, PluginIsCore, HasDependents, PluginBusy."""
    return start("uninstall", slug, uninstall.plan(slug, keep_data=keep_data, backup=backup), actor)


def _start_with_package(kind: str, slug: str, plan: dict[str, Any], request: dict[str, Any], actor: Actor, uploader: str) -> Job:
    """The job has its own copy of the package: nothing that is uploaded later changes it."""
    try:
        job = _start_or_wait(kind, slug, install.with_license_key(plan, request.get("license_key")), actor)
    except Exception:
        install.discard_upload(plan)
        raise
    packages.forget(request, uploader)
    return job


def _start_or_wait(kind: str, slug: str, plan: dict[str, Any], actor: Actor) -> Job:
    """A job whose dependency another one works on begins, and waits for its turn. Raises PluginBusy for the plugin itself."""
    try:
        return start(kind, slug, plan, actor)
    except PluginBusy as busy:
        if busy.details["slug"] == slug:
            raise
        return start(kind, slug, install.waiting(plan), actor)


def start(kind: str, slug: str, request: dict[str, Any], actor: Actor, *, also: Also | None = None) -> Job:
    """Begin the job that was planned. ``also`` adds to the transaction that writes its record. Raises PluginBusy, and SafeModeIsOn for one
    that would start a plugin."""
    if any(request.get(starts) for starts in ("activate", "was_active", "dependencies")):
        plugins.safe_mode.refuse_start(slug)
    job = records.begin(kind, slug, request, actor=actor, also=also)
    try:
        _execute(job)
    except Exception:
        job.status, job.ended_at = FAILED, clock.rfc3339(clock.now())
        job.error = {"step": None, "code": "NOT_STARTED", "message": "The job could not be started", "details": {}}
        records.end(job)
        raise
    return job


def _execute(job: Job) -> None:
    aws.client("stepfunctions").start_execution(
        # Named for the job: starting it twice is starting it once.
        stateMachineArn=config.setting("STATE_MACHINES") + job.kind,
        name=_execution_name(job),
        input=json.dumps({"job_id": job.id, "is_recovery": job.recoveries > 0}),
    )


def _execution_name(job: Job) -> str:
    return f"{job.id}-recovery-{job.recoveries}" if job.recoveries else job.id


def recover_abandoned() -> int:
    """Start the way back of each job whose state machine was stopped from outside, or never came to run; how many.

    A state machine that fails by itself ends its job. One that is aborted, times out as a whole, or is lost, does not: nothing in it
    runs any more. Costs one Query, one call for each open job, and a GetItem for each that does not run.
    """
    states = aws.client("stepfunctions")
    count = 0
    for job in records.open_since(clock.now() - _ABANDONED_AFTER):
        machines = config.setting("STATE_MACHINES").replace(":stateMachine:", ":execution:")
        try:
            status = states.describe_execution(executionArn=f"{machines}{job.kind}:{_execution_name(job)}")["status"]
        except states.exceptions.ExecutionDoesNotExist:
            status = "NEVER_STARTED"
        # The index lags behind the record, and the job may have ended since it was asked.
        if status != "RUNNING" and not (job := records.get(job.id)).has_ended:
            log.logger().warning("abandoned job", extra={"job_id": job.id, "plugin": job.slug, "execution": status})
            job.recoveries += 1
            job.save()
            _execute(job)
            count += 1
    return count


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


def wait_for_news(job_id: str, after: str, patience_s: float = PATIENCE_S) -> list[News] | None:
    """Progress events after the given one, waiting for the first; empty when none came in time, None after the last. Raises JobNotFound."""
    has_ended = records.get(job_id).has_ended
    deadline = time.monotonic() + patience_s
    pause_s = _FIRST_LOOK_S
    while True:
        found = records.news(job_id, after)
        if found:
            return found
        # A job ends a moment before its end is told.
        if has_ended and any(one.is_last for one in records.news(job_id)):
            return None
        if time.monotonic() + pause_s > deadline:
            return []
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
