"""Where in a JSON text each value stands: what `json` reads and forgets."""

import json
import re
from collections.abc import Iterator

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')

Path = tuple[str, ...]


def lines_of(text: str) -> dict[Path, int]:
    """The line (from 1) of each value, by its path: keys and positions, as text. A member of an object stands where its key does.

    ``text`` must be JSON that `json` reads.
    """
    found: dict[Path, int] = {(): 1}
    tokens = _tokens(text)
    _value(tokens, next(tokens), (), found)
    return found


def line_of(path: str, lines: dict[Path, int]) -> int:
    """The line of a dotted path; of what is missing, the line of the nearest thing around it."""
    place: Path = ()
    rest = path.split(".")
    # A key may have dots of its own, so the longest one that is there counts.
    while taken := next((count for count in range(len(rest), 0, -1) if (*place, ".".join(rest[:count])) in lines), 0):
        place, rest = (*place, ".".join(rest[:taken])), rest[taken:]
    return lines[place]


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line, at = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        yield match[0], line


def _value(tokens: Iterator[tuple[str, int]], first: tuple[str, int], path: Path, found: dict[Path, int]) -> None:
    """Takes the value that begins with ``first``. Deeper than `json` itself goes, this does not get."""
    opening = first[0]
    if opening not in "{[":
        return
    position = 0
    for word, line in tokens:
        if word in "}]":
            return
        if word == ",":
            position += 1
            continue
        key = json.loads(word) if opening == "{" else str(position)
        found[*path, key] = line
        if opening == "{":
            next(tokens)  # the colon
            _value(tokens, next(tokens), (*path, key), found)
        else:
            _value(tokens, (word, line), (*path, key), found)
