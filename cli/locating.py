"""Which platform a command talks to, and as whom.

The first that is there: ``STREAMSPACE_API_URL``; the local stack around the working directory; the last login; the
local stack of the checkout that this command was installed from. A token is only ever sent to the address that it was
made for, except ``STREAMSPACE_TOKEN``, which wins everywhere.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import NoStack

_CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Stack:
    """A running local stack, as its ``stack.json`` describes it."""

    folder: Path
    api_url: str
    token: str | None


@dataclass(frozen=True)
class Target:
    api_url: str
    token: str | None
    source: str
    """How it was found, in words."""


def find_stack(environ: Mapping[str, str], cwd: Path) -> Stack | None:
    """The local stack that ``STREAMSPACE_LOCAL`` names, or else the nearest one at or above the working directory."""
    if environ.get("STREAMSPACE_LOCAL"):
        return _stack_in(Path(environ["STREAMSPACE_LOCAL"]))
    return next((stack for place in (cwd, *cwd.parents) if (stack := _stack_in(place / ".local"))), None)


def find_own_stack() -> Stack | None:
    """The local stack of the checkout that this command was installed from."""
    return _stack_in(_CHECKOUT / ".local")


def _stack_in(folder: Path) -> Stack | None:
    description = _read_json(folder / "stack.json")
    if not isinstance(description.get("api_url"), str):
        return None
    admin = description.get("admin")
    token = admin.get("token") if isinstance(admin, dict) else None
    return Stack(folder.resolve(), description["api_url"].rstrip("/"), token)


class Logins:
    """Tokens of platforms that the user signed in to, in a file that only the user can read.

    ``{"current": url, "tokens": {url: token}}``
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "login.json"

    @property
    def current(self) -> str | None:
        return self._read()["current"]

    def token_for(self, api_url: str) -> str | None:
        token = self._read()["tokens"].get(api_url)
        return token if isinstance(token, str) else None

    def keep(self, api_url: str, token: str) -> None:
        kept = self._read()
        self._write({"current": api_url, "tokens": {**kept["tokens"], api_url: token}})

    def forget(self, api_url: str) -> None:
        kept = self._read()
        kept["tokens"].pop(api_url, None)
        self._write({**kept, "current": None if kept["current"] == api_url else kept["current"]})

    def _read(self) -> dict[str, Any]:
        kept = _read_json(self._path)
        tokens, current = kept.get("tokens"), kept.get("current")
        return {
            "tokens": tokens if isinstance(tokens, dict) else {},
            "current": current if isinstance(current, str) else None,
        }

    def _write(self, kept: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes the file readable by its owner only, before the token is in it.
        descriptor, name = tempfile.mkstemp(dir=self._path.parent)
        with os.fdopen(descriptor, "w") as file:
            json.dump(kept, file, indent=2)
        Path(name).replace(self._path)


def locate(environ: Mapping[str, str], cwd: Path, logins: Logins) -> Target:
    """Raises: NoStack, saying what one can do."""
    token = environ.get("STREAMSPACE_TOKEN")
    near, own = find_stack(environ, cwd), find_own_stack()
    if api_url := environ.get("STREAMSPACE_API_URL", "").rstrip("/"):
        of_stack = next((stack.token for stack in (near, own) if stack and stack.api_url == api_url), None)
        return Target(api_url, token or logins.token_for(api_url) or of_stack, "STREAMSPACE_API_URL")
    if near is None and (current := logins.current):
        return Target(current, token or logins.token_for(current), "the last login")
    if stack := near or own:
        # Who signed in on the local stack as somebody else wants to be that somebody.
        return Target(stack.api_url, token or logins.token_for(stack.api_url) or stack.token, str(stack.folder))
    raise NoStack(
        "No platform is known: start a local stack with 'make run', sign in with "
        "'streamspace login --api-url URL', or set STREAMSPACE_API_URL"
    )


def _read_json(path: Path) -> dict[str, Any]:
    """An object, empty if there is no readable one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
