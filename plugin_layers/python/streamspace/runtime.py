"""One plugin in one container: answers the payloads of docs/runtime-protocol.md."""

from __future__ import annotations

import json
import os
import time

from . import actions, environment, log, redaction, registry
from .batch import deliver_batch
from .call import FOREVER, Call
from .client import request
from .endpoints import take_declared
from .errors import CommandNotFoundError, NotFoundError, StreamSpaceError
from .events import HOOKS
from .failure import describe_failure
from .hooks import HookFailed, call_with, run_hook
from .plugin import Plugin, load_plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RESERVED_SHARE = 0.1  # of a call's time: less than this left is too little to begin with another event
LARGEST_RESULT = 5_500_000  # Lambda's answers hold 6 MB; the envelope needs some of it
REPORT_TIME_S = 1.0  # kept back from hooks, to report their failures in


class Clock:
    """The times of one call of the function, from Lambda's context, in the seconds of ``time.monotonic``."""

    def __init__(self, lambda_context: Any, deadline_ms: float = FOREVER, hops: int = 0) -> None:
        """``deadline_ms``: whoever called waits until then, in ms since 1970; maybe not as long as the function may run.

        ``hops``: how many plugins' hooks, one causing the next, led to this call.
        """
        self.hops = hops
        remaining = getattr(lambda_context, "get_remaining_time_in_millis", None)
        left = min(remaining() / 1000 if remaining else FOREVER, max(0.0, deadline_ms / 1000 - time.time()))
        self.report_deadline = time.monotonic() + left
        self.hook_deadline = self.report_deadline - min(REPORT_TIME_S, left * RESERVED_SHARE)
        self._short_from = FOREVER if left == FOREVER else self.report_deadline - left * RESERVED_SHARE

    def is_time_short(self) -> bool:
        return time.monotonic() > self._short_from


