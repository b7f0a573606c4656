"""What is wrong with a plugin's folder or package: every fault at once, with file and line, in a sentence that says what to do.

The manifest and the package are checked by the platform's own code, so what passes here is not refused there. Beside that the author's code
is read, without running it: syntax, hooks whose names are slips, calls whose scope the manifest does not ask for.
"""

from __future__ import annotations

import ast
import difflib
import io
import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cli.errors import PackageInvalid
from cli.json_lines import line_of, lines_of
from cli.packing import pack

FAULT: Final = "fault"
WARNING: Final = "warning"

_HOOK_TYPES = ("created", "started", "stopped", "hibernated", "woken", "deleted")
HOOKS = (
    "onLoad",
    "onUnload",
    "onNotificationAction",
    *(f"onSession{kind.title()}" for kind in _HOOK_TYPES),
    *(f"onUser{kind.title()}" for kind in ("created", "updated", "deleted", "login", "logout")),
)

# What a call needs of the manifest's permissions, by the name that JavaScript has for it.
SCOPE_OF_CALL = {
    **dict.fromkeys(("api.getSessions", "api.getSession", "api.getUserSessions"), "read:sessions"),
    **dict.fromkeys(("api.createSession", "api.updateSession", "api.deleteSession"), "write:sessions"),
    **dict.fromkeys(("api.getUsers", "api.getUser"), "read:users"),
    **dict.fromkeys(("api.createUser", "api.updateUser", "api.deleteUser"), "write:users"),
    **dict.fromkeys(("api.getTemplates", "api.getTemplate"), "read:templates"),
    "api.createTemplate": "write:templates",
    **dict.fromkeys(("notify", "notifyAll", "notifyAdmins"), "notifications"),
    "email.send": "email",
    **dict.fromkeys(("storage.get", "storage.set", "storage.delete", "storage.keys", "storage.clear"), "storage"),
    **dict.fromkeys(("ui.registerWidget", "ui.addMenuItem", "ui.registerSettingsPage", "ui.showDialog"), "ui"),
    **dict.fromkeys(("commands.register", "commands.execute"), "commands"),
}
_CODE = {"nodejs": (".js", ".mjs", ".cjs"), "python": (".py",)}
_OTHERS_CODE = ("node_modules/", "vendor/", "ui/", "assets/")
# A method, or a property that is a function.
_JS_METHOD = re.compile(r"(?:^|[\s,{;.])(?:async\s+)?(on[A-Z]\w*|on_\w+)\s*(?:\([^()]*\)\s*\{|[:=]\s*(?:async\b|function\b|\())")


