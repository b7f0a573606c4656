"""The edge that every request passes: who asks, may they, is the body right; then the view; then envelope or error.

Chalice turns an exception raised in a view into its own 500 before any middleware sees it, so errors are mapped in the wrapper that
:class:`Routes` puts around each view.

Source of the envelope: REST, Response Format.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from chalice.app import Chalice, Response

from chalicelib import accounts
from chalicelib.accounts import Caller
from chalicelib.api.routing import BASE_PATH, PathMatcher, path_of
from chalicelib.core import clock, ids, log, strict_json, validation
from chalicelib.core.errors import (
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    RateLimited,
    StreamSpaceError,
    Unauthenticated,
    ValidationError,
)
from chalicelib.core.pagination import Page
from chalicelib.core.rate_limiter import Allowance

View = Callable[..., "Reply"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
DEFAULT_BODY_LIMIT = 512 * 1024
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_HOPS = re.compile(r"[0-9]{1,3}")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
# DynamoDB takes keys of 1 and 2 KB, and no name of anything has more than 512 bytes.
_LONGEST_NAME_BYTES = 800


@dataclass(frozen=True)
class Reply:
    """What a view returns: ``data`` for the envelope, or ``text`` or ``content`` (bytes) to send as it is."""

    data: Any = None
    status: int = 200
    message: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, Any] | None = None
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)
    text: str | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Route:
    """One declared route. ``aws_calls`` is its budget, which a test holds it to; ``rate`` the group that a person's requests count in.

    ``returns`` is the name of the schema of ``data`` by status, ``meta`` that of the envelope's ``meta`` (:mod:`chalicelib.api.schemas`).
    """

    method: str
    pattern: str
    view: View
    permission: str | None
    scope: str | None
    public: bool
    plugin_only: bool
    ticket: Callable[[Request], Caller | None] | None
    body: validation.Schema | None
    query: Mapping[str, validation.Schema]
    body_limit: int
    instead: Mapping[str, Any]
    takes: tuple[str, ...]
    aws_calls: int
    rate: str
    returns: Mapping[int, str]
    meta: str


class Request:
    """One request, read lazily: a view that asks for no body pays for no parsing."""

    def __init__(self, event: dict[str, Any], route: Route, path_parameters: dict[str, str], request_id: str) -> None:
        self._event = event
        self.route = route
        self.path = path_of(event)
        self.method = route.method
        self.path_parameters = path_parameters
        self.id = request_id
        self._caller: Caller | None = None
        # What the caller has left, once the request was counted.
        self.allowance: Allowance | None = None

    @property
    def caller(self) -> Caller:
        """Who asks. On a public route only after :meth:`identify` found somebody."""
        if self._caller is None:
            raise Unauthenticated()
        return self._caller

    def identify(self) -> Caller | None:
        """Look the bearer token up; one GetItem. None without a token; raises Unauthenticated for one that is not (any more) valid."""
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("The Authorization header must be 'Bearer <token>'")
        caller = accounts.caller_of(token.strip())
        self._caller = replace(caller, hops=self._hops()) if caller.is_plugin else caller
        return self._caller

    def identify_by(self, ticket: Callable[[Request], Caller | None]) -> Caller | None:
        self._caller = ticket(self)
        return self._caller

    def _hops(self) -> int | None:
        """What a plugin's SDK says of the hook that calls (``docs/runtime-protocol.md``, Hops), with that hook counted."""
        told = self.header("x-streamspace-hops") or ""
        return int(told) + 1 if _HOPS.fullmatch(told) else None

    @cached_property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in (self._event.get("headers") or {}).items()}

    @cached_property
    def joined_headers(self) -> dict[str, str]:
        """All headers with lower-case names; those that are there several times in one text. Source: RFC 9110 §5.3."""
        found = self._event.get("multiValueHeaders") or {name: [value] for name, value in self.headers.items()}
        return {name.lower(): ", ".join(values) for name, values in found.items()}

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    def knows(self, etag: str) -> bool:
        """Whether the client has this representation already, by its If-None-Match. Source: RFC 9110 §13.1.2."""
        tags = [each.strip().removeprefix("W/") for each in (self.header("if-none-match") or "").split(",")]
        return etag in tags or "*" in tags

    @cached_property
    def raw_body(self) -> bytes:
        body = self._event.get("body") or ""
        return base64.b64decode(body) if self._event.get("isBase64Encoded") else body.encode()

    @property
    def limited_body(self) -> bytes:
        """The body as it came. Raises PayloadTooLarge for more than the route takes."""
        if len(self.raw_body) > self.route.body_limit:
            message = f"The body has {len(self.raw_body)} bytes; this route takes {self.route.body_limit}"
            if hint := self.route.instead.get("hint"):
                message += f"; {hint}"
            raise PayloadTooLarge(message, limit_bytes=self.route.body_limit, **self.route.instead)
        return self.raw_body

    @cached_property
    def body(self) -> dict[str, Any]:
        """The JSON body, checked against the route's schema."""
        _ = self.limited_body
        media_type = (self.header("content-type") or "application/json").partition(";")[0].strip().lower()
        if media_type not in self.route.takes:
            raise ValidationError({"body": [f"Content-Type must be {' or '.join(self.route.takes)}, not {media_type}"]})
        if media_type != "application/json":
            # The view reads what is not JSON from raw_body itself.
            return {}
        try:
            value = strict_json.read(self.raw_body or b"{}")
        except ValueError as error:
            raise ValidationError({"body": [f"The body is not valid JSON: {error}"]}) from error
        if self.route.body is not None:
            validation.check(self.route.body, value)
        return value

    @cached_property
    def query(self) -> dict[str, Any]:
        """The declared query parameters, converted and checked, with their defaults. Undeclared ones are passed over."""
        given = self._event.get("multiValueQueryStringParameters") or {}
        values: dict[str, Any] = {}
        faults: dict[str, list[str]] = {}
        for name, schema in self.route.query.items():
            texts = given.get(name)
            if not texts or texts[-1] == "":
                values[name] = schema.get("default")
                continue
            value = _converted(texts[-1], schema)
            found = validation.faults_of(schema, value)
            if found:
                faults[name] = [sentence for sentences in found.values() for sentence in sentences]
            values[name] = value
        if faults:
            raise ValidationError(faults)
        return values

    @cached_property
    def raw_query(self) -> dict[str, list[str]]:
        """All query parameters as they came: for links that keep them, and for plugins' own endpoints."""
        return dict(self._event.get("multiValueQueryStringParameters") or {})

    @property
    def gateway(self) -> Mapping[str, Any]:
        """What API Gateway says of the request: ``domainName``, ``stage``, ``identity``."""
        return self._event.get("requestContext") or {}

    @property
    def source_ip(self) -> str:
        return str(self.gateway.get("identity", {}).get("sourceIp", ""))


