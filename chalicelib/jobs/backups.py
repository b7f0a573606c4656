"""Backups of a plugin: its package, settings and data in one zip.

| file | what |
| --- | --- |
| backup.json | `{"format": 1, "slug", "version", "made_at"}` |
| package.zip | the installed package, as it came |
| settings.json | the settings as they are kept: secrets stay encrypted |
| storage.jsonl | `{"key", "value"}` for each value of its storage |

Data is written and read line by line, so that its size is bounded by the disk, not by memory.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from chalicelib import plugins, runtime
from chalicelib.core import clock
from chalicelib.jobs import artifacts

_IN_MEMORY_BYTES = 32 * 1024 * 1024
_PREFIX = "backups/plugins/"
_PASSING_PREFIX = "backups/passing/"


def key_of(slug: str, version: str, moment: str) -> str:
    """Where the backup that was begun at ``moment`` lies."""
    return f"{_PREFIX}{slug}-{version}-{moment.replace(':', '')}.zip"


def passing_key_of(slug: str, job_id: str) -> str:
    """Where a backup lies that nobody asked for, and a way back may need; it goes by itself (``infra/template.yaml``)."""
    return f"{_PASSING_PREFIX}{slug}-{job_id}.zip"


def make(key: str, slug: str, version: str) -> None:
    """Back the plugin up; a backup that is there under that key is replaced, whole."""
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(
                "backup.json", json.dumps({"format": 1, "slug": slug, "version": version, "made_at": clock.rfc3339(clock.now())})
            )
            archive.writestr("package.zip", artifacts.get(artifacts.package_key(slug, version)))
            archive.writestr("settings.json", json.dumps(plugins.stored_settings(slug)))
            _write_storage(archive, slug)
        file.seek(0)
        artifacts.put(key, file)


def package_of(key: str) -> bytes:
    """The package that was installed when the backup was made."""
    with _opened(key) as archive:
        return archive.read("package.zip")


def restore_storage(key: str, slug: str) -> int:
    """Put back what the plugin had stored, in the place of what it has now; how many values. May be done twice."""
    with _opened(key) as archive, archive.open("storage.jsonl") as lines:
        return runtime.storage.load(slug, _entries(lines))


def _entries(lines: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    for line in lines:
        entry = json.loads(line)
        yield entry["key"], json.dumps(entry["value"], separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")


def _opened(key: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(artifacts.get(key)))


def _write_storage(archive: zipfile.ZipFile, slug: str) -> None:
    with archive.open("storage.jsonl", "w") as lines:
        for key, text in runtime.storage.everything(slug):
            lines.write(b'{"key":%b,"value":%b}\n' % (json.dumps(key).encode(), text))
