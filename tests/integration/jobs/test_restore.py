"""A backup brings back what it holds; a restoration that fails leaves everything as it was."""

from __future__ import annotations

import pytest

from chalicelib import jobs, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.events import Actor
from chalicelib.jobs.restore import RESTORE
from chalicelib.marketplace import repository as marketplace
from tests.integration.jobs.conftest import NOTES, RENAMED, migrations, package
from tests.integration.jobs.test_faults import AFTER, BEFORE, KILLED, Fault, everything_kept

ADMIN = Caller("user", "ann", "Ann", "admin", None)
FIELDS = {"tabs": [{"key": "t", "label": "T"}], "fields": [{"key": "secret", "type": "password", "label": "Secret", "tab": "t"}]}
LARGE = "x" * 500_000


@pytest.fixture
def ledger(platform, repository):
    """1.0.0, active, with settings, values small and large, and items; and how to put it into another state."""
    repository.publish(package("base"))
    repository.publish(
        package(
            "ledger",
            permissions=["storage"],
            settings=FIELDS,
            dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}],
            files=migrations(NOTES, RENAMED),
        )
    )
    marketplace.forget()
    assert platform.install("ledger").status == jobs.SUCCEEDED
    plugins.change_settings("ledger", {"secret": "s3cret"}, by=ADMIN)
    runtime.storage.put("ledger", "balance", 42)
    runtime.storage.put("ledger", "scan", [LARGE, "é\n"])
    runtime.tables.put("ledger", "notes", {"id": "mine", "sort": "own"})
    return platform


def restore(slug, backup_path):
    job = jobs.start_restore(slug, backup_path, actor=Actor("ann", "Ann"))
    return jobs.wait_for_end(job.id, patience_s=60)


def state():
    return everything_kept("ledger"), plugins.stored_settings("ledger")


def test_a_plugin_that_was_removed_comes_back_with_its_settings_and_all_of_its_data(ledger):
    before = state()
    path = ledger.uninstall("ledger").made["result"]["backup_path"]
    ledger.uninstall("base", backup=False)
    assert runtime.holdings.of("ledger").bytes == 0

    job = restore("ledger", path)

    assert job.status == jobs.SUCCEEDED, job.error
    assert state() == before
    assert runtime.storage.get("ledger", "scan") == [LARGE, "é\n"]
    assert runtime.tables.query("ledger", "notes", {})[0] == [{"id": "first", "sort": "welcome"}, {"id": "mine", "sort": "own"}]
    assert plugins.current_settings("ledger")[0]["secret"] == "s3cret"
    assert {one.slug: one.status for one in plugins.all_installed()} == {"base": "active", "ledger": "active"}


def test_an_uninstallation_says_which_tables_went_and_keeps_them_where_asked(ledger):
    assert ledger.uninstall("ledger", keep_data=True).made["result"]["tables_dropped"] == []
    assert ledger.install("ledger").made["result"]["installation"]["migrations_run"] == 0
    assert ledger.uninstall("ledger").made["result"]["tables_dropped"] == ["notes"]


def test_an_installed_plugin_gets_the_settings_and_data_of_the_backup_in_the_place_of_its_own(ledger):
    before = state()
    path = ledger.uninstall("ledger", keep_data=True).made["result"]["backup_path"]
    ledger.install("ledger")
    change()
    events = ledger.loads.setdefault("ledger", {"ok": True, "registered": {"hooks": [], "commands": []}})

    job = restore("ledger", path)

    assert job.made["result"] == {"slug": "ledger", "version": "1.0.0", "restored_from": path, "status": "active"}
    assert state() == before
    assert events
    assert runtime.active.find("ledger").is_held is False
    assert [key for key in ledger.left_over()["objects"] if "passing" in key] == []


def change():
    plugins.change_settings("ledger", {"secret": "another"}, by=ADMIN)
    runtime.storage.put("ledger", "balance", 1)
    runtime.storage.put("ledger", "scan", [LARGE, "other"])
    runtime.tables.delete("ledger", "notes", "mine")


@pytest.mark.parametrize("how", [BEFORE, AFTER, KILLED])
@pytest.mark.parametrize("step", RESTORE.steps)
def test_a_restoration_broken_at_any_step_leaves_everything_as_it_was(ledger, functions, step, how):
    path = ledger.uninstall("ledger", keep_data=True).made["result"]["backup_path"]
    ledger.install("ledger")
    change()
    before = state()
    fault = Fault(ledger, functions, "act", step, how)

    job = restore("ledger", path)

    assert fault.struck
    assert (job.status, job.left) == (jobs.FAILED, [])
    assert state() == before
    assert (plugins.get("ledger").status, runtime.active.find("ledger").is_held) == ("active", False)
    assert [key for key in ledger.left_over()["objects"] if "passing" in key] == []
    assert "locks" not in ledger.left_over()


def test_backups_are_listed_newest_first_and_only_the_plugins_own(ledger, repository):
    repository.publish(package("ledger-2", "10.0.0"))
    marketplace.forget()
    ledger.install("ledger-2")
    ledger.uninstall("ledger-2")
    first = ledger.uninstall("ledger", keep_data=True).made["result"]["backup_path"]
    with clock.travel(60):
        ledger.install("ledger")
        second = ledger.uninstall("ledger").made["result"]["backup_path"]

    found = jobs.backups_of("ledger")

    assert {f"/{one.key}" for one in found} == {first, second}
    assert {(one.version, one.size_bytes > 100) for one in found} == {("1.0.0", True)}


@pytest.mark.parametrize(
    "path", ["/backups/plugins/ledger-1.0.0-2026-01-02T030405Z.zip", "/packages/ledger/1.0.0.zip", "../x", "/backups/plugins/"]
)
def test_what_is_no_backup_of_the_plugin_is_refused(ledger, path):
    with pytest.raises(NotFound) as refused:
        jobs.start_restore("ledger", path, actor=Actor("ann", "Ann"))

    assert refused.value.code == "BACKUP_NOT_FOUND"


def test_a_backup_of_another_version_is_refused_and_says_what_to_do(ledger, repository):
    path = ledger.uninstall("ledger", keep_data=True).made["result"]["backup_path"]
    repository.publish(package("ledger", "2.0.0", permissions=["storage"], settings=FIELDS, files=migrations(NOTES, RENAMED)))
    marketplace.forget()
    ledger.install("ledger")

    with pytest.raises(Conflict, match=r"update 'ledger' to 1\.0\.0 first") as refused:
        jobs.start_restore("ledger", path, actor=Actor("ann", "Ann"))

    assert refused.value.code == "BACKUP_OF_ANOTHER_VERSION"
