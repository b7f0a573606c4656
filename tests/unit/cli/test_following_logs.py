"""``plugins logs``: the newest lines, and each new one once."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from cli import client as clients
from cli import logs

LOGS = "GET /admin/plugins/a-plugin/logs"


def line(number, time=None, **more):
    time = time or datetime(2026, 1, 2, 3, 4, number, tzinfo=UTC).isoformat().replace("+00:00", "Z")
    return {"id": f"e{number}", "time": time, "level": "info", "message": f"line {number}", **more}


@pytest.fixture
def polls(streamspace, monkeypatch):
    """Ctrl-C after so many polls, instead of waiting between them."""

    def stop_after(count):
        left = iter(range(count - 1))

        def sleep(_):
            if next(left, None) is None:
                raise KeyboardInterrupt

        monkeypatch.setattr(clients.time, "sleep", sleep)

    return stop_after


def test_the_newest_lines_of_all_pages(platform, streamspace):
    platform.answers(LOGS, [line(1), line(2)], meta={"next_cursor": "c"})
    platform.answers(LOGS, [line(3)], meta={"next_cursor": None})

    result = streamspace(
        "plugins", "logs", "a-plugin", "--limit", "2", "--json", "--level", "warn", "--search", "x", "--hook", "h", "--event-id", "7"
    )

    assert [one["id"] for one in json.loads(result.output)] == ["e2", "e3"]
    asked = platform.received[0].query
    assert {name: asked[name] for name in ("level", "search", "hook", "event_id")} == {
        "level": "warn",
        "search": "x",
        "hook": "h",
        "event_id": "7",
    }


def test_following_shows_each_line_once_and_ends_with_ctrl_c_in_peace(platform, streamspace, polls):
    platform.answers(LOGS, [line(1), line(2)])
    platform.answers(LOGS, [line(1), line(2), line(3)])
    # A container's lines may come later than others that were written after them.
    platform.answers(LOGS, [line(0), line(1), line(2), line(3)])
    polls(3)

    result = streamspace("plugins", "logs", "a-plugin", "--follow", "--json")

    assert result.exit_code == 0
    assert [json.loads(text)["id"] for text in result.output.splitlines() if text] == ["e1", "e2", "e3", "e0"]


def test_following_goes_on_from_a_minute_before_the_newest_line(platform, streamspace, polls):
    platform.answers(LOGS, [line(1, "2099-01-02T03:04:05.500Z")])
    polls(2)

    streamspace("plugins", "logs", "a-plugin", "-f")

    assert platform.received[1].query["from"] == "2099-01-02T03:03:05.500Z"


def test_a_followed_line_is_one_line_with_level_hook_event_and_data(platform, streamspace, polls):
    platform.answers(LOGS, [line(1, hook="onUserLogin", event_id=7, data={"a": [1]}, message="two\nlines\x1b[31m")])
    polls(1)

    result = streamspace("plugins", "logs", "a-plugin", "-f")

    assert result.output.splitlines()[0] == '2026-01-02T03:04:01Z  info   onUserLogin 7  two lines [31m  {"a": [1]}'


def test_how_long_ago_is_a_time():
    found = datetime.fromisoformat(logs.moment("2h"))

    assert abs(datetime.now(UTC) - timedelta(hours=2) - found) < timedelta(seconds=5)
    assert logs.moment("2026-01-02T03:04:05Z") == "2026-01-02T03:04:05Z"


def test_following_has_no_end(streamspace):
    assert streamspace("plugins", "logs", "a-plugin", "--follow", "--to", "1h").exit_code == 2
