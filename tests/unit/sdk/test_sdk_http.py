"""The Python client against the cases that the JavaScript suite runs too (tests/sdk/http_cases.json)."""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

CASES = json.loads((Path(__file__).parents[2] / "sdk" / "http_cases.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_case(case: dict[str, Any], streamspace: ModuleType, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    platform.script += case.get("answers", [])
    if case.get("refused"):
        monkeypatch.setenv("STREAMSPACE_API_URL", "http://127.0.0.1:1")
    client = importlib.import_module("streamspace.client").Client(sleep=delays.append)
    deadline = time.monotonic() + case.get("time_left_s", 3600)
    body = {"a": 1} if case["method"] in ("POST", "PUT", "PATCH") else None

    def call() -> Any:
        return client.request("test.call", case["method"], "things", body=body, deadline=deadline).get("data")

    if "error" in case:
        with pytest.raises(streamspace.StreamSpaceError) as raised:
            call()
        facts = {**vars(raised.value), "name": type(raised.value).__name__}
        assert {name: facts.get(name) for name in case["error"]} == case["error"]
        assert type(raised.value) is getattr(streamspace.errors, case["error"]["name"])
    else:
        assert call() == case["data"]

    assert len(delays) + 1 == case["attempts"]
    if not case.get("refused"):
        assert len(platform.requests) == case["attempts"]
    assert all(delay >= least for delay, least in zip(delays, case.get("delays_at_least_s", []), strict=False))
    assert all(delay <= most for delay, most in zip(delays, case.get("delays_at_most_s", []), strict=False))


def test_one_connection_serves_many_requests(streamspace: ModuleType, platform: FakePlatform) -> None:
    client = importlib.import_module("streamspace.client").Client()

    opened = {client._idle[0][2] for _ in range(3) if client.request("c", "GET", "x") is not None}

    assert len(opened) == 1


def test_but_not_one_that_was_idle_for_longer_than_four_seconds(
    streamspace: ModuleType, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = importlib.import_module("streamspace.client").Client()
    client.request("c", "GET", "x")
    first, now = client._idle[0][2], time.time()

    monkeypatch.setattr(time, "time", lambda: now + 4.5)
    client.request("c", "GET", "x")

    assert [kept[2] is first for kept in client._idle] == [False]


def test_an_authors_headers_are_sent_but_for_those_that_frame_the_request(streamspace: ModuleType, platform: FakePlatform) -> None:
    client = importlib.import_module("streamspace.client").Client()
    theirs = {"X-Mine": 7, "Accept": "text/html", "HOST": "elsewhere", "Content-Length": "9", "Transfer-Encoding": "chunked"}

    client.request("api.request", "POST", "things", body={}, headers=theirs)
    headers = {name.lower(): value for name, value in platform.requests[0]["headers"].items()}

    assert (headers["x-mine"], headers["accept"], headers["host"]) == ("7", "application/json", platform.url.partition("://")[2])
    assert (headers["content-length"], "transfer-encoding" in headers) == ("2", False)
    assert "streamspace" in headers["user-agent"]
    for wrong in ({"X-Mine": "a\r\nX-Other: b"}, {"X\nMine": "a"}):
        with pytest.raises(ValueError, match="Invalid header"):
            client.request("api.request", "POST", "things", body={}, headers=wrong)
    assert len(platform.requests) == 1


def test_the_api_may_lie_below_a_path_as_a_stage_of_api_gateway_does(
    streamspace: ModuleType, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMSPACE_API_URL", f"{platform.url}/restapis/x/")

    streamspace.storage.clear()

    assert platform.requests[0]["line"] == "DELETE /restapis/x/api/v1/storage"


def test_every_code_has_a_class_named_after_it(streamspace: ModuleType) -> None:
    for code, error_class in streamspace.errors.BY_CODE.items():
        words = code.removesuffix("_ERROR").split("_")
        assert error_class.__name__ == "".join(word.capitalize() for word in words) + "Error"
        assert getattr(streamspace, error_class.__name__) is error_class
