"""The one address that people and programs use: the API, the marketplace and the front page on a single port.

``/api/…`` and ``/plugins/…`` are passed to the emulated API Gateway, which expects ``/restapis/{id}/{stage}/_user_request_/…``; its answers
come back as they are. ``/marketplace/…`` is a folder of files, as any web server would show it. ``/licenses/v1/…`` is the licence
service (`local.licenses`).

``python -m local.gateway --port 8080 --emulator http://127.0.0.1:4566 --routes .local/routes.json --marketplace
.local/marketplace --licenses .local/licenses.sqlite --license-key .local/keys/licenses``
"""

import argparse
import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, hdrs, web
from aiohttp.typedefs import Handler
from yarl import URL

from local import lifeline, settings
from local.licenses import LicenseService

LARGEST_BODY_BYTES = 10 * 1024 * 1024
"""API Gateway's own limit."""

LONGEST_ANSWER_S = 60

AT_ONCE = 4 * (os.cpu_count() or 2)
"""Requests that begin at a time; more wait their turn. Each one that the emulator runs at once is a process of its own,
and on a small machine fifty starting together take longer than fifty taking turns."""

LONGEST_TURN_S = 5.0
"""A request that is not answered by then is waiting for something, maybe for one that waits for its turn: it goes on,
but its turn goes to the next."""

