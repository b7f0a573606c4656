"""The emulator's state on disk: whole snapshots, of which the newest complete one counts.

Each snapshot is a folder; ``current`` is a link that is moved to it after its last byte is written, so a process that
is killed while writing leaves the snapshot before. Function code, large and immutable, lies beside them under its own
hash.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

logger = logging.getLogger(__name__)


class SnapshotStore:
    """Snapshots under ``root``. One writer at a time; readers follow ``current``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.current = root / "current"
        self.code = root / "code"
        root.mkdir(parents=True, exist_ok=True)
        self._remove_all_but_current()

    def write(self, services: dict[str, bytes]) -> bool:
        """Make ``services`` (a file's content by service) the current snapshot; False when it already is.

        A service that is absent keeps its file of the snapshot before.
        """
        before = self.current.resolve() if self.current.exists() else None
        kept = {file.name: file for file in before.iterdir()} if before else {}
        changed = {
            name: content
            for name, content in services.items()
            if (file := kept.get(f"{name}.json")) is None or file.read_bytes() != content
        }
        if not changed and before:
            return False
        after = self.root / f"{self._next_number():08d}"
        after.mkdir()
        for name, content in changed.items():
            (after / f"{name}.json").write_bytes(content)
        for name, file in kept.items():
            if not (after / name).exists():
                os.link(file, after / name)
        link = self.root / "next"
        link.unlink(missing_ok=True)
        link.symlink_to(after.name)
        link.replace(self.current)
        self._remove_all_but_current()
        return True

    def prune_code(self, referenced: Iterable[str]) -> None:
        """Remove code that the current snapshot does not name. Call it after ``write``, never before."""
        keep = {f"{digest}.zip" for digest in referenced}
        if self.code.is_dir():
            for file in self.code.iterdir():
                if file.name not in keep:
                    file.unlink(missing_ok=True)

    def _next_number(self) -> int:
        return max((int(folder.name) for folder in self._folders()), default=0) + 1

    def _folders(self) -> list[Path]:
        return [path for path in self.root.iterdir() if path.is_dir() and path.name.isdigit()]

    def _remove_all_but_current(self) -> None:
        current = self.current.resolve() if self.current.exists() else None
        for folder in self._folders():
            if folder != current:
                shutil.rmtree(folder, ignore_errors=True)


def encoded(state: object, encode: Callable[[object], str], *, attempts: int = 5) -> bytes:
    """``state`` as bytes; tried again when another thread changes it meanwhile.

    Raises: RuntimeError when it changed during every attempt; whatever ``encode`` raises for a state that has no
    encoding.
    """
    for attempt in range(attempts):
        try:
            return encode(state).encode()
        except RuntimeError:
            if attempt == attempts - 1:
                raise
    raise AssertionError("unreachable")
