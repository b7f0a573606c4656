"""Every JavaScript example of the plugin API reference, word for word, in a plugin on the local stack; and each in Python.

How an example becomes a plugin says ``tests/e2e/document/javascript.py``, where one ends and the next begins ``tests/document.py``, what
each promises ``tests/e2e/document/cases.py``, and how it reads in Python ``tests/e2e/document/python/``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.document import blocks, needs_reference
from tests.e2e.client import Api, Refused
from tests.e2e.document import cases, javascript
from tests.e2e.document.cases import CASES
from tests.e2e.document.python.my_plugin import EXAMPLES, REGISTRATIONS
from tests.e2e.document.world import PASSWORD, World
from tests.e2e.plugins import WrittenPlugin

pytestmark = [pytest.mark.e2e, needs_reference, pytest.mark.timeout(180)]

LANGUAGES = ["javascript", "python"]
CALLS = [block for block in blocks("javascript") if CASES[block.key].kind == "call"]
CALLS_PLUGIN, HOOKS_PLUGIN, LOAD_PLUGIN = "my-plugin", "document-hooks", "document-on-load"
SCOPES = [
    *("read:sessions", "write:sessions", "read:users", "write:users", "read:templates", "write:templates"),
    *("notifications", "email", "storage", "ui", "commands"),
]
PYTHON = Path(__file__).parent / "document" / "python"

_SETTINGS = {
    "tabs": [{"key": "general", "label": "General"}],
    "fields": [
        {"key": "apiKey", "type": "text", "label": "API key", "tab": "general"},
        {"key": "enabled", "type": "boolean", "label": "Enabled", "tab": "general", "default": True},
        {"key": "notifyOnLogin", "type": "boolean", "label": "Welcome people back", "tab": "general", "default": True},
    ],
}


def sources(language: str) -> dict[str, javascript.Files]:
    """The three plugins: slug -> file -> text."""
    if language == "javascript":
        return {CALLS_PLUGIN: javascript.calls(), HOOKS_PLUGIN: javascript.hooks(), LOAD_PLUGIN: javascript.on_load()}
    written = {CALLS_PLUGIN: "my_plugin.py", HOOKS_PLUGIN: "hooks.py", LOAD_PLUGIN: "on_load.py"}
    return {slug: {"plugin.py": (PYTHON / name).read_text()} for slug, name in written.items()}


def install(api: Api, folder: Path, slug: str, language: str, files: javascript.Files) -> None:
    manifest = {
        "name": slug,
        "version": "1.0.0",
        "displayName": slug,
        "description": "Examples of the plugin API reference",
        "type": "extension",
        "author": "The tests",
        "runtime": "nodejs" if language == "javascript" else "python",
        "permissions": SCOPES,
        "settings": _SETTINGS,
    }
    place = folder / slug
    place.mkdir()
    for name, text in {"manifest.json": json.dumps(manifest), **files}.items():
        (place / name).write_text(text)
    answer = api.ask(
        "POST",
        "/admin/plugins/install",
        {"source": "upload", "package": WrittenPlugin(slug, place).package, "activate": slug == CALLS_PLUGIN},
    )
    if answer.status == 202:
        job = api.finished(answer)
        assert job["status"] == "succeeded", job


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def world(api: Api, account: Any, language: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The examples' plugins of one language: the calls active, the others installed."""
    world = World(api, account, CALLS_PLUGIN)
    world.clear()
    folder = tmp_path_factory.mktemp(language)
    everything = sources(language)
    try:
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda slug: install(api, folder, slug, language, everything[slug]), everything))
        yield world
    finally:
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda slug: _remove(api, slug), everything))
        world.clear()


def _remove(api: Api, slug: str) -> None:
    with suppress(Refused):
        api.uninstall(slug, backup=False)


@pytest.mark.parametrize("key", [block.key for block in CALLS])
def test_an_example_has_the_effect_that_its_text_promises(world: World, key: str, language: str) -> None:
    world.slug = CALLS_PLUGIN
    (block,) = (one for one in CALLS if one.key == key)
    for position in range(len(javascript.steps(block))):
        told = cases.run(world, CASES[key], javascript.command(key, position))

        CASES[key].effect(world, told)


@pytest.mark.parametrize("key", [key for key, one in CASES.items() if one.kind == "load"])
def test_what_an_example_registers_is_there(world: World, key: str) -> None:
    world.slug = CALLS_PLUGIN

    CASES[key].effect(world, {})


def test_the_plugin_of_on_load_loads_when_it_has_its_setting(world: World) -> None:
    world.slug = LOAD_PLUGIN
    with pytest.raises(Refused, match="API key is required") as refused:
        world.api.post(f"/admin/plugins/{LOAD_PLUGIN}/activate")
    assert refused.value.code == "PLUGIN_FAILED_TO_LOAD"

    world.api.put(f"/admin/plugins/{LOAD_PLUGIN}/settings", {"settings": {"apiKey": "key-1"}})
    world.api.post(f"/admin/plugins/{LOAD_PLUGIN}/activate")

    CASES["onLoad()"].effect(world, {})


def test_the_hooks_hear_what_happens_and_clean_up(world: World) -> None:
    world.slug = HOOKS_PLUGIN
    world.nobody("jane")
    world.person("john")
    world.no_sessions_of("john")
    world.api.put(f"/admin/plugins/{HOOKS_PLUGIN}/settings", {"settings": {"apiKey": "key-1"}})

    world.api.post(f"/admin/plugins/{HOOKS_PLUGIN}/activate")
    CASES["this.config"].effect(world, {})

    world.open_mailboxes()
    world.person("jane")
    session = world.api.post("/sessions", {"user": "john", "template": "vscode"})
    world.api.log_in("john", PASSWORD)
    world.api.run("hear-of-nobody")
    CASES["onUserCreated()"].effect(world, {})
    CASES["onSessionCreated()"].effect(world, session)
    CASES["Error Logging"].effect(world, session)
    CASES["onUserLogin()"].effect(world, {})
    CASES["Standard Errors"].effect(world, {})
    assert world.api.dead_letters(HOOKS_PLUGIN) == []

    world.api.post(f"/admin/plugins/{HOOKS_PLUGIN}/deactivate")
    CASES["onUnload()"].effect(world, {})


def test_no_example_is_missed_and_each_is_there_in_python() -> None:
    documented = {block.key: block for block in blocks("javascript")}

    assert set(CASES) == set(documented)
    in_python = {**{key: len(functions) for key, functions in EXAMPLES.items()}, **dict.fromkeys(REGISTRATIONS, 1)}
    assert in_python == {key: len(javascript.steps(block)) for key, block in documented.items() if CASES[key].kind in ("call", "load")}
    written = {key: (PYTHON / ("on_load.py" if key == "onLoad()" else "hooks.py")).read_text() for key in set(CASES) - set(in_python)}
    assert [key for key, text in written.items() if f"# {key}\n" not in text] == []
