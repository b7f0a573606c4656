"""A function's log as its author reads it: Lambda's own lines in words, crashes in one piece, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.runtime.log_lines import has_text, level_is_at_least, lines_of
from chalicelib.runtime.redaction import Redaction

CASES = json.loads((Path(__file__).parents[2] / "sdk" / "redaction.json").read_text())
NOW_MS = 1_767_323_045_000


def shown(*messages, secrets=(), stream="one"):
    events = [{"message": one, "timestamp": NOW_MS, "logStreamName": stream} for one in messages]
    return lines_of(events, Redaction(secrets))


def only(message):
    (line,) = shown(message)
    return line


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_secret(case):
    found = Redaction(case["secrets"]).text(case["text"])

    assert found == case.get("shown", found)
    assert not [hidden for hidden in case.get("hidden", []) if hidden in found]


@pytest.mark.parametrize(
    ("written", "level", "message"),
    [
        ("2026-01-02T03:04:05.678Z 4f0c-1 Task timed out after 30.03 seconds\n\n", "error", "The function ran out of time after 30.03 s"),
        (
            "RequestId: 4f0c-1 Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
            "error",
            "The function was killed: it most likely needed more memory than it has",
        ),
        (
            "REPORT RequestId: 1\tDuration: 3 ms\tStatus: error\tError Type: Runtime.OutOfMemory",
            "error",
            "The function was killed: it most likely needed more memory than it has",
        ),
        (
            "RequestId: 4f0c-1 Error: Runtime exited with error: exit status 3",
            "error",
            "The function's process ended by itself: exit status 3",
        ),
        ("2026-01-02T03:04:05.678Z\t4f0c-1\tWARN\told\tstyle", "warn", "old\tstyle"),
        ("[WARNING]\t2026-01-02T03:04:05.678Z\t4f0c-1\tslow\n", "warn", "slow"),
        (
            "[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n  File",
            "error",
            "KeyError: 'x'\nTraceback (most recent call last):\n  File",
        ),
        ("plain text", "error", "plain text"),
        ('{"level": "info"}', "error", '{"level": "info"}'),
        ('{"level": "WARNING", "message": "m"}', "warn", "m"),
    ],
)
def test_what_lambda_writes_is_said_in_words(written, level, message):
    line = only(written)

    assert (line["level"], line["message"], line["time"]) == (level, message, "2026-01-02T03:04:05Z")


def test_an_uncaught_exception_of_node_is_its_message_and_its_stack():
    error = {"errorType": "TypeError", "errorMessage": "x is not a function", "stack": ["TypeError: x", "    at index.js:3"]}

    line = only(f"2026-01-02T03:04:05.678Z\t4f0c-1\tERROR\tUncaught Exception \t{json.dumps(error)}")

    assert line["message"] == "Uncaught Exception: TypeError: x is not a function"
    assert line["data"] == {"stack": "TypeError: x\n    at index.js:3"}


def test_what_surrounds_calls_is_left_out():
    around = [
        "START RequestId: 1",
        "END RequestId: 1",
        "REPORT RequestId: 1\tDuration: 3 ms",
        "INIT_START Runtime",
        "",
        "EXTENSION\tName: x",
    ]

    assert shown(*around) == []


def test_the_lines_of_a_crash_are_one():
    ours = json.dumps({"level": "info", "message": "before"})

    lines = shown(ours, "index.js:3", "    throw x", "", "Error: late", "    at index.js:3", ours)

    assert [line["message"] for line in lines] == ["before", "index.js:3\n    throw x\n\nError: late\n    at index.js:3", "before"]


def test_each_line_keeps_its_id_and_two_have_two():
    first, again = shown("a", json.dumps({"message": "b"})), shown("a", json.dumps({"message": "b"}))

    assert [line["id"] for line in first] == [line["id"] for line in again]
    assert len({line["id"] for line in first}) == 2


def test_a_secret_is_hidden_in_message_data_and_crash():
    ours = json.dumps({"message": "key hunter2!", "data": {"hunter2!": ["hunter2!", 1, None, True], "n": 987654}})

    lines = shown(ours, "Error: hunter2!", secrets=["hunter2!", "987654"])

    assert "hunter2" not in json.dumps(lines)
    assert lines[0]["data"] == {"[secret]": ["[secret]", 1, None, True], "n": "[secret]"}


@pytest.mark.parametrize(
    ("level", "least", "is_in"), [("warn", "warn", True), ("info", "warn", False), ("fatal", "error", True), ("odd", "warn", False)]
)
def test_a_level_includes_the_more_serious_ones(level, least, is_in):
    assert level_is_at_least({"level": level}, least) == is_in


def test_a_text_is_found_in_message_and_data_whatever_its_case():
    line = {"message": "Synced", "data": {"user": "Jörg"}}

    assert has_text(line, "sync")
    assert has_text(line, "JÖRG")
    assert not has_text(line, "max")
