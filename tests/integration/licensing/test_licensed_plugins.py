"""What a licence means for an installed plugin: activated, confirmed, warned of, ended, given back."""

import json
from datetime import timedelta

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib import accounts, licensing, messaging, plugins
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.licensing import LicenseExpired, LicenseInvalid, LicenseServiceUnavailable, returns
from chalicelib.marketplace import repository as marketplace
from chalicelib.plugins import HasDependents, PluginBusy, licenses, locks
from tests.event_history import history
from tests.integration.jobs.conftest import package
from tests.integration.jobs.test_faults import refused

ADMIN = Caller("user", "ann", "Ann Lee", "admin", None)
HOUR, DAY = 3600, 86400


@pytest.fixture
def paid(platform, repository, office):
    """A plugin that needs a licence, installed without one."""
    repository.publish(package("paid", requires_license=True))
    marketplace.forget()
    assert platform.install("paid").made["result"]["plugin"]["status"] == "inactive"
    accounts.create_user(username="ann", full_name="Ann", email="ann@example.com", role="admin", by=None)
    return platform


@pytest.fixture
def licensed(paid, office):
    """``licensed(days=30)``: the same, licensed for so long and active; gives the key."""

    def make(**terms):
        key = office.issue(**terms)
        licenses.activate("paid", key, by=ADMIN)
        plugins.activate("paid", by=ADMIN)
        return key

    return make


def told():
    """What the administrators were told of licences, oldest first."""
    return [one.message for one in reversed(messaging.inbox(ADMIN).notifications)]


def log_of(slug="paid"):
    return [(event.type.removeprefix("plugin."), event.data) for event in history(f"plugin#{slug}", newest_first=False)]


def types():
    return [kind for kind, _ in log_of() if kind.startswith("license") or kind in ("activated", "deactivated")]


def status():
    return licenses.standing(plugins.get("paid")).status


# ── Activating ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_licence_it_is_installed_and_does_not_activate_and_says_what_to_do(paid):
    with pytest.raises(LicenseInvalid) as refused:
        plugins.activate("paid", by=ADMIN)

    assert (refused.value.details["reason"], refused.value.status) == ("missing", 403)
    assert "activate one with its key" in refused.value.message
    assert plugins.get("paid").status == "inactive"


def test_with_one_it_activates_and_the_log_shows_the_key_masked(paid, office, aws):
    key = office.issue()

    plugin = licenses.activate("paid", key.lower(), by=ADMIN)
    plugins.activate("paid", by=ADMIN)

    assert plugins.get("paid").is_active
    assert plugin.license.terms.type == "professional"
    ((_, event),) = [one for one in log_of() if one[0] == "license_activated"]
    assert event["license_key"] == f"****-****-****-{key[-4:]}"
    everything = [
        aws.client("dynamodb").scan(TableName=f"test-{table}")["Items"] for table in ("PluginsTable", "EventsTable", "LicensesTable")
    ]
    assert key not in json.dumps(everything)
    assert returns.of("paid") == []


def test_a_key_that_is_refused_leaves_the_licence_that_is_there_and_nothing_else(licensed, office):
    licensed()
    before = plugins.get("paid").license

    with pytest.raises(LicenseInvalid):
        licenses.activate("paid", office.issue("other"), by=ADMIN)

    assert plugins.get("paid").license == before
    assert (returns.of("paid"), office.seats_used()) == ([], 1)


def test_another_key_takes_the_place_of_the_first_whose_seat_is_free_again(licensed, office):
    licensed()
    other = office.issue(type="enterprise")

    licenses.activate("paid", other, by=ADMIN)

    assert plugins.get("paid").license.terms.type == "enterprise"
    assert {one.type: one.seats_used for one in office.book.everything()} == {"professional": 0, "enterprise": 1}
    assert plugins.get("paid").is_active


