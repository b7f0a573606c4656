"""``/plugins/{slug}/…``: plugins' own endpoints. What they answer goes out as it is, without the envelope."""

from __future__ import annotations

from chalicelib import accounts, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.api.http import Reply, Request, Routes, count, count_caller
from chalicelib.api.routing import BASE_PATH
from chalicelib.core.errors import Unauthenticated
from chalicelib.plugins import PluginNotActive
from chalicelib.runtime.active import ActivePlugin
from chalicelib.runtime.endpoints import Asked

routes = Routes()

# It travels to the plugin as base64, in a call that takes 6 MB.
_LARGEST_BODY_BYTES = 4 * 1024 * 1024


@routes.any("/plugins/{slug}", public=True, body_limit=_LARGEST_BODY_BYTES, returns="Whatever", aws_calls=4)
@routes.any("/plugins/{slug}/{path+}", public=True, body_limit=_LARGEST_BODY_BYTES, returns="Whatever", aws_calls=4)
def serve(request: Request, slug: str, path: str = "") -> Reply:
    """What the plugin's endpoint answers. Whether a token is needed, and which permission, the endpoint says.

    404 PLUGIN_NOT_FOUND, NOT_FOUND, 409 PLUGIN_NOT_ACTIVE, SAFE_MODE, OPERATION_IN_PROGRESS, 405 METHOD_NOT_ALLOWED, 413 PAYLOAD_TOO_LARGE;
    502 ENDPOINT_FAILED with what the handler threw, 502 PLUGIN_CRASHED.
    """
    plugin = _active(slug)
    below = "/" + request.path.removeprefix(f"{BASE_PATH}/plugins").strip("/").partition("/")[2]
    endpoint = runtime.endpoints.find(plugin, request.method, below)
    if endpoint is None:
        return Reply(status=204, text="", headers={"Allow": ", ".join(runtime.endpoints.methods_at(plugin, below))})
    caller = _known(request) if endpoint.is_public else _signed_in(request)
    if caller is not None:
        count_caller(request, caller)
    elif accounts.counts.are_on():
        # Nobody's token was read, and the rates with it.
        accounts.allowed.rates()
        count(request, "stranger", f"{slug}#{request.source_ip}", "general")
    if caller is not None and not endpoint.is_public:
        endpoint.must_be_open_to(caller)
    asked = Asked(request.method, below, request.raw_query, request.joined_headers, request.limited_body, request.source_ip)
    answer = runtime.endpoints.call(endpoint, asked, caller)
    if isinstance(answer.content, bytes):
        return Reply(status=answer.status, headers=answer.headers, content=answer.content)
    return Reply(status=answer.status, headers=answer.headers, text=answer.content)


def _active(slug: str) -> ActivePlugin:
    plugin = runtime.active.find(slug)
    if plugin is None:
        raise PluginNotActive(slug, plugins.get(slug).status)
    runtime.active.must_be_callable(plugin)
    return plugin


def _signed_in(request: Request) -> Caller:
    caller = request.identify()
    if caller is None:
        raise Unauthenticated()
    return caller


def _known(request: Request) -> Caller | None:
    """Who calls a public endpoint, if that is somebody here. Others have credentials of their own, which are for the plugin to check."""
    try:
        return request.identify()
    except Unauthenticated:
        return None
