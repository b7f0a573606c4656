"""Installing, updating, uninstalling and switching plugins on and off: REST §5 to §9, and the jobs behind them."""

from __future__ import annotations

from chalicelib import accounts, jobs, plugins
from chalicelib.accounts import Caller
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.job_answers import answer
from chalicelib.api.routing import BASE_PATH
from chalicelib.api.views import jobs as views
from chalicelib.core import clock, uploads

routes = Routes()

# API Gateway passes 10 MB on, but a Lambda event holds 6 MB, and has the body as base64.
_LARGEST_REQUEST = 4_500_000
_UPLOADS = "/admin/plugins/install/uploads"
_UPLOAD_FIRST = {
    "hint": f"upload a larger package first: POST {BASE_PATH}{_UPLOADS} with its size_bytes says where to, then name its upload_id here",
    "upload": {
        "method": "POST",
        "href": f"{BASE_PATH}{_UPLOADS}",
        "body": {"size_bytes": "the package's size"},
        "limit_bytes": plugins.LARGEST_PACKAGE_BYTES,
        "then": {"upload_id": "what it answers"},
    },
}
_NEW_UPLOAD = {
    "type": "object",
    "additionalProperties": False,
    "required": ["size_bytes"],
    "properties": {"size_bytes": {"type": "integer", "minimum": 1, "maximum": plugins.LARGEST_PACKAGE_BYTES}},
}
_PACKAGE = {"type": "string", "minLength": 1, "description": "A package in base64"}
_UPLOAD_ID = {"type": "string", "minLength": 1, "maxLength": 100, "description": f"A package that was uploaded: see POST {_UPLOADS}"}

_INSTALL = {
    "type": "object",
    "properties": {
        "source": {"enum": ["marketplace", "upload"]},
        "slug": {"type": "string", "minLength": 1, "maxLength": 63},
        "version": {"type": "string", "minLength": 1, "maxLength": 64},
        "package": _PACKAGE,
        "upload_id": _UPLOAD_ID,
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
        {
            "if": {"properties": {"source": {"const": "upload"}}},
            "then": {
                "if": {"required": ["upload_id"]},
                "then": {"not": {"required": ["package"]}, "description": "Must have either package or upload_id"},
                "else": {"required": ["package"]},
            },
        },
    ],
}

_UPDATE = {
    "type": "object",
    "properties": {
        "version": {"type": "string", "minLength": 1, "maxLength": 64},
        "backup": {"type": "boolean", "default": True},
        "package": _PACKAGE,
        "upload_id": _UPLOAD_ID,
    },
    "additionalProperties": False,
    "description": "Must have at most one of version, package and upload_id",
    "not": {"anyOf": [{"required": pair} for pair in (["version", "package"], ["version", "upload_id"], ["package", "upload_id"])]},
}


@routes.post(_UPLOADS, permission="plugins.install", body=_NEW_UPLOAD, returns={201: "Upload"}, aws_calls=1)
def begin_upload(request: Request) -> Reply:
    """``{upload_id, url, method, headers, expires_at}``: send exactly so many bytes there, without a token; then install or update with the
    id. It is the caller's alone, serves once, and is gone after a day."""
    upload = uploads.begin(_owner(request), request.body["size_bytes"])
    body = {"upload_id": upload.id, "url": upload.url, "method": upload.method, "headers": upload.headers}
    return Reply({**body, "expires_at": clock.rfc3339(upload.expires_at)}, status=201)


@routes.post(
    "/admin/plugins/install",
    permission="plugins.install",
    body=_INSTALL,
    body_limit=_LARGEST_REQUEST,
    instead=_UPLOAD_FIRST,
    returns={200: "Installation", 202: "StartedJob"},
    aws_calls=40,
)
def install(request: Request) -> Reply:
    """REST §7. 200 when done within 20 s, else 202.

    404 PLUGIN_NOT_FOUND; 403 PLUGIN_DENIED, LICENSE_INVALID, LICENSE_EXPIRED (with a key that is none: nothing is installed);
    409 PLUGIN_ALREADY_INSTALLED, OPERATION_IN_PROGRESS, SAFE_MODE; 422 PACKAGE_INVALID, SIGNATURE_INVALID, DEPENDENCIES_NOT_MET,
    DEPENDENCY_CONFLICT; 503 MARKETPLACE_UNAVAILABLE; 500 INSTALLATION_FAILED, with the step and its cause.
    """
    job = jobs.start_install(request.body, actor=request.caller.actor, uploader=_owner(request))
    return answer(request, job, "Plugin installed successfully")