def test_a_seat_that_was_taken_by_who_died_then_is_given_back_by_the_check(paid, office):
    """Between the service's answer and our own transaction."""
    with refused(paid, "TransactWriteItems", "plugin.license_activated"), pytest.raises(TransactWriteError):
        licenses.activate("paid", office.issue(), by=ADMIN)
    assert office.seats_used() == 1

    at_once = licenses.check()
    with clock.travel(HOUR):
        later = licenses.check()

    assert (at_once["given_back"], later["given_back"]) == (0, 1)
    assert (office.seats_used(), returns.of("paid"), plugins.get("paid").license) == (0, [], None)


def test_what_an_unclear_activation_left_is_no_danger_for_the_one_that_succeeded(paid, office):
    """The service took the seat and its answer was lost; the administrator tried again with the same key."""
    key = office.issue()
    office.misbehaves = lambda what, question: (office.book.answer(what, question), (502, b""))[1]
    with pytest.raises(LicenseServiceUnavailable):
        licenses.activate("paid", key, by=ADMIN)
    office.is_back()

    licenses.activate("paid", key, by=ADMIN)
    with clock.travel(HOUR):
        licenses.check()

    assert office.seats_used() == 1
    assert status() == "active"


def test_while_somebody_works_on_the_plugin_its_licence_waits(paid, office):
    with locks.held("paid", "test"), pytest.raises(PluginBusy):
        licenses.activate("paid", office.issue(), by=ADMIN)

    assert (office.asked, returns.of("paid")) == ([], [])


# ── Deactivating ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_deactivating_switches_the_plugin_off_and_frees_the_seat(licensed, office):
    licensed()

    plugin = licenses.deactivate("paid", by=ADMIN)

    assert (plugin.status, plugin.license, office.seats_used()) == ("inactive", None, 0)
    assert types() == ["license_activated", "activated", "deactivated", "license_deactivated"]
    with pytest.raises(LicenseInvalid):
        licenses.deactivate("paid", by=ADMIN)


def test_while_the_service_is_away_deactivating_works_and_the_seat_is_given_back_later(licensed, office):
    licensed()
    office.is_away()

    licenses.deactivate("paid", by=ADMIN)
    assert (plugins.get("paid").license, office.seats_used()) == (None, 1)
    assert licenses.check()["given_back"] == 0
    office.is_back()
    with clock.travel(HOUR):
        assert licenses.check()["given_back"] == 1

    assert office.seats_used() == 0


def test_a_seat_that_waits_to_be_given_back_and_is_taken_again_is_kept(licensed, office):
    key = licensed()
    office.is_away()
    licenses.deactivate("paid", by=ADMIN)
    office.is_back()

    licenses.activate("paid", key, by=ADMIN)
    with clock.travel(HOUR):
        licenses.check()

    assert (office.seats_used(), status()) == (1, "active")


def test_a_plugin_that_others_need_keeps_its_licence(licensed, platform, repository, office):
    licensed()
    repository.publish(package("top", dependencies=[{"slug": "paid", "version_constraint": "*"}]))
    marketplace.forget()
    platform.install("top")

    with pytest.raises(HasDependents):
        licenses.deactivate("paid", by=ADMIN)

    assert plugins.get("paid").is_active
    assert office.seats_used() == 1


# ── Verifying and renewing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_verifying_asks_the_service_and_where_that_is_away_the_signed_licence_decides(licensed, office, monkeypatch):
    licensed()

    here = licenses.verify("paid")
    office.is_away()
    away = licenses.verify("paid")

    assert (here.is_confirmed, away.is_confirmed) == (True, False)
    assert status() == "grace"
    monkeypatch.setenv("STREAMSPACE_LICENSE_PUBLIC_KEY", "A" * 43 + "=")
    with pytest.raises(LicenseInvalid) as untrusted:
        licenses.verify("paid")
    assert untrusted.value.details["reason"] == "signature"


@pytest.mark.parametrize("ask", [lambda: licenses.verify("paid"), lambda: licenses.renew("paid", by=ADMIN)], ids=["verify", "renew"])
def test_what_the_service_refuses_is_said_and_remembered(licensed, office, ask):
    key = licensed()
    office.book.revoke(key)

    with pytest.raises(LicenseInvalid) as revoked:
        ask()

    assert revoked.value.details["reason"] == "revoked"
    assert status() == "revoked"
    with pytest.raises(LicenseInvalid):
        licensing.require("paid", plugins.get("paid").license)


