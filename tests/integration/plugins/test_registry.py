"""The installed plugins: one of each slug, changed by one writer at a time, with every change told."""

import pytest

from chalicelib.core import clock
from chalicelib.core.errors import ConcurrentChange
from chalicelib.events import unit_of_work
from chalicelib.plugins import InstalledPlugin, PluginAlreadyInstalled, PluginIsCore, PluginNotActive, PluginNotFound, manifest, registry
from chalicelib.plugins.errors import PluginAlreadyActive
from tests.event_history import history

pytestmark = pytest.mark.usefixtures("aws")


def test_what_was_added_is_found_as_it_was(install):
    installed = install("ledger", "1.2.0", status="inactive", displayName="Ledger", tags=["books"])

    found = registry.get("ledger")

    assert found == installed
    assert (found.name, found.version, found.status, found.manifest.tags) == ("Ledger", "1.2.0", "inactive", ("books",))


@pytest.mark.parametrize("slug", ["absent", "No Slug", "x" * 2000, "a/b", "ünïcode"])
def test_what_is_not_installed_is_not_found_whatever_it_is_called(slug):
    assert registry.find(slug) is None
    with pytest.raises(PluginNotFound):
        registry.get(slug)


def test_a_slug_can_be_installed_once(install):
    install("ledger")

    with pytest.raises(PluginAlreadyInstalled):
        install("ledger", "2.0.0")

    assert registry.get("ledger").version == "1.0.0"
    assert [one.type for one in history("plugin#ledger")] == ["plugin.activated", "plugin.installed"]


def test_a_change_from_an_outdated_reading_is_refused(install):
    outdated = install("ledger", status="inactive")
    for plugin in (outdated.activated(clock.now()),):
        with unit_of_work() as work:
            work.emit("plugin.activated", registry.save(work, plugin), {})

    with pytest.raises(ConcurrentChange), unit_of_work() as work:
        work.emit("plugin.failed", registry.save(work, outdated.failed("late", "failed_to_start", clock.now())), {})
    with pytest.raises(ConcurrentChange), unit_of_work() as work:
        registry.remove(work, outdated)

    assert registry.get("ledger").status == "active"


def test_all_are_listed_with_one_query(install, aws_calls):
    for slug in ("zeta", "alpha", "mid"):
        install(slug)
    aws_calls.clear()

    assert [one.slug for one in registry.all_installed()] == ["alpha", "mid", "zeta"]
    assert aws_calls == ["Query"]


def test_what_was_removed_is_gone_and_its_log_stays(install):
    plugin = install("ledger")

    with unit_of_work() as work:
        work.emit("plugin.uninstalled", registry.remove(work, plugin), {"plugin": plugin.summary()})

    assert registry.find("ledger") is None
    assert history("plugin#ledger")[0].type == "plugin.uninstalled"


def test_a_note_about_updates_reaches_the_plugin_and_makes_none_of_one_that_is_gone(install):
    install("ledger")

    registry.note_latest_version("ledger", "1.5.0")
    registry.note_latest_version("absent", "1.5.0")

    assert registry.get("ledger").latest_version == "1.5.0"
    assert [one.slug for one in registry.all_installed()] == ["ledger"]


def test_a_plugin_says_what_must_not_be_done_to_it():
    plugin = InstalledPlugin.fresh(manifest.parse({"name": "base", "version": "1.0.0", "is_core": True}), "0" * 64, clock.now())

    with pytest.raises(PluginNotActive):
        plugin.must_be_active()
    with pytest.raises(PluginAlreadyActive):
        plugin.activated(clock.now()).must_not_be_active()
    with pytest.raises(PluginIsCore):
        plugin.must_not_be_core()
