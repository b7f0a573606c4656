"""What an update policy lets install by itself, what it tells of, and what it refuses to hold."""

import base64
from datetime import timedelta

import pytest

from chalicelib.core import clock, versions
from chalicelib.core.errors import ValidationError
from chalicelib.core.versions import Dependency
from chalicelib.marketplace import Listing, Release
from chalicelib.plugins import DefaultPolicy, InstalledPlugin, PluginDenied, PluginLists, UpdatePolicy, manifest, update_policy, updates

NOW = clock.parse_rfc3339("2026-03-01T12:00:00Z")
ALL = DefaultPolicy("all", wait_hours=24)
SECURITY = DefaultPolicy("security", wait_hours=24)
KEY, OTHER_KEY = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def plugin(version="1.0.0", *, publisher=KEY, **document):
    parsed = manifest.parse({"name": "mailer", "version": version, "author": "Ann Lee", **document})
    return InstalledPlugin.fresh(parsed, "0" * 64, NOW, publisher)


def release(version, *, hours_old=1000, publisher=KEY, **more):
    released_at = more.pop("released_at", clock.rfc3339(NOW - timedelta(hours=hours_old)))
    plain = {"requirements": {}, "dependencies": (), "scopes": (), "changelog": "", "is_security_update": False}
    return Release("mailer", version, released_at, "https://x", "0" * 64, 1, **{**plain, **more}, publisher=publisher)


def listing(*releases):
    ordered = sorted(releases, key=lambda one: versions.newest_first(each.version for each in releases).index(one.version))
    about = {"name": "Mailer", "short_description": "", "description": "", "author": {"name": "Ann Lee"}, "homepage": None}
    about |= {"documentation": None, "icon": None, "category": None, "tags": (), "rating": None, "reviews_count": 0}
    return Listing("mailer", **about, downloads=0, price=None, is_premium=False, releases=tuple(ordered))


def installs(*releases, policy=None, default=ALL, installed=None):
    found = update_policy.by_itself(installed or plugin(), listing(*releases), policy or UpdatePolicy(), default, NOW, "1.0.0")
    return found.version if found else None


def test_nothing_installs_by_itself_unless_somebody_allowed_it():
    assert installs(release("1.0.1", is_security_update=True), default=DefaultPolicy()) is None
    assert installs(release("1.0.1"), policy=UpdatePolicy(automatic="all"), default=DefaultPolicy()) == "1.0.1"
    assert installs(release("1.0.1"), policy=UpdatePolicy(automatic="none")) is None


def test_only_security_updates_install_where_only_those_are_allowed():
    assert installs(release("1.0.1"), default=SECURITY) is None
    assert installs(release("1.0.1", is_security_update=True), release("1.1.0"), default=SECURITY) == "1.0.1"


@pytest.mark.parametrize(
    "more",
    [
        {"scopes": ("admin",)},
        {"dependencies": (Dependency("other"),)},
        {"libraries": ("left-pad",)},
        {"publisher": OTHER_KEY},
        {"publisher": None},
        {"released_at": "soon"},
    ],
    ids=["more scopes", "a plugin more", "a library more", "another publisher", "no publisher", "no time of release"],
)
@pytest.mark.parametrize("default", [ALL, SECURITY], ids=["all", "security"])
def test_what_a_person_must_agree_to_never_installs_by_itself(more, default):
    assert installs(release("1.0.1", is_security_update=True, **more), default=default) is None


def test_a_breaking_release_never_installs_by_itself_and_the_one_before_it_does():
    assert installs(release("2.0.0"), release("1.4.0")) == "1.4.0"


def test_a_younger_release_waits_and_keeps_no_older_one_waiting():
    assert installs(release("1.2.0", hours_old=23.9), release("1.1.0", hours_old=24)) == "1.1.0"
    assert installs(release("1.2.0", hours_old=1), policy=UpdatePolicy(wait_hours=1)) == "1.2.0"


