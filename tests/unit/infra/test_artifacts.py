"""What is deployed: the same bytes each time, whole where it is needed, and light where a cold start pays for it."""

import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import botocore
import pytest

from chalicelib.core.aws import SERVICES
from infra import build

FILES = [("app.py", b"print()"), ("lib/native.so", b"\x7fELF"), ("lib/data.json", b"{}"), ("z/é.txt", "é".encode())]


def test_the_same_files_make_the_same_zip_under_the_same_name(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    shuffled = random.Random(1).sample(FILES, len(FILES))

    first = build.write_artifact(tmp_path / "a", "code", iter(FILES))
    second = build.write_artifact(tmp_path / "b", "code", iter(shuffled))

    assert first == second
    assert (tmp_path / "a" / first).read_bytes() == (tmp_path / "b" / second).read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == [first]


def test_another_content_or_path_makes_another_name(tmp_path):
    names = {
        build.write_artifact(tmp_path, "code", files)
        for files in (FILES, FILES[1:], [*FILES[1:], ("app.py", b"print(1)")], [*FILES[1:], ("app2.py", b"print()")])
    }

    assert len(names) == 4


def test_a_zip_holds_the_files_as_they_are_readable_by_everybody(tmp_path):
    name = build.write_artifact(tmp_path, "code", FILES)

    with zipfile.ZipFile(tmp_path / name) as archive:
        assert {one.filename: archive.read(one) for one in archive.infolist()} == dict(FILES)
        assert {one.external_attr >> 16 for one in archive.infolist()} == {0o644, 0o755}
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("files", [build._python_sdk_files, build._nodejs_sdk_files])
def test_a_layer_lies_where_lambda_looks_for_it(files):
    paths = [path for path, _ in files()]

    assert {path.split("/")[0] for path in paths} <= {"python", "nodejs"}
    assert any(path in ("python/streamspace/__init__.py", "nodejs/node_modules/streamspace/index.js") for path in paths)
    assert not any("/testing/" in path for path in paths), "the kit for plugins' tests is not for Lambda"
    assert not any("__pycache__" in path for path in paths)


def test_with_what_is_deployed_of_botocore_every_service_of_ours_can_be_called(tmp_path):
    """boto3 and botocore, less what the build leaves out, in a process that has nothing else of them."""
    packages = Path(botocore.__file__).parent.parent
    for package in ("botocore", "boto3"):
        for path in (packages / package).rglob("*"):
            name = path.relative_to(packages).as_posix()
            if path.is_file() and build.is_deployed(name):
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, tmp_path / name)
    kept = {path.name for path in (tmp_path / "botocore/data").iterdir() if path.is_dir()}
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import boto3, botocore, json\n"
        f"assert botocore.__file__.startswith({str(tmp_path)!r})\n"
        f"for service in {SERVICES!r}: boto3.client(service, region_name='us-east-1', aws_access_key_id='x', aws_secret_access_key='x')\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert kept == set(SERVICES)


def test_the_models_of_other_services_and_compiled_files_stay_out():
    assert not build.is_deployed("botocore/data/ec2/2016-11-15/service-2.json.gz")
    assert not build.is_deployed("boto3/data/ec2/2016-11-15/resources-1.json")
    assert not build.is_deployed("chalicelib/__pycache__/x.pyc")
    assert build.is_deployed("botocore/data/endpoints.json")
    assert build.is_deployed("botocore/data/dynamodb/2012-08-10/service-2.json.gz")
    assert build.is_deployed("chalicelib/plugins/manifest.schema.json")
    assert build.is_deployed("chalicelib/messaging/email_templates/welcome.html")


# What costs tens of milliseconds each, and what has no place on Lambda at all.
HEAVY = ("boto3", "jsonschema", "kubernetes", "argon2", "cryptography", "jinja2", "yaml", "moto", "aws_lambda_powertools", "chalice.cli")


def test_the_apis_cold_start_imports_nothing_heavy():
    program = f"import app, json, sys; print(json.dumps([one for one in {HEAVY!r} if one in sys.modules]))"

    done = subprocess.run([sys.executable, "-c", program], cwd=build.ROOT, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("worker", ["dispatch", "sessions", "jobs", "dead_letters", "sweeps"])
def test_importing_a_worker_touches_neither_environment_nor_aws(worker):
    """Nothing is set, and the network is not there."""
    program = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('a connection at import')\n"
        "socket.socket.connect = refuse\n"
        f"import chalicelib.workers.{worker}\n"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=build.ROOT, env={"PATH": ""}, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