class Routes:
    """The routes of one resource; ``app.py`` registers them all.

    ``permission``: what a person must have (None: being signed in is enough).
    ``scope``: what a plugin's token, or a personal token with scopes, must have; None keeps such tokens out, unless they have ``admin``.
    ``public``: no token needed. ``plugin_only``: a plugin's token needed.
    ``ticket``: gives the caller of a request without a token, for programs that can send none; None where it brings no ticket.
    ``aws_calls``: at most so many AWS calls, the token's included, and the one that counts the request left out.
    ``instead``: what one can do with a body that is too large, as details of that error; its ``hint`` is the sentence for people.
    ``rate``: the group that the request counts in (``core.rate_limiter``); by default the one that the path says.
    ``returns``: the schema of ``data``: ``"Plugin"``, ``"[Plugin]"`` for a list, ``"Item?"`` where it may be null; by status, where that is
    not 200. ``meta``: that of ``meta``. Both by name, so that a request pays for none of them (:mod:`chalicelib.api.schemas`).

    ``base``: what all patterns begin with; another one for what is not part of the API, which ``openapi.json`` then does not describe.

    A view's docstring is its description in ``openapi.json``, and the error codes that it names are answers that it may give.
    """

    def __init__(self, base: str = BASE_PATH) -> None:
        self.declared: list[Route] = []
        self._base = base

    def _declare(self, method: str, pattern: str, **rule: Any) -> Callable[[View], View]:
        def declare(view: View) -> View:
            self.declared.append(
                Route(
                    method=method,
                    pattern=self._base + pattern,
                    view=view,
                    permission=rule.get("permission"),
                    scope=rule.get("scope"),
                    public=rule.get("public", False),
                    plugin_only=rule.get("plugin_only", False),
                    ticket=rule.get("ticket"),
                    body=rule.get("body"),
                    query=rule.get("query", {}),
                    body_limit=rule.get("body_limit", DEFAULT_BODY_LIMIT),
                    instead=rule.get("instead", {}),
                    takes=rule.get("takes", ("application/json",)),
                    aws_calls=rule["aws_calls"],
                    rate=rule.get("rate") or rate_group(method, pattern),
                    returns=_by_status(rule.get("returns")),
                    meta=rule.get("meta", "Meta"),
                )
            )
            return view

        return declare

    def get(self, pattern: str, **rule: Any) -> Callable[[View], View]:
        return self._declare("GET", pattern, **rule)

    def post(self, pattern: str, **rule: Any) -> Callable[[View], View]:
        return self._declare("POST", pattern, **rule)

    def put(self, pattern: str, **rule: Any) -> Callable[[View], View]:
        return self._declare("PUT", pattern, **rule)

    def patch(self, pattern: str, **rule: Any) -> Callable[[View], View]:
        return self._declare("PATCH", pattern, **rule)

    def delete(self, pattern: str, **rule: Any) -> Callable[[View], View]:
        return self._declare("DELETE", pattern, **rule)

    def any(self, pattern: str, **rule: Any) -> Callable[[View], View]:
        """Every method, for a view that decides by itself what to do with each."""

        def declare(view: View) -> View:
            for method in (*METHODS, "HEAD", "OPTIONS"):
                self._declare(method, pattern, **rule)(view)
            return view

        return declare


