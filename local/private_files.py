"""What is made once and kept to the owner alone: the marketplace's signing key and the administrator's password."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def kept(file: Path, make: Callable[[], bytes]) -> bytes:
    """The content of ``file``, which is made with mode 600 if it is not there. A half-written one cannot come about."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        content = make()
        write(file, content)
        return content


def write(file: Path, content: bytes) -> None:
    """Replace ``file`` as a whole, readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
    new.replace(file)


def password() -> bytes:
    """Easy to type, impossible to guess: 20 letters and digits without lookalikes, in groups."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ["".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4)]
    return "-".join(groups).encode()
