"""A plan suits everybody who asked, is the newest that does, and installs nothing before what it needs."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import clock, versions
from chalicelib.core.versions import Dependency
from chalicelib.marketplace import Release
from chalicelib.plugins import (
    DependenciesNotMet,
    DependencyConflict,
    HasDependents,
    IncompatibleRelease,
    InstalledPlugin,
    dependencies,
    manifest,
)


def release(slug, version, *needs, system=None):
    return Release(
        slug=slug,
        version=version,
        released_at="2026-01-02T03:04:05Z",
        url=f"https://example.com/{slug}-{version}.zip",
        sha256="0" * 64,
        size_bytes=1,
        requirements={"system_version": system} if system else {},
        dependencies=tuple(wish(need) for need in needs),
        scopes=(),
        changelog="",
        is_security_update=False,
    )


def wish(text):
    """``pdf ^2.0.0``, or ``pdf? ^2.0.0`` for an optional one."""
    slug, _, range_ = text.partition(" ")
    return Dependency(slug.removesuffix("?"), range_ or "*", slug.endswith("?"))


def plugin(slug, version, *needs, status="active"):
    document = {
        "name": slug,
        "version": version,
        "displayName": slug.title(),
        "dependencies": [
            {"slug": one.slug, "version_constraint": one.version_constraint, "is_optional": one.is_optional} for one in map(wish, needs)
        ],
    }
    fresh = InstalledPlugin.fresh(manifest.parse(document), "0" * 64, clock.now())
    return fresh.activated(clock.now()) if status == "active" else fresh


def plan(wanted, releases, installed=(), **more):
    catalogue = {}
    for one in releases:
        catalogue.setdefault(one.slug, []).append(one)
    wishes = [(one.slug, one.version_constraint) for one in map(wish, wanted)]
    return [
        f"{one.slug} {one.version}"
        for one in dependencies.resolve(wishes, lambda slug: catalogue.get(slug, ()), installed, **more).releases
    ]


def test_dependencies_come_first_and_each_in_its_newest_version_that_fits():
    releases = [
        release("invoices", "2.1.0", "pdf ^2.0.0", "finance ^1.5.0"),
        release("pdf", "2.0.0"),
        release("pdf", "2.10.0", "fonts"),
        release("pdf", "2.9.0"),
        release("pdf", "3.0.0"),
        release("finance", "1.6.2"),
        release("fonts", "0.1.0"),
    ]

    assert plan(["invoices 2.1.0"], releases) == ["finance 1.6.2", "fonts 0.1.0", "pdf 2.10.0", "invoices 2.1.0"]


def test_an_older_release_is_taken_where_the_newest_does_not_suit_everybody():
    releases = [
        release("top", "1.0.0", "left", "shared ^1.0.0"),
        release("left", "2.0.0", "shared ^2.0.0"),
        release("left", "1.0.0", "shared ^1.0.0"),
        release("shared", "1.4.0"),
        release("shared", "2.0.0"),
    ]

    assert plan(["top"], releases) == ["shared 1.4.0", "left 1.0.0", "top 1.0.0"]


def test_what_is_installed_and_fits_stays_and_is_not_in_the_plan():
    releases = [release("top", "1.0.0", "base ^1.0.0"), release("base", "1.9.0")]

    assert plan(["top"], releases, [plugin("base", "1.0.0")]) == ["top 1.0.0"]


def test_the_marketplace_is_not_asked_where_everything_is_installed():
    def away(slug):
        raise AssertionError(f"asked for {slug}")

    found = dependencies.resolve([("base", "^1.0.0")], away, [plugin("base", "1.2.0")])

    assert found.releases == ()


def test_a_package_that_is_uploaded_takes_part_as_if_it_were_installed():
    uploaded = plugin("top", "1.0.0", "base ^1.0.0", status="inactive")

    assert plan(["top 1.0.0"], [release("base", "1.1.0", "top ^1.0.0")], [uploaded]) == ["base 1.1.0"]


def test_what_an_installed_plugin_lacks_comes_with_it():
    assert plan(["top"], [release("top", "1.0.0", "base"), release("deep", "1.0.0")], [plugin("base", "1.0.0", "deep")]) == [
        "deep 1.0.0",
        "top 1.0.0",
    ]


def test_a_conflict_with_what_is_installed_says_who_wants_what():
    with pytest.raises(DependencyConflict) as refused:
        plan(["top"], [release("top", "1.0.0", "base ^2.0.0"), release("base", "2.0.0")], [plugin("base", "1.3.0")])

    assert "top 1.0.0 wants ^2.0.0" in refused.value.message
    assert "1.3.0 is installed" in refused.value.message
    (conflict,) = refused.value.details["conflicts"]
    assert conflict["slug"] == "base"
    assert conflict["wanted"] == [{"by": "top 1.0.0", "version_constraint": "^2.0.0"}]


def test_two_that_cannot_be_together_are_both_named():
    releases = [
        release("top", "1.0.0", "left", "right"),
        release("left", "1.0.0", "shared ^1.0.0"),
        release("right", "1.0.0", "shared ^2.0.0"),
        release("shared", "1.0.0"),
        release("shared", "2.0.0"),
    ]

    with pytest.raises(DependencyConflict) as refused:
        plan(["top"], releases)

    assert "left 1.0.0 wants ^1.0.0" in refused.value.message
    assert "right 1.0.0 wants ^2.0.0" in refused.value.message


def test_what_nobody_has_is_a_missing_dependency():
    with pytest.raises(DependenciesNotMet) as refused:
        plan(["top"], [release("top", "1.0.0", "pdf ^2.0.0")])

    assert refused.value.details == {"missing_dependencies": [{"slug": "pdf", "required_version": "^2.0.0", "status": "not_installed"}]}


def test_an_installed_plugin_has_a_say_about_what_comes_in_beside_it():
    releases = [release("base", "2.0.0"), release("base", "1.5.0")]

    assert plan(["base"], releases, [plugin("old", "1.0.0", "base ^1.0.0", status="inactive")]) == ["base 1.5.0"]


def test_a_release_for_another_platform_is_passed_over_and_where_there_is_no_other_both_versions_are_told():
    releases = [release("top", "2.0.0", system=">=9.0.0"), release("top", "1.0.0")]
    assert plan(["top"], releases, platform_version="1.0.0") == ["top 1.0.0"]

    with pytest.raises(IncompatibleRelease) as refused:
        plan(["top 2.0.0"], releases, platform_version="1.0.0")
    assert ">=9.0.0" in refused.value.message
    assert "1.0.0" in refused.value.message


def test_a_prerelease_is_only_taken_where_a_range_names_one():
    releases = [release("base", "1.1.0-rc.1"), release("base", "1.0.0")]

    assert plan(["base"], releases) == ["base 1.0.0"]
    assert plan(["base >=1.1.0-rc.0"], releases) == ["base 1.1.0-rc.1"]


def test_optional_dependencies_are_not_installed_for_their_own_sake():
    assert plan(["top"], [release("top", "1.0.0", "extra?"), release("extra", "1.0.0")]) == ["top 1.0.0"]


def test_an_optional_dependency_that_was_asked_for_comes_first_and_suits_its_user_where_possible():
    releases = [release("top", "1.0.0", "extra? ^1.0.0"), release("extra", "1.0.0"), release("extra", "2.0.0")]

    assert plan(["top", "extra"], releases) == ["extra 1.0.0", "top 1.0.0"]
    assert plan(["top", "extra ^2.0.0"], releases) == ["extra 2.0.0", "top 1.0.0"]


def test_two_plugins_may_need_each_other():
    assert sorted(plan(["left"], [release("left", "1.0.0", "right"), release("right", "1.0.0", "left")])) == ["left 1.0.0", "right 1.0.0"]


def test_a_circle_that_was_tried_and_given_up_does_not_stand_in_the_way():
    releases = [
        release("top", "2.0.0", "left", "right >=1.1.0"),
        release("top", "1.1.0"),
        release("left", "1.1.0", "right ^2.0.0", "deep ^1.0.0"),
        release("left", "1.0.0", "deep <2.0.0", "right"),
        release("right", "2.0.0", "left >=1.1.0", "top ^1.0.0"),
        release("right", "1.1.0"),
        release("deep", "1.1.0", "top"),
    ]

    assert plan(["top"], releases)[-1] in ("top 2.0.0", "top 1.1.0")


def test_a_plan_is_found_where_the_newest_releases_only_lead_in_a_circle():
    releases = [
        release("top", "2.0.0", "deep 1.0.0"),
        release("top", "1.0.0"),
        release("deep", "2.0.0", "left ^2.0.0"),
        release("deep", "1.1.0"),
        release("deep", "1.0.0"),
        release("left", "2.0.0", "top ^2.0.0"),
    ]

    assert plan(["deep >=1.1.0", "top"], releases) == ["deep 1.1.0", "top 1.0.0"]


SLUGS = ("aa", "bb", "cc", "dd")
RANGES = ("*", "^1.0.0", "^2.0.0", "1.0.0", ">=1.1.0", "<2.0.0")
WISHES = st.dictionaries(st.sampled_from(SLUGS), st.sampled_from(RANGES), max_size=2)
UNIVERSES = st.dictionaries(
    st.sampled_from(SLUGS), st.dictionaries(st.sampled_from(("1.0.0", "1.1.0", "2.0.0")), WISHES, min_size=1), min_size=1
)


@given(UNIVERSES, st.dictionaries(st.sampled_from(SLUGS), st.sampled_from(RANGES), min_size=1, max_size=2))
def test_there_is_a_plan_exactly_where_some_choice_of_versions_suits_everybody(universe, wanted):
    releases = [
        release(slug, version, *(f"{other} {range_}" for other, range_ in needs.items() if other != slug))
        for slug, there in universe.items()
        for version, needs in there.items()
    ]

    try:
        found = plan([f"{slug} {range_}" for slug, range_ in wanted.items()], releases)
    except (DependencyConflict, DependenciesNotMet):
        assert not any(suits(choice, wanted, releases) for choice in choices(universe))
        return

    chosen = dict(one.split(" ") for one in found)
    assert suits(chosen, wanted, releases)
    assert needed_only(chosen, wanted, releases)


def choices(universe):
    """Every way to take one version of each plugin, or none."""
    slugs = sorted(universe)
    for versions_taken in product(*([None, *universe[slug]] for slug in slugs)):
        yield {slug: version for slug, version in zip(slugs, versions_taken, strict=True) if version}


def wishes_of(chosen, wanted, releases):
    yield from wanted.items()
    for one in releases:
        if chosen.get(one.slug) == one.version:
            yield from ((need.slug, need.version_constraint) for need in one.dependencies)


def suits(chosen, wanted, releases):
    return all(slug in chosen and versions.satisfies(chosen[slug], range_) for slug, range_ in wishes_of(chosen, wanted, releases))


def needed_only(chosen, wanted, releases):
    return set(chosen) <= {slug for slug, _ in wishes_of(chosen, wanted, releases)}


@given(UNIVERSES)
def test_nothing_is_installed_before_what_it_needs_unless_they_need_each_other(universe):
    ordered = {slug: set(SLUGS[: SLUGS.index(slug)]) for slug in SLUGS}
    releases = [
        release(slug, version, *(f"{other} {range_}" for other, range_ in needs.items() if other in ordered[slug]))
        for slug, there in universe.items()
        for version, needs in there.items()
    ]
    by_title = {f"{one.slug} {one.version}": one for one in releases}

    try:
        found = plan(sorted(universe), releases)
    except (DependencyConflict, DependenciesNotMet):
        return

    done = set()
    for title in found:
        assert {need.slug for need in by_title[title].dependencies} <= done
        done.add(by_title[title].slug)


# ── Questions about what is installed ────────────────────────────────────────────────────────────────────────────────────────────


def test_activation_needs_every_dependency_installed_fitting_and_active():
    top = plugin("top", "1.0.0", "absent ^2.0.0", "old ^2.0.0", "off", "fine ^1.0.0", "extra?", status="inactive")
    installed = [top, plugin("old", "1.0.0"), plugin("off", "1.0.0", status="inactive"), plugin("fine", "1.2.0")]

    with pytest.raises(DependenciesNotMet) as refused:
        dependencies.require_active(top.manifest, installed)

    assert refused.value.details["missing_dependencies"] == [
        {"slug": "absent", "required_version": "^2.0.0", "status": "not_installed"},
        {"slug": "old", "required_version": "^2.0.0", "status": "wrong_version"},
        {"slug": "off", "required_version": "*", "status": "inactive"},
    ]


def test_whoever_needs_a_plugin_is_named_when_it_is_to_go():
    installed = [plugin("base", "1.0.0"), plugin("zeta", "1.0.0", "base"), plugin("alpha", "1.0.0", "base", status="inactive")]
    installed.append(plugin("easy", "1.0.0", "base?"))

    with pytest.raises(HasDependents) as refused:
        dependencies.refuse_while_needed("base", installed, to="uninstall")

    assert refused.value.message == "Cannot uninstall: other plugins depend on this plugin"
    assert refused.value.details["dependent_plugins"] == [{"slug": "alpha", "name": "Alpha"}, {"slug": "zeta", "name": "Zeta"}]


def test_the_tree_unfolds_dependencies_of_dependencies_and_ends_where_a_circle_closes():
    installed = [plugin("top", "1.0.0", "base ^1.0.0"), plugin("base", "1.2.0", "top", "absent? ^3.0.0")]

    tree = dependencies.tree("top", installed)

    (base,) = tree["dependencies"]
    assert (base["slug"], base["name"], base["installed_version"], base["status"], base["is_direct"]) == (
        "base",
        "Base",
        "1.2.0",
        "satisfied",
        True,
    )
    circle, absent = base["dependencies"]
    assert circle["slug"] == "top"
    assert "dependencies" not in circle
    assert (absent["name"], absent["installed_version"], absent["status"], absent["is_optional"], absent["is_direct"]) == (
        "absent",
        None,
        "not_installed",
        True,
        False,
    )
    assert tree["dependents"] == [{"slug": "base", "name": "Base", "requires": "*"}]


def test_a_tree_that_would_grow_without_end_is_cut():
    layers = [[f"layer{layer}-{side}" for side in "ab"] for layer in range(20)]
    installed = [plugin(slug, "1.0.0", *below) for layer, below in zip(layers, [*layers[1:], []], strict=True) for slug in layer]

    def count(branches):
        return sum(1 + count(branch.get("dependencies", [])) for branch in branches)

    assert count(dependencies.tree("layer0-a", installed)["dependencies"]) < 2_000


def test_a_plugin_for_another_platform_is_refused_with_both_versions():
    wanting = manifest.parse({"name": "top", "version": "1.0.0", "requirements": {"system_version": "2.0.0"}})

    with pytest.raises(IncompatibleRelease, match=r">=2\.0\.0; this is 1\.0\.0"):
        dependencies.require_system(wanting, "1.0.0")
