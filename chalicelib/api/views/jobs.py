"""Jobs and what they lead to, as JSON and as Server-Sent Events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.api.routing import BASE_PATH
from chalicelib.core import clock
from chalicelib.jobs import Job, News
from chalicelib.jobs.tickets import Ticket
from chalicelib.plugins import InstalledPlugin

_RETRY_MS = 500


def job(one: Job) -> dict[str, Any]:
    return {
        "job_id": one.id,
        "kind": one.kind,
        "slug": one.slug,
        "status": one.status,
        "step": one.step,
        "progress": one.progress,
        "error": {**one.error, "left": one.left} if one.error else None,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
    }


def started(one: Job, ticket: Ticket) -> dict[str, Any]:
    links = {"self": f"{BASE_PATH}/admin/jobs/{one.id}", "progress": progress_address(one.id, ticket)}
    return {"job_id": one.id, "kind": one.kind, "slug": one.slug, "status": one.status, "links": links}


def progress_address(job_id: str, ticket: Ticket) -> str:
    """What ``new EventSource(…)`` takes as it is."""
    return f"{BASE_PATH}/admin/plugins/install/{job_id}/progress?ticket={ticket.text}"


def event_stream(news: Sequence[News]) -> str:
    """Source: HTML Living Standard §9.2, Server-sent events. A comment when there is no news, so that the connection is not called
    broken."""
    if not news:
        return f"retry: {_RETRY_MS}\n: nothing new yet\n\n"
    blocks = [f"id: {one.id}\nevent: {one.event}\ndata: {json.dumps(one.data)}\n\n" for one in news]
    return f"retry: {_RETRY_MS}\n" + "".join(blocks)


def activation(plugin: InstalledPlugin) -> dict[str, Any]:
    return {"slug": plugin.slug, "status": plugin.status, "activated_at": _time(plugin.activated_at)}


def deactivation(plugin: InstalledPlugin) -> dict[str, Any]:
    return {"slug": plugin.slug, "status": plugin.status, "deactivated_at": _time(plugin.deactivated_at)}


def _time(moment: Any) -> str | None:
    return clock.rfc3339(moment) if moment else None