def _by_status(returns: str | Mapping[int, str] | None) -> Mapping[int, str]:
    return {200: returns} if isinstance(returns, str) else returns or {}


class Api(Chalice):
    """The Chalice app, with our own matching of paths in front of it and the envelope around it."""

    def __init__(self, app_name: str) -> None:
        super().__init__(app_name=app_name)
        # Which answers are binary is for the view to say, and not for the request's Accept header.
        self.api.binary_types = []
        self.declared: dict[str, dict[str, Route]] = {}
        self._matcher = PathMatcher()

    def include(self, routes: Routes) -> None:
        for route in routes.declared:
            methods = self.declared.setdefault(route.pattern, {})
            if route.method in methods:
                raise ValueError(f"{route.method} {route.pattern} is declared twice")
            methods[route.method] = route
            self._matcher.add(route.pattern)
            # Chalice has no greedy parameters: {path+} is {path} to it.
            self.route(
                route.pattern.replace("+}", "}"),
                methods=[route.method],
                content_types=["*/*"],
                name=f"{route.method} {route.pattern}",
            )(self._view_of(route))

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        request_id = str((event.get("requestContext") or {}).get("requestId") or ids.text("req"))
        try:
            pattern, parameters = self._matcher.match(path_of(event)) or _raise(NotFound(path=path_of(event)))
            if any(len(value.encode()) > _LONGEST_NAME_BYTES for value in parameters.values()):
                raise NotFound("There is nothing with so long a name")
            methods = self.declared[pattern]
            method = str(event.get("httpMethod", "")).upper()
            if method not in methods:
                allowed = ", ".join(sorted(methods))
                raise MethodNotAllowed(f"This path takes {allowed}, not {method}", allowed=sorted(methods))
        except StreamSpaceError as error:
            return error_response(error, request_id).to_dict()
        event = {
            **event,
            "resource": pattern.replace("+}", "}"),
            "pathParameters": parameters,
            "requestContext": {
                **(event.get("requestContext") or {}),
                "resourcePath": pattern.replace("+}", "}"),
                "httpMethod": method,
                "requestId": request_id,
            },
        }
        return super().__call__(event, context)

    def _view_of(self, route: Route) -> Callable[..., Response]:
        def view(**_: str) -> Response:
            current = self.current_request
            assert current is not None, "Chalice sets it before it calls a view"
            event = current.to_original_event()
            request_id = event["requestContext"]["requestId"]
            # Decoded by our matcher, once; what Chalice passes was decoded once more.
            path_parameters = event["pathParameters"] or {}
            request = Request(event, route, path_parameters, request_id)
            try:
                _admit(request)
                answer = response(route.view(request, **path_parameters), request_id)
            except StreamSpaceError as error:
                answer = error_response(error, request_id)
            except Exception:  # noqa: BLE001 the one place that answers for the unexpected
                log.logger().exception("unexpected failure", extra={"request_id": request_id, "route": route.pattern})
                unexpected = StreamSpaceError(f"Something went wrong on our side; quote the request id {request_id}")
                answer = error_response(unexpected, request_id)
            if request.allowance is not None:
                answer.headers.update(request.allowance.headers())
            return answer

        return view


