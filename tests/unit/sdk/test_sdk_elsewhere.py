"""Plugins as they were written for StreamSpace elsewhere: whatever their shape, they run unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

# Each notifies of a created session what on_load kept.
SHAPES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "functions of the module": (
        """
        from streamspace import notify

        kept = []

        def on_load():
            kept.append(config["greeting"])

        async def on_session_created(session):
            await notify(session["user"], title="T", message=kept[0])
        """,
        {},
        {},
    ),
    "a class whose methods help each other": (
        """
        import streamspace

        class Plugin:
            async def on_load(self):
                self.kept = await self.read()

            async def read(self):
                return self.config["greeting"]

            def on_session_created(self, session):
                self.greet(session["user"])

            def greet(self, user):
                streamspace.notify(user, title="T", message=self.kept)
        """,
        {},
        {},
    ),
    "a class with a base of its own and a hook that returns a coroutine": (
        """
        from elsewhere_base import Base

        class Plugin(Base):
            def on_session_created(self, session):
                return self.greet(session["user"])
        """,
        {
            "elsewhere_base": """
            import streamspace

            class Base:
                def on_load(self):
                    self.kept = self.config["greeting"]

                async def greet(self, user):
                    await streamspace.notify(user, title="T", message=self.kept)
            """
        },
        {},
    ),
    "a package with parts, and dependencies in vendor": (
        """
        from elsewhere_pack.greetings.polite import Polite
        import elsewhere_vendored
        from streamspace import api

        class Plugin(Polite):
            def on_load(self):
                assert callable(api.get_sessions)
                self.kept = elsewhere_vendored.shout("HELLO")
        """,
        {
            "elsewhere_pack/__init__": "",
            "elsewhere_pack/greetings/__init__": "",
            "elsewhere_pack/greetings/polite": """
            from streamspace import notify as tell
            from ..words import TITLE

            class Polite:
                def on_session_created(self, session):
                    tell(session["user"], title=TITLE, message=self.kept)
            """,
            "elsewhere_pack/words": "TITLE = 'T'",
            "vendor/elsewhere_vendored/__init__": "from .loud import shout",
            "vendor/elsewhere_vendored/loud": "def shout(text): return text.lower()",
        },
        {},
    ),
    "a main in a folder of its own": (
        """
        import streamspace
        from elsewhere_neighbour import TITLE

        class Plugin:
            def on_load(self): self.kept = self.config["greeting"]
            def on_session_created(self, session): streamspace.notify(session["user"], title=TITLE, message=self.kept)
        """,
        {"src/elsewhere_neighbour": "TITLE = 'T'"},
        {"entrypoints": {"main": "src/main.py"}},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plugin_of_any_shape_runs(plugin: Callable[..., Any], platform: FakePlatform, record: Callable[..., Any], shape: str) -> None:
    source, files, manifest = SHAPES[shape]
    started = plugin(source, manifest=manifest, **files)

    answer = started.load({"greeting": "hello"})
    assert answer["ok"], answer
    assert answer["registered"]["hooks"] == ["session.created"]
    assert started.deliver(record({"id": "ann-desk", "user": "ann"})) == []

    (told,) = platform.asked("/notifications")
    assert (told["body"]["to"], told["body"]["message"]) == ("ann", "hello")
