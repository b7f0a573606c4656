"""A plugin that is off reaches nothing and is reached by nothing, whatever it goes on to do: deactivated, or off in safe mode."""

import json

import pytest
import requests

from chalicelib import accounts, jobs, messaging, plugins, runtime
from chalicelib.accounts import SCOPES, Caller
from chalicelib.api import application
from chalicelib.events import Dispatcher
from chalicelib.runtime import active
from tests.event_history import history
from tests.integration.jobs.conftest import package
from tests.integration.jobs.test_faults import refused

ANN = Caller("user", "ann", "Ann", "admin", None)
REGISTERED = {
    "hooks": ["user.created", "user.deleted"],
    "commands": [{"name": "deploy"}],
    "endpoints": [{"method": "GET", "path": "/open", "public": True}, {"method": "GET", "path": "/closed"}],
    "widgets": [{"id": "w", "title": "W", "component": "W"}],
    "menuItems": [{"label": "M", "path": "/m"}],
    "schedules": [{"name": "hourly", "expression": "rate(1 hour)"}, {"name": "later", "after_s": 7200}],
}
# All that a plugin's token can open.
OPENED = sorted(
    (method, pattern.removeprefix("/api/v1"))
    for pattern, methods in application.build().include_everything().declared.items()
    for method, route in methods.items()
    if not route.public and (route.scope or route.plugin_only)
)


@pytest.fixture
def hostile(platform, repository, functions, call):
    """Active, with every right and everything that it could register; with what it holds from before it was switched off."""
    accounts.allowed.forget()
    repository.publish(package("hostile", permissions=sorted(SCOPES - {"network"})))
    repository.publish(package("guardian", is_core=True))
    platform.loads["hostile"] = {"ok": True, "registered": REGISTERED}
    platform.loads["guardian"] = {"ok": True, "registered": {"hooks": ["user.created"], "commands": [{"name": "guard"}]}}
    for slug in ("hostile", "guardian"):
        assert platform.install(slug).status == jobs.SUCCEEDED
    held = Held(platform)
    call("PUT", "/storage/kept", {"value": 1}, token=held.token)
    held.upload = call("POST", "/uploads", {"size_bytes": 2}, token=held.token).body["data"]
    held.dialog = call("POST", "/dialogs", {"to": "ann", "title": "T", "message": "M"}, token=held.token).body["data"]
    by = Caller("plugin", "hostile", "hostile", "user", frozenset({"notifications"}))
    held.notification = messaging.notify("ann", "T", "M", actions=[{"label": "Run", "handler": "fn:1"}], by=by).id
    yield held
    accounts.allowed.forget()


class Held:
    """What a plugin has in its hands when it is switched off."""

    def __init__(self, platform):
        self.platform = platform
        function = platform.aws.client("lambda").get_function_configuration(FunctionName="test-plugin-hostile")
        self.token = function["Environment"]["Variables"]["STREAMSPACE_TOKEN"]
        self.upload, self.dialog, self.notification = None, None, None

    @property
    def mapping(self):
        functions = self.platform.aws.client("lambda")
        return functions.list_event_source_mappings(FunctionName="test-plugin-hostile")["EventSourceMappings"][0]["State"]

    @property
    def schedules(self):
        scheduler = self.platform.aws.client("scheduler")
        found = [scheduler.get_schedule(Name=one["Name"]) for one in scheduler.list_schedules()["Schedules"]]
        return {one["Name"]: one for one in found if "hostile" in one["Name"]}

    @property
    def waiting(self):
        url = runtime.provisioning.queue_url("hostile")
        wanted = self.platform.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(wanted["Attributes"]["ApproximateNumberOfMessages"])

    def calls(self):
        return [event["kind"] for name, event in self.platform.functions.calls if name == "test-plugin-hostile"]


def something_happens(name):
    """A user is made, and the dispatcher hears of it."""
    accounts.create_user(username=name, full_name=name, email=f"{name}@example.com", by=None)
    row = history(f"user#{name}")[0].row()
    Dispatcher(active.subscribers).handle([{"eventName": "INSERT", "dynamodb": {"NewImage": row.to_dynamodb_dict()}}])


def deactivate(call):
    assert call("POST", "/admin/plugins/hostile/deactivate").status == 200


def enter(call):
    assert call("PUT", "/admin/platform/safe-mode", {"enabled": True}).body["data"]["enabled"] is True


def leave(call):
    assert call("PUT", "/admin/platform/safe-mode", {"enabled": False}).body["data"]["enabled"] is False


