"""Backups of a plugin: its package, settings and data in one zip.

| file | what |
| --- | --- |
| backup.json | `{"format": 1, "slug", "version", "publisher", "made_at"}` |
| package.zip | the installed package, as it came; it is missing where the platform had lost it |
| settings.json | the settings as they are kept: secrets stay encrypted |
| storage.jsonl | `{"key", "value"}` for each value of its storage |
| tables.json | `{"tables", "migrations"}`: the shapes of its tables, and the migrations that made them so |
| tables/{table}.jsonl | each item of a table |

Data is written and read line by line, so that its size is bounded by the disk, not by memory. A snapshot is the same with nothing but the
data.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

from chalicelib import plugins, runtime
from chalicelib.core import clock
from chalicelib.events import retried
from chalicelib.jobs import artifacts
from chalicelib.jobs.errors import BackupNotFound
from chalicelib.runtime.table_keys import Shape

_IN_MEMORY_BYTES = 32 * 1024 * 1024
_PREFIX = "backups/plugins/"
_NAME = r"-([0-9]+\.[0-9]+\.[0-9]+.*)-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9.]+Z\.zip"
_PASSING_PREFIX = "backups/passing/"


@dataclass(frozen=True)
class Backup:
    """``version`` is the plugin's."""

    key: str
    version: str
    made_at: str
    size_bytes: int


def key_of(slug: str, version: str, moment: str) -> str:
    """Where the backup that was begun at ``moment`` lies."""
    return f"{_PREFIX}{slug}-{version}-{moment.replace(':', '')}.zip"


def passing_key_of(slug: str, job_id: str) -> str:
    """Where a backup lies that nobody asked for, and a way back may need; it goes by itself (``infra/template.yaml``)."""
    return f"{_PASSING_PREFIX}{slug}-{job_id}.zip"


def make(key: str, slug: str, version: str) -> None:
    """Back the plugin up; a backup that is there under that key is replaced, whole."""
    about = {"format": 1, "slug": slug, "version": version, "publisher": plugins.get(slug).publisher, "made_at": clock.rfc3339(clock.now())}
    with _new_archive(key) as archive:
        archive.writestr("backup.json", json.dumps(about))
        package = artifacts.package_key(slug, version)
        # One that got lost is a fault of the installed version, and must not keep the version that mends it out.
        if artifacts.exists(package):
            archive.writestr("package.zip", artifacts.get(package))
        _write_data(archive, slug)


def make_snapshot(key: str, slug: str) -> None:
    """The plugin's settings and data, before something is done to it. One that is there already is left alone: it is from before."""
    if not artifacts.exists(key):
        with _new_archive(key) as archive:
            _write_data(archive, slug)


@retried
def restore_data(key: str, slug: str) -> None:
    """Make the plugin's settings, storage and tables what they were in the backup or snapshot. May be done twice, and finishes what died
    half-way; a late write of the plugin's has it begin again."""
    with _opened(key) as archive:
        plugins.restore_settings(slug, json.loads(archive.read("settings.json")))
        runtime.storage.load(slug, _stored(archive))
        tables = json.loads(archive.read("tables.json"))
        runtime.tables.drop_all(slug)
        for document in tables["tables"]:
            shape = Shape.from_json(document)
            runtime.tables.define(slug, shape)
            with archive.open(f"tables/{shape.name}.jsonl") as lines:
                runtime.tables.load(slug, shape, (line.decode() for line in lines))
        runtime.migrations.load(slug, tables["migrations"])


def listed(slug: str) -> list[Backup]:
    """The plugin's backups, newest first."""
    found = []
    for one in artifacts.list_under(f"{_PREFIX}{slug}-"):
        # Another plugin's name may begin with this one's.
        name = re.fullmatch(re.escape(slug) + _NAME, one["Key"].removeprefix(_PREFIX))
        if name is not None:
            found.append(Backup(one["Key"], name[1], clock.rfc3339(one["LastModified"]), one["Size"]))
    return sorted(found, key=lambda one: one.made_at, reverse=True)


def package_of(key: str) -> bytes:
    """The package that was installed when the backup was made. Raises BackupNotFound where the platform had lost it by then."""
    with _opened(key) as archive:
        if "package.zip" not in archive.namelist():
            raise BackupNotFound("The backup has settings and data, and no package: it had been lost before", backup_path=f"/{key}")
        return archive.read("package.zip")


def publisher_in(key: str) -> str | None:
    """Who had signed that package. None also in backups from before that was kept."""
    with _opened(key) as archive:
        publisher: str | None = json.loads(archive.read("backup.json")).get("publisher")
        return publisher


@contextmanager
def _new_archive(key: str) -> Iterator[zipfile.ZipFile]:
    """It is put under the key when the block ends well, whole."""
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            yield archive
        file.seek(0)
        artifacts.put(key, file)


@contextmanager
def _opened(key: str) -> Iterator[zipfile.ZipFile]:
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        artifacts.copy_to(key, file)
        with zipfile.ZipFile(file) as archive:
            yield archive


def _write_data(archive: zipfile.ZipFile, slug: str) -> None:
    archive.writestr("settings.json", json.dumps(plugins.stored_settings(slug)))
    with archive.open("storage.jsonl", "w") as lines:
        for key, text in runtime.storage.everything(slug):
            lines.write(b'{"key":%b,"value":%b}\n' % (json.dumps(key).encode(), text.replace(b"\n", b" ")))
    shapes = runtime.tables.shapes(slug)
    records = [vars(record) for record in runtime.migrations.applied(slug)]
    archive.writestr("tables.json", json.dumps({"tables": [shape.as_json() for shape in shapes], "migrations": records}))
    for shape in shapes:
        with archive.open(f"tables/{shape.name}.jsonl", "w") as lines:
            for item in runtime.tables.everything(slug, shape.name):
                lines.write(item.encode() + b"\n")


def _stored(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    with archive.open("storage.jsonl") as lines:
        for line in lines:
            one = json.loads(line)
            yield one["key"], runtime.storage.encoded(one["value"])
