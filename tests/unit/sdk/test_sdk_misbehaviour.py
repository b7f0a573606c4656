"""Whatever a Python plugin does, its author learns the plugin, the hook and the line, and the container serves the next call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

Start = Callable[..., Any]

COMMANDS = """
    import asyncio, json, sys, time
    import streamspace

    class Unreadable(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    class Plugin:
        def on_load(self):
            register = streamspace.commands.register
            for name in ("bad", "fine"):
                register(name=name, description="d", handler=getattr(self, name))
        def fine(self, args):
            return "fine"
        def bad(self, args):
            {bad}
"""
LINE = "plugin.py:17"


@pytest.mark.parametrize(
    ("bad", "name", "said"),
    [
        ("raise ValueError('no')", "ValueError", "no"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise MemoryError", "MemoryError", "MemoryError"),
        ("sys.exit(3)", "RuntimeError", "command bad of the plugin 'my-plugin' called sys.exit(3)"),
        ("self.bad(args)", "RecursionError", "maximum recursion depth"),
        ("raise Unreadable", "Unreadable", "whose text cannot be had"),
        ("raise ValueError('x' * 1_000_000)", "ValueError", "(1000000 characters)"),
        ("while True: pass", "OutOfTime", "command bad of the plugin 'my-plugin' did not finish in time"),
        ("time.sleep(60)", "OutOfTime", "did not finish in time"),
        ("return [0] * 3_000_000", "ValueError", "an answer holds 5500000"),
    ],
)
def test_a_command_that_misbehaves_is_an_answer_and_the_next_one_is_served(plugin: Start, bad: str, name: str, said: str) -> None:
    started = plugin(COMMANDS.replace("{bad}", bad))
    started.load()

    error = started.call({"kind": "command", "name": "bad", "args": {}}, left_ms=1000)["error"]

    assert error["name"] == name
    assert said in error["message"]
    if not bad.startswith("return"):
        assert (error["hook"], error["location"]) == ("command bad", LINE)
    assert len(json.dumps(error)) < 60_000
    assert started.command("fine")["result"] == "fine"


def test_a_coroutine_that_blocks_its_loop_is_stopped_and_the_next_one_has_a_loop(plugin: Start) -> None:
    started = plugin("""
        import asyncio, streamspace
        class Plugin:
            def on_load(self):
                streamspace.commands.register(name="bad", description="d", handler=self.bad)
                streamspace.commands.register(name="fine", description="d", handler=self.fine)
            async def bad(self, args):
                await asyncio.sleep(0)
                while True:
                    try:
                        pass
                    except Exception:
                        pass
            async def fine(self, args):
                await asyncio.sleep(0.01)
                return "fine"
    """)
    started.load()

    error = started.call({"kind": "command", "name": "bad", "args": {}}, left_ms=500)["error"]

    assert (error["name"], error["hook"]) == ("OutOfTime", "command bad")
    assert error["location"].partition(":")[0] == "plugin.py"
    assert started.command("fine")["result"] == "fine"


def test_a_flood_of_log_lines_is_cut_with_a_note(plugin: Start, capsys: pytest.CaptureFixture[str]) -> None:
    started = plugin("""
        import streamspace
        class Plugin:
            def on_load(self):
                for number in range(50_000):
                    print(number)
            def on_unload(self):
                streamspace.log.info("x" * 1_000_000)
    """)

    assert started.load()["ok"] is True
    assert started.call({"kind": "unload"})["ok"] is True

    *lines, note, long = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 2000
    assert (note["level"], note["message"]) == ("warn", "on_load logged more than 2000 lines in one call; the rest is left out")
    assert len(long["message"]) < 64 * 1024


def test_a_circular_detail_is_left_out_and_the_report_arrives(plugin: Start, platform: FakePlatform, record: Any) -> None:
    started = plugin("""
        class Plugin:
            def on_session_created(self, session):
                error = ValueError("no")
                error.details = []
                error.details.append(error.details)
                raise error
    """)
    started.load()
    platform.routes["*"] = {"data": {"verdict": "dead-letter"}}

    assert started.deliver(record()) == []

    [report] = platform.asked("/failures")
    assert (report["body"]["error"]["message"], report["body"]["error"]["location"]) == ("no", "plugin.py:7")
    assert "details" not in report["body"]["error"]