@pytest.mark.parametrize(
    ("switch_off", "refusal"), [(deactivate, (401, "UNAUTHENTICATED")), (enter, (409, "SAFE_MODE"))], ids=["off", "safe"]
)
def test_nothing_that_it_holds_opens_anything_and_nothing_calls_it(hostile, call, switch_off, refusal):
    switch_off(call)
    before = hostile.calls()

    for method, pattern in OPENED:
        path = pattern.replace("{path+}", "x").replace("{key+}", "x")
        answer = call(method, path.replace("{", "").replace("}", ""), token=hostile.token)
        assert (answer.status, answer.error["code"]) == refusal, (method, pattern)
    requests.put(hostile.upload["url"], data=b"42", timeout=5)
    assert call("PUT", "/storage/late", {"upload_id": hostile.upload["upload_id"]}, token=hostile.token).status == refusal[0]
    assert call("GET", f"/dialogs/{hostile.dialog['id']}", token=hostile.token).status == refusal[0]
    for path in ("/plugins/hostile/open", "/plugins/hostile/closed"):
        assert call("GET", path).status == 409
        assert call("GET", path, token=None).status == 409
    assert call("POST", "/commands/deploy/execute", {}).status in (404, 409)
    assert "deploy" not in [one["name"] for one in call("GET", "/commands").body["data"]]
    assert call("GET", "/ui/extensions").body["data"]["widgets"] == []
    assert call("GET", "/ui/extensions").body["data"]["menuItems"] == []
    assert call("POST", f"/notifications/{hostile.notification}/actions/0").status == 409
    assert call("POST", "/admin/plugins/hostile/activate").status == (409 if switch_off is enter else 200)

    if switch_off is enter:
        assert hostile.calls() == before
    assert runtime.storage.get("hostile", "late") is None


def test_a_deactivated_plugin_has_no_schedule_no_delivery_and_nothing_waiting_for_it(hostile, call):
    something_happens("before")
    deactivate(call)
    something_happens("after")

    assert (hostile.mapping, hostile.schedules, hostile.waiting) == ("Disabled", {}, 0)


def test_safe_mode_keeps_what_happens_and_leaving_restores_exactly_what_was_active(hostile, call):
    before = (active.find("hostile"), plugins.get("hostile"), hostile.schedules)
    loads = hostile.calls().count("load")
    enter(call)
    something_happens("jane")

    assert (hostile.mapping, hostile.waiting) == ("Disabled", 1)
    assert {one["State"] for one in hostile.schedules.values()} == {"DISABLED"}
    listed = {one["slug"]: one for one in call("GET", "/admin/plugins").body["data"]}
    assert {slug: (one["status"], one["paused"]) for slug, one in listed.items()} == {
        "guardian": ("active", False),
        "hostile": ("active", True),
    }
    assert call("GET", "/admin/plugins/hostile").body["data"]["paused"] is True
    assert call("GET", "/platform").body["data"]["safe_mode"] is True

    leave(call)

    assert (active.find("hostile"), plugins.get("hostile")) == before[:2]
    assert {one["State"] for one in hostile.schedules.values()} == {"ENABLED"}
    for name, one in before[2].items():
        assert hostile.schedules[name]["ScheduleExpression"] == one["ScheduleExpression"]
        assert hostile.schedules[name]["Target"] == one["Target"]
    assert (hostile.mapping, hostile.waiting) == ("Enabled", 1)
    assert call("GET", "/storage/kept", token=hostile.token).body["data"] == 1
    assert hostile.calls().count("load") == loads
    assert call("GET", "/platform").body["data"]["safe_mode"] is False


def test_core_plugins_stay_on_in_safe_mode(hostile, call):
    enter(call)

    assert [one["name"] for one in call("GET", "/commands").body["data"]] == ["guard"]
    assert call("POST", "/commands/guard/execute", {}).status == 200
    function = hostile.platform.aws.client("lambda").get_function_configuration(FunctionName="test-plugin-guardian")
    assert call("GET", "/runtime/self", token=function["Environment"]["Variables"]["STREAMSPACE_TOKEN"]).status == 200
    functions = hostile.platform.aws.client("lambda")
    assert functions.list_event_source_mappings(FunctionName="test-plugin-guardian")["EventSourceMappings"][0]["State"] == "Enabled"


def test_what_was_deactivated_in_safe_mode_stays_off_when_it_is_left(hostile, call):
    enter(call)
    unloads = hostile.calls().count("unload")
    deactivate(call)
    leave(call)

    assert plugins.get("hostile").status == "inactive"
    assert (hostile.mapping, hostile.schedules) == ("Disabled", {})
    assert hostile.calls().count("unload") == unloads


def test_no_job_starts_anything_in_safe_mode(hostile, call, repository):
    repository.publish(package("hostile", "1.1.0", permissions=sorted(SCOPES - {"network"})))
    repository.publish(package("other"))
    enter(call)

    assert call("POST", "/admin/plugins/hostile/update", {}).error["code"] == "SAFE_MODE"
    assert call("POST", "/admin/plugins/install", {"source": "marketplace", "slug": "other", "activate": True}).error["code"] == "SAFE_MODE"
    assert hostile.platform.install("other", activate=False).status == jobs.SUCCEEDED
    assert hostile.platform.uninstall("hostile", backup=False).status == jobs.SUCCEEDED


