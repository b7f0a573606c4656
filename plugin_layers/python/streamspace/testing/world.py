"""What there is on the in-memory platform, and how it changes: people, templates, sessions, and the plugin's own things.

Each change queues the event that the real platform would tell. Objects are the plugin API's own.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from . import amounts, rules
from .contract import CONTRACT, Refusal

Object = dict[str, Any]

_TRANSITIONS = {(before, after): event for before, after, event in CONTRACT["transitions"]}


class Clock:
    """The platform's clock: the machine's, and what it was moved by. It times what the platform writes down, not the plugin's own."""

    def __init__(self) -> None:
        self._moved_by = timedelta(0)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self._moved_by

    def advance(self, duration: str) -> None:
        """``advance("1h30m")``."""
        self._moved_by += timedelta(seconds=amounts.duration(duration))

    def text(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    def __init__(self, *, sends_email: bool = True, email_templates: Iterable[str] = ()) -> None:
        self.clock = Clock()
        self.users: dict[str, Object] = {}
        self.roles: dict[str, str] = {}
        self.sessions: dict[str, Object] = {}
        self.templates: dict[str, Object] = {}
        self.storage: dict[str, Any] = {}
        self.notifications: list[Object] = []
        self.emails: list[Object] = []
        self.events: list[Object] = []
        self.queue: list[Object] = []
        self.sends_email = sends_email
        self.email_templates = sorted({*email_templates, *CONTRACT["emailTemplates"]})
        self.sender = "streamspace@example.com"
        self.is_full = False
        self._starting: list[str] = []
        self._own_quotas: dict[str, Object] = {}
        self._last_event_id = int(self.clock.now.timestamp() * 1000)
        self._sequences: dict[str, int] = {}

    # ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, event_type: str, data: Mapping[str, Any]) -> Object:
        """Queue an event, as the platform would at this moment."""
        kind = event_type.partition(".")[0]
        aggregate = f"{kind}#{data['username' if kind == 'user' else 'id']}"
        self._last_event_id += 1
        self._sequences[aggregate] = self._sequences.get(aggregate, 0) + 1
        event = {
            "id": self._last_event_id,
            "type": event_type,
            "aggregate": aggregate,
            "sequence": self._sequences[aggregate],
            "time": self.clock.text(),
            "data": deepcopy(dict(data)),
        }
        self.events.append(event)
        self.queue.append(event)
        return event

    def start_sessions(self) -> None:
        """Pods become ready: sessions that wait for theirs get ``url`` and ``podName``, and the first time their event."""
        waiting, self._starting = self._starting, []
        for session_id in waiting:
            session = self.sessions.get(session_id)
            if session is None or session["state"] != "running":
                continue
            is_first = "podName" not in session
            session |= {"url": f"https://{session_id}.streamspace.local", "podName": f"ss-{session_id}"}
            if is_first:
                self.tell("session.started", session)

    # ── Users ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def user(self, username: str) -> Object:
        if username not in self.users:
            raise Refusal("USER_NOT_FOUND", f"There is no user '{username}'", {"username": username})
        return self.users[username]

    def create_user(self, given: Mapping[str, Any]) -> Object:
        rules.check_user(given)
        username = given["username"]
        if username in self.users:
            raise Refusal("USER_ALREADY_EXISTS", f"The username '{username}' is taken", {"username": username})
        self.roles[username] = given.get("role", "user")
        self._own_quotas[username] = dict(given.get("quotas") or {})
        now, tier = self.clock.text(), given.get("tier", "free")
        self.users[username] = {
            "username": username,
            "fullName": given["fullName"],
            "email": given["email"],
            "tier": tier,
            "quotas": {**CONTRACT["tiers"][tier], **self._own_quotas[username]},
            "createdAt": now,
            "updatedAt": now,
        }
        self.tell("user.created", self.users[username])
        return self.users[username]

    def update_user(self, username: str, changes: Mapping[str, Any]) -> Object:
        rules.check_user(changes)
        user = self.user(username)
        own = {**self._own_quotas[username], **(changes.get("quotas") or {})}
        self._own_quotas[username] = own = {name: value for name, value in own.items() if value is not None}
        user |= {name: changes[name] for name in ("fullName", "email", "tier") if name in changes}
        user |= {"quotas": {**CONTRACT["tiers"][user["tier"]], **own}, "updatedAt": self.clock.text()}
        self.roles[username] = changes.get("role", self.roles[username])
        self.tell("user.updated", user)
        return user

    def delete_user(self, username: str, *, delete_sessions: bool, delete_storage: bool) -> None:
        if delete_storage and not delete_sessions:
            rule = "A home can go only together with the sessions that use it: set deleteSessions as well"
            raise Refusal("VALIDATION_ERROR", details={"deleteStorage": [rule]})
        user = self.user(username)
        for session in self.sessions_of(username) if delete_sessions else []:
            self.delete_session(session["id"])
        self.notifications = [one for one in self.notifications if one["to"] != username]
        del self.users[username], self.roles[username]
        self.tell("user.deleted", user)

    # ── Templates ───────────────────────────────────────────────────────────────────────────────────────────────────

    def template(self, name: str) -> Object:
        if name not in self.templates:
            raise Refusal("TEMPLATE_NOT_FOUND", f"There is no template '{name}'", {"template": name})
        return self.templates[name]

    def create_template(self, given: Mapping[str, Any]) -> Object:
        rules.check_template(given)
        name = given["name"]
        if name in self.templates:
            raise Refusal("TEMPLATE_ALREADY_EXISTS", f"There is already a template '{name}'", {"template": name})
        self.templates[name] = self._template(given)
        return self.templates[name]

    def _template(self, given: Mapping[str, Any]) -> Object:
        kept = ("name", "displayName", "description", "category", "baseImage", "defaultResources")
        shown = {
            **{name: given[name] for name in kept},
            "ports": [{"protocol": "TCP", **port} for port in given["ports"]],
            "env": list(given.get("env") or ()),
            "capabilities": list(given.get("capabilities") or ()),
            "tags": list(given.get("tags") or ()),
            "createdAt": self.clock.text(),
            "updatedAt": self.clock.text(),
        }
        return {**shown, "icon": given["icon"]} if given.get("icon") else shown

    # ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def session(self, session_id: str) -> Object:
        if session_id not in self.sessions:
            raise Refusal("SESSION_NOT_FOUND", f"There is no session '{session_id}'", {"session": session_id})
        return self.sessions[session_id]

    def sessions_of(self, username: str) -> list[Object]:
        return [session for session in self.sessions.values() if session["user"] == username]

    def create_session(self, given: Mapping[str, Any]) -> Object:
        rules.check_session(given)
        user, template = self.user(given["user"]), self.template(given["template"])
        resources = {**template["defaultResources"], **{name: text for name, text in (given.get("resources") or {}).items() if text}}
        state = given.get("state") or "running"
        self._check_duration(user, given.get("maxSessionDuration"))
        if state == "running":
            self._require_room(resources)
        self._require_quota(user["username"], resources["memory"] if state == "running" else "0", new=1)
        session_id = rules.session_id(user["username"], template["name"])
        if session_id in self.sessions:
            session_id = f"{session_id[:57].rstrip('-')}-{secrets.token_hex(3)[:5]}"
        now = self.clock.text()
        self.sessions[session_id] = session = {
            "id": session_id,
            "name": session_id,
            "user": user["username"],
            "template": template["name"],
            "state": state,
            "resources": {"memory": resources["memory"], "cpu": resources["cpu"]},
            "persistentHome": bool(given.get("persistentHome", True)),
            "idleTimeout": given.get("idleTimeout") or "30m",
            "createdAt": now,
            "updatedAt": now,
        }
        self.tell("session.created", session)
        self._starting.append(session_id)
        return session

    def update_session(self, session_id: str, updates: Mapping[str, Any]) -> Object:
        rules.check_session_update(updates)
        session = self.session(session_id)
        wanted = updates.get("state") or session["state"]
        event = self._transition(session["state"], wanted)
        given = {name: text for name, text in (updates.get("resources") or {}).items() if text}
        resources = {**session["resources"], **given}
        before = session["resources"]["memory"] if session["state"] == "running" else "0"
        after = resources["memory"] if wanted == "running" else "0"
        if amounts.memory(after) > amounts.memory(before):
            self._require_room(resources)
            self._require_quota(session["user"], after, before=before)
        changed = {"state": wanted, "resources": resources, "idleTimeout": updates.get("idleTimeout") or session["idleTimeout"]}
        if {**session, **changed} == session and "labels" not in updates:
            return session
        session |= {**changed, "updatedAt": self.clock.text()}
        if event is not None:
            session.pop("url", None)
            self.tell(event, session)
            self._starting.append(session_id)
        return session

    def delete_session(self, session_id: str) -> None:
        session = self.session(session_id)
        now = self.clock.text()
        if session["state"] != "terminated":
            session |= {"state": "terminated", "updatedAt": now}
            session.pop("url", None)
            self.tell("session.stopped", session)
        del self.sessions[session_id]
        self.tell("session.deleted", session)

    def _transition(self, before: str, after: str) -> str | None:
        if before == after:
            return None
        if (before, after) in _TRANSITIONS:
            return str(_TRANSITIONS[before, after])
        allowed = [to for start, to in _TRANSITIONS if start == before]
        way = f"from there it can only become {' or '.join(allowed)}" if allowed else "that state is final"
        sentence = f"The session is {before} and cannot become {after}: {way}"
        raise Refusal("INVALID_STATE_TRANSITION", sentence, {"from": before, "to": after, "allowed": allowed})

    def _require_room(self, resources: Mapping[str, str]) -> None:
        if self.is_full:
            asked = f"{resources['memory']} memory and {resources['cpu']} CPU"
            sentence = f"The cluster has no room for {asked} at the moment; ask for less, or try again shortly"
            raise Refusal("INSUFFICIENT_RESOURCES", sentence, {"retry_after_s": 30})

    def _require_quota(self, username: str, memory: str, *, before: str = "0", new: int = 0) -> None:
        quotas, own = self.users[username]["quotas"], self.sessions_of(username)
        living = [session for session in own if session["state"] != "terminated"]
        allowed = quotas["maxSessions"]
        if new and len(living) + new > allowed:
            sentence = f"{username} has {len(living)} of {allowed} sessions; delete one first"
            raise Refusal("QUOTA_EXCEEDED", sentence, {"quota": "sessions", "used": len(living), "allowed": allowed, "requested": new})
        used = sum(amounts.memory(session["resources"]["memory"]) for session in living if session["state"] == "running")
        asked, limit = amounts.memory(memory) - amounts.memory(before), amounts.memory(quotas["memory"])
        if asked > 0 and used + asked > limit:
            sentence = (
                f"{username}'s running sessions use {amounts.shown(used)} of {amounts.shown(limit)} memory, and this asks for "
                f"{amounts.shown(asked)}; hibernate a session, or ask for less"
            )
            raise Refusal("QUOTA_EXCEEDED", sentence, {"quota": "memory", "used": used, "allowed": limit, "requested": asked})

    def _check_duration(self, user: Object, wanted: str | None) -> None:
        allowed = user["quotas"]["maxSessionDuration"]
        if wanted is not None and amounts.duration(wanted) > amounts.duration(allowed):
            sentence = f"{user['username']}'s sessions may last {allowed}, and this asks for {wanted}"
            details = {"quota": "maxSessionDuration", "used": None, "allowed": allowed, "requested": wanted}
            raise Refusal("QUOTA_EXCEEDED", sentence, details)

    # ── The plugin's own ────────────────────────────────────────────────────────────────────────────────────────────

    def notify(self, given: Mapping[str, Any], sender: str) -> Object:
        if given["to"] not in ("*", "@admins"):
            self.user(given["to"])
        defaults = {"type": "info", "actions": [], "dismissible": True, "timeout": 5000, "persistent": True}
        about = {"id": f"ntf_{len(self.notifications) + 1}", "sender": sender, "createdAt": self.clock.text()}
        self.notifications.append({**defaults, **given, **about})
        return self.notifications[-1]

    def send_email(self, email: Object) -> str:
        if not self.sends_email:
            raise Refusal("EMAIL_NOT_CONFIGURED")
        rules.check_email(email, self.email_templates)
        self.emails.append(email)
        return f"message-{len(self.emails)}"

    def put(self, key: str, value: Any) -> None:
        _check_key(key)
        size, limit = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()), CONTRACT["storage"]["largestValueBytes"]
        if size > limit:
            sentence = f"The value has {size} bytes; at most {limit} can be stored"
            raise Refusal("VALUE_TOO_LARGE", sentence, {"size_bytes": size, "limit_bytes": limit})
        self.storage[key] = deepcopy(value)

    def get(self, key: str) -> Any:
        _check_key(key)
        return deepcopy(self.storage.get(key))


def _check_key(key: str) -> None:
    longest = CONTRACT["storage"]["longestKeyBytes"]
    if not 0 < len(key.encode()) <= longest:
        raise Refusal("VALIDATION_ERROR", details={"key": [f"A key has between 1 and {longest} bytes"]})


def page(objects: list[Object], query: Mapping[str, Any], keep: Callable[[Object], bool]) -> list[Object]:
    found = [one for one in objects if keep(one)]
    offset = query["offset"] or 0
    return found[offset : offset + query["limit"]]
