"""What each command asks of the platform, prints, and ends with."""

import base64
import json
import socket
import zipfile

import pytest

from cli.main import cli
from cli.publishing import generate_key

INSTALL = "POST /admin/plugins/install"
PROGRESS = "GET /admin/plugins/install/j1/progress"
JOB = {"job_id": "j1", "kind": "install", "slug": "a-plugin", "status": "queued"}
STARTED = {**JOB, "links": {"progress": "/api/v1/admin/plugins/install/j1/progress"}}
SESSION = {
    "id": "john-vscode", "user": "john", "template": "vscode", "state": "running",
    "resources": {"memory": "4Gi", "cpu": "2000m"}, "url": "https://john-vscode.streamspace.local",
}  # fmt: skip


def sse(*events):
    return "".join(f"id: {n}\nevent: {name}\ndata: {json.dumps(data)}\n\n" for n, (name, data) in enumerate(events)).encode()


def all_commands(group=cli, words=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, (*words, name))
        else:
            yield (*words, name)


# All of them


@pytest.mark.parametrize("words", list(all_commands()), ids=" ".join)
def test_every_command_explains_itself(streamspace, words):
    result = streamspace(*words, "--help")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 3


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("plugins", "nonsense"),
        ("plugins", "install"),
        ("plugins", "install", "a-plugin", "--upload", "missing.zip"),
        ("plugins", "settings", "a-plugin", "no-equals-sign"),
        ("sessions", "create"),
        ("commands", "run", "x", "--args", "{"),
        ("commands", "run", "x", "a=1", "--args", "{}"),
        ("publish", "missing.zip"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_exit_code_2_and_reaches_no_platform(streamspace, platform, words):
    result = streamspace(*words)

    assert result.exit_code == 2
    assert platform.received == []


@pytest.mark.parametrize(
    ("words", "request_", "data"),
    [
        (("plugins", "list"), "GET /admin/plugins", [{"slug": "a-plugin", "status": "active"}]),
        (
            ("plugins", "show", "a-plugin"),
            "GET /admin/plugins/a-plugin",
            {"slug": "a-plugin", "author": {"name": "Ann"}},
        ),
        (("plugins", "events", "a-plugin"), "GET /admin/plugins/a-plugin/events", [{"id": 1, "event": "activated"}]),
        (("plugins", "logs", "a-plugin"), "GET /admin/plugins/a-plugin/logs", [{"message": "hello"}]),
        (
            ("plugins", "dead-letters", "a-plugin"),
            "GET /admin/plugins/a-plugin/events/dead-letters",
            [{"event_id": 7, "error": {"message": "boom"}}],
        ),
        (("plugins", "dependencies", "a-plugin"), "GET /admin/plugins/a-plugin/dependencies", {"dependencies": []}),
        (
            ("plugins", "settings", "a-plugin"),
            "GET /admin/plugins/a-plugin/settings",
            {"schema": {}, "values": {"a": 1}},
        ),
        (("marketplace", "search"), "GET /admin/plugins/marketplace", [{"slug": "a-plugin", "is_installed": False}]),
        (("jobs", "show", "j1"), "GET /admin/jobs/j1", {**JOB, "progress": 40}),
        (("sessions", "list"), "GET /sessions", [SESSION]),
        (("sessions", "show", "john-vscode"), "GET /sessions/john-vscode", SESSION),
        (("users", "list"), "GET /users", [{"username": "john"}]),
        (("users", "show", "john"), "GET /users/john", {"username": "john", "quotas": {"maxSessions": 5}}),
        (("templates", "list"), "GET /templates", [{"name": "vscode"}]),
        (("templates", "show", "vscode"), "GET /templates/vscode", {"name": "vscode", "ports": [], "env": []}),
        (("commands", "list"), "GET /commands", [{"name": "sync", "description": "Sync"}]),
        (("notifications", "list"), "GET /notifications", [{"id": "n1", "title": "Hello", "read": False}]),
        (
            ("dialogs", "list"),
            "GET /dialogs",
            [
                {
                    "id": "d1",
                    "title": "T",
                    "message": "M",
                    "from": {"name": "p"},
                    "buttons": [{"label": "OK", "value": True}],
                    "expiresAt": "t",
                }
            ],
        ),
        (("whoami",), "GET /auth/me", {"username": "john"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_json_is_the_apis_own_and_the_table_shows_it(streamspace, platform, words, request_, data):
    platform.answers(request_, data)

    as_json, as_table = streamspace(*words, "--json"), streamspace(*words)

    assert (as_json.exit_code, as_table.exit_code) == (0, 0)
    assert json.loads(as_json.stdout) == data
    assert as_table.stdout.strip()
    assert platform.received[0].headers["Authorization"] == "Bearer ss_test"


@pytest.mark.parametrize("words", [("plugins", "list"), ("sessions", "list"), ("commands", "list")], ids=" ".join)
def test_nothing_is_an_empty_list_or_a_sentence(streamspace, platform, words):
    for path in ("/admin/plugins", "/sessions", "/commands"):
        platform.answers(f"GET {path}", [])

    assert json.loads(streamspace(*words, "--json").stdout) == []
    assert streamspace(*words).stdout.endswith(".\n")


def test_a_table_is_readable(streamspace, platform):
    platform.answers("GET /sessions", [SESSION, {**SESSION, "id": "jane-gimp", "user": "jane", "url": None}])

    assert streamspace("sessions", "list").stdout.splitlines() == [
        "ID           USER  TEMPLATE  STATE    MEMORY  CPU    URL                                    LAST ACTIVITY",
        "john-vscode  john  vscode    running  4Gi     2000m  https://john-vscode.streamspace.local  -",
        "jane-gimp    jane  vscode    running  4Gi     2000m  -                                      -",
    ]


# Failures


def test_a_refusal_is_code_message_and_each_field(streamspace, platform):
    platform.answers("GET /admin/plugins/a-plugin/settings", {"schema": {"fields": []}, "values": {}})
    platform.refuses(
        "PUT /admin/plugins/a-plugin/settings",
        "VALIDATION_ERROR",
        "The given data was invalid",
        status=422,
        details={"invoice_prefix": ["The invoice prefix must not exceed 10 characters"], "days": ["Too few", "Odd"]},
    )

    result = streamspace("plugins", "settings", "a-plugin", "invoice_prefix=INVOICE-2026-")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "VALIDATION_ERROR: The given data was invalid",
        "  invoice_prefix: The invoice prefix must not exceed 10 characters",
        "  days: Too few",
        "  days: Odd",
    ]


def test_details_that_are_objects_are_shown_too(streamspace, platform):
    missing = [{"slug": "pdf-generator", "required_version": "^2.0.0", "status": "not_installed"}]
    platform.refuses(
        "POST /admin/plugins/a-plugin/activate",
        "DEPENDENCIES_NOT_MET",
        "Cannot activate plugin: dependencies not satisfied",
        status=422,
        details={"missing_dependencies": missing},
    )

    assert "pdf-generator" in streamspace("plugins", "activate", "a-plugin").stderr


def test_no_answer_says_which_url(streamspace, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("STREAMSPACE_API_URL", url)

    result = streamspace("plugins", "list")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"NETWORK_ERROR: No answer from GET {url}/api/v1/admin/plugins?")
    assert "Connection refused" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("url", ["http://nosuchhost.invalid", "not-a-url", "ftp://x", "http://[::1", "http://x:99999"])
def test_an_address_that_leads_nowhere_is_a_failure_like_any_other(streamspace, monkeypatch, url):
    monkeypatch.setenv("STREAMSPACE_API_URL", url)

    result = streamspace("plugins", "list")

    assert result.exit_code == 1
    assert "NETWORK_ERROR" in result.stderr
    assert url in result.stderr


@pytest.mark.parametrize("content", [b"<html>Bad gateway</html>", b"[]", b"\xff", b'"text"'])
def test_what_is_no_answer_of_the_api_is_not_taken_for_one(streamspace, platform, content):
    platform.answers_raw("GET /admin/plugins", content, status=502)

    result = streamspace("plugins", "list")

    assert result.exit_code == 1
    assert "NETWORK_ERROR" in result.stderr
    assert "502" in result.stderr


def test_a_redirect_does_not_carry_the_token_away(streamspace, platform):
    platform.answers_raw("GET /admin/plugins", b"", status=302, Location=f"{platform.url}/elsewhere")

    assert streamspace("plugins", "list").exit_code == 1
    assert len(platform.received) == 1


def test_a_rate_limit_is_waited_for(streamspace, platform, waited):
    platform.refuses("GET /sessions", "RATE_LIMITED", "Too many", status=429, Retry_After="7")
    platform.answers("GET /sessions", [SESSION])

    result = streamspace("sessions", "list", "--json")

    assert json.loads(result.stdout) == [SESSION]
    assert waited == [7.0]
    assert "7 s" in result.stderr


def test_a_rate_limit_that_lasts_is_an_error(streamspace, platform, waited):
    platform.refuses("GET /sessions", "RATE_LIMITED", "Too many", status=429, Retry_After="3600")

    assert "RATE_LIMITED" in streamspace("sessions", "list").stderr
    assert waited == []


# Lists that go on


def test_pages_are_read_to_the_end(streamspace, platform):
    platform.answers("GET /admin/plugins", [{"slug": "a"}], meta={"current_page": 1, "total_pages": 2})
    platform.answers("GET /admin/plugins", [{"slug": "b"}], meta={"current_page": 2, "total_pages": 2})

    result = streamspace("plugins", "list", "--status", "active", "--json")

    assert [each["slug"] for each in json.loads(result.stdout)] == ["a", "b"]
    assert [each.query for each in platform.received] == [
        {"status": "active", "per_page": "100"},
        {"status": "active", "per_page": "100", "page": "2"},
    ]


def test_cursors_are_followed_to_the_end(streamspace, platform):
    platform.answers("GET /sessions", [{"id": "a"}], meta={"next_cursor": "c1"})
    platform.answers("GET /sessions", [{"id": "b"}], meta={"next_cursor": None})

    result = streamspace("sessions", "list", "--user", "john", "--json")

    assert [each["id"] for each in json.loads(result.stdout)] == ["a", "b"]
    assert [each.query.get("cursor") for each in platform.received] == [None, "c1"]


def test_a_limit_ends_the_reading(streamspace, platform):
    platform.answers("GET /notifications", [{"id": str(n)} for n in range(50)], meta={"next_cursor": "more"})

    result = streamspace("notifications", "list", "--limit", "60", "--unread", "--json")

    assert len(json.loads(result.stdout)) == 60
    assert len(platform.received) == 2
    assert platform.received[0].query["unread"] == "true"


# Plugins


def test_an_install_is_followed_to_its_end(streamspace, platform):
    platform.answers(INSTALL, STARTED, status=202)
    platform.answers_raw(PROGRESS, sse(("progress", {"step": "downloading", "progress": 25, "message": "Downloading plugin..."})))
    platform.answers_raw(
        PROGRESS,
        sse(("complete", {"success": True, "plugin": {"slug": "a-plugin", "version": "1.2.0", "status": "active"}})),
    )

    result = streamspace("plugins", "install", "a-plugin", "--version", "1.2.0", "--license-key", "K")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "[ 25 %] downloading    Downloading plugin...",
        "Installed a-plugin 1.2.0, active",
    ]
    assert platform.received[0].headers["Prefer"] == "respond-async"
    assert platform.received[0].body == {
        "source": "marketplace", "slug": "a-plugin", "version": "1.2.0", "activate": True, "license_key": "K",
    }  # fmt: skip


def test_an_install_with_json_prints_the_result_alone(streamspace, platform):
    platform.answers(INSTALL, {**JOB}, status=202, links={"progress": "/api/v1/admin/plugins/install/j1/progress"})
    platform.answers_raw(PROGRESS, sse(("progress", {"progress": 1}), ("complete", {"success": True, "plugin": {}})))

    result = streamspace("plugins", "install", "a-plugin", "--json")

    assert json.loads(result.stdout) == {"success": True, "plugin": {}, "job_id": "j1"}
    assert "[  1 %]" in result.stderr


def test_an_install_that_was_done_in_time_is_shown_at_once(streamspace, platform):
    platform.answers(
        INSTALL,
        {
            "plugin": {"slug": "a-plugin", "version": "1.0.0", "status": "inactive"},
            "installation": {"dependencies_installed": ["pdf-generator"]},
        },
    )

    result = streamspace("plugins", "install", "a-plugin", "--no-activate")

    assert result.stdout == "Installed a-plugin 1.0.0, inactive; with pdf-generator\n"
    assert platform.received[0].body["activate"] is False


def test_a_failed_install_says_what_failed_and_where(streamspace, platform):
    platform.answers(INSTALL, STARTED, status=202)
    error = {"step": "activating", "code": "PLUGIN_FAILED_TO_LOAD", "message": "API key is required", "details": {}}
    platform.answers_raw(PROGRESS, sse(("failed", {"success": False, "error": error, "left": []})))

    result = streamspace("plugins", "install", "a-plugin")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "PLUGIN_FAILED_TO_LOAD: API key is required",
        "  step: activating",
        "  job: j1",
    ]


@pytest.mark.parametrize("data", [{}, {"error": "It broke"}, "text", None])
def test_a_failure_in_an_unknown_form_is_a_failure(streamspace, platform, data):
    platform.answers(INSTALL, STARTED, status=202)
    platform.answers_raw(PROGRESS, sse(("failed", data)))

    result = streamspace("plugins", "install", "a-plugin")

    assert result.exit_code == 1
    assert result.stderr.startswith("JOB_FAILED: ")


def test_a_large_package_is_uploaded_first_without_the_token_and_named(streamspace, platform, home):
    content = b"PK" + bytes(4_000_000)
    (home / "big.zip").write_bytes(content)
    place = {
        "upload_id": "upload_1",
        "url": f"{platform.url}/api/v1/bucket/key?X-Amz-Signature=secret",
        "method": "PUT",
        "headers": {"X-Size": "4"},
    }
    platform.answers("POST /admin/plugins/install/uploads", place, status=201)
    platform.answers("PUT /bucket/key", {})
    platform.answers(INSTALL, {"plugin": {"slug": "big", "version": "1.0.0", "status": "active"}})

    assert streamspace("plugins", "install", "--file", "big.zip").exit_code == 0

    asked, sent, installed = platform.received
    assert asked.body == {"size_bytes": len(content)}
    assert (sent.content, sent.headers.get("Authorization"), sent.headers["X-Size"]) == (content, None, "4")
    assert installed.body == {"source": "upload", "upload_id": "upload_1", "activate": True}


def test_an_upload_that_the_bucket_refuses_is_said_without_its_signature(streamspace, platform, home):
    (home / "big.zip").write_bytes(b"PK" + bytes(4_000_000))
    place = {"upload_id": "upload_1", "url": f"{platform.url}/api/v1/bucket/key?X-Amz-Signature=secret", "method": "PUT", "headers": {}}
    platform.answers("POST /admin/plugins/install/uploads", place, status=201)
    platform.answers("PUT /bucket/key", {}, status=403)

    result = streamspace("plugins", "install", "--file", "big.zip")

    assert result.exit_code == 1
    assert "403" in result.output
    assert "secret" not in result.output


def test_an_upload_sends_the_package(streamspace, platform, home):
    (home / "a.zip").write_bytes(b"PK")
    platform.answers(INSTALL, {"plugin": {"slug": "a-plugin", "version": "1.0.0", "status": "active"}})

    assert streamspace("plugins", "install", "--upload", "a.zip").exit_code == 0
    assert platform.received[0].body == {
        "source": "upload", "package": base64.b64encode(b"PK").decode(), "activate": True,
    }  # fmt: skip


def test_settings_are_sent_as_what_their_fields_are(streamspace, platform):
    kinds = {
        "on": "boolean",
        "days": "integer",
        "prefix": "text",
        "tags": "multiselect",
        "more": "json",
        "odd": "integer",
    }
    fields = [{"key": key, "type": kind} for key, kind in kinds.items()]
    platform.answers("GET /admin/plugins/a-plugin/settings", {"schema": {"fields": fields}, "values": {}})
    platform.answers("PUT /admin/plugins/a-plugin/settings", {"prefix": "7"})

    result = streamspace(
        "plugins",
        "settings",
        "a-plugin",
        "on=no",
        "days=14",
        "prefix=7",
        "tags=a, b",
        'more={"x": 1}',
        "odd=many",
        "new=x=y",
    )

    assert result.exit_code == 0
    assert platform.received[1].body == {
        "settings": {
            "on": False, "days": 14, "prefix": "7", "tags": ["a", "b"], "more": {"x": 1}, "odd": "many", "new": "x=y",
        }
    }  # fmt: skip


def test_the_dependencies_are_a_tree(streamspace, platform):
    reports = {
        "slug": "core-reports",
        "version_constraint": "^1.0.0",
        "installed_version": "1.0.0",
        "status": "satisfied",
    }
    finance = {
        "slug": "core-finance", "version_constraint": "^1.5.0", "installed_version": None, "status": "not_installed",
        "is_optional": True, "dependencies": [reports],
    }  # fmt: skip
    dependents = [{"slug": "billing", "name": "Billing", "requires": "^2.0.0"}]
    platform.answers("GET /admin/plugins/a-plugin/dependencies", {"dependencies": [finance], "dependents": dependents})

    assert streamspace("plugins", "dependencies", "a-plugin").stdout.splitlines() == [
        "Needs:",
        "  core-finance ^1.5.0: not installed, not_installed, optional",
        "    core-reports ^1.0.0: 1.0.0, satisfied",
        "Needed by:",
        "  billing (^2.0.0)",
    ]


def test_an_uninstall_asks_waits_for_its_job_and_names_the_backup(streamspace, platform, waited):
    platform.answers("DELETE /admin/plugins/a-plugin", {**STARTED, "kind": "uninstall"}, status=202)
    platform.answers_raw(PROGRESS, sse(("progress", {"step": "backing-up", "progress": 35})))
    platform.answers_raw(PROGRESS, sse(("complete", {"success": True, "slug": "a-plugin", "backup_path": "/backups/plugins/a.zip"})))

    platform.answers("GET /admin/plugins/a-plugin/data", {"keys": 2, "bytes": 1_500_000, "tables": [{"name": "visits", "items": 1}]})

    refused = streamspace("plugins", "uninstall", "a-plugin", typed="n\n")
    assert (refused.exit_code, [one.method for one in platform.received]) == (1, ["GET"])
    assert "with them 2 stored values, the table visits (1 item): 1.5 MB in all" in refused.stderr
    platform.received.clear()

    result = streamspace("plugins", "uninstall", "a-plugin", "--keep-data", typed="y\n")

    assert result.exit_code == 0
    assert result.stdout == "Uninstalled a-plugin; the backup is /backups/plugins/a.zip\n"
    assert platform.received[0].query == {"keep_data": "true", "backup": "true"}
    assert platform.received[0].headers["Prefer"] == "respond-async"
    assert waited == [1.0]


def test_an_uninstall_that_fails_says_why(streamspace, platform):
    platform.answers("DELETE /admin/plugins/a-plugin", STARTED, status=202)
    error = {"code": "UNINSTALLATION_FAILED", "message": "No backup could be made", "step": "backup", "left": ["queue"]}
    platform.answers_raw(PROGRESS, sse(("failed", {"success": False, "error": error})))

    result = streamspace("plugins", "uninstall", "a-plugin", "--yes", "--no-backup")

    assert result.exit_code == 1
    assert "UNINSTALLATION_FAILED: No backup could be made" in result.stderr
    assert "left behind: queue" in result.stderr


def test_an_uninstall_that_was_done_in_time_shows_its_result(streamspace, platform):
    result_data = {"slug": "a-plugin", "backup_path": "/backups/plugins/a.zip", "data_removed": True}
    platform.answers("DELETE /admin/plugins/a-plugin", result_data)

    result = streamspace("plugins", "uninstall", "a-plugin", "--yes")

    assert result.stdout == "Uninstalled a-plugin; the backup is /backups/plugins/a.zip\n"


BACKUPS = [
    {"backup_path": "/backups/plugins/a-2.zip", "version": "2.0.0", "made_at": "2026-01-02T03:04:05Z", "size_bytes": 2_100},
    {"backup_path": "/backups/plugins/a-1.zip", "version": "1.0.0", "made_at": "2026-01-01T03:04:05Z", "size_bytes": 7},
]


def test_backups_are_listed(streamspace, platform):
    platform.answers("GET /admin/plugins/a-plugin/backups", BACKUPS)

    lines = streamspace("plugins", "backups", "a-plugin").stdout.splitlines()

    assert [line.split() for line in lines[1:]] == [
        ["/backups/plugins/a-2.zip", "2.0.0", "2026-01-02T03:04:05Z", "2", "KB"],
        ["/backups/plugins/a-1.zip", "1.0.0", "2026-01-01T03:04:05Z", "7", "bytes"],
    ]


def test_a_restoration_takes_the_newest_backup_or_the_named_one_and_asks_first(streamspace, platform, waited):
    platform.answers("GET /admin/plugins/a-plugin/backups", BACKUPS)
    platform.answers("POST /admin/plugins/a-plugin/restore", {**STARTED, "kind": "restore"}, status=202)
    platform.answers_raw(PROGRESS, sse(("complete", {"success": True, "slug": "a-plugin"})))

    result = streamspace("plugins", "restore", "a-plugin", typed="y\n")

    assert result.stdout == "Restored a-plugin from /backups/plugins/a-2.zip\n"
    assert platform.received[1].body == {"backup_path": "/backups/plugins/a-2.zip"}
    platform.received.clear()
    assert streamspace("plugins", "restore", "a-plugin", "/backups/plugins/a-1.zip", typed="n\n").exit_code == 1
    assert platform.received == []


def test_replaying_one_or_all_dead_letters(streamspace, platform):
    platform.answers("POST /admin/plugins/a-plugin/events/replay", {"replayed": 1, "has_more": False})

    assert streamspace("plugins", "replay", "a-plugin", "--event", "7301").stdout == "1 event will be delivered again\n"
    streamspace("plugins", "replay", "a-plugin")

    assert [each.body for each in platform.received] == [{"event_id": 7301}, {}]


def test_replaying_a_stretch_of_history_says_what_follows(streamspace, platform):
    answer = {"replayed": 50, "has_more": False, "replay": {"status": "running"}}
    platform.answers("POST /admin/plugins/a-plugin/events/replay", answer)

    result = streamspace("plugins", "replay", "a-plugin", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z")

    assert result.stdout == "50 events will be delivered again; the rest follows\n"
    assert platform.received[0].body == {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize("options", [("--to", "2026-01-02T00:00:00Z"), ("--event", "1", "--from", "2026-01-02T00:00:00Z")])
def test_what_to_replay_is_said_in_one_way(streamspace, options):
    assert streamspace("plugins", "replay", "a-plugin", *options).exit_code == 2


def test_a_slug_cannot_lead_to_another_path(streamspace, platform):
    streamspace("plugins", "activate", "../users?x=/y")

    assert platform.received[0].path == "/api/v1/admin/plugins/..%2Fusers%3Fx%3D%2Fy/activate"


# Sessions and users


def test_a_session_is_created_for_oneself_or_for_somebody(streamspace, platform):
    platform.answers("GET /auth/me", {"username": "jane"})
    platform.answers("POST /sessions", SESSION, status=201)

    streamspace("sessions", "create", "--template", "vscode")
    result = streamspace(
        "sessions", "create", "--user", "john", "--template", "vscode", "--memory", "4Gi", "--cpu", "2000m",
        "--idle-timeout", "1h", "--max-duration", "4h", "--no-persistent-home", "--env", "A=b=c", "--label", "team=x",
    )  # fmt: skip

    assert result.exit_code == 0
    assert platform.received[1].body == {"user": "jane", "template": "vscode"}
    assert platform.received[2].body == {
        "user": "john", "template": "vscode", "resources": {"memory": "4Gi", "cpu": "2000m"}, "idleTimeout": "1h",
        "maxSessionDuration": "4h", "persistentHome": False, "env": {"A": "b=c"}, "labels": {"team": "x"},
    }  # fmt: skip


def test_a_sessions_address_is_printed_or_opened_and_works_once(streamspace, platform, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("click.launch", lambda url: opened.append(url) or 0)
    platform.answers("POST /sessions/john-vscode/tickets", {"url": "https://john-vscode.x/?t=1", "expiresAt": "2026-01-01T00:00:00Z"})

    assert streamspace("sessions", "open", "john-vscode", "--print").stdout == "https://john-vscode.x/?t=1\n"
    assert opened == []
    assert streamspace("sessions", "open", "john-vscode").stdout == "Opened john-vscode\n"
    assert opened == ["https://john-vscode.x/?t=1"]


def test_sessions_hibernate_wake_and_go(streamspace, platform):
    platform.answers("PATCH /sessions/john-vscode", SESSION)
    platform.answers("DELETE /sessions/john-vscode")

    for words in (("hibernate",), ("wake",), ("delete", "--yes")):
        assert streamspace("sessions", *words, "john-vscode").exit_code == 0

    assert [each.body for each in platform.received] == [{"state": "hibernated"}, {"state": "running"}, None]


def test_a_sessions_status_says_when_it_ends_and_extending_puts_that_off(streamspace, platform):
    end = {"message": "It hibernates at noon", "warnedAt": "2026-01-02T11:55:00Z"}
    status = {"id": "john-vscode", "state": "running", "ready": True, "reason": "Ready", "end": end}
    platform.answers("GET /sessions/john-vscode/status", status)
    platform.answers("POST /sessions/john-vscode/extend", status)

    shown = streamspace("sessions", "status", "john-vscode")
    extended = streamspace("sessions", "extend", "john-vscode", "--for", "2h", "--json")
    streamspace("sessions", "extend", "john-vscode")

    assert "It hibernates at noon" in shown.stdout
    assert json.loads(extended.stdout) == status
    assert [each.body for each in platform.received] == [None, {"duration": "2h"}, {}]


def test_users_are_added_and_removed(streamspace, platform):
    platform.answers("POST /users", {"username": "jane"}, status=201)
    platform.answers("DELETE /users/jane")

    added = streamspace(
        "users", "create", "jane", "--full-name", "Jane", "--email", "j@example.com", "--role", "manager", "--password",
        typed="secret\nsecret\n",
    )  # fmt: skip
    removed = streamspace("users", "delete", "jane", "--keep-sessions", "--yes")

    assert (added.exit_code, removed.exit_code) == (0, 0)
    assert platform.received[0].body == {
        "username": "jane", "fullName": "Jane", "email": "j@example.com", "role": "manager", "password": "secret",
    }  # fmt: skip
    assert platform.received[1].query == {"deleteSessions": "false", "deleteStorage": "false"}


# Templates


TEMPLATE = "apiVersion: stream.space/v1alpha1\nkind: Template\nmetadata: {{name: {}}}\nspec: {{displayName: Ä}}\n"


def test_a_folder_of_templates_is_imported_and_each_is_accounted_for(streamspace, platform, home):
    folder = home / "templates"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.yaml").write_text(TEMPLATE.format("one") + "---\n" + TEMPLATE.format("two"))
    (folder / "b.json").write_text('{"kind": "Template", "metadata": {"name": "three"}, "spec": {}}')
    (folder / "deep" / "c.yml").write_text("kind: ConfigMap\n---\n" + TEMPLATE.format("four"))
    (folder / "readme.md").write_text("kind: Template")
    platform.answers("POST /templates", {}, status=201)
    platform.refuses("POST /templates", "TEMPLATE_ALREADY_EXISTS", "There is one", status=409)
    platform.answers("POST /templates", {}, status=201)

    result = streamspace("templates", "import", "templates")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "created   one  (a.yaml)",
        "exists    two  (a.yaml)",
        "created   three  (b.json)",
        "created   four  (deep/c.yml)",
    ]
    assert [each.headers["Content-Type"] for each in platform.received] == [
        "application/yaml", "application/yaml", "application/json", "application/yaml",
    ]  # fmt: skip
    assert "displayName: Ä" in platform.received[0].content.decode()


def test_templates_that_exist_are_replaced_if_wanted(streamspace, platform, home):
    (home / "a.yaml").write_text(TEMPLATE.format("one"))
    platform.refuses("POST /templates", "TEMPLATE_ALREADY_EXISTS", "There is one", status=409)
    platform.answers("PUT /templates/one", {})

    result = streamspace("templates", "import", ".", "--replace", "--json")

    assert json.loads(result.stdout) == [{"file": "a.yaml", "name": "one", "outcome": "replaced"}]
    assert platform.received[1].headers["Content-Type"] == "application/yaml"


def test_a_faulty_template_does_not_stop_the_others(streamspace, platform, home):
    (home / "a.yaml").write_text("{")
    (home / "b.yaml").write_text("kind: Template\nmetadata: {}\n")
    (home / "c.yaml").write_text(TEMPLATE.format("bad"))
    (home / "d.yaml").write_text(TEMPLATE.format("good"))
    platform.refuses("POST /templates", "INVALID_IMAGE", "No such image", status=422, details={"baseImage": ["bad"]})
    platform.answers("POST /templates", {}, status=201)

    result = streamspace("templates", "import", ".")

    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["failed", "failed", "failed", "created"]
    assert "INVALID_IMAGE" in result.stdout
    assert "3 of 4 templates could not be imported" in result.stderr


# Commands and notifications


@pytest.mark.parametrize(
    ("words", "args"),
    [
        ((), {}),
        (("days=7", "user=john", 'tags=["a"]', "flag=true"), {"days": 7, "user": "john", "tags": ["a"], "flag": True}),
        (("--args", "[1, 2]"), [1, 2]),
    ],
)
def test_a_command_is_run_with_its_arguments(streamspace, platform, words, args):
    platform.answers("POST /commands/sync/execute", {"result": {"synced": 3}})

    result = streamspace("commands", "run", "sync", *words)

    assert json.loads(result.stdout) == {"synced": 3}
    assert platform.received[0].body == {"args": args}


def test_a_commands_text_is_printed_as_it_is(streamspace, platform):
    platform.answers("POST /commands/sync/execute", {"result": "done"})

    assert streamspace("commands", "run", "sync").stdout == "done\n"
    assert streamspace("commands", "run", "sync", "--json").stdout == '"done"\n'


def test_a_command_that_fails_says_what_was_thrown(streamspace, platform):
    details = {"name": "ValueError", "message": "No such day", "location": "plugin.py:12"}
    platform.refuses("POST /commands/sync/execute", "COMMAND_FAILED", "The command failed", status=502, details=details)

    result = streamspace("commands", "run", "sync")

    assert result.exit_code == 1
    assert "plugin.py:12" in result.stderr


def test_a_notification_is_read(streamspace, platform):
    platform.answers("POST /notifications/n1/read")

    assert streamspace("notifications", "read", "n1").exit_code == 0


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ({"url": "/x", "message": "Done"}, "Done\n"),
        ({"url": "/x", "message": None}, "/x\n"),
        ({"url": None, "message": None}, "Pressed button 2"),
    ],
)
def test_pressing_a_notifications_button_says_what_came_of_it(streamspace, platform, answered, said):
    platform.answers("POST /notifications/n1/actions/2", answered)

    assert streamspace("notifications", "act", "n1", "2").stdout.startswith(said)


DIALOG = {"id": "d1", "buttons": [{"label": "Cancel", "value": False}, {"label": "Delete", "value": {"all": True}}]}


@pytest.mark.parametrize(
    ("words", "value"),
    [(("cancel",), False), (("Delete",), {"all": True}), (('{"all": true}',), {"all": True}), (("--dismiss",), None)],
)
def test_a_dialog_is_answered_by_a_buttons_label_or_value(streamspace, platform, words, value):
    platform.answers("GET /dialogs/d1", DIALOG)
    platform.answers("POST /dialogs/d1/answer", DIALOG)

    assert streamspace("dialogs", "answer", "d1", *words).exit_code == 0

    assert platform.received[-1].body == {"value": value}


@pytest.mark.parametrize("words", [(), ("OK", "--dismiss")])
def test_an_answer_is_a_button_or_none(streamspace, platform, words):
    assert streamspace("dialogs", "answer", "d1", *words).exit_code == 2
    assert platform.received == []


# Authors


@pytest.fixture
def folder(home):
    folder = home / "my-plugin"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"name": "my-plugin", "version": "1.0.0"}')
    (folder / "index.js").write_text("module.exports = {};")
    return folder


def test_a_folder_is_packed_and_published_on_the_local_stack_without_options(streamspace, home, folder, write_stack):
    local = write_stack(home, "http://localhost:8080")
    key = generate_key()
    (local / "keys").mkdir()
    (local / "keys" / "marketplace").write_bytes(key.private)

    packed = streamspace("plugin", "pack", "my-plugin")
    published = streamspace("publish", "my-plugin-1.0.0.zip")
    again = streamspace("publish", "my-plugin", "--json")

    assert packed.exit_code == published.exit_code == again.exit_code == 0
    assert zipfile.ZipFile(home / "my-plugin-1.0.0.zip").namelist() == ["index.js", "manifest.json"]
    assert (local / "marketplace" / "packages" / "my-plugin-1.0.0.zip").is_file()
    assert "Published my-plugin 1.0.0" in published.stdout
    assert json.loads(again.stdout)["is_new"] is False


def test_another_package_of_a_published_version_is_refused(streamspace, home, folder):
    (home / "key").write_bytes(generate_key().private)
    where = ("--repository", "repository", "--key", "key")
    assert streamspace("publish", "my-plugin", *where).exit_code == 0
    (folder / "index.js").write_text("module.exports = {changed: true};")

    result = streamspace("publish", "my-plugin", *where)

    assert result.exit_code == 1
    assert "VERSION_EXISTS" in result.stderr


@pytest.mark.parametrize(("words", "code"), [((), "NO_STACK"), (("--repository", "r", "--key", "bad"), "REPOSITORY_INVALID")])
def test_publishing_without_what_it_needs_says_what_that_is(streamspace, home, folder, words, code):
    (home / "bad").write_text("no key")

    result = streamspace("publish", "my-plugin", *words)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"{code}: ")
    assert not (home / "r").exists()


def test_a_file_that_cannot_be_written_is_a_failure_like_any_other(streamspace, folder):
    result = streamspace("plugin", "pack", "my-plugin", "-o", "/proc/nowhere.zip")

    assert result.exit_code == 1
    assert result.stderr.startswith("FILE_ERROR: ")
