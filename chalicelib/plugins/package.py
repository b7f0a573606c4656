"""A plugin's package: a zip or tar.gz from a stranger, read as one.

Everything is read into memory, within bounds that are checked while reading: no header is believed, nothing is written to a disk, and a
path is refused, never mended. Source of the dangers: CWE-22 (traversal), CWE-59 (links), CWE-409 (bombs).
"""

from __future__ import annotations

import gzip
import io
import json
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any

from chalicelib import messaging
from chalicelib.core.errors import ValidationError
from chalicelib.plugins import manifest as manifests
from chalicelib.plugins import migrations
from chalicelib.plugins.errors import PackageInvalid
from chalicelib.plugins.manifest import Manifest
from chalicelib.runtime.migrations import Migration

LARGEST_ARCHIVE_BYTES = 50 * 1024 * 1024
LARGEST_UNPACKED_BYTES = 50 * 1024 * 1024
MOST_FILES = 5_000
LONGEST_PATH = 500
# Text compresses to a fifth or a tenth; deflate at its limit to a thousandth. Small files may do as they like.
GREATEST_RATIO = 100
_RATIO_COUNTS_FROM_BYTES = 1024 * 1024
_CHUNK = 64 * 1024

MANIFEST = "manifest.json"
SHIMS = {
    "streamspace_shim.js": "exports.handler = require('streamspace/runtime').createHandler(__dirname);\n",
    # Where package.json makes every .js an ES module. Only `require` looks for the SDK where Lambda's layers are.
    "streamspace_shim.mjs": (
        "import { createRequire } from 'node:module';\n"
        "export const handler = createRequire(import.meta.url)('streamspace/runtime').createHandler(import.meta.dirname);\n"
    ),
    "streamspace_shim.py": "from streamspace.runtime import create_handler\nhandler = create_handler(__file__)\n",
}
# What runs for a theme that is only data.
_THEME_MAIN = b"module.exports = { theme: require('./theme.json') };\n"
# What macOS and Windows leave in every folder is nobody's code.
_DEBRIS = ("__MACOSX/", ".DS_Store", "Thumbs.db")
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Package:
    """``files``: path inside the package -> content. ``sha256`` and ``size_bytes`` are the archive's. ``migrations`` are in order."""

    manifest: Manifest
    files: dict[str, bytes]
    sha256: str
    size_bytes: int
    migrations: tuple[Migration, ...] = ()


def read(archive: bytes) -> Package:
    """Raises PackageInvalid, naming the file or the manifest's field."""
    if len(archive) > LARGEST_ARCHIVE_BYTES:
        raise _refused("package", f"It has {len(archive)} bytes; {LARGEST_ARCHIVE_BYTES} are allowed")
    files: dict[str, bytes] = {}
    taken: dict[str, str] = {}
    for path, content in _entries(archive):
        for clash in (taken.get(folded) for folded in _folded_steps(path)):
            if clash is not None:
                raise _refused(path, _clash(path, clash))
        if any(existing.startswith(_folded(path) + "/") for existing in taken):
            raise _refused(path, "It is a file and a folder at once")
        taken[_folded(path)] = path
        files[path] = content
    manifest = _manifest_of(files)
    if manifest.main not in files and not _is_theme_without_code(manifest, files):
        near = ", ".join(sorted(path for path in files if "/" not in path)[:20])
        raise _refused("entrypoints.main", f"The package has no file '{manifest.main}'; at its root are: {near}")
    for shim in SHIMS:
        if shim in taken:
            raise _refused(shim, "The platform puts a file of this name beside the plugin's code; call yours something else")
    try:
        messaging.templates.sources_in(files)
    except ValidationError as error:
        raise PackageInvalid(error.details) from error
    return Package(manifest, files, sha256(archive).hexdigest(), len(archive), migrations.read(files))


def code_bundle(package: Package) -> bytes:
    """The zip for Lambda: the package's files and the shim, byte for byte the same each time."""
    shim = _shim_of(package)
    files = {**package.files, shim: SHIMS[shim].encode()}
    if _is_theme_without_code(package.manifest, package.files):
        files[package.manifest.main] = _THEME_MAIN
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever this runs: Lambda needs the mode
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            bundle.writestr(entry, files[path])
    return out.getvalue()


def _shim_of(package: Package) -> str:
    if package.manifest.runtime == "python":
        return "streamspace_shim.py"
    try:
        about = json.loads(package.files.get("package.json", b"{}"))
    except (ValueError, RecursionError):
        about = {}
    return "streamspace_shim.mjs" if isinstance(about, dict) and about.get("type") == "module" else "streamspace_shim.js"


# ── Reading archives ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _entries(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Each regular file of the archive, its path checked, its content within the bounds."""
    try:
        if archive[:2] == b"\x1f\x8b":
            yield from _tar_entries(archive)
        elif archive[:2] == b"PK":
            yield from _zip_entries(archive)
        else:
            raise _refused("package", "It is neither a zip nor a tar.gz archive")
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, OverflowError) as error:
        raise _refused("package", f"The archive is damaged: {error}") from error
    except UnicodeDecodeError as error:
        raise _refused("package", "A file's name is not UTF-8") from error
    # What zipfile and tarfile raise for headers that make no sense at all.
    except (ValueError, NotImplementedError, RuntimeError, IndexError, OSError) as error:
        raise _refused("package", f"The archive is not understood: {error}") from error


