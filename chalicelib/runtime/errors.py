"""What can go wrong with a running plugin."""

from chalicelib.core.errors import Conflict, NotFound, OperationInProgress, StreamSpaceError


class PluginCrashed(StreamSpaceError):
    """The function died, ran out of time or memory, or answered what is not the protocol."""

    code, status = "PLUGIN_CRASHED", 502
    message = "The plugin's function crashed"


class PluginFailedToLoad(StreamSpaceError):
    """``onLoad`` threw; the message is the plugin's own."""

    code, status = "PLUGIN_FAILED_TO_LOAD", 422
    message = "The plugin failed to load"


class CommandFailed(StreamSpaceError):
    """A command's handler threw. ``details``: its ``name`` and ``message``, and where."""

    code, status = "COMMAND_FAILED", 502
    message = "The command failed"


class PluginHeld(OperationInProgress):
    """It is between two versions."""

    message = "The plugin is being updated"


class CommandNotFound(NotFound):
    code = "COMMAND_NOT_FOUND"
    message = "No active plugin has registered this command"


class CommandAlreadyRegistered(Conflict):
    code = "COMMAND_ALREADY_REGISTERED"
    message = "Another active plugin has registered a command of this name"


class EndpointFailed(StreamSpaceError):
    """An endpoint's handler threw, or answered nothing. ``details`` as those of CommandFailed; a stranger gets none."""

    code, status = "ENDPOINT_FAILED", 502
    message = "The plugin's endpoint failed"


class NotificationActionFailed(StreamSpaceError):
    """What a notification's button runs threw. ``details`` as those of CommandFailed."""

    code, status = "NOTIFICATION_ACTION_FAILED", 502
    message = "The notification's action failed"


class DeadLetterNotFound(NotFound):
    code = "DEAD_LETTER_NOT_FOUND"
    message = "There is no dead letter with this event id"


class EventNotFound(NotFound):
    code = "EVENT_NOT_FOUND"
    message = "There is no such event"


class ValueTooLarge(StreamSpaceError):
    """``details``: ``size_bytes`` and ``limit_bytes``."""

    code, status = "VALUE_TOO_LARGE", 413
    message = "The value is too large to store"


class StorageQuotaExceeded(StreamSpaceError):
    """``details``: ``used_bytes``, ``allowed_bytes``, ``used_keys``, ``allowed_keys``."""

    code, status = "STORAGE_QUOTA_EXCEEDED", 403
    message = "The plugin's storage is full"


class TableNotFound(NotFound):
    """``details``: ``table``, and ``tables``, the names of those that there are."""

    code = "TABLE_NOT_FOUND"
    message = "The plugin has no table of this name"


class ItemAlreadyExists(Conflict):
    code = "ITEM_ALREADY_EXISTS"
    message = "There is an item with this key already"


class MigrationFailed(StreamSpaceError):
    """``details``: the ``migration``, and what was wrong."""

    code, status = "MIGRATION_FAILED", 422
    message = "A migration could not be run"
