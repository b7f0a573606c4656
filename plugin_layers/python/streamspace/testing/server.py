"""The platform's API in memory: the SDK's requests come here instead of going over the network."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import rules
from .contract import CONTRACT, Refusal, route_of
from .schema import faults_of
from .tables import Tables, json_of
from .world import World, page

_UPLOADS = "/uploads/"


class Reply:
    """An HTTP answer, as the SDK's client reads one."""

    def __init__(self, status: int, envelope: Mapping[str, Any]) -> None:
        self.status = status
        self.headers: dict[str, str] = {}
        self.body = json.dumps(envelope).encode()


class Server:
    """Answers for one plugin. ``run_command(name, args)`` runs another plugin's command; ``answer(dialog)`` is a person's answer."""

    def __init__(
        self,
        world: World,
        slug: str,
        version: str,
        scopes: frozenset[str],
        tables: Tables,
        *,
        run_command: Callable[[str, Any], Any],
        answer: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        self.world, self.slug, self.version, self.scopes, self.tables = world, slug, version, scopes, tables
        self.settings: dict[str, Any] = {}
        self.settings_version = 1
        self.dead_letters: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self._run_command, self._answer = run_command, answer
        self._attempts: dict[str, int] = {}
        self._dialogs: dict[str, dict[str, Any]] = {}
        self._uploads: dict[str, bytes] = {}
        self._failing: list[Refusal] = []

    def fail_next(self, code: str, message: str | None = None, details: dict[str, Any] | None = None) -> None:
        self._failing.append(Refusal(code, message, details))

    def carry(self, method: str, target: str, headers: Mapping[str, str], payload: bytes | None) -> tuple[Reply, bytes]:
        """One request. Never raises: what goes wrong is an error's envelope."""
        try:
            status, data, meta = self._answered(method, target, payload)
            reply = Reply(status, {"success": True, "data": data, "meta": {"timestamp": self.world.clock.text(), **meta}})
        except Refusal as refused:
            error = {"code": refused.code, "message": refused.message, "details": refused.details}
            reply = Reply(refused.status, {"success": False, "error": error, "meta": {"request_id": "req_test"}})
            if "retry_after_s" in refused.details:
                reply.headers["retry-after"] = str(refused.details["retry_after_s"])
        return reply, reply.body

    def _answered(self, method: str, target: str, payload: bytes | None) -> tuple[int, Any, dict[str, Any]]:
        url = urlsplit(target)
        if url.path.startswith(_UPLOADS):
            self._uploads[url.path.removeprefix(_UPLOADS)] = payload or b""
            return 200, None, {}
        path = url.path.removeprefix("/api/v1/")
        self.requests.append(f"{method} {path}")
        if self._failing and not path.startswith("runtime/"):
            raise self._failing.pop(0)
        route, parameters = route_of(method, path)
        needed = route.get("scope") or (None if route.get("pluginOnly") else "admin")
        if needed is not None and needed not in self.scopes and "admin" not in self.scopes:
            raise Refusal("PERMISSION_DENIED", f"This needs the scope '{needed}', which the token does not have", {"scope": needed})
        query = _query(route, parse_qs(url.query, keep_blank_values=True))
        body = json.loads(payload) if payload else {}
        if payload is not None and len(payload) > route.get("bodyLimit", len(payload)):
            sentence = f"The body has {len(payload)} bytes; this route takes {route['bodyLimit']}"
            raise Refusal("PAYLOAD_TOO_LARGE", sentence, {"limit_bytes": route["bodyLimit"]})
        if "body" in route:
            rules.refuse(faults_of(route["body"], body))
        handler = _HANDLERS.get(f"{method} {route['path']}")
        if handler is None:
            raise Refusal("NOT_FOUND", f"The testing platform has no {method} {path}: plugins do not call it")
        answered = handler(self, *parameters, **({"query": query} if query else {}), **({"body": body} if "body" in route else {}))
        status, data, meta = answered if isinstance(answered, tuple) else (200, answered, {})
        return status, deepcopy(data), meta

    # ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_sessions(self, query: dict[str, Any]) -> Any:
        wanted = {name: query[name] for name in ("user", "state", "template") if query[name] is not None}
        return page(list(self.world.sessions.values()), query, lambda one: wanted.items() <= {k: one[k] for k in wanted}.items())

    def create_session(self, body: dict[str, Any]) -> Any:
        return 201, self.world.create_session(body), {}

    def get_session(self, key: str) -> Any:
        return self.world.session(key)

    def update_session(self, key: str, body: dict[str, Any]) -> Any:
        return self.world.update_session(key, body)

    def delete_session(self, key: str) -> None:
        self.world.delete_session(key)

    def get_user_sessions(self, username: str) -> Any:
        self.world.user(username)
        return self.world.sessions_of(username)

    # ── Users ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_users(self, query: dict[str, Any]) -> Any:
        users = [user for _, user in sorted(self.world.users.items())]
        return page(users, query, lambda one: query["tier"] in (None, one["tier"]))

    def create_user(self, body: dict[str, Any]) -> Any:
        self._refuse_power(body)
        return 201, self.world.create_user(body), {}

    def get_user(self, username: str) -> Any:
        return self.world.user(username)

    def update_user(self, username: str, body: dict[str, Any]) -> Any:
        self._refuse_power(body)
        return self.world.update_user(username, body)

    def delete_user(self, username: str, query: dict[str, Any]) -> None:
        self.world.delete_user(username, delete_sessions=query["deleteSessions"], delete_storage=query["deleteStorage"])

    def _refuse_power(self, body: dict[str, Any]) -> None:
        if ("password" in body or body.get("role", "user") != "user") and "admin" not in self.scopes:
            sentence = "Setting a role or a password needs the scope 'admin', which the token does not have"
            raise Refusal("PERMISSION_DENIED", sentence, {"scope": "admin"})

    # ── Templates ───────────────────────────────────────────────────────────────────────────────────────────────────

    def get_templates(self, query: dict[str, Any]) -> Any:
        templates = [template for _, template in sorted(self.world.templates.items())]
        return page(templates, query, lambda one: query["category"] in (None, one["category"]) and query["tag"] in (None, *one["tags"]))

    def create_template(self, body: dict[str, Any]) -> Any:
        return 201, self.world.create_template(body), {}

    def get_template(self, name: str) -> Any:
        return self.world.template(name)

    # ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    def notify(self, body: dict[str, Any]) -> Any:
        return 201, self.world.notify(body, self.slug), {}

    def send_email(self, body: dict[str, Any]) -> Any:
        email = {**body, **{name: rules.listed(body.get(name)) for name in ("to", "cc", "bcc")}}
        email["attachments"] = [self._attachment(position, one) for position, one in enumerate(body.get("attachments", []))]
        return 202, {"message_id": self.world.send_email(email), "skipped": []}, {}

    def _attachment(self, position: int, given: dict[str, Any]) -> dict[str, Any]:
        named = {"filename": given["filename"], "contentType": given.get("contentType", "application/octet-stream")}
        if "upload_id" in given:
            return {**named, "content": self._uploads[given["upload_id"]]}
        try:
            return {**named, "content": base64.b64decode(given["content"], validate=True)}
        except (binascii.Error, ValueError) as error:
            raise Refusal("VALIDATION_ERROR", details={f"attachments.{position}.content": ["Must be base64"]}) from error

    def begin_upload(self, body: dict[str, Any]) -> Any:
        key = f"upload_{len(self._uploads) + 1}"
        self._uploads[key] = b""
        return 201, {"upload_id": key, "url": f"http://platform.test{_UPLOADS}{key}", "method": "PUT", "headers": {}}, {}

    def open_dialog(self, body: dict[str, Any]) -> Any:
        self.world.user(body["to"])
        dialog = {**body, "id": f"dlg_{len(self._dialogs) + 1}", "status": "expired"}
        if self._answer is not None:
            dialog |= {"status": "answered", "value": self._answer(deepcopy(dialog))}
        self._dialogs[dialog["id"]] = dialog
        return 201, dialog, {}

    def get_dialog(self, key: str) -> Any:
        return self._dialogs[key]

    def withdraw_dialog(self, key: str) -> Any:
        return self._dialogs[key]

    # ── Storage ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_keys(self, query: dict[str, Any]) -> Any:
        found = sorted((key for key in self.world.storage if key.startswith(query["prefix"] or "")), key=str.encode)
        return 200, found, {"next_cursor": None}

    def get_value(self, key: str) -> Any:
        return self.world.get(key)

    def put_value(self, key: str, body: dict[str, Any]) -> None:
        self.world.put(key, json.loads(self._uploads[body["upload_id"]]) if "upload_id" in body else body["value"])

    def delete_value(self, key: str) -> None:
        self.world.get(key)
        self.world.storage.pop(key, None)

    def clear_storage(self) -> Any:
        removed = len(self.world.storage)
        self.world.storage.clear()
        return {"removed": removed, "is_complete": True}

    # ── Tables ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_tables(self) -> Any:
        return self.tables.shapes()

    def get_item(self, table: str, query: dict[str, Any]) -> Any:
        return self.tables.find(table).get(json_of(query["key"], "key"))

    def delete_item(self, table: str, query: dict[str, Any]) -> None:
        self.tables.find(table).delete(json_of(query["key"], "key"))

    def query_items(self, table: str, query: dict[str, Any]) -> Any:
        where = json_of(query["where"], "where") if query["where"] else {}
        if not isinstance(where, dict):
            raise Refusal("VALIDATION_ERROR", details={"where": ["Must be an object: attribute -> value, or comparison"]})
        asked = {name: query[name] for name in ("limit", "descending", "cursor")}
        items, cursor = self.tables.find(table).query(where, query["index"], **asked)
        return 200, items, {"next_cursor": cursor}

    def put_item(self, table: str, body: dict[str, Any]) -> None:
        self.tables.find(table).put(body["item"])

    def create_item(self, table: str, body: dict[str, Any]) -> Any:
        self.tables.find(table).put(body["item"], if_not_exists=True)
        return 201, None, {}

    # ── Commands and the runtime ────────────────────────────────────────────────────────────────────────────────────

    def execute(self, name: str, body: dict[str, Any]) -> Any:
        return {"result": self._run_command(name, body.get("args"))}

    def itself(self) -> Any:
        config = {"namespace": "streamspace", "ingressDomain": "streamspace.local", "hibernationEnabled": True}
        platform = {"version": "1.0.0", **config}
        mine = {"slug": self.slug, "version": self.version, "settings": self.settings, "settings_version": self.settings_version}
        return {**mine, "platform": platform}

    def cancel_schedule(self, _name: str) -> Any:
        """The SDK runs it no more."""

    def begin_attempt(self, event_id: str, body: dict[str, Any]) -> Any:
        self._attempts[event_id] = self._attempts.get(event_id, 0) + 1
        return {"verdict": "run"}

    def note_delivery(self, event_id: str) -> None:
        """Nobody is set aside in here, so there is nothing to contradict."""

    def report_failure(self, event_id: str, body: dict[str, Any]) -> Any:
        if body["attempt"] == 1:
            self._attempts[event_id] = self._attempts.get(event_id, 0) + 1
        if self._attempts[event_id] < CONTRACT["attempts"]:
            return {"verdict": "retry"}
        event = next(one for one in self.world.events if one["id"] == int(event_id))
        self.dead_letters.append({"event": event, "attempts": self._attempts.pop(event_id), "error": body["error"]})
        return {"verdict": "dead-letter"}


_HANDLERS: dict[str, Callable[..., Any]] = {
    "GET sessions": Server.get_sessions,
    "POST sessions": Server.create_session,
    "GET sessions/{id}": Server.get_session,
    "PATCH sessions/{id}": Server.update_session,
    "DELETE sessions/{id}": Server.delete_session,
    "GET users/{username}/sessions": Server.get_user_sessions,
    "GET users": Server.get_users,
    "POST users": Server.create_user,
    "GET users/{username}": Server.get_user,
    "PATCH users/{username}": Server.update_user,
    "DELETE users/{username}": Server.delete_user,
    "GET templates": Server.get_templates,
    "POST templates": Server.create_template,
    "GET templates/{name}": Server.get_template,
    "POST notifications": Server.notify,
    "POST email": Server.send_email,
    "POST uploads": Server.begin_upload,
    "POST dialogs": Server.open_dialog,
    "GET dialogs/{id}": Server.get_dialog,
    "DELETE dialogs/{id}": Server.withdraw_dialog,
    "GET storage": Server.get_keys,
    "DELETE storage": Server.clear_storage,
    "GET storage/{key+}": Server.get_value,
    "PUT storage/{key+}": Server.put_value,
    "DELETE storage/{key+}": Server.delete_value,
    "GET tables": Server.get_tables,
    "GET tables/{table}/item": Server.get_item,
    "DELETE tables/{table}/item": Server.delete_item,
    "GET tables/{table}/items": Server.query_items,
    "PUT tables/{table}/items": Server.put_item,
    "POST tables/{table}/items": Server.create_item,
    "POST commands/{name}/execute": Server.execute,
    "DELETE runtime/schedules/{name}": Server.cancel_schedule,
    "GET runtime/self": Server.itself,
    "POST runtime/events/{event_id}/attempts": Server.begin_attempt,
    "POST runtime/events/{event_id}/failures": Server.report_failure,
    "POST runtime/events/{event_id}/deliveries": Server.note_delivery,
}


def _query(route: dict[str, Any], given: dict[str, list[str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for name, schema in route.get("query", {}).items():
        text = given.get(name, [""])[-1]
        values[name] = schema.get("default") if text == "" else _converted(text, schema)
        if text != "" and (found := faults_of(schema, values[name])):
            faults[name] = [sentence for sentences in found.values() for sentence in sentences]
    rules.refuse(faults)
    return values


def _converted(text: str, schema: Mapping[str, Any]) -> Any:
    if schema.get("type") == "integer" and text.removeprefix("-").isdecimal():
        return int(text)
    if schema.get("type") == "boolean" and text.lower() in ("true", "1", "false", "0"):
        return text.lower() in ("true", "1")
    return text
