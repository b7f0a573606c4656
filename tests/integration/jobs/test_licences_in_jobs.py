"""Licences through installing, updating and removing: a seat is taken with the installation, and free again whenever it fails or ends."""

import json

import pytest

from chalicelib import jobs, plugins
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import ValidationError
from chalicelib.jobs.install import INSTALL
from chalicelib.jobs.uninstall import UNINSTALL
from chalicelib.jobs.update import UPDATE
from chalicelib.marketplace import repository as marketplace
from chalicelib.plugins import licenses
from tests.event_history import history
from tests.integration.jobs.conftest import package
from tests.integration.jobs.test_faults import AFTER, BEFORE, KILLED, Fault, refused
from tests.integration.licensing.conftest import office

__all__ = ["office"]

ADMIN = Caller("user", "admin", "Administrator", "admin", None)
NEEDS_PAID = [{"slug": "paid", "version_constraint": "*"}]
LATER_S = 3600


@pytest.fixture
def shop(platform, repository, office):
    """``paid`` needs a licence; ``top`` needs ``paid``; ``free`` needs neither."""
    repository.publish(package("paid", requires_license=True))
    repository.publish(package("top", dependencies=NEEDS_PAID))
    repository.publish(package("free"))
    marketplace.forget()
    return platform


def test_a_key_that_comes_along_is_activated_with_the_installation(shop, office):
    job = shop.install("paid", license_key=office.issue())

    assert job.status == jobs.SUCCEEDED, job.error
    assert job.made["result"]["plugin"]["status"] == "active"
    assert licenses.standing(plugins.get("paid")).status == "active"
    assert [one.type for one in history("plugin#paid", newest_first=False)] == [
        "plugin.installed", "plugin.license_activated", "plugin.activated"
    ]  # fmt: skip


def test_the_jobs_record_does_not_hold_the_key(shop, office):
    key = office.issue()

    job = shop.install("paid", license_key=key)

    assert key not in str(jobs.get(job.id))
    assert key not in str(shop.told(job))


def test_without_a_key_it_is_installed_and_stays_off_and_the_answer_says_why(shop, office):
    job = shop.install("paid")

    assert job.status == jobs.SUCCEEDED
    assert job.made["result"]["plugin"]["status"] == "inactive"
    assert "It needs a licence: activate one, then the plugin" in job.made["result"]["installation"]["notes"]
    assert office.asked == []


def test_a_key_for_what_needs_none_is_not_used_and_does_not_keep_it_from_being_installed(shop, office):
    job = shop.install("free", license_key="AAAA-BBBB-CCCC-DDDD")

    assert job.made["result"]["plugin"]["status"] == "active"
    assert any("was not used" in note for note in job.made["result"]["installation"]["notes"])
    assert office.asked == []


def test_what_is_no_key_is_refused_before_anything_is_made(shop):
    with pytest.raises(ValidationError) as refusal:
        shop.install("paid", license_key="my key")

    assert set(refusal.value.details) == {"license_key"}
    assert shop.left_over() == {}


@pytest.mark.parametrize("is_away", [False, True], ids=["refused", "away"])
def test_a_key_that_cannot_be_activated_fails_the_installation_which_leaves_nothing(shop, office, is_away):
    key = office.issue("other")
    if is_away:
        office.is_away()

    job = shop.install("paid", license_key=key)

    assert (job.status, job.error["step"]) == (jobs.FAILED, "licensing")
    assert job.error["code"] == ("LICENSE_SERVICE_UNAVAILABLE" if is_away else "LICENSE_INVALID")
    office.is_back()
    with clock.travel(LATER_S):
        licenses.check()
    assert (shop.left_over(), office.seats_used()) == ({}, 0)


def test_what_needs_an_unlicensed_plugin_is_not_installed_half(shop):
    job = shop.install("top")

    assert (job.status, job.error["code"]) == (jobs.FAILED, "LICENSE_INVALID")
    assert job.error["details"]["slug"] == "paid"
    assert shop.left_over() == {}


def test_what_needs_an_unlicensed_plugin_can_be_installed_to_be_licensed_later(shop, office):
    job = shop.install("top", activate=False)
    assert job.status == jobs.SUCCEEDED, job.error
    licenses.activate("paid", office.issue(), by=ADMIN)
    plugins.activate("paid", by=ADMIN)
    plugins.activate("top", by=ADMIN)

    assert all(one.is_active for one in plugins.all_installed())


def test_an_uninstalled_plugin_gives_its_seat_back_and_when_the_service_is_away_later(shop, office):
    for away in (False, True):
        shop.install("paid", license_key=office.issue())
        assert office.seats_used() == 1
        if away:
            office.is_away()
        assert shop.uninstall("paid", backup=False).status == jobs.SUCCEEDED
        office.is_back()

    assert office.seats_used() == 1
    with clock.travel(LATER_S):
        assert licenses.check()["given_back"] == 1
    assert (office.seats_used(), shop.left_over()) == (0, {})


def test_an_update_keeps_the_licence_and_asks_nobody(shop, repository, office):
    shop.install("paid", license_key=office.issue())
    before = plugins.get("paid").license
    office.asked.clear()
    repository.publish(package("paid", "2.0.0", requires_license=True))
    marketplace.forget()

    job = shop.update("paid")

    assert job.status == jobs.SUCCEEDED, job.error
    plugin = plugins.get("paid")
    assert (plugin.version, plugin.status, plugin.license) == ("2.0.0", "active", before)
    assert office.asked == []


