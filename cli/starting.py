"""``plugin init``: the folder of a plugin that runs, with a test that passes."""

import re
from pathlib import Path

from cli.errors import CliError

_STARTERS = Path(__file__).parent / "starters"
LANGUAGES = ("js", "python")
TYPES = ("extension", "webhook", "integration", "theme")

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,62}")
_RULE = "2 to 63 lower-case letters, digits and hyphens, beginning with a letter, such as 'session-greeter'"


class CannotStart(CliError):
    code = "CANNOT_START"


def start(name: str, language: str, kind: str, folder: Path) -> list[Path]:
    """Writes the files of a new plugin into ``folder``; which they are, in order.

    Raises: CannotStart for a name that no plugin can have (with one that it could), and for a folder that has something in it.
    """
    if _SLUG.fullmatch(name) is None:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:63].rstrip("-")
        advice = f"; how about '{near}'?" if _SLUG.fullmatch(near) else ""
        raise CannotStart(f"'{name}' cannot be a plugin's name: it has {_RULE}{advice}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CannotStart(f"{folder} is there and not empty; name another folder with --directory")
    words = {"name": name, "title": name.replace("-", " ").title(), "module": name.replace("-", "_"), "type": kind}
    written = []
    parts = (_STARTERS / part for part in ("common", language, f"{language}-{kind}"))
    for source in sorted(path for part in parts for path in part.rglob("*") if path.is_file()):
        inside = source.relative_to(_STARTERS)
        target = folder / Path(*inside.parts[1:]).with_name(_filled(inside.name.removesuffix(".starter").replace("dot-", "."), words))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(source.read_text(), words))
        written.append(target)
    return written


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"__{word}__", value)
    return text
