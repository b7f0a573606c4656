"""Puts the API together from the routes of each resource, each of them when the first request for it comes.

A cold start then pays for the resource that is asked for, and not for the rest of the platform: all of it is as much as everything else
together (``make bench``).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from chalicelib.api.http import Api, Route
from chalicelib.api.routing import BASE_PATH, path_of

# Each module of routes, and what its paths begin with.
RESOURCES = {
    "assets": ("plugins",),
    "auth": ("auth",),
    "commands": ("commands", "ui"),
    "dialogs": ("dialogs",),
    "email": ("admin", "email"),
    "endpoints": ("plugins",),
    "licenses": ("admin",),
    "lifecycle": ("admin",),
    "limits": ("admin",),
    "marketplace": ("admin",),
    "notifications": ("notifications",),
    "openapi": ("openapi.json",),
    "platform": ("health", "platform"),
    "plugin_data": ("admin",),
    "plugins": ("admin",),
    "policies": ("admin",),
    "runtime": ("admin", "runtime"),
    "safe_mode": ("admin",),
    "sessions": ("sessions", "users"),
    "sso": ("auth", "platform"),
    "storage": ("storage",),
    "tables": ("tables",),
    "templates": ("templates",),
    "tiers": ("admin",),
    "updates": ("admin",),
    "uploads": ("uploads",),
    "users": ("users",),
    "visits": ("sessions",),
    "webhooks": ("admin",),
}


class Application(Api):
    """The whole API. Knows from the first word of a path which modules of routes it needs, and includes each of them once."""

    def __init__(self, app_name: str) -> None:
        super().__init__(app_name)
        self._included: set[str] = set()

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        head = path_of(event).removeprefix(BASE_PATH).strip("/").partition("/")[0]
        for module, heads in RESOURCES.items():
            if head in heads:
                self.include_resource(module)
        return super().__call__(event, context)

    def include_resource(self, module: str) -> None:
        if module not in self._included:
            self.include(import_module(f"chalicelib.api.{module}").routes)
            self._included.add(module)

    def include_everything(self) -> Application:
        """For what looks at all routes at once."""
        for module in RESOURCES:
            self.include_resource(module)
        return self


def every_route() -> list[Route]:
    """All declared routes, of all resources."""
    return [route for module in RESOURCES for route in import_module(f"chalicelib.api.{module}").routes.declared]


def build() -> Application:
    """The API, as yet with the routes of ``platform`` only: Chalice packages no API for an app without any."""
    api = Application("streamspace")
    api.include_resource("platform")
    return api