def _admit(request: Request) -> None:
    """Raises Unauthenticated, RateLimited, PermissionDenied or ValidationError; in that order, so that a stranger learns nothing of the
    body's rules, and guessing costs as much as asking."""
    route = request.route
    if not route.public:
        # A public route looks the token up itself where it makes a difference: a stale one must not keep anybody from signing in.
        caller = request.identify() or (route.ticket and request.identify_by(route.ticket))
        if caller is None:
            raise Unauthenticated()
        count_caller(request, caller)
        _permit(route, caller)
    if route.query:
        _ = request.query
    if route.body is not None:
        _ = request.body


def count_caller(request: Request, caller: Caller) -> None:
    """A person's requests count in their route's group; a plugin's in its own, so that whatever it does, it slows nobody else."""
    if not accounts.counts.are_on():
        return
    # What the runtime itself reports for a plugin (attempts, failures) is not part of its day: else a day's end would look like a crash.
    of_plugin = "runtime" if request.route.plugin_only and "/runtime/" in request.route.pattern else "plugin"
    count(request, caller.kind, caller.id, of_plugin if caller.is_plugin else request.route.rate)


def count(request: Request, kind: str, name: str, group: str) -> None:
    """Count the request, and show what is left in the answer's headers. Raises RateLimited, DailyQuotaExceeded."""
    try:
        request.allowance = accounts.counts.count(kind, name, group)
    except RateLimited as error:
        request.allowance = error.allowance
        raise


def rate_group(method: str, pattern: str) -> str:
    """The document's groups are those of plugin management; all else is ``general``. Source: REST, Rate Limiting."""
    if not pattern.startswith("/admin/"):
        return "general"
    if pattern.startswith("/admin/plugins/marketplace") or pattern.endswith("/check-updates"):
        return "marketplace"
    if method == "GET":
        # Who follows a job asks again and again, because we tell them to.
        return "general" if pattern.endswith("/progress") or pattern.startswith("/admin/jobs/") else "read"
    return "installation" if pattern in _INSTALLATIONS else "write"


_INSTALLATIONS = ("/admin/plugins/install", "/admin/plugins/{slug}/update", "/admin/plugins/{slug}/restore")


