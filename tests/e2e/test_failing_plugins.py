"""What becomes of plugins that fail: crashes cost one event, a plugin that takes nothing is set aside whole, and a circle ends."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.client import Api, Refused, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

CRASHES = """
module.exports = {
  async onUserUpdated(user, event) {
    if (user.fullName === 'poison') process.kill(process.pid, 'SIGKILL');
    const heard = (await streamspace.storage.get(user.username)) || [];
    await streamspace.storage.set(user.username, [...heard, user.fullName]);
  },
};
"""
FAILS_UNTIL_MENDED = """
module.exports = {
  async onUserUpdated(user, event) {
    if (user.fullName === 'bad') throw new Error(`cannot take ${user.username}`);
    await streamspace.storage.set(user.username, [user.fullName, Boolean(event.replayed)]);
  },
};
"""
ANSWERS_ITSELF = """
module.exports = {
  async onUserUpdated(user, event) {
    await streamspace.api.updateUser(user.username, { fullName: `after ${event.hops || 0}` });
  },
};
"""

# Keeps what it takes, so that nothing is left to collect.
GREEDY = {
    "nodejs": """
const taken = [];
module.exports = {
  onLoad() {
    const name = this.manifest.name;
    streamspace.commands.register({ name: `${name}-works`, description: 'd', handler: () => taken.length });
    streamspace.commands.register({
      name: `${name}-takes`, description: 'd', handler: () => { for (;;) taken.push(Buffer.alloc(16 * 1024 * 1024, 1)); },
    });
  },
};
""",
    "python": """
import streamspace

taken = []


class Plugin:
    def on_load(self):
        name = self.manifest["name"]
        streamspace.commands.register(name=name + "-works", description="d", handler=lambda args: len(taken))
        streamspace.commands.register(name=name + "-takes", description="d", handler=self.take)

    def take(self, args):
        while True:
            taken.append(bytearray(16 * 1024 * 1024))
""",
}


@pytest.fixture
def people(api: Api) -> Iterator[list[str]]:
    names = [f"e2e-{uuid.uuid4().hex[:10]}" for _ in range(10)]
    for name in names:
        api.post("/users", {"username": name, "fullName": "Fresh", "email": f"{name}@example.com"})
    yield names
    for name in names:
        api.delete(f"/users/{name}")


def rename(api: Api, name: str, full_name: str) -> None:
    api.patch(f"/users/{name}", {"fullName": full_name})


def test_an_event_that_kills_the_function_dies_alone_after_three_attempts(api, account, plugin, people):
    fragile = plugin.install(CRASHES, permissions=("read:users", "storage"), limits={"timeout_s": 3})
    first, second = people[:2]
    began = time.monotonic()

    rename(api, first, "poison")
    rename(api, first, "behind")
    rename(api, second, "beside")

    (letter,) = eventually(lambda: api.dead_letters(fragile.slug), 90, "no dead letter", every_s=1)
    # Three times the queue's patience of 3 s + 5 s; at the default timeout it would be three times 35 s.
    assert 3 * 8 - 3 < time.monotonic() - began < 3 * 8 + 20
    assert (letter["error"]["name"], letter["attempts"], letter["aggregate"]) == ("PluginCrashed", 3, f"user#{first}")
    # Where the hook begins: nobody is left to say where in it the process died.
    assert (letter["error"]["hook"], letter["error"]["location"]) == ("onUserUpdated", "index.js:3")
    eventually(lambda: account.stored_by(fragile.slug).get(first) == ["behind"], 30, lambda: str(account.stored_by(fragile.slug)))
    assert account.stored_by(fragile.slug)[second][-1] == "beside"
    assert api.plugin(fragile.slug)["status"] == "active"


@pytest.mark.parametrize("runtime", ["nodejs", "python"])
def test_a_plugin_that_takes_all_memory_is_ended_alone_and_its_author_is_told(api, plugin, runtime):
    greedy, neighbour = (plugin.install(GREEDY[runtime], runtime=runtime, permissions=("commands",)) for _ in range(2))
    assert api.run(f"{neighbour.slug}-works") == 0

    with pytest.raises(Refused) as refused:
        api.run(f"{greedy.slug}-takes")

    error = refused.value
    assert (error.status, error.code) == (502, "PLUGIN_CRASHED")
    assert error.details["slug"] == greedy.slug
    line = {"nodejs": "index.js:8", "python": "plugin.py:13"}[runtime]
    assert error.message.startswith(f"The plugin '{greedy.slug}' crashed in command {greedy.slug}-takes"), error.message
    assert line in error.message, error.message
    assert "it ran out of memory" in error.message
    assert (api.run(f"{neighbour.slug}-works"), api.run(f"{greedy.slug}-works")) == (0, 0)
    assert api.plugin(greedy.slug)["status"] == "active"


def test_a_plugin_that_takes_nothing_is_set_aside_and_goes_on_where_it_stopped(api, account, plugin, people):
    failing = plugin.install(FAILS_UNTIL_MENDED, permissions=("read:users", "storage"))
    for name in people:
        rename(api, name, "bad")

    eventually(lambda: api.plugin(failing.slug)["status"] == "error", 120, lambda: str(api.dead_letters(failing.slug)), every_s=1)
    about = api.plugin(failing.slug)
    assert about["error_reason"] == "failed_to_stay_up"
    assert "cannot take" in about["error"]
    for name in people:
        rename(api, name, "good")
    api.post(f"/admin/plugins/{failing.slug}/activate")

    kept = {name: ["good", False] for name in people}
    eventually(lambda: account.stored_by(failing.slug) == kept, 60, lambda: str(account.stored_by(failing.slug)), every_s=1)
    history = api.get(f"/admin/plugins/{failing.slug}/events/dead-letters", history="true")
    assert {one["aggregate"] for one in history} == {f"user#{name}" for name in people}


def test_a_plugin_that_answers_to_itself_is_stopped_after_ten_hooks(api, plugin, people):
    plugin.install(ANSWERS_ITSELF, permissions=("read:users", "write:users"))
    name = people[0]

    rename(api, name, "start")

    eventually(lambda: api.get(f"/users/{name}")["fullName"] == "after 10", 60, lambda: api.get(f"/users/{name}")["fullName"])
    time.sleep(3)
    assert api.get(f"/users/{name}")["fullName"] == "after 10"
