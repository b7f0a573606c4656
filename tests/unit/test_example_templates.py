"""Each example template is a document that the platform and Kubernetes can take, and together they make a catalogue."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

FILES = sorted((Path(__file__).parents[2] / "examples" / "templates").glob("*.yaml"))
TEMPLATES = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}

DNS_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
QUANTITY = {"memory": r"[1-9][0-9]*(Mi|Gi)", "cpu": r"[1-9][0-9]*m?"}
# registry host, path, tag. Source: the OCI distribution specification, with a tag demanded.
IMAGE = r"[a-z0-9.-]+\.[a-z]+(/[a-z0-9]+([._-]{1,2}[a-z0-9]+)*)+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
CAPABILITIES = {"Network", "Audio", "Clipboard"}

each_template = pytest.mark.parametrize(("name", "template"), TEMPLATES.items(), ids=list(TEMPLATES))


@each_template
def test_it_has_the_shape_of_a_template(name, template):
    assert (template["apiVersion"], template["kind"]) == ("stream.space/v1alpha1", "Template")
    assert template["metadata"] == {"name": name}, "the file is called as the template is"
    assert re.fullmatch(DNS_LABEL, name)
    spec = template["spec"]
    assert set(spec) == {
        "displayName", "description", "category", "baseImage", "defaultResources", "ports", "env", "volumeMounts",
        "kasmvnc", "capabilities", "tags",
    }  # fmt: skip
    assert all(isinstance(spec[field], str) and spec[field] for field in ("displayName", "description", "category"))
    assert len(spec["description"]) <= 300
    assert spec["tags"] == list(dict.fromkeys(spec["tags"]))
    assert all(isinstance(tag, str) for tag in spec["tags"])
    assert set(spec["capabilities"]) <= CAPABILITIES


@each_template
def test_its_resources_image_and_ports_are_valid(name, template):
    spec = template["spec"]

    assert set(spec["defaultResources"]) == set(QUANTITY)
    for resource, grammar in QUANTITY.items():
        assert re.fullmatch(grammar, spec["defaultResources"][resource])
    assert re.fullmatch(IMAGE, spec["baseImage"])
    (port,) = spec["ports"]
    assert re.fullmatch(DNS_LABEL, port["name"])
    assert len(port["name"]) <= 15  # Kubernetes' limit for a port's name
    assert 1 <= port["containerPort"] <= 65535
    assert port["protocol"] == "TCP"
    assert spec["kasmvnc"] == {"enabled": port["name"] == "vnc", "port": port["containerPort"]}


@each_template
def test_its_environment_and_home_are_valid(name, template):
    spec = template["spec"]

    names = [variable["name"] for variable in spec["env"]]
    assert names == list(dict.fromkeys(names))
    assert all(re.fullmatch(r"[A-Z_][A-Z0-9_]*", variable) for variable in names)
    assert all(isinstance(variable["value"], str) for variable in spec["env"])
    assert [mount["name"] for mount in spec["volumeMounts"]] == ["user-home"]
    assert spec["volumeMounts"][0]["mountPath"].startswith("/")


def test_the_catalogue_is_broad():
    categories = Counter(template["spec"]["category"] for template in TEMPLATES.values())

    assert len(TEMPLATES) >= 32
    assert len(categories) >= 8
    assert len({template["spec"]["displayName"] for template in TEMPLATES.values()}) == len(TEMPLATES)


def test_the_examples_of_the_plugin_api_work():
    firefox = TEMPLATES["firefox-browser"]["spec"]

    assert firefox["displayName"] == "Firefox Web Browser"
    assert firefox["category"] == "Web Browsers"
    assert firefox["defaultResources"] == {"memory": "2Gi", "cpu": "1000m"}
    assert firefox["capabilities"] == ["Network", "Audio", "Clipboard"]
    assert {"vscode", "jupyter"} <= {name for name, template in TEMPLATES.items() if "development" in template["spec"]["tags"]}
