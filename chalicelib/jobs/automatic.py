"""Updates that install by themselves, where an administrator allowed it.

Promises
    There is one job for each release, however often one looks and whoever does: the job's record and the note that the release was tried
    are one transaction. A release that failed is not tried again by itself; administrators are told once how each ended.
    What the index says of a release is what was decided by; its package is looked at again by the job, before anything is changed, and one
    that asks for more than what is installed is refused there (``update.unpack``).
    At most ten begin at one look; the next one goes on.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib import messaging, plugins
from chalicelib.core import log
from chalicelib.core.errors import ConcurrentChange, StreamSpaceError
from chalicelib.events import Actor, UnitOfWork, unit_of_work
from chalicelib.jobs import records, service, update
from chalicelib.jobs.errors import JobNotFound
from chalicelib.jobs.records import FAILED, SUCCEEDED, Job
from chalicelib.marketplace import Release

MOST_AT_ONCE = 10
_PLATFORM = Actor("platform", "StreamSpace")


def install_due(due: Mapping[str, Release]) -> list[Job]:
    """Begin the update of each plugin to its release, unless that was tried; the jobs that were begun.

    What cannot begin now (somebody works on the plugin, or its dependencies do not fit) is left for the next look.
    """
    known = plugins.policies.current().known if due else {}
    begun: list[Job] = []
    for slug, release in sorted(due.items()):
        if len(begun) == MOST_AT_ONCE:
            break
        if slug in known and known[slug].tried_version == release.version:
            continue
        try:
            job = _begin(slug, release)
        except StreamSpaceError as error:
            log.logger().info("update not begun", extra={"plugin": slug, "version": release.version, "reason": error.message})
            continue
        except Exception:  # noqa: BLE001 one plugin's trouble is not the others'
            log.logger().exception("update not begun", extra={"plugin": slug, "version": release.version})
            continue
        if job is not None:
            begun.append(job)
    return begun


def _begin(slug: str, release: Release) -> Job | None:
    plan = update.plan_from_marketplace(slug, release.version, backup=True)
    if plan["dependencies"] or plan["publisher"] != release.publisher:
        # It would bring other plugins along, or is another release by now: for a person to decide.
        return None
    return service.start(
        "update",
        slug,
        {**plan, "is_automatic": True},
        _PLATFORM,
        also=lambda work, job: plugins.policies.claim_try(work, slug, release.version, job.id),
    )


def tell_of_ended() -> int:
    """Tell the administrators how the updates ended that began by themselves; how many. One GetItem for each that was not told."""
    count = 0
    for slug, known in plugins.policies.current().known.items():
        if known.tried_job is None or known.is_settled:
            continue
        try:
            job = records.get(known.tried_job)
        except JobNotFound:
            job = None
        if job is not None and not job.has_ended:
            continue
        try:
            with unit_of_work() as work:
                plugins.policies.settle_try(work, slug, known.tried_job)
                if job is not None:
                    _tell(job, work)
        except ConcurrentChange:
            continue
        count += 1
    return count


def _tell(job: Job, work: UnitOfWork) -> None:
    before, after = job.request["from_version"], job.request["version"]
    if job.status == SUCCEEDED:
        title, kind = f"{job.slug} was updated by itself", "success"
        message = f"{before} → {after}, as its update policy allows. The version before is in its backups."
    else:
        title, kind = f"{job.slug} could not be updated by itself", "error"
        why = (job.error or {}).get("message", "no reason given")
        rest = f"{before} runs as before" if job.status == FAILED else f"The way back failed too: job {job.id} says what is left"
        message = f"{before} → {after}: {why} {rest}. This release is not tried again by itself."
    actions = [{"label": "Show the plugin", "url": f"/admin/plugins/{job.slug}"}]
    messaging.notify(messaging.ADMINS, title, message, type=kind, actions=actions, work=work)
