"""The types that an author's editor shows: they are the reference's, its examples pass them, and what is wrong does not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.document import blocks, needs_reference

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NODE_SDK = ROOT / "plugin_layers" / "nodejs" / "node_modules" / "streamspace"
PYTHON_SDK = ROOT / "plugin_layers" / "python"
PYTHON_EXAMPLES = sorted((ROOT / "tests" / "e2e" / "document" / "python").glob("[!_]*.py"))

# Where ours takes more than the reference promises; what is given back must be just what it says.
WIDER = {
    "NotificationAction": "a handler gets the press, and may be a name",
    "Notification": "its actions, as below",
    "EmailOptions": "their attachments, as below",
    "EmailAttachment": "bytes in whatever form",
    "DialogOptions": "another person can be asked",
    "CommandOptions": "a handler is told who calls, and need not be async",
}
# What the examples call and do not define.
FREE_NAMES = """
declare const console: { log(...given: any[]): void; error(...given: any[]): void };
declare function clearInterval(timer: any): void;
declare const sessionId: string, logContent: string, error: Error;
declare function createConnection(config: Record<string, any>): Promise<any>;
declare function fetchExternalTemplates(): Promise<import('streamspace').CreateTemplateOptions[]>;
"""
_THIS = "/** @this {import('streamspace').PluginContext} */\n"


@pytest.fixture(scope="session")
def compile_types(typescript: Path) -> Any:
    """``compile_types(folder, files, **options)``: what the compiler says; empty when all is well."""
    compiler = typescript.parent / ".bin" / "tsc"

    def compile_all(folder: Path, files: dict[str, str], **options: Any) -> str:
        for name, text in files.items():
            (folder / name).write_text(text)
        defaults = {
            "strict": True,
            "noEmit": True,
            "target": "es2022",
            # Not the browser's library, which is most of a compiler's time.
            "lib": ["es2022"],
            "skipDefaultLibCheck": True,
            "module": "commonjs",
            "types": [],
            "paths": {"streamspace": [str(NODE_SDK / "index.d.ts")], "streamspace/testing": [str(NODE_SDK / "testing" / "index.d.ts")]},
        }
        project = {"compilerOptions": {**defaults, **options}, "files": [*files, str(NODE_SDK / "index.d.ts")]}
        (folder / "tsconfig.json").write_text(json.dumps(project))
        return subprocess.run([str(compiler), "-p", str(folder)], capture_output=True, text=True, timeout=120).stdout

    return compile_all


def test_what_an_author_may_write_compiles_and_the_rest_does_not(compile_types: Any, tmp_path: Path) -> None:
    assert compile_types(tmp_path, {"sample.ts": (HERE / "types" / "sample.ts").read_text()}) == ""


def documented() -> tuple[list[str], list[str], list[tuple[str, str]], list[tuple[str, str]]]:
    """Of the reference's TypeScript: declarations, their names, functions (where they are -> their type) and hooks (name -> type)."""
    declarations, functions, hooks = [], [], []
    for block in blocks("typescript"):
        signatures = re.split(r"^(?=interface |type )", block.code, flags=re.MULTILINE)
        for part in signatures:
            if part.startswith(("interface ", "type ")):
                declarations.append(part.strip())
                continue
            for line in filter(str.strip, part.splitlines()):
                found = re.fullmatch(r"(async )?([\w.]+)(\(.*\)): (.+)", line.strip())
                assert found is not None, line
                is_hook, name, parameters, returned = found.groups()
                place = name.removeprefix("streamspace.") if "." in name else f"api.{name}"
                (hooks if is_hook else functions).append((name if is_hook else place, f"{parameters} => {returned}"))
    names = [re.match(r"(?:interface|type) (\w+)", one)[1] for one in declarations]  # type: ignore[index]
    return declarations, names, functions, hooks


