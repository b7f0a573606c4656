"""Each example plugin passes its own tests, declares what its code uses, and makes a package that can be published."""

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.packing import pack
from cli.publishing import generate_key, publish

PLUGINS = Path(__file__).parents[2] / "examples" / "plugins"
SLUGS = sorted(path.parent.name for path in PLUGINS.glob("*/manifest.json"))

# What a call needs in the manifest's permissions; a call that is not listed needs nothing.
SCOPE_OF_CALL = {
    r"api\.(getSessions?|getUserSessions|get_sessions?|get_user_sessions)\b": "read:sessions",
    r"api\.(create|update|delete)_?[Ss]ession\b": "write:sessions",
    r"api\.(getUsers?|get_users?)\b": "read:users",
    r"(notify|notifyAll|notifyAdmins|notify_all|notify_admins)\(": "notifications",
    r"email\.send\b": "email",
    r"storage\.": "storage",
    r"ui\.": "ui",
    r"commands\.": "commands",
}
# A plugin hears only of what it may read.
SCOPE_OF_HOOK = {r"on_?[Ss]ession": "read:sessions", r"on_?[Uu]ser": "read:users"}


def manifest_of(slug):
    return json.loads((PLUGINS / slug / "manifest.json").read_text())


def code_of(slug):
    return (PLUGINS / slug / manifest_of(slug)["entrypoints"]["main"]).read_text()


def test_there_are_plugins_in_each_language_and_one_that_needs_a_licence():
    assert sorted(manifest_of(slug)["runtime"] for slug in SLUGS) == ["nodejs", "nodejs", "python", "python", "python"]
    assert [slug for slug in SLUGS if manifest_of(slug).get("requires_license")] == ["session-insights"]


@pytest.mark.parametrize("slug", SLUGS)
def test_its_own_tests_pass(slug):
    if manifest_of(slug)["runtime"] == "nodejs":
        node = shutil.which("node")
        assert node, "Node.js is needed for the tests of JavaScript plugins"
        command = [node, "--test", str(PLUGINS / slug / "tests")]
    else:
        # A process of its own: these tests put a fake `streamspace` in the place of the real one.
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PLUGINS / slug / "tests")]

    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("slug", SLUGS)
def test_its_manifest_asks_for_the_scopes_that_its_code_uses_and_no_others(slug):
    code = code_of(slug)
    used = {scope for call, scope in SCOPE_OF_CALL.items() if re.search(rf"streamspace\.{call}", code)}
    used |= {scope for hook, scope in SCOPE_OF_HOOK.items() if re.search(rf"\b{hook}", code)}

    assert set(manifest_of(slug)["permissions"]) == used


@pytest.mark.parametrize("slug", SLUGS)
def test_what_its_manifest_contributes_is_in_its_files(slug):
    manifest, code = manifest_of(slug), code_of(slug)
    contributes = manifest["contributes"]

    for task in contributes.get("scheduled_tasks", []):
        assert re.search(rf"\b(async|def) {task['name']}\(", code)
        assert re.fullmatch(r"rate\(\d+ (minutes?|hours?|days?)\)|cron\([^()]+\)", task["schedule"])
    for command in contributes["commands"]:
        assert re.search(rf"name[:=] ?['\"]{command['name']}['\"]", code)
    for widget in contributes.get("widgets", []):
        assert (PLUGINS / slug / widget["component"]).is_file()
        assert widget["id"] in code
    assert manifest["icon"] == "assets/icon.svg"
    assert (PLUGINS / slug / manifest["icon"]).stat().st_size < 2048


@pytest.mark.parametrize("slug", SLUGS)
def test_every_setting_that_its_code_reads_is_declared_and_every_declared_one_is_read(slug):
    read = set(re.findall(r"this\.config\.(\w+)|self\.config\.get\(\"(\w+)\"", code_of(slug)))

    fields = manifest_of(slug)["settings"]["fields"]
    assert {name for pair in read for name in pair if name} == {field["key"] for field in fields}
    tabs = {tab["key"] for tab in manifest_of(slug)["settings"]["tabs"]}
    assert all(field["tab"] in tabs and "default" in field for field in fields)


def test_all_can_be_published_together_and_their_dependencies_are_among_them(tmp_path):
    key = generate_key()
    for slug in SLUGS:
        release = publish(pack(PLUGINS / slug), tmp_path, key.private)
        assert release.slug == slug

    files = [json.loads(gzip.decompress(path.read_bytes())) for path in (tmp_path / "listings").iterdir()]
    releases = [release for file in files for plugin in file["plugins"] for release in plugin["releases"]]
    needed = {wanted["slug"] for release in releases for wanted in release["dependencies"]}
    assert needed <= set(SLUGS)
