"""The guides and the pages of errors, run as they stand there, in both languages, on the testing platform."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api.description import error_classes

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
ERRORS = sorted((DOCS / "errors").glob("[a-z]*.md"))
MANIFEST = {"name": "my-plugin", "version": "1.0.0", "displayName": "My Plugin", "description": "A guide's", "author": "Me"}
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What the tests of this file run. The tutorial and the README are run by tests/e2e.
RUN = {
    "guides": {"json", "javascript", "javascript test", "python", "python test"},
    "errors": {"javascript", "python"},
}


def blocks(page: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for language, text in FENCE.findall(page.read_text()):
        found.setdefault(language, []).append(text)
    return found


def one(page: Path, language: str) -> str:
    [text] = blocks(page)[language]
    return text


@pytest.mark.parametrize("page", [*GUIDES, *ERRORS], ids=lambda page: page.stem)
def test_every_block_of_a_page_is_one_that_is_run(page: Path) -> None:
    text = page.read_text()

    assert set(blocks(page)) <= RUN[page.parent.name]
    assert text.count("\n```") == 2 * len(FENCE.findall(text)), "a block is not closed, or its fence is indented"
    if page in GUIDES:
        assert set(blocks(page)) == RUN["guides"], "a guide shows both languages, and a test of each"


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Node's runner says of all guides and errors, each a test of its own: starting it once is most of the time."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    base = tmp_path_factory.mktemp("guides")
    tests = []
    for page in GUIDES:
        folder = base / page.stem
        (folder / "tests").mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({**MANIFEST, **json.loads(one(page, "json"))}))
        (folder / "index.js").write_text(one(page, "javascript"))
        body = one(page, "javascript test")
        begin = "let platform;" if "platform = createPlatform(" in body else "let platform = createPlatform();\nawait platform.load();"
        tests.append(folder / "tests" / "guide.test.js")
        tests[-1].write_text(_JAVASCRIPT_IMPORTS + _JAVASCRIPT_GUIDE.format(name=page.stem, body=f"{begin}\n{body}\nplatform.close();"))
    tests.append(_javascript_of_errors(base / "pages of errors"))
    environment = {**os.environ, "NODE_PATH": str(ROOT / "plugin_layers/nodejs/node_modules")}
    ran = subprocess.run(["node", "--test", *map(str, tests)], env=environment, capture_output=True, text=True, timeout=120)
    return ran.stdout + ran.stderr


_JAVASCRIPT_IMPORTS = """
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { createPlatform } = require('streamspace/testing');
"""
_JAVASCRIPT_GUIDE = """
test('{name}', async () => {{
{body}
}});
"""


def _javascript_of_errors(folder: Path) -> Path:
    """Each page's snippet meets its error, and says so in the log."""
    (folder / "tests").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "index.js").write_text("module.exports = {};")
    cases = [
        _JAVASCRIPT_ERROR.format(name=page.stem, code=code_of(page), body=one(page, "javascript"))
        for page in ERRORS
        if "javascript" in blocks(page)
    ]
    file = folder / "tests" / "errors.test.js"
    file.write_text(_JAVASCRIPT_IMPORTS + "".join(cases))
    return file


_JAVASCRIPT_ERROR = """
test('{name}', async () => {{
  const platform = createPlatform({{ scopes: ['admin'] }});
  await platform.load();
  const [sessionId, username, email, report, rows] = ['jane-vlc', 'jane', 'jane@example.com', {{}}, []];
  const template = {{ name: 'notes', displayName: 'Notes', description: 'd', category: 'c', baseImage: 'notes:1', ports: [] }};
  template.defaultResources = {{ memory: '1Gi', cpu: '1' }};
  for (let attempt = 0; attempt < 3; attempt += 1) platform.failNext('{code}');
{body}
  assert.deepEqual(platform.logs.map(({{ level }}) => level), ['warn']);
  platform.close();
}});
"""


_JAVASCRIPT_MIGRATION = """
test('migrations', async () => {{
  const platform = createPlatform({{ scopes: ['storage'] }});
  const visit = {{ user: 'jane', at: 1800000000000, site: 'home' }};
{body}
  assert.deepEqual(items.map(({{ user }}) => user).sort(), ['jane', 'john']);
  assert.equal(cursor, null);
  assert.equal(platform.tables.visits.length, 2);
  platform.close();
}});
"""


