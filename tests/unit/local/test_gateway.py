"""What passes through the gateway passes unchanged; what it answers itself is in the platform's envelope."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer

from local import gateway
from local.gateway import Places, application


@pytest.fixture
def through(tmp_path: Path) -> Callable[..., Any]:
    """Runs a conversation with a gateway that stands before an emulator made of one handler."""

    def run(conversation, answer=None, *, deployed=True):
        async def session():
            app = web.Application(client_max_size=64 * 1024 * 1024)
            app.router.add_route("*", "/{path:.*}", answer or _echo)
            async with TestServer(app) as emulator:
                places = Places(
                    str(emulator.make_url("")).rstrip("/"),
                    tmp_path / "routes.json",
                    tmp_path / "market",
                    tmp_path / "book",
                    tmp_path / "key",
                )
                places.marketplace.mkdir()
                if deployed:
                    places.routes.write_text('{"rest_api_id": "abc", "stage": "v"}')
                async with TestClient(TestServer(application(places))) as client:
                    return await conversation(client, places)

        return asyncio.run(session())

    return run


async def _echo(request):
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": (await request.read()).decode(),
        }
    )


def test_method_path_query_headers_and_body_reach_the_api_as_they_were_sent(through):
    async def conversation(client, _places):
        answer = await client.put(
            "/api/v1/sessions/a%2Fb?x=1&x=2&y=%20",
            data="text",
            headers={"Authorization": "Bearer t", "X-Forwarded-For": "9.9.9.9"},
            skip_auto_headers=["User-Agent"],
        )
        return await answer.json()

    seen = through(conversation)

    assert seen["method"] == "PUT"
    # Encoded once more, because the emulator decodes once: the function sees the path as the client wrote it, as on AWS.
    assert seen["path"] == "/restapis/abc/v/_user_request_/api/v1/sessions/a%252Fb?x=1&x=2&y=%20"
    assert seen["body"] == "text"
    assert seen["headers"]["authorization"] == "Bearer t"
    assert seen["headers"]["x-forwarded-for"] == "9.9.9.9, 127.0.0.1"
    assert seen["headers"]["x-forwarded-proto"] == "http"


def test_hop_by_hop_headers_are_not_passed_on(through):
    async def conversation(client, _places):
        headers = {"Connection": "keep-alive, X-Secret-Hop", "X-Secret-Hop": "1", "TE": "trailers", "X-Kept": "1"}
        return await (await client.get("/api/v1/health", headers=headers)).json()

    headers = through(conversation)["headers"]

    assert headers["x-kept"] == "1"
    assert headers["accept"] == "*/*"
    assert not {"x-secret-hop", "te"} & set(headers)


def test_the_apis_answer_comes_back_unchanged(through):
    async def answer(_request):
        reply = web.Response(status=418, body=b"\x00\xff", content_type="image/png")
        reply.headers.add("Set-Cookie", "a=1")
        reply.headers.add("Set-Cookie", "b=2")
        reply.headers["Retry-After"] = "7"
        return reply

    async def conversation(client, _places):
        got = await client.get("/api/v1/x")
        return got.status, got.headers, await got.read()

    status, headers, body = through(conversation, answer)

    assert (status, body) == (418, b"\x00\xff")
    assert headers["Content-Type"] == "image/png"
    assert headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert headers["Retry-After"] == "7"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_passes(through, method):
    async def conversation(client, _places):
        return await (await client.request(method, "/api/v1/x")).json()

    assert through(conversation)["method"] == method


def test_redirects_are_the_callers_to_follow(through):
    async def answer(_request):
        raise web.HTTPFound("http://elsewhere.example/")

    async def conversation(client, _places):
        return (await client.get("/api/v1/x", allow_redirects=False)).status

    assert through(conversation, answer) == 302


def test_before_the_deployment_and_without_the_emulator_it_answers_503_in_the_envelope(through):
    async def conversation(client, places):
        starting = await client.get("/api/v1/health")
        places.routes.write_text('{"rest_api_id": "abc", "stage": "v"}')
        running = await client.get("/api/v1/health")
        return starting.status, await starting.json(), running.status

    status, body, later = through(conversation, deployed=False)

    assert (status, later) == (503, 200)
    assert body["success"] is False
    assert body["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert body["error"]["details"] == {}
    assert body["meta"]["timestamp"].endswith("Z")


def test_an_emulator_that_is_away_is_503(tmp_path):
    async def session():
        places = Places("http://127.0.0.1:1", tmp_path / "routes.json", tmp_path, tmp_path / "book", tmp_path / "key")
        places.routes.write_text('{"rest_api_id": "abc", "stage": "v"}')
        async with TestClient(TestServer(application(places))) as client:
            answer = await client.get("/api/v1/health")
            return answer.status, (await answer.json())["error"]["code"]

    assert asyncio.run(session()) == (503, "SERVICE_UNAVAILABLE")


def test_an_emulator_that_never_answers_is_504(through, monkeypatch):
    monkeypatch.setattr(gateway, "LONGEST_ANSWER_S", 0.2)

    async def answer(_request):
        await asyncio.sleep(5)

    async def conversation(client, _places):
        got = await client.get("/api/v1/x")
        return got.status, (await got.json())["error"]["code"]

    assert through(conversation, answer) == (504, "SERVICE_UNAVAILABLE")


def test_ten_megabytes_pass_and_more_is_refused(through):
    async def answer(request):
        return web.json_response(len(await request.read()))

    async def conversation(client, _places):
        passed = await client.post("/api/v1/x", data=b"x" * (10 * 1024 * 1024))
        refused = await client.post("/api/v1/x", data=b"x" * (10 * 1024 * 1024 + 1))
        return await passed.json(), refused.status, (await refused.json())["error"]["code"]

    assert through(conversation, answer) == (10 * 1024 * 1024, 413, "PAYLOAD_TOO_LARGE")


def test_fifty_requests_at_once_are_all_answered(through):
    async def answer(_request):
        await asyncio.sleep(0.02)
        return web.json_response({})

    async def conversation(client, _places):
        answers = await asyncio.gather(*(client.get(f"/api/v1/{number}") for number in range(50)))
        return {got.status for got in answers}

    assert through(conversation, answer) == {200}


def test_requests_that_wait_for_another_request_do_not_block_it(through, monkeypatch):
    monkeypatch.setattr(gateway, "AT_ONCE", 2)
    monkeypatch.setattr(gateway, "LONGEST_TURN_S", 0.05)
    arrived = asyncio.Event()

    async def answer(request):
        if request.path.endswith("/wakes"):
            arrived.set()
        else:
            await asyncio.wait_for(arrived.wait(), 5)
        return web.json_response({})

    async def conversation(client, _places):
        waiting = [asyncio.create_task(client.get(f"/api/v1/waits/{number}")) for number in range(4)]
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(client.get("/api/v1/wakes")))
        return {got.status for got in await asyncio.gather(*waiting)}

    assert through(conversation, answer) == {200}


def test_the_marketplace_serves_its_files_with_etags_and_nothing_else(through):
    async def conversation(client, places):
        (places.marketplace / "index.json").write_text('{"format": 1}')
        (places.marketplace / ".lock").write_text("")
        (places.marketplace.parent / "secret").write_text("s")
        first = await client.get("/marketplace/index.json")
        again = await client.get("/marketplace/index.json", headers={"If-None-Match": first.headers["ETag"]})
        outside = [
            (await client.get(path)).status
            for path in (
                "/marketplace/%2e%2e/secret",
                "/marketplace/..%2fsecret",
                "/marketplace/.lock",
                "/marketplace/",
            )
        ]
        return first.headers["Content-Type"], json.loads(await first.read()), again.status, outside

    content_type, index, again, outside = through(conversation)

    assert content_type == "application/json"
    assert index == {"format": 1}
    assert again == 304
    assert outside == [404, 404, 404, 404]


def test_the_front_page_says_what_runs_here(through):
    async def conversation(client, _places):
        answer = await client.get("/")
        return answer.content_type, await answer.text()

    content_type, page = through(conversation)

    assert content_type == "text/html"
    assert "/api/v1/" in page


def test_the_apis_cookies_are_not_kept_for_the_next_caller(through):
    """One caller's cookie must never go out with another's request."""

    async def answer(request):
        reply = web.json_response({"cookie": request.headers.get("Cookie")})
        reply.set_cookie("session", "first")
        return reply

    async def conversation(client, _places):
        async with ClientSession() as one, ClientSession() as other:
            await (await one.get(client.make_url("/api/v1/x"))).read()
            return await (await other.get(client.make_url("/api/v1/x"))).json()

    assert through(conversation, answer) == {"cookie": None}


def test_the_licence_service_answers_on_the_same_port_from_a_book_that_may_change(through, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from cli.license_book import LicenseBook

    async def conversation(client, places):
        places.license_key.write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
        before = await client.post("/licenses/v1/activations", data=b"no json")
        asked = {"license_key": LicenseBook(places.licenses).issue("paid"), "plugin": "paid", "installation_id": "ins_1", "nonce": "n"}
        after = await client.post("/licenses/v1/activations", json=asked)
        return before.status, after.status, await after.json()

    refused, status, document = through(conversation)

    assert (refused, status, list(document)) == (400, 200, ["license"])
