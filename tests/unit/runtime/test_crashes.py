"""What Lambda says of a function's end becomes a sentence for the plugin's author. Source of the texts: Lambda's own error reports."""

import json

import pytest

from chalicelib.runtime import deliveries, invoking

COMMAND = {"kind": "command", "name": "deploy"}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"errorMessage": "2026-01-02T03:04:05.678Z 7c Task timed out after 30.03 seconds"}, "it ran out of time"),
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 7c Error: Task timed out after 30.00 seconds"},
            "it ran out of time",
        ),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 7c Error: Runtime exited with error: signal: killed"},
            "out of memory",
        ),
        ({"errorType": "Runtime.OutOfMemory", "errorMessage": "RequestId: 7c Error: Runtime exited"}, "ran out of memory"),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 7c Error: Runtime exited with error: exit status 3"},
            "process ended",
        ),
        ({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": "Response payload size exceeded"}, "answer is too large"),
        ({"errorType": "TypeError", "errorMessage": "x is not a function"}, "TypeError: x is not a function"),
    ],
)
def test_an_end_that_the_plugin_could_not_tell_of_names_plugin_and_hook_and_what_it_means(told, said):
    crashed = invoking._crashed("deployer", COMMAND, invoking._cause(json.dumps(told).encode()))

    assert crashed.message.startswith("The plugin 'deployer' crashed in command deploy: ")
    assert said in crashed.message
    assert crashed.details == {"slug": "deployer", "call": "command", "hook": "command deploy"}


def test_a_crash_whose_line_nobody_knows_names_where_the_function_begins():
    crashed = invoking._crashed("deployer", COMMAND, "it ran out of time", None, "lib/deploy.js:3")

    assert crashed.message == "The plugin 'deployer' crashed in command deploy (begins at lib/deploy.js:3): it ran out of time"
    assert crashed.details["location"] == "lib/deploy.js:3"


@pytest.mark.parametrize(
    ("told", "place"),
    [
        (
            {
                "trace": [
                    "TypeError: x",
                    "    at f (/opt/nodejs/node_modules/streamspace/hooks.js:3:1)",
                    "    at g (/var/task/lib/a.js:7:3)",
                ]
            },
            "lib/a.js:7",
        ),
        ({"trace": ["E", "at h (/var/task/node_modules/x/y.js:1:1)", "at file:///var/task/index.mjs:9:2"]}, "index.mjs:9"),
        ({"stackTrace": ['  File "/var/task/plugin.py", line 3, in f\n', '  File "/var/task/deep.py", line 8, in g\n']}, "deep.py:8"),
        ({"errorMessage": "no trace"}, None),
        ({"trace": 7}, None),
        ("text", None),
    ],
)
def test_the_line_is_that_of_the_authors_innermost_frame(told, place):
    assert invoking._place(json.dumps(told).encode()) == place


def test_what_is_not_json_is_told_as_it_is():
    assert invoking._cause(b"\xffboom") == "\ufffdboom"
    assert invoking._place(b"boom") is None


@pytest.mark.parametrize(("event", "hook"), [("session.created", "onSessionCreated"), ("user.login", "onUserLogin")])
def test_a_hook_is_named_as_the_plugin_api_writes_it(event, hook):
    assert deliveries.hook_of(event) == hook
