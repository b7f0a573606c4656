"""From a plugin's folder to its package: the same files always give the same bytes.

Reproducible packages let anyone check that a published zip comes from the source beside it, and make publishing the
same thing twice harmless. So names are sorted, and times, permissions and the making system are fixed; only the
deflate implementation is the machine's.
"""

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from cli.errors import PackageInvalid

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_PERMISSIONS = stat.S_IFREG | 0o644
_UNIX = 3
_LEFT_OUT_AT_ROOT = {"tests"}
_LEFT_OUT_ANYWHERE = {"__pycache__"}


def pack(folder: Path, instead: Mapping[str, bytes] | None = None) -> bytes:
    """Zip a plugin's folder, ``manifest.json`` at the root of the zip.

    Left out: names that begin with a dot, ``tests/`` at the root, and ``__pycache__``. ``instead``: other contents for files of that name.

    Raises: PackageInvalid for a missing folder or manifest, and for a link or special file, which a package may not
    hold.
    """
    if not folder.is_dir():
        raise PackageInvalid(f"{folder} is not a folder")
    if not (folder / "manifest.json").is_file():
        raise PackageInvalid(f"{folder} has no manifest.json at its root")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, path in packed_files(folder):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _PERMISSIONS << 16
            archive.writestr(entry, (instead or {}).get(name) or path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return made.getvalue()


def packed_files(folder: Path) -> list[tuple[str, Path]]:
    """(name in the zip, path) of each file that :func:`pack` takes, by name. Raises PackageInvalid as it does."""
    return sorted(_files(folder, folder))


def _files(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """(name in the zip, path) of each regular file below ``folder``, in no order."""
    for entry in os.scandir(folder):
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        if entry.name.startswith(".") or entry.name in _LEFT_OUT_ANYWHERE or name in _LEFT_OUT_AT_ROOT:
            continue
        if entry.is_symlink():
            raise PackageInvalid(f"{name} is a link; a package holds only files: put a copy in its place")
        if entry.is_dir():
            yield from _files(path, root)
        elif entry.is_file():
            yield _as_text(name), path
        else:
            raise PackageInvalid(f"{name} is neither a file nor a folder")


def _as_text(name: str) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PackageInvalid(f"The name {name!r} is not UTF-8") from error
    return name
