"""One plugin in one container: answers the payloads of docs/runtime-protocol.md."""

from __future__ import annotations

import os
import time

from . import environment, redaction, registry
from .call import FOREVER, Call
from .declared import declares
from .events import HOOKS
from .hooks import HookFailed, call_with, run_hook
from .plugin import Plugin, load_plugin

# What only some calls need is imported where they need it: a module that is not loaded costs a cold start nothing.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RESERVED_SHARE = 0.1  # of a call's time: less than this left is too little to begin with another event
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
        self.folder = folder
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
            from .calls import deliver

            return deliver(self, payload["Records"], clock)
        try:
            return {"ok": True, **self._answer(payload, clock)}
        except Exception as error:
            from . import log
            from .failure import describe_failure

            failure = error.failure if isinstance(error, HookFailed) else describe_failure(error, self.folder)
            if "scheduled_time" not in payload:
                return {"ok": False, "error": failure}
            # Nobody reads what a scheduled run answers: raising makes Lambda try again, and the log tells why.
            if not isinstance(error, HookFailed):
                log.error(f"The scheduled task '{payload.get('name')}' failed: {failure['message']}", failure)
            raise

    def _answer(self, payload: dict[str, Any], clock: Clock) -> dict[str, Any]:
        kind = payload.get("kind")
        if kind == "load":
            from .registered import registered_by

            return {"registered": registered_by(self.load(payload, clock), self.folder)}
        if kind == "unload":
            plugin = self.prepare(None, clock)
            self._is_ready = False
            self.run("on_unload", clock, plugin.lifecycle_method("on_unload"))
            return {}
        from .calls import answer

        return answer(self, payload, clock)

    def _load_module(self, deadline: float) -> Plugin:
        """Runs the author's module once per container, again after it failed."""
        if self._module_failure is not None:
            failure, self._module_failure = self._module_failure, None
            raise failure
        if self._plugin is None:
            self._plugin = run_hook(Call("module", deadline=deadline), self.folder, lambda: load_plugin(self.folder))
        assert self._plugin is not None
        return self._plugin

    def load(self, told: dict[str, Any], clock: Clock) -> Plugin:
        plugin = self._load_module(clock.hook_deadline)
        self._is_ready = False
        registry.reset()
        self._take(plugin, told)
        self.run("on_load", clock, plugin.lifecycle_method("on_load"))
        if declares(plugin.manifest):
            from .endpoints import take_declared

            take_declared(plugin)
        self._is_ready = True
        return plugin

    def prepare(self, settings_version: float | None, clock: Clock) -> Plugin:
        """Sees to it that on_load has run in this container and that settings of at least that version are known."""
        plugin = self._load_module(clock.hook_deadline)
        if self._is_ready and (settings_version or 0) <= self._settings_version:
            return plugin
        from .client import request

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
    def plugin(self) -> Plugin | None:
        return self._plugin

    @property
    def is_ready(self) -> bool:
        return self._is_ready

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
        return run_hook(call, self.folder, lambda: call_with(method, given))


def create_handler(file: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The Lambda handler for the plugin in the folder of ``file``. Called by the two-line shim beside manifest.json."""
    folder = os.path.dirname(os.path.abspath(file))  # noqa: PTH100, PTH120 - see failure.py
    return Runtime(folder).handle
