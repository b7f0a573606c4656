"""Puts the API together from the routes of each resource."""

from __future__ import annotations

from chalicelib.api import (
    auth,
    commands,
    email,
    lifecycle,
    marketplace,
    notifications,
    platform,
    plugins,
    runtime,
    sessions,
    storage,
    templates,
    users,
)
from chalicelib.api.http import Api

RESOURCES = (
    auth.routes,
    commands.routes,
    email.routes,
    lifecycle.routes,
    marketplace.routes,
    notifications.routes,
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
