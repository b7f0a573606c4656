"""What a plugin wrote is read back without what Lambda wrote around it."""

import json

import pytest

from chalicelib import runtime
from chalicelib.core import clock
from chalicelib.runtime.logs import Wanted
from tests.integration.jobs.conftest import package


@pytest.fixture
def written(platform, repository, aws):
    """A plugin whose function wrote these lines."""
    repository.publish(package("base"))
    platform.install("base")
    logs = aws.client("logs")
    group, stream = "/aws/lambda/test-plugin-base", "one"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now_ms = int(clock.timestamp() * 1000)
    lines = [
        "START RequestId: 1 Version: $LATEST",
        json.dumps({"level": "info", "message": "Synced", "data": {"n": 3}, "hook": "onSessionCreated", "event_id": 7}),
        json.dumps({"level": "error", "message": "No database"}),
        "2026-01-02T03:04:05Z 1 Task timed out after 30.00 seconds",
        "REPORT RequestId: 1 Duration: 3 ms",
    ]
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": now_ms - 1000 + number, "message": line} for number, line in enumerate(lines)],
    )


@pytest.mark.usefixtures("written")
def test_a_plugins_own_lines_are_read_and_lambdas_are_left_out():
    lines, cursor = runtime.logs.read("base", Wanted())

    assert [line["message"] for line in lines] == ["Synced", "No database", "The function ran out of time after 30 s"]
    assert lines[0]["data"] == {"n": 3}
    assert lines[0]["hook"] == "onSessionCreated"
    assert lines[2]["level"] == "error"
    assert cursor is None


@pytest.mark.usefixtures("written")
def test_a_level_keeps_the_more_serious_ones_too():
    lines, _ = runtime.logs.read("base", Wanted(level="warn"))

    assert {line["level"] for line in lines} == {"error"}


def test_a_plugin_that_wrote_nothing_has_no_lines(platform, repository):
    repository.publish(package("base"))
    platform.install("base")

    assert runtime.logs.read("base", Wanted()) == ([], None)
