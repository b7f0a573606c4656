"""Which plugins and publishers administrators allow, and which not. Values; nothing here is kept.

Promises
    What is denied is neither installed, nor updated, nor activated. Denying wins over allowing.
    Where anything is allowed by name, nothing else is.
    A publisher is allowed by key only: a name can be borrowed, a key cannot. Denied they can be by the author's name too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import marketplace
from chalicelib.core.errors import ValidationError
from chalicelib.plugins import manifest as manifests
from chalicelib.plugins.errors import PluginDenied
from chalicelib.plugins.registry import InstalledPlugin


@dataclass(frozen=True)
class PluginLists:
    allowed_plugins: frozenset[str] = frozenset()
    allowed_publishers: frozenset[str] = frozenset()
    denied_plugins: frozenset[str] = frozenset()
    denied_publishers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> PluginLists:
        """Of a document whose shape was checked. Raises ValidationError, by field."""
        allow, deny = given.get("allow") or {}, given.get("deny") or {}
        faults: dict[str, list[str]] = {}
        for name, listed in (("allow", allow), ("deny", deny)):
            wrong = [one for one in listed.get("plugins") or () if not manifests.is_slug(one)]
            if wrong:
                faults[f"{name}.plugins"] = [f"'{one}' is no plugin's slug" for one in wrong]
        no_keys = [one for one in allow.get("publishers") or () if not marketplace.is_publisher_key(one)]
        if no_keys:
            faults["allow.publishers"] = [
                f"'{one}' is no publisher's key (44 characters of base64); a name could be borrowed" for one in no_keys
            ]
        if faults:
            raise ValidationError(faults)
        return cls(
            frozenset(allow.get("plugins") or ()),
            frozenset(allow.get("publishers") or ()),
            frozenset(deny.get("plugins") or ()),
            frozenset(deny.get("publishers") or ()),
        )

    def as_json(self) -> dict[str, dict[str, list[str]]]:
        return {
            "allow": {"plugins": sorted(self.allowed_plugins), "publishers": sorted(self.allowed_publishers)},
            "deny": {"plugins": sorted(self.denied_plugins), "publishers": sorted(self.denied_publishers)},
        }

    def why_not(self, slug: str, publisher: str | None, author: str | None) -> str | None:
        """The reason to refuse it, as a sentence; None where it may be installed."""
        if slug in self.denied_plugins:
            return f"'{slug}' is on the administrators' list of denied plugins"
        if publisher in self.denied_publishers:
            return f"The publisher of '{slug}' ({publisher}) is on the administrators' list of denied publishers"
        if author and author.casefold() in {one.casefold() for one in self.denied_publishers}:
            return f"The author of '{slug}' ({author}) is on the administrators' list of denied publishers"
        if not (self.allowed_plugins or self.allowed_publishers) or slug in self.allowed_plugins or publisher in self.allowed_publishers:
            return None
        return f"'{slug}' is not among the plugins and publishers that the administrators allow"

    def why_not_installed(self, plugin: InstalledPlugin) -> str | None:
        """The same, of one that is installed. Core plugins belong to the platform, and are always allowed."""
        if plugin.manifest.is_core:
            return None
        return self.why_not(plugin.slug, plugin.publisher, plugin.manifest.author.get("name"))

    def refuse(self, slug: str, publisher: str | None, author: str | None) -> None:
        """Raises PluginDenied."""
        reason = self.why_not(slug, publisher, author)
        if reason is not None:
            raise PluginDenied(slug, reason)

    def refuse_installed(self, plugin: InstalledPlugin) -> None:
        """Raises PluginDenied."""
        reason = self.why_not_installed(plugin)
        if reason is not None:
            raise PluginDenied(plugin.slug, reason)
