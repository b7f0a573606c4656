"""The in-memory platform of the Python SDK does what the table says, which the real routes and the JavaScript one do too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra import sdk_contract
from tests.sdk.semantics import ALL_SCOPES, CASES, TABLE, run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_memory_platform_does_what_the_table_says(case: dict[str, Any], tmp_path: Path) -> None:
    from streamspace.testing import create_platform

    scopes = case.get("scopes", ALL_SCOPES)
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "table", "version": "1.0.0", "runtime": "python"}))
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/0001_tables.json").write_text(json.dumps(TABLE["migration"]))

    with create_platform(tmp_path, **TABLE["given"], scopes=scopes, email=case.get("email", True)):
        run(case)


@pytest.mark.parametrize("file", sdk_contract.FILES, ids=["nodejs", "python"])
def test_the_sdks_carry_the_platforms_present_rules(file: Path) -> None:
    assert file.read_text() == sdk_contract.text(), "run: python -m infra.sdk_contract"


def test_every_route_that_plugins_call_is_answered_in_memory() -> None:
    from streamspace.testing.server import _HANDLERS

    declared = {f"{route['method']} {route['path']}" for route in sdk_contract.contract()["routes"]}

    assert declared <= set(_HANDLERS)
