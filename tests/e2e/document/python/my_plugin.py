"""The reference's examples of calls, as one writes them in Python: one function for each example, under the heading it stands under."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import streamspace

Told = dict[str, Any]
Example = Callable[["Plugin"], Awaitable[Told]]
Registration = Callable[["Plugin"], Awaitable[None]]

EXAMPLES: dict[str, list[Example]] = {}
REGISTRATIONS: dict[str, Registration] = {}

# What the examples call without defining it.
session_id = "user1-firefox"
log_content = "a line of the log\n"
error = RuntimeError("sync failed")


async def fetch_external_templates() -> list[dict[str, Any]]:
    known = [template["name"] for template in await streamspace.api.get_templates(limit=1000)]
    return [
        {
            "name": f"external-{number}",
            "display_name": f"External {number}",
            "description": "From outside",
            "category": "Examples",
            "base_image": "registry.example.com/external:1",
            "default_resources": {"memory": "1Gi", "cpu": "500m"},
            "ports": [{"name": "vnc", "containerPort": 3000}],
        }
        for number in (1, 2)
        if f"external-{number}" not in known
    ]


def example(heading: str) -> Callable[[Example], Example]:
    def declare(function: Example) -> Example:
        EXAMPLES.setdefault(heading, []).append(function)
        return function

    return declare


def registration(heading: str) -> Callable[[Registration], None]:
    def declare(function: Registration) -> None:
        REGISTRATIONS[heading] = function

    return declare


class Plugin:
    config: dict[str, Any]
    manifest: dict[str, Any]

    async def on_load(self) -> None:
        for register in REGISTRATIONS.values():
            await register(self)
        for heading, functions in EXAMPLES.items():
            for position, function in enumerate(functions):
                name = f"{_slug(heading)}-{position}"
                streamspace.commands.register(name=name, description="An example of the reference", handler=self.running(function))
        streamspace.commands.register(name="keep", description="Puts its arguments into the storage", handler=self.keep)

    def running(self, function: Example) -> Callable[[Any], Awaitable[Told]]:
        return lambda args: function(self)

    async def keep(self, values: dict[str, Any]) -> None:
        for key, value in values.items():
            await streamspace.storage.set(key, value)


def _slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", heading).lower()).strip("-")


@example("Version Information")
async def version(self: Plugin) -> Told:
    # Get StreamSpace version
    version = streamspace.version  # "1.0.0"

    # Check if API is available
    if hasattr(streamspace.api, "get_sessions"):
        ...  # Safe to use
    return {"version": version}


@example("Platform Configuration")
async def platform_configuration(self: Plugin) -> Told:
    # Access platform configuration
    config = streamspace.config

    print(config.namespace)  # "streamspace"
    print(config.ingress_domain)  # "streamspace.local"
    print(config.hibernation_enabled)  # True
    return {"config": config}


@example("getSessions()")
async def get_sessions(self: Plugin) -> Told:
    # Get all sessions
    sessions = await streamspace.api.get_sessions()

    # Get user's sessions
    user_sessions = await streamspace.api.get_sessions(user="john")

    # Get running sessions
    running_sessions = await streamspace.api.get_sessions(state="running")

    # Paginated results
    page2 = await streamspace.api.get_sessions(limit=20, offset=20)
    return {"sessions": sessions, "userSessions": user_sessions, "runningSessions": running_sessions, "page2": page2}


@example("getSession()")
async def get_session(self: Plugin) -> Told:
    session = await streamspace.api.get_session("user1-firefox")

    print(session["state"])  # "running"
    print(session.get("url"))  # "https://user1-firefox.streamspace.local"
    print(session.get("lastActivity"))  # "2025-11-14T10:30:00Z"
    return {"session": session}


@example("createSession()")
async def create_session(self: Plugin) -> Told:
    # Basic session
    session = await streamspace.api.create_session(user="john", template="firefox-browser")
    return {"session": session}


@example("createSession()")
async def create_session_with_resources(self: Plugin) -> Told:
    # Custom resources
    session = await streamspace.api.create_session(
        user="john",
        template="vscode",
        resources={"memory": "4Gi", "cpu": "2000m"},
        idle_timeout="1h",
    )
    return {"session": session}


@example("createSession()")
async def create_session_with_environment(self: Plugin) -> Told:
    # With environment variables
    session = await streamspace.api.create_session(
        user="john",
        template="jupyter",
        env={"JUPYTER_TOKEN": "secret-token", "CUSTOM_VAR": "value"},
    )
    return {"session": session}


@example("updateSession()")
async def update_session(self: Plugin) -> Told:
    # Hibernate session
    await streamspace.api.update_session("user1-firefox", state="hibernated")

    # Wake session
    await streamspace.api.update_session("user1-firefox", state="running")

    # Update resources
    await streamspace.api.update_session("user1-firefox", resources={"memory": "4Gi"})

    # Update idle timeout
    await streamspace.api.update_session("user1-firefox", idle_timeout="2h")
    return {}


@example("deleteSession()")
async def delete_session(self: Plugin) -> Told:
    await streamspace.api.delete_session("user1-firefox")
    return {}


@example("getUserSessions()")
async def get_user_sessions(self: Plugin) -> Told:
    sessions = await streamspace.api.get_user_sessions("john")

    print(f"{len(sessions)} sessions for john")
    return {"sessions": sessions}


@example("getUsers()")
async def get_users(self: Plugin) -> Told:
    # Get all users
    users = await streamspace.api.get_users()

    # Get pro users
    pro_users = await streamspace.api.get_users(tier="pro")
    return {"users": users, "proUsers": pro_users}


@example("getUser()")
async def get_user(self: Plugin) -> Told:
    user = await streamspace.api.get_user("john")

    print(user["fullName"])  # "John Doe"
    print(user["tier"])  # "pro"
    print(user["quotas"])  # {"memory": "16Gi", "maxSessions": 5, ...}
    return {"user": user}


@example("createUser()")
async def create_user(self: Plugin) -> Told:
    user = await streamspace.api.create_user(
        username="jane",
        full_name="Jane Smith",
        email="jane@example.com",
        tier="pro",
        quotas={"memory": "32Gi", "maxSessions": 10, "storage": "200Gi", "maxSessionDuration": "12h"},
    )
    return {"user": user}


@example("updateUser()")
async def update_user(self: Plugin) -> Told:
    # Upgrade tier
    await streamspace.api.update_user("john", tier="enterprise", quotas={"memory": "64Gi", "maxSessions": 20})

    # Update email
    await streamspace.api.update_user("john", email="john.new@example.com")
    return {}


@example("deleteUser()")
async def delete_user(self: Plugin) -> Told:
    # Delete user and sessions
    await streamspace.api.delete_user("john")
    return {}


@example("deleteUser()")
async def delete_user_with_storage(self: Plugin) -> Told:
    # Delete user, sessions, and storage
    await streamspace.api.delete_user("john", delete_sessions=True, delete_storage=True)
    return {}


@example("getTemplates()")
async def get_templates(self: Plugin) -> Told:
    # Get all templates
    templates = await streamspace.api.get_templates()

    # Filter by category
    browsers = await streamspace.api.get_templates(category="Web Browsers")

    # Filter by tag
    dev_tools = await streamspace.api.get_templates(tag="development")
    return {"templates": templates, "browsers": browsers, "devTools": dev_tools}


@example("getTemplate()")
async def get_template(self: Plugin) -> Told:
    template = await streamspace.api.get_template("firefox-browser")

    print(template["displayName"])  # "Firefox Web Browser"
    print(template["defaultResources"])  # {"memory": "2Gi", "cpu": "1000m"}
    print(template["capabilities"])  # ["Network", "Audio", "Clipboard"]
    return {"template": template}


@example("createTemplate()")
async def create_template(self: Plugin) -> Told:
    template = await streamspace.api.create_template(
        name="my-app",
        display_name="My Custom App",
        description="A custom application",
        category="Custom",
        base_image="myregistry/myapp:latest",
        default_resources={"memory": "4Gi", "cpu": "2000m"},
        ports=[{"name": "vnc", "containerPort": 5900, "protocol": "TCP"}],
        capabilities=["Network"],
        tags=["custom", "productivity"],
    )
    return {"template": template}


@example("notify()")
async def notify(self: Plugin) -> Told:
    # Basic notification
    await streamspace.notify("john", title="Session Ready", message="Your Firefox session is ready to use!", type="success")

    # With actions
    await streamspace.notify(
        "john",
        title="Update Available",
        message="A new version of the template is available",
        type="info",
        actions=[
            {"label": "Update Now", "url": "/sessions/update"},
            {"label": "Remind Later", "handler": lambda: None},  # Schedule reminder
        ],
    )

    # Auto-dismiss
    await streamspace.notify(
        "john", title="Session Created", message="Your session is starting...", type="info", timeout=3000, dismissible=False
    )

    # Persistent notification
    await streamspace.notify(
        "john",
        title="Important Update",
        message="Scheduled maintenance in 1 hour",
        type="warning",
        persistent=True,
        dismissible=True,
    )
    return {}


@example("notifyAll()")
async def notify_all(self: Plugin) -> Told:
    # System-wide notification
    await streamspace.notify_all(
        title="System Maintenance",
        message="StreamSpace will be unavailable from 2-4 AM",
        type="warning",
        persistent=True,
    )
    return {}


@example("notifyAdmins()")
async def notify_admins(self: Plugin) -> Told:
    await streamspace.notify_admins(
        title="High Resource Usage",
        message="Cluster memory usage is at 85%",
        type="warning",
        actions=[{"label": "View Metrics", "url": "/admin/metrics"}],
    )
    return {}


@example("send()")
async def send(self: Plugin) -> Told:
    # Using template
    await streamspace.email.send(
        to="john@example.com",
        subject="Welcome to StreamSpace",
        template="welcome",
        data={"username": "john", "loginUrl": "https://streamspace.local/login"},
    )

    # Raw HTML
    await streamspace.email.send(
        to=["john@example.com", "jane@example.com"],
        subject="Session Report",
        html="<h1>Your Session Report</h1><p>...</p>",
        text="Your Session Report\n...",
    )

    # With attachments
    await streamspace.email.send(
        to="john@example.com",
        subject="Session Logs",
        template="session-logs",
        data={"sessionId": "user1-firefox"},
        attachments=[{"filename": "session.log", "content": log_content, "contentType": "text/plain"}],
    )
    return {}


@example("get()")
async def storage_get(self: Plugin) -> Told:
    data = await streamspace.storage.get("my-plugin-config")

    if data:
        print("Config loaded:", data)
    else:
        print("No config found")
    return {"data": data}


@example("set()")
async def storage_set(self: Plugin) -> Told:
    await streamspace.storage.set(
        "my-plugin-config",
        {
            "lastSync": int(time.time() * 1000),
            "stats": {"totalSessions": 42, "activeUsers": 10},
        },
    )
    return {}


@example("delete()")
async def storage_delete(self: Plugin) -> Told:
    await streamspace.storage.delete("my-plugin-cache")
    return {}


@example("keys()")
async def storage_keys(self: Plugin) -> Told:
    # All keys
    all_keys = await streamspace.storage.keys()

    # Keys with prefix
    config_keys = await streamspace.storage.keys("config-")
    # Returns: ["config-app", "config-database", ...]
    return {"allKeys": all_keys, "configKeys": config_keys}


@example("clear()")
async def storage_clear(self: Plugin) -> Told:
    # Clear all plugin storage
    await streamspace.storage.clear()
    return {}


@registration("registerWidget()")
async def register_widget(self: Plugin) -> None:
    streamspace.ui.register_widget(
        "session-stats",
        title="Session Statistics",
        component="./components/SessionStats.jsx",
        position="top",
        width="full",
        icon="bar-chart",
    )


@registration("addMenuItem()")
async def add_menu_item(self: Plugin) -> None:
    streamspace.ui.add_menu_item(
        label="Session Analytics",
        path="/analytics",
        component="./pages/Analytics.jsx",
        icon="chart-line",
        position=5,
    )


@registration("registerSettingsPage()")
async def register_settings_page(self: Plugin) -> None:
    streamspace.ui.register_settings_page(
        "my-plugin-settings",
        title="Plugin Settings",
        component="./pages/Settings.jsx",
        icon="cog",
    )


@example("showDialog()")
async def show_dialog(self: Plugin) -> Told:
    # Confirm dialog
    confirmed = await streamspace.ui.show_dialog(
        title="Delete Session",
        message="Are you sure you want to delete this session?",
        type="confirm",
        buttons=[
            {"label": "Cancel", "value": False},
            {"label": "Delete", "value": True, "color": "error"},
        ],
    )

    if confirmed:
        await streamspace.api.delete_session(session_id)

    # Info dialog
    await streamspace.ui.show_dialog(title="Success", message="Session created successfully!", type="info")
    return {"confirmed": confirmed}


@registration("register()")
async def register(self: Plugin) -> None:
    async def sync_templates(args: Any) -> None:
        print("Syncing templates...")

        templates = await fetch_external_templates()

        for template in templates:
            await streamspace.api.create_template(**template)

        print(f"Synced {len(templates)} templates")

    streamspace.commands.register(
        name="sync-templates",
        description="Sync templates from external source",
        handler=sync_templates,
        permissions=["admin"],
    )

    # Execute command
    await streamspace.commands.execute("sync-templates")


@example("log(), info(), warn(), error()")
async def logging(self: Plugin) -> Told:
    # Info log
    streamspace.log.info("Plugin initialized", {"version": "1.0.0", "config": self.config})

    # Warning log
    streamspace.log.warn("High memory usage detected", {"usage": "85%", "threshold": "80%"})

    # Error log
    streamspace.log.error("Failed to sync data", {"error": str(error), "stack": repr(error)})
    return {}


@example("this.manifest")
async def manifest(self: Plugin) -> Told:
    print(self.manifest["name"])  # "my-plugin"
    print(self.manifest["version"])  # "1.0.0"
    print(self.manifest["permissions"])  # ["read:sessions", ...]
    return {}
