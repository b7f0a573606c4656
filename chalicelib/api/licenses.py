"""Licences of installed plugins: REST §14, and renewing one."""

from __future__ import annotations

from chalicelib import plugins
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.views import licenses as views

routes = Routes()

_KEY = {
    "type": "object",
    "properties": {"license_key": {"type": "string", "maxLength": 100, "description": "XXXX-XXXX-XXXX-XXXX"}},
    "required": ["license_key"],
    "additionalProperties": False,
}


@routes.post("/admin/plugins/{slug}/license/activate", permission="plugins.license", body=_KEY, returns="LicenseActivation", aws_calls=20)
def activate(request: Request, slug: str) -> Reply:
    """REST §14. The plugin is not switched on by it. 403 LICENSE_INVALID, whose ``reason`` says why, LICENSE_EXPIRED; 404
    PLUGIN_NOT_FOUND; 409 OPERATION_IN_PROGRESS; 422 VALIDATION_ERROR; 503 LICENSE_SERVICE_UNAVAILABLE."""
    plugin = plugins.licenses.activate(slug, request.body["license_key"], by=request.caller)
    return Reply(views.activation(plugin), message="License activated successfully")


@routes.post("/admin/plugins/{slug}/license/deactivate", permission="plugins.license", returns="LicenseDeactivation", aws_calls=36)
def deactivate(request: Request, slug: str) -> Reply:
    """REST §14. Gives the seat back; a plugin that needs the licence is switched off first. 403 LICENSE_INVALID where there is none,
    PLUGIN_IS_CORE; 404 PLUGIN_NOT_FOUND; 409 OPERATION_IN_PROGRESS; 422 HAS_DEPENDENTS."""
    plugin = plugins.licenses.deactivate(slug, by=request.caller)
    return Reply(views.deactivation(plugin), message="License deactivated successfully")


@routes.get("/admin/plugins/{slug}/license/verify", permission="plugins.license", returns="VerifiedLicense", aws_calls=9)
def verify(request: Request, slug: str) -> Reply:
    """REST §14. Asks the licence service; where that is away, the signed licence decides, and ``is_confirmed`` is false. 403
    LICENSE_INVALID, LICENSE_EXPIRED; 404 PLUGIN_NOT_FOUND."""
    found = plugins.licenses.verify(slug)
    return Reply({**views.details(found.plugin), "is_confirmed": found.is_confirmed})


@routes.post("/admin/plugins/{slug}/license/renew", permission="plugins.license", returns="License", aws_calls=10)
def renew(request: Request, slug: str) -> Reply:
    """Fetch the licence anew now, as the check does once a day. 403 LICENSE_INVALID, LICENSE_EXPIRED; 404 PLUGIN_NOT_FOUND; 409
    OPERATION_IN_PROGRESS; 503 LICENSE_SERVICE_UNAVAILABLE."""
    plugin = plugins.licenses.renew(slug, by=request.caller)
    return Reply(views.details(plugin), message="License renewed successfully")
