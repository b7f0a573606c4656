"""Plugins as people write them who never saw this platform's code: each installed as it is, and each doing its whole job."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Api, Refused, eventually
from tests.e2e.plugins import WrittenPlugin

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

FOLDER = Path(__file__).parent / "strangers"
TEMPLATE = "strangers-desk"


@pytest.fixture
def stranger(api: Api) -> Iterator[Any]:
    """``stranger("name")`` installs one of the folders; ``settings`` are changed before it is activated."""
    installed: list[str] = []

    def install(slug: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
        installed.append(slug)
        package = WrittenPlugin(slug, FOLDER / slug).package
        answer = api.ask("POST", "/admin/plugins/install", {"source": "upload", "package": package, "activate": settings is None})
        if answer.status == 202:
            job = api.finished(answer)
            assert job["status"] == "succeeded", job
        if settings is not None:
            api.put(f"/admin/plugins/{slug}/settings", {"settings": settings})
            api.post(f"/admin/plugins/{slug}/activate")
        found = api.plugin(slug)
        assert found["status"] == "active", found
        return found

    yield install
    for slug in installed:
        with suppress(Refused):
            api.uninstall(slug, backup=False)


@pytest.fixture(scope="module", autouse=True)
def template(api: Api) -> Iterator[None]:
    wanted = {"displayName": "Desk", "description": "A desk", "category": "Tests", "baseImage": "example.com/desk:1"}
    resources = {"defaultResources": {"memory": "64Mi", "cpu": "50m"}, "ports": [{"name": "vnc", "containerPort": 3000}]}
    api.post("/templates", {"name": TEMPLATE, **wanted, **resources})
    yield
    api.delete(f"/templates/{TEMPLATE}")


class Chat:
    """A chat's incoming webhook."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                chat.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/T0/B0"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def chat() -> Iterator[Chat]:
    opened = Chat()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def session_of(api: Api, user: Any) -> str:
    return str(api.post("/sessions", {"user": user.username, "template": TEMPLATE})["id"])


def schedule_of(account: Any, slug: str) -> Any:
    """The target of the plugin's only schedule."""
    scheduler = account.client("scheduler")
    pages = scheduler.get_paginator("list_schedules").paginate()
    (name,) = [one["Name"] for page in pages for one in page["Schedules"] if f"-plugin-{slug}_" in one["Name"]]
    return scheduler.get_schedule(Name=name)


def test_an_es_module_with_a_class_and_files_of_its_own(api, stranger, user):
    stranger("session-auditor")

    session_id = session_of(api, user)
    api.running(session_id)
    api.become(session_id, "hibernated")
    api.become(session_id, "running")

    whole = {"id": session_id, "what": ["created", "started", "hibernated", "woken"], "intact": True}
    eventually(lambda: api.run("audit", id=session_id) == whole, 60, lambda: str(api.run("audit", id=session_id)))
    logs = json.dumps(api.get("/admin/plugins/session-auditor/logs"))
    assert "auditor is ready" in logs


def test_a_webhook_integration_with_a_config_schema(api, stranger, user, chat):
    with pytest.raises(Refused) as refused:
        stranger("chat-relay", {"webhookUrl": "ftp://chat", "rateLimit": 1000})
    assert (refused.value.status, set(refused.value.details)) == (422, {"webhookUrl", "rateLimit"})
    api.uninstall("chat-relay", backup=False)
    stranger("chat-relay", {"webhookUrl": chat.url, "signingSecret": "s3cret", "rateLimit": 2})

    session_id = session_of(api, user)
    api.running(session_id)
    api.become(session_id, "hibernated")

    wanted = [f"{user.username} started {TEMPLATE}", f"{session_id} sleeps"]
    eventually(lambda: [one["text"] for one in chat.heard] == wanted, 60, lambda: str(chat.heard))
    assert {one["channel"] for one in chat.heard} == {"#sessions"}
    api.become(session_id, "running")
    api.running(session_id)
    api.become(session_id, "hibernated")
    logs = "/admin/plugins/chat-relay/logs"
    eventually(lambda: "Rate limit reached" in json.dumps(api.get(logs)), 60, lambda: json.dumps(api.get(logs)))
    assert len(chat.heard) == 2
    assert "s3cret" not in json.dumps([api.get(logs), api.get("/admin/plugins/chat-relay/settings"), api.plugin("chat-relay")])

    def ask(body: bytes, signature: str) -> Any:
        headers = {"X-Signature": signature, "Content-Type": "application/json"}
        return Api(api.url).raw("POST", "/api/v1/plugins/chat-relay/commands/status", body=body, headers=headers)

    body = b'{"user": "U1"}'
    answer = ask(body, "v0=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest())
    assert (answer.status, answer.json["response_type"]) == (200, "ephemeral")
    assert ask(body, "v0=forged").status == 401


def test_a_theme_that_is_only_data(api, stranger):
    found = stranger("midnight")

    (theme,) = [one for one in api.get("/ui/extensions")["themes"] if one["plugin"] == "midnight"]
    assert theme["dark"]["palette"]["background"] == {"default": "#0b1020"}
    for address in (found["icon"], *found["screenshots"]):
        assert Api(api.url).raw("GET", address).text.startswith("<svg")
    assert Api(api.url).raw("GET", "/plugins/midnight/ui/Stars.jsx").text.startswith("export default")


def test_tables_jobs_and_pages_of_the_manifest(api, account, stranger, user):
    stranger("time-ledger")

    session_id = session_of(api, user)
    api.running(session_id)
    api.become(session_id, "hibernated")
    (entry,) = eventually(lambda: api.run("ledger"), 60, "nothing was entered")
    assert (entry["user"], entry["closed"]) == (user.username, False)
    assert 0 <= entry["seconds"] < 60

    schedule = schedule_of(account, "time-ledger")
    assert schedule["ScheduleExpression"] == "cron(0 0 * * ? *)"
    target = schedule["Target"]
    account.client("lambda").invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=target["Input"])
    eventually(lambda: api.run("ledger")[0]["closed"], 60, "the day was not closed")

    pages = [item for item in api.get("/ui/extensions")["menuItems"] if item["plugin"] == "time-ledger"]
    assert [(page["label"], page["path"], page["component"]) for page in pages] == [("Time Ledger", "/admin/ledger", "Ledger")]
    mine = Api(api.url).log_in(user.username, user.password).get("/ui/extensions")
    assert [item for item in mine["menuItems"] if item["plugin"] == "time-ledger"] == []


def test_python_with_async_hooks_and_email_templates_of_its_own(api, account, stranger, user):
    stranger("mail-digest", {"signature": "Yours, the machines"})

    def noted() -> list[str]:
        return [one["id"] for one in account.stored_by("mail-digest").get(f"sessions/{user.username}", [])]

    # One after the other: events of two sessions may run at once, in two containers, and this author's lock is one container's.
    made = []
    for _ in range(2):
        made.append(session_of(api, user))
        eventually(lambda: noted() == made, 60, "it was not noted")

    assert api.run("digest", user=user.username) == 2
    (mail,) = account.mails_to(f"{user.username}@example.com")
    told = json.dumps(mail)
    assert "2 sessions" in told
    assert all(f"{one} ({TEMPLATE})" in told for one in made)
    assert "Yours, the machines" in told
    assert "<li>" in told
