"""Nothing is offered in one place only: the JavaScript SDK, its types, the Python SDK and the table of methods name the same methods."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

from test_sdk_javascript import NODE_SDK, PYTHON_SDK, ROOT, needs_node, snake_case

from chalicelib.plugins import declarations

TABLE = json.loads((ROOT / "tests" / "sdk" / "methods.json").read_text())

_OF_JAVASCRIPT = """
const found = [];
for (const [name, part] of Object.entries(require(process.argv[1]))) {
  if (name === 'errors') continue;
  if (typeof part === 'function') found.push(name);
  for (const [method, value] of Object.entries(Object(part))) if (typeof value === 'function') found.push(`${name}.${method}`);
}
console.log(JSON.stringify(found));
"""

_OF_TYPES = """
const ts = require(process.argv[2]);
const file = process.argv[1];
const program = ts.createProgram([file], { strict: true, lib: ['lib.es2022.d.ts'], types: [] });
const checker = program.getTypeChecker();
const isNamed = (name) => (node) => node.name?.text === name && (ts.isModuleDeclaration(node) || ts.isInterfaceDeclaration(node));
const namespace = program.getSourceFile(file).statements.find(isNamed('streamspace'));
const api = namespace.body.statements.find(isNamed('StreamSpace'));
const membersOf = (type) => checker.getPropertiesOfType(type).map((one) => [one.name, checker.getTypeOfSymbolAtLocation(one, api)]);
const isCallable = (type) => checker.getSignaturesOfType(type, ts.SignatureKind.Call).length > 0;
const found = [];
for (const [name, part] of membersOf(checker.getTypeAtLocation(api))) {
  if (name === 'errors') continue;
  if (isCallable(part)) found.push(name);
  if (part.flags & ts.TypeFlags.StringLike) continue;
  for (const [method, type] of membersOf(part)) if (isCallable(type)) found.push(`${name}.${method}`);
}
console.log(JSON.stringify(found));
"""


def told_by_node(script: str, *arguments: Path) -> set[str]:
    ran = subprocess.run(["node", "-e", script, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return {snake_case(name) for name in json.loads(ran.stdout)}


def of_python(streamspace: ModuleType) -> set[str]:
    found = set()
    for name in exported(PYTHON_SDK / "__init__.py"):
        part = getattr(streamspace, name)
        if name == "errors" or isinstance(part, type):
            continue
        if callable(part):
            found.add(name)
        if isinstance(part, ModuleType) or not inspect.isroutine(part):
            found |= {f"{name}.{method}" for method in methods_of(part)}
    return found


def methods_of(part: Any) -> set[str]:
    """A module's own functions, or those that it passes on by ``as``; an object's public methods."""
    if not isinstance(part, ModuleType):
        return {name for name in dir(part) if not name.startswith("_") and callable(getattr(part, name))}
    own = {name for name, value in vars(part).items() if inspect.isfunction(value) and value.__module__ == part.__name__}
    return {name for name in own | exported(Path(str(part.__file__))) if not name.startswith("_")}


def exported(path: Path) -> set[str]:
    """The names that a module imports ``as`` themselves: its public ones. Source: PEP 484, Stub files."""
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {one.name for node in imports for one in node.names if one.asname == one.name}


def of_table() -> set[str]:
    rows = TABLE["requests"] + TABLE["registrations"]
    return {snake_case(name) for row in rows for name in re.findall(r"\bstreamspace\.([\w.]+)\(", row["js"])}


@needs_node
def test_both_sdks_and_the_table_name_the_same_methods(streamspace: ModuleType) -> None:
    javascript = told_by_node(_OF_JAVASCRIPT, NODE_SDK)

    assert of_python(streamspace) == javascript
    # Logging asks the platform for nothing: runtime.test.js and test_sdk_runtime.py show its lines.
    assert of_table() == {name for name in javascript if not name.startswith("log.")}


@needs_node
def test_the_types_name_the_same_methods(typescript: Path) -> None:
    assert told_by_node(_OF_TYPES, NODE_SDK / "index.d.ts", typescript) == told_by_node(_OF_JAVASCRIPT, NODE_SDK)


_READ_OF_A_MANIFEST = """
const { declares, ...declared } = require(process.argv[1]);
const read = new Set();
const manifest = new Proxy({}, { get: (_, field) => void read.add(field) });
for (const one of [declared.events, declared.tasks, declared.endpoints]) one(manifest);
console.log(JSON.stringify([...read].filter((field) => declares({ [field]: [] }))));
"""


class Watched(dict[str, Any]):
    """A manifest that tells which fields of it were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: set[str] = set()

    def get(self, field: str, default: Any = None) -> Any:
        self.read.add(field)
        return default


@needs_node
def test_a_manifest_with_any_field_that_is_read_for_what_the_code_shall_have_declares_something(streamspace: ModuleType) -> None:
    declared = importlib.import_module("streamspace.declared")
    manifest = Watched()
    for function in (declared.events, declared.tasks, declared.endpoints):
        function(manifest)

    assert manifest.read == {"events", "scheduler", "contributes", "api", "apiEndpoints"}
    assert {field for field in manifest.read if declared.declares({field: []})} == manifest.read
    assert declared.declares({"lifecycle": {}})
    assert not declared.declares({"name": "n", "settings": {}})
    assert told_by_node(_READ_OF_A_MANIFEST, NODE_SDK / "declared.js") == {snake_case(field) for field in manifest.read}


_READ_ALIASES = """
const { events } = require(process.argv[1]);
console.log(JSON.stringify(events(JSON.parse(process.argv[2]))));
"""


@needs_node
def test_other_platforms_words_for_events_mean_the_same_to_the_platform_and_to_both_sdks(streamspace: ModuleType) -> None:
    declared = importlib.import_module("streamspace.declared")
    given = {alias: f"on{n}" for n, alias in enumerate(declarations.EVENT_ALIASES)}
    meant = {event_type: given[alias] for alias, event_type in declarations.EVENT_ALIASES.items()}

    script = ["node", "-e", _READ_ALIASES, str(NODE_SDK / "declared.js"), json.dumps({"events": given})]
    ran = subprocess.run(script, capture_output=True, text=True, timeout=60)

    assert declared.EVENT_ALIASES == declarations.EVENT_ALIASES
    # `session.terminated` and `session.ended` are one event, and the last one named is the one that counts.
    assert declared.events({"events": given}) == json.loads(ran.stdout) == meant
