"""A premium plugin's whole life on the stack, as an administrator and a vendor see it; each function with its own role's rights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local import settings
from tests.e2e.client import Refused

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

COMMAND = Path(sys.executable).parent / "streamspace"
SLUG = "session-insights"
PLUGIN = f"/admin/plugins/{SLUG}"


def vendor(*words: str) -> str:
    """The vendor's command, on the stack's own book."""
    done = subprocess.run([COMMAND, "license", *words, "--book", settings.layout().licenses], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def seats() -> dict[str, int]:
    """By the last characters of the key."""
    return {one["license_key"][-4:]: one["seats_used"] for one in json.loads(vendor("list", "--json"))}


@pytest.fixture
def insights(api):
    """The name; the plugin is not installed, before and after."""

    def remove():
        if any(one["slug"] == SLUG for one in api.get("/admin/plugins", per_page=100)):
            api.delete(PLUGIN, backup="false")

    remove()
    yield SLUG
    remove()


def refusal(call, *arguments):
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return refused.value.code


def test_a_premium_plugin_from_its_key_to_its_end(api, account, insights):
    installed = api.post("/admin/plugins/install", {"source": "marketplace", "slug": SLUG, "activate": True})
    assert installed["plugin"]["status"] == "inactive"
    assert refusal(api.post, f"{PLUGIN}/activate") == "LICENSE_INVALID"
    key = vendor("issue", SLUG, "--type", "professional", "--features", "a,b", "--expires", "2090-01-01")

    activated = api.post(f"{PLUGIN}/license/activate", {"license_key": key})
    assert activated == {"status": "active", "type": "professional", "features": ["a", "b"], "expires_at": "2090-01-01T00:00:00Z"}
    assert api.post(f"{PLUGIN}/activate")["status"] == "active"
    assert api.get(f"{PLUGIN}/license/verify")["is_confirmed"] is True
    assert seats()[key[-4:]] == 1

    vendor("revoke", key)
    assert refusal(api.post, f"{PLUGIN}/license/renew") == "LICENSE_INVALID"
    account.client("lambda").invoke(FunctionName=f"{settings.STACK_NAME}-license-check", Payload=b"{}")
    assert api.get(PLUGIN)["status"] == "inactive"
    assert api.get(PLUGIN)["license"]["status"] == "revoked"
    log = [one["event"] for one in api.get(f"{PLUGIN}/events")]
    assert log[:2] == ["license_ended", "deactivated"]


def test_a_key_on_install_takes_a_seat_which_an_uninstallation_gives_back(api, insights):
    key = vendor("issue", SLUG)
    api.post("/admin/plugins/install", {"source": "marketplace", "slug": SLUG, "activate": True, "license_key": key})
    assert (api.get(PLUGIN)["status"], seats()[key[-4:]]) == ("active", 1)

    api.delete(PLUGIN, backup="false")

    assert seats()[key[-4:]] == 0
