"""The API is put together piece by piece, as requests ask for it: what is left out at first must be found when it is needed."""

import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from chalicelib import api
from chalicelib.api.application import RESOURCES, build
from chalicelib.api.http import Routes
from chalicelib.api.routing import BASE_PATH

ROOT = Path(__file__).parents[3]


def modules_with_routes():
    names = [found.name for found in pkgutil.iter_modules(api.__path__)]
    return [name for name in names if isinstance(getattr(import_module(f"chalicelib.api.{name}"), "routes", None), Routes)]


def request(method, path):
    answer = build()({"httpMethod": method, "path": path, "headers": {}, "requestContext": {}}, None)
    return answer["statusCode"], json.loads(answer["body"])


def test_every_module_of_routes_is_a_resource():
    assert sorted(modules_with_routes()) == sorted(RESOURCES)


@pytest.mark.parametrize("module", RESOURCES)
def test_the_heads_of_a_resource_are_those_of_its_routes(module):
    routes = import_module(f"chalicelib.api.{module}").routes

    heads = {route.pattern.removeprefix(BASE_PATH).strip("/").partition("/")[0] for route in routes.declared}

    assert heads == set(RESOURCES[module])


def test_each_route_is_there_when_its_path_is_the_first_that_is_asked_for():
    everything = build().include_everything().declared

    found = {}
    for pattern, methods in everything.items():
        application = build()
        application({"httpMethod": "TRACE", "path": pattern, "headers": {}, "requestContext": {}}, None)
        found[pattern] = set(application.declared.get(pattern, ()))
        assert found[pattern] == set(methods)


@pytest.mark.parametrize("path", ["/api/v1/nothing/here", "/api/v1", "/", "/api/v1/adminx/plugins", "/sessions"])
def test_an_unknown_path_is_not_found(path):
    status, body = request("GET", path)

    assert (status, body["error"]["code"]) == (404, "NOT_FOUND")


def test_a_wrong_method_is_told_which_ones_there_are_in_all_modules():
    status, body = request("PUT", "/api/v1/users/john")

    # DELETE is of the sessions' module, the others are of the users'.
    assert (status, body["error"]["details"]["allowed"]) == (405, ["DELETE", "GET", "PATCH"])


def test_starting_the_api_loads_no_part_of_the_platform_that_no_request_has_asked_for():
    """Each costs every cold start what it takes to load; `make bench` shows how much."""
    loaded = "import app, json, sys; print(json.dumps(sorted(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    parts = {name.split(".")[1] for name in json.loads(said) if name.startswith("chalicelib.")}
    heavy = {"boto3", "jsonschema", "argon2", "cryptography", "jinja2", "yaml", "kubernetes", "aws_lambda_powertools"}

    assert parts == {"core", "events", "accounts", "api"}
    assert not heavy & set(json.loads(said))
