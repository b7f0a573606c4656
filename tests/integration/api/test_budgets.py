"""Each route of running plugins answers as documented, and costs no more AWS calls than it says."""

import json
import threading

import pytest
import requests

from chalicelib import accounts, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.events import unit_of_work
from chalicelib.marketplace import repository as marketplace
from chalicelib.runtime import dead_letters, table_changes
from tests.event_history import history
from tests.integration.jobs.conftest import package

ADMIN = Caller("user", "ann", "Ann", "admin", None)
# What waiting for a job costs at most: a look at it every second, and more often in the beginning.
LOOKS = 23


@pytest.fixture
def spend(call, whole_app, aws_calls):
    """``spend("GET", "/commands", "/commands")``: the answer, once its calls were compared with the route's budget."""

    def make(method, path, pattern=None, body=None, *, more=0, **kwargs):
        budget = whole_app.declared[f"/api/v1{pattern or path}"][method].aws_calls
        aws_calls.clear()
        answer = call(method, path, body, **kwargs)
        assert len(aws_calls) + more <= budget, (budget, aws_calls)
        return answer

    return make


@pytest.fixture
def watcher(platform, repository):
    """An active plugin; gives its token."""
    fields = [{"key": "secret", "type": "password", "label": "Secret", "tab": "t"}]
    settings = {"tabs": [{"key": "t", "label": "T"}], "fields": fields}
    repository.publish(package("watcher", permissions=["storage", "commands"], settings=settings))
    marketplace.forget()
    platform.loads["watcher"] = {
        "ok": True,
        "registered": {
            "hooks": ["plugin.installed"],
            "commands": [{"name": "deploy"}],
            "widgets": [{"id": "w"}, {"id": "hidden", "permissions": ["nobodys"]}],
            "menuItems": [
                {"label": "B", "path": "/b", "position": 2},
                {"label": "A", "path": "/a", "position": 1},
                {"label": "C", "path": "/c"},
            ],
            "theme": {"palette": {"mode": "dark"}},
        },
    }
    assert platform.install("watcher").status == "succeeded"
    plugins.change_settings("watcher", {"secret": "s3cret"}, by=ADMIN)
    return accounts.issue_plugin_token("watcher", frozenset({"storage", "commands"}))


@pytest.fixture
def happened(watcher):
    """An event that the plugin hears, and where it is."""
    event = history("plugin#watcher", newest_first=False)[0]
    return event, {"aggregate": event.aggregate, "sequence": event.sequence}


def test_health_and_platform(spend, token, watcher):
    assert spend("GET", "/health", token=None).body["data"]["status"] == "ok"
    assert set(spend("GET", "/platform", token=None).body["data"]) == {"name", "version"}
    assert spend("GET", "/platform").body["data"]["counts"] == {"plugins": 1, "active_plugins": 1}
    assert "counts" not in spend("GET", "/platform", token=watcher).body["data"]
    assert spend("GET", "/platform", token="stale").status == 401
    assert spend("GET", "/health", token="stale").status == 200


def test_storage(spend, watcher):
    def mine(method, path="", body=None, pattern="/storage/{key+}", **kwargs):
        return spend(method, f"/storage{path}", pattern if path else "/storage", body, token=watcher, **kwargs)

    assert mine("PUT", "/a%2Fb", {"value": {"n": 1}}).status == 200
    assert mine("GET", "/a%2Fb").body["data"] == {"n": 1}
    assert mine("GET", "/missing").body["data"] is None
    assert mine("PUT", "/large", {"value": "x" * 500_000}).status == 200
    assert mine("GET", "/large").body["data"] == "x" * 500_000
    assert mine("PUT", "/large", {"value": "x" * 5_300_000}).error["code"] == "VALUE_TOO_LARGE"
    upload = spend("POST", "/uploads", body={"size_bytes": 2}, token=watcher).body["data"]
    requests.put(upload["url"], data=b"42", timeout=5)
    assert mine("PUT", "/uploaded", {"upload_id": upload["upload_id"]}).status == 200
    assert mine("GET", "/uploaded").body["data"] == 42
    assert mine("DELETE", "/uploaded").status == 200
    assert mine("DELETE", "/large").status == 200
    assert mine("GET", query={"prefix": "a"}).body["data"] == ["a/b"]
    assert mine("GET", query={"cursor": "forged"}).status == 422
    assert mine("DELETE", "/a%2Fb").status == 200
    for number in range(60):
        runtime.storage.put("watcher", f"k{number}", number)
    assert mine("DELETE").body["data"] == {"removed": 60, "is_complete": True}


