"""The StreamSpace plugin API for Python plugins: ``import streamspace``.

    sessions = streamspace.api.get_sessions(user="john")
    streamspace.notify("john", title="Session Ready", message="Your Firefox session is ready to use!")

Every method blocks and returns its answer; in an ``async def`` the answer may be awaited too (see
:mod:`streamspace.awaitable`). Objects are the dicts of the plugin API (:mod:`streamspace.types`), errors the classes of
:mod:`streamspace.errors`.
"""

from . import api as api
from . import commands as commands
from . import db as db
from . import email as email
from . import environment as _environment
from . import errors as errors
from . import log as log
from . import storage as storage
from . import ui as ui
from .errors import StreamSpaceError as StreamSpaceError
from .notifications import notify as notify
from .notifications import notify_admins as notify_admins
from .notifications import notify_all as notify_all
from .schedules import schedule as schedule
from .timers import clear_interval as clear_interval
from .timers import clear_timeout as clear_timeout
from .timers import set_interval as set_interval
from .timers import set_timeout as set_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .errors import *  # noqa: F403

    version: str
    config: _environment.PlatformConfig
else:

    def __getattr__(name):
        """``version`` and ``config`` are read when they are asked for: importing touches no environment."""
        if name == "version":
            return _environment.version()
        if name == "config":
            return _environment.config()
        if name.endswith("Error") and hasattr(errors, name):
            return getattr(errors, name)
        raise AttributeError(f"module 'streamspace' has no attribute '{name}'")
