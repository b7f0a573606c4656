"""An author's day on the command line: a plugin is begun, checked and tested."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from cli.json_lines import line_of, lines_of
from cli.main import cli
from cli.packing import pack
from cli.starting import LANGUAGES, TYPES
from cli.validating import HOOKS, SCOPE_OF_CALL, snake_case

ROOT = Path(__file__).parents[3]
MANIFEST = {
    "name": "my-plugin",
    "version": "1.0.0",
    "displayName": "My Plugin",
    "description": "Does things",
    "author": "Me",
    "type": "extension",
    "permissions": ["notifications"],
}


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(cli, ["plugin", *map(str, arguments)])


@pytest.fixture
def plugin(tmp_path: Path) -> Any:
    """``plugin({"index.js": …}, name="x")``: a folder with these files, and a manifest with these fields over a good one's."""

    def make(files: dict[str, str], **fields: Any) -> Path:
        # A field for each line: what is said about lines can be counted.
        (tmp_path / "manifest.json").write_text(json.dumps({**MANIFEST, **fields}, indent=2))
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plugin_that_was_just_made_is_valid_and_can_be_packed(language: str, kind: str, tmp_path: Path) -> None:
    made = run("init", "my-plugin", "--language", language, "--type", kind, "--directory", tmp_path / "new")

    assert made.exit_code == 0, made.output
    assert (tmp_path / "new" / ".gitignore").is_file()
    texts = [path.read_text() for path in (tmp_path / "new").rglob("*") if path.is_file() and path.name != ".gitignore"]
    assert not any("__" in text or ".starter" in text for text in texts)
    checked = run("validate", tmp_path / "new")
    assert (checked.exit_code, checked.output) == (0, "The plugin is valid\n")
    assert pack(tmp_path / "new")


@pytest.mark.parametrize(("language", "kind"), [*(("js", kind) for kind in TYPES), ("python", "extension")])
def test_the_tests_of_a_plugin_that_was_just_made_pass(language: str, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run("init", "my-plugin", "--language", language, "--type", kind, "--directory", tmp_path)

    answer = run("test", tmp_path)

    said = capfd.readouterr().out
    assert answer.exit_code == 0, said
    assert re.search(r"# pass [12]|[12] passed", said)


@pytest.mark.parametrize("kind", TYPES)
def test_the_python_starters_pass_with_unittest_alone_as_well(kind: str, tmp_path: Path) -> None:
    run("init", "my-plugin", "--language", "python", "--type", kind, "--directory", tmp_path)

    command = [sys.executable, "-m", "unittest", "discover", "-s", "tests"]
    ran = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT / "plugin_layers/python")}, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    assert re.search(r"Ran [12] tests?", ran.stderr)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("My Plugin!", "how about 'my-plugin'?"), ("x", "2 to 63"), ("9lives", "how about 'lives'?"), ("ünï", "2 to 63")],
)
def test_a_name_that_no_plugin_can_have_is_refused_with_the_rule(name: str, advice: str, tmp_path: Path) -> None:
    answer = run("init", name, "--language", "js", "--directory", tmp_path / "new")

    assert answer.exit_code == 1
    assert advice in answer.output
    assert "2 to 63 lower-case letters, digits and hyphens" in answer.output
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    answer = run("init", "my-plugin", "--language", "js", "--directory", tmp_path)

    assert answer.exit_code == 1
    assert "not empty; name another folder with --directory" in answer.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_every_fault_of_a_manifest_is_told_at_its_line(plugin: Any) -> None:
    fields = {"version": "one", "permissions": ["notifications", "read:sesions"], "typ": "x", "entrypoints": {"main": "index.js"}}
    folder = plugin({"index.js": "module.exports = {};"}, **fields)

    answer = run("validate", folder)

    assert answer.exit_code == 1
    assert "manifest.json:3: version: 'one' is not a semantic version, such as 1.2.0 (semver.org)\n" in answer.output
    assert "manifest.json:10: permissions: Unknown scope 'read:sesions', did you mean 'read:sessions'?" in answer.output
    assert answer.output.endswith("2 faults\n") or answer.output.endswith("3 faults\n"), answer.output