def test_a_key_whose_name_is_empty_does_not_clear_the_storage(call, watcher):
    runtime.storage.put("watcher", "k", 1)

    refused = call("DELETE", "/storage/", token=watcher)

    assert (refused.status, list(refused.error["details"])) == (422, ["key"])
    assert runtime.storage.get("watcher", "k") == 1


@pytest.mark.parametrize("value", ["x" * 5_000_000, '"' * 1_400_000, "é" * 2_400_000, ["a"] * 800_000])
def test_a_value_comes_back_in_the_answer_or_where_lambda_would_not_take_that_at_the_address_that_it_names(call, watcher, value):
    runtime.storage.put("watcher", "k", value)

    answer = call("GET", "/storage/k", token=watcher)

    in_lambda = len(json.dumps({"statusCode": answer.status, "headers": dict(answer.headers), "body": answer.text}))
    assert in_lambda < 6 * 1024 * 1024
    if answer.status == 303:
        assert answer.body["links"]["value"] == answer.headers["Location"]
        assert requests.get(answer.headers["Location"], timeout=5).json() == value
    else:
        assert answer.body["data"] == value


@pytest.mark.parametrize(
    "body", [{}, {"value": 1, "upload_id": "upload_00000000000000000000"}, {"upload_id": "../other/x"}, {"upload_id": 1}]
)
def test_a_value_is_given_or_was_uploaded(call, watcher, body):
    assert call("PUT", "/storage/k", body, token=watcher).error["code"] == "VALIDATION_ERROR"


def test_a_full_storage_answers_with_the_numbers(call, watcher):
    with unit_of_work() as work:
        runtime.limits.put(work, "watcher", {"storage_bytes": 10})

    full = call("PUT", "/storage/k", {"value": "x" * 20}, token=watcher)

    assert (full.status, full.error["code"]) == (403, "STORAGE_QUOTA_EXCEEDED")
    assert full.error["details"] == {"used_bytes": 0, "allowed_bytes": 10, "used_keys": 0, "allowed_keys": 100_000}


def test_tables(spend, watcher):
    key = {"partition": "id"}
    indexes = [{"name": f"i{number}", "partition": "kind"} for number in range(5)]
    table_changes.apply("watcher", {"op": "create_table", "table": "notes", "key": key, "indexes": indexes})

    def mine(method, path, pattern, *args, **kwargs):
        return spend(method, f"/tables{path}", f"/tables{pattern}", *args, token=watcher, **kwargs)

    items, item = ("/notes/items", "/{table}/items"), ("/notes/item", "/{table}/item")
    assert mine("GET", "", "").body["data"][0]["name"] == "notes"
    assert mine("POST", *items, {"item": {"id": 1, "kind": "a"}}).status == 201
    assert mine("POST", *items, {"item": {"id": 1}}).error["code"] == "ITEM_ALREADY_EXISTS"
    assert mine("PUT", *items, {"item": {"id": 1, "kind": "b"}}).status == 200
    assert mine("PUT", *items, {"item": {"kind": "b"}}).status == 422
    assert mine("GET", *item, query={"key": "1"}).body["data"] == {"id": 1, "kind": "b"}
    assert mine("GET", *item, query={"key": "{"}).status == 422
    assert mine("GET", *item).status == 422
    page = mine("GET", *items, query={"where": '{"kind": "b"}', "index": "i4", "limit": "1"}).body
    assert page["data"] == [{"id": 1, "kind": "b"}]
    assert mine("GET", *items, query={"where": "[]"}).status == 422
    assert mine("GET", *items, query={"limit": "1001"}).status == 422
    assert mine("DELETE", *item, query={"key": "1"}).status == 200
    assert mine("GET", "/none/item", "/{table}/item", query={"key": "1"}).error["code"] == "TABLE_NOT_FOUND"


def test_storage_is_closed_to_people_and_to_plugins_without_the_scope(call, watcher):
    other = accounts.issue_plugin_token("other", frozenset({"commands"}))

    assert call("GET", "/storage").status == 403
    for method, path in (
        ("GET", "/storage"),
        ("GET", "/storage/k"),
        ("PUT", "/storage/k"),
        ("DELETE", "/storage/k"),
        ("DELETE", "/storage"),
    ):
        refused = call(method, path, {"value": 1}, token=other)
        assert (refused.status, refused.error["details"]) == (403, {"scope": "storage"})


