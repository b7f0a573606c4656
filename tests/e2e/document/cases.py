"""For each JavaScript example of the plugin API reference: the world that it needs, and the effect that its text promises.

``told`` is what an example declared: its constants, by name.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.client import eventually
from tests.e2e.document.world import SESSION, World

Told = dict[str, Any]
Effect = Callable[[World, Told], None]

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True)
class Case:
    """``kind``: a ``call`` is a command's body, ``load`` part of an onLoad, ``module`` and ``hook`` are those of a plugin.

    ``apart``: its paragraphs are alternatives, of which a reader takes one, although they declare no name twice. ``meanwhile`` does what
    a person does while the example waits.
    """

    effect: Effect
    kind: str = "call"
    given: Callable[[World], None] = lambda world: None
    apart: bool = False
    meanwhile: Callable[[World], None] | None = None


CASES: dict[str, Case] = {}


def case(key: str, kind: str = "call", **more: Any) -> Callable[[Effect], Effect]:
    def declare(effect: Effect) -> Effect:
        CASES[key] = Case(effect, kind, **more)
        return effect

    return declare


# Sessions


@case("Version Information")
def version(world: World, told: Told) -> None:
    assert told["version"] == "1.0.0"


@case("Platform Configuration")
def platform(world: World, told: Told) -> None:
    assert told["config"] == {"namespace": "streamspace", "ingressDomain": "streamspace.local", "hibernationEnabled": True}
    world.logged("streamspace.local")


def many_sessions(world: World) -> None:
    world.person("john")
    world.no_sessions_of("john")
    world.session()
    world.api.post("/sessions", {"user": "john", "template": "vscode"})
    missing = 22 - len(world.api.get("/sessions", user="user1"))
    for _ in range(missing):
        world.api.post("/sessions", {"user": "user1", "template": "firefox", "state": "hibernated", "maxSessionDuration": "2h"})


@case("getSessions()", given=many_sessions)
def get_sessions(world: World, told: Told) -> None:
    everything = [one["id"] for one in world.api.get("/sessions")]
    assert [one["id"] for one in told["sessions"]] == everything
    assert [one["template"] for one in told["userSessions"]] == ["vscode"]
    assert SESSION in [one["id"] for one in told["runningSessions"]]
    assert {one["state"] for one in told["runningSessions"]} == {"running"}
    assert [one["id"] for one in told["page2"]] == everything[20:40]
    assert told["page2"]


def active_session(world: World) -> None:
    world.no_sessions_of("user1")
    world.session(ready=True)
    world.api.post(f"/sessions/{SESSION}/activity")


@case("getSession()", given=active_session)
def get_session(world: World, told: Told) -> None:
    session = told["session"]
    assert (session["state"], session["url"]) == ("running", "https://user1-firefox.streamspace.local")
    assert session["podName"]
    assert RFC3339.fullmatch(session["lastActivity"])
    assert session == world.api.session(SESSION) | {key: session[key] for key in ("updatedAt", "lastActivity")}


def john_without_sessions(world: World) -> None:
    world.person("john")
    world.no_sessions_of("john")


@case("createSession()", given=john_without_sessions)
def create_session(world: World, told: Told) -> None:
    session = told["session"]
    assert world.api.session(session["id"])["user"] == "john"
    asked = (session["template"], session["resources"], session["idleTimeout"])
    assert asked in (
        ("firefox-browser", {"memory": "2Gi", "cpu": "1000m"}, "30m"),
        ("vscode", {"memory": "4Gi", "cpu": "2000m"}, "1h"),
        ("jupyter", world.api.get("/templates/jupyter")["defaultResources"], "30m"),
    )
    assert (session["state"], session["persistentHome"]) == ("running", True)


@case("updateSession()", given=World.session)
def update_session(world: World, told: Told) -> None:
    session = world.api.session(SESSION)
    assert (session["state"], session["resources"]["memory"], session["idleTimeout"]) == ("running", "4Gi", "2h")


@case("deleteSession()", given=World.session)
def delete_session(world: World, told: Told) -> None:
    assert not world.has_session(SESSION)


def john_with_a_session(world: World) -> None:
    john_without_sessions(world)
    world.api.post("/sessions", {"user": "john", "template": "vscode", "state": "hibernated"})


@case("getUserSessions()", given=john_with_a_session)
def get_user_sessions(world: World, told: Told) -> None:
    assert [(one["user"], one["template"]) for one in told["sessions"]] == [("john", "vscode")]
    world.logged("1 sessions for john")


# Users


def two_people(world: World) -> None:
    world.person("john")
    world.person("user1")


@case("getUsers()", given=two_people)
def get_users(world: World, told: Told) -> None:
    # The first hundred, whoever else is there.
    assert [one["username"] for one in told["users"]] == [one["username"] for one in world.api.get("/users")]
    assert [one["username"] for one in told["proUsers"]] == [one["username"] for one in world.api.get("/users", tier="pro")]
    assert {one["tier"] for one in told["proUsers"]} == {"pro"}


@case("getUser()", given=lambda world: world.person("john"))
def get_user(world: World, told: Told) -> None:
    user = told["user"]
    assert (user["fullName"], user["tier"]) == ("John Doe", "pro")
    assert {"memory": "16Gi", "maxSessions": 5}.items() <= user["quotas"].items()
    world.logged("John Doe")


@case("createUser()", given=lambda world: world.nobody("jane"))
def create_user(world: World, told: Told) -> None:
    quotas = {"memory": "32Gi", "maxSessions": 10, "storage": "200Gi", "maxSessionDuration": "12h"}
    wanted = {"username": "jane", "fullName": "Jane Smith", "email": "jane@example.com", "tier": "pro", "quotas": quotas}
    assert wanted.items() <= told["user"].items()
    assert world.api.get("/users/jane") == told["user"]


@case("updateUser()", given=lambda world: world.person("john"))
def update_user(world: World, told: Told) -> None:
    john = world.api.get("/users/john")
    assert (john["tier"], john["email"]) == ("enterprise", "john.new@example.com")
    assert {"memory": "64Gi", "maxSessions": 20}.items() <= john["quotas"].items()


@case("deleteUser()", given=john_with_a_session, apart=True)
def delete_user(world: World, told: Told) -> None:
    assert not world.has_user("john")
    assert world.api.get("/sessions", user="john") == []


# Templates


@case("getTemplates()")
def get_templates(world: World, told: Told) -> None:
    assert [one["name"] for one in told["templates"]] == [one["name"] for one in world.api.get("/templates")]
    assert "firefox-browser" in [one["name"] for one in told["browsers"]]
    assert {one["category"] for one in told["browsers"]} == {"Web Browsers"}
    assert "vscode" in [one["name"] for one in told["devTools"]]
    assert all("development" in one["tags"] for one in told["devTools"])


@case("getTemplate()")
def get_template(world: World, told: Told) -> None:
    template = told["template"]
    assert template["displayName"] == "Firefox Web Browser"
    assert template["defaultResources"] == {"memory": "2Gi", "cpu": "1000m"}
    assert template["capabilities"] == ["Network", "Audio", "Clipboard"]


@case("createTemplate()", given=lambda world: world.no_template("my-app"))
def create_template(world: World, told: Told) -> None:
    template = world.api.get("/templates/my-app")
    assert template == told["template"]
    assert template["ports"] == [{"name": "vnc", "containerPort": 5900, "protocol": "TCP"}]
    assert (template["env"], template["tags"]) == ([], ["custom", "productivity"])


# Notifications and email


@case("notify()", given=lambda world: world.person("john"))
def notify(world: World, told: Told) -> None:
    defaults = {"type": "info", "actions": [], "dismissible": True, "timeout": 5000, "persistent": True}
    promised = {
        "Session Ready": {"type": "success", "message": "Your Firefox session is ready to use!"},
        "Update Available": {"actions": [{"label": "Update Now", "url": "/sessions/update"}, {"label": "Remind Later"}]},
        "Session Created": {"timeout": 3000, "dismissible": False},
        "Important Update": {"type": "warning"},
    }
    for title, fields in promised.items():
        arrived = world.told(title, "john")
        assert arrived is not None, title
        assert (defaults | fields).items() <= arrived.items()
        if title == "Update Available":
            # The function is still in the plugin's container, and is called.
            john = world.as_person("john")
            assert john.post(f"/notifications/{arrived['id']}/actions/1") is not None
            assert john.post(f"/notifications/{arrived['id']}/actions/0")["url"] == "/sessions/update"


@case("notifyAll()", given=lambda world: world.person("john"))
def notify_all(world: World, told: Told) -> None:
    for username in ("john", None):
        arrived = world.told("System Maintenance", username)
        assert arrived is not None
        assert (arrived["type"], arrived["persistent"]) == ("warning", True)


@case("notifyAdmins()", given=lambda world: world.person("john"))
def notify_admins(world: World, told: Told) -> None:
    arrived = world.told("High Resource Usage")
    assert arrived is not None
    assert arrived["actions"] == [{"label": "View Metrics", "url": "/admin/metrics"}]
    assert world.told("High Resource Usage", "john") is None


@case("send()", given=World.open_mailboxes)
def send_email(world: World, told: Told) -> None:
    welcome, report, logs = world.new_mails("john@example.com")
    assert "Welcome to StreamSpace, john" in welcome["BodyText"]
    assert "https://streamspace.local/login" in welcome["BodyHtml"]
    assert report["BodyHtml"].strip() == "<h1>Your Session Report</h1><p>...</p>"
    assert world.new_mails("jane@example.com") == [report]
    assert "user1-firefox" in logs["BodyHtml"]
    # The emulator shows the last text part of an email as its text: the attachment.
    assert logs["BodyText"] == "a line of the log\n"


# Storage


@case("get()", given=lambda world: world.keep(**{"my-plugin-config": {"kept": True}}))
def storage_get(world: World, told: Told) -> None:
    assert told["data"] == {"kept": True}
    world.logs_with("Config loaded:")


@case("set()")
def storage_set(world: World, told: Told) -> None:
    stored = world.stored["my-plugin-config"]
    assert stored["stats"] == {"totalSessions": 42, "activeUsers": 10}
    assert stored["lastSync"] > 1_700_000_000_000


@case("delete()", given=lambda world: world.keep(**{"my-plugin-cache": 1, "another": 2}))
def storage_delete(world: World, told: Told) -> None:
    assert "my-plugin-cache" not in world.stored
    assert "another" in world.stored


@case("keys()", given=lambda world: world.keep(**{"config-app": 1, "config-database": 2, "other": 3}))
def storage_keys(world: World, told: Told) -> None:
    assert told["configKeys"] == ["config-app", "config-database"]
    assert told["allKeys"] == sorted(world.stored)
    assert "other" in told["allKeys"]


@case("clear()", given=lambda world: world.keep(a=1, b=2))
def storage_clear(world: World, told: Told) -> None:
    assert world.stored == {}


# Pages, dialogs and commands


@case("registerWidget()", "load")
def register_widget(world: World, told: Told) -> None:
    assert world.extension("widgets", id="session-stats") == {
        "id": "session-stats",
        "title": "Session Statistics",
        "component": "./components/SessionStats.jsx",
        "position": "top",
        "width": "full",
        "icon": "bar-chart",
    }


@case("addMenuItem()", "load")
def add_menu_item(world: World, told: Told) -> None:
    assert world.extension("menuItems", path="/analytics") == {
        "label": "Session Analytics",
        "path": "/analytics",
        "component": "./pages/Analytics.jsx",
        "icon": "chart-line",
        "position": 5,
    }


@case("registerSettingsPage()", "load")
def register_settings_page(world: World, told: Told) -> None:
    assert world.extension("settingsPages", id="my-plugin-settings") == {
        "id": "my-plugin-settings",
        "title": "Plugin Settings",
        "component": "./pages/Settings.jsx",
        "icon": "cog",
    }


def answer_dialogs(world: World) -> None:
    """Delete, says the administrator; then closes the second one."""

    def open_dialog(title: str) -> Any:
        return next((one for one in world.api.get("/dialogs") if one["title"] == title), None)

    question = eventually(lambda: open_dialog("Delete Session"), 15, "nobody asks")
    assert [button["label"] for button in question["buttons"]] == ["Cancel", "Delete"]
    world.api.post(f"/dialogs/{question['id']}/answer", {"value": True})
    notice = eventually(lambda: open_dialog("Success"), 15, "nobody says that it is done")
    world.api.post(f"/dialogs/{notice['id']}/answer", {"value": True})


@case("showDialog()", given=World.session, meanwhile=answer_dialogs)
def show_dialog(world: World, told: Told) -> None:
    assert told["confirmed"] is True
    assert not world.has_session(SESSION)


@case("register()", "load")
def register_command(world: World, told: Told) -> None:
    (command,) = (one for one in world.api.get("/commands") if one["name"] == "sync-templates")
    assert (command["plugin"], command["permissions"]) == (world.slug, ["admin"])
    assert command["description"] == "Sync templates from external source"
    # It was executed when the plugin was loaded.
    assert world.api.get("/templates/external-1")["displayName"] == "External 1"
    world.logged("Synced 2 templates")
    assert world.api.run("sync-templates") is None


@case("log(), info(), warn(), error()")
def logging(world: World, told: Told) -> None:
    assert world.logged("Plugin initialized")["data"]["version"] == "1.0.0"
    warning = world.logged("High memory usage detected")
    assert (warning["level"], warning["data"]) == ("warn", {"usage": "85%", "threshold": "80%"})
    failure = world.logged("Failed to sync data")
    assert (failure["level"], failure["data"]["error"]) == ("error", "sync failed")
    assert "sync failed" in failure["data"]["stack"]


@case("this.manifest")
def manifest(world: World, told: Told) -> None:
    world.logged("my-plugin")
    world.logs_with("read:sessions")


# Lifecycle and events: see test_document_examples.py, which brings them about.


@case("onLoad()", "module")
def on_load(world: World, told: Told) -> None:
    assert world.stored["connected-with"] == "key-1"
    widget = world.extension("widgets", id="my-widget")
    assert (widget["position"], widget["width"]) == ("top", "full")
    world.logged("Plugin loaded successfully")


@case("onUnload()", "module")
def on_unload(world: World, told: Told) -> None:
    assert world.stored["closed"] is True
    world.logged("Plugin unloaded")


@case("this.config", "module")
def config(world: World, told: Told) -> None:
    world.logged("API Key: key-1")
    world.logs_with("Enabled: ")


@case("onSessionCreated()", "hook")
def on_session_created(world: World, told: Told) -> None:
    arrived = eventually(lambda: world.told("Session Created", "john"), 30, "john was not told")
    assert arrived["message"] == "Your vscode session is starting..."
    world.logged(f"Session created: {told['id']}")


@case("onUserCreated()", "hook")
def on_user_created(world: World, told: Told) -> None:
    (mail,) = eventually(lambda: world.new_mails("jane@example.com"), 30, "jane got no mail")
    assert mail["Subject"] == "Welcome to StreamSpace"
    assert "Welcome to StreamSpace, Jane Smith" in mail["BodyText"]


@case("onUserLogin()", "hook")
def on_user_login(world: World, told: Told) -> None:
    at = eventually(lambda: world.stored.get("last-login:john"), 30, "the login was not tracked")
    assert at > 1_700_000_000_000
    arrived = eventually(lambda: world.told("Welcome Back", "john"), 30, "john was not welcomed")
    assert (arrived["message"], arrived["timeout"]) == ("Welcome back, John Doe!", 3000)


@case("Standard Errors", "hook")
def standard_errors(world: World, told: Told) -> None:
    assert world.logged("User not found: nobody")["level"] == "error"


@case("Error Logging", "hook")
def error_logging(world: World, told: Told) -> None:
    line = world.logged("Failed to process session")
    assert (line["level"], line["data"]["error"], line["data"]["sessionId"]) == ("error", "no room for it", told["id"])
    assert "no room for it" in line["data"]["stack"]
    arrived = eventually(lambda: world.told("Plugin Error"), 30, "the administrators were not told")
    assert (arrived["type"], arrived["message"]) == ("error", "Failed to process session: no room for it")


def run(world: World, tried: Case, command: str) -> Told:
    """What the example declared, while somebody does ``meanwhile``."""
    tried.given(world)
    if tried.meanwhile is None:
        return world.api.run(command) or {}
    faults: list[Exception] = []

    def act() -> None:
        try:
            tried.meanwhile(world)  # type: ignore[misc]
        except Exception as fault:  # noqa: BLE001 - shown where it belongs
            faults.append(fault)

    person = threading.Thread(target=act)
    person.start()
    try:
        return world.api.run(command) or {}
    finally:
        person.join()
        assert not faults, faults