def test_renewing_brings_what_was_prolonged_and_only_that_is_an_event(licensed, office):
    key = licensed(days=10)
    licenses.renew("paid", by=ADMIN)
    assert "license_renewed" not in types()
    ends = int(clock.timestamp()) + 400 * DAY
    office.book.extend(key, ends)

    plugin = licenses.renew("paid", by=ADMIN)

    assert plugin.license.terms.expires_at.timestamp() == ends
    assert plugins.get("paid").license == plugin.license
    assert types().count("license_renewed") == 1


def test_renewing_without_the_service_says_so_and_the_licence_goes_on(licensed, office):
    licensed()
    office.is_away()

    with pytest.raises(LicenseServiceUnavailable):
        licenses.renew("paid", by=ADMIN)

    assert status() == "grace"
    assert plugins.get("paid").is_active


def test_a_seat_that_its_vendor_moved_is_not_taken_again_in_silence(licensed, office):
    key = licensed()
    office.free_the_seat_of_this_installation(key)

    with pytest.raises(LicenseInvalid) as lost:
        licenses.renew("paid", by=ADMIN)

    assert (lost.value.details["reason"], status(), office.seats_used()) == ("no_seat", "invalid", 0)


# ── The check ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def checks(*hours):
    for hour in hours:
        with clock.travel(hour * HOUR):
            licenses.check()


def test_the_service_is_asked_once_a_day_and_each_hour_while_it_is_away(licensed, office):
    licensed()
    office.asked.clear()

    checks(1, 2, 23)
    assert len(office.asked) == 0
    checks(24)
    assert len(office.asked) == 1
    checks(25, 47)
    assert len(office.asked) == 1
    office.is_away()
    checks(49, 50, 51)
    assert len(office.asked) == 4
    office.is_back()
    checks(52, 53)
    assert len(office.asked) == 5
    assert types() == ["license_activated", "activated"], "nothing has changed for anybody"


def test_a_revoked_licence_switches_the_plugin_off_within_a_day_and_tells_once(licensed, office):
    key = licensed()
    office.book.revoke(key)

    checks(25, 26, 50)

    assert plugins.get("paid").status == "inactive"
    assert types() == ["license_activated", "activated", "deactivated", "license_ended"]
    assert len(told()) == 1
    assert "revoked" in told()[0]
    with pytest.raises(LicenseInvalid):
        plugins.activate("paid", by=ADMIN)


def test_administrators_are_warned_14_and_3_days_before_and_told_at_the_end_each_once(licensed, office):
    licensed(days=30)
    seen = []

    for day in (0, 15, 16, 17, 26, 27, 28, 29, 30, 31):
        before = len(told())
        checks(day * 24 + 1, day * 24 + 2)
        seen += [day] * (len(told()) - before)

    assert seen == [16, 27, 30]
    assert "in 14 days" in told()[0]
    assert "in 3 days" in told()[1]
    assert "has expired" in told()[2]
    assert plugins.get("paid").status == "inactive"
    assert types().count("license_expiring") == 2
    with clock.travel(31 * DAY), pytest.raises(LicenseExpired) as over:
        plugins.activate("paid", by=ADMIN)
    assert (over.value.code, over.value.status, over.value.details["reason"]) == ("LICENSE_EXPIRED", 403, "expired")


def test_a_licence_with_two_days_left_is_warned_of_once(licensed):
    licensed(days=2)

    checks(0, 1, 2)

    assert len(told()) == 1


