"""What may be asked of a session, and how a refusal reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import ValidationError
from chalicelib.sessions import options
from chalicelib.sessions.errors import InvalidImage
from chalicelib.sessions.images import check_image


def test_all_faults_are_told_at_once():
    with pytest.raises(ValidationError) as refused:
        options.check_create(
            {"user": "john", "resources": {"memory": "x", "cpu": "y"}, "idleTimeout": "z", "env": {"": "a"}, "state": "terminated"}
        )

    assert set(refused.value.details) == {"template", "resources.memory", "resources.cpu", "idleTimeout", "env.", "state"}


def test_what_the_document_shows_is_taken():
    options.check_create(
        {
            "user": "john",
            "template": "jupyter",
            "resources": {"memory": "4Gi", "cpu": "2000m"},
            "idleTimeout": "1h",
            "maxSessionDuration": "8h",
            "env": {"JUPYTER_TOKEN": "secret-token", "CUSTOM_VAR": "value"},
            "labels": {"team": "data", "example.com/cost-centre": "42", "empty": ""},
        }
    )


@given(st.from_regex(r"[-._a-zA-Z][-._a-zA-Z0-9]{0,30}", fullmatch=True).filter(lambda name: not name.startswith("..") and name != "."))
def test_names_that_kubernetes_takes_for_a_variable_are_taken(name):
    assert options.env_faults({name: "value"}) == {}


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "Ä", "..", ".", "..A", "A\n"])
def test_names_that_kubernetes_refuses_for_a_variable_are_refused(name):
    assert list(options.env_faults({name: "value"})) == [f"env.{name}"]


@pytest.mark.parametrize("key", ["", "a/b/c", "-a", "a" * 64, "UPPER.example/a", "/a", "kubernetes.io/a", "x.k8s.io/a", "a\n"])
def test_keys_that_no_label_of_a_session_can_have_are_refused(key):
    assert list(options.label_faults({key: "v"})) == [f"labels.{key}"]


@pytest.mark.parametrize(
    "reference",
    [
        "alpine",
        "alpine:3.20",
        "lscr.io/linuxserver/firefox:latest",
        "myregistry/myapp:latest",
        "localhost:5000/a/b_c/d--e.f:V1.0-x",
        "registry.example.com/app@sha256:" + "a" * 64,
        "[2001:db8::1]:5000/app:1",
    ],
)
def test_image_references_are_taken(reference):
    check_image(reference)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        " alpine",
        "Alpine",
        "alpine:",
        "a//b",
        "http://example.com/a",
        "a:tag:tag",
        "a@sha256:12",
        "-a",
        "a_",
        "alpine\n",
        "a" * 256,
        "a:" + "t" * 129,
    ],
)
def test_what_is_no_image_reference_is_refused(reference):
    with pytest.raises(InvalidImage):
        check_image(reference)
