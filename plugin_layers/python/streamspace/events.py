"""Which method of the plugin hears which event (plugin API, "Event Handlers")."""

HOOKS = {
    "session.created": "on_session_created",
    "session.started": "on_session_started",
    "session.stopped": "on_session_stopped",
    "session.hibernated": "on_session_hibernated",
    "session.woken": "on_session_woken",
    "session.deleted": "on_session_deleted",
    "user.created": "on_user_created",
    "user.updated": "on_user_updated",
    "user.deleted": "on_user_deleted",
    "user.login": "on_user_login",
    "user.logout": "on_user_logout",
}
