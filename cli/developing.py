"""``plugin dev``: a folder on the platform, anew with each change."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from cli.client import Client, segment
from cli.errors import ApiError, CliError, JobFailed, PackageInvalid
from cli.jobs import follow_job
from cli.logs import as_they_come, moment
from cli.manifests import read_manifest
from cli.output import visible
from cli.packing import pack, packed_files
from cli.validating import FAULT, validate

_POLL_S = 0.3
_ASYNC = {"Prefer": "respond-async"}
_COLOURS = {"debug": "bright_black", "info": None, "warn": "yellow", "error": "red"}


class Development:
    """One folder and the plugin that it is on the platform. ``say`` is told what happens, a line at a time."""

    def __init__(self, client: Client, folder: Path, say: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.client, self.folder, self.say, self._sleep = client, folder, say, sleep
        self.slug: str | None = None

    def run(self) -> None:
        """Brings the folder, and again whenever it has changed, until it is interrupted. What cannot be brought is said and waited out."""
        seen: Mapping[str, tuple[int, int]] | None = None
        while True:
            now = _state_of(self.folder)
            if now != seen:
                seen = self._settled(now)
                self._try_to_bring()
            self._sleep(_POLL_S)

    def _settled(self, now: Mapping[str, tuple[int, int]]) -> Mapping[str, tuple[int, int]]:
        """An editor writes in several steps, and a build many files: the state after which nothing changed for a moment."""
        while True:
            self._sleep(_POLL_S)
            later = _state_of(self.folder)
            if later == now:
                return now
            now = later

    def _try_to_bring(self) -> None:
        began = time.monotonic()
        try:
            findings = validate(self.folder)
            for one in findings:
                self.say(click.style(str(one), fg="red" if one.severity == FAULT else "yellow"))
            if any(one.severity == FAULT for one in findings):
                self.say("Waiting for a change…")
                return
            version = self.bring()
        except CliError as error:
            self._say_failure(error)
            self.say("Waiting for a change…")
        else:
            self.say(click.style(f"{self.slug} {version} is active ({time.monotonic() - began:.1f} s)", fg="green"))

    def bring(self) -> str:
        """Installs the folder, or puts it in the place of what is installed; the version that it runs as. Settings and data stay.

        Raises: PackageInvalid, ApiError, JobFailed.
        """
        content, slug, version = _stamped(self.folder)
        package = base64.b64encode(content).decode()
        path = f"/admin/plugins/{segment(slug)}"
        if self._is_installed(slug):
            started = self.client.post(f"{path}/update", {"package": package, "backup": False}, headers=_ASYNC)
        else:
            body = {"source": "upload", "package": package, "activate": True}
            started = self.client.post("/admin/plugins/install", body, headers=_ASYNC)
        if self.slug is None:
            self.slug = slug
            threading.Thread(target=self._show_log, args=(slug,), daemon=True).start()
        if started.status == 202:
            follow_job(self.client, started, lambda line: None)
        if self.client.get(path).data.get("status") != "active":
            self.client.post(f"{path}/activate")
        return version

    def remove(self) -> None:
        """Uninstalls what :meth:`bring` installed, with its data."""
        if self.slug is not None and self._is_installed(self.slug):
            answer = self.client.delete(f"/admin/plugins/{segment(self.slug)}", headers=_ASYNC, keep_data=False, backup=False)
            if answer.status == 202:
                follow_job(self.client, answer, lambda line: None)
            self.say(f"Removed {self.slug}")

    def _is_installed(self, slug: str) -> bool:
        try:
            self.client.get(f"/admin/plugins/{segment(slug)}")
        except ApiError as error:
            if error.code == "PLUGIN_NOT_FOUND":
                return False
            raise
        return True

    def _show_log(self, slug: str) -> None:
        begin = moment("1s")
        while True:
            try:
                for line in as_they_come(self.client, f"/admin/plugins/{segment(slug)}/logs", {}, begin):
                    self.say(_log_line(line))
            except ApiError as error:
                if error.code != "PLUGIN_NOT_FOUND":
                    self.say(f"The log is not shown any more: {error.message}")
                    return
            self._sleep(1)  # not there yet, or not any more

    def _say_failure(self, error: CliError) -> None:
        details = error.details if isinstance(error.details, dict) else {}
        where = f"{details['location']}: " if isinstance(details.get("location"), str) else ""
        code = "" if isinstance(error, JobFailed | PackageInvalid) else f"{error.code}: "
        self.say(click.style(visible(f"{where}{code}{error.message}"), fg="red"))


def _state_of(folder: Path) -> Mapping[str, tuple[int, int]]:
    """Time and size of each file that would be packed: polling asks little of a folder, and works on every disk and in every container."""
    state = {}
    for name, path in packed_files(folder):
        try:
            at = path.stat()
        except OSError:
            continue  # removed meanwhile: the next look says so
        state[name] = (at.st_mtime_ns, at.st_size)
    return state


def _stamped(folder: Path) -> tuple[bytes, str, str]:
    """The package under a version of its own, with its slug and that version: what is installed under a version is never another thing."""
    manifest: dict[str, Any] = read_manifest(pack(folder))
    version = f"{str(manifest['version']).partition('+')[0]}+dev.{time.time_ns() // 10**8}"
    changed = json.dumps({**manifest, "version": version}, indent=2).encode()
    return pack(folder, {"manifest.json": changed}), manifest["name"], version


def _log_line(line: Mapping[str, Any]) -> str:
    level = str(line.get("level"))
    data = json.dumps(line["data"], ensure_ascii=False) if line.get("data") is not None else ""
    clock = str(line.get("time", ""))[11:19]
    where = str(line.get("hook") or "")
    text = "  ".join(part for part in (clock, f"{level:5}", where, str(line.get("message")), data) if part)
    return click.style(visible(text), fg=_COLOURS.get(level))
