"""Runs a saga's steps: what the state machine's Lambda tasks call, one at a time."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from chalicelib.core import clock, log
from chalicelib.core.errors import StreamSpaceError
from chalicelib.jobs import records
from chalicelib.jobs.records import FAILED, RUNNING, STUCK, SUCCEEDED, Job
from chalicelib.jobs.saga import Saga


class StepFailed(Exception):
    """Tells the state machine to start the way back; why is on the job's record already."""


def run(sagas: dict[str, Saga], payload: dict[str, Any]) -> None:
    """One action of one job: ``act``, ``undo``, ``succeed`` or ``fail``. Each may come twice."""
    job = records.get(payload["job_id"])
    log.logger().append_keys(job_id=job.id, plugin=job.slug)
    saga = sagas[job.kind]
    match payload["action"]:
        case "act":
            _act(saga, job, payload["step"])
        case "undo":
            _undo(saga, job, payload["step"], payload.get("execution") or {})
        case "succeed":
            _succeed(saga, job)
        case "fail":
            _fail(saga, job, payload.get("execution") or {})


def _act(saga: Saga, job: Job, name: str) -> None:
    step = saga[name]
    job.status, job.step = RUNNING, name
    job.save()
    records.tell(job.id, "progress", {"step": name, "progress": step.progress, "message": step.message})
    records.journal(job.id, name)
    try:
        made = step.act(job)
    except Exception as error:
        unexpected = not isinstance(error, StreamSpaceError)
        log.logger().warning("step failed", extra={"step": name}, exc_info=unexpected)
        job.error = _explained(name, error)
        job.save()
        raise StepFailed(name) from error
    job.made[name] = made or {}
    job.progress = step.progress
    job.save()


def _undo(saga: Saga, job: Job, name: str, execution: dict[str, Any]) -> None:
    if not records.began(job.id, name):
        return
    if job.error is None:
        # The worker died before it could say why.
        job.error = _interrupted(job, execution)
        job.save()
    undo = saga[name].undo
    try:
        if undo is not None:
            undo(job)
    except Exception as error:
        log.logger().exception("way back failed", extra={"step": name})
        job.left.append(f"{name}: {error}")
        job.save()
        raise StepFailed(name) from error
    records.strike(job.id, name)


def _succeed(saga: Saga, job: Job) -> None:
    if not job.has_ended:
        job.status, job.progress, job.ended_at = SUCCEEDED, 100, clock.rfc3339(clock.now())
        records.end(job)
    _tidy(saga, job)
    # The whole result: who follows the events has no other way to learn it.
    _tell_end(job, "complete", {"success": True, "plugin": {"slug": job.slug}, **job.made.get("result", {})})


def _fail(saga: Saga, job: Job, execution: dict[str, Any]) -> None:
    if not job.has_ended:
        job.error = job.error or _interrupted(job, execution)
        # A way back that was killed could not say so itself; the state machine saw it.
        job.left += [name for name in execution.get("left", {}) if not any(one.startswith(f"{name}:") for one in job.left)]
        job.status, job.ended_at = STUCK if job.left else FAILED, clock.rfc3339(clock.now())
        records.end(job)
    _tidy(saga, job)
    _tell_end(job, "failed", {"success": False, "error": job.error, "left": job.left})


def _tidy(saga: Saga, job: Job) -> None:
    """What a stuck job would still need stays. The bucket forgets it after a month, and also what could not be removed here."""
    if saga.tidy is None or job.status == STUCK:
        return
    try:
        saga.tidy(job)
    except Exception:  # noqa: BLE001 the job has ended, and says how
        log.logger().exception("not tidied")


def _tell_end(job: Job, event: str, data: dict[str, Any]) -> None:
    """Once, also when a worker died between saying so on the record and here."""
    if not any(one.is_last for one in records.news(job.id)):
        records.tell(job.id, event, data)


def _explained(step: str, error: Exception) -> dict[str, Any]:
    if isinstance(error, StreamSpaceError):
        return {"step": step, "code": error.code, "message": error.message, "details": error.details}
    return {"step": step, "code": "INTERNAL_ERROR", "message": f"{type(error).__name__}: {error}", "details": {}}


def _interrupted(job: Job, execution: dict[str, Any]) -> dict[str, Any]:
    if execution.get("is_recovery"):
        message = "The platform was stopped while this step ran; what it had made was removed"
        return {"step": job.step, "code": "INTERRUPTED", "message": message, "details": {}}
    cause = str((execution.get("failure") or {}).get("Cause", ""))
    with contextlib.suppress(ValueError, AttributeError):
        cause = json.loads(cause).get("errorMessage", cause)
    return {
        "step": job.step,
        "code": "INTERRUPTED",
        "message": f"The step was interrupted: {cause[:500] or 'no reason given'}",
        "details": {},
    }