@dataclass(frozen=True, order=True)
class Finding:
    """``line`` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    severity: Literal["fault", "warning"]
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {'warning: ' if self.severity == WARNING else ''}{self.message}"


def validate(path: Path) -> list[Finding]:
    """The findings of a folder or a package, by file and line. Faults keep the platform from installing it; warnings do not."""
    if path.is_dir():
        files = {name.relative_to(path).as_posix(): name.read_bytes() for name in path.rglob("*") if _belongs(name, path)}
        try:
            archive = pack(path)
        except PackageInvalid as error:
            return [Finding(path.name, 0, FAULT, error.message)]
    else:
        archive = path.read_bytes()
        files = _files_in(archive)
    found, manifest = _manifest_findings(files)
    if not found:
        found += _package_findings(archive, files)
    runtime, main = runtime_and_main(manifest)
    code = {name: content for name, content in files.items() if _is_code(name, runtime)}
    found += _syntax_findings(code, runtime)
    broken = {one.file for one in found if one.file in code}
    read = {name: content.decode("utf-8", "replace") for name, content in code.items() if name not in broken}
    if main in read:
        found += _hook_findings(main, read[main], runtime, manifest)
    if isinstance(manifest.get("permissions", []), list):
        found += _scope_findings(read, runtime, manifest)
    return sorted(set(found))


def _belongs(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts) and parts[0] != "tests"


def _files_in(archive: bytes) -> dict[str, bytes]:
    """The files of a package that the platform would read; nothing of one that it refuses."""
    from chalicelib.plugins import PackageInvalid as Refused
    from chalicelib.plugins import read_package

    try:
        return read_package(archive).files
    except Refused:
        pass
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            small = [one for one in opened.infolist() if one.file_size < 2**20 and "/" not in one.filename]
            return {one.filename: opened.read(one)[: 2**20] for one in small[:100]}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        return {}


# ── Manifest and package ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _manifest_findings(files: Mapping[str, bytes]) -> tuple[list[Finding], dict[str, Any]]:
    from chalicelib.plugins import PackageInvalid as Refused
    from chalicelib.plugins import parse_manifest

    name = "manifest.json"
    if name not in files:
        return [Finding(name, 0, FAULT, "There is none at the root: it says what the plugin is called and what it needs")], {}
    try:
        text = files[name].decode("utf-8-sig")
        document = json.loads(text, object_pairs_hook=_without_twins)
    except UnicodeDecodeError as error:
        return [Finding(name, files[name][: error.start].count(b"\n") + 1, FAULT, "It is not UTF-8")], {}
    except json.JSONDecodeError as error:
        return [Finding(name, error.lineno, FAULT, f"It is not JSON: {error.msg} (column {error.colno})")], {}
    except (ValueError, RecursionError) as error:
        return [Finding(name, _line_of_twin(files[name].decode("utf-8-sig"), error), FAULT, str(error))], {}
    lines = lines_of(text)
    try:
        manifest = parse_manifest(document)
    except Refused as refused:
        findings = [
            Finding(name, _manifest_line(field, sentence, document, lines), FAULT, _said(field, sentence))
            for field, sentences in refused.details.items()
            for sentence in sentences
        ]
        return findings, document if isinstance(document, dict) else {}
    return [Finding(name, _line_of_note(note, document, lines), WARNING, note) for note in manifest.notes], document


def _package_findings(archive: bytes, files: Mapping[str, bytes]) -> list[Finding]:
    from chalicelib.plugins import PackageInvalid as Refused
    from chalicelib.plugins import assets, read_package

    lines = lines_of(files["manifest.json"].decode("utf-8-sig")) if "manifest.json" in files else {}
    try:
        package = read_package(archive)
    except Refused as refused:
        findings = []
        for place, sentences in refused.details.items():
            is_manifests = place not in files and place != "package"
            file, field = ("manifest.json", place.removeprefix("manifest.")) if is_manifests else (place, "")
            line = line_of(field, lines) if is_manifests else 0
            findings += [Finding(file, line, FAULT, _said(field, sentence) if field else sentence) for sentence in sentences]
        return findings
    return [
        Finding("manifest.json", line_of(field, lines), WARNING, f"{field}: The package has no file '{path}', so its address leads nowhere")
        for field, path in assets.missing(package).items()
    ]


def _said(field: str, sentence: str) -> str:
    return sentence if field == "manifest.json" else f"{field}: {sentence}"


def _manifest_line(field: str, sentence: str, document: Any, lines: Mapping[tuple[str, ...], int]) -> int:
    # The scope that is meant stands in the sentence, and each has a line of its own.
    if field == "permissions" and isinstance(document, dict):
        for position, word in enumerate(document["permissions"]):
            if f"'{word}'" in sentence.partition(";")[0].partition(",")[0]:
                return lines["permissions", str(position)]
    return line_of(field, dict(lines))


def _line_of_note(note: str, document: Mapping[str, Any], lines: Mapping[tuple[str, ...], int]) -> int:
    """A note names what it is about: as a permission, an event, a setting, a part by its path, or at its beginning."""
    for kind, pattern in _SUBJECTS.items():
        subject = re.search(pattern, note)
        if subject:
            return line_of(_place_of(kind, subject[1], document), dict(lines))
    return 1


_SUBJECTS = {
    "permissions": r"^The permission '(.+?)'",
    "events": r"\bevent '(.+?)'",
    "settings": r"\bsetting '(.+?)'",
    "part": r"\bof (ui\.widgets\.\d+)",
    "field": r"^'([\w.$]+)'",
}


def _place_of(kind: str, name: str, document: Mapping[str, Any]) -> str:
    """The dotted path of what a note names; lists are looked through for it."""
    named: Any = document.get(kind)
    if isinstance(named, list) and name in named:
        return f"{kind}.{named.index(name)}"
    if kind == "settings":
        keys = [field.get("key") for field in (named or {}).get("fields") or []]
        return f"settings.fields.{keys.index(name)}" if name in keys else f"configSchema.properties.{name}"
    return name if kind in ("part", "field") else f"{kind}.{name}"


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"The field '{key}' is there twice")
        seen.add(key)
    return dict(pairs)


def _line_of_twin(text: str, error: Exception) -> int:
    key = re.search(r"'(.*)'", str(error))
    places = [match.start() for match in re.finditer(re.escape(json.dumps(key[1])) + r"\s*:", text)] if key else []
    return text.count("\n", 0, places[-1]) + 1 if places else 1


# ── Code ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def runtime_and_main(manifest: Any) -> tuple[str, str]:
    """The language and the main module that a manifest names or implies, however wrong it is otherwise."""
    manifest = manifest if isinstance(manifest, dict) else {}
    entrypoints = manifest.get("entrypoints")
    main = entrypoints.get("main") if isinstance(entrypoints, dict) else None
    is_python = manifest.get("runtime") == "python" or ("runtime" not in manifest and str(main or "").endswith(".py"))
    runtime = "python" if is_python else "nodejs"
    return runtime, str(main or {"nodejs": "index.js", "python": "plugin.py"}[runtime]).removeprefix("./")


def _is_code(name: str, runtime: str) -> bool:
    return name.endswith(_CODE[runtime]) and not name.startswith(_OTHERS_CODE)


def _syntax_findings(code: Mapping[str, bytes], runtime: str) -> Iterator[Finding]:
    if runtime == "python":
        for name, content in code.items():
            try:
                compile(content, name, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None) or 0
                yield Finding(name, line, FAULT, f"Python cannot read it: {getattr(error, 'msg', error)}")
        return
    node = shutil.which("node")
    if node is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, content) in enumerate(code.items()):
            # Its ending says as what it is to be read; for a `.js` file Node would look around, and not look closely.
            path = Path(folder, f"{number}{'.mjs' if _is_module(name, content) else '.cjs'}")
            path.write_bytes(content)
            said = _checked(node, path)
            if said is not None:
                yield Finding(name, said[0], FAULT, f"JavaScript cannot read it: {said[1]}")


def _is_module(name: str, content: bytes) -> bool:
    """Whether it is an ES module; like Node's own detection, by what only such a module may say."""
    if not name.endswith(".js"):
        return name.endswith(".mjs")
    return re.search(r"(?m)^\s*(import\s*[\w{*'\"]|export\s*[\w{*])", _without_comments(content.decode("utf-8", "replace"))) is not None