def test_commands_and_extensions(spend, platform, watcher):
    assert [one["name"] for one in spend("GET", "/commands").body["data"]] == ["deploy"]
    assert spend("POST", "/commands/deploy/execute", "/commands/{name}/execute", {"args": {}}).body["data"] == {"result": None}
    assert spend("POST", "/commands/none/execute", "/commands/{name}/execute", {}).error["code"] == "COMMAND_NOT_FOUND"
    platform.functions.answer("test-plugin-watcher", lambda event: {"ok": False, "error": {"name": "E", "message": "no"}})
    failed = spend("POST", "/commands/deploy/execute", "/commands/{name}/execute", {})
    assert (failed.status, failed.error["code"], failed.error["details"]["name"]) == (502, "COMMAND_FAILED", "E")

    found = spend("GET", "/ui/extensions").body["data"]

    assert [one["label"] for one in found["menuItems"]] == ["A", "B", "C"]
    assert {one["plugin"] for one in found["menuItems"]} == {"watcher"}
    assert found["themes"] == [{"plugin": "watcher", "name": "Watcher", "palette": {"mode": "dark"}}]
    accounts.create_user(username="jane", full_name="J", email="j@example.com", by=None)
    jane = accounts.create_token(Caller("user", "jane", "J", "user", None), "test", None).text
    assert [one["id"] for one in spend("GET", "/ui/extensions", token=jane).body["data"]["widgets"]] == ["w"]


def test_a_plugin_asks_for_itself_and_gets_its_secrets(spend, watcher):
    about = spend("GET", "/runtime/self", token=watcher).body["data"]

    assert (about["slug"], about["settings"], about["settings_version"]) == ("watcher", {"secret": "s3cret"}, 2)
    assert about["secret_settings"] == ["secret"]
    assert spend("GET", "/runtime/self").status == 403


@pytest.mark.parametrize(
    ("path", "as_plugin"), [("/runtime/self", True), ("/admin/plugins", False), ("/platform/settings", False), ("/users", False)]
)
def test_what_was_read_along_with_the_token_is_not_read_again_when_its_second_ends_half_way(
    call, watcher, aws_calls, monkeypatch, path, as_plugin
):
    def calls(freshness):
        answers = iter(freshness)
        monkeypatch.setattr(accounts.allowed._Known, "is_fresh", lambda: next(answers, False))
        aws_calls.clear()
        assert call("GET", path, **({"token": watcher} if as_plugin else {})).status == 200
        return list(aws_calls)

    assert calls([True]) == calls([True] * 9)


def test_a_plugin_cancels_a_schedule_of_its_own(spend, platform, watcher):
    platform.aws.client("scheduler").create_schedule(
        Name="test-plugin-watcher_timer-sweep",
        ScheduleExpression="rate(5 minutes)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "RoleArn": "arn:aws:iam::123456789012:role/r"},
    )

    for _ in range(2):
        assert spend("DELETE", "/runtime/schedules/timer-sweep", "/runtime/schedules/{name}", token=watcher).status == 200

    names = [one["Name"] for one in platform.aws.client("scheduler").list_schedules()["Schedules"]]
    assert "test-plugin-watcher_timer-sweep" not in names
    assert spend("DELETE", "/runtime/schedules/x", "/runtime/schedules/{name}").status == 403


def test_attempts_failures_dead_letters_and_replay(spend, happened, watcher):
    event, place = happened
    attempts = f"/runtime/events/{event.id}/attempts", "/runtime/events/{event_id}/attempts"
    failures = f"/runtime/events/{event.id}/failures", "/runtime/events/{event_id}/failures"
    report = {**place, "attempt": 1, "error": {"message": "no"}, "receipt_handles": ["forged"] * 10}

    assert spend("POST", *failures, report, token=watcher).body["data"] == {"verdict": "retry"}
    for _ in range(2):
        assert spend("POST", *attempts, place, token=watcher).body["data"] == {"verdict": "run"}
    assert spend("POST", *attempts, place, token=watcher).body["data"] == {"verdict": "dead-letter"}

    slug = "/admin/plugins/{slug}/events/"
    (letter,) = spend("GET", "/admin/plugins/watcher/events/dead-letters", slug + "dead-letters").body["data"]
    assert letter["event_id"] == event.id
    replayed = spend("POST", "/admin/plugins/watcher/events/replay", slug + "replay", {"event_id": event.id})
    assert replayed.body["data"] == {"replayed": 1, "has_more": False}
    assert dead_letters.of("watcher") == ([], None)
    stretch = spend("POST", "/admin/plugins/watcher/events/replay", slug + "replay", {"from": "2020-01-01T00:00:00Z"})
    assert (stretch.status, stretch.body["data"]["replay"]["status"]) == (202, "running")
    (running,) = spend("GET", "/admin/plugins/watcher/events/replay", slug + "replay").body["data"]
    assert running == stretch.body["data"]["replay"]
    for wrong in ({"to": "2020-01-01T00:00:00Z"}, {"from": "yesterday"}, {"event_id": 1, "from": "2020-01-01T00:00:00Z"}):
        assert spend("POST", "/admin/plugins/watcher/events/replay", slug + "replay", wrong).status == 422
    assert spend("POST", "/admin/plugins/absent/events/replay", slug + "replay", {}).status == 404


