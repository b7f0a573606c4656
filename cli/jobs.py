"""``jobs``: installs, updates and uninstalls, and waiting for their end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from cli.client import Answer, Client, segment
from cli.context import Context, pass_context, tell
from cli.errors import CliError, JobFailed
from cli.output import Columns, json_option, show, visible
from cli.sse import Event, follow

_LONGEST_JOB_S = 1200.0


@click.group()
def jobs() -> None:
    """Installs, updates and uninstalls."""


@jobs.command("show")
@click.argument("job_id")
@json_option
@pass_context
def show_job(context: Context, job_id: str, as_json: bool) -> None:
    """How far a job is, or how it ended."""
    job = context.client.get(f"/admin/jobs/{segment(job_id)}").data
    columns: Columns = {
        "job": "job_id",
        "kind": "kind",
        "plugin": "slug",
        "status": "status",
        "step": "step",
        "progress": lambda row: f"{row.get('progress') or 0} %",
        "error": "error",
        "started at": "started_at",
        "ended at": "ended_at",
    }
    show(job, columns, as_json=as_json)


def follow_job(client: Client, started: Answer, show_progress: Callable[[str], None]) -> Any:
    """The data of the job's ``complete`` event. ``started`` is the 202 that says where the events are. Source: REST §7.

    Raises: JobFailed with the failure's own code, when the job was rolled back or got stuck.
    """
    job_id = started.data["job_id"]
    links = started.data.get("links") or started.links
    # Its ticket is for those who have no token.
    path = str(links.get("progress") or "").partition("?")[0] or f"/admin/plugins/install/{segment(job_id)}/progress"
    with _the_job_outlives_us(job_id):
        last: Event | None = None
        for last in follow(client, path, at_most_s=_LONGEST_JOB_S):
            if last.name == "progress" and isinstance(last.data, dict):
                show_progress(progress_line(last.data))
    if last is None or last.name != "complete":
        raise _failure(job_id, last.data if last else None)
    return last.data


def progress_line(progress: dict[str, Any]) -> str:
    """``[ 25 %] downloading   Downloading plugin...``"""
    percent, step, message = progress.get("progress") or 0, progress.get("step") or "", progress.get("message") or ""
    return visible(f"[{percent:>3} %] {step:<14} {message}").rstrip()


@contextmanager
def _the_job_outlives_us(job_id: str) -> Iterator[None]:
    """Tells who interrupts the waiting that the job goes on without them."""
    try:
        yield
    except KeyboardInterrupt:
        tell(f"\nThe job goes on; see 'streamspace jobs show {job_id}'")
        raise


def _failure(job_id: str, ending: Any) -> CliError:
    """The end of a job as an error: what failed, at which step, and what could not be taken back."""
    ending = ending if isinstance(ending, dict) else {}
    error = ending.get("error")
    if not isinstance(error, dict):
        error = {"message": str(error or ending.get("message") or "The job failed")}
    details = error.get("details")
    failure = JobFailed(
        str(error.get("message")),
        {
            **(details if isinstance(details, dict) else {}),
            "step": error.get("step") or ending.get("step"),
            "left behind": ending.get("left") or error.get("left"),
            "job": job_id,
        },
    )
    failure.code = str(error.get("code") or JobFailed.code)
    return failure