def test_the_example_of_migrations_makes_its_table_and_uses_it(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    page = DOCS / "migrations.md"
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/0001_visits.json").write_text(one(page, "json"))
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    test = tmp_path / "page.test.js"
    test.write_text(_JAVASCRIPT_IMPORTS + _JAVASCRIPT_MIGRATION.format(body=one(page, "javascript")))

    environment = {**os.environ, "NODE_PATH": str(ROOT / "plugin_layers/nodejs/node_modules")}
    ran = subprocess.run(["node", "--test", test], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    assert ran.returncode == 0, ran.stdout[-3000:]


@pytest.mark.parametrize("page", [*GUIDES, *(page for page in ERRORS if "javascript" in blocks(page))], ids=lambda page: page.stem)
def test_the_javascript_of_a_page_does_what_its_test_says(page: Path, javascript: str) -> None:
    assert re.search(rf"^ *ok \d+ - {re.escape(page.stem)}$", javascript, re.MULTILINE), javascript[-6000:]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield tmp_path
    from streamspace.testing.platform import _open

    for platform in list(_open):
        platform.close()
    sys.path[:] = before


def _run_python(folder: Path, manifest: dict[str, Any], plugin: str, test: str, **world: Any) -> dict[str, Any]:
    import streamspace
    from streamspace.testing import create_platform

    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "runtime": "python", **manifest}))
    (folder / "plugin.py").write_text(plugin)
    scope: dict[str, Any] = {"streamspace": streamspace, "create_platform": create_platform, **world}
    if "platform = create_platform(" not in test:
        scope["platform"] = create_platform(folder)
        scope["platform"].load()
    exec(compile(test, "<guide>", "exec"), scope)
    return scope


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_the_python_of_a_guide_does_what_its_test_says(page: Path, folder: Path) -> None:
    _run_python(folder, json.loads(one(page, "json")), one(page, "python"), one(page, "python test"))


@pytest.mark.parametrize("page", [page for page in ERRORS if "python" in blocks(page)], ids=lambda page: page.stem)
def test_the_python_of_an_errors_page_meets_the_error(page: Path, folder: Path) -> None:
    template = {
        **{"name": "notes", "display_name": "Notes", "description": "d", "category": "c", "base_image": "notes:1"},
        **{"default_resources": {"memory": "1Gi", "cpu": "1"}, "ports": []},
    }
    world = {"session_id": "jane-vlc", "username": "jane", "email": "jane@example.com", "report": {}, "rows": [], "template": template}
    refuse = f"for _ in range(3):\n    platform.fail_next('{code_of(page)}')\n"

    scope = _run_python(folder, {"permissions": ["admin"]}, "", refuse + one(page, "python"), **world)

    assert [line["level"] for line in scope["platform"].logs] == ["warn"]


def code_of(page: Path) -> str:
    return page.stem.upper().replace("-", "_")


def test_every_error_has_its_page_and_every_page_its_error() -> None:
    from streamspace.errors import BY_CODE

    codes = {error.code for error in error_classes()} | set(BY_CODE)

    assert {code_of(page) for page in ERRORS} == codes
    listed = set(re.findall(r"\| \[([A-Z_]+)\]\(([a-z-]+\.md)\)", (DOCS / "errors/README.md").read_text()))
    assert {code for code, _ in listed} == codes
    assert all((DOCS / "errors" / file).is_file() for _, file in listed)


@pytest.mark.parametrize("page", ERRORS, ids=lambda page: page.stem)
def test_a_page_says_when_why_and_what_to_do_with_the_right_class_and_status(page: Path) -> None:
    from streamspace.errors import BY_CODE

    text, code = page.read_text(), code_of(page)
    statuses = {error.status for error in error_classes() if error.code == code}

    assert text.startswith(f"# {code}\n")
    assert all(f"\n**{part}** " in text for part in ("When.", "Why.", "What to do."))
    assert (f"`{BY_CODE[code].__name__}`" in text) if code in BY_CODE else "`StreamSpaceError`" in text or "python" not in blocks(page)
    assert not statuses or any(f"HTTP {status}" in text for status in statuses)


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md"), ROOT / "README.md"], ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+\.md)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if "://" not in link and not (page.parent / link).is_file()] == []