class Runtime:
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._is_ready = False  # on_load has run
        self._settings_version = 0
        self._plugin: Plugin | None = None
        self._module_failure: HookFailed | None = None
        # Now, while Lambda's start-up gives a whole processor. A failure is the answer of the first call.
        try:
            self._load_module(FOREVER)
        except HookFailed as failed:
            self._module_failure = failed

    def handle(self, payload: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
        clock = Clock(lambda_context, payload.get("deadline_ms", FOREVER), payload.get("hops", 0))
        if isinstance(payload.get("Records"), list):
            return deliver_batch(payload["Records"], _Deliveries(self, clock))
        try:
            return {"ok": True, **self._answer(payload, clock)}
        except Exception as error:
            failure = error.failure if isinstance(error, HookFailed) else describe_failure(error, self._folder)
            if "scheduled_time" not in payload:
                return {"ok": False, "error": failure}
            # Nobody reads what a scheduled run answers: raising makes Lambda try again, and the log tells why.
            if not isinstance(error, HookFailed):
                log.error(f"The scheduled task '{payload.get('name')}' failed: {failure['message']}", failure)
            raise

    def _answer(self, payload: dict[str, Any], clock: Clock) -> dict[str, Any]:
        kind = payload.get("kind")
        if kind == "load":
            plugin = self.load(payload, clock)
            for sentence in plugin.missing():
                log.warn(sentence)
            return {"registered": self._registered(plugin)}
        if kind == "unload":
            plugin = self.prepare(None, clock)
            self._is_ready = False
            self.run("on_unload", clock, plugin.lifecycle_method("on_unload"))
            return {}
        if kind == "command":
            self.prepare(payload.get("settings_version"), clock)
            return {"result": self._run_command(payload, clock)}
        if kind == "schedule":
            # Its payload was written down long ago, and cannot tell which settings are current.
            plugin = self.prepare(FOREVER, clock)
            self._run_scheduled(plugin, payload, clock)
            return {}
        if kind == "endpoint":
            self.prepare(payload.get("settings_version"), clock)
            return {"response": self._run_endpoint(payload, clock)}
        if kind == "action":
            plugin = self.prepare(payload.get("settings_version"), clock)
            return self._run_action(plugin, payload, clock)
        raise ValueError(f"this version of the streamspace SDK cannot answer a call of the kind '{kind}'")

    def _registered(self, plugin: Plugin) -> dict[str, Any]:
        from .places import places_of  # of no use to other calls

        theme = plugin.theme()
        more = {} if theme is None else {"theme": theme}
        return {"hooks": plugin.hooks, **registry.describe(), "places": places_of(plugin, self._folder), **more}

    def _load_module(self, deadline: float) -> Plugin:
        """Runs the author's module once per container, again after it failed."""
        if self._module_failure is not None:
            failure, self._module_failure = self._module_failure, None
            raise failure
        if self._plugin is None:
            self._plugin = run_hook(Call("module", deadline=deadline), self._folder, lambda: load_plugin(self._folder))
        assert self._plugin is not None
        return self._plugin

    def load(self, told: dict[str, Any], clock: Clock) -> Plugin:
        plugin = self._load_module(clock.hook_deadline)
        self._is_ready = False
        registry.reset()
        self._take(plugin, told)
        self.run("on_load", clock, plugin.lifecycle_method("on_load"))
        take_declared(plugin)
        self._is_ready = True
        return plugin

    def prepare(self, settings_version: float | None, clock: Clock) -> Plugin:
        """Sees to it that on_load has run in this container and that settings of at least that version are known."""
        plugin = self._load_module(clock.hook_deadline)
        if self._is_ready and (settings_version or 0) <= self._settings_version:
            return plugin
        told = request("the runtime", "GET", "runtime/self", deadline=clock.report_deadline)
        environment.update(told.get("platform") or {})
        if self._is_ready:
            self._take(plugin, told)
            return plugin
        return self.load(told, clock)

    def _take(self, plugin: Plugin, told: dict[str, Any]) -> None:
        """What ``load`` brings and ``runtime/self`` answers: the settings, their version, and which of them are secret."""
        settings = told.get("settings") or {}
        redaction.hide([environment.token(), *(settings.get(key) for key in told.get("secret_settings") or ())])
        plugin.configure(settings)
        self._settings_version = told.get("settings_version") or 0

    def hears(self, event_type: str, clock: Clock) -> bool:
        try:
            return self._load_module(clock.hook_deadline).hears(event_type)
        except HookFailed as failed:
            self._module_failure = failed  # for the one who prepares for the event: it says what is wrong
            return event_type in HOOKS

    @property
    def is_ready(self) -> bool:
        return self._is_ready

    def _run_command(self, payload: dict[str, Any], clock: Clock) -> Any:
        name = payload["name"]
        command = registry.find("commands", name)
        if command is None:
            raise _not_registered(CommandNotFoundError, "command", name, "streamspace.commands.register", "on_load")
        args = {} if payload.get("args") is None else payload["args"]
        context = {"caller": payload.get("caller")}
        result = self.run(f"command {name}", clock, command["handler"], args, context, person=_username(payload.get("caller")))
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

    def _run_endpoint(self, payload: dict[str, Any], clock: Clock) -> dict[str, Any]:
        from .endpoint_call import answer_endpoint  # most calls are events

        def run(hook: str, work: Callable[[], Any]) -> Any:
            call = Call(hook, deadline=clock.hook_deadline, person=_username(payload["request"].get("user")))
            return run_hook(call, self._folder, work)

        return answer_endpoint(payload, run)

    def _run_action(self, plugin: Plugin, payload: dict[str, Any], clock: Clock) -> dict[str, Any]:
        """``handled`` tells what ran, None when there is nothing that could."""
        key, action, caller = payload["handler_id"], payload["action"], payload.get("caller")
        kept = actions.find(key)
        handler = kept or plugin.method("on_notification_action")
        if handler is None:
            return {"handled": None}
        pressed = {**action, "handler": actions.name_of(key)}
        hook = f"action {action['label']}" if kept else "on_notification_action"
        context = {"notification": payload["notification"], "user": caller}
        result = self.run(hook, clock, handler, pressed, context, person=_username(caller))
        return {"handled": "handler" if kept else "hook", "message": result if isinstance(result, str) else None}

    def _run_scheduled(self, plugin: Plugin, payload: dict[str, Any], clock: Clock) -> None:
        name = payload["name"]
        task = plugin.scheduled_task(name)
        if task is None:
            where = "on_load, or write a method of that name"
            raise _not_registered(NotFoundError, "scheduled task", name, "streamspace.schedule", where)
        self.run(f"schedule {name}", clock, task, {"name": name, "scheduled_time": _scheduled_time(payload.get("scheduled_time"))})

    def run(
        self,
        hook: str,
        clock: Clock,
        method: Callable[..., Any] | None,
        *given: Any,
        event_id: Any = None,
        person: str | None = None,
        hops: int | None = None,
    ) -> Any:
        """Runs author code; nothing when there is none."""
        if method is None:
            return None
        call = Call(hook, event_id, clock.hook_deadline, person, clock.hops if hops is None else hops)
        return run_hook(call, self._folder, lambda: call_with(method, given))

    def run_hook_of(self, event: dict[str, Any], clock: Clock) -> None:
        hook = self._plugin.hook_of(event["type"]) if self._plugin else None
        if self._plugin is not None and hook is not None:
            method = self._plugin.method(hook)
            about = {"event_id": event["id"], "person": _person_of(event), "hops": event.get("hops", 0)}
            self.run(hook, clock, method, event["data"], event, **about)


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
        self._runtime.run_hook_of(event, self._clock)

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


def _not_registered(error_class: type[StreamSpaceError], kind: str, name: str, method: str, where: str) -> StreamSpaceError:
    slug = environment.plugin()
    return error_class(f"the plugin '{slug}' has no {kind} '{name}'; register it with {method} in {where}")


def create_handler(file: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The Lambda handler for the plugin in the folder of ``file``. Called by the two-line shim beside manifest.json."""
    folder = os.path.dirname(os.path.abspath(file))  # noqa: PTH100, PTH120 - see failure.py
    return Runtime(folder).handle
