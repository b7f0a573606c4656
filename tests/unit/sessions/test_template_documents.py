"""Documents in circulation, made whole."""

import pytest

from chalicelib.api.templates import CREATE_TEMPLATE
from chalicelib.core import validation
from chalicelib.core.errors import ValidationError
from chalicelib.sessions.template import check_template
from chalicelib.sessions.template_documents import completed
from chalicelib.sessions.yaml_documents import read_yaml

WHOLE = """
displayName: Blender
description: 3D
category: Design
baseImage: lscr.io/linuxserver/blender:latest
defaultResources: {memory: 4Gi, cpu: 2000m}
ports: [{name: vnc, containerPort: 3000, protocol: TCP}]
env: [{name: PUID, value: "1000"}]
tags: [3d]
"""
LEAST = """
displayName: Blender
baseImage: lscr.io/linuxserver/blender:latest
"""


def spec_of(text: str) -> dict:
    document = read_yaml(b"apiVersion: stream.space/v1alpha1\nkind: Template\nmetadata: {name: t}\nspec: {}\n")
    document["spec"] = read_yaml(text.encode())
    validation.check(CREATE_TEMPLATE, document)
    spec = completed(document["spec"])
    check_template("t", spec, at="spec.")
    return spec


def test_a_whole_document_stays_as_it_is():
    assert spec_of(WHOLE) == read_yaml(WHOLE.encode())


def test_what_the_custom_resource_does_not_ask_for_is_filled_in():
    assert spec_of(LEAST) == {
        "displayName": "Blender",
        "baseImage": "lscr.io/linuxserver/blender:latest",
        "description": "",
        "category": "Uncategorized",
        "defaultResources": {"memory": "2Gi", "cpu": "1000m"},
        "ports": [],
    }


VARIATIONS: dict[str, tuple[str, str, object]] = {
    "limits": (
        "defaultResources: {limits: {memory: 8Gi, cpu: 4}, requests: {memory: 2Gi}}",
        "defaultResources",
        {"limits": {"memory": "8Gi", "cpu": 4}, "requests": {"memory": "2Gi"}, "memory": "8Gi", "cpu": "4"},
    ),
    "requests": (
        "defaultResources: {requests: {memory: 2Gi}}",
        "defaultResources",
        {"requests": {"memory": "2Gi"}, "memory": "2Gi", "cpu": "1000m"},
    ),
    "numbers": ("defaultResources: {memory: 1Gi, cpu: 0.5}", "defaultResources", {"memory": "1Gi", "cpu": "0.5"}),
    "environment": (
        "env: [{name: A, value: 1000}, {name: B, value: true}, {name: C, value: null}, {name: D}]",
        "env",
        [{"name": "A", "value": "1000"}, {"name": "B", "value": "true"}, {"name": "C", "value": ""}, {"name": "D"}],
    ),
    "kasmvnc": ("kasmvnc: {enabled: true, port: 6901}", "ports", [{"name": "vnc", "containerPort": 6901, "protocol": "TCP"}]),
    "webapp": ("webapp: {enabled: true, port: 8080, path: /}", "ports", [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]),
    "vnc off": ("vnc: {enabled: false, port: 5900}", "ports", []),
    "unnamed port": ("ports: [{containerPort: 80}]", "ports", [{"containerPort": 80, "name": "port-80"}]),
    "unknown field": ("somethingNew: {deep: [1, {x: y}]}", "somethingNew", {"deep": [1, {"x": "y"}]}),
}


@pytest.mark.parametrize(("more", "field", "expected"), VARIATIONS.values(), ids=list(VARIATIONS))
def test_a_variation_is_understood_and_nothing_is_taken_away(more, field, expected):
    assert spec_of(LEAST + more)[field] == expected


def test_a_list_without_anything_is_no_list():
    assert "tags" not in spec_of(LEAST + "tags:\nports:\nenv:\n")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]", "spec.env.0.valueFrom"),
        ("ports: [{name: vnc, containerPort: 80, hostPort: 80}]", "spec.ports.0.hostPort"),
        ("securityContext: {privileged: true}", "spec.securityContext.privileged"),
        ("defaultResources: {memory: plenty}", "spec.defaultResources.memory"),
        ("ports: [{containerPort: 70000}]", "spec.ports.0.containerPort"),
    ],
    ids=["secrets of the cluster", "host port", "privileged", "no quantity", "no port"],
)
def test_what_sessions_do_not_get_is_refused_with_a_sentence_at_its_field(more, field):
    with pytest.raises(ValidationError) as refused:
        spec_of(LEAST + more)

    assert [len(sentence) > 10 for sentence in refused.value.details[field]] == [True]