def test_a_note_and_a_fault_stand_at_the_line_of_what_they_are_about(plugin: Any) -> None:
    """Also where a key has dots, and where a list has several on lines of their own."""
    schema = {"type": "object", "properties": {"plain": {"type": "string"}, "clientSecret": {"type": "string"}}}
    events = {"session.created": "Created", "session.terminated": "Ended", "session.heartbeat": "Beat"}
    widgets = [{"id": "a", "title": "A", "component": "./A.jsx"}, {"id": "b", "title": "B", "component": "./B.jsx", "position": "attic"}]
    wanted = {"permissions": ["ui", "database"], "configSchema": schema, "events": events, "ui": {"widgets": widgets}, "odd": 1}
    folder = plugin({"index.js": "module.exports = {};", "A.jsx": "", "B.jsx": ""}, **wanted)
    text = (folder / "manifest.json").read_text()
    line = {
        word: text[: text.index(f'"{word}"')].count("\n") + 1
        for word in ("database", "clientSecret", "session.terminated", "session.heartbeat", "odd")
    }
    line["attic"] = text[: text.index('"id": "b"')].count("\n")

    output = run("validate", folder).output
    told = {
        f"manifest.json:{at}: warning: {beginning}"
        for at, beginning in (
            (line["database"], "The permission 'database'"),
            (line["clientSecret"], "The setting 'clientSecret'"),
            (line["session.terminated"], "The event 'session.terminated'"),
            (line["session.heartbeat"], "There is no event 'session.heartbeat'"),
            (line["attic"], "The position 'attic'"),
            (line["odd"], "'odd' is not a field"),
        )
    }
    assert [one for one in told if one not in output] == [], output

    slip = plugin({"index.js": "module.exports = {};"}, events={"session.created": "Created", "session.stoped": "Stopped"})
    at = next(number for number, line in enumerate((slip / "manifest.json").read_text().splitlines(), 1) if "stoped" in line)
    assert f"manifest.json:{at}: events.session.stoped: There is no event 'session.stoped'" in run("validate", slip).output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "name": "a",\n  oops\n}', "manifest.json:3: It is not JSON"),
        ('{\n  "name": "ab",\n  "x": {"name": 1},\n  "name": "ac"\n}', "manifest.json:4: The field 'name' is there twice"),
        ("[]", "manifest.json:1: Must be a JSON object"),
        ('{"name": "ok-name", "version": "1.0.0"}', "The package has no file 'index.js'"),
    ],
)
def test_what_is_no_manifest_at_all_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)

    answer = run("validate", tmp_path)

    assert answer.exit_code == 1
    assert said in answer.output


@pytest.mark.parametrize(
    ("runtime", "name", "source", "said"),
    [
        ("nodejs", "index.js", "const a = 1;\nmodule.exports = { async onLoad() { await; } };", "index.js:2: JavaScript cannot read it"),
        ("nodejs", "index.js", "import fs from 'node:fs';\nexport default {\n  onLoad( {} };", "index.js:3: JavaScript cannot read it"),
        ("python", "plugin.py", "x = 1\ndef on_load(:\n    pass", "plugin.py:2: Python cannot read it"),
    ],
)
def test_code_that_cannot_be_read_is_told_with_its_line(runtime: str, name: str, source: str, said: str, plugin: Any) -> None:
    if runtime == "nodejs" and shutil.which("node") is None:
        pytest.skip("node is not installed")
    answer = run("validate", plugin({name: source}, runtime=runtime))

    assert answer.exit_code == 1
    assert said in answer.output


def test_an_es_module_is_read_as_one(plugin: Any) -> None:
    answer = run("validate", plugin({"index.js": "import fs from 'node:fs';\nexport default { onLoad() { fs.existsSync('x'); } };"}))

    assert (answer.exit_code, answer.output) == (0, "The plugin is valid\n")


@pytest.mark.parametrize(
    ("runtime", "name", "source", "said"),
    [
        ("nodejs", "index.js", "module.exports = {\n  async onSessionCreate(session) {},\n};", "index.js:2: 'onSessionCreate' is no hook"),
        ("nodejs", "index.js", "exports.onUserLogn = async () => {};", "did you mean 'onUserLogin'?"),
        ("nodejs", "index.js", "module.exports = { on_load() {} };", "did you mean 'onLoad'?"),
        ("python", "plugin.py", "class Plugin:\n    def on_session_create(self, s): ...", "did you mean 'on_session_created'?"),
        ("python", "plugin.py", "def onSessionCreated(s): ...", "did you mean 'on_session_created'?"),
    ],
)
def test_a_misspelt_hook_is_a_fault(runtime: str, name: str, source: str, said: str, plugin: Any) -> None:
    answer = run("validate", plugin({name: source}, runtime=runtime))

    assert answer.exit_code == 1
    assert said in answer.output


@pytest.mark.parametrize(
    "source", ["module.exports = { onLoad() {}, only() {}, onward() {} };", "// onSessionCreate() {\nmodule.exports = {};"]
)
def test_other_methods_are_the_authors_business(source: str, plugin: Any) -> None:
    assert run("validate", plugin({"index.js": source})).output == "The plugin is valid\n"


@pytest.mark.parametrize(
    ("runtime", "name", "source"),
    [
        (
            "nodejs",
            "lib/mail.js",
            "exports.go = () =>\n  streamspace.email\n    .send({});\nstreamspace.notify('a', {});",
        ),
        ("python", "mail.py", "import streamspace\nstreamspace.email.send('a', 'b')\nstreamspace.notify('a', title='b', message='c')\n"),
    ],
)
def test_a_call_whose_scope_is_not_asked_for_is_a_warning(runtime: str, name: str, source: str, plugin: Any) -> None:
    main = {"nodejs": {"index.js": "module.exports = {};"}, "python": {"plugin.py": ""}}[runtime]

    answer = run("validate", plugin({**main, name: source}, runtime=runtime))

    assert answer.exit_code == 0
    advice = "warning: streamspace.email.send needs the scope 'email'; add it to \"permissions\" in manifest.json\n"
    assert answer.output == f"{name}:2: {advice}The plugin is valid, 1 warning\n"


