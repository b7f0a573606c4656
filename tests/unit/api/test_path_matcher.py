"""From a path to its route."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.api import application
from chalicelib.api.routing import PathMatcher

# No deadline: a busy machine is no fault of the code.
unhurried = settings(max_examples=100, deadline=None)

APP = application.build().include_everything()
PATTERNS = sorted(APP.declared)
# Whatever a person may call a thing; quoted, as a client must.
VALUES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def matcher(*patterns):
    made = PathMatcher()
    for pattern in patterns:
        made.add(pattern)
    return made


@unhurried
@given(st.sampled_from(PATTERNS), st.data())
def test_every_route_finds_its_own_path_back_with_the_parameters_as_they_were(pattern, data):
    """Values that are a fixed segment of another route beside it (``install`` for a slug) lead there instead, on purpose."""
    segments, expected = [], {}
    for segment in pattern.strip("/").split("/"):
        if segment.startswith("{"):
            name = segment.strip("{}+")
            expected[name] = data.draw(VALUES.filter(lambda text: quote(text) not in FIXED))
            segment = quote(expected[name], safe="")
        segments.append(segment)

    assert APP._matcher.match("/" + "/".join(segments)) == (pattern, expected)


FIXED = {segment for pattern in PATTERNS for segment in pattern.split("/") if not segment.startswith("{")}


def test_a_fixed_segment_beats_a_named_one_and_a_named_one_the_rest():
    paths = matcher("/a/{name}", "/a/fixed", "/a/{rest+}", "/a/{name}/b")

    assert paths.match("/a/fixed") == ("/a/fixed", {})
    assert paths.match("/a/other") == ("/a/{name}", {"name": "other"})
    assert paths.match("/a/other/b") == ("/a/{name}/b", {"name": "other"})
    assert paths.match("/a/other/c") == ("/a/{rest+}", {"rest": "other/c"})
    assert paths.match("/a/fixed/c") == ("/a/{rest+}", {"rest": "fixed/c"})


def test_a_path_that_a_fixed_segment_leads_astray_is_still_found():
    paths = matcher("/{a}/x", "/fixed/y")

    assert paths.match("/fixed/x") == ("/{a}/x", {"a": "fixed"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a%2Fb", "a/b"),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ("%C3%A9", "é"),
        ("a+b", "a+b"),
        ("a b", "a b"),
        ("%zz", "%zz"),
        ("%00", "\0"),
    ],
)
def test_parameters_are_decoded_once(written, meant):
    assert matcher("/a/{name}").match(f"/a/{written}") == ("/a/{name}", {"name": meant})
    assert matcher("/a/{rest+}").match(f"/a/{written}") == ("/a/{rest+}", {"rest": meant})


def test_a_trailing_slash_is_forgiven_and_an_empty_parameter_is_none():
    paths = matcher("/a/{name}", "/a/{name}/b", "/c/{rest+}")

    assert paths.match("/a/x/") == ("/a/{name}", {"name": "x"})
    assert paths.match("/a/") is None
    assert paths.match("/a//b") is None
    assert paths.match("/c/") is None
    assert paths.match("/c//x") is None


@pytest.mark.parametrize("path", ["", "/", "//", "/api", "/api/v1", "/nothing/of/ours", "/API/V1/health"])
def test_what_is_no_route_is_none(path):
    assert APP._matcher.match(path) is None


def test_one_segment_cannot_have_two_names():
    paths = matcher("/a/{name}")

    with pytest.raises(ValueError, match="name"):
        paths.add("/a/{other}/b")
