"""Health, and what the platform is."""

from __future__ import annotations

from typing import Any

from chalicelib import accounts
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import config, rate_limiter

routes = Routes()

_RATE = {"type": ["integer", "null"], "minimum": 1, "maximum": rate_limiter.MOST_PER_MINUTE, "description": "a minute; null: the default"}
_SETTINGS = {
    "type": "object",
    "properties": {
        "rate_limits": {
            "type": "object",
            "properties": dict.fromkeys(rate_limiter.DEFAULT_PER_MINUTE, _RATE),
            "minProperties": 1,
            "additionalProperties": False,
        }
    },
    "required": ["rate_limits"],
    "additionalProperties": False,
}


@routes.get("/health", public=True, returns="Health", aws_calls=1)
def health(request: Request) -> Reply:
    """200 when requests can be served: when the table that every request needs can be read. 503 SERVICE_UNAVAILABLE else."""
    accounts.must_be_readable()
    return Reply({"status": "ok", "version": config.PLATFORM_VERSION})


@routes.get("/platform", public=True, returns="Platform", aws_calls=2)
def platform(request: Request) -> Reply:
    """The version; to whoever is signed in also the configuration, and the counts to those with ``platform.view``.

    401 UNAUTHENTICATED for a token that is no good.
    """
    about: dict[str, Any] = {"name": "StreamSpace", "version": config.PLATFORM_VERSION}
    caller = request.identify()
    if caller is not None:
        about["safe_mode"] = accounts.counts.is_safe_mode()
        about["config"] = {"namespace": config.namespace(), "ingressDomain": config.ingress_domain(), "hibernationEnabled": True}
        if not caller.is_plugin and caller.may("platform.view"):
            # Imported here: this module is part of every cold start (application.py).
            from chalicelib import plugins

            installed = plugins.all_installed()
            about["counts"] = {"plugins": len(installed), "active_plugins": sum(one.is_active for one in installed)}
    return Reply(about)


@routes.get("/platform/settings", permission="platform.configure", returns="PlatformSettings", aws_calls=2)
def settings(request: Request) -> Reply:
    """What administrators can change while the platform runs. ``rate_limits``: requests a minute of one caller, by group."""
    return Reply({"rate_limits": accounts.allowed.known_rates().shown()})


@routes.patch("/platform/settings", permission="platform.configure", body=_SETTINGS, returns="PlatformSettings", aws_calls=3)
def change_settings(request: Request) -> Reply:
    """What is left out stays. Holds for requests that begin a second later. 422 VALIDATION_ERROR."""
    rates = accounts.counts.change_rates(request.body["rate_limits"], by=request.caller.actor)
    return Reply({"rate_limits": rates.shown()}, message="Settings updated successfully")
