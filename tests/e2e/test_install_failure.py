"""An install that fails says why and leaves nothing behind."""

from __future__ import annotations

import pytest

from tests.e2e.client import Refused

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

THROWS = {
    "nodejs": "module.exports = {\n  async onLoad() {\n    throw new Error('API key is required');\n  },\n};\n",
    "python": "class Plugin:\n    def on_load(self):\n        raise ValueError('API key is required')\n",
}
PLACES = {"nodejs": "index.js:3", "python": "plugin.py:3"}
TASKS = {"scheduled_tasks": [{"name": "daily", "schedule": "rate(1 day)", "description": "Never comes to run"}]}


@pytest.mark.parametrize("runtime", THROWS)
def test_a_plugin_that_throws_on_load_is_taken_back_whole(api, account, plugin, runtime):
    broken = plugin.write(THROWS[runtime], runtime=runtime, permissions=("storage",), contributes=TASKS)
    objects, body = set(account.objects()), {"source": "upload", "package": broken.package, "activate": True}

    job = api.finished(api.ask("POST", "/admin/plugins/install", body, headers={"Prefer": "respond-async"}))

    assert (job["status"], job["kind"], job["slug"]) == ("failed", "install", broken.slug)
    assert "API key is required" in job["error"]["message"]
    assert job["error"]["left"] == []
    assert PLACES[runtime] in str(job["error"])
    assert account.all_of(broken.slug) == {}
    # The upload itself bears no slug.
    assert {key for key in account.objects() if key.startswith("uploads/")} <= objects
    assert not api.is_installed(broken.slug)


def test_one_that_waits_for_its_install_is_told_the_same(api, account, plugin):
    broken = plugin.write(THROWS["nodejs"])

    with pytest.raises(Refused) as refused:
        api.post("/admin/plugins/install", {"source": "upload", "package": broken.package, "activate": True})

    assert (refused.value.status, refused.value.code) == (500, "INSTALLATION_FAILED")
    assert "API key is required" in refused.value.message
    assert account.all_of(broken.slug) == {}


def test_a_plugin_with_a_syntax_error_is_told_where(api, account, plugin):
    broken = plugin.write("module.exports = {\n  onLoad( {\n};\n")

    with pytest.raises(Refused) as refused:
        api.post("/admin/plugins/install", {"source": "upload", "package": broken.package, "activate": True})

    assert refused.value.code == "INSTALLATION_FAILED"
    assert "index.js" in str(refused.value)
    assert account.all_of(broken.slug) == {}


def test_once_it_is_mended_the_same_plugin_installs(api, plugin):
    broken = plugin.write(THROWS["nodejs"])
    with pytest.raises(Refused):
        api.post("/admin/plugins/install", {"source": "upload", "package": broken.package, "activate": True})

    (broken.folder / "index.js").write_text("module.exports = { onLoad() {} };")
    plugin.install_written(broken)

    assert api.plugin(broken.slug)["status"] == "active"


def test_a_dependency_that_nobody_has_is_named_and_nothing_is_begun(api, account, plugin):
    needy = plugin.write(
        "module.exports = {};", dependencies=[{"slug": "no-such-plugin", "version_constraint": "^1.0.0", "is_optional": False}]
    )

    with pytest.raises(Refused) as refused:
        api.post("/admin/plugins/install", {"source": "upload", "package": needy.package, "activate": True})

    assert refused.value.status == 422
    assert "no-such-plugin" in str(refused.value)
    assert account.all_of(needy.slug) == {}
