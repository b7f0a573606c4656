"""Attachments of the Python SDK, by the cases that the JavaScript suite runs too (tests/sdk/attachments.json)."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

CASES = json.loads((Path(__file__).parents[2] / "sdk" / "attachments.json").read_text())


@pytest.fixture(autouse=True)
def places(platform: FakePlatform) -> None:
    numbers = itertools.count(1)

    def place(_: Any) -> dict[str, Any]:
        number = next(numbers)
        url = f"{platform.url}/bucket/{number}?signed"
        return {"status": 201, "data": {"upload_id": f"upload_{number}", "url": url, "method": "PUT", "headers": {}}}

    platform.routes["POST /api/v1/uploads"] = place
    platform.routes["POST /api/v1/email"] = {"status": 202, "data": {"message_id": "m", "skipped": []}}


def send(streamspace: ModuleType, sizes: list[int]) -> None:
    files = [{"filename": f"{index}.bin", "content": bytes(size)} for index, size in enumerate(sizes)]
    streamspace.email.send("a@example.com", "S", text="t", attachments=files)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_case(case: dict[str, Any], streamspace: ModuleType, platform: FakePlatform) -> None:
    if "error" in case:
        with pytest.raises(getattr(streamspace, case["error"])) as refused:
            send(streamspace, case["sizes"])
        assert (refused.value.code, platform.requests) == ("VALIDATION_ERROR", [])
        return

    send(streamspace, case["sizes"])

    sent = platform.asked("/email")[0]["body"]["attachments"]
    assert [index for index, attachment in enumerate(sent) if "upload_id" in attachment] == case["uploaded"]
    assert all(("upload_id" in attachment) != ("content" in attachment) for attachment in sent)
    puts = platform.asked("?signed")
    assert [put["body"]["size_bytes"] for put in puts] == [case["sizes"][index] for index in case["uploaded"]]
    assert all("authorization" not in put["headers"] for put in puts)


def test_an_upload_is_tried_again_after_503_and_not_after_403(streamspace: ModuleType, platform: FakePlatform) -> None:
    answers = [{"status": 503}, {"status": 200}]
    platform.routes["PUT /bucket/1"] = lambda _: answers.pop(0)
    platform.routes["PUT /bucket/2"] = {"status": 403}

    send(streamspace, [4_000_000])
    assert len(platform.asked("?signed")) == 2

    with pytest.raises(streamspace.PlatformUnreachableError, match="upload failed: it was answered with 403"):
        send(streamspace, [4_000_000])
    assert len(platform.asked("?signed")) == 3
    assert len(platform.asked("/email")) == 1


def test_who_was_left_out_is_in_the_log(streamspace: ModuleType, platform: FakePlatform, capsys: pytest.CaptureFixture[str]) -> None:
    skipped = [{"address": "gone@example.com", "reason": "Mail to it came back"}]
    platform.routes["POST /api/v1/email"] = {"status": 202, "data": {"message_id": "m", "skipped": skipped}}

    streamspace.email.send(["a@example.com", "gone@example.com"], "S", text="t")

    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["message"]) == ("warn", "email.send left out gone@example.com: Mail to it came back")
