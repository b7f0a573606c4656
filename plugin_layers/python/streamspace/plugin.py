"""The author's code in this container."""

from __future__ import annotations

import json
import os
import re
import sys

from . import registry
from .events import HOOKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


class Plugin:
    """One object, ``self`` of every hook, so that what one hook keeps the next one finds.

    It is an instance of the module's class ``Plugin``, or else the module itself with its functions, which find
    ``config`` and ``manifest`` as the module's globals.
    """

    def __init__(self, target: Any, manifest: dict[str, Any], *, takes_config: bool = True) -> None:
        self._target = target
        self._takes_config = takes_config
        self.manifest = manifest

    @property
    def hooks(self) -> list[str]:
        """The event types that it hears."""
        return [event_type for event_type in HOOKS if self.hears(event_type)]

    def hears(self, event_type: str) -> bool:
        return event_type in HOOKS and self.method(HOOKS[event_type]) is not None

    def method(self, name: str) -> Callable[..., Any] | None:
        found = getattr(self._target, name, None)
        return found if callable(found) else None

    def scheduled_task(self, name: str) -> Callable[..., Any] | None:
        """A handler given to ``streamspace.schedule``, else the method that the manifest, or the task's name, tells."""
        registered = registry.find("schedules", name)
        if registered is not None:
            handler: Callable[..., Any] = registered["handler"]
            return handler
        declared = (self.manifest.get("contributes") or {}).get("scheduled_tasks") or []
        handlers = [task.get("handler") for task in declared if task.get("name") == name]
        return self.method((handlers and handlers[0]) or name) or self.method(re.sub(r"[-\s.]+", "_", name))

    def configure(self, settings: dict[str, Any]) -> None:
        if self._takes_config:
            self._target.config = settings


def load_plugin(folder: str) -> Plugin:
    """Reads the manifest, runs the author's module and makes its object. Raises what the module raises."""
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:  # noqa: PTH118, PTH123 - see failure.py
        manifest: dict[str, Any] = json.load(file)
    main = (manifest.get("entrypoints") or {}).get("main") or "plugin.py"
    no_settings: dict[str, Any] = {}
    module = _run_module(folder, main, {"config": no_settings, "manifest": manifest})
    if isinstance(getattr(module, "Plugin", None), type):
        plugin = Plugin(_instance(module.Plugin, manifest), manifest)
    else:  # the module may have a global `config` of its own, which is not ours to replace
        plugin = Plugin(module, manifest, takes_config=vars(module).get("config") is no_settings)
    registry.keep()
    return plugin


def _run_module(folder: str, main: str, given_globals: dict[str, Any]) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    path = os.path.join(folder, main)  # noqa: PTH118
    for importable in (os.path.join(folder, "vendor"), os.path.dirname(path), folder):  # noqa: PTH118, PTH120
        if importable not in sys.path:
            sys.path.insert(0, importable)
    name = re.sub(r"\W", "_", main.removesuffix(".py"))
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"entrypoints.main in manifest.json must name a Python file, not '{main}'")
    module = module_from_spec(spec)
    vars(module).update(given_globals)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _instance(plugin_class: Any, manifest: dict[str, Any]) -> Any:
    """``config`` and ``manifest`` are there before ``__init__`` runs."""
    instance = plugin_class.__new__(plugin_class)
    instance.config = {}
    instance.manifest = manifest
    instance.__init__()
    return instance
