"""The types of events. Those that plugins can hook are the eleven of the plugin API; the rest tell of plugins."""

SESSION_EVENTS = (
    "session.created",
    "session.started",
    "session.stopped",
    "session.hibernated",
    "session.woken",
    "session.deleted",
)
USER_EVENTS = ("user.created", "user.updated", "user.deleted", "user.login", "user.logout")
PLUGIN_EVENTS = (
    "plugin.installed",
    "plugin.activated",
    "plugin.deactivated",
    "plugin.updated",
    "plugin.settings_changed",
    "plugin.limits_changed",
    "plugin.update_policy_changed",
    "plugin.failed",
    "plugin.loop_stopped",
    "plugin.license_activated",
    "plugin.license_renewed",
    "plugin.license_expiring",
    "plugin.license_ended",
    "plugin.license_deactivated",
    "plugin.uninstalled",
)
# A wish, not a fact about a plugin's subject: the session worker is told to look at the cluster again.
SESSION_CHANGED = "session.changed"
