"""Each method rejects with the documented error, in both SDKs, against the real routes (tests/sdk/errors.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib import accounts, sessions
from chalicelib.accounts import Caller
from chalicelib.core import clock, config
from chalicelib.sessions.models import CapacityRow

CASES = json.loads((Path(__file__).parents[2] / "sdk" / "errors.json").read_text())
ADMIN = Caller("user", "admin", "Admin", "admin", None)
# A gigabyte more than the largest pod that fits.
TOO_LARGE = 12 * 1024**3


@pytest.fixture
def world(aws: Any) -> None:
    """john has room; busy has none left; over's session is terminated; the cluster has no room for a huge one."""
    for username, tier in (("john", "pro"), ("busy", "free"), ("over", "free")):
        accounts.create_user(username=username, full_name=username.title(), email=f"{username}@example.com", tier=tier, by=None)
    template = {"displayName": "D", "description": "d", "category": "c", "baseImage": "example.com/d:1", "ports": []}
    for name, memory in (("desk", "1Gi"), ("huge", "14Gi")):
        sessions.create_template({"name": name, **template, "defaultResources": {"memory": memory, "cpu": "1"}}, by=ADMIN)
    for username in ("busy", "busy", "over"):
        made = sessions.create_session({"user": username, "template": "desk"}, by=ADMIN)
    sessions.update_session(made.id, {"state": "terminated"}, by=ADMIN)
    CapacityRow(session="other", memory_bytes=TOO_LARGE, cpu_millis=1000, until=clock.timestamp() + 3600).save()


def test_each_method_rejects_with_the_documented_error(run: Any, world: Any) -> None:
    outcomes: dict[int, Any] = {}
    for without in (None, "sender", "scopes"):
        chosen = [number for number, row in enumerate(CASES) if row.get("without") == without]
        scopes = {"scopes": frozenset()} if without == "scopes" else {}
        with config.overridden(EMAIL_SENDER="" if without == "sender" else "no-reply@streamspace.example"):
            outcomes.update(zip(chosen, run([CASES[number] for number in chosen], **scopes), strict=True))

    for number, row in enumerate(CASES):
        outcome = outcomes[number]
        assert outcome.get("name") == row["error"], (row, outcome)
        assert outcome["is_own_class"], (row, outcome)
        assert outcome["is_stream_space_error"]
        assert outcome["is_error"]
        assert outcome["message"]
    denied = [outcomes[number]["message"] for number, row in enumerate(CASES) if row.get("without") == "scopes"]
    assert all('add it to "permissions" in manifest.json' in message for message in denied)
    (quota, duration) = (outcomes[number]["details"] for number, row in enumerate(CASES) if row["error"] == "QuotaExceededError")
    assert (quota["quota"], quota["used"], quota["allowed"]) == ("sessions", 2, 2)
    assert duration["quota"] == "maxSessionDuration"