HOP_BY_HOP = frozenset(
    {
        "connection",
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
"""Source: RFC 9110 §7.6.1."""

logger = logging.getLogger("streamspace.gateway")


@dataclass(frozen=True)
class Places:
    """Where the gateway finds what it passes on and serves."""

    emulator: str
    routes: Path
    """A JSON file ``{"rest_api_id", "stage"}``, written once the API is deployed; read again whenever it changes."""
    marketplace: Path
    licenses: Path
    """The book of licences."""
    license_key: Path
    """What its licences are signed with."""


class NotDeployed(Exception):
    """There is no API to pass requests to yet."""


class Api:
    """The emulated REST API, wherever it is at the moment."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._session: ClientSession | None = None
        self._routes_seen_ns = -1
        self._prefix = ""

    async def opened(self, _app: web.Application) -> None:
        self._session = ClientSession(
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            connector=TCPConnector(limit=0, keepalive_timeout=30),
            timeout=ClientTimeout(total=LONGEST_ANSWER_S, sock_connect=5),
        )

    async def closed(self, _app: web.Application) -> None:
        if self._session:
            await self._session.close()

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """The API's answer to ``request``, unchanged; 503 or 504 in the platform's envelope where there is none."""
        assert self._session is not None
        try:
            # API Gateway hands the path to a function as the client wrote it; the emulator decodes it once, so it is encoded once more.
            path, question, query = request.raw_path.partition("?")
            url = URL(self._base() + path.replace("%", "%25") + question + query, encoded=True)
        except NotDeployed:
            return failure(503, "The platform is still starting; try again in a moment.")
        body = await request.read()
        try:
            async with (
                self._a_turn(),
                self._session.request(
                    request.method,
                    url,
                    headers=_passed_on(request),
                    data=body or None,
                    allow_redirects=False,
                ) as answer,
            ):
                content = await answer.read()
        except TimeoutError:
            return failure(504, f"The platform did not answer within {LONGEST_ANSWER_S} seconds.")
        except (ClientError, OSError) as problem:
            logger.warning("%s %s: %s", request.method, request.path, problem)
            return failure(503, "The emulated AWS services are not answering; see `make status` and `make logs`.")
        reply = web.Response(status=answer.status, reason=answer.reason, body=content)
        reply.headers.popall(hdrs.CONTENT_TYPE, None)
        dropped = HOP_BY_HOP | _named_in_connection(answer.headers.get("Connection", "")) | {"content-length"}
        for name, value in answer.headers.items():
            if name.lower() not in dropped:
                reply.headers.add(name, value)
        return reply

    @asynccontextmanager
    async def _a_turn(self) -> AsyncIterator[None]:
        await self._turns.acquire()
        ended = asyncio.get_running_loop().call_later(LONGEST_TURN_S, self._turns.release)
        try:
            yield
        finally:
            if ended.when() > asyncio.get_running_loop().time():
                ended.cancel()
                self._turns.release()

    def _base(self) -> str:
        try:
            changed_ns = self._places.routes.stat().st_mtime_ns
            if changed_ns != self._routes_seen_ns:
                routes = json.loads(self._places.routes.read_text())
                self._prefix = f"{self._places.emulator}/restapis/{routes['rest_api_id']}/{routes['stage']}/_user_request_"
                self._routes_seen_ns = changed_ns
        except FileNotFoundError:
            raise NotDeployed from None
        return self._prefix


def application(places: Places) -> web.Application:
    """The gateway as an ASGI-less aiohttp application; ``web.run_app`` or a test server runs it."""
    api = Api(places)
    marketplace = Marketplace(places.marketplace)
    app = web.Application(client_max_size=LARGEST_BODY_BYTES, middlewares=[_too_large])
    app.on_startup.append(api.opened)
    app.on_cleanup.append(api.closed)
    app.router.add_route("*", "/api", api.pass_on)
    app.router.add_route("*", "/api/{path:.*}", api.pass_on)
    app.router.add_route("*", "/plugins/{path:.*}", api.pass_on)
    app.router.add_get("/marketplace/{path:.*}", marketplace.serve)
    app.router.add_post("/licenses/v1/{what}", LicenseService(places.licenses, places.license_key).serve)
    app.router.add_get("/_gateway/health", _healthy)
    app.router.add_get("/", _front_page)
    return app


class Marketplace:
    """A folder of files, nothing outside it, each with an ETag that changes with the file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def serve(self, request: web.Request) -> web.StreamResponse:
        folder = self._folder.resolve()
        file = (folder / request.match_info["path"]).resolve()
        hidden = any(part.startswith(".") for part in Path(request.match_info["path"]).parts)
        if hidden or not file.is_relative_to(folder) or not file.is_file():
            return failure(404, "The marketplace has no such file.", code="NOT_FOUND")
        # An index that was read before must not come from a cache: its signature lies in a second file.
        return web.FileResponse(file, headers={"Cache-Control": "no-cache"})


def failure(status: int, message: str, *, code: str = "SERVICE_UNAVAILABLE") -> web.Response:
    """An error in the platform's envelope, for what never reached the platform."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {
        "success": False,
        "error": {"code": code, "message": message, "details": {}},
        "meta": {"timestamp": now},
    }
    headers = {"Retry-After": "1"} if status == 503 else {}
    return web.json_response(body, status=status, headers=headers)


@web.middleware
async def _too_large(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        limit = LARGEST_BODY_BYTES // (1024 * 1024)
        return failure(413, f"The request's body is larger than {limit} MB.", code="PAYLOAD_TOO_LARGE")


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "time": time.time()})


async def _front_page(_request: web.Request) -> web.Response:
    return web.Response(text=files("local").joinpath("front_page.html").read_text(), content_type="text/html")


def _passed_on(request: web.Request) -> list[tuple[str, str]]:
    """The request's headers as API Gateway would hand them on, plus whom and what they came from."""
    dropped = HOP_BY_HOP | _named_in_connection(request.headers.get("Connection", ""))
    dropped |= {
        "host",
        "content-length",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
    }
    kept = [(name, value) for name, value in request.headers.items() if name.lower() not in dropped]
    came_through = [request.headers[name] for name in ("X-Forwarded-For",) if name in request.headers]
    port = request.url.port
    # Without one the emulator would leave bytes in base64, which API Gateway decodes for everybody.
    accept = [] if "Accept" in request.headers else [("Accept", "*/*")]
    return [
        *kept,
        *accept,
        ("X-Forwarded-For", ", ".join([*came_through, request.remote or settings.HOST])),
        ("X-Forwarded-Host", request.host),
        ("X-Forwarded-Port", str(port)),
        ("X-Forwarded-Proto", request.scheme),
    ]


def _named_in_connection(value: str) -> set[str]:
    return {name.strip().lower() for name in value.split(",") if name.strip()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--emulator", required=True)
    parser.add_argument("--routes", type=Path, required=True)
    parser.add_argument("--marketplace", type=Path, required=True)
    parser.add_argument("--licenses", type=Path, required=True)
    parser.add_argument("--license-key", type=Path, required=True)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(name)s] %(levelname)s %(message)s")
    lifeline.stop_with_supervisor()
    places = Places(chosen.emulator.rstrip("/"), chosen.routes, chosen.marketplace, chosen.licenses, chosen.license_key)
    web.run_app(application(places), host=settings.HOST, port=chosen.port, print=None, access_log=None, shutdown_timeout=3)


if __name__ == "__main__":
    main()
