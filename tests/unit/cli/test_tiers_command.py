"""Tiers by the command line."""

import json

import pytest

QUOTAS = {"memory": "4Gi", "maxSessions": 2, "storage": "10Gi", "maxSessionDuration": "4h"}
FREE = {"tier": "free", "quotas": QUOTAS, "shippedQuotas": QUOTAS, "isChanged": False}


def test_what_was_not_named_stays(streamspace, platform):
    platform.answers("GET /admin/tiers", [FREE])
    platform.answers("PUT /admin/tiers/free", {**FREE, "isChanged": True})

    result = streamspace("admin", "tiers", "set", "free", "--max-sessions", "0", "--storage", "20Gi")

    assert result.exit_code == 0
    assert platform.received[-1].body == {"quotas": {**QUOTAS, "maxSessions": 0, "storage": "20Gi"}}


def test_tiers_are_listed_and_reset(streamspace, platform):
    platform.answers("GET /admin/tiers", [FREE])
    platform.answers("DELETE /admin/tiers/free", FREE)

    table, listed, reset = (streamspace("admin", "tiers", *words) for words in (["list"], ["list", "--json"], ["reset", "free", "--json"]))

    assert table.stdout.splitlines()[1].split() == ["free", "4Gi", "2", "10Gi", "4h", "no"]
    assert json.loads(listed.stdout) == [FREE]
    assert json.loads(reset.stdout) == FREE
    assert platform.received[-1].method == "DELETE"


@pytest.mark.parametrize("options", [[], ["--max-sessions", "-1"], ["--max-sessions", "many"], ["--cpu", "1"]])
def test_a_wrong_call_is_exit_code_2(streamspace, platform, options):
    assert streamspace("admin", "tiers", "set", "free", *options).exit_code == 2
    assert platform.received == []


def test_usage_shows_memory_and_storage_as_quantities(streamspace, platform):
    taken = {"used": 2 * 1024**3, "allowed": 1536 * 1024**2}
    platform.answers(
        "GET /users/jane/usage", {"sessions": {"used": 1, "allowed": 2}, "memory": taken, "storage": {"used": 0, "allowed": 1}}
    )

    result = streamspace("users", "usage", "jane")

    assert [line.split() for line in result.stdout.splitlines()] == [
        ["QUOTA", "USED", "ALLOWED"],
        ["sessions", "1", "2"],
        ["memory", "2Gi", "1.5Gi"],
        ["storage", "0", "1"],
    ]