@pytest.mark.parametrize("event_id", ["abc", "²", "-1", "1" * 700, "1.0"])
def test_an_event_id_that_is_none_is_refused(call, watcher, event_id):
    from urllib.parse import quote

    answer = call("POST", f"/runtime/events/{quote(event_id)}/attempts", {"aggregate": "a", "sequence": 1}, token=watcher)

    assert (answer.status, list(answer.error["details"])) == (422, ["event_id"])


@pytest.mark.parametrize(
    "place", [{"aggregate": "x" * 5000, "sequence": 1}, {"aggregate": "a", "sequence": 10**60}, {"aggregate": "", "sequence": 1}]
)
def test_a_place_that_no_event_can_have_is_refused(call, watcher, place):
    assert call("POST", "/runtime/events/1/attempts", place, token=watcher).status == 422


def test_switching_off_and_on(spend, watcher):
    slug = "/admin/plugins/{slug}"
    assert spend("POST", "/admin/plugins/watcher/deactivate", slug + "/deactivate").body["data"]["status"] == "inactive"
    assert spend("POST", "/admin/plugins/watcher/deactivate", slug + "/deactivate").error["code"] == "PLUGIN_NOT_ACTIVE"
    assert spend("POST", "/admin/plugins/watcher/activate", slug + "/activate").body["data"]["status"] == "active"
    assert spend("POST", "/admin/plugins/watcher/activate", slug + "/activate").error["code"] == "PLUGIN_ALREADY_ACTIVE"


def test_installing_and_uninstalling(spend, platform, repository, functions):
    """The steps themselves are not the request's: here nobody does them, and nobody waits."""
    repository.publish(package("base"))
    repository.publish(package("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}]))
    no_wait = {"prefer": "respond-async"}
    wanted = {"source": "marketplace", "slug": "top", "activate": True}
    is_over = threading.Event()
    functions.answer("test-job-step", lambda event: is_over.set() if event["action"] == "succeed" else None)

    started = spend("POST", "/admin/plugins/install", body=wanted, headers=no_wait, more=LOOKS)

    assert started.status == 202
    # The state machine's own calls are not the next request's.
    assert is_over.wait(60)
    job = started.body["data"]["job_id"]
    assert spend("GET", f"/admin/jobs/{job}", "/admin/jobs/{job_id}").body["data"]["status"] == "queued"
    assert spend("POST", "/admin/plugins/install", body=wanted, headers=no_wait, more=LOOKS).error["code"] == "OPERATION_IN_PROGRESS"
    assert spend("GET", "/admin/jobs/none", "/admin/jobs/{job_id}").error["code"] == "JOB_NOT_FOUND"


def test_an_installation_that_is_waited_for_answers_the_documents_body_and_can_be_followed(call, platform, repository):
    repository.publish(package("base"))

    done = call("POST", "/admin/plugins/install", {"source": "marketplace", "slug": "base", "activate": True})
    job = done.body["data"]["job_id"]
    stream = call("GET", f"/admin/plugins/install/{job}/progress")
    removed = call("DELETE", "/admin/plugins/base", query={"backup": "false"})

    assert (done.status, done.body["data"]["plugin"]["status"]) == (200, "active")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert "event: complete" in stream.text
    assert (removed.status, removed.body["data"]["data_removed"]) == (200, True)


def test_an_installation_that_fails_answers_its_reason(call, platform, repository):
    repository.publish(package("base"))
    platform.loads["base"] = {"ok": False, "error": {"message": "API key is required"}}

    failed = call("POST", "/admin/plugins/install", {"source": "marketplace", "slug": "base", "activate": True})

    assert (failed.status, failed.error["code"]) == (500, "INSTALLATION_FAILED")
    assert "API key is required" in failed.error["message"]
    assert failed.error["details"]["step"] == "activating"
