"""Every API method of the Python SDK against the table that the JavaScript suite runs too (tests/sdk/methods.json)."""

from __future__ import annotations

import ast
import asyncio
import importlib
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

TABLE = json.loads((Path(__file__).parents[2] / "sdk" / "methods.json").read_text())
STYLES = ["blocking", "awaited", "not awaited in an async def"]


def evaluate(streamspace: ModuleType, call: str, style: str) -> Any:
    scope = {"streamspace": streamspace}
    if style == "blocking":
        return eval(call, scope)
    keyword = "await " if style == "awaited" else ""
    exec(f"async def hook():\n    return {keyword}{call}\n", scope)
    return asyncio.run(scope["hook"]())  # type: ignore[operator]


def without_ids(body: Any) -> Any:
    """A function's id is made anew for each."""
    return json.loads(re.sub('"fn:[^"]*"', '"fn:*"', json.dumps(body)))


def identify(row: dict[str, Any]) -> str:
    return row["python"][len("streamspace.") :][:60]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("row", TABLE["requests"], ids=identify)
def test_a_method_makes_the_documented_request_and_returns_its_data(
    row: dict[str, Any], style: str, streamspace: ModuleType, platform: FakePlatform
) -> None:
    platform.script.append({"status": row.get("status", 200), "data": row.get("answer"), "raw": row.get("raw")})

    returned = evaluate(streamspace, row["python"], style)

    [request] = platform.requests
    assert request["line"] == row["request"]
    assert without_ids(request["body"]) == row.get("body")
    assert request["headers"]["authorization"] == "Bearer ss_plugin"
    assert returned == row.get("returns")
    if style != "not awaited in an async def":
        assert type(returned) is type(row.get("returns"))


@pytest.mark.parametrize("row", TABLE["registrations"], ids=identify)
def test_a_registration_is_what_load_answers(row: dict[str, Any], streamspace: ModuleType) -> None:
    returned = evaluate(streamspace, row["python"], "blocking")

    registered = importlib.import_module("streamspace.registry").describe()
    assert returned is None
    assert {kind: entries for kind, entries in registered.items() if entries} == row["registers"]


@pytest.mark.parametrize("row", TABLE["refusals"], ids=identify)
def test_a_wrong_argument_is_refused_before_anything_is_sent(row: dict[str, Any], streamspace: ModuleType, platform: FakePlatform) -> None:
    with pytest.raises(TypeError) as refused:
        evaluate(streamspace, row["python"], "blocking")

    assert all(words in str(refused.value) for words in row["mentions"]), str(refused.value)
    assert platform.requests == []


def test_the_table_has_every_method_of_the_api(streamspace: ModuleType) -> None:
    called = {
        ast.unparse(node.func).removeprefix("streamspace.")
        for kind in ("requests", "registrations")
        for row in TABLE[kind]
        for node in ast.walk(ast.parse(row["python"]))
        if isinstance(node, ast.Call)
    }
    offered = {
        f"{namespace}.{name}"
        for namespace in ("api", "email", "storage", "ui", "commands")
        for name, value in vars(getattr(streamspace, namespace)).items()
        if callable(value) and not name.startswith("_") and (namespace == "api" or value.__module__ == f"streamspace.{namespace}")
    }
    assert offered <= called
    assert {"notify", "notify_all", "notify_admins", "schedule"} <= called


def test_all_pages_of_keys_are_read(streamspace: ModuleType, platform: FakePlatform) -> None:
    platform.script += [{"data": ["a"], "meta": {"next_cursor": "x y"}}, {"data": ["b"]}]

    assert streamspace.storage.keys("p") == ["a", "b"]

    assert [request["line"] for request in platform.requests] == [
        "GET /api/v1/storage?prefix=p",
        "GET /api/v1/storage?prefix=p&cursor=x%20y",
    ]


def test_a_large_value_is_sent_to_an_address_of_its_own_and_read_from_the_one_that_the_answer_names(
    streamspace: ModuleType, platform: FakePlatform
) -> None:
    value = ['é"\\', "x" * 500_000]
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    platform.script += [
        {"status": 201, "data": {"upload_id": "obj_1", "url": f"{platform.url}/place?signed", "method": "PUT", "headers": {}}},
        {},
        {"data": None},
        {"status": 303, "data": None, "links": {"value": f"{platform.url}/place?read"}},
        {"raw": text},
    ]

    streamspace.storage.set("k", value)
    assert streamspace.storage.get("k") == value

    begun, sent, put, _, read = platform.requests
    size = {"size_bytes": len(text.encode())}
    assert (begun["line"], begun["body"], sent["line"], sent["body"]) == ("POST /api/v1/uploads", size, "PUT /place?signed", size)
    assert (put["line"], put["body"]) == ("PUT /api/v1/storage/k", {"upload_id": "obj_1"})
    assert (read["line"], read["headers"].get("authorization")) == ("GET /place?read", None)


def test_a_large_value_that_cannot_be_read_is_tried_again_and_an_error_that_says_so(
    streamspace: ModuleType, platform: FakePlatform
) -> None:
    elsewhere = {"status": 303, "data": None, "links": {"value": f"{platform.url}/place"}}
    platform.script += [elsewhere, {"status": 503}, {"raw": "7"}, elsewhere, {"status": 403}]

    assert streamspace.storage.get("k") == 7
    with pytest.raises(streamspace.errors.PlatformUnreachableError, match=r"storage\.get: .*403"):
        streamspace.storage.get("k")


def test_clearing_goes_on_until_the_platform_is_done(streamspace: ModuleType, platform: FakePlatform) -> None:
    platform.script += [{"data": {"removed": 9, "is_complete": False}}, {"data": {"removed": 1, "is_complete": True}}]

    streamspace.storage.clear()

    assert [request["line"] for request in platform.requests] == ["DELETE /api/v1/storage"] * 2


def test_version_and_config_are_the_platforms(streamspace: ModuleType) -> None:
    assert streamspace.version == "1.0.0"
    assert streamspace.config.namespace == "streamspace"
    assert streamspace.config.ingress_domain == streamspace.config["ingressDomain"] == "streamspace.local"
    assert streamspace.config.hibernation_enabled is True


def test_calls_can_be_gathered(streamspace: ModuleType, platform: FakePlatform) -> None:
    platform.script += [{"data": {"id": "a"}}, {"data": {"id": "b"}}, {"data": None}]

    async def hook() -> Any:
        return await asyncio.gather(
            *[streamspace.api.get_session(key) for key in ("a", "b")], streamspace.notify("x", title="T", message="M")
        )

    assert asyncio.run(hook()) == [{"id": "a"}, {"id": "b"}, None]


def test_a_missing_key_is_falsy_and_equal_to_none_before_it_is_awaited(streamspace: ModuleType, platform: FakePlatform) -> None:
    async def hook() -> tuple[Any, Any]:
        unawaited = streamspace.storage.get("missing")
        return unawaited, await unawaited

    unawaited, awaited = asyncio.run(hook())

    assert not unawaited
    assert unawaited == None  # noqa: E711 - what an author may write
    assert awaited is None
