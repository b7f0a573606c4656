"""The API's own description: valid, complete, and true of the REST document's examples."""

import json
import re

import pytest
from jsonschema import Draft202012Validator

from chalicelib.api import description
from chalicelib.api.application import every_route
from chalicelib.api.schemas import RAW, SCHEMAS
from tests import conforming
from tests.rest_document import examples, needs_document
from tests.unit.api.conftest import ask

ROUTES = every_route()
DOCUMENT = conforming.document()
SHOWN = [one for one in examples() if one.path and one.path in DOCUMENT["paths"]]


def where(route):
    return f"{route.method} {route.pattern}"


def test_it_is_a_valid_document_of_openapi_3_1():
    from openapi_spec_validator import OpenAPIV31SpecValidator

    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_route_is_in_it_and_nothing_else():
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}

    assert described == {(route.method, re.sub(r"\+}", "}", route.pattern.removeprefix("/api/v1"))) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=where)
def test_a_route_says_what_it_returns_and_names_only_errors_that_there_are(route):
    assert route.returns, f'{where(route)}: add returns="…", the name of a schema in chalicelib/api/schemas'
    for name in route.returns.values():
        assert name.strip("[]?") in {*SCHEMAS, *RAW}
    assert route.meta in SCHEMAS
    assert description.misspelt_codes(route) == set()


def test_every_schema_is_one_and_is_used():
    text = json.dumps({**DOCUMENT, "components": {**DOCUMENT["components"], "schemas": {}}})
    reachable, waiting = set(), re.findall(r"#/components/schemas/(\w+)", text)
    while waiting:
        name = waiting.pop()
        if name not in reachable:
            reachable.add(name)
            waiting += re.findall(r"#/components/schemas/(\w+)", json.dumps(SCHEMAS[name]))

    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
    # Those that stand inside of a text, where JSON has no say.
    assert set(SCHEMAS) - reachable == {"ProgressEvent"}


def test_operations_have_names_of_their_own():
    names = [one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()]

    assert len(names) == len(set(names))


def test_who_may_call_a_route_and_what_limits_it_are_told():
    assert DOCUMENT["paths"]["/health"]["get"]["security"] == [{}, {"token": []}]
    listed = DOCUMENT["paths"]["/admin/plugins"]["get"]
    assert listed["security"] == [{"token": ["plugins.view"]}]
    assert "`plugins.view`" in listed["description"]
    assert "429" in listed["responses"]
    assert "X-RateLimit-Remaining" in listed["responses"]["200"]["headers"]
    assert "PLUGIN_NOT_FOUND" in listed_codes("/admin/plugins/{slug}", "get", "404")


def listed_codes(path, method, status):
    name = DOCUMENT["paths"][path][method]["responses"][status]["$ref"].rpartition("/")[2]
    return DOCUMENT["components"]["responses"][name]["description"].split(", ")


def test_it_is_served_to_everybody_as_it_is_and_only_once_to_whoever_has_it(app):
    first = ask(app, "GET", "/api/v1/openapi.json")

    assert (first.status, first.headers["Content-Type"]) == (200, "application/json")
    assert json.loads(first.text) == DOCUMENT
    again = ask(app, "GET", "/api/v1/openapi.json", headers={"If-None-Match": f'"other", {first.headers["ETag"]}'})
    assert (again.status, again.text) == (304, "")
    assert ask(app, "GET", "/api/v1/openapi.json", headers={"If-None-Match": '"stale"'}).status == 200


def test_no_other_request_pays_for_it():
    """What a request imports is what its cold start costs."""
    import subprocess
    import sys

    code = (
        "import sys; from chalicelib.api import application; application.build().include_resource('plugins'); "
        "print([name for name in sys.modules if name.startswith('chalicelib.api.schemas') or name.endswith('.description')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@needs_document
def test_the_documents_examples_are_all_looked_at():
    assert len(examples()) == 29
    assert len(SHOWN) >= 24


@needs_document
@pytest.mark.parametrize("example", SHOWN, ids=lambda one: one.name)
def test_an_example_of_the_document_is_valid(example):
    operation = DOCUMENT["paths"][example.path][example.method.lower()]
    if not example.is_answer:
        schemas = [operation["requestBody"]["content"]["application/json"]["schema"]]
        if example.label == "Webhook Payload":
            schemas = [{"$ref": "#/components/schemas/WebhookPayload"}]
    else:
        answers = {status: conforming._resolved(one) for status, one in operation["responses"].items()}
        wanted = "45" if example.is_error else "2"
        schemas = [
            one["content"]["application/json"]["schema"] for status, one in answers.items() if status[0] in wanted and status != "202"
        ]

    faults = [
        [error.message for error in Draft202012Validator({**schema, "components": DOCUMENT["components"]}).iter_errors(example.value)]
        for schema in schemas
    ]

    assert [] in faults, faults
