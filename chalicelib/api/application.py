"""Puts the API together from the routes of each resource."""

from __future__ import annotations

from chalicelib.api import auth, commands, lifecycle, marketplace, platform, plugins, runtime, sessions, storage, templates, users
from chalicelib.api.http import Api

RESOURCES = (
    auth.routes,
    commands.routes,
    lifecycle.routes,
    marketplace.routes,
    platform.routes,
    plugins.routes,
    runtime.routes,
    sessions.routes,
    storage.routes,
    templates.routes,
    users.routes,
)


def build() -> Api:
    """The whole API. Imports every resource's routes, but no AWS client and no model's table."""
    api = Api("streamspace")
    for routes in RESOURCES:
        api.include(routes)
    return api