def test_a_job_that_was_under_way_when_safe_mode_was_entered_leaves_the_plugin_off_and_whole(hostile, call, repository, functions):
    """The new version cannot load, since the platform is closed to it; the old one comes back with leaving."""
    repository.publish(package("hostile", "1.1.0", permissions=sorted(SCOPES - {"network"})))

    def enters_first(event):
        if event.get("step") == "starting" and not active.safe_mode().is_on:
            plugins.safe_mode.declare(ANN, on=True)
            hostile.platform.loads["hostile"] = {"ok": False, "error": {"message": "SAFE_MODE"}}
        jobs.run_step(event)
        return {}

    functions.answer("test-job-step", enters_first)
    schedules = set(hostile.schedules)
    job = hostile.platform.update("hostile")

    assert (job.status, job.left, plugins.get("hostile").version) == (jobs.FAILED, [], "1.0.0")
    plugins.safe_mode.settle()
    assert (hostile.mapping, {one["State"] for one in hostile.schedules.values()}) == ("Disabled", {"DISABLED"})
    leave(call)
    assert set(hostile.schedules) == schedules
    assert (active.find("hostile").is_held, hostile.mapping) == (False, "Enabled")
    assert call("POST", "/commands/deploy/execute", {}).status == 200


@pytest.mark.parametrize("on", [True, False])
def test_what_is_left_half_done_is_finished_by_the_sweep(hostile, call, on):
    if not on:
        enter(call)
    with refused(hostile.platform, "UpdateEventSourceMapping", ""):
        assert call("PUT", "/admin/platform/safe-mode", {"enabled": on}).body["data"]["settling"] == ["hostile"]

    assert plugins.safe_mode.settle() == 1

    assert hostile.mapping == ("Disabled" if on else "Enabled")
    assert plugins.safe_mode.settle() == 0


def test_entering_twice_is_entering_once_and_administrators_are_told_once(hostile, call):
    enter(call)
    since = call("GET", "/admin/platform/safe-mode").body["data"]["since"]
    enter(call)

    assert call("GET", "/admin/platform/safe-mode").body["data"]["since"] == since
    assert [one.title for one in messaging.inbox(ANN).notifications].count("Safe mode was entered") == 1


def test_entering_is_one_transaction_however_many_plugins_there_are(hostile, call, aws_calls, plugin_queue):
    for number in range(20):
        plugin_queue(f"crowd-{number}", hooks=["user.created"])
    aws_calls.clear()

    plugins.safe_mode.declare(ANN, on=True)

    assert len(aws_calls) <= 4, aws_calls
    assert [one.slug for one in active.everyone()] == ["guardian"]


def test_a_change_of_rates_and_safe_mode_do_not_undo_each_other(hostile, call):
    call("PATCH", "/platform/settings", {"rate_limits": {"read": 50}})
    enter(call)
    call("PATCH", "/platform/settings", {"rate_limits": {"write": 20}})

    assert call("GET", "/storage/kept", token=hostile.token).error["code"] == "SAFE_MODE"
    rates = call("GET", "/platform/settings").body["data"]["rate_limits"]
    assert (rates["read"], rates["write"]) == (50, 20)


def test_safe_mode_is_for_administrators(hostile, call):
    accounts.create_user(username="max", full_name="Max", email="m@example.com", role="manager", by=None)
    his = accounts.create_token(Caller("user", "max", "Max", "manager", None), "t", None).text

    assert call("PUT", "/admin/platform/safe-mode", {"enabled": True}, token=his).status == 403
    assert call("PUT", "/admin/platform/safe-mode", {"enabled": "yes"}).status == 422
    assert call("PUT", "/admin/platform/safe-mode", {}).status == 422
    assert active.safe_mode().is_on is False


def test_what_it_may_and_what_it_registered_end_in_the_same_moment(hostile, call, functions):
    """The transaction that makes it inactive is the one that ends its token: nobody sees one without the other."""
    seen = []

    def looks(model, params, **_):
        if model.name == "TransactWriteItems" and "plugin.deactivated" in str(params["body"]):
            seen.append(params["body"] if isinstance(params["body"], str) else params["body"].decode())

    from chalicelib.core.tables import connection

    connection().client.meta.events.register_first("before-call", looks)
    try:
        deactivate(call)
    finally:
        connection().client.meta.events.unregister("before-call", looks)

    keys = {(item["Delete"]["Key"]["pk"]["S"].partition("#")[0]) for item in json.loads(seen[-1])["TransactItems"] if "Delete" in item}
    assert {"ACTIVE", "PLUGIN", "TOKEN"} <= keys


def test_an_on_unload_that_uses_what_it_has_to_the_last_does_not_keep_it_on(hostile, call, functions):
    kept = []

    def clings(event):
        if event["kind"] == "unload":
            kept.append(call("PUT", "/storage/last", {"value": 1}, token=hostile.token).status)
            raise SystemError("and never ends")
        return {"ok": True}

    functions.answer("test-plugin-hostile", clings)
    deactivate(call)

    assert kept == [200]
    assert call("GET", "/storage/last", token=hostile.token).status == 401
    assert plugins.get("hostile").status == "inactive"
