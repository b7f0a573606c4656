"""A theme is data that paints, and nothing more."""

import pytest

from chalicelib.runtime import registration, themes
from chalicelib.runtime.errors import PluginFailedToLoad

MUI = {
    "name": "Night Shift",
    "light": {"palette": {"primary": {"main": "#1976d2"}, "text": {"primary": "rgba(0, 0, 0, 0.87)"}}},
    "dark": {"palette": {"mode": "dark", "background": {"default": "hsl(210 10% 10%)"}}},
    "typography": {"fontFamily": '"Inter", "Helvetica Neue", sans-serif', "h1": {"fontSize": "clamp(1rem, 2.5vw, 2rem)"}},
    "shape": {"borderRadius": 8},
    "shadows": ["none", "0 1px 3px rgba(0,0,0,.2), 0 1px 2px rgba(0,0,0,.1)"],
    "components": {"MuiButton": {"styleOverrides": {"root": {"&:hover": {"background": "linear-gradient(90deg, #000, #fff)"}}}}},
    "transition": "transform 200ms cubic-bezier(0.4, 0, 0.2, 1)",
    "isDense": True,
    "nothing": None,
}


def test_what_themes_are_made_of_passes():
    assert themes.faults_of(MUI) == []


@pytest.mark.parametrize(
    "value",
    [
        "url(https://evil.example/pixel)",
        "URL ( 'x' )",
        "image-set('a.png' 1x)",
        "expression(alert(1))",
        "javascript:alert(1)",
        "red; background: blue",
        "red} body {display: none",
        "</style><script>alert(1)</script>",
        "\\75rl(x)",
        "u/**/rl(x)",
        "@import 'x'",
        "//evil.example/x",
        "https://evil.example/x",
        "attr(value)",
        "data:text/html,x",
        "a\nb",
        "x" * 501,
        float("inf"),
    ],
)
def test_a_value_that_could_load_run_or_break_out_is_refused_at_its_place(value):
    (fault,) = themes.faults_of({"palette": {"primary": [value]}})

    assert "'palette.primary.0'" in fault


@pytest.mark.parametrize("key", ["@import url(x)", "behavior", "MozBinding", "a{b", "a;b", "</style", "__proto__", "x" * 101, ""])
def test_a_name_that_is_more_than_a_name_is_refused(key):
    assert themes.faults_of({"styles": {key: "red"}})


def test_what_is_no_object_too_deep_or_too_large_is_refused():
    deep: dict = {}
    for _ in range(200):
        deep = {"a": deep}

    assert "object of tokens" in themes.faults_of(["red"])[0]
    assert "nested deeper" in themes.faults_of(deep)[0]
    assert "at most" in themes.faults_of({f"token{number}": "x" * 400 for number in range(100)})[0]


def test_a_plugin_with_such_a_theme_does_not_load():
    assert registration.checked("night", {"theme": MUI})["theme"] == MUI
    with pytest.raises(PluginFailedToLoad, match=r"theme of 'night'.*'background' has 'url\('"):
        registration.checked("night", {"theme": {"background": "url(x)"}})
