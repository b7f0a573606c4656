"""Health, and what the platform is."""

from __future__ import annotations

from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import config

routes = Routes()


@routes.get("/health", public=True, aws_calls=0)
def health(request: Request) -> Reply:
    """200 when requests can be served."""
    return Reply({"status": "ok", "version": config.PLATFORM_VERSION})
