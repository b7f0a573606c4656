"""Plugins' own endpoints: finding the one that a request is for, who may call it, and calling it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.accounts import Caller
from chalicelib.core.errors import MethodNotAllowed, NotFound, PermissionDenied
from chalicelib.runtime import endpoint_answers, endpoint_paths, failures, invoking
from chalicelib.runtime.active import ActivePlugin
from chalicelib.runtime.commands import may_use
from chalicelib.runtime.endpoint_answers import Answer
from chalicelib.runtime.errors import EndpointFailed, PluginCrashed

# What is between two neighbours on the way, and what lets the plugin act as somebody else. Source: RFC 9110 §7.6.1.
_NOT_PASSED_ON = frozenset(
    {
        "connection",
        "cookie",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OUR_TOKEN = re.compile(r"\bss_")


@dataclass(frozen=True)
class Asked:
    """A request as it came. ``path`` is below the plugin's own, percent-encoded; ``headers`` have lower-case names."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    content: bytes
    ip: str


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of an active plugin, with the path's parameters."""

    plugin: ActivePlugin
    registered: Mapping[str, Any]
    parameters: Mapping[str, str]

    @property
    def is_public(self) -> bool:
        return bool(self.registered.get("public")) and not self._needed

    @property
    def _needed(self) -> list[str]:
        return list(self.registered.get("permissions") or [])

    def must_be_open_to(self, caller: Caller) -> None:
        """Raises PermissionDenied, naming what is needed."""
        if not caller.has_scope("commands") and not caller.has_scope("admin"):
            raise PermissionDenied("Endpoints of plugins need the scope 'commands', which the token does not have", scope="commands")
        if not may_use(caller, self._needed, self.plugin):
            raise PermissionDenied(f"This needs one of: {', '.join(self._needed)}", permissions=self._needed)


def find(plugin: ActivePlugin, method: str, path: str) -> Endpoint | None:
    """The endpoint that serves this; None for an OPTIONS that the plugin leaves to the platform. A GET serves HEAD too.

    Raises: NotFound, which tells of no other path; MethodNotAllowed.
    """
    fitting = endpoint_paths.at(plugin.registered.get("endpoints") or [], path)
    if not fitting:
        raise NotFound(f"The plugin '{plugin.slug}' has nothing at this path")
    for wanted in (method, "GET") if method == "HEAD" else (method,):
        for registered, parameters in fitting:
            if registered["method"] == wanted:
                return Endpoint(plugin, registered, parameters)
    if method == "OPTIONS":
        return None
    allowed = methods_at(plugin, path)
    raise MethodNotAllowed(f"This path of the plugin '{plugin.slug}' takes {', '.join(allowed)}, not {method}", allowed=allowed)


def methods_at(plugin: ActivePlugin, path: str) -> list[str]:
    """What the path takes, with what the platform adds."""
    methods = {registered["method"] for registered, _ in endpoint_paths.at(plugin.registered.get("endpoints") or [], path)}
    return sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))


def call(endpoint: Endpoint, asked: Asked, by: Caller | None) -> Answer:
    """What the handler answers; ``by`` None is a stranger at a public endpoint.

    Raises: EndpointFailed with the handler's own error, without it for a stranger; PluginCrashed.
    """
    title = endpoint_paths.title(endpoint.registered)
    slug = endpoint.plugin.slug
    try:
        answer = invoking.call_for_a_request(
            slug,
            {
                "kind": "endpoint",
                "endpoint": {"method": endpoint.registered["method"], "path": endpoint.registered["path"]},
                "request": _travelling(endpoint, asked, by),
                "settings_version": endpoint.plugin.settings_version,
            },
        )
        if not answer["ok"]:
            raise EndpointFailed(
                f"The endpoint '{title}' of '{slug}' failed: {answer['error']['message']}",
                plugin=slug,
                **failures.told(answer["error"]),
            )
        return endpoint_answers.passed_on(slug, title, answer.get("response"), is_head=asked.method == "HEAD")
    except (EndpointFailed, PluginCrashed) as error:
        if by is None:
            raise EndpointFailed(f"The plugin '{slug}' failed to answer; its log says why", plugin=slug) from error
        raise


def _travelling(endpoint: Endpoint, asked: Asked, by: Caller | None) -> dict[str, Any]:
    return {
        "method": asked.method,
        "path": asked.path,
        "params": dict(endpoint.parameters),
        "query": {name: values[0] if len(values) == 1 else list(values) for name, values in asked.query.items() if values},
        "headers": {name: value for name, value in asked.headers.items() if _is_passed_on(name, value, endpoint)},
        "body": base64.b64encode(asked.content).decode(),
        "user": {"username": by.id, "role": by.role} if by and not by.is_plugin else None,
        "ip": asked.ip,
    }


def _is_passed_on(name: str, value: str, endpoint: Endpoint) -> bool:
    if name == "authorization":
        # A public endpoint is called by strangers, with credentials of the plugin's own making; ours must never reach a plugin.
        return endpoint.is_public and _OUR_TOKEN.search(value) is None
    return name not in _NOT_PASSED_ON
