"""Nothing that a client can put into a path breaks a route: what is not there is 404, what is wrong is 4xx, never 5xx of our own."""

from urllib.parse import quote

import pytest

from chalicelib import accounts
from chalicelib.api import application

ROUTES = [
    route for methods in application.build().include_everything().declared.values() for route in methods.values() if "{" in route.pattern
]
ODD = ["x" * 3000, "é" * 1500, "\0", "..", "a/b", "#", " ", "-1", "💥", "$(id)", "%2525", "ACTIVE", "null"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.pattern}")
def test_odd_parameters_are_answered(platform, call, route):
    plugins_own = accounts.issue_plugin_token("odd", frozenset({route.scope or "admin"}))

    for value in ODD:
        segments = [quote(value, safe="") if one.startswith("{") else one for one in route.pattern.removeprefix("/api/v1").split("/")]
        for bearer in [plugins_own] if route.plugin_only else [None, plugins_own]:
            answer = call(route.method, "/".join(segments), {}, **({"token": bearer} if bearer else {}))
            assert answer.status < 500 or answer.error["code"] != "INTERNAL_ERROR", (value[:20], answer.text)