@needs_reference
def test_the_types_are_the_references(compile_types: Any, tmp_path: Path) -> None:
    declarations, names, functions, hooks = documented()
    assert len(names) == 25
    assert len(functions) > 25
    assert len(hooks) == 13
    parts = ["SessionAPI", "UserAPI", "TemplateAPI", "NotificationAPI", "EmailAPI", "StorageAPI", "UIAPI", "CommandAPI", "LoggingAPI"]
    lines = [
        "import streamspace = require('streamspace');",
        "interface Buffer extends Uint8Array {}",
        "declare namespace documented {",
        *(f"type {name} = streamspace.{name};" for name in [*parts, "PlatformConfig"]),
        *declarations,
        "}",
        # Interfaces compare by their members; the same keys must be optional.
        "type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;",
        "type Fits<A, B> = [A] extends [B] ? true : false;",
        "function holds<T extends true>(): T { return true as T; }",
    ]
    for name in names:
        relation = "Fits<documented.{0}, streamspace.{0}>" if name in WIDER else "Same<Flat<documented.{0}>, Flat<streamspace.{0}>>"
        if name != "StreamSpace":
            lines.append(f"holds<{relation.format(name)}>(); // {name}")
    lines.append("holds<Fits<streamspace.StreamSpace, documented.StreamSpace>>();")
    for place, shape in functions:
        path = "".join(f"['{step}']" for step in place.split("."))
        lines.append(f"holds<Fits<streamspace.StreamSpace{path}, {qualified(shape, names)}>>(); // {place}")
    for name, shape in hooks:
        lines.append(f"holds<Fits<{qualified(shape, names)}, NonNullable<streamspace.Hooks['{name}']>>>(); // {name}")
    lines.append(
        "type Flat<T> = T extends (...given: any[]) => any ? T : T extends Array<infer One> ? Array<Flat<One>> : "
        "T extends object ? { [K in keyof T]: Flat<T[K]> } : T;"
    )

    source = "\n".join(lines)
    said = compile_types(tmp_path, {"documented.ts": source})

    assert said == "", said + "\n".join(f"{number}: {line}" for number, line in enumerate(source.splitlines(), 1) if f"({number}," in said)


def qualified(shape: str, names: list[str]) -> str:
    return re.sub(r"\b(" + "|".join(names) + r")\b", r"documented.\1", shape)


@needs_reference
def test_the_references_examples_pass_the_types(compile_types: Any, tmp_path: Path) -> None:
    files = {"given.d.ts": FREE_NAMES}
    for number, block in enumerate(blocks("javascript")):
        for position, code in enumerate(block.examples):
            name = f"{number:02}-{position}.js"
            if code.startswith("module.exports"):
                files[name] = f"/** @type {{import('streamspace').Plugin}} */\n{code}"
            elif code.startswith("async on"):
                files[name] = f"/** @type {{import('streamspace').Plugin}} */\nmodule.exports = {{\n{code}}};\n"
            else:
                files[name] = f"{_THIS}async function example() {{\n{code}}}\nmodule.exports = example;\n"

    # As editors read JavaScript, where nobody annotates parameters and what is caught.
    lenient = {"noImplicitAny": False, "useUnknownInCatchVariables": False}
    said = compile_types(tmp_path, files, allowJs=True, checkJs=True, **lenient).splitlines()

    # The first example asks whether a method is there, which strict types know that it is: TypeScript wonders whether to call it.
    assert [line for line in said if not ("00-0.js" in line and "TS2774" in line)] == []


def mypy(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", *map(str, paths)]
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'sample'}"
    return subprocess.run([*command, cache], env={"MYPYPATH": str(PYTHON_SDK), "PATH": ""}, capture_output=True, text=True)


def test_a_typed_plugin_passes_mypy_and_what_is_wrong_does_not() -> None:
    ran = mypy(HERE / "types" / "sample_plugin.py")

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_examples_in_python_pass_mypy(tmp_path: Path) -> None:
    """Type checkers see the blocking functions (streamspace/awaitable.py), so the examples are read without their awaits."""
    for path in PYTHON_EXAMPLES:
        (tmp_path / path.name).write_text(path.read_text().replace("await streamspace.", "streamspace."))

    ran = mypy(*sorted(tmp_path.glob("*.py")))

    assert ran.returncode == 0, ran.stdout + ran.stderr