def test_one_that_is_prolonged_at_the_last_moment_never_ends_and_one_that_is_prolonged_later_is_good_again(licensed, office):
    key = licensed(days=30)
    checks(29 * 24 + 12)
    office.book.extend(key, int(clock.timestamp()) + 60 * DAY)
    checks(29 * 24 + 13, 30 * 24 + 1)
    assert plugins.get("paid").is_active

    checks(61 * 24)
    assert not plugins.get("paid").is_active
    office.book.extend(key, int(clock.timestamp()) + 400 * DAY)
    checks(61 * 24 + 2)
    with clock.travel(62 * DAY):
        plugins.activate("paid", by=ADMIN)

    assert plugins.get("paid").is_active


def test_while_the_service_is_away_the_plugin_runs_for_the_days_of_grace_and_then_no_more(licensed, office, monkeypatch):
    monkeypatch.setenv("STREAMSPACE_LICENSE_GRACE_DAYS", "10")
    licensed()
    office.is_away()
    seen = []

    for day in (1, 2, 3, 6, 7, 8, 9, 10, 11):
        before = len(told())
        checks(day * 24, day * 24 + 1)
        seen += [day] * (len(told()) - before)
        assert plugins.get("paid").is_active == (day < 10)

    assert seen == [2, 7, 10]
    assert "could not be asked" in told()[0]
    assert "was away for longer" in told()[2]
    ((_, ended),) = [one for one in log_of() if one[0] == "license_ended"]
    assert ended["reason"] == "unconfirmed"
    with clock.travel(12 * DAY), pytest.raises(LicenseExpired):
        plugins.activate("paid", by=ADMIN)
    office.is_back()
    checks(12 * 24 + 2)
    with clock.travel(12 * DAY + 3 * HOUR):
        plugins.activate("paid", by=ADMIN)


def test_the_next_time_that_it_is_away_is_told_of_again(licensed, office):
    licensed()
    office.is_away()
    checks(24, 49)
    office.is_back()
    checks(50)
    office.is_away()
    checks(75, 100)

    assert len(told()) == 2


def test_a_plugin_that_needs_no_licence_and_has_one_runs_on_when_it_ends(platform, repository, office):
    """Its vendor sells more features, not the plugin."""
    repository.publish(package("paid", is_premium=True))
    marketplace.forget()
    platform.install("paid")
    accounts.create_user(username="ann", full_name="Ann", email="ann@example.com", role="admin", by=None)
    licenses.activate("paid", office.issue(days=2), by=ADMIN)

    checks(49)

    assert plugins.get("paid").is_active
    assert status() == "expired"
    assert len(told()) == 1


def test_one_plugin_that_makes_trouble_keeps_no_other_from_being_checked(licensed, platform, repository, office):
    key = licensed()
    repository.publish(package("second", requires_license=True))
    marketplace.forget()
    platform.install("second", license_key=office.issue("second", days=1))
    office.book.revoke(key)
    platform.functions.answer("test-plugin-paid", lambda event: 1 / 0)

    with clock.travel(25 * HOUR), locks.held("paid", "test"):
        licenses.check()
    assert [plugins.get(slug).status for slug in ("paid", "second")] == ["active", "inactive"]
    checks(26)

    assert plugins.get("paid").status == "inactive", "a plugin that throws while it is switched off is off all the same"


def test_a_licence_that_was_changed_while_the_service_was_asked_is_not_overwritten_by_its_answer(licensed, office):
    old = licensed()
    new = office.issue(type="enterprise")

    def changes_meanwhile(what, question):
        office.is_back()
        answered = office.answer(what, question)
        if question["license_key"] == old:
            plugin = licenses.attach("paid", licensing.sealed(new, "paid"), ADMIN.actor)
            assert plugin.license.terms.type == "enterprise"
        return answered

    office.misbehaves = changes_meanwhile

    licenses.verify("paid")

    assert plugins.get("paid").license.terms.type == "enterprise"


def test_it_survives_its_own_storage(licensed):
    licensed(days=30)
    license = plugins.get("paid").license
    changed = license.unanswered(clock.now()).refused_for("revoked", clock.now()).having_told(("ended",))

    assert licensing.License.of_json(json.loads(json.dumps(changed.as_json()))) == changed
    assert changed.terms.expires_at - clock.now() < timedelta(days=30)
