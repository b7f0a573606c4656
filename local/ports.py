"""Ports that stay the same from one start to the next, as long as nobody else took them."""

import json
import socket
from pathlib import Path

from local import settings


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, port))
        except OSError:
            return False
    return True


def chosen(file: Path, names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each name: the one that ``file`` remembers, or another, which it then remembers."""
    try:
        remembered = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        remembered = {}
    ports: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        ports[name] = port if isinstance(port, int) and is_free(port) else _any_free(set(ports.values()))
    if ports != remembered:
        new = file.with_suffix(".new")
        new.write_text(json.dumps(ports))
        new.replace(file)
    return ports


def _any_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((settings.HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port