def test_a_version_that_needs_a_licence_takes_no_place_without_one_and_does_with_one(shop, repository, office):
    shop.install("free")
    repository.publish(package("free", "2.0.0", requires_license=True))
    marketplace.forget()

    refused_job = shop.update("free")
    licenses.activate("free", office.issue("free"), by=ADMIN)
    job = shop.update("free")

    assert (refused_job.status, refused_job.error["code"]) == (jobs.FAILED, "LICENSE_INVALID")
    assert job.status == jobs.SUCCEEDED, job.error
    assert plugins.get("free").is_active


def test_a_backup_brings_no_licence_back(shop, office):
    shop.install("paid", license_key=office.issue())
    backup = shop.uninstall("paid").made["result"]["backup_path"]

    job = jobs.wait_for_end(jobs.start_restore("paid", backup, actor=ADMIN.actor).id, patience_s=60)

    assert job.status == jobs.SUCCEEDED, job.error
    plugin = plugins.get("paid")
    assert (plugin.status, plugin.license, office.seats_used()) == ("inactive", None, 0)


# ── Faults ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", [BEFORE, AFTER, KILLED])
@pytest.mark.parametrize("step", ["licensing", "activating", "result"])
def test_an_installation_that_breaks_gives_its_seat_back(shop, functions, office, step, how):
    assert step in INSTALL.steps
    fault = Fault(shop, functions, "act", step, how)

    job = shop.install("paid", license_key=office.issue())

    assert fault.struck
    assert (job.status, job.left) == (jobs.FAILED, [])
    assert (shop.left_over(), office.seats_used()) == ({}, 0)


@pytest.mark.parametrize("how", [AFTER, KILLED])
def test_a_way_back_that_breaks_after_its_effect_has_given_the_seat_back(shop, functions, office, how):
    shop.loads["paid"] = {"ok": False, "error": {"message": "no"}}
    fault = Fault(shop, functions, "undo", "licensing", how)

    shop.install("paid", license_key=office.issue())

    assert fault.struck
    assert (shop.left_over(), office.seats_used()) == ({}, 0)


def test_a_worker_that_dies_between_the_seat_and_the_licence_leaves_no_seat_taken(shop, office):
    with refused(shop, "TransactWriteItems", "plugin.license_activated"):
        job = shop.install("paid", license_key=office.issue())

    assert [what for what, _ in office.asked] == ["activations", "deactivations"]
    assert (job.status, shop.left_over(), office.seats_used()) == (jobs.FAILED, {}, 0)


def test_while_the_service_is_away_a_failed_installation_ends_and_its_seat_is_given_back_later(shop, office):
    shop.loads["paid"] = {"ok": False, "error": {"message": "no"}}

    def away_after_the_activation(what, question):
        return (500, b"") if what == "deactivations" else (200, json.dumps(office.book.answer(what, question)[1]).encode())

    office.misbehaves = away_after_the_activation
    job = shop.install("paid", license_key=office.issue())
    assert (job.status, job.left, office.seats_used()) == (jobs.FAILED, [], 1)
    office.is_back()

    with clock.travel(LATER_S):
        licenses.check()

    assert (shop.left_over(), office.seats_used()) == ({}, 0)


def test_a_step_that_runs_twice_takes_one_seat_and_tells_once(shop, functions, office):
    def twice(event):
        jobs.run_step(event)
        if event.get("step") == "licensing":
            jobs.run_step(event)
        return {}

    functions.answer("test-job-step", twice)

    job = shop.install("paid", license_key=office.issue())

    assert job.status == jobs.SUCCEEDED, job.error
    assert office.seats_used() == 1
    assert [one.type for one in history("plugin#paid")].count("plugin.license_activated") == 1


@pytest.mark.parametrize("how", [BEFORE, AFTER, KILLED])
@pytest.mark.parametrize("step", ["licensing", "unregistering"])
def test_an_uninstallation_that_breaks_and_is_asked_for_again_gives_the_seat_back(shop, functions, office, step, how):
    assert step in UNINSTALL.steps
    shop.install("paid", license_key=office.issue())
    fault = Fault(shop, functions, "act", step, how, times=1)

    first = shop.uninstall("paid", backup=False)
    if plugins.find("paid") is not None:
        assert shop.uninstall("paid", backup=False).status == jobs.SUCCEEDED

    assert fault.struck
    assert first.status == jobs.FAILED
    assert (shop.left_over(), office.seats_used()) == ({}, 0)


@pytest.mark.parametrize("how", [BEFORE, KILLED])
@pytest.mark.parametrize("step", ["switching", "starting"])
def test_an_update_that_breaks_leaves_the_licence_as_it_was(shop, functions, repository, office, step, how):
    assert step in UPDATE.steps
    key = office.issue()
    shop.install("paid", license_key=key)
    repository.publish(package("paid", "2.0.0", requires_license=True))
    marketplace.forget()
    before = plugins.get("paid").license
    fault = Fault(shop, functions, "act", step, how)

    job = shop.update("paid")

    assert fault.struck
    assert (job.status, job.left) == (jobs.FAILED, [])
    plugin = plugins.get("paid")
    assert (plugin.version, plugin.status, plugin.license, office.seats_used()) == ("1.0.0", "active", before, 1)