def test_pictures_that_the_package_does_not_have_are_warnings(plugin: Any) -> None:
    named = {"icon": "./assets/icon.png", "screenshots": ["https://example.com/1.png", "assets/two.png", "assets/three.png"]}
    folder = plugin({"index.js": "module.exports = {};", "assets/three.png": "png"}, **named)
    lines = (folder / "manifest.json").read_text().splitlines()
    line = {name: next(at for at, text in enumerate(lines, 1) if name in text) for name in ("icon.png", "two.png")}

    answer = run("validate", folder)

    assert answer.exit_code == 0
    assert answer.output.splitlines() == [
        f"manifest.json:{line['icon.png']}: warning: icon: The package has no file 'assets/icon.png', so its address leads nowhere",
        f"manifest.json:{line['two.png']}: warning: screenshots.1: The package has no file 'assets/two.png', so its address leads nowhere",
        "The plugin is valid, 2 warnings",
    ]


def test_a_package_is_checked_as_its_folder_is(plugin: Any, tmp_path: Path) -> None:
    folder = plugin({"index.js": "module.exports = { onSessionCreate() {} };"})
    package = tmp_path / "out.zip"
    package.write_bytes(pack(folder))

    assert run("validate", package).output == run("validate", folder).output


def test_findings_can_be_had_as_json(plugin: Any) -> None:
    answer = run("validate", "--json", plugin({"index.js": "module.exports = { onSessionCreate() {} };"}))

    [finding] = json.loads(answer.output)
    assert answer.exit_code == 1
    assert {key: finding[key] for key in ("file", "line", "severity")} == {"file": "index.js", "line": 1, "severity": "fault"}


def test_a_file_that_is_no_package_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK nonsense")

    answer = run("validate", tmp_path / "x.zip")

    assert answer.exit_code == 1
    assert "manifest.json: There is none at the root" in answer.output


def test_a_plugin_without_tests_is_told_where_they_go(plugin: Any) -> None:
    answer = run("test", plugin({"index.js": ""}))

    assert answer.exit_code == 1
    assert "NO_TESTS" in answer.output
    assert "*.test.js" in answer.output


def test_the_runners_exit_code_and_arguments_are_the_commands(plugin: Any) -> None:
    folder = plugin({"plugin.py": "", "tests/test_it.py": "def test_a(): pass\ndef test_b(): assert not 1\n"}, runtime="python")

    assert run("test", folder).exit_code == 1
    assert run("test", folder, "--", "-k", "test_a").exit_code == 0


ES_MODULE = """
import streamspace from 'streamspace';
export const onSessionCreated = (session) => streamspace.storage.set(session.id, session.user);
"""
ITS_TEST = """
import assert from 'node:assert/strict';
import { test } from 'node:test';
import streamspace from 'streamspace';
import { createPlatform } from 'streamspace/testing';

test('it is kept', async () => {
  const platform = createPlatform({ plugin: new URL('..', import.meta.url).pathname });
  await platform.load();
  await platform.emit('session.created', { user: 'jane' });
  assert.deepEqual(Object.values(platform.storage), ['jane']);
  assert.equal(typeof streamspace.storage.get, 'function');
  assert.equal(process.title, 'theirs');
});
"""


def test_tests_that_are_es_modules_find_the_sdk_too(plugin: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("NODE_OPTIONS", "--title=theirs")
    files = {"index.js": ES_MODULE, "package.json": '{"type": "module"}', "tests/its.test.js": ITS_TEST}

    answer = run("test", plugin(files, permissions=["storage", "read:sessions"]))

    assert answer.exit_code == 0, answer.output


def test_the_hooks_and_calls_that_are_checked_are_the_sdks() -> None:
    from streamspace.events import HOOKS as EVENT_HOOKS

    calls = "\n".join(row["js"] for row in json.loads((ROOT / "tests/sdk/methods.json").read_text())["requests"])

    assert set(EVENT_HOOKS.values()) == {snake_case(hook) for hook in HOOKS} - {"on_load", "on_unload", "on_notification_action"}
    assert [call for call in SCOPE_OF_CALL if "register" not in call and "add" not in call and f"streamspace.{call}(" not in calls] == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_each_value_of_a_json_text_has_its_line(value: Any) -> None:
    text = json.dumps(value, indent=1)

    lines = lines_of(text)

    assert len(lines) == sum(1 for _ in _paths(value)) + 1
    # With an indent, each value begins a line of its own.
    del lines[()]
    assert len(set(lines.values())) == len(lines)


def _paths(value: Any) -> Any:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield key
        yield from _paths(child)


def test_a_path_has_its_line_and_a_missing_one_that_of_what_is_around_it() -> None:
    lines = lines_of('{\n "a": {\n  "b": [1,\n   {"c": 2}\n  ]\n },\n "d.e": "x\\"{"\n}')

    assert [line_of(path, lines) for path in ("a", "a.b", "a.b.0", "a.b.1", "a.b.1.c", "a.missing", "missing")] == [2, 3, 3, 4, 4, 2, 1]
