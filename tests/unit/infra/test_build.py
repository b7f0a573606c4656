"""What the build leaves out of the packages is not missed."""

import gzip
import json
import shutil
from pathlib import Path

import botocore
import botocore.session
import pytest

from chalicelib.core.aws import SERVICES
from infra.build import _compiled, _endpoints_of, _without_documentation

DATA = Path(botocore.__file__).parent / "data"
CALLS = {
    "dynamodb": ("list_tables", {}),
    "eks": ("list_clusters", {}),
    "iam": ("list_roles", {}),
    "kms": ("encrypt", {"KeyId": "k", "Plaintext": b"p"}),
    "lambda": ("invoke", {"FunctionName": "f"}),
    "logs": ("filter_log_events", {"logGroupName": "g"}),
    "s3": ("put_object", {"Bucket": "b", "Key": "k"}),
    "scheduler": ("list_schedules", {}),
    "ses": ("list_identities", {}),
    "sqs": ("list_queues", {}),
    "stepfunctions": ("list_executions", {"stateMachineArn": "a"}),
    "sts": ("get_caller_identity", {}),
}


@pytest.fixture(scope="module")
def lean_data(tmp_path_factory):
    """botocore's data as the deployment package carries it."""
    folder = tmp_path_factory.mktemp("data")
    prefixes = set()
    for name in ("partitions.json", "sdk-default-configuration.json", "_retry.json"):
        shutil.copy(DATA / name, folder)
    for service in SERVICES:
        shutil.copytree(DATA / service, folder / service)
        for packed in (folder / service).rglob("*.json.gz"):
            model = _without_documentation(json.loads(gzip.decompress(packed.read_bytes())))
            prefixes.add(model.get("metadata", {}).get("endpointPrefix"))
            packed.with_suffix("").write_text(json.dumps(model))
            packed.unlink()
    (folder / "endpoints.json").write_text(json.dumps(_endpoints_of(json.loads((DATA / "endpoints.json").read_text()), prefixes)))
    return folder


@pytest.fixture
def session(lean_data):
    found = botocore.session.Session()
    loader = found.get_component("data_loader")
    loader._search_paths[:] = [str(lean_data)]
    found.set_credentials("key", "secret")
    return found


class Sent(Exception):
    """Where to; raised in place of the sending."""


def sent(session, service, region):
    def stop(request, **_):
        raise Sent(request.method, request.url)

    client = session.create_client(service, region_name=region)
    client.meta.events.register("before-send", stop)
    operation, parameters = CALLS[service]
    with pytest.raises(Sent) as found:
        getattr(client, operation)(**parameters)
    return found.value.args


@pytest.mark.parametrize("region", ["eu-west-3", "cn-north-1"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_client_of_lean_models_calls_the_same_endpoint(session, service, region):
    whole = botocore.session.Session()
    whole.set_credentials("key", "secret")

    assert sent(session, service, region) == sent(whole, service, region)


def test_a_member_called_documentation_stays_in_its_model():
    model = {"documentation": "<p>Words</p>", "members": {"documentation": {"shape": "Text", "documentation": "more"}}}

    assert _without_documentation(model) == {"documentation": "", "members": {"documentation": {"shape": "Text", "documentation": ""}}}


def test_modules_are_compiled_to_the_same_bytes_each_time_and_know_where_they_will_lie():
    files = [("a.py", b"NAMES = {'x', 'y', 'z'}\n"), ("package/b.py", b"def f():\n    return 'x' in {'x', 'y'}\n"), ("c.txt", b"not code")]

    first, second = dict(_compiled(files, "/var/task")), dict(_compiled(files, "/var/task"))

    compiled = [name for name in first if name.endswith(".pyc")]
    assert first == second
    assert sorted(name.partition(".cpython")[0] for name in compiled) == ["__pycache__/a", "package/__pycache__/b"]
    assert all(b"/var/task" in first[name] for name in compiled)
    # Bit 0: by hash and not by time; bit 1 unset: not checked against the source. Source: PEP 552.
    assert {first[name][4:8] for name in compiled} == {b"\1\0\0\0"}


def test_a_source_that_cannot_be_compiled_is_shipped_as_it_is():
    assert dict(_compiled([("template.py", b"def {{ name }}():")], "/opt")) == {"template.py": b"def {{ name }}():"}
