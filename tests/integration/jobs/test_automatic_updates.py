"""Updates by themselves: one job and one word for each release, whoever looks and wherever it is killed; nothing that a person must see."""

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib import jobs, messaging, plugins
from chalicelib.core import clock
from chalicelib.marketplace import MarketplaceUnavailable
from chalicelib.plugins import DefaultPolicy, PluginDenied, PluginLists, PluginPinned, PluginUpToDate, UpdatePolicy
from chalicelib.workers import updates as worker
from tests.event_history import history
from tests.integration.jobs.conftest import ADMIN, package, public_key
from tests.integration.jobs.test_faults import refused

AUTHOR, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture
def mailer(platform, repository):
    """Installed and active in 1.0.0, with security updates allowed; 1.0.1 is one, released long ago."""
    repository.publish(package("mailer", "1.0.0"), publisher=AUTHOR)
    assert platform.install("mailer").status == jobs.SUCCEEDED
    decide(UpdatePolicy(automatic="security"))
    repository.publish(package("mailer", "1.0.1"), publisher=AUTHOR, is_security_update=True)
    return platform


def look():
    """The scheduled check, and the end of what it began."""
    done = worker.handle({})
    for known in plugins.policies.current().known.values():
        if known.tried_job:
            jobs.wait_for_end(known.tried_job, patience_s=60)
    return done


def decide(policy):
    plugins.policies.change("mailer", policy, by=ADMIN.actor)


def told():
    return [one.title for one in reversed(messaging.inbox(ADMIN, limit=100).notifications)]


def version():
    return plugins.get("mailer").version


def test_a_security_update_installs_by_itself_where_that_is_allowed_and_administrators_are_told_of_both(mailer):
    assert look() == {"updates_available": 1, "begun": 1, "told": 0}

    assert version() == "1.0.1"
    assert plugins.get("mailer").publisher == public_key(AUTHOR)
    assert look() == {"updates_available": 0, "begun": 0, "told": 1}
    assert look()["told"] == 0
    assert told() == ["Plugin updates are available", "mailer was updated by itself"]


def test_where_nothing_is_allowed_nothing_installs(mailer):
    decide(UpdatePolicy())

    assert look()["begun"] == 0

    assert version() == "1.0.0"


def test_the_platforms_policy_holds_for_plugins_that_say_nothing(mailer, repository):
    decide(UpdatePolicy())
    plugins.policies.change_default(DefaultPolicy("all", wait_hours=0), by=ADMIN.actor)

    assert look()["begun"] == 1


def test_a_fresh_release_waits_its_time(mailer, repository):
    repository.publish(package("mailer", "1.0.2"), publisher=AUTHOR, is_security_update=True, released_at=clock.rfc3339(clock.now()))
    decide(UpdatePolicy(automatic="security", skipped_versions=("1.0.1",), wait_hours=48))

    with clock.travel(47 * 3600):
        assert look()["begun"] == 0
    with clock.travel(49 * 3600):
        assert look()["begun"] == 1
    assert version() == "1.0.2"


def test_two_looks_at_once_begin_one_job_and_tell_once(mailer):
    checked = plugins.updates.check()
    again = plugins.updates.check()

    first, second = jobs.install_due(checked.due), jobs.install_due(again.due)

    assert (len(first), second) == (1, [])
    assert told() == ["Plugin updates are available"]


@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems", "StartExecution"])
def test_a_look_that_is_killed_half_way_is_made_again_without_a_second_job_or_word(mailer, operation):
    with refused(mailer, operation, ""):
        with contextlib.suppress(Exception):
            worker.handle({})

    look()
    with clock.travel(60):
        jobs.recover_abandoned()
    look()

    assert told().count("Plugin updates are available") == 1
    updates = [one for one in mailer._rows("JobsTable") if one["sk"]["S"] == "RECORD" and '"update"' in one["body"]["S"]]
    assert len(updates) == 1


def fails_to_load_once(platform):
    """The new version does not load, and the old one does when it is back."""
    answers = iter([{"ok": False, "error": {"message": "API key is required"}}])
    well = {"ok": True, "registered": {"hooks": [], "commands": []}}
    platform.functions.answer("test-plugin-mailer", lambda event: next(answers, well) if event["kind"] == "load" else {"ok": True})


