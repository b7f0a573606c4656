"""Versions as SemVer has them, ranges as npm has them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import versions

PARTS = st.integers(0, 20)
VERSIONS = st.builds(lambda a, b, c, pre: f"{a}.{b}.{c}{pre}", PARTS, PARTS, PARTS, st.sampled_from(["", "", "-alpha", "-rc.1", "-rc.10"]))


@pytest.mark.parametrize("text", ["1.2.3", "0.0.0", "1.0.0-alpha.1", "1.0.0+build.5", "10.20.30-rc.1+x"])
def test_semantic_versions_are_taken(text):
    assert versions.is_version(text)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3\n", "1.2.3 ", "latest", "1.2.x", "9" * 300]
)
def test_what_only_looks_like_one_is_refused(text):
    assert not versions.is_version(text)


@pytest.mark.parametrize(
    ("version", "range_", "fits"),
    [
        ("1.6.2", "^1.5.0", True),
        ("2.0.0", "^1.5.0", False),
        ("0.2.9", "^0.2.3", True),
        ("0.3.0", "^0.2.3", False),
        ("1.9.0", "~1.2", False),
        ("3.1.0", ">=1.0.0 <2.0.0 || 3.x", True),
        ("1.3.9", "1.2.0 - 1.3", True),
        ("1.2.3-beta", "^1.2.0", False),
        ("1.2.3-beta.2", "^1.2.3-beta.1", True),
        ("1.0.0", "*", True),
        ("1.0.0", "not a range", False),
        ("not.a.version", "*", False),
    ],
)
def test_ranges_mean_what_they_mean_to_npm(version, range_, fits):
    assert versions.satisfies(version, range_) is fits


@pytest.mark.parametrize("text", ["latest", "foo bar", ">=1.0.0,<2", "^" * 300])
def test_what_npm_does_not_understand_is_no_range(text):
    assert not versions.is_range(text)


@given(st.lists(VERSIONS, min_size=1))
def test_newest_first_is_sorted_by_compare_whatever_the_order_was(given_versions):
    ordered = versions.newest_first(given_versions)

    assert sorted(ordered) == sorted(given_versions)
    assert all(versions.compare(one, other) >= 0 for one, other in pairwise(ordered))


@given(st.lists(VERSIONS), st.sampled_from(["*", "^1.0.0", "~2.3.0", ">=5.0.0", "<3.0.0"]))
def test_the_newest_in_a_range_is_in_it_and_none_that_fits_is_newer(given_versions, range_):
    newest = versions.newest(given_versions, range_)

    fitting = [one for one in given_versions if versions.satisfies(one, range_)]
    assert (newest is None) == (not fitting)
    assert all(versions.compare(str(newest), one) >= 0 for one in fitting)


@pytest.mark.parametrize(
    ("requirements", "fits"),
    [
        ({}, True),
        ({"system_version": "1.0.0"}, True),
        ({"system_version": "1.1"}, True),
        ({"system_version": "2.0.0"}, False),
        ({"system_version": ">=1.0.0"}, True),
        ({"streamspaceVersion": ">=1.0.0"}, True),
        ({"streamspaceVersion": "^2.0.0"}, False),
    ],
)
def test_a_bare_system_version_means_at_least_that_one(requirements, fits):
    assert versions.fits_system(requirements, "1.5.0") is fits


@pytest.mark.parametrize(
    ("current", "latest", "breaking"),
    [
        ("1.0.0", "1.9.0", False),
        ("1.9.0", "2.0.0", True),
        ("0.1.0", "0.2.0", True),
        ("0.1.0", "0.1.9", False),
        ("1.0.0-rc.1", "1.0.0", False),
    ],
)
def test_an_update_is_breaking_when_semver_lets_it_be(current, latest, breaking):
    assert versions.is_breaking(current, latest) is breaking
