"""What a Python plugin's tests can do with streamspace.testing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PERMISSIONS = ["read:sessions", "write:sessions", "read:users", "notifications", "email", "storage", "commands", "ui"]


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``plugin(source, manifest, **options)``: a platform with that plugin on it."""
    from streamspace.testing import create_platform

    made: list[Any] = []

    def make(source: str, manifest: dict[str, Any] | None = None, **options: Any) -> Any:
        told = {"name": "my-plugin", "version": "1.0.0", "runtime": "python", "permissions": PERMISSIONS, **(manifest or {})}
        (tmp_path / "manifest.json").write_text(json.dumps(told))
        (tmp_path / "plugin.py").write_text(source)
        made.append(create_platform(tmp_path, **options))
        return made[-1]

    yield make
    for platform in made:
        platform.close()
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(str(tmp_path))]


def test_load_runs_on_load_with_the_settings_over_the_defaults(plugin: Callable[..., Any]) -> None:
    source = """
import streamspace
class Plugin:
    def on_load(self):
        print("config", self.config, self.manifest["name"])
        streamspace.commands.register(name="hello", description="d", handler=lambda args: "hi")
    async def on_session_created(self, session):
        pass
"""
    fields = [{"key": "greeting", "default": "Hello"}, {"key": "limit"}]
    platform = plugin(source, {"settings": {"tabs": [], "fields": fields}}, settings={"limit": 3})

    registered = platform.load()

    assert registered["hooks"] == ["session.created"]
    assert registered["commands"] == [{"name": "hello", "description": "d", "permissions": []}]
    assert platform.logs[0]["message"] == "config {'greeting': 'Hello', 'limit': 3} my-plugin"
    with pytest.raises(ValueError, match="no setting 'nonsense'; it has: greeting, limit"):
        platform.change_settings(nonsense=1)


def test_an_event_makes_its_object_exist_and_what_the_hook_does_is_seen(plugin: Callable[..., Any]) -> None:
    source = """
import streamspace
class Plugin:
    async def on_session_started(self, session, event):
        user = await streamspace.api.get_user(session["user"])
        streamspace.storage.set("seen", [event["type"], streamspace.api.get_session(session["id"])["url"]])
        def stop(action, context):
            streamspace.api.update_session(session["id"], state="hibernated")
            return "stopped"
        streamspace.notify(session["user"], title="Ready", message=user["fullName"],
                           actions=[{"label": "Open", "url": "/x"}, {"label": "Stop", "handler": stop}])
        streamspace.email.send(user["email"], "s", text="t", attachments=[{"filename": "f", "content": "c"}])
"""
    platform = plugin(source)
    platform.load()

    event = platform.emit("session.started", {"user": "zoe-b", "template": "vlc"})

    assert event["data"]["id"] == "zoe-b-vlc"
    assert platform.storage == {"seen": ["session.started", "https://zoe-b-vlc.streamspace.local"]}
    [notification] = platform.notifications
    assert (notification["to"], notification["message"], notification["type"]) == ("zoe-b", "Zoe B", "info")
    assert platform.emails[0]["attachments"][0]["content"] == b"c"
    assert platform.press(notification, "Open") == "/x"
    assert platform.press(notification, "Stop") == "stopped"
    assert platform.sessions[0]["state"] == "hibernated"


def test_what_a_plugin_does_causes_events_which_it_hears(plugin: Callable[..., Any]) -> None:
    kinds = ["created", "started", "hibernated", "woken", "stopped", "deleted"]
    hooks = "\n".join(f"    def on_session_{kind}(self, session, event): heard.append(event['type'])" for kind in kinds)
    source = f"""
import streamspace
heard = []
class Plugin:
    def on_load(self):
        go = lambda args: streamspace.api.create_session("jane", "firefox-browser")["id"]
        streamspace.commands.register(name="go", description="d", handler=go)
        streamspace.commands.register(name="heard", description="d", handler=lambda args: heard)
{hooks}
"""
    platform = plugin(source)
    platform.load()
    import streamspace

    key = platform.command("go")
    assert platform.sessions[0]["url"] == "https://jane-firefox-browser.streamspace.local"
    for state in ("hibernated", "running"):
        streamspace.api.update_session(key, state=state)
    streamspace.api.delete_session(key)
    platform.settle()

    assert platform.command("heard") == [f"session.{kind}" for kind in kinds]


def test_a_hook_that_fails_is_tried_three_times_and_the_test_is_told_with_file_and_line(plugin: Callable[..., Any]) -> None:
    source = """tries = []
import streamspace
def on_user_login(user):
    tries.append(1)
    if len(tries) < 3:
        raise RuntimeError("not yet")
    streamspace.storage.set("tries", len(tries))
def on_user_logout(user):
    raise TypeError("never")
"""
    from streamspace.testing import PluginFailed

    platform = plugin(source)
    platform.load()

    platform.emit("user.login", {"username": "jane"})
    assert platform.storage == {"tries": 3}
    with pytest.raises(PluginFailed) as failed:
        platform.emit("user.logout")

    assert str(failed.value) == "on_user_logout failed: TypeError: never (plugin.py:9) (in each of 3 attempts)"
    assert platform.dead_letters[0]["event"]["type"] == "user.logout"


