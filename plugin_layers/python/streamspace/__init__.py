"""The StreamSpace plugin API for Python plugins: ``import streamspace``.

    sessions = streamspace.api.get_sessions(user="john")
    streamspace.notify("john", title="Session Ready", message="Your Firefox session is ready to use!")

Every method blocks and returns its answer; in an ``async def`` the answer may be awaited too (see
:mod:`streamspace.awaitable`). Objects are the dicts of the plugin API (:mod:`streamspace.types`), errors the classes of
:mod:`streamspace.errors`.
"""

from . import environment as _environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import api as api
    from . import commands as commands
    from . import db as db
    from . import email as email
    from . import errors as errors
    from . import log as log
    from . import storage as storage
    from . import ui as ui
    from .errors import *  # noqa: F403
    from .errors import StreamSpaceError as StreamSpaceError
    from .notifications import notify as notify
    from .notifications import notify_admins as notify_admins
    from .notifications import notify_all as notify_all
    from .schedules import schedule as schedule
    from .timers import clear_interval as clear_interval
    from .timers import clear_timeout as clear_timeout
    from .timers import set_interval as set_interval
    from .timers import set_timeout as set_timeout

    version: str
    config: _environment.PlatformConfig
else:
    # Each is a file or more to read at a cold start, and most plugins use a few of them.
    _NAMESPACES = ("api", "commands", "db", "email", "errors", "log", "storage", "ui")
    _FUNCTIONS = {
        "notify": "notifications",
        "notify_admins": "notifications",
        "notify_all": "notifications",
        "schedule": "schedules",
        "clear_interval": "timers",
        "clear_timeout": "timers",
        "set_interval": "timers",
        "set_timeout": "timers",
    }

    def __getattr__(name):
        """What is imported or read when it is first asked for. ``version`` and ``config`` each time: they are the environment's."""
        if name == "version":
            return _environment.version()
        if name == "config":
            return _environment.config()
        is_error = name.endswith("Error")
        if not is_error and name not in _NAMESPACES and name not in _FUNCTIONS:
            raise AttributeError(f"module 'streamspace' has no attribute '{name}'")
        from importlib import import_module

        if name in _NAMESPACES:
            return import_module(f".{name}", __name__)
        module = import_module(f".{_FUNCTIONS.get(name, 'errors')}", __name__)
        if not hasattr(module, name):
            raise AttributeError(f"module 'streamspace' has no attribute '{name}'")
        globals()[name] = getattr(module, name)
        return globals()[name]

    def __dir__():
        return sorted({*globals(), *_NAMESPACES, *_FUNCTIONS, "version", "config"})
