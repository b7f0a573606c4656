"""Where the time of an installation goes: what passes between the news that a job tells of its steps, on the local stack.

The times are those of the job's own clock: its news are numbered by the millisecond in which they were written. A step's time is that until
the next step's news, so that what the state machine needs between two steps is part of it.
"""

from __future__ import annotations

import urllib.request
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from bench import plugins, stack
from bench.report import Table
from cli import sse
from cli.client import Client

_ROUNDS = 3
_SMALL = "bench-small"
# chalicelib/core/ids.py: 41 bits of milliseconds since 2024, then 12 random ones.
_NEWS_EPOCH_MS = 1_704_067_200_000
_NEWS_RANDOM_BITS = 12

Steps = dict[str, float]


def run() -> list[Table]:
    client = stack.administrator()
    small = {"source": "upload", "package": plugins.package(_SMALL, "module.exports = {};\n")}
    found = {"a plugin of one file, uploaded": _measured(client, small, [_SMALL])}
    mailer = ["welcome-mailer", "audit-trail"]
    if any(plugins.is_installed(client, slug) for slug in mailer):
        note = "welcome-mailer was left out: it, or audit-trail, which it needs, is in use on this stack."
    else:
        note = "welcome-mailer comes from the marketplace and brings audit-trail, which is installed in the step `dependencies`."
        found["welcome-mailer"] = _measured(client, {"source": "marketplace", "slug": mailer[0]}, mailer)
    steps = list(next(iter(found.values())))
    totals = {what: sum(medians.values()) for what, medians in found.items()}
    rows = [(f"`{step}`", *(_cell(medians[step], totals[what]) for what, medians in found.items())) for step in steps]
    rows.append(("all", *(f"{total:.2f} s" for total in totals.values())))
    if len(totals) == 2:
        first, second = totals.values()
        rows.append(("ratio", "1", f"{second / first:.2f}"))
    return [Table("An installation, step by step", f"Medians of {_ROUNDS}, with activation. {note}", ("step", *found), rows)]


def _cell(taken: float, total: float) -> str:
    return f"{taken / total:4.0%} ({taken:.2f} s)"


def _measured(client: Client, request: dict[str, Any], made: list[str]) -> Steps:
    """Median of each step. Removes what was installed, dependents first."""
    rounds: list[Steps] = []
    try:
        for _ in range(_ROUNDS):
            for slug in made:
                plugins.remove(client, slug)
            rounds.append(_steps(plugins.install(client, request)))
    finally:
        for slug in made:
            plugins.remove(client, slug)
    return {step: median(one[step] for one in rounds) for step in rounds[0]}


def _steps(job: dict[str, Any]) -> Steps:
    began = datetime.fromisoformat(job["started_at"]).timestamp()
    moments: dict[str, float] = {"until the first step": began}
    for event in _news(job["job_id"]):
        name = event.data["step"] if event.name == "progress" else "end"
        # A step that works on several plugins tells of itself more than once.
        moments.setdefault(name, _moment_of(str(event.id)))
    names = list(moments)
    return {name: moments[after] - moments[name] for name, after in pairwise(names)}


def _news(job_id: str) -> list[sse.Event]:
    about = stack.description()
    url = f"{about['api_url']}/api/v1/admin/plugins/install/{job_id}/progress"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {about['admin']['token']}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return sse.parse(answer.read().decode()).events


def _moment_of(news_id: str) -> float:
    return ((int(news_id) >> _NEWS_RANDOM_BITS) + _NEWS_EPOCH_MS) / 1000
