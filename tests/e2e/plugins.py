"""Small plugins that a test writes, packs and installs by upload."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.packing import pack
from tests.e2e.client import Api, Refused

_MAIN = {"nodejs": "index.js", "python": "plugin.py"}

# Both write down what they hear, and tell it when asked. Events of one session or user come one after another, so that reading and
# writing the list is safe.
RECORDER = {
    "nodejs": """
const heard = async (subject, event) => {
  const key = `heard:${event.aggregate}`;
  const before = (await streamspace.storage.get(key)) || [];
  await streamspace.storage.set(key, [...before, { id: event.id, type: event.type, sequence: event.sequence }]);
};
module.exports = {
  onLoad() {
    streamspace.commands.register({
      name: `${this.manifest.name}-heard`,
      description: 'The events of one session or user',
      permissions: [],
      handler: async ({ of }) => (await streamspace.storage.get(`heard:${of}`)) || [],
    });
  },
  onSessionCreated: heard, onSessionStarted: heard, onSessionStopped: heard, onSessionHibernated: heard, onSessionWoken: heard,
  onSessionDeleted: heard, onUserUpdated: heard,
};
""",
    "python": """
import streamspace


class Plugin:
    def on_load(self):
        streamspace.commands.register(
            name=self.manifest["name"] + "-heard",
            description="The events of one session or user",
            handler=lambda args: streamspace.storage.get("heard:" + args["of"]) or [],
            permissions=[],
        )

    def heard(self, subject, event):
        key = "heard:" + event["aggregate"]
        known = streamspace.storage.get(key) or []
        streamspace.storage.set(key, [*known, {"id": event["id"], "type": event["type"], "sequence": event["sequence"]}])

    on_session_created = on_session_started = on_session_stopped = on_session_hibernated = on_session_woken = heard
    on_session_deleted = on_user_updated = heard
""",
}
RECORDER_SCOPES = ("read:sessions", "read:users", "storage", "commands")


@dataclass(frozen=True)
class WrittenPlugin:
    slug: str
    folder: Path

    @property
    def package(self) -> str:
        """As an upload wants it."""
        return base64.b64encode(pack(self.folder)).decode()


class Workshop:
    """Writes plugins under a folder and installs them; what it installed it removes in the end."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._made: list[str] = []

    def write(self, code: str, *, runtime: str = "nodejs", permissions: tuple[str, ...] = (), **manifest: Any) -> WrittenPlugin:
        slug = f"e2e-{uuid.uuid4().hex[:10]}"
        folder = self._folder / slug
        folder.mkdir()
        about = {
            "name": slug,
            "version": "1.0.0",
            "displayName": f"Test {slug}",
            "description": "Made by an end-to-end test",
            "type": "extension",
            "author": "The tests",
            "runtime": runtime,
            "permissions": list(permissions),
            **manifest,
        }
        (folder / "manifest.json").write_text(json.dumps(about))
        (folder / _MAIN[runtime]).write_text(code)
        return WrittenPlugin(slug, folder)

    def install(self, code: str, *, activate: bool = True, **about: Any) -> WrittenPlugin:
        """Installed and, unless told otherwise, active."""
        return self.install_written(self.write(code, **about), activate=activate)

    def install_written(self, written: WrittenPlugin, *, activate: bool = True) -> WrittenPlugin:
        self._made.append(written.slug)
        answer = self._api.ask("POST", "/admin/plugins/install", {"source": "upload", "package": written.package, "activate": activate})
        if answer.status == 202:
            job = self._api.finished(answer)
            assert job["status"] == "succeeded", job
        return written

    def recorder(self, runtime: str) -> WrittenPlugin:
        return self.install(RECORDER[runtime], runtime=runtime, permissions=RECORDER_SCOPES)

    def heard(self, recorder: WrittenPlugin, aggregate: str) -> list[dict[str, Any]]:
        """What a recorder heard of one session or user, in the order in which it heard it."""
        return self._api.run(f"{recorder.slug}-heard", of=aggregate)

    def clear(self) -> None:
        for slug in reversed(self._made):
            with suppress(Refused):
                self._api.uninstall(slug, backup=False)


@contextmanager
def workshop(api: Api, folder: Path) -> Iterator[Workshop]:
    opened = Workshop(api, folder)
    try:
        yield opened
    finally:
        opened.clear()
