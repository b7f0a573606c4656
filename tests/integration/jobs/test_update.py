"""Another version takes a plugin's place, whole; or the one before it stays, as it was."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest

from chalicelib import accounts, jobs, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.core.errors import OperationInProgress, ValidationError
from chalicelib.jobs import artifacts
from chalicelib.jobs.update import UPDATE
from chalicelib.marketplace import ListingNotFound, MarketplaceUnavailable
from chalicelib.marketplace import repository as marketplace
from tests.event_history import history
from tests.integration.jobs.conftest import NOTES, RENAMED, migrations, package
from tests.integration.jobs.test_faults import BEFORE, KILLED, Fault

ADMIN = Caller("user", "ann", "Ann", "admin", None)
TASKS = {"scheduled_tasks": [{"name": "tidy", "schedule": "rate(1 day)"}]}
OLD = {
    "files": {"assets/old.svg": "<svg/>", "assets/both.txt": "old"} | migrations(NOTES),
    "permissions": ["storage"],
    "contributes": TASKS,
}
NEW = {
    "files": {"assets/new.svg": "<svg/>", "assets/both.txt": "new"} | migrations(NOTES, RENAMED),
    "permissions": ["storage", "email"],
    "contributes": TASKS,
}


@pytest.fixture
def ledger(platform, repository):
    """1.0.0 is installed and active, and remembers something; 2.0.0 is in the marketplace."""
    repository.publish(package("ledger", **OLD))
    marketplace.forget()
    assert platform.install("ledger").status == jobs.SUCCEEDED
    runtime.storage.put("ledger", "balance", 42)
    repository.publish(package("ledger", "2.0.0", **NEW))
    marketplace.forget()
    return platform


def published_files(platform):
    listed = platform.aws.client("s3").list_objects_v2(Bucket=platform.bucket, Prefix="assets/ledger/").get("Contents", [])
    return {one["Key"].removeprefix("assets/ledger/") for one in listed}


def code_of(platform):
    """The version that the function runs."""
    location = platform.aws.client("lambda").get_function(FunctionName="test-plugin-ledger")["Code"]
    content = platform.aws.client("s3").get_object(Bucket=platform.bucket, Key=f"code/ledger/{plugins.get('ledger').version}.zip")
    assert location
    return json.loads(zipfile.ZipFile(io.BytesIO(content["Body"].read())).read("manifest.json"))["version"]


def seen(platform):
    """What would tell one state of the platform from another, without what grows by itself: the log, and the way back of another job."""
    left = platform.left_over()
    mappings = platform.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    objects = [key for key in left.pop("objects", []) if not key.startswith("backups/")]
    plugin = plugins.get("ledger")
    active = runtime.active.find("ledger")
    return {
        **{kind: left.get(kind) for kind in ("functions", "mappings", "queues", "roles", "schedules", "rows", "locks", "installed")},
        "tokens": len(left.get("tokens", [])),
        "objects": objects,
        "enabled": [one["State"] for one in mappings],
        "plugin": (plugin.version, plugin.status, plugin.error, plugin.manifest.raw, plugin.package_sha256),
        "active": active and (active.registered, active.is_held),
        "stored": dict(runtime.storage.everything("ledger")),
        "items": list(runtime.tables.everything("ledger", "notes")),
        "migrations": [one.title for one in runtime.migrations.applied("ledger")],
        "files": published_files(platform),
        "code": code_of(platform),
    }


def test_the_newest_release_takes_the_place_of_the_old_one(ledger):
    job = ledger.update("ledger")

    plugin = plugins.get("ledger")
    assert job.status == jobs.SUCCEEDED, job.error
    assert job.made["result"] == {
        "slug": "ledger",
        "previous_version": "1.0.0",
        "current_version": "2.0.0",
        "notes": [],
        "migrations_run": 1,
        "backup_path": job.made["result"]["backup_path"],
        "dependencies_installed": [],
        "status": "active",
    }
    assert job.made["result"]["backup_path"].startswith("/backups/plugins/ledger-1.0.0")
    assert (plugin.version, plugin.status) == ("2.0.0", "active")
    assert runtime.storage.get("ledger", "balance") == 42
    assert history("plugin#ledger")[0].data["previous_version"] == "1.0.0"
    assert runtime.active.find("ledger").is_held is False


def test_its_tables_are_taken_forward_and_back_again_with_an_older_version(ledger):
    before = list(runtime.tables.everything("ledger", "notes"))
    ledger.update("ledger")
    assert [json.loads(item) for item in runtime.tables.everything("ledger", "notes")] == [{"id": "first", "sort": "welcome"}]

    job = ledger.update("ledger", version="1.0.0")

    assert (job.status, job.made["result"]["migrations_run"]) == (jobs.SUCCEEDED, 1)
    assert list(runtime.tables.everything("ledger", "notes")) == before
    assert len(runtime.migrations.applied("ledger")) == 1


def test_a_version_whose_migration_changed_or_that_the_data_is_too_new_for_is_refused_and_nothing_changes(ledger, repository):
    once = json.dumps({"up": [{"op": "set_default", "table": "notes", "attribute": "seen", "value": False}], "irreversible": True})
    repository.publish(package("ledger", "3.0.0", files=migrations(NOTES, RENAMED) | {"migrations/0003_once.json": once}))
    repository.publish(package("ledger", "3.1.0", files=migrations(NOTES[:1], RENAMED) | {"migrations/0003_once.json": once}))
    marketplace.forget()
    assert ledger.update("ledger", version="3.0.0").made["result"]["migrations_run"] == 2
    before = seen(ledger)

    too_old = ledger.update("ledger", version="2.0.0")

    assert (too_old.status, too_old.error["code"], too_old.error["step"]) == (jobs.FAILED, "MIGRATION_FAILED", "migrations")
    assert "0003_once was applied, and cannot be undone" in too_old.error["message"]
    assert "0001_step was applied with another content" in ledger.update("ledger", version="3.1.0").error["message"]
    assert seen(ledger) == before


def test_its_files_are_replaced_whole_and_never_merged(ledger):
    ledger.update("ledger", backup=False)

    assert published_files(ledger) == {"icon.svg", "new.svg", "both.txt"}
    keys = ledger.left_over()["objects"]
    assert [key for key in keys if key.startswith(("packages/", "code/"))] == ["code/ledger/2.0.0.zip", "packages/ledger/2.0.0.zip"]


def test_its_token_has_the_new_scopes_and_the_old_token_is_dead(ledger):
    variables = ledger.aws.client("lambda").get_function_configuration
    before = variables(FunctionName="test-plugin-ledger")["Environment"]["Variables"]["STREAMSPACE_TOKEN"]

    ledger.update("ledger")

    after = variables(FunctionName="test-plugin-ledger")["Environment"]["Variables"]["STREAMSPACE_TOKEN"]
    assert accounts.caller_of(after).scopes == {"storage", "email"}
    with pytest.raises(Exception, match=r"(?i)token|sign in"):
        accounts.caller_of(before)


def test_while_it_is_updated_its_events_wait_and_its_commands_are_refused(ledger):
    ledger.loads["ledger"] = {"ok": True, "registered": {"hooks": ["session.created"], "commands": [{"name": "total"}]}}
    assert ledger.update("ledger").status == jobs.SUCCEEDED

    plugins.hold("ledger")

    with pytest.raises(OperationInProgress, match="being updated"):
        runtime.commands.execute("total", {}, by=ADMIN)
    (subscriber,) = runtime.active.subscribers()
    assert subscriber.types == {"session.created"}
    (mapping,) = ledger.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["State"] == "Disabled"


def test_a_version_that_does_not_load_leaves_everything_as_it_was_data_included(ledger):
    before = seen(ledger)

    def load(event):
        if event["kind"] == "load" and plugins.get("ledger").version == "1.0.0" and not restored:
            runtime.storage.put("ledger", "balance", "ruined")
            runtime.storage.put("ledger", "more", 1)
            restored.append(1)
            return {"ok": False, "error": {"message": "there is no bank"}}
        return ledger._plugin(event)

    restored: list[int] = []
    ledger.functions.answer("test-plugin-ledger", load)

    job = ledger.update("ledger", backup=False)

    assert job.status == jobs.FAILED
    assert job.left == []
    assert job.error["step"] == "starting"
    assert "there is no bank" in job.error["message"]
    assert seen(ledger) == before


@pytest.mark.parametrize("how", [BEFORE, KILLED])
@pytest.mark.parametrize("step", UPDATE.steps)
def test_an_update_broken_at_any_step_leaves_everything_as_it_was_and_can_be_done_again(ledger, functions, step, how):
    before = seen(ledger)
    fault = Fault(ledger, functions, "act", step, how)

    job = ledger.update("ledger", backup=False)

    assert fault.struck
    assert job.status == jobs.FAILED
    assert job.left == []
    assert seen(ledger) == before
    functions.answer("test-job-step", lambda event: jobs.run_step(event) or {})
    assert ledger.update("ledger").status == jobs.SUCCEEDED


def test_every_step_of_an_update_may_run_twice(ledger, functions):
    def twice(event):
        jobs.run_step(event)
        if event["action"] == "act":
            jobs.run_step(event)
        return {}

    functions.answer("test-job-step", twice)

    job = ledger.update("ledger")

    assert job.status == jobs.SUCCEEDED, job.error
    assert plugins.get("ledger").version == "2.0.0"
    assert runtime.storage.get("ledger", "balance") == 42


def test_every_step_of_the_way_back_may_run_twice(ledger, functions):
    before = seen(ledger)
    ledger.loads["ledger"] = {"ok": False, "error": {"message": "no"}}
    undone = []

    def twice(event):
        if event["action"] == "undo":
            ledger.loads.pop("ledger", None)
            undone.append(event["step"])
            # The journal's entry goes with the first run, as it does not when a worker dies before it strikes it.
            UPDATE[event["step"]].undo(jobs.get(event["job_id"]))
        jobs.run_step(event)
        return {}

    functions.answer("test-job-step", twice)

    job = ledger.update("ledger", backup=False)

    assert (job.status, job.left) == (jobs.FAILED, [])
    assert undone == [name for name, step in reversed(UPDATE.steps.items()) if step.undo]
    assert seen(ledger) == before


@pytest.mark.parametrize("fault", ["lost", "damaged"])
def test_a_package_that_was_lost_or_damaged_keeps_no_other_version_out(ledger, fault):
    key = artifacts.package_key("ledger", "1.0.0")
    artifacts.delete(key) if fault == "lost" else artifacts.put(key, b"not a package any more")

    job = ledger.update("ledger")

    assert job.status == "succeeded", job.error
    assert (plugins.get("ledger").version, plugins.get("ledger").status) == ("2.0.0", "active")


def test_one_that_is_switched_off_is_updated_and_stays_off(ledger):
    plugins.deactivate("ledger", by=ADMIN)

    assert ledger.update("ledger").status == jobs.SUCCEEDED

    assert (plugins.get("ledger").version, plugins.get("ledger").status) == ("2.0.0", "inactive")
    assert runtime.active.find("ledger") is None
    plugins.activate("ledger", by=ADMIN)


def test_an_update_mends_a_plugin_that_does_not_load(ledger):
    plugins.deactivate("ledger", by=ADMIN)
    ledger.loads["ledger"] = {"ok": False, "error": {"message": "broken"}}
    with pytest.raises(runtime.errors.PluginFailedToLoad):
        plugins.activate("ledger", by=ADMIN)
    assert plugins.get("ledger").status == "error"
    failed = ledger.update("ledger", backup=False)
    assert failed.status == jobs.FAILED
    assert (plugins.get("ledger").version, plugins.get("ledger").status) == ("1.0.0", "error")
    assert "broken" in plugins.get("ledger").error

    del ledger.loads["ledger"]
    assert ledger.update("ledger").status == jobs.SUCCEEDED

    assert (plugins.get("ledger").version, plugins.get("ledger").status, plugins.get("ledger").error) == ("2.0.0", "active", None)


def test_one_can_go_back_to_an_older_version_and_forward_again(ledger):
    assert ledger.update("ledger").status == jobs.SUCCEEDED

    assert ledger.update("ledger", version="1.0.0").status == jobs.SUCCEEDED
    assert plugins.get("ledger").version == "1.0.0"
    assert published_files(ledger) == {"icon.svg", "old.svg", "both.txt"}
    assert ledger.update("ledger", version="2.0.0").status == jobs.SUCCEEDED
    assert plugins.get("ledger").version == "2.0.0"


def test_what_is_installed_already_or_is_not_there_is_refused_before_anything_is_made(ledger):
    with pytest.raises(plugins.PluginUpToDate):
        jobs.start_update("ledger", {"version": "1.0.0"}, actor=ADMIN.actor)
    with pytest.raises(ListingNotFound):
        jobs.start_update("ledger", {"version": "9.9.9"}, actor=ADMIN.actor)
    with pytest.raises(plugins.PluginNotFound):
        jobs.start_update("nobody", {}, actor=ADMIN.actor)
    ledger.update("ledger")
    with pytest.raises(plugins.PluginUpToDate):
        jobs.start_update("ledger", {}, actor=ADMIN.actor)


def test_a_release_for_a_newer_platform_is_refused_with_both_versions(ledger, repository):
    repository.publish(package("ledger", "3.0.0", requirements={"system_version": ">=9.0.0"}))
    marketplace.forget()

    with pytest.raises(plugins.IncompatibleRelease, match=r"9\.0\.0.*1\.0\.0|1\.0\.0.*9\.0\.0"):
        jobs.start_update("ledger", {"version": "3.0.0"}, actor=ADMIN.actor)
    assert ledger.update("ledger").made["result"]["current_version"] == "2.0.0"


def test_an_update_that_a_dependent_cannot_live_with_is_refused_and_says_who(ledger, repository):
    repository.publish(package("shop", dependencies=[{"slug": "ledger", "version_constraint": "^1.0.0"}]))
    marketplace.forget()
    assert ledger.install("shop").status == jobs.SUCCEEDED

    with pytest.raises(plugins.DependencyConflict, match="shop"):
        jobs.start_update("ledger", {}, actor=ADMIN.actor)


def test_what_the_new_version_needs_comes_with_it_and_goes_when_it_fails(ledger, repository):
    repository.publish(package("base"))
    repository.publish(package("ledger", "3.0.0", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}], **NEW))
    marketplace.forget()
    before = seen(ledger)
    ledger.functions.answer("test-plugin-ledger", lambda event: _fails_once(event, ledger, fails))
    fails = [1]
    assert ledger.update("ledger", backup=False).status == jobs.FAILED
    assert seen(ledger) == before

    done = ledger.update("ledger")

    assert done.made["result"]["dependencies_installed"] == ["base"]
    assert plugins.get("base").is_active


def _fails_once(event, platform, fails):
    if event["kind"] == "load" and fails:
        fails.pop()
        return {"ok": False, "error": {"message": "not today"}}
    return platform._plugin(event)


def test_an_uploaded_package_takes_its_place_too_but_not_that_of_another(ledger):
    fresh = base64.b64encode(package("ledger", "1.0.0+dev.2", **NEW)).decode()
    other = base64.b64encode(package("other", "2.0.0")).decode()
    same = base64.b64encode(package("ledger", "1.0.0", **NEW)).decode()

    assert ledger.update("ledger", package=fresh).status == jobs.SUCCEEDED

    assert plugins.get("ledger").version == "1.0.0+dev.2"
    assert not [key for key in ledger.left_over()["objects"] if key.startswith("uploads/")]
    with pytest.raises(ValidationError):
        jobs.start_update("ledger", {"package": other}, actor=ADMIN.actor)
    with pytest.raises(plugins.PluginUpToDate):
        jobs.start_update("ledger", {"package": base64.b64encode(package("ledger", "1.0.0+dev.2")).decode()}, actor=ADMIN.actor)
    assert same


def test_two_updates_at_once_are_one(ledger):
    with plugins.locks.held("ledger", "activate"), pytest.raises(plugins.PluginBusy):
        jobs.start_update("ledger", {}, actor=ADMIN.actor)


# ── Looking for updates ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_check_says_what_is_new_and_what_it_asks_for(ledger):
    (found,) = plugins.updates.check().found

    assert (found.slug, found.current_version, found.latest_version) == ("ledger", "1.0.0", "2.0.0")
    assert (found.is_breaking_change, found.is_security_update, found.reasons.more_scopes) == (True, False, ("email",))
    kept = plugins.get("ledger")
    assert (kept.latest_version, kept.update_found["is_listed"], kept.update_found["reasons"]) == (
        "2.0.0",
        True,
        {"more_scopes": ["email"]},
    )


def test_a_hole_that_a_release_in_between_mended_makes_the_newest_a_security_update(ledger, repository):
    repository.publish(package("ledger", "2.1.0"))
    for release in repository.plugins["ledger"]["releases"]:
        release["is_security_update"] = release["version"] == "2.0.0"
    repository.sign()

    (found,) = plugins.updates.check().found

    assert (found.latest_version, found.is_security_update) == ("2.1.0", True)


def test_administrators_are_told_of_each_release_once(ledger, repository):
    from chalicelib import messaging

    plugins.updates.check()
    plugins.updates.check()
    assert [one.title for one in messaging.inbox(ADMIN).notifications] == ["Plugin updates are available"]

    repository.publish(package("ledger", "2.0.1"))
    plugins.updates.check()

    assert len(messaging.inbox(ADMIN).notifications) == 2
    assert "2.0.1" in messaging.inbox(ADMIN).notifications[0].message


def test_after_the_update_there_is_nothing_new(ledger):
    plugins.updates.check()
    ledger.update("ledger")

    assert plugins.get("ledger").latest_version is None
    assert plugins.updates.check().found == []


def test_one_that_left_the_marketplace_is_shown_so_and_a_marketplace_that_is_away_changes_nothing(ledger, repository, monkeypatch):
    plugins.updates.check()
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_URL", "http://127.0.0.1:1")
    with pytest.raises(MarketplaceUnavailable):
        plugins.updates.check()
    assert plugins.get("ledger").latest_version == "2.0.0"
    monkeypatch.undo()


def test_one_that_left_the_marketplace_is_shown_so(ledger, repository):
    plugins.updates.check()
    del repository.plugins["ledger"]
    repository.sign()

    checked = plugins.updates.check()

    assert (checked.found, checked.unlisted) == ([], ["ledger"])
    assert plugins.get("ledger").update_found == {"is_listed": False}
    assert plugins.get("ledger").latest_version is None
