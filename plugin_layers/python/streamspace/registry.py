"""What the plugin registered in this container, by name; registering a name again replaces it.

The module's top level runs once per container, ``on_load`` perhaps more often: ``keep`` marks what the top level
registered, and ``reset`` goes back to it before the next ``on_load``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = ("widgets", "menuItems", "settingsPages", "commands", "schedules", "endpoints")

_entries: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
_kept: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}


def keep() -> None:
    for kind in KINDS:
        _kept[kind] = dict(_entries[kind])


def reset() -> None:
    for kind in KINDS:
        _entries[kind] = dict(_kept[kind])


def clear() -> None:
    """Forgets everything: another plugin's module is about to run."""
    for kind in KINDS:
        _kept[kind] = {}
    reset()


def put(kind: str, name: str, entry: dict[str, Any]) -> None:
    _entries[kind][name] = entry


def find(kind: str, name: str) -> dict[str, Any] | None:
    return _entries[kind].get(name)


def remove(kind: str, name: str) -> None:
    _entries[kind].pop(name, None)


def free_name(kind: str, name: str) -> str:
    """``name``, with a number where that is taken."""
    free, number = name, 2
    while free in _entries[kind]:
        free, number = f"{name}-{number}", number + 1
    return free


def every(kind: str) -> list[dict[str, Any]]:
    return list(_entries[kind].values())


def describe() -> dict[str, list[dict[str, Any]]]:
    """The registrations as ``load`` answers them (docs/runtime-protocol.md): everything but the handlers."""
    return {kind: [_without_handler(entry) for entry in _entries[kind].values()] for kind in KINDS}


def _without_handler(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "handler"}
