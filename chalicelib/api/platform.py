"""Health, and what the platform is."""

from __future__ import annotations

from typing import Any

from chalicelib import accounts
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import config

routes = Routes()


@routes.get("/health", public=True, aws_calls=1)
def health(request: Request) -> Reply:
    """200 when requests can be served: when the table that every request needs can be read. 503 SERVICE_UNAVAILABLE else."""
    accounts.must_be_readable()
    return Reply({"status": "ok", "version": config.PLATFORM_VERSION})


@routes.get("/platform", public=True, aws_calls=2)
def platform(request: Request) -> Reply:
    """The version; to whoever is signed in also the configuration, and the counts to those with ``platform.view``."""
    about: dict[str, Any] = {"name": "StreamSpace", "version": config.PLATFORM_VERSION}
    caller = request.identify()
    if caller is not None:
        about["config"] = {"namespace": config.namespace(), "ingressDomain": config.ingress_domain(), "hibernationEnabled": True}
        if not caller.is_plugin and caller.may("platform.view"):
            # Imported here: this module is part of every cold start (application.py).
            from chalicelib import plugins

            installed = plugins.all_installed()
            about["counts"] = {"plugins": len(installed), "active_plugins": sum(one.is_active for one in installed)}
    return Reply(about)