def _checked(node: str, path: Path) -> tuple[int, str] | None:
    """Line and sentence of the first syntax error, None for a module that can be read."""
    ran = subprocess.run([node, "--check", str(path)], capture_output=True, text=True, check=False)  # noqa: S603 its own path
    if ran.returncode == 0:
        return None
    line = re.search(rf"{re.escape(str(path))}:(\d+)", ran.stderr)
    said = re.search(r"^(?:\w*Error): (.*)$", ran.stderr, re.MULTILINE)
    return int(line[1]) if line else 0, said[1] if said else "node --check refuses it"


def snake_case(name: str) -> str:
    """As Python calls what JavaScript calls ``onSessionCreated``."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _hook_findings(main: str, text: str, runtime: str, manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """Methods that look like a hook and are none: the platform would never call them, and nobody would be told."""
    known = HOOKS if runtime == "nodejs" else tuple(map(snake_case, HOOKS))
    named = json.dumps(manifest.get("contributes", {})) + json.dumps(manifest.get("events", {}))
    methods = _js_methods(text) if runtime == "nodejs" else _python_methods(text)
    for name, line in methods:
        if name in known or f'"{name}"' in named:
            continue
        other_style = {snake_case(hook): hook for hook in HOOKS} if runtime == "nodejs" else {hook: snake_case(hook) for hook in HOOKS}
        near = [other_style[name]] if name in other_style else difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        if near:
            yield Finding(main, line, FAULT, f"'{name}' is no hook and would never be called; did you mean '{near[0]}'?")


def _js_methods(text: str) -> Iterator[tuple[str, int]]:
    code = _without_comments(text)
    for match in _JS_METHOD.finditer(code):
        yield match[1], code.count("\n", 0, match.start(1)) + 1


def _python_methods(text: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and re.match(r"on_|on[A-Z]", node.name):
            yield node.name, node.lineno


def _scope_findings(code: Mapping[str, str], runtime: str, manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """Calls whose scope the manifest does not ask for, the first of each scope in each file."""
    from chalicelib.plugins import scopes_of

    asked = scopes_of(manifest)
    if "admin" in asked:
        return
    for name, text in code.items():
        told: set[str] = set()
        code_alone = _without_comments(text) if runtime == "nodejs" else _without_hash_comments(text)
        for match in re.finditer(r"\bstreamspace\s*\.\s*(\w+(?:\s*\.\s*\w+)?)\s*\(", code_alone):
            call = re.sub(r"\s", "", match[1])
            scope = _SCOPES[runtime].get(call)
            if scope and scope not in asked and scope not in told:
                told.add(scope)
                line = code_alone.count("\n", 0, match.start()) + 1
                advice = f"streamspace.{call} needs the scope '{scope}'; add it to \"permissions\" in manifest.json"
                yield Finding(name, line, WARNING, advice)


_SCOPES = {"nodejs": SCOPE_OF_CALL, "python": {snake_case(call): scope for call, scope in SCOPE_OF_CALL.items()}}


def _without_comments(text: str) -> str:
    """JavaScript without comments and with empty texts; the lines stay where they are."""
    pattern = re.compile(r"//[^\n]*|/\*.*?\*/|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", re.DOTALL)
    return pattern.sub(lambda found: "\n" * found[0].count("\n") if found[0].startswith("/") else "''", text)


def _without_hash_comments(text: str) -> str:
    return re.sub(r"(?m)^\s*#.*$", "", text)
