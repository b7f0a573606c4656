"""Safe mode on the running platform: in trouble an administrator types one command, and another when the trouble is over."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.client import Refused, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

COMMAND = Path(sys.executable).parent / "streamspace"
# It asks the platform for as much as it can, as long as it lives.
BUSY = """
module.exports = {
  onLoad() {
    streamspace.api.registerEndpoint({ method: 'GET', path: '/open', public: true, handler: () => 'here' });
    streamspace.commands.register({ name: `${this.manifest.name}-keep`, description: 'd', handler: async () => {
      await streamspace.notify('admin', { title: this.manifest.name, message: 'at it' });
      for (let n = 0; ; n += 1) await streamspace.storage.set('n', n);
    } });
  },
};
"""


@pytest.fixture
def safe_mode(stack, tmp_path):
    """``safe_mode("on")``, by command line; it is off again in the end."""

    def switch(mode):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "STREAMSPACE_API_URL": stack.api_url}
        environment["STREAMSPACE_TOKEN"] = stack.admin["token"]
        done = subprocess.run(
            [COMMAND, "platform", "safe-mode", mode], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield switch
    switch("off")


@pytest.mark.parametrize("runtime", ["nodejs", "python"])
def test_in_safe_mode_nothing_of_a_plugin_runs_and_afterwards_nothing_was_lost(api, plugin, user, safe_mode, runtime):
    recorder = plugin.recorder(runtime)

    safe_mode("on")
    for number in range(3):
        api.patch(f"/users/{user.username}", {"fullName": f"Number {number}"})
    with pytest.raises(Refused) as refused:
        plugin.heard(recorder, f"user#{user.username}")
    assert (refused.value.status, refused.value.code) == (409, "SAFE_MODE")
    assert api.get(f"/admin/plugins/{recorder.slug}")["paused"] is True
    with pytest.raises(Refused) as refused:
        plugin.recorder(runtime)
    assert refused.value.code == "SAFE_MODE"

    safe_mode("off")
    heard = eventually(lambda: len(found := plugin.heard(recorder, f"user#{user.username}")) >= 3 and found, 60)
    assert [one["sequence"] for one in heard] == sorted({one["sequence"] for one in heard})


def test_what_runs_when_safe_mode_begins_can_do_nothing_more(api, plugin, safe_mode):
    busy = plugin.install(BUSY, permissions=("storage", "commands", "notifications"))
    errors = []

    def keep_at_it():
        try:
            api.run(f"{busy.slug}-keep")
        except Refused as refused:
            errors.append(refused)

    thread = threading.Thread(target=keep_at_it)
    thread.start()
    eventually(lambda: any(one["title"] == busy.slug for one in api.get("/notifications")), 30)

    safe_mode("on")
    thread.join(60)

    assert not thread.is_alive()
    assert "safe mode" in errors[0].message
    assert api.raw("GET", f"/api/v1/plugins/{busy.slug}/open").status == 409

    safe_mode("off")
    assert api.raw("GET", f"/api/v1/plugins/{busy.slug}/open").status == 200
