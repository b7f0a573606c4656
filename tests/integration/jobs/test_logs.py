"""What a plugin wrote is read back without what Lambda wrote around it."""

import json

import pytest

from chalicelib import accounts, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import ValidationError
from chalicelib.runtime.logs import Wanted
from tests.integration.api.conftest import call, token, whole_app
from tests.integration.jobs.conftest import package

__all__ = ["call", "token", "whole_app"]


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


def put(aws, slug, *lines, stream="two"):
    logs, group = aws.client("logs"), f"/aws/lambda/test-plugin-{slug}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now_ms = int(clock.timestamp() * 1000)
    events = [{"timestamp": now_ms - 1000 + number, "message": line} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_lines_are_picked_by_hook_event_and_text(written):
    assert [line["message"] for line in runtime.logs.read("base", Wanted(hook="onSessionCreated"))[0]] == ["Synced"]
    assert [line["message"] for line in runtime.logs.read("base", Wanted(event_id=7))[0]] == ["Synced"]
    assert [line["message"] for line in runtime.logs.read("base", Wanted(search="DATABASE"))[0]] == ["No database"]
    assert runtime.logs.read("base", Wanted(event_id=8))[0] == []


def test_a_cursor_goes_on_where_the_page_ended_and_ends(written, aws):
    put(aws, "base", *[json.dumps({"message": f"line {number}"}) for number in range(7)])

    found, cursor = runtime.logs.read("base", Wanted(search="line"), limit=3)
    while cursor:
        page, cursor = runtime.logs.read("base", Wanted(search="line"), limit=3, cursor=cursor)
        found += page

    assert [line["message"] for line in found] == [f"line {number}" for number in range(7)]
    assert len({line["id"] for line in found}) == 7


def test_a_secret_setting_and_a_token_never_leave_the_api_and_cannot_be_searched_for(platform, repository, aws, call):
    fields = [{"key": "key", "type": "password", "label": "Key", "tab": "t"}]
    repository.publish(package("keeper", settings={"tabs": [{"key": "t", "label": "T"}], "fields": fields}))
    platform.install("keeper")
    admin = Caller("user", "ann", "Ann", "admin", None)
    plugins.change_settings("keeper", {"key": "hunter2-secret"}, by=admin)
    own = accounts.issue_plugin_token("keeper", frozenset())
    put(aws, "keeper", f"Error: hunter2-secret {own}", "    at f", json.dumps({"message": "m", "data": {"url": "?k=hunter2-secret"}}))

    answer = call("GET", "/admin/plugins/keeper/logs")

    assert [line["message"] for line in answer.body["data"]] == ["Error: [secret] [token]\n    at f", "m"]
    assert "hunter2" not in json.dumps(answer.body)
    assert call("GET", "/admin/plugins/keeper/logs", query={"search": "hunter2"}).body["data"] == []


def test_a_function_is_told_which_of_its_settings_are_secret(platform, repository):
    fields = [{"key": "key", "type": "password", "label": "Key", "tab": "t"}, {"key": "name", "type": "text", "label": "N", "tab": "t"}]
    repository.publish(package("keeper", settings={"tabs": [{"key": "t", "label": "T"}], "fields": fields}))

    platform.install("keeper")

    loads = [event for _, event in platform.functions.calls if event.get("kind") == "load"]
    assert [event["secret_settings"] for event in loads] == [["key"]]


@pytest.mark.parametrize("cursor", ["nonsense", "e30", "eyJuZXh0VG9rZW4iOiAxfQ"])
def test_a_cursor_of_another_list_is_refused(written, cursor):
    with pytest.raises(ValidationError):
        runtime.logs.read("base", Wanted(), cursor=cursor)
