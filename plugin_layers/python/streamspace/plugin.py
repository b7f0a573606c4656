"""The author's code in this container."""

from __future__ import annotations

import json
import os
import sys

from . import declared, registry
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
        self.named = declared.events(manifest)

    @property
    def hooks(self) -> list[str]:
        """The event types that it hears."""
        return [event_type for event_type in HOOKS if self.hears(event_type)]

    def hears(self, event_type: str) -> bool:
        return self.hook_of(event_type) is not None

    def hook_of(self, event_type: str) -> str | None:
        """The name of the method that hears the event: the one that the manifest names, else the documented one."""
        named = self.named.get(event_type)
        if event_type not in HOOKS or named is False:
            return None
        documented = HOOKS[event_type]
        return self.spelt(named) or (documented if self.method(documented) else None)

    def lifecycle_method(self, name: str) -> Callable[..., Any] | None:
        """``on_load`` or ``on_unload``: ``lifecycle`` may name another method, or say that there is none."""
        lifecycle = self.manifest.get("lifecycle") or {}
        said = lifecycle.get({"on_load": "onLoad", "on_unload": "onUnload"}[name])
        return None if said is False else self.method(self.spelt(said)) or self.method(name)

    def spelt(self, name: Any) -> str | None:
        """The name as the author's method has it."""
        spellings = declared.spellings(name) if isinstance(name, str) else ()
        return next((spelling for spelling in spellings if self.method(spelling)), None)

    def method(self, name: str | None) -> Callable[..., Any] | None:
        found = getattr(self._target, name, None) if name else None
        return found if callable(found) else None

    def scheduled_task(self, name: str) -> Callable[..., Any] | None:
        """A handler given to ``streamspace.schedule``, else the method that the manifest, or the task's name, tells."""
        registered = registry.find("schedules", name)
        if registered is not None:
            handler: Callable[..., Any] = registered["handler"]
            return handler
        handlers = [task.get("handler") for task in declared.tasks(self.manifest) if task.get("name") == name]
        return self.method(self.spelt(handlers[0] if handlers else None) or self.spelt(name))

    def theme(self) -> Any:
        """What a theme's module has as ``theme``. Raises TypeError for what is not JSON: it would be lost on the way."""
        found = getattr(self._target, "theme", None)
        if found is None:
            return None
        try:
            return json.loads(json.dumps(found, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as cause:
            raise TypeError(f"the theme must be JSON: {cause}") from cause

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
    name = "".join(mark if mark.isalnum() else "_" for mark in main.removesuffix(".py"))
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
