"""A plugin that executes its own commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

Start = Callable[..., Any]

PLUGIN = """
    import asyncio, streamspace
    class Plugin:
        async def on_load(self):
            self.seen, self.loop = [], asyncio.get_running_loop()
            register = streamspace.commands.register
            register(name="plain", description="d", handler=self.note)
            register(name="async", description="d", handler=self.note_later)
            register(name="awaited", description="d", handler=self.awaited)
            register(name="blocking", description="d", handler=lambda args: streamspace.commands.execute(args["name"], args))
            register(name="inside", description="d", handler=self.inside)
            register(name="seen", description="d", handler=lambda args: self.seen)
            self.seen.append(await streamspace.commands.execute("async", {"n": 0}))
        def note(self, args, context):
            return [args["n"], context["caller"]["username"], None]
        async def note_later(self, args, context):
            await asyncio.sleep(0)
            return [args["n"], context["caller"]["username"], asyncio.get_running_loop() is self.loop]
        async def awaited(self, args):
            return await streamspace.commands.execute(args["name"], args)
        async def inside(self, args):
            return self.plainly(args)
        def plainly(self, args):
            return streamspace.commands.execute(args["name"], args)
"""


def test_a_plugins_own_command_runs_in_place_already_in_on_load(plugin: Start, platform: FakePlatform) -> None:
    started = plugin(PLUGIN)
    started.load()

    assert started.command("seen")["result"] == [[0, "my-plugin", True]]
    assert platform.requests == []


@pytest.mark.parametrize(
    ("caller", "name", "is_on_the_plugins_loop"),
    [
        ("awaited", "plain", None),
        ("awaited", "async", True),
        ("blocking", "plain", None),
        ("blocking", "async", True),
        ("inside", "plain", None),
        ("inside", "async", False),  # a coroutine's plain function cannot await: a thread with a loop of its own does
    ],
)
def test_it_may_be_awaited_or_not(plugin: Start, platform: FakePlatform, caller: str, name: str, is_on_the_plugins_loop: Any) -> None:
    started = plugin(PLUGIN)
    started.load()

    assert started.command(caller, {"name": name, "n": 5})["result"] == [5, "my-plugin", is_on_the_plugins_loop]
    assert platform.requests == []


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_its_own_command_raises_is_a_command_failed_error(plugin: Start, kind: str) -> None:
    started = plugin(f"""
        import streamspace
        class Plugin:
            def on_load(self):
                streamspace.commands.register(name="fails", description="d", handler=self.fails)
                streamspace.commands.register(name="odd", description="d", handler=lambda args: object())
                streamspace.commands.register(name="try", description="d", handler=self.attempt)
            {kind} fails(self, args):
                raise KeyError("x")
            def attempt(self, args):
                try:
                    return streamspace.commands.execute(args["name"])
                except streamspace.errors.CommandFailedError as error:
                    return [error.code, error.message, error.details]
    """)
    started.load()

    details = {"plugin": "my-plugin", "name": "KeyError", "message": "'x'"}
    assert started.command("try", {"name": "fails"})["result"] == [
        "COMMAND_FAILED",
        "The command 'fails' of 'my-plugin' failed: 'x'",
        details,
    ]
    assert started.command("try", {"name": "odd"})["result"][2]["name"] == "TypeError"
