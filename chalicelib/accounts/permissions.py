"""Who may do what: roles have permissions (what a person may do), tokens have scopes (what a program may call)."""

from collections.abc import Set as AbstractSet

ROLES = ("admin", "manager", "user")

SCOPES = frozenset(
    {
        "read:sessions",
        "write:sessions",
        "read:users",
        "write:users",
        "read:templates",
        "write:templates",
        "notifications",
        "email",
        "storage",
        "ui",
        "commands",
        "admin",
        "network",
    }
)

# What everybody may do needs no permission: see and drive one's own sessions, see templates, read one's own notifications.
_MANAGER = frozenset(
    {
        "sessions.view",
        "sessions.manage",
        "users.view",
        "templates.manage",
        "notifications.send",
        "plugins.view",
        "plugins.marketplace",
        "plugins.events",
    }
)
_ADMIN = _MANAGER | {
    "users.manage",
    # Into somebody else's session, as a browser: a manager sees and stops sessions, but not what is on their screen.
    "sessions.visit",
    "email.send",
    "plugins.configure",
    "plugins.activate",
    "plugins.install",
    "plugins.update",
    "plugins.uninstall",
    "plugins.license",
    "webhooks.manage",
    "platform.view",
    "platform.configure",
}
OF_ROLE: dict[str, AbstractSet[str]] = {"admin": _ADMIN, "manager": _MANAGER, "user": frozenset()}
