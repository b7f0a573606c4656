"""Whatever fails in a batch: order is kept per group, and what SQS is asked to deliver again is just what must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sdk_fake_platform import FakePlatform

OUTCOMES = st.sampled_from(["succeeds", "succeeds", "retry", "dead-letter", "report fails"])
BATCHES = st.lists(st.tuples(st.sampled_from("abc"), OUTCOMES), min_size=1, max_size=10)

PLUGIN = """
    import streamspace
    class Plugin:
        def on_load(self):
            self.ran = []
            streamspace.commands.register(name="ran", description="d", handler=self.take)
        def take(self, args):
            ran, self.ran = self.ran, []
            return ran
        async def on_session_created(self, session):
            self.ran.append(session["message"])
            if session["outcome"] != "succeeds":
                raise ValueError(session["outcome"])
"""


def expected(batch: list[tuple[str, str]], messages: list[str]) -> tuple[list[str], list[str]]:
    """What runs and what is given back, by the rule: a group stops at its first failure that is not a dead letter."""
    ran, given_back, stopped = [], [], set()
    for (group, outcome), message in zip(batch, messages, strict=True):
        if group not in stopped:
            ran.append(message)
        if outcome in ("retry", "report fails"):
            stopped.add(group)
        if group in stopped:
            given_back.append(message)
    return ran, given_back


def test_random_batches(plugin: Callable[..., Any], record: Callable[..., Any], platform: FakePlatform) -> None:
    def verdict(request: dict[str, Any]) -> dict[str, Any]:
        outcome = request["body"]["error"]["message"]
        return {"status": 500} if outcome == "report fails" else {"data": {"verdict": outcome}}

    platform.routes["*"] = verdict
    started = plugin(PLUGIN)
    started.load()

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(BATCHES)
    def check(batch: list[tuple[str, str]]) -> None:
        records = []
        for group, outcome in batch:
            made = record({"outcome": outcome, "message": ""}, group=group)
            made["body"] = made["body"].replace('"message": ""', f'"message": "{made["messageId"]}"')
            records.append(made)
        ran, given_back = expected(batch, [made["messageId"] for made in records])

        assert started.deliver(*records) == given_back
        assert started.command("ran")["result"] == ran

    check()
