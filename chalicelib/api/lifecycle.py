"""Installing, updating, uninstalling and switching plugins on and off: REST §5 to §9, and the jobs behind them."""

from __future__ import annotations

from chalicelib import jobs, plugins
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.job_answers import answer
from chalicelib.api.views import jobs as views

routes = Routes()

# API Gateway passes 10 MB on, but a Lambda event holds 6 MB.
_LARGEST_UPLOAD = 5_500_000

_INSTALL = {
    "type": "object",
    "properties": {
        "source": {"enum": ["marketplace", "upload"]},
        "slug": {"type": "string", "minLength": 1, "maxLength": 63},
        "version": {"type": "string", "minLength": 1, "maxLength": 64},
        "package": {"type": "string", "minLength": 1},
        "activate": {"type": "boolean"},
        "license_key": {
            "type": "string",
            "maxLength": 100,
            "description": "Without one, what needs a licence stays off",
        },
    },
    "required": ["source"],
    "additionalProperties": False,
    "allOf": [
        {"if": {"properties": {"source": {"const": "marketplace"}}}, "then": {"required": ["slug"]}},
        {"if": {"properties": {"source": {"const": "upload"}}}, "then": {"required": ["package"]}},
    ],
}

_UPDATE = {
    "type": "object",
    "properties": {
        "version": {"type": "string", "minLength": 1, "maxLength": 64},
        "backup": {"type": "boolean", "default": True},
        "package": {"type": "string", "minLength": 1, "description": "A package in base64, instead of the marketplace's"},
    },
    "additionalProperties": False,
    "not": {"required": ["version", "package"]},
}


@routes.post(
    "/admin/plugins/install",
    permission="plugins.install",
    body=_INSTALL,
    body_limit=_LARGEST_UPLOAD,
    returns={200: "Installation", 202: "StartedJob"},
    aws_calls=40,
)
def install(request: Request) -> Reply:
    """REST §7. 200 when done within 20 s, else 202.

    404 PLUGIN_NOT_FOUND; 409 PLUGIN_ALREADY_INSTALLED, OPERATION_IN_PROGRESS; 422 PACKAGE_INVALID, SIGNATURE_INVALID, DEPENDENCIES_NOT_MET,
    DEPENDENCY_CONFLICT; 503 MARKETPLACE_UNAVAILABLE; 500 INSTALLATION_FAILED, with the
    cause's code: LICENSE_INVALID, say.
    """
    job = jobs.start_install(request.body, actor=request.caller.actor)
    return answer(request, job, "Plugin installed successfully", jobs.InstallationFailed)


@routes.post(
    "/admin/plugins/{slug}/update",
    permission="plugins.update",
    body=_UPDATE,
    body_limit=_LARGEST_UPLOAD,
    returns={200: "Update", 202: "StartedJob"},
    aws_calls=40,
)
def update(request: Request, slug: str) -> Reply:
    """REST §8. Without a version to the newest that fits; with one also to an older. 200 when done within 20 s, else 202.

    404 PLUGIN_NOT_FOUND; 409 PLUGIN_UP_TO_DATE, OPERATION_IN_PROGRESS; 422 DEPENDENCIES_NOT_MET, DEPENDENCY_CONFLICT,
    PACKAGE_INVALID, SIGNATURE_INVALID; 503 MARKETPLACE_UNAVAILABLE; 500 UPDATE_FAILED, and then the version before it is in place again.
    """
    job = jobs.start_update(slug, request.body, actor=request.caller.actor)
    return answer(request, job, "Plugin updated successfully", jobs.UpdateFailed)


@routes.delete(
    "/admin/plugins/{slug}",
    permission="plugins.uninstall",
    query={"keep_data": {"type": "boolean", "default": False}, "backup": {"type": "boolean", "default": True}},
    returns={200: "Uninstallation", 202: "StartedJob"},
    aws_calls=40,
)
def uninstall(request: Request, slug: str) -> Reply:
    """REST §9. 200 when done within 20 s, else 202. 404 PLUGIN_NOT_FOUND, 403 PLUGIN_IS_CORE, 422 HAS_DEPENDENTS;
    409 OPERATION_IN_PROGRESS, 500 UNINSTALLATION_FAILED."""
    query = request.query
    job = jobs.start_uninstall(slug, keep_data=query["keep_data"], backup=query["backup"], actor=request.caller.actor)
    return answer(request, job, "Plugin uninstalled successfully", jobs.UninstallationFailed)


@routes.post("/admin/plugins/{slug}/activate", permission="plugins.activate", returns="Activation", aws_calls=30)
def activate(request: Request, slug: str) -> Reply:
    """REST §5. 409 PLUGIN_ALREADY_ACTIVE, COMMAND_ALREADY_REGISTERED, OPERATION_IN_PROGRESS; 422 DEPENDENCIES_NOT_MET,
    PLUGIN_FAILED_TO_LOAD; 403 LICENSE_INVALID, LICENSE_EXPIRED; 404 PLUGIN_NOT_FOUND; 502 PLUGIN_CRASHED."""
    plugin = plugins.activate(slug, by=request.caller)
    return Reply(views.activation(plugin), message="Plugin activated successfully")


@routes.post("/admin/plugins/{slug}/deactivate", permission="plugins.activate", returns="Deactivation", aws_calls=30)
def deactivate(request: Request, slug: str) -> Reply:
    """REST §6. 409 PLUGIN_NOT_ACTIVE, OPERATION_IN_PROGRESS; 422 HAS_DEPENDENTS; 403 PLUGIN_IS_CORE; 404 PLUGIN_NOT_FOUND."""
    plugin = plugins.deactivate(slug, by=request.caller)
    return Reply(views.deactivation(plugin), message="Plugin deactivated successfully")


@routes.get("/admin/jobs/{job_id}", permission="plugins.view", returns="Job", aws_calls=2)
def job_record(request: Request, job_id: str) -> Reply:
    """404 JOB_NOT_FOUND."""
    return Reply(views.job(jobs.get(job_id)))


@routes.get("/admin/plugins/install/{job_id}/progress", permission="plugins.view", returns="EventStream", aws_calls=60)
def progress(request: Request, job_id: str) -> Reply:
    """REST §7, progress. Waits up to 20 s for news and returns it; the client reconnects with Last-Event-ID. 404 JOB_NOT_FOUND."""
    news = jobs.wait_for_news(job_id, request.header("last-event-id") or "")
    return Reply(text=views.event_stream(news), headers={"Content-Type": "text/event-stream; charset=utf-8"})
