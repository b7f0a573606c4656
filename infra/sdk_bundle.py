"""The JavaScript SDK in one file: on Lambda each module that is looked for and read is a millisecond or more of a cold start.

What a plugin can ask for (``streamspace``, ``streamspace/runtime``, ``streamspace/errors``) stays a file of its own, of one line. The
modules are the same text, each in a function, run when it is first required.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ENTRY_POINTS = ("index", "runtime", "errors")
_BUNDLE = "bundle"
_REQUIRE = re.compile(r"require\('(\./[a-z_]+)'\)")

_HEAD = """'use strict';

const modules = {
"""
_TAIL = """};

const loaded = {};

function load(name) {
  const before = loaded[name];
  if (before) return before.exports;
  const module = { exports: {} };
  loaded[name] = module;
  modules[name](module, load);
  return module.exports;
}

module.exports = load;
"""


def bundled(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each file that is shipped in the place of the folder's. Raises ValueError for a module that is not there."""
    sources = {path.stem: path.read_text() for path in sorted(folder.glob("*.js"))}
    for name, text in sources.items():
        missing = {wanted[2:] for wanted in _REQUIRE.findall(text)} - set(sources)
        if missing:
            raise ValueError(f"{name}.js requires {', '.join(sorted(missing))}, which is not there")
    yield f"{_BUNDLE}.js", _HEAD + "".join(_function(name, text) for name, text in sources.items()) + _TAIL
    for name in ENTRY_POINTS:
        yield f"{name}.js", f"'use strict';\n\nmodule.exports = require('./{_BUNDLE}')('{name}');\n"
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".ts", ".mjs"):
            yield path.name, path.read_text()


def _function(name: str, text: str) -> str:
    # `require` of what is not ours is Node's own.
    body = _REQUIRE.sub(lambda found: f"load('{found[1][2:]}')", text).removeprefix("'use strict';\n")
    return f"{name}(module, load) {{\n{body}}},\n"
