"""What a plugin's tests hold in their hands."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .. import environment, log_output, registry
from ..client import client
from ..errors import StreamSpaceError, from_answer
from ..events import HOOKS
from ..runtime import Runtime
from . import endpoint_paths
from .contract import CONTRACT, Refusal
from .server import Server
from .tables import Tables
from .world import Clock, Object, World

_MOST_DELIVERIES = 1000
_ENVIRONMENT = {
    "STREAMSPACE_API_URL": "http://platform.test",
    "STREAMSPACE_TOKEN": "ss_test",
    "STREAMSPACE_CONFIG": '{"namespace": "streamspace", "ingressDomain": "streamspace.local", "hibernationEnabled": true}',
}
_TEMPLATE = {
    "description": "",
    "category": "Testing",
    "defaultResources": {"memory": "2Gi", "cpu": "1000m"},
    "ports": [{"name": "vnc", "containerPort": 3000}],
}

_open: list[Platform] = []


class PluginFailed(AssertionError):
    """The plugin's code raised. ``failure`` is what the platform is told: name, message, hook, location (``file:line``), stack."""

    def __init__(self, message: str, failure: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.failure = failure


def create_platform(
    folder: str | os.PathLike[str] | None = None,
    *,
    users: Iterable[Mapping[str, Any]] = ({"username": "jane", "tier": "pro"}, {"username": "admin", "role": "admin"}),
    templates: Iterable[Mapping[str, Any]] = ({"name": "firefox-browser"},),
    settings: Mapping[str, Any] | None = None,
    scopes: Iterable[str] | None = None,
    email: bool = True,
    commands: Mapping[str, Callable[..., Any]] | None = None,
    answer: Callable[[dict[str, Any]], Any] | None = None,
) -> Platform:
    """A platform with one plugin on it, not loaded yet.

    ``folder`` is the one with ``manifest.json``: by default the next one above the calling file, or the working directory, that has it.
    ``users`` and ``templates`` need their name only; the rest is filled in. ``settings`` stand over the manifest's defaults.
    ``scopes`` take the place of the manifest's ``permissions``. ``email=False`` is an installation that sends none. ``commands`` are
    other plugins': ``{"audit-search": lambda args: [...]}``. ``answer`` is what people answer to dialogs; None is nobody.

    One at a time: a new one closes the one before. Also a context manager.
    """
    while _open:
        _open[-1].close()
    place = _folder_of(folder, sys._getframe(1).f_code.co_filename)
    return Platform(place, list(users), list(templates), dict(settings or {}), scopes, email, dict(commands or {}), answer)


class Platform:
    """See :func:`create_platform`. What it shows (``sessions``, ``notifications`` …) are the plugin API's objects, as they are now."""

    def __init__(
        self,
        folder: Path,
        users: list[Mapping[str, Any]],
        templates: list[Mapping[str, Any]],
        settings: dict[str, Any],
        scopes: Iterable[str] | None,
        email: bool,
        commands: dict[str, Callable[..., Any]],
        answer: Callable[[dict[str, Any]], Any] | None,
    ) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self._others = commands
        own = {path.stem for path in folder.glob("emails/*") if path.suffix in (".txt", ".html")}
        self._world = World(sends_email=email, email_templates=own)
        granted = frozenset(_scopes_of(self.manifest) if scopes is None else scopes)
        slug, version = self.manifest["name"], self.manifest.get("version", "1.0.0")
        self._tables = Tables(folder, self.manifest)
        self._server = Server(self._world, slug, version, granted, self._tables, run_command=self._run_of_another, answer=answer)
        self._server.settings = {**_defaults(self.manifest), **_known(self.manifest, settings)}
        self._runtime: Runtime | None = None
        self._registered: dict[str, Any] = {}
        self._logs: list[dict[str, Any]] = []
        self._reported = 0
        for user in users:
            self._world.create_user(_whole_user(user))
        for template in templates:
            self._world.create_template(_whole_template(template))
        self._world.events.clear()
        self._world.queue.clear()
        self._begin()

    # ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        self._kept = {name: os.environ.get(name) for name in (*_ENVIRONMENT, "STREAMSPACE_PLUGIN")}
        os.environ.update(_ENVIRONMENT, STREAMSPACE_PLUGIN=self.manifest["name"])
        environment.update({})
        client.carry = self._server.carry
        log_output.write_to(self._take_log)
        registry.clear()
        _open.append(self)

    def close(self) -> None:
        """Gives the SDK back. Again is fine."""
        if self not in _open:
            return
        _open.remove(self)
        client.carry = None
        log_output.write_to()
        for name, value in self._kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def load(self) -> dict[str, Any]:
        """Runs the plugin's module anew, and ``on_load``; what it registered: hooks, commands, widgets, endpoints …

        Raises PluginFailed with what either raised.
        """
        _forget_modules(self.folder)
        registry.clear()
        self._runtime = Runtime(str(self.folder))
        settings = {"settings": deepcopy(self._server.settings), "settings_version": self._server.settings_version}
        self._registered = self._call({"kind": "load", **settings})["registered"]
        self.settle()
        return self._registered

    def unload(self) -> None:
        """Runs ``on_unload``."""
        self._call({"kind": "unload"})
        self.settle()

    # ── What happens ────────────────────────────────────────────────────────────────────────────────────────────────

    def emit(self, event_type: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Something happens: ``emit("session.created", {"user": "jane"})``. What is left out of ``data`` is filled in.

        What the event tells of is then so: the session exists, or is gone. The plugin's hook runs, three times at most; the event.
        Raises PluginFailed when the hook failed each time.
        """
        if event_type not in HOOKS:
            raise ValueError(f"There is no event '{event_type}'; there are: {', '.join(HOOKS)}")
        happens = self._happens_to_user if event_type.startswith("user.") else self._happens_to_session
        event = self._world.tell(event_type, happens(event_type, dict(data or {})))
        self.settle()
        return event

    def command(self, name: str, args: Any = None, *, as_: str = "admin") -> Any:
        """A person runs one of the plugin's commands; what it returned.

        Raises as the API does: CommandNotFoundError, PermissionDeniedError, CommandFailedError.
        """
        try:
            result = self._run_own(name, args, as_)
        except Refusal as refused:
            raise _as_error(f"the command '{name}'", refused) from None
        self.settle()
        return result

    def request(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None, as_: str | None = "admin"
    ) -> EndpointAnswer:
        """Somebody calls one of the plugin's own endpoints: ``request("GET", "/items?color=red")``. ``as_=None`` is a stranger.

        ``body`` may be bytes, a text, or what JSON can hold.
        """
        url = urlsplit(path)
        found = endpoint_paths.find(self._registered.get("endpoints") or [], method, url.path)
        if found is None:
            raise _as_error("the endpoint", Refusal("NOT_FOUND", f"'{self.manifest['name']}' has no endpoint {method} {url.path}"))
        endpoint, parameters = found
        needed = endpoint.get("permissions") or []
        if as_ is None and not endpoint.get("public"):
            raise _as_error("the endpoint", Refusal("UNAUTHENTICATED"))
        if as_ is not None and not self._may(as_, needed):
            raise _as_error("the endpoint", Refusal("PERMISSION_DENIED", f"This endpoint needs one of: {', '.join(needed)}"))
        sent = body if isinstance(body, bytes) else b"" if body is None else _as_bytes(body)
        content_type = {} if body is None or isinstance(body, (bytes, str)) else {"content-type": "application/json"}
        query = {name: values[0] if len(values) == 1 else values for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        travelling = {
            "method": method,
            "path": url.path,
            "params": parameters,
            "query": query,
            "headers": {**content_type, **{name.lower(): value for name, value in (headers or {}).items()}},
            "body": base64.b64encode(sent).decode(),
            "user": None if as_ is None else {"username": as_, "role": self._role(as_)},
            "ip": "192.0.2.1",
        }
        named = {"method": endpoint["method"], "path": endpoint["path"]}
        answer = EndpointAnswer(self._call({"kind": "endpoint", "endpoint": named, "request": travelling})["response"])
        self.settle()
        return answer

    def press(self, notification: Mapping[str, Any], label: str, *, as_: str | None = None) -> Any:
        """A person presses a notification's button. A link's ``url``, or what the handler's message was."""
        index = next((at for at, one in enumerate(notification["actions"]) if one["label"] == label), None)
        if index is None:
            labels = [one["label"] for one in notification["actions"]]
            raise ValueError(f"The notification has no button '{label}'; it has: {labels}")
        action = notification["actions"][index]
        if "handler" not in action:
            return action.get("url")
        told = {name: notification[name] for name in ("id", "title", "message", "type")}
        payload = {"kind": "action", "handler_id": action["handler"], "notification": told, "action": {"index": index, "label": label}}
        who = as_ or ("admin" if notification["to"] in ("*", "@admins") else notification["to"])
        answer = self._call({**payload, "caller": {"username": who}})
        self.settle()
        return answer.get("message")

    def schedule(self, name: str) -> None:
        """The clock strikes for one of the plugin's scheduled tasks."""
        self._call({"kind": "schedule", "name": name})
        self.settle()

    def change_settings(self, **changes: Any) -> None:
        """An administrator changes settings: the plugin has them with its next call, without ``on_load``."""
        self._server.settings |= _known(self.manifest, changes)
        self._server.settings_version += 1

    def fail_next(self, code: str, message: str | None = None, **details: Any) -> None:
        """The plugin's next request is refused with this code: ``fail_next("EMAIL_NOT_CONFIGURED")``."""
        self._server.fail_next(code, message, details)

    def fill_cluster(self, is_full: bool = True) -> None:
        """From now on there is no room for another session: InsufficientResourcesError."""
        self._world.is_full = is_full

    def settle(self) -> None:
        """Delivers all events that wait, those too that the plugin's own calls cause. The other methods do it by themselves.

        Raises PluginFailed when a hook failed three times.
        """
        deliveries = 0
        self._world.start_sessions()
        while self._world.queue:
            event = self._world.queue.pop(0)
            if event["type"] in self._registered.get("hooks", ()):
                deliveries += 1
                self._deliver(event)
            if deliveries > _MOST_DELIVERIES:
                message = f"The plugin answers its own events without an end: {_MOST_DELIVERIES} were delivered, last {event['type']}"
                raise PluginFailed(message, {"name": "Error", "message": message})
            self._world.start_sessions()
        letters = self._server.dead_letters[self._reported :]
        self._reported += len(letters)
        if letters:
            failure = letters[0]["error"]
            raise PluginFailed(f"{_described(failure)} (in each of {letters[0]['attempts']} attempts)", failure)

    # ── What there is ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def clock(self) -> Clock:
        return self._world.clock

    @property
    def sessions(self) -> list[Object]:
        return deepcopy(list(self._world.sessions.values()))

    @property
    def users(self) -> list[Object]:
        return deepcopy(list(self._world.users.values()))

    @property
    def templates(self) -> list[Object]:
        return deepcopy(list(self._world.templates.values()))

    @property
    def storage(self) -> dict[str, Any]:
        return deepcopy(self._world.storage)

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The items of each of the plugin's tables, in order of their key."""
        return self._tables.items()

    @property
    def notifications(self) -> list[Object]:
        """All that were sent, in order: ``to``, and what the plugin gave."""
        return deepcopy(self._world.notifications)

    @property
    def emails(self) -> list[Object]:
        """All that were sent, in order; ``to``, ``cc`` and ``bcc`` are lists, attachments' ``content`` is bytes."""
        return deepcopy(self._world.emails)

    @property
    def events(self) -> list[Object]:
        """All that happened, in order."""
        return deepcopy(self._world.events)

    @property
    def dead_letters(self) -> list[Object]:
        """Events whose hook failed each time: ``event``, ``attempts``, ``error``."""
        return deepcopy(self._server.dead_letters)

    @property
    def logs(self) -> list[Object]:
        """What the plugin logged and printed: ``level``, ``message``, ``data``, ``hook``."""
        return deepcopy(self._logs)

    @property
    def requests(self) -> list[str]:
        """Every request that the plugin made: ``GET sessions/jane-firefox-browser``."""
        return list(self._server.requests)

    # ── Inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _call(self, payload: dict[str, Any]) -> dict[str, Any]:
        answer = self._handle({"settings_version": self._server.settings_version, **payload})
        if not answer["ok"]:
            raise PluginFailed(_described(answer["error"]), answer["error"])
        return answer

    def _handle(self, payload: dict[str, Any]) -> dict[str, Any]:
        if self._runtime is None:
            raise RuntimeError("The plugin is not loaded: call platform.load() first")
        return self._runtime.handle(payload, None)

    def _deliver(self, event: Object) -> None:
        body = json.dumps({**event, "settings_version": self._server.settings_version})
        for attempt in range(1, int(CONTRACT["attempts"]) + 2):
            attributes = {"ApproximateReceiveCount": str(attempt), "MessageGroupId": event["aggregate"]}
            record = {"messageId": str(event["id"]), "receiptHandle": "test", "body": body, "attributes": attributes}
            if not self._handle({"Records": [record]})["batchItemFailures"]:
                return

    def _run_own(self, name: str, args: Any, username: str) -> Any:
        command = next((one for one in self._registered.get("commands", ()) if one["name"] == name), None)
        if command is None:
            raise Refusal("COMMAND_NOT_FOUND", f"No active plugin has registered a command '{name}'", {"command": name})
        needed = command.get("permissions") or []
        if not self._may(username, needed):
            sentence = f"The command '{name}' needs one of: {', '.join(needed)}"
            raise Refusal("PERMISSION_DENIED", sentence, {"permissions": needed})
        payload = {"kind": "command", "name": name, "args": deepcopy(args), "caller": {"username": username}}
        answer = self._handle({"settings_version": self._server.settings_version, **payload})
        if answer["ok"]:
            return answer.get("result")
        raise _command_failed(name, self.manifest["name"], answer["error"])

    def _run_of_another(self, name: str, args: Any) -> Any:
        if name not in self._others:
            raise Refusal("COMMAND_NOT_FOUND", f"No active plugin has registered a command '{name}'", {"command": name})
        try:
            return self._others[name](args)
        except Exception as error:
            raise _command_failed(name, "another-plugin", {"name": type(error).__name__, "message": str(error)}) from error

    def _may(self, username: str, needed: list[str]) -> bool:
        role = self._role(username)
        contributed = {one["name"]: one.get("default_roles") or [] for one in self._contributed("permissions")}
        held = {role, *CONTRACT["roles"].get(role, ()), *(name for name, roles in contributed.items() if role in roles)}
        return not needed or role == "admin" or bool(held & set(needed))

    def _contributed(self, kind: str) -> list[dict[str, Any]]:
        return list((self.manifest.get("contributes") or {}).get(kind) or ())

    def _role(self, username: str) -> str:
        return "admin" if username == "admin" else self._world.roles.get(username, "user")

    def _take_log(self, text: str) -> None:
        self._logs.append(json.loads(text))
        if os.environ.get("STREAMSPACE_TEST_LOGS"):
            sys.stderr.write(text)

    def _happens_to_user(self, event_type: str, data: dict[str, Any]) -> Object:
        username = data.get("username") or "jane"
        existing = self._world.users.get(username)
        if existing is None:
            self._quietly(lambda: self._world.create_user(_whole_user({"username": username, **_known_of_user(data)})))
            existing = self._world.users[username]
        existing |= data
        if event_type == "user.login":
            existing["lastLogin"] = self.clock.text()
        if event_type == "user.deleted":
            del self._world.users[username]
        return existing

    def _happens_to_session(self, event_type: str, data: dict[str, Any]) -> Object:
        key = data.get("id")
        session = self._world.sessions.get(key) if key else None
        if session is None:
            made = {"id": key} if key else {}
            session = self._quietly(lambda: self._new_session({**data, **made}))
        session |= {**_STATE_AFTER.get(event_type, {}), **data, "name": session["id"]}
        if event_type == "session.started":
            session |= {"podName": f"ss-{session['id']}", "url": f"https://{session['id']}.streamspace.local", **data}
        if event_type == "session.deleted":
            self._world.sessions.pop(session["id"], None)
        return session

    def _new_session(self, data: dict[str, Any]) -> Object:
        user, template = data.get("user") or "jane", data.get("template") or "firefox-browser"
        if user not in self._world.users:
            self._world.create_user(_whole_user({"username": user}))
        if template not in self._world.templates:
            self._world.create_template(_whole_template({"name": template}))
        key = data.get("id") or f"{user}-{template}"
        now = self.clock.text()
        session = {
            **{"id": key, "name": key, "user": user, "template": template, "state": "running", "persistentHome": True},
            **{"resources": {"memory": "2Gi", "cpu": "1000m"}, "idleTimeout": "30m", "createdAt": now, "updatedAt": now},
        }
        self._world.sessions[key] = session
        return session

    def _quietly(self, change: Callable[[], Object]) -> Object:
        """What must be there for an event to happen comes without events of its own."""
        events, queue = len(self._world.events), len(self._world.queue)
        made = change()
        del self._world.events[events:], self._world.queue[queue:]
        return made


class EndpointAnswer:
    """What an endpoint answered. ``body`` is JSON's value where it is JSON, else the text or the bytes."""

    def __init__(self, travelling: Mapping[str, Any]) -> None:
        self.status: int = travelling["status"]
        self.headers: dict[str, Any] = travelling.get("headers") or {}
        self.body: Any = base64.b64decode(travelling["base64"]) if "base64" in travelling else travelling.get("text")
        content_type = next((value for name, value in self.headers.items() if name.lower() == "content-type"), "")
        if isinstance(self.body, str) and "json" in content_type:
            self.body = json.loads(self.body)


_STATE_AFTER = {
    "session.created": {"state": "running"},
    "session.started": {"state": "running"},
    "session.woken": {"state": "running"},
    "session.hibernated": {"state": "hibernated"},
    "session.stopped": {"state": "terminated"},
    "session.deleted": {"state": "terminated"},
}


def _scopes_of(manifest: Mapping[str, Any]) -> list[str]:
    """Other words for scopes are understood, as the platform does."""
    return [CONTRACT["scopeWords"].get(word.lower().replace("-", "_"), word) for word in manifest.get("permissions") or ()]


def _folder_of(given: str | os.PathLike[str] | None, caller: str) -> Path:
    starts = [Path(caller).resolve(), Path.cwd() / "manifest.json"]
    folders = [parent for start in starts for parent in start.parents] if given is None else [Path(given).resolve()]
    for folder in folders:
        if (folder / "manifest.json").is_file():
            return folder
    where = given or Path.cwd()
    raise FileNotFoundError(f"There is no manifest.json in {where}: say where the plugin is, create_platform('path/to/plugin')")


def _whole_user(given: Mapping[str, Any]) -> dict[str, Any]:
    username = given["username"]
    return {"fullName": username.replace("-", " ").title(), "email": f"{username}@example.com", "tier": "free", **given}


def _known_of_user(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in ("fullName", "email", "tier", "quotas") if name in data}


def _whole_template(given: Mapping[str, Any]) -> dict[str, Any]:
    name = given["name"]
    return {**deepcopy(_TEMPLATE), "displayName": name, "baseImage": f"registry.example.com/{name}:latest", **given}


def _fields(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Each setting's key, with its default (None where there is none)."""
    schema = (manifest.get("configSchema") or {}).get("properties") or {}
    listed = (manifest.get("settings") or {}).get("fields") or []
    return {
        **{key: (field or {}).get("default") for key, field in schema.items()},
        **{field["key"]: field.get("default") for field in listed},
    }


def _defaults(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: default for key, default in _fields(manifest).items() if default is not None}


def _known(manifest: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    known = _fields(manifest)
    for key in settings:
        if key not in known:
            raise ValueError(f"The manifest has no setting '{key}'; it has: {', '.join(known) or 'none'}")
    return dict(settings)


def _forget_modules(folder: Path) -> None:
    """The plugin's modules run anew with the next load; its tests and what it vendors stay."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or not Path(file).is_relative_to(folder):
            continue
        if Path(file).relative_to(folder).parts[0] not in ("tests", "vendor"):
            del sys.modules[name]


def _as_bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _command_failed(name: str, slug: str, failure: Mapping[str, Any]) -> Refusal:
    told = {key: failure[key] for key in ("name", "message", "code", "details", "location") if key in failure}
    return Refusal("COMMAND_FAILED", f"The command '{name}' of '{slug}' failed: {failure['message']}", {"plugin": slug, **told})


def _as_error(call: str, refused: Refusal) -> StreamSpaceError:
    error = {"code": refused.code, "message": refused.message, "details": refused.details}
    return from_answer(call, refused.status, error, request_id=None, retry_after_s=None)


def _described(failure: Mapping[str, Any]) -> str:
    where = f" ({failure['location']})" if failure.get("location") else ""
    hook = f"{failure['hook']} failed: " if failure.get("hook") else ""
    return f"{hook}{failure['name']}: {failure['message']}{where}"
