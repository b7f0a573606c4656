"""Who is asking: a person, or a plugin with its own token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chalicelib.accounts.permissions import OF_ROLE
from chalicelib.core.errors import PermissionDenied
from chalicelib.events import Actor


@dataclass(frozen=True)
class Caller:
    """``id`` is the username or the slug. ``scopes`` None means: whatever the role may (a person who signed in)."""

    kind: Literal["user", "plugin"]
    id: str
    name: str
    role: str
    scopes: frozenset[str] | None
    token_hash: str = ""
    # A plugin's: how many plugins' hooks, one causing the next, led to what it does, its own included; None where it does not say.
    hops: int | None = None

    @property
    def is_plugin(self) -> bool:
        return self.kind == "plugin"

    @property
    def actor(self) -> Actor:
        return Actor(self.id, self.name, "plugin", self.hops) if self.is_plugin else Actor(self.id, self.name)

    def has_scope(self, scope: str) -> bool:
        return self.scopes is None or scope in self.scopes

    def may(self, permission: str) -> bool:
        """Whether this caller has the permission. A plugin is bound by its scopes, which the edge checks, instead."""
        if self.is_plugin:
            return True
        return permission in OF_ROLE.get(self.role, frozenset())

    def require(self, permission: str) -> None:
        """Raises PermissionDenied, naming the permission."""
        if not self.may(permission):
            raise PermissionDenied(f"You need the permission '{permission}' to do this", permission=permission)

    def require_self_or(self, username: str, permission: str) -> None:
        """Everyone may act on what is their own; on others' only with the permission. Raises PermissionDenied."""
        if self.is_plugin or self.id != username:
            self.require(permission)
