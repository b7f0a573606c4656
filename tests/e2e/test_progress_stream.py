"""A job's progress, followed by the EventSource that browsers have: it sends no token, asks again by itself, and is told when to stop."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import npm_packages

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

_PROJECT = Path(__file__).parent / "eventsource"
_SLOW = "module.exports = {\n  async onLoad() {\n    await new Promise((done) => setTimeout(done, 3000));\n  },\n};\n"


@pytest.fixture(scope="session")
def event_source():
    """``event_source(url, break_after=…)``: the events, as a page gets them. npm brings the client the first time."""
    npm_packages.fetched(_PROJECT, "no EventSource follows a job")

    def follow(url, break_after=0):
        command = ["node", "follow.mjs", url, str(break_after)]
        done = subprocess.run(command, cwd=_PROJECT, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return follow


@pytest.mark.parametrize("break_after", [0, 2])
def test_an_event_source_follows_an_install_to_its_end_without_a_token(api, stack, plugin, event_source, break_after):
    slow = plugin.write(_SLOW)
    body = {"source": "upload", "package": slow.package, "activate": True}
    started = api.ask("POST", "/admin/plugins/install", body, headers={"Prefer": "respond-async"}).data

    events = event_source(stack.api_url + started["links"]["progress"], break_after)

    assert [one["event"] for one in events][-2:] == ["complete", "closed"]
    assert {one["event"] for one in events[:-2]} == {"progress"}
    assert events[-2]["data"]["plugin"]["slug"] == slow.slug
    ids = [one["id"] for one in events[:-1]]
    assert ids == sorted(set(ids))
    steps = [one["data"]["step"] for one in events[:-2]]
    assert steps == list(dict.fromkeys(steps))
    assert {"downloading", "extracting", "activating"} <= set(steps)
