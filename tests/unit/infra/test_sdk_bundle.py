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

    script = (
        f"const load = require('streamspace/package.json') && require('./node_modules/streamspace/bundle'); {json.dumps(modules)}.map(load)"
    )

    assert node(shipped, script) == ""


def test_a_module_that_is_not_there_stops_the_build(tmp_path):
    (tmp_path / "index.js").write_text("require('./absent');")

    with pytest.raises(ValueError, match=r"index\.js requires absent"):
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