def test_an_update_that_fails_is_told_and_not_tried_again_by_itself(mailer):
    fails_to_load_once(mailer)

    look()
    assert look() == {"updates_available": 1, "begun": 0, "told": 1}

    assert version() == "1.0.0"
    assert plugins.get("mailer").is_active
    assert "API key is required" in messaging.inbox(ADMIN).notifications[0].message
    assert "1.0.0 runs as before" in messaging.inbox(ADMIN).notifications[0].message
    assert told()[-1] == "mailer could not be updated by itself"


@pytest.mark.parametrize(
    ("release", "more", "reason"),
    [
        ({"publisher": STRANGER}, {}, "other_publisher"),
        ({"publisher": None}, {}, "other_publisher"),
        ({"publisher": AUTHOR}, {"permissions": ["admin"]}, "more_scopes"),
        ({"publisher": AUTHOR}, {"dependencies": [{"slug": "shady", "version_constraint": "*"}]}, "new_dependencies"),
        ({"publisher": AUTHOR}, {"dependencies": {"left-pad": "^1.0.0"}}, "new_dependencies"),
    ],
    ids=["another publisher", "nobody's", "more scopes", "another plugin", "another library"],
)
def test_what_a_person_must_see_first_says_so_and_never_installs_by_itself(mailer, repository, release, more, reason):
    vendored = {"node_modules/left-pad/package.json": "{}"} if isinstance(more.get("dependencies"), dict) else {}
    repository.publish(package("shady"))
    repository.publish(package("mailer", "1.0.2", files=vendored, **more), is_security_update=True, **release)
    decide(UpdatePolicy(automatic="all", skipped_versions=("1.0.1",), wait_hours=0))

    assert look()["begun"] == 0

    (found,) = plugins.updates.check().found
    assert list(found.reasons.as_json()) == [reason]
    assert version() == "1.0.0"
    assert "look at it first" in messaging.inbox(ADMIN).notifications[0].message


def test_a_package_that_asks_for_more_than_the_index_says_is_refused_before_anything_is_changed(mailer, repository):
    archive = package("mailer", "1.0.2", permissions=["admin"])
    repository.publish(archive, publisher=AUTHOR, is_security_update=True, scopes=[])
    decide(UpdatePolicy(automatic="security", wait_hours=0))
    before = mailer.left_over()

    assert look()["begun"] == 1

    job = jobs.get(plugins.policies.current().known["mailer"].tried_job)
    assert (job.status, job.error["code"], job.error["step"]) == (jobs.FAILED, "UPDATE_NEEDS_APPROVAL", "extracting")
    assert job.error["details"]["reasons"] == {"more_scopes": ["admin"]}
    assert mailer.left_over() == before


def test_a_person_may_install_what_does_not_install_by_itself(mailer, repository):
    repository.publish(package("mailer", "1.0.2", permissions=["storage"]), publisher=STRANGER)

    assert mailer.update("mailer").status == jobs.SUCCEEDED

    assert (version(), plugins.get("mailer").publisher) == ("1.0.2", public_key(STRANGER))


def test_a_release_whose_publisher_changed_since_it_was_asked_for_is_refused(mailer, repository):
    plan = jobs.update.plan_from_marketplace("mailer", "1.0.1", backup=False)
    statement = package("mailer", "1.0.1")
    repository.plugins["mailer"]["releases"].pop(0)
    repository.publish(statement, publisher=STRANGER)

    job = jobs.wait_for_end(jobs.service.start("update", "mailer", plan, ADMIN.actor).id, patience_s=60)

    assert (job.status, job.error["code"]) == (jobs.FAILED, "SIGNATURE_INVALID")
    assert version() == "1.0.0"


def test_an_update_that_is_rolled_back_leaves_the_publisher_as_it_was(mailer, repository):
    repository.publish(package("mailer", "1.1.0"), publisher=STRANGER)
    fails_to_load_once(mailer)

    assert mailer.update("mailer", version="1.1.0").status == jobs.FAILED

    assert plugins.get("mailer").publisher == public_key(AUTHOR)


# ── Pins and skips ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pinned_plugin_stays_where_it_is_whoever_updates_it(mailer):
    decide(UpdatePolicy(pinned_version="1.0.0", automatic="all"))

    for wanted in ({}, {"version": "1.0.1"}):
        with pytest.raises(PluginPinned):
            jobs.start_update("mailer", wanted, actor=ADMIN.actor)

    assert look()["begun"] == 0
    assert told() == ["Plugin updates are available"]
    assert "held back by its pin" in messaging.inbox(ADMIN).notifications[0].message


