"""The JavaScript SDK as the layer has it does what its sources do."""

import json
import shutil
import subprocess

import pytest

from infra import sdk_bundle
from tests.conftest import ROOT

SDK = ROOT / "plugin_layers/nodejs/node_modules/streamspace"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.fixture
def shipped(tmp_path):
    folder = tmp_path / "node_modules/streamspace"
    folder.mkdir(parents=True)
    for name, text in sdk_bundle.bundled(SDK):
        (folder / name).write_text(text)
    return tmp_path


def node(folder, script):
    done = subprocess.run(["node", "-e", script], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_entry_point_gives_what_the_source_gives(shipped):
    asked = "console.log(JSON.stringify(['', '/errors', '/runtime'].map((name) => Object.keys(require('streamspace' + name)))))"

    assert json.loads(node(shipped, asked)) == json.loads(node(SDK.parents[1], asked))


def test_the_object_that_is_required_is_the_global_one_and_its_errors_are_one_class(shipped):
    script = """
        const write = process.stdout.write.bind(process.stdout); // what is written later becomes lines of the plugin's log
        require('streamspace/runtime').createHandler('.');
        const one = require('streamspace');
        const { NotFoundError } = require('streamspace/errors');
        write(String(one === globalThis.streamspace && one.errors.NotFoundError === NotFoundError));
    """

    assert node(shipped, script) == "true"


def test_every_module_is_in_the_bundle_and_can_be_run(shipped):
    modules = sorted(path.stem for path in SDK.glob("*.js"))

    assert node(shipped, f"{json.dumps(modules)}.map(require('streamspace/runtime').load)") == ""


def test_only_comments_with_lines_of_their_own_stay_behind(tmp_path):
    (tmp_path / "package.json").write_text("{}")
    source = "/** Two\n * lines. */\n/** before */ const a = 1; // behind\n\n  // own\n  const b = a /** within */ + 1; /* at the end */\n"
    (tmp_path / "runtime.js").write_text(source)
    for name in ("commands", "log", "registered", "schedules", "ui"):
        (tmp_path / f"{name}.js").write_text("")

    start = dict(sdk_bundle.bundled(tmp_path))["runtime.js"]

    assert "\n/** before */ const a = 1; // behind\nconst b = a /** within */ + 1; /* at the end */\n}" in start
    assert "lines." not in start
    assert "own" not in start


STARTS = {
    "nothing": "module.exports = {};",
    "hooks and a command": """module.exports = {
        onLoad() { streamspace.commands.register({ name: 'one', description: 'd', handler: () => 1 }); streamspace.log.info('loaded'); },
        onSessionCreated() {},
    };""",
    "a menu item and a schedule": """module.exports = class {
        onLoad() {
            streamspace.ui.addMenuItem({ label: 'l', path: '/p', component: 'c.js' });
            streamspace.schedule('rate(1 hour)', () => 1);
        }
    };""",
}


@pytest.mark.parametrize("main", STARTS.values(), ids=STARTS)
def test_a_start_reads_the_first_file_alone(shipped, main):
    (shipped / "manifest.json").write_text('{"name": "p", "version": "1.0.0"}')
    (shipped / "index.js").write_text(main)
    script = """
        const write = process.stdout.write.bind(process.stdout);
        const handler = require('streamspace/runtime').createHandler(process.cwd());
        const read = () => Object.keys(require.cache).map((file) => require('path').basename(file)).join(' ');
        handler({ kind: 'load' }, {}).then(({ ok }) => write(`\\n${ok} ${read()}`));
    """

    assert node(shipped, script).splitlines()[-1] == "true runtime.js index.js"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("require('./absent');", r"index\.js requires \./absent, which is not there"),
        ("'use strict';\n// \u2026\n", r"index\.js has '\u2026', which is not ASCII"),
        ("const text = `\n  two lines\n`;\n", r"index\.js has a template literal of several lines"),
    ],
)
def test_what_cannot_be_shipped_stops_the_build(tmp_path, text, message):
    (tmp_path / "index.js").write_text(text)

    with pytest.raises(ValueError, match=message):
        list(sdk_bundle.bundled(tmp_path))


def test_a_plugin_answers_and_its_failure_names_its_own_line_only(shipped):
    (shipped / "manifest.json").write_text('{"name": "p", "version": "1.0.0"}')
    (shipped / "index.js").write_text("module.exports = {\n  onLoad() { throw new Error('no'); },\n};\n")

    script = """
        const write = process.stdout.write.bind(process.stdout);
        const handler = require('streamspace/runtime').createHandler(process.cwd());
        process.env.STREAMSPACE_PLUGIN = 'p';
        handler({ kind: 'load' }, {}).then((answer) => write('\\n' + JSON.stringify(answer)));
    """
    error = json.loads(node(shipped, script).splitlines()[-1])["error"]

    assert (error["location"], error["hook"]) == ("index.js:2", "onLoad")
    assert "node_modules/streamspace" not in error["stack"]
