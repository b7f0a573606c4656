"""A platform on which jobs really run: state machines on moto, a signed repository on loopback, functions that answer the protocol."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib import jobs, plugins
from chalicelib.accounts import Caller
from chalicelib.events import Actor
from chalicelib.marketplace import publication, publishers
from chalicelib.marketplace import repository as marketplace
from tests.integration.conftest import Functions
from tests.simulated_aws import let_state_machines_end

ADMIN = Caller("user", "admin", "Administrator", "admin", None)


# The faults that the test which runs has tried; at the end of a run there is a line about all of them (tests/conftest.py).
tried: list[str] = []


@pytest.fixture(autouse=True)
def _faults(request: pytest.FixtureRequest) -> Iterator[None]:
    tried.clear()
    yield
    request.node.user_properties += [("fault", fault) for fault in tried]


@dataclass
class Repository:
    """A plugin repository: publish into it, and it is served and signed."""

    folder: Path
    key: Ed25519PrivateKey
    plugins: dict[str, dict[str, Any]] = field(default_factory=dict)
    sequence: int = 0

    def publish(self, archive: bytes, *, publisher: Ed25519PrivateKey | None = None, **release: Any) -> str:
        """``release``: members that differ from the usual, such as ``released_at`` or ``is_security_update``."""
        manifest = json.loads(zipfile.ZipFile(io.BytesIO(archive)).read("manifest.json"))
        slug, version = manifest["name"], manifest["version"]
        (self.folder / "packages").mkdir(exist_ok=True)
        (self.folder / f"packages/{slug}-{version}.zip").write_bytes(archive)
        listing = self.plugins.setdefault(
            slug,
            {
                "slug": slug,
                "name": manifest.get("displayName", slug),
                "short_description": "",
                "description": "",
                "author": {"name": "A"},
                "homepage": None,
                "documentation": None,
                "icon": None,
                "category": "tests",
                "tags": [],
                "rating": None,
                "reviews_count": 0,
                "downloads": 0,
                "price": None,
                "is_premium": False,
                "releases": [],
            },
        )
        listing["releases"].insert(
            0,
            {
                "version": version,
                "released_at": "2026-01-02T03:04:05Z",
                "url": f"packages/{slug}-{version}.zip",
                "sha256": hashlib.sha256(archive).hexdigest(),
                "size_bytes": len(archive),
                "requirements": manifest.get("requirements", {}),
                "dependencies": manifest["dependencies"] if isinstance(manifest.get("dependencies"), list) else [],
                "libraries": list(manifest["dependencies"]) if isinstance(manifest.get("dependencies"), dict) else [],
                "scopes": manifest.get("permissions", []),
                "changelog": "",
                "is_security_update": False,
                **(_signed_by(publisher, slug, version, archive) if publisher else {}),
                **release,
            },
        )
        self.sign()
        return str(slug)

    def sign(self) -> None:
        self.sequence += 1
        files = publication.repository(self.plugins.values(), self.sequence, "2026-01-02T03:04:05Z")
        for path, content in files.items():
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_bytes(content)
        body = files["index.json"]
        (self.folder / "index.json.sig").write_bytes(base64.b64encode(self.key.sign(body)))
        marketplace.forget()


def public_key(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _signed_by(key: Ed25519PrivateKey, slug: str, version: str, archive: bytes) -> dict[str, str]:
    statement = publishers.statement(slug, version, hashlib.sha256(archive).hexdigest())
    return {"publisher": public_key(key), "publisher_signature": base64.b64encode(key.sign(statement)).decode()}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(tmp_path), **kwargs)

        def log_message(self, *_: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    key = Ed25519PrivateKey.generate()
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_PUBLIC_KEY", base64.b64encode(key.public_key().public_bytes_raw()).decode())
    yield Repository(tmp_path, key)
    server.shutdown()
    server.server_close()


def package(slug: str, version: str = "1.0.0", *, files: dict[str, str] | None = None, **manifest: Any) -> bytes:
    """A small, right package, with these files beside its own."""
    document = {
        "name": slug,
        "version": version,
        "displayName": slug.title(),
        "description": "For tests",
        "author": "A",
        "type": "extension",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("manifest.json", json.dumps({**document, **manifest}))
        archive.writestr("index.js", "module.exports = {};")
        archive.writestr("assets/icon.svg", "<svg/>")
        for path, text in (files or {}).items():
            archive.writestr(path, text)
    return content.getvalue()


def migrations(*steps: list[dict[str, Any]]) -> dict[str, str]:
    """Files of migrations with these operations, for :func:`package`."""
    return {f"migrations/{number:04d}_step.json": json.dumps({"up": up}) for number, up in enumerate(steps, start=1)}


NOTES = [
    {"op": "create_table", "table": "notes", "key": {"partition": "id"}, "indexes": [{"name": "by_kind", "partition": "kind"}]},
    {"op": "put_items", "table": "notes", "items": [{"id": "first", "kind": "welcome"}]},
]
RENAMED = [{"op": "rename_attribute", "table": "notes", "from": "kind", "to": "sort"}]


class Platform:
    """What a test does and sees."""

    def __init__(self, doors: Any, functions: Functions, bucket: str) -> None:
        self.aws = doors
        self.functions = functions
        self.bucket = bucket
        # What each plugin's function answers to ``load``.
        self.loads: dict[str, dict[str, Any]] = {}
        functions.answer("test-job-step", lambda event: jobs.run_step(event) or {})
        functions.answer("test-plugin-.*", self._plugin)

    def _plugin(self, event: dict[str, Any]) -> dict[str, Any]:
        slug = self.functions.calls[-1][0].removeprefix("test-plugin-")
        if event["kind"] == "load":
            return self.loads.get(slug, {"ok": True, "registered": {"hooks": ["session.created"], "commands": []}})
        return {"ok": True}

    def install(self, slug: str, *, activate: bool = True, **request: Any) -> jobs.Job:
        job = jobs.start_install({"source": "marketplace", "slug": slug, "activate": activate, **request}, actor=ADMIN.actor)
        return jobs.wait_for_end(job.id, patience_s=60)

    def told(self, job: jobs.Job) -> list[jobs.News]:
        """All that is told of a job which has ended: that comes a moment before its end is told."""
        let_state_machines_end()
        return jobs.wait_for_news(job.id, "") or []

    def update(self, slug: str, **request: Any) -> jobs.Job:
        job = jobs.start_update(slug, request, actor=ADMIN.actor)
        return jobs.wait_for_end(job.id, patience_s=60)

    def uninstall(self, slug: str, *, keep_data: bool = False, backup: bool = True) -> jobs.Job:
        job = jobs.start_uninstall(slug, keep_data=keep_data, backup=backup, actor=Actor("admin", "Administrator"))
        return jobs.wait_for_end(job.id, patience_s=60)

    def left_over(self) -> dict[str, list[str]]:
        """Every resource, object and row that belongs to plugins, by kind; kinds of which there is nothing are left out."""
        client = self.aws.client
        found = {
            "functions": [
                one["FunctionName"] for one in client("lambda").list_functions()["Functions"] if "-plugin-" in one["FunctionName"]
            ],
            "mappings": [one["UUID"] for one in client("lambda").list_event_source_mappings()["EventSourceMappings"]],
            "queues": [url for url in client("sqs").list_queues().get("QueueUrls", []) if "-plugin-" in url],
            "roles": [one["RoleName"] for one in client("iam").list_roles()["Roles"] if "-plugin-" in one["RoleName"]],
            "schedules": [one["Name"] for one in client("scheduler").list_schedules()["Schedules"]],
            "log_groups": [one["logGroupName"] for one in client("logs").describe_log_groups()["logGroups"]],
            "objects": [one["Key"] for one in client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", [])],
            "installed": [one.slug for one in plugins.all_installed()],
            "rows": [f"{row['pk']['S']} {row['sk']['S']}" for row in self._rows("RuntimeTable")],
            "locks": [row["pk"]["S"] for row in self._rows("PluginsTable") if row["pk"]["S"].startswith("LOCK#")],
            "seats": [row["sk"]["S"] for row in self._rows("LicensesTable") if row["pk"]["S"] == "RETURNS"],
            "tokens": [row["pk"]["S"] for row in self._rows("AccountsTable")],
        }
        return {kind: sorted(names) for kind, names in found.items() if names}

    def _rows(self, table: str) -> list[dict[str, Any]]:
        return self.aws.client("dynamodb").scan(TableName=f"test-{table}")["Items"]  # type: ignore[no-any-return]


@pytest.fixture
def platform(aws: Any, functions: Functions, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    from moto.core.config import default_user_config

    monkeypatch.setitem(default_user_config, "lambda", {"use_docker": False})
    monkeypatch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
    # A job takes a second here, and looking costs nothing.
    monkeypatch.setattr(jobs.service, "_LONGEST_PAUSE_S", 0.1)
    client = aws.client
    bucket = "test-packages"
    client("s3").create_bucket(Bucket=bucket)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = client("iam").create_role(RoleName="test-anything", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}]}
    boundary = client("iam").create_policy(PolicyName="test-boundary", PolicyDocument=json.dumps(anything))["Policy"]["Arn"]
    dead = client("sqs").create_queue(QueueName="test-dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    dead_arn = client("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    layers = {}
    for name in ("python", "nodejs"):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("sdk", "sdk")
        layers[name] = client("lambda").publish_layer_version(LayerName=name, Content={"ZipFile": content.getvalue()})["LayerVersionArn"]
    _function(client, "test-job-step", role)
    arn = ""
    for saga in jobs.SAGAS.values():
        worker = client("lambda").get_function_configuration(FunctionName="test-job-step")["FunctionArn"]
        made = client("stepfunctions").create_state_machine(
            name=f"test-{saga.name}", definition=json.dumps(saga.state_machine(worker)), roleArn=role
        )
        arn = made["stateMachineArn"].removesuffix(saga.name)
    for name, value in {
        "PACKAGES_BUCKET": bucket,
        "STATE_MACHINES": arn,
        "PLUGIN_BOUNDARY_ARN": boundary,
        "PLUGIN_DEAD_LETTER_QUEUE_ARN": dead_arn,
        "SCHEDULER_ROLE_ARN": role,
        "SECRETS_KEY_ID": key,
        "PYTHON_SDK_LAYER": layers["python"],
        "NODEJS_SDK_LAYER": layers["nodejs"],
        "API_URL": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(f"STREAMSPACE_{name}", value)
    yield Platform(aws, functions, bucket)
    let_state_machines_end()


def _function(client: Callable[[str], Any], name: str, role: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "")
    client("lambda").create_function(
        FunctionName=name, Runtime="python3.12", Handler="app.x", Role=role, Code={"ZipFile": content.getvalue()}
    )
