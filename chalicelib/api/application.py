"""Puts the API together from the routes of each resource."""

from __future__ import annotations

from chalicelib.api import platform
from chalicelib.api.http import Api

RESOURCES = (platform.routes,)


def build() -> Api:
    """The whole API. Imports every resource's routes, but no AWS client and no model's table."""
    api = Api("streamspace")
    for routes in RESOURCES:
        api.include(routes)
    return api