@routes.post(
    "/admin/plugins/{slug}/update",
    permission="plugins.update",
    body=_UPDATE,
    body_limit=_LARGEST_REQUEST,
    instead=_UPLOAD_FIRST,
    returns={200: "Update", 202: "StartedJob"},
    aws_calls=40,
)
def update(request: Request, slug: str) -> Reply:
    """REST §8. Without a version to the newest that fits; with one also to an older. 200 when done within 20 s, else 202.

    404 PLUGIN_NOT_FOUND; 403 PLUGIN_DENIED; 409 PLUGIN_UP_TO_DATE, PLUGIN_PINNED, OPERATION_IN_PROGRESS, SAFE_MODE;
    422 DEPENDENCIES_NOT_MET, DEPENDENCY_CONFLICT,
    PACKAGE_INVALID, SIGNATURE_INVALID; 503 MARKETPLACE_UNAVAILABLE; 500 UPDATE_FAILED, and then the version before it is in place again.
    """
    job = jobs.start_update(slug, request.body, actor=request.caller.actor, uploader=_owner(request))
    return answer(request, job, "Plugin updated successfully")


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
    return answer(request, job, "Plugin uninstalled successfully")


# Two of them ask what administrators decided: the lists, and whether it is safe mode.
@routes.post("/admin/plugins/{slug}/activate", permission="plugins.activate", returns="Activation", aws_calls=32)
def activate(request: Request, slug: str) -> Reply:
    """REST §5. 409 PLUGIN_ALREADY_ACTIVE, COMMAND_ALREADY_REGISTERED, OPERATION_IN_PROGRESS, SAFE_MODE; 422 DEPENDENCIES_NOT_MET,
    PLUGIN_FAILED_TO_LOAD; 403 PLUGIN_DENIED, LICENSE_INVALID, LICENSE_EXPIRED; 404 PLUGIN_NOT_FOUND; 502 PLUGIN_CRASHED."""
    plugin = plugins.activate(slug, by=request.caller)
    return Reply(views.activation(plugin), message="Plugin activated successfully")


@routes.post("/admin/plugins/{slug}/deactivate", permission="plugins.activate", returns="Deactivation", aws_calls=30)
def deactivate(request: Request, slug: str) -> Reply:
    """REST §6. 409 PLUGIN_NOT_ACTIVE, OPERATION_IN_PROGRESS; 422 HAS_DEPENDENTS; 403 PLUGIN_IS_CORE; 404 PLUGIN_NOT_FOUND."""
    plugin = plugins.deactivate(slug, by=request.caller)
    return Reply(views.deactivation(plugin), message="Plugin deactivated successfully")


def _owner(request: Request) -> str:
    """Whose an upload is. No slug has a dot, so no plugin's uploads are a person's."""
    return f"{request.caller.kind}.{request.caller.id}"


@routes.get("/admin/jobs/{job_id}", permission="plugins.view", returns="Job", aws_calls=2)
def job_record(request: Request, job_id: str) -> Reply:
    """404 JOB_NOT_FOUND."""
    return Reply(views.job(jobs.get(job_id)))


@routes.post("/admin/jobs/{job_id}/tickets", permission="plugins.view", returns={201: "JobTicket"}, aws_calls=3)
def ticket(request: Request, job_id: str) -> Reply:
    """``{progress, expires_at}``: where a browser's EventSource follows the job, without a token, as the caller. 404 JOB_NOT_FOUND."""
    made = jobs.tickets.issue(jobs.get(job_id).id, request.caller.token_hash)
    return Reply({"progress": views.progress_address(job_id, made), "expires_at": clock.rfc3339(made.expires_at)}, status=201)


def _holder_of_ticket(request: Request) -> Caller | None:
    text = request.query["ticket"]
    if text is None:
        return None
    return accounts.holder_of(jobs.tickets.token_hash_of(request.path_parameters["job_id"], text))


@routes.get(
    "/admin/plugins/install/{job_id}/progress",
    permission="plugins.view",
    query={"ticket": {"type": "string", "maxLength": 100}, "last_event_id": {"type": "string", "maxLength": 100}},
    ticket=_holder_of_ticket,
    returns={200: "EventStream", 204: "Finished"},
    aws_calls=60,
)
def progress(request: Request, job_id: str) -> Reply:
    """REST §7, progress. Waits up to 20 s for news and returns it; the client asks again with ``Last-Event-ID`` (or ``last_event_id``), and
    gets 204 after the last event: the sign for an EventSource to stop. 404 JOB_NOT_FOUND."""
    news = jobs.wait_for_news(job_id, request.header("last-event-id") or request.query["last_event_id"] or "")
    headers = {"Content-Type": "text/event-stream; charset=utf-8"}
    return Reply(text="", status=204) if news is None else Reply(text=views.event_stream(news), headers=headers)