def _permit(route: Route, caller: Caller) -> None:
    if route.plugin_only and not caller.is_plugin:
        raise PermissionDenied("Only a plugin's own token may call this")
    # What is only for plugins and names no scope comes with being one.
    needed = route.scope or (None if route.plugin_only else "admin")
    if needed is not None and not caller.has_scope(needed) and not caller.has_scope("admin"):
        raise PermissionDenied(f"This needs the scope '{needed}', which the token does not have", scope=needed)
    if route.permission is not None:
        caller.require(route.permission)


class _BinaryResponse(Response):
    """Bytes, which reach API Gateway as base64. It decodes them for every client, because the API's binary media types are ``*/*``."""

    def to_dict(self, binary_types: Any = None) -> dict[str, Any]:
        return {**super().to_dict(binary_types), "isBase64Encoded": True}


def response(reply: Reply, request_id: str) -> Response:
    """The documented envelope around a view's reply."""
    headers: dict[str, str | list[str]] = {"X-Request-Id": request_id, "Cache-Control": "no-store", **reply.headers}
    if reply.content is not None:
        return _BinaryResponse(base64.b64encode(reply.content).decode(), headers=headers, status_code=reply.status)
    if reply.text is not None:
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return Response(reply.text, headers=headers, status_code=reply.status)
    body: dict[str, Any] = {"success": True, "data": reply.data}
    if reply.message is not None:
        body["message"] = reply.message
    body["meta"] = {"timestamp": clock.rfc3339(clock.now()), **reply.meta}
    if reply.links is not None:
        body["links"] = reply.links
    return Response(json.dumps(body), headers={"Content-Type": "application/json", **headers}, status_code=reply.status)


def error_response(error: StreamSpaceError, request_id: str) -> Response:
    """The documented error envelope."""
    body = {
        "success": False,
        "error": {"code": error.code, "message": error.message, "details": error.details},
        "meta": {"timestamp": clock.rfc3339(clock.now()), "request_id": request_id},
    }
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "X-Request-Id": request_id,
        "Cache-Control": "no-store",
    }
    if error.status == Unauthenticated.status:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.details.get("allowed", METHODS))
    if "retry_after_s" in error.details:
        headers["Retry-After"] = str(error.details["retry_after_s"])
    return Response(json.dumps(body), headers=headers, status_code=error.status)


def page_meta(page: Page[Any]) -> dict[str, Any]:
    """The ``meta`` of a page. Source: REST, Paginated Response."""
    return {
        "current_page": page.number,
        "per_page": page.size,
        "total": page.total,
        "total_pages": page.total_pages,
        "from": page.first_position,
        "to": page.last_position,
    }


def page_links(request: Request, page: Page[Any], instead: Mapping[str, Any] | None = None) -> dict[str, str | None]:
    """First, last, previous and next page, with the request's other parameters kept; ``instead`` of some, others (None: without it)."""
    from urllib.parse import urlencode

    replaced = {"page", *(instead or {})}
    own = [(name, value) for name, value in (instead or {}).items() if value is not None]

    def link(number: int) -> str:
        kept = [(name, value) for name, values in request.raw_query.items() if name not in replaced for value in values]
        return f"{request.path}?{urlencode([*kept, *own, ('page', number)])}"

    return {
        "first": link(1),
        "last": link(page.total_pages),
        "prev": link(min(page.number - 1, page.total_pages)) if page.number > 1 else None,
        "next": link(page.number + 1) if page.number < page.total_pages else None,
    }


def _converted(text: str, schema: validation.Schema) -> Any:
    """A query parameter's text as the type that its schema asks for; left as text where it is not one, for validation to refuse."""
    kind = schema.get("type")
    if kind == "integer" and _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if kind == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if kind == "boolean" and text.lower() in _TRUE + _FALSE:
        return text.lower() in _TRUE
    return text


def _raise(error: StreamSpaceError) -> Any:
    raise error
