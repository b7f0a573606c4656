"""What is asked of a plugin that has been loaded, by kind (docs/runtime-protocol.md)."""

from __future__ import annotations

import json
import time

from . import environment, registry
from .batch import deliver_batch
from .call import FOREVER, Call
from .events import HOOKS
from .hooks import run_hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .errors import StreamSpaceError
    from .plugin import Plugin
    from .runtime import Clock, Runtime

LARGEST_RESULT = 5_500_000  # Lambda's answers hold 6 MB; the envelope needs some of it


def answer(runtime: Runtime, payload: dict[str, Any], clock: Clock) -> dict[str, Any]:
    kind = payload.get("kind")
    if kind not in ("command", "schedule", "endpoint", "action"):
        raise ValueError(f"this version of the streamspace SDK cannot answer a call of the kind '{kind}'")
    # A schedule's payload was written down long ago, and cannot tell which settings are current.
    plugin = runtime.prepare(FOREVER if kind == "schedule" else payload.get("settings_version"), clock)
    if kind == "command":
        return {"result": _run_command(runtime, payload, clock)}
    if kind == "endpoint":
        return {"response": _run_endpoint(runtime, payload, clock)}
    if kind == "action":
        return _run_action(runtime, plugin, payload, clock)
    _run_scheduled(runtime, plugin, payload, clock)
    return {}


def _run_command(runtime: Runtime, payload: dict[str, Any], clock: Clock) -> Any:
    name = payload["name"]
    command = registry.find("commands", name)
    if command is None:
        raise _not_registered("CommandNotFoundError", "command", name, "streamspace.commands.register", "on_load")
    args = {} if payload.get("args") is None else payload["args"]
    context = {"caller": payload.get("caller")}
    result = runtime.run(f"command {name}", clock, command["handler"], args, context, person=_username(payload.get("caller")))
    try:
        text = json.dumps(result)
    except (TypeError, ValueError, RecursionError) as cause:
        raise TypeError(f"the command '{name}' returned what JSON cannot hold: {cause}") from cause
    # In the platform's answer, which is JSON in JSON, each quote and backslash takes one more.
    size = len(text) + text.count('"') + text.count("\\")
    if size > LARGEST_RESULT:
        advice = "return less, or keep it with streamspace.storage and return its key"
        raise ValueError(f"the command '{name}' returned {size} bytes; an answer holds {LARGEST_RESULT}: {advice}")
    return json.loads(text)


def _run_endpoint(runtime: Runtime, payload: dict[str, Any], clock: Clock) -> dict[str, Any]:
    from .endpoint_call import answer_endpoint  # most calls are events

    def run(hook: str, work: Callable[[], Any]) -> Any:
        call = Call(hook, deadline=clock.hook_deadline, person=_username(payload["request"].get("user")))
        return run_hook(call, runtime.folder, work)

    return answer_endpoint(payload, run)


def _run_action(runtime: Runtime, plugin: Plugin, payload: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """``handled`` tells what ran, None when there is nothing that could."""
    from . import actions

    key, action, caller = payload["handler_id"], payload["action"], payload.get("caller")
    kept = actions.find(key)
    handler = kept or plugin.method("on_notification_action")
    if handler is None:
        return {"handled": None}
    pressed = {**action, "handler": actions.name_of(key)}
    hook = f"action {action['label']}" if kept else "on_notification_action"
    context = {"notification": payload["notification"], "user": caller}
    result = runtime.run(hook, clock, handler, pressed, context, person=_username(caller))
    return {"handled": "handler" if kept else "hook", "message": result if isinstance(result, str) else None}


def _run_scheduled(runtime: Runtime, plugin: Plugin, payload: dict[str, Any], clock: Clock) -> None:
    name = payload["name"]
    task = plugin.scheduled_task(name)
    if task is None:
        where = "on_load, or write a method of that name"
        raise _not_registered("NotFoundError", "scheduled task", name, "streamspace.schedule", where)
    runtime.run(f"schedule {name}", clock, task, {"name": name, "scheduled_time": _scheduled_time(payload.get("scheduled_time"))})


def deliver(runtime: Runtime, records: list[dict[str, Any]], clock: Clock) -> dict[str, Any]:
    return deliver_batch(records, _Deliveries(runtime, clock))


class _Deliveries:
    """The runtime as one batch sees it."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._failure: Exception | None = None
        self.report_deadline = clock.report_deadline

    def hears(self, event_type: str) -> bool:
        if self._failure is not None and not self._runtime.is_ready:
            return event_type in HOOKS
        return self._runtime.hears(event_type, self._clock)

    def prepare(self, settings_version: int | None) -> None:
        if self._failure is not None and not self._runtime.is_ready:
            raise self._failure  # an on_load that failed fails for the whole batch: it isn't run again for each event
        try:
            self._runtime.prepare(settings_version, self._clock)
        except Exception as error:
            self._failure = error
            raise

    def run(self, event: dict[str, Any]) -> None:
        plugin = self._runtime.plugin
        hook = plugin.hook_of(event["type"]) if plugin else None
        if plugin is not None and hook is not None:
            about = {"event_id": event["id"], "person": _person_of(event), "hops": event.get("hops", 0)}
            self._runtime.run(hook, self._clock, plugin.method(hook), event["data"], event, **about)

    def is_time_short(self) -> bool:
        return self._clock.is_time_short()


def _scheduled_time(text: Any) -> str:
    """Where nobody filled it in, it is now."""
    is_time = isinstance(text, str) and text[:4].isdigit() and "T" in text
    return str(text) if is_time else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _username(caller: dict[str, Any] | None) -> str | None:
    return (caller or {}).get("username")


def _person_of(event: dict[str, Any]) -> str | None:
    """Whose session it is, or who the user is."""
    data = event["data"]
    field = "username" if event["type"].startswith("user.") else "user"
    return data.get(field) if isinstance(data, dict) else None


def _not_registered(error_name: str, kind: str, name: str, method: str, where: str) -> StreamSpaceError:
    from . import errors

    slug = environment.plugin()
    error_class: type[StreamSpaceError] = getattr(errors, error_name)
    return error_class(f"the plugin '{slug}' has no {kind} '{name}'; register it with {method} in {where}")
