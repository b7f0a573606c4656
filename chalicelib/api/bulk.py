"""One thing done to many plugins: each by itself, in the order of their dependencies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalicelib import jobs, plugins
from chalicelib.accounts import Caller
from chalicelib.core import log
from chalicelib.core.errors import StreamSpaceError

# API Gateway gives up after 29 s.
_PATIENCE_S = 20.0
_AT_ONCE = 8


def run(action: str, slugs: Sequence[str], *, by: Caller) -> list[dict[str, Any]]:
    """``{slug, success, error?, code?, job_id?}`` for each, in the order asked; one that is named twice is done once."""
    ends_at = time.monotonic() + _PATIENCE_S
    results: dict[str, dict[str, Any]] = {}
    wanted = list(dict.fromkeys(slugs))
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for level in _levels(wanted, goes=action in ("deactivate", "delete")):
            done = threads.map(lambda slug: _one(action, slug, by, ends_at), level)
            results.update(zip(level, done, strict=True))
    return [results[slug] for slug in wanted]


def _one(action: str, slug: str, by: Caller, ends_at: float) -> dict[str, Any]:
    if time.monotonic() > ends_at:
        return {"slug": slug, "success": False, "error": "There was no time left for it; ask again", "code": "NOT_TRIED"}
    try:
        return {"slug": slug, "success": True, **_ACTIONS[action](slug, by, ends_at)}
    except _StillRunning as running:
        return {"slug": slug, "success": False, "error": "Still working; follow its job", "code": "STILL_RUNNING", "job_id": running.job_id}
    except StreamSpaceError as error:
        return {"slug": slug, "success": False, "error": error.message, "code": error.code}
    except Exception:  # noqa: BLE001 one plugin's trouble is not the others'
        log.logger().exception("bulk operation failed", extra={"plugin": slug, "action": action})
        return {"slug": slug, "success": False, "error": "Something went wrong on our side", "code": "INTERNAL_ERROR"}


class _StillRunning(Exception):
    def __init__(self, job_id: str) -> None:
        self.job_id = job_id


def _activate(slug: str, by: Caller, _ends_at: float) -> dict[str, Any]:
    plugins.activate(slug, by=by)
    return {}


def _deactivate(slug: str, by: Caller, _ends_at: float) -> dict[str, Any]:
    plugins.deactivate(slug, by=by)
    return {}


def _update(slug: str, by: Caller, ends_at: float) -> dict[str, Any]:
    return _ended(jobs.start_update(slug, {}, actor=by.actor), ends_at)


def _delete(slug: str, by: Caller, ends_at: float) -> dict[str, Any]:
    return _ended(jobs.start_uninstall(slug, keep_data=False, backup=True, actor=by.actor), ends_at)


_ACTIONS: dict[str, Callable[[str, Caller, float], dict[str, Any]]] = {
    "activate": _activate,
    "deactivate": _deactivate,
    "update": _update,
    "delete": _delete,
}


def _ended(job: jobs.Job, ends_at: float) -> dict[str, Any]:
    job = jobs.wait_for_end(job.id, max(0.0, ends_at - time.monotonic()))
    if not job.has_ended:
        raise _StillRunning(job.id)
    if job.status != jobs.SUCCEEDED:
        raise jobs.failure_of(job)
    return {"job_id": job.id}


def _levels(slugs: Sequence[str], *, goes: bool) -> Iterator[list[str]]:
    """Groups of which each needs only the ones before it (``goes``: is needed only by the ones before it). A circle is one group."""
    needs = {slug: set[str]() for slug in slugs}
    for plugin in plugins.all_installed():
        for one in plugin.manifest.dependencies:
            if plugin.slug in needs and one.slug in needs and one.slug != plugin.slug and not one.is_optional:
                first, then = (plugin.slug, one.slug) if goes else (one.slug, plugin.slug)
                needs[then].add(first)
    left = list(slugs)
    while left:
        level = [slug for slug in left if not needs[slug] & set(left)] or left
        yield level
        left = [slug for slug in left if slug not in level]
