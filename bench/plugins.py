"""Plugins that the benchmarks write, install on the local stack and remove again."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cli.client import Client
from cli.errors import ApiError

_LONGEST_JOB_S = 240


def package(slug: str, main: str, permissions: Sequence[str] = ()) -> str:
    """A JavaScript plugin of one file, as an upload wants it."""
    manifest = {
        "name": slug,
        "version": "1.0.0",
        "displayName": slug,
        "description": "Made by a benchmark",
        "type": "extension",
        "author": "bench",
        "license": "MIT",
        "runtime": "nodejs",
        "entrypoints": {"main": "index.js"},
        "permissions": list(permissions),
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("index.js", main)
    return base64.b64encode(made.getvalue()).decode()


def install(client: Client, request: dict[str, Any]) -> dict[str, Any]:
    """The job's record after its end. Raises SystemExit when it failed."""
    job_id = client.post("/admin/plugins/install", {**request, "activate": True}, headers={"Prefer": "respond-async"}).data["job_id"]
    ends = time.monotonic() + _LONGEST_JOB_S
    while time.monotonic() < ends:
        job: dict[str, Any] = client.get(f"/admin/jobs/{job_id}").data
        if job["status"] == "succeeded":
            return job
        if job["status"] in ("failed", "stuck"):
            break
        time.sleep(0.25)
    raise SystemExit(f"the installation did not succeed: {job}")


def is_installed(client: Client, slug: str) -> bool:
    try:
        client.get(f"/admin/plugins/{slug}")
    except ApiError as error:
        if error.code == "PLUGIN_NOT_FOUND":
            return False
        raise
    return True


def remove(client: Client, slug: str) -> None:
    """Gone when this returns; already gone is as good."""
    if not is_installed(client, slug):
        return
    client.delete(f"/admin/plugins/{slug}", backup="false")
    ends = time.monotonic() + _LONGEST_JOB_S
    while is_installed(client, slug) and time.monotonic() < ends:
        time.sleep(0.25)


@contextmanager
def installed(client: Client, slug: str, main: str, permissions: Sequence[str]) -> Iterator[None]:
    remove(client, slug)
    install(client, {"source": "upload", "package": package(slug, main, permissions)})
    try:
        yield
    finally:
        remove(client, slug)
