"""Every route that is declared, and every error that can be answered."""

import importlib
import inspect
import pkgutil

import pytest

import chalicelib
from chalicelib.accounts.permissions import OF_ROLE, SCOPES
from chalicelib.api import application
from chalicelib.core.errors import StreamSpaceError

ROUTES = [route for methods in application.build().include_everything().declared.values() for route in methods.values()]


def named(route):
    return f"{route.method} {route.pattern.removeprefix('/api/v1')}"


# Whoever is signed in may call these, with no scope on their side: each looks at whose the thing is, by itself.
ANYBODYS = {
    "POST /auth/logout",
    "GET /auth/tokens",
    "POST /auth/tokens",
    "DELETE /auth/tokens/{id}",
}


def test_every_route_says_who_may_call_it():
    unsaid = {named(one) for one in ROUTES if not (one.permission or one.scope or one.plugin_only or one.public)}

    assert unsaid == ANYBODYS


def is_closed(schema):
    return schema.get("additionalProperties") is False or ("if" in schema and is_closed(schema["then"]) and is_closed(schema["else"]))


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_a_route_is_documented_and_its_rules_are_known_ones(route):
    assert inspect.getdoc(route.view), "what it does, the document's section, its errors"
    assert route.permission is None or route.permission in OF_ROLE["admin"]
    assert route.scope is None or route.scope in SCOPES
    assert not (route.public and (route.permission or route.scope or route.plugin_only))
    assert route.aws_calls >= 0
    assert route.body is None or is_closed(route.body), "a field that nobody reads is a mistake of the caller's, who is told"


def _all_errors():
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        importlib.import_module(module.name)
    found, waiting = [], [StreamSpaceError]
    while waiting:
        for child in waiting.pop().__subclasses__():
            if child.__module__.startswith("chalicelib."):
                found.append(child)
                waiting.append(child)
    return sorted(set(found), key=lambda one: one.__name__)


ERRORS = _all_errors()
# The documents give one code to two things: a session's template and an email's; a plugin that is not installed and one not offered.
SHARED = {"TEMPLATE_NOT_FOUND", "PLUGIN_NOT_FOUND"}


def ids(error):
    return error.__name__


@pytest.mark.parametrize("error", ERRORS, ids=ids)
def test_an_error_has_a_code_a_status_and_a_sentence(error):
    assert error.code != StreamSpaceError.code
    assert error.code == error.code.upper()
    assert 400 <= error.status < 600
    assert error.message[0].isupper()


def test_a_code_belongs_to_one_error_and_to_those_that_refine_it():
    owners = {}
    for error in ERRORS:
        owners.setdefault(error.code, []).append(error)

    for code, sharing in owners.items():
        if code in SHARED:
            continue
        roots = [one for one in sharing if not any(one is not other and issubclass(one, other) for other in sharing)]
        assert len(roots) == 1, (code, sharing)
        assert len({one.status for one in sharing}) == 1


def test_there_are_errors_to_be_tested():
    assert len(ERRORS) > 30
