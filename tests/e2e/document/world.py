"""The world that the reference's examples take for granted, made so again before each of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.aws import Account
from tests.e2e.client import Api, Refused, eventually

PASSWORD = "a-password-of-the-examples"

# The examples' people.
PEOPLE: dict[str, dict[str, Any]] = {
    "john": {"fullName": "John Doe", "email": "john@example.com", "tier": "pro"},
    "jane": {"fullName": "Jane Smith", "email": "jane@example.com", "tier": "pro"},
    "user1": {"fullName": "User One", "email": "user1@example.com", "tier": "free", "quotas": {"maxSessions": 40, "memory": "64Gi"}},
}
# 'user1-firefox' is the session of user1 from the template 'firefox'.
SESSION = "user1-firefox"
_FIREFOX = {
    "name": "firefox",
    "displayName": "Firefox",
    "description": "What the session user1-firefox is started from",
    "category": "Examples",
    "baseImage": "lscr.io/linuxserver/firefox:latest",
    "defaultResources": {"memory": "1Gi", "cpu": "500m"},
    "ports": [{"name": "vnc", "containerPort": 3000}],
}


@dataclass
class World:
    """``api`` is the administrator; ``slug`` the plugin that runs the examples at the moment."""

    api: Api
    account: Account
    slug: str = ""
    _old_mails: dict[str, int] = field(default_factory=dict)

    def person(self, username: str) -> dict[str, Any]:
        """There is such a user, as PEOPLE says."""
        wanted = PEOPLE[username]
        try:
            user = self.api.get(f"/users/{username}")
        except Refused:
            return self.api.post("/users", {"username": username, "password": PASSWORD, **wanted})
        is_as_wanted = all(user[key] == value for key, value in wanted.items() if key != "quotas")
        no_quotas = dict.fromkeys(("memory", "maxSessions", "storage", "maxSessionDuration"))
        changes = {**wanted, "quotas": {**no_quotas, **wanted.get("quotas", {})}}
        return user if is_as_wanted and "quotas" in wanted else self.api.patch(f"/users/{username}", changes)

    def nobody(self, username: str) -> None:
        with suppress(Refused):
            self.api.delete(f"/users/{username}", deleteSessions="true", deleteStorage="true")

    def template(self) -> None:
        with suppress(Refused):
            self.api.post("/templates", _FIREFOX)

    def no_template(self, name: str) -> None:
        with suppress(Refused):
            self.api.delete(f"/templates/{name}")

    def session(self, *, ready: bool = False) -> dict[str, Any]:
        """The examples' session runs."""
        self.person("user1")
        self.template()
        try:
            found = self.api.session(SESSION)
        except Refused:
            # The id is free again when the last session's pod is gone.
            found = eventually(self._made_session, 60, f"the id {SESSION} does not become free")
        if found["state"] != "running":
            found = self.api.become(SESSION, "running")
        return self.api.running(SESSION) if ready else found

    def _made_session(self) -> dict[str, Any] | None:
        made = self.api.post("/sessions", {"user": "user1", "template": "firefox", "maxSessionDuration": "2h"})
        if made["id"] == SESSION:
            return made
        self.api.delete(f"/sessions/{made['id']}")
        return None

    def no_sessions_of(self, username: str) -> None:
        for one in self.api.get("/sessions", user=username, limit=1000):
            self.api.delete(f"/sessions/{one['id']}")

    def has_user(self, username: str) -> bool:
        try:
            return bool(self.api.get(f"/users/{username}"))
        except Refused as refused:
            if refused.code != "USER_NOT_FOUND":
                raise
            return False

    def has_session(self, session_id: str) -> bool:
        try:
            return bool(self.api.session(session_id))
        except Refused as refused:
            if refused.code != "SESSION_NOT_FOUND":
                raise
            return False

    def as_person(self, username: str) -> Api:
        return self.api.log_in(username, PASSWORD)

    def inbox(self, username: str | None = None) -> list[dict[str, Any]]:
        """A person's notifications, newest first; the administrator's by default."""
        reader = self.api if username is None else self.as_person(username)
        return reader.get("/notifications", limit=200)

    def told(self, title: str, username: str | None = None) -> dict[str, Any] | None:
        """The newest notification of that title."""
        return next((one for one in self.inbox(username) if one["title"] == title), None)

    def open_mailboxes(self) -> None:
        """From now on mails are new."""
        self._old_mails = {one["email"]: len(self.account.mails_to(one["email"])) for one in PEOPLE.values()}

    def new_mails(self, address: str) -> list[dict[str, Any]]:
        """In the order in which they came."""
        return self.account.mails_to(address)[self._old_mails[address] :]

    @property
    def stored(self) -> dict[str, Any]:
        """The plugin's storage."""
        return self.account.stored_by(self.slug)

    def keep(self, **values: Any) -> None:
        """Put that into the plugin's storage."""
        self.api.run("keep", **values)

    def lines(self, message: str) -> list[dict[str, Any]]:
        """What the plugin logged with that message."""
        return [line for line in self._log() if line["message"] == message]

    def logged(self, message: str) -> dict[str, Any]:
        """The newest line with that message, once there is one."""
        return eventually(lambda: self.lines(message), 20, f"'{message}' was not logged")[-1]

    def logs_with(self, words: str) -> None:
        """The plugin logs a line with these words."""
        eventually(lambda: any(words in line["message"] for line in self._log()), 20, f"no line with '{words}' was logged")

    def _log(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {}
        while True:
            answer = self.api.ask("GET", f"/admin/plugins/{self.slug}/logs", **query).json
            found += answer["data"]
            cursor = answer["meta"].get("next_cursor")
            if not cursor:
                return found
            query = {"cursor": cursor}

    def extension(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The plugin's only widget, menu item or settings page with these values."""
        (found,) = (one for one in self.api.get("/ui/extensions")[kind] if one["plugin"] == self.slug and fields.items() <= one.items())
        return {key: value for key, value in found.items() if key != "plugin"}

    def clear(self) -> None:
        """Nothing is left of the examples."""
        for username in PEOPLE:
            self.nobody(username)
        for name in ("firefox", "my-app", "external-1", "external-2"):
            self.no_template(name)
