"""Those who act in the tests of accounts."""

from chalicelib.accounts import Caller

PASSWORD = "correct horse battery"
ADMIN = Caller("user", "root", "Root", "admin", None)
PLUGIN_WITH_USERS = Caller("plugin", "directory", "directory", "user", frozenset({"read:users", "write:users"}))
