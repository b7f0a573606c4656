"""The JavaScript SDK as its layer carries it: what a plugin's start needs in one file, and the rest in a second one.

On Lambda each module that is looked for and read is a millisecond or more of a cold start, and so is each ten thousand characters that the
engine goes through. The modules are the same text, each in a function that runs when it is first required. Those that every start runs
stand in parentheses: V8 then compiles them as it reads them, and not a second time when they are called
(https://v8.dev/blog/preparser#pife).

What a plugin can ask for (``streamspace``, ``streamspace/runtime``, ``streamspace/errors``) stays a file. The layer's package.json has no
``exports``: only ``require`` looks into a layer, and Node takes a millisecond to work them out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_ENTRY_POINTS = ("index", "errors")
_START, _REST = "runtime", "rest"
# What most starts need in the end, so that it is in the first file, too.
_OFTEN = ("commands", "log", "registered", "schedules", "ui")
_REQUIRE = re.compile(r"require\('\./([a-z_]+)'\)")
# Where it stands at the left, it is for every start: what a function requires is for its calls.
_REQUIRE_AT_THE_TOP = re.compile(r"^const [^()]+ = " + _REQUIRE.pattern, re.MULTILINE)
# Has whole lines for itself: what stands before or behind code stays.
_COMMENT = re.compile(r"^ *(?://[^\n]*|/\*\*(?:[^*]|\*(?!/))*\*/)\n", re.MULTILINE)

_HEAD = """'use strict';

const modules = {
"""
_LOADER = """};

const loaded = {};

function load(name) {
  const before = loaded[name];
  if (before) return before.exports;
  const module = { exports: {} };
  loaded[name] = module;
  const run = modules[name] ?? require('./rest')[name];
  run(module, load);
  return module.exports;
}

module.exports = Object.defineProperty(load('runtime'), 'load', { value: load });
"""
_EXPORTED = "};\n\nmodule.exports = modules;\n"


def bundled(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each file that is shipped in the place of the folder's.

    Raises ValueError for a module that is not there, for text that is not ASCII (V8 would hold its file in two bytes a character), and
    for a template literal of several lines, which would lose its indentation.
    """
    sources = {path.stem: path.read_text() for path in sorted(folder.glob("*.js"))}
    for name, text in sources.items():
        missing = set(_REQUIRE.findall(text)) - set(sources)
        if missing:
            raise ValueError(f"{name}.js requires ./{', ./'.join(sorted(missing))}, which is not there")
        if not text.isascii():
            raise ValueError(f"{name}.js has {next(mark for mark in text if not mark.isascii())!r}, which is not ASCII")
        if any(line.count("`") % 2 for line in _COMMENT.sub("", text).splitlines()):
            raise ValueError(f"{name}.js has a template literal of several lines")
    always = _needed([_START], sources)
    first = always | _needed(_OFTEN, sources)
    yield f"{_START}.js", _HEAD + "".join(_function(name, sources[name], is_run=name in always) for name in sorted(first)) + _LOADER
    yield f"{_REST}.js", _HEAD + "".join(_function(name, text) for name, text in sources.items() if name not in first) + _EXPORTED
    for name in _ENTRY_POINTS:
        yield f"{name}.js", f"'use strict';\n\nmodule.exports = require('./{_START}').load('{name}');\n"
    for path in sorted(folder.iterdir()):
        if path.suffix in (".ts", ".mjs"):
            yield path.name, path.read_text()
    package = json.loads((folder / "package.json").read_text())
    yield "package.json", json.dumps({field: value for field, value in package.items() if field != "exports"}, indent=2) + "\n"


def _needed(names: Iterable[str], sources: dict[str, str]) -> set[str]:
    """These modules, and those that are required as soon as they are."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _REQUIRE_AT_THE_TOP.findall(sources[name])
    return found


def _lean(text: str) -> str:
    """Without comments that have lines of their own, indentation and empty lines: each byte is read, kept and scanned."""
    return "".join(line.lstrip() for line in _COMMENT.sub("", text).splitlines(keepends=True) if line.strip())


def _function(name: str, text: str, *, is_run: bool = False) -> str:
    # `require` of what is not ours is Node's own.
    body = _REQUIRE.sub(lambda found: f"load('{found[1]}')", _lean(text)).removeprefix("'use strict';\n")
    function = f"function (module, load) {{\n{body}}}"
    return f"{name}: ({function}),\n" if is_run else f"{name}: {function},\n"
