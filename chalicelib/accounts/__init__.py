"""People and programs: users, roles, permissions, passwords, tokens."""

from chalicelib.accounts.caller import Caller

__all__ = ["Caller"]