def test_an_update_goes_to_the_pinned_version_and_past_the_skipped_ones(mailer, repository):
    for newer in ("1.1.0", "1.2.0"):
        repository.publish(package("mailer", newer), publisher=AUTHOR)
    decide(UpdatePolicy(pinned_version="1.0.1"))
    assert mailer.update("mailer").request["version"] == "1.0.1"

    decide(UpdatePolicy(skipped_versions=("1.2.0",)))
    assert mailer.update("mailer").request["version"] == "1.1.0"
    with pytest.raises(PluginUpToDate):
        jobs.start_update("mailer", {}, actor=ADMIN.actor)
    assert mailer.update("mailer", version="1.2.0").status == jobs.SUCCEEDED


def test_a_skipped_release_is_not_told_of(mailer):
    decide(UpdatePolicy(skipped_versions=("1.0.1",)))

    plugins.updates.check()

    assert told() == []


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_denied_is_neither_installed_nor_updated_nor_activated_and_goes_on_where_it_is(mailer, repository):
    repository.publish(package("other"), publisher=AUTHOR)
    repository.publish(package("needy", dependencies=[{"slug": "other", "version_constraint": "*"}]), publisher=STRANGER)

    denied, _ = plugins.policies.change_lists(PluginLists.of({"deny": {"publishers": [public_key(AUTHOR)]}}), by=ADMIN.actor)

    assert [one.slug for one in denied] == ["mailer"]
    assert plugins.get("mailer").is_active
    for slug in ("other", "needy"):
        with pytest.raises(PluginDenied):
            jobs.start_install({"source": "marketplace", "slug": slug}, actor=ADMIN.actor)
    with pytest.raises(PluginDenied):
        jobs.start_update("mailer", {}, actor=ADMIN.actor)
    assert look()["begun"] == 0
    plugins.deactivate("mailer", by=ADMIN)
    with pytest.raises(PluginDenied):
        plugins.activate("mailer", by=ADMIN)


def test_administrators_are_told_once_of_what_is_installed_and_denied(mailer):
    lists = PluginLists.of({"deny": {"plugins": ["mailer", "absent"]}})

    plugins.policies.change_lists(lists, by=ADMIN.actor)
    plugins.policies.change_lists(lists, by=ADMIN.actor)

    assert told() == ["Installed plugins are denied now"]


# ── Leaving the marketplace, and a marketplace that is away ──────────────────────────────────────────────────────────────────────


def test_administrators_are_told_once_that_a_plugin_left_the_marketplace(mailer, repository):
    plugins.updates.check()
    left = repository.plugins.pop("mailer")
    repository.sign()

    assert [plugins.updates.check().unlisted, plugins.updates.check().unlisted] == [["mailer"]] * 2
    assert told().count("Installed plugins have left the marketplace") == 1

    repository.plugins["mailer"] = left
    repository.sign()
    assert plugins.updates.check().unlisted == []


def test_while_the_marketplace_is_away_the_check_says_so_and_what_was_known_stays(mailer, monkeypatch):
    decide(UpdatePolicy())
    look()
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_URL", "http://127.0.0.1:1")

    assert worker.handle({})["updates_available"] is None
    with pytest.raises(MarketplaceUnavailable):
        plugins.updates.check()

    last = plugins.policies.current().last_check
    assert last["error"].startswith("Cannot connect to marketplace")
    assert last["succeeded_at"] < last["checked_at"]
    assert plugins.get("mailer").latest_version == "1.0.1"


def test_a_plugins_log_says_who_changed_its_policy_and_what(mailer):
    decide(UpdatePolicy(automatic="all"))
    decide(UpdatePolicy(automatic="all"))

    first, second = (one for one in history("plugin#mailer") if one.type == "plugin.update_policy_changed")
    assert (first.data["changed"], second.data["changed"]) == ({"automatic": "all"}, {"automatic": "security"})
    assert first.actor["id"] == ADMIN.id


def test_uninstalling_forgets_the_policy_unless_the_data_is_kept(mailer):
    mailer.uninstall("mailer", keep_data=True, backup=False)
    assert plugins.policies.of("mailer").automatic == "security"

    mailer.install("mailer", version="1.0.0")
    mailer.uninstall("mailer", backup=False)
    assert plugins.policies.of("mailer") == UpdatePolicy()