def _zip_entries(archive: bytes) -> Iterator[tuple[str, bytes]]:
    budget = _Budget(len(archive))
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        if len(opened.infolist()) > MOST_FILES:
            raise _refused("package", f"It has more than {MOST_FILES} files")
        for info in opened.infolist():
            # zipfile cuts a name at a NUL, and reads bytes as DOS letters when the UTF-8 flag is missing.
            name = info.orig_filename
            if not info.flag_bits & 0x800 and not name.isascii():
                raise _refused(name, "A file's name is not UTF-8")
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(name, "Links and devices are not allowed")
            if info.flag_bits & 0x41:
                raise _refused(name, "It is encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _refused(name, "It is compressed in an unusual way; use deflate")
            path = _checked_path(name)
            if info.is_dir() or path is None:
                continue
            with opened.open(info) as stream:
                yield path, budget.read(path, stream, info.compress_size)


def _tar_entries(archive: bytes) -> Iterator[tuple[str, bytes]]:
    budget = _Budget(len(archive))
    bounded = _Bounded(gzip.GzipFile(fileobj=io.BytesIO(archive)))
    # As a stream: entries in order, and headers that point elsewhere have nowhere to point.
    with tarfile.open(fileobj=bounded, mode="r|", encoding="utf-8", errors="strict") as opened:
        for count, entry in enumerate(opened, start=1):
            if count > MOST_FILES:
                raise _refused("package", f"It has more than {MOST_FILES} files")
            if entry.issparse() or not (entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.isdir()):
                raise _refused(entry.name, "Links and devices are not allowed")
            path = _checked_path(entry.name)
            if entry.isdir() or path is None:
                continue
            stream = opened.extractfile(entry)
            assert stream is not None, "a regular file has content"
            yield path, budget.read(path, stream, None)


class _Budget:
    """How much may still be unpacked."""

    def __init__(self, archive_bytes: int) -> None:
        self._archive_bytes = archive_bytes
        self._read = 0

    def read(self, path: str, stream: IO[bytes], compressed_bytes: int | None) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            self._read += len(chunk)
            if self._read > LARGEST_UNPACKED_BYTES:
                raise _refused("package", f"It unpacks to more than {LARGEST_UNPACKED_BYTES} bytes")
            packed = self._archive_bytes if compressed_bytes is None else min(max(compressed_bytes, 1), self._archive_bytes)
            if max(size, self._read) > _RATIO_COUNTS_FROM_BYTES and (
                size > packed * GREATEST_RATIO or self._read > self._archive_bytes * GREATEST_RATIO
            ):
                raise _refused(path, f"It unpacks to more than {GREATEST_RATIO} times its size")
            chunks.append(chunk)
        return b"".join(chunks)


class _Bounded(io.RawIOBase):
    """A stream that ends in a refusal: tarfile unpacks what it skips, too."""

    # 1 KB of headers for each file, beside the files themselves.
    LARGEST = LARGEST_UNPACKED_BYTES + MOST_FILES * 2048

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        chunk: bytes = self._stream.read(min(size, _CHUNK) if size > 0 else _CHUNK)
        self._read += len(chunk)
        if self._read > self.LARGEST:
            raise _refused("package", f"It unpacks to more than {LARGEST_UNPACKED_BYTES} bytes")
        return chunk


# ── Paths ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _checked_path(name: str) -> str | None:
    """The path as it is kept; None for the debris of an operating system. Raises PackageInvalid for one that leads anywhere else."""
    path = name.removeprefix("./").rstrip("/")
    if path in ("", "."):
        return None
    if "\\" in name or ":" in path.split("/")[0] or name.startswith("/"):
        raise _refused(name, "A path must be relative, with / between its parts")
    if any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Cn") for one in name):
        raise _refused(name, "A path must not have control characters")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise _refused(name, "A path must not have empty parts, . or ..")
    if len(path.encode()) > LONGEST_PATH:
        raise _refused(name[:100] + "…", f"A path must not exceed {LONGEST_PATH} bytes")
    if path.startswith(_DEBRIS[0]) or path == "__MACOSX" or path.rpartition("/")[2] in _DEBRIS:
        return None
    return path


def _folded(path: str) -> str:
    """Equal for two paths that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _folded_steps(path: str) -> list[str]:
    """The path and the folders above it, which must not be files."""
    parts = _folded(path).split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _clash(path: str, existing: str) -> str:
    if existing == path:
        return "It is there twice"
    if path.count("/") > existing.count("/"):
        return f"'{existing}' is a file and a folder at once"
    return f"It differs from '{existing}' in upper and lower case only"


# ── The manifest ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_theme_without_code(manifest: Manifest, files: dict[str, bytes]) -> bool:
    """A theme may be a ``theme.json`` beside the manifest, and no more."""
    return manifest.type == "theme" and manifest.main == "index.js" and manifest.main not in files and "theme.json" in files


def _manifest_of(files: dict[str, bytes]) -> Manifest:
    content = files.get(MANIFEST)
    if content is None:
        elsewhere = min((path for path in files if path.endswith("/" + MANIFEST)), key=len, default=None)
        hint = f"; there is one at {elsewhere}: pack what is in that folder, not the folder" if elsewhere else ""
        raise _refused(MANIFEST, f"There is no manifest.json at the package's root{hint}")
    if len(content) > manifests.LARGEST_BYTES:
        raise _refused(MANIFEST, f"Must not exceed {manifests.LARGEST_BYTES // 1024} KB")
    try:
        document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_without_twins, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise _refused(MANIFEST, "Must be UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise _refused(MANIFEST, f"Is not valid JSON: {error}") from error
    return manifests.parse(document)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _refused(place: str, sentence: str) -> PackageInvalid:
    return PackageInvalid({place: [sentence]})