def test_pins_and_skips_hold_for_what_installs_by_itself():
    assert installs(release("1.2.0"), release("1.1.0"), policy=UpdatePolicy(pinned_version="1.0.0")) is None
    assert installs(release("1.2.0"), release("1.1.0"), policy=UpdatePolicy(pinned_version="1.1.0")) == "1.1.0"
    assert installs(release("1.2.0"), release("1.1.0"), policy=UpdatePolicy(skipped_versions=("1.2.0",))) == "1.1.0"


def test_one_that_failed_is_left_to_a_person():
    assert installs(release("1.1.0"), installed=plugin().failed("no", "failed_to_start", NOW)) is None


def told(*releases, policy):
    found = updates.available(plugin(), listing(*releases), policy)
    return found and (found.latest_version, found.is_pinned, found.is_skipped)


def test_what_is_told_passes_over_skipped_releases_and_says_what_a_pin_holds_back():
    both = (release("1.2.0"), release("1.1.0"))

    assert told(*both, policy=UpdatePolicy()) == ("1.2.0", False, False)
    assert told(*both, policy=UpdatePolicy(skipped_versions=("1.2.0",))) == ("1.1.0", False, False)
    assert told(*both, policy=UpdatePolicy(skipped_versions=("1.2.0", "1.1.0"))) == ("1.2.0", False, True)
    assert told(*both, policy=UpdatePolicy(pinned_version="1.0.0")) == ("1.2.0", True, False)
    assert told(*both, policy=UpdatePolicy(pinned_version="1.1.0")) == ("1.1.0", False, False)
    assert told(release("1.0.0"), policy=UpdatePolicy()) is None


def test_reasons_name_what_is_new_and_only_that():
    installed = plugin(permissions=["email"], dependencies=[{"slug": "base", "version_constraint": "*"}])
    wanted = release("1.1.0", scopes=("email", "admin"), dependencies=(Dependency("base"), Dependency("shady")), publisher=OTHER_KEY)

    found = update_policy.reasons_in_release(installed, wanted).as_json()

    assert found == {
        "more_scopes": ["admin"],
        "new_dependencies": ["shady"],
        "other_publisher": {"installed": KEY, "release": OTHER_KEY},
    }
    assert not update_policy.reasons_in_release(installed, release("1.1.0", scopes=("email",)))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"pinned_version": "latest"}, "pinned_version"),
        ({"skipped_versions": ["1.0.0", "1.x"]}, "skipped_versions"),
        ({"pinned_version": "1.1.0", "skipped_versions": ["1.1.0"]}, "pinned_version"),
    ],
)
def test_a_policy_that_means_nothing_is_refused_by_field(given, field):
    with pytest.raises(ValidationError) as refused:
        UpdatePolicy.of(given)
    assert list(refused.value.details) == [field]


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def may(lists, slug="mailer", publisher=KEY, author="Ann Lee"):
    return PluginLists.of(lists).why_not(slug, publisher, author) is None


def test_denying_wins_over_allowing():
    assert may({})
    assert not may({"deny": {"plugins": ["mailer"]}, "allow": {"plugins": ["mailer"]}})
    assert not may({"deny": {"publishers": [KEY]}, "allow": {"plugins": ["mailer"]}})
    assert not may({"deny": {"publishers": ["ann LEE"]}})


def test_where_anything_is_allowed_by_name_nothing_else_is():
    assert not may({"allow": {"plugins": ["other"]}})
    assert may({"allow": {"plugins": ["mailer"]}})
    assert may({"allow": {"publishers": [KEY]}})
    assert not may({"allow": {"publishers": [KEY]}}, publisher=None)
    assert not may({"allow": {"publishers": [KEY]}}, publisher=OTHER_KEY)


def test_a_name_which_anybody_can_borrow_allows_nothing():
    with pytest.raises(ValidationError) as refused:
        PluginLists.of({"allow": {"publishers": ["Ann Lee"]}})
    assert list(refused.value.details) == ["allow.publishers"]


def test_core_plugins_are_the_platforms_own_and_always_allowed():
    lists = PluginLists.of({"deny": {"plugins": ["mailer"]}})

    lists.refuse_installed(plugin(is_core=True))
    with pytest.raises(PluginDenied):
        lists.refuse_installed(plugin())
