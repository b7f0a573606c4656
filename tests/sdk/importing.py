"""The Python SDK as a cold container imports it, in a process that has imported it before."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def imported_anew() -> Iterator[ModuleType]:
    """Without anything that was registered or set before, and leaving nothing behind: modules of two imports know nothing of each other."""
    kept = {name: sys.modules.pop(name) for name in _of_the_sdk()}
    try:
        yield importlib.import_module("streamspace")
    finally:
        for name in _of_the_sdk():
            del sys.modules[name]
        sys.modules.update(kept)


def _of_the_sdk() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "streamspace"]