def test_a_module_or_an_on_load_that_raises_fails_the_load_with_file_and_line(plugin: Callable[..., Any]) -> None:
    from streamspace.testing import PluginFailed

    with pytest.raises(PluginFailed, match=r"module failed: ValueError: top level \(plugin.py:2\)"):
        plugin("x = 1\nraise ValueError('top level')").load()
    with pytest.raises(PluginFailed, match=r"on_load failed: RuntimeError: no key \(plugin.py:2\)"):
        plugin("def on_load():\n    raise RuntimeError('no key')").load()


def test_commands_know_who_may_run_them_and_what_they_raise_comes_as_the_api_says(plugin: Callable[..., Any]) -> None:
    source = """
import streamspace
def add(name, handler, *permissions):
    streamspace.commands.register(name=name, description="d", handler=handler, permissions=permissions)
def bad(args):
    raise ValueError("too far")
def on_load():
    add("who", lambda args, context: context["caller"]["username"])
    add("admins", lambda args: 1, "admin")
    add("mine", lambda args: 2, "my.reports")
    add("bad", bad)
    add("other", lambda args: streamspace.commands.execute(args["name"], {"n": 1}))
"""
    contributes = {"permissions": [{"name": "my.reports", "default_roles": ["manager"]}]}
    users = [{"username": "jane"}, {"username": "max", "role": "manager"}]
    platform = plugin(source, {"contributes": contributes}, users=users, commands={"sum": lambda args: args["n"] + 1})
    platform.load()
    from streamspace import errors

    assert platform.command("who", as_="jane") == "jane"
    with pytest.raises(errors.PermissionDeniedError):
        platform.command("admins", as_="jane")
    assert platform.command("mine", as_="max") == 2
    with pytest.raises(errors.CommandFailedError, match="The command 'bad' of 'my-plugin' failed: too far"):
        platform.command("bad")
    with pytest.raises(errors.CommandNotFoundError):
        platform.command("nothing")
    assert platform.command("other", {"name": "sum"}) == 2


def test_endpoints_answer_the_most_specific_path_to_those_who_may(plugin: Callable[..., Any]) -> None:
    source = """
import streamspace
def on_load():
    on = streamspace.api.register_endpoint
    on(path="/items/:id", handler=lambda req: {"id": req.params["id"], "q": req.query, "who": req.user["username"]})
    on(path="/items/all", handler=lambda req: {"all": True})
    on(path="/hook", method="POST", public=True, handler=lambda req: ({"n": req.body["n"] + 1}, 202))
    on(path="/secret", permissions=["admin"], handler=lambda req: {})
"""
    platform = plugin(source)
    platform.load()
    from streamspace import errors

    answer = platform.request("GET", "/items/a%20b?x=1&y=2&y=3", as_="jane")
    assert answer.body == {"id": "a b", "q": {"x": "1", "y": ["2", "3"]}, "who": "jane"}
    assert platform.request("GET", "/items/all").body == {"all": True}
    answer = platform.request("POST", "/hook", body={"n": 1}, as_=None)
    assert (answer.status, answer.body) == (202, {"n": 2})
    with pytest.raises(errors.PermissionDeniedError):
        platform.request("GET", "/secret", as_="jane")
    with pytest.raises(errors.UnauthenticatedError):
        platform.request("GET", "/items/all", as_=None)
    with pytest.raises(errors.NotFoundError):
        platform.request("GET", "/nothing")


def test_settings_change_tasks_run_by_name_and_requests_can_be_made_to_fail(plugin: Callable[..., Any]) -> None:
    source = """
import streamspace
class Plugin:
    def daily_sync(self):
        try:
            streamspace.email.send("a@example.com", "s", text=self.config["greeting"])
        except streamspace.StreamSpaceError as error:
            streamspace.log.warn("no mail", {"code": error.code})
"""
    platform = plugin(source, {"configSchema": {"properties": {"greeting": {"type": "string", "default": "Hello"}}}})
    platform.load()

    platform.change_settings(greeting="Salut")
    platform.schedule("daily-sync")
    platform.fail_next("EMAIL_NOT_CONFIGURED")
    platform.schedule("daily-sync")

    assert [email["text"] for email in platform.emails] == ["Salut"]
    assert [(line["level"], line["data"]["code"]) for line in platform.logs] == [("warn", "EMAIL_NOT_CONFIGURED")]


def test_each_load_starts_anew_and_closing_gives_the_sdk_back(plugin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMSPACE_API_URL", raising=False)
    source = "import streamspace\nloads = []\ndef on_load():\n    loads.append(1)\n    streamspace.storage.set('n', len(loads))\n"
    platform = plugin(source)
    platform.load()
    platform.load()
    assert platform.storage == {"n": 1}

    platform.close()

    import streamspace

    with pytest.raises(RuntimeError, match="STREAMSPACE_API_URL is not set"):
        streamspace.storage.get("x")
