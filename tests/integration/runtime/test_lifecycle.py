"""Switching plugins on and off: all of it, or nothing of it, and whatever dies on the way can be repeated."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib import accounts, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import Unauthenticated, ValidationError
from chalicelib.marketplace import repository as marketplace
from chalicelib.plugins import DependenciesNotMet, HasDependents, PluginAlreadyActive, PluginIsCore, PluginNotActive, PluginNotFound
from chalicelib.runtime.errors import CommandAlreadyRegistered, PluginCrashed, PluginFailedToLoad
from tests.event_history import history
from tests.integration.jobs.conftest import package

ADMIN = Caller("user", "ann", "Ann Lee", "admin", None)


@pytest.fixture
def installed(platform, repository):
    """``installed("base", **manifest)``: installed and inactive."""

    def make(slug, **manifest):
        repository.publish(package(slug, **manifest))
        marketplace.forget()
        job = platform.install(slug, activate=False)
        assert job.status == "succeeded", job.error
        return plugins.get(slug)

    return make


@pytest.fixture
def active(installed):
    """``active("base", **manifest)``: installed and active."""

    def make(slug, **manifest):
        installed(slug, **manifest)
        return plugins.activate(slug, by=ADMIN)

    return make


def token_of(platform, slug):
    """The token in the environment of the plugin's function."""
    configuration = platform.aws.client("lambda").get_function_configuration(FunctionName=f"test-plugin-{slug}")
    return configuration["Environment"]["Variables"]["STREAMSPACE_TOKEN"]


def is_alive(token):
    try:
        return accounts.caller_of(token).is_plugin
    except Unauthenticated:
        return False


def mapping_state(platform):
    (mapping,) = platform.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return mapping["State"]


def told(slug):
    return [event.type for event in history(f"plugin#{slug}", newest_first=False)]


def dies(event):
    raise SystemError("killed")


def test_an_activated_plugin_is_listed_with_what_it_registered_and_its_token_lives(platform, installed):
    installed("base", permissions=["storage"], contributes={"scheduled_tasks": [{"name": "tidy", "schedule": "0 2 * * *"}]})
    platform.loads["base"] = {
        "ok": True,
        "registered": {"hooks": ["session.created"], "commands": [{"name": "deploy"}], "places": {"command deploy": "a.js:3"}},
    }

    plugin = plugins.activate("base", by=ADMIN)

    assert plugins.get("base").status == plugin.status == "active"
    (one,) = runtime.active.everyone()
    assert [command["name"] for command in one.commands] == ["deploy"]
    assert one.place_of("command deploy") == "a.js:3"
    assert accounts.caller_of(token_of(platform, "base")).scopes == {"storage"}
    assert mapping_state(platform) == "Enabled"
    (schedule,) = platform.aws.client("scheduler").list_schedules()["Schedules"]
    assert schedule["Name"] == "test-plugin-base_tidy"
    assert told("base") == ["plugin.installed", "plugin.activated"]


@pytest.mark.parametrize(
    ("load", "error", "message"),
    [
        ({"ok": False, "error": {"name": "Error", "message": "API key is required"}}, PluginFailedToLoad, "API key is required"),
        ({"ok": True, "registered": {"hooks": 5}}, PluginFailedToLoad, "hooks"),
        ({"ok": False, "error": {"message": "x" * 500_000}}, PluginFailedToLoad, "xxx"),
        ("no protocol", PluginCrashed, "no proper answer"),
        (dies, PluginCrashed, "killed"),
    ],
    ids=["throws", "registers nonsense", "throws a novel", "answers nonsense", "dies"],
)
def test_a_plugin_that_does_not_load_is_left_in_error_with_the_message_and_nothing_else(platform, installed, load, error, message):
    installed("base", contributes={"scheduled_tasks": [{"name": "tidy", "schedule": "rate(1 day)"}]})
    before = platform.left_over()
    platform.functions.answer("test-plugin-base", load if callable(load) else lambda event: load)

    with pytest.raises(error):
        plugins.activate("base", by=ADMIN)

    plugin = plugins.get("base")
    assert plugin.status == "error"
    assert message in plugin.error
    assert runtime.active.everyone() == []
    assert not is_alive(token_of(platform, "base"))
    assert mapping_state(platform) == "Disabled"
    assert platform.left_over() == before
    assert told("base")[-1] == "plugin.failed"


def test_a_plugin_in_error_can_be_activated_when_it_is_mended(platform, installed):
    installed("base")
    platform.loads["base"] = {"ok": False, "error": {"message": "no"}}
    with pytest.raises(PluginFailedToLoad):
        plugins.activate("base", by=ADMIN)

    platform.loads["base"] = {"ok": True, "registered": {}}
    plugins.activate("base", by=ADMIN)

    assert (plugins.get("base").status, plugins.get("base").error) == ("active", None)
    assert is_alive(token_of(platform, "base"))


def test_a_schedule_that_cannot_be_made_leaves_no_schedule_no_token_and_the_plugin_inactive(platform, installed):
    installed("base")
    before = platform.left_over()
    schedules = [{"name": "right", "expression": "rate(1 day)"}, {"name": "wrong", "expression": "0 2 1 * 1"}]
    platform.loads["base"] = {"ok": True, "registered": {"schedules": schedules}}

    with pytest.raises(ValidationError) as refused:
        plugins.activate("base", by=ADMIN)

    assert list(refused.value.details) == ["schedules.wrong"]
    assert plugins.get("base").status == "inactive"
    assert platform.left_over() == before
    assert not is_alive(token_of(platform, "base"))


def test_schedules_say_when_where_and_for_what_and_are_replaced_as_a_whole(platform, installed):
    task = {"name": "tidy", "schedule": "0 2 * * *", "timezone": "Europe/Berlin"}
    installed("base", contributes={"scheduled_tasks": [task, {"name": "swept", "schedule": "@daily"}]})
    registered = [{"name": "swept", "expression": "rate(5 minutes)"}, {"name": "timeout-2m", "after_s": 120}]
    platform.loads["base"] = {"ok": True, "registered": {"schedules": registered}}

    plugins.activate("base", by=ADMIN)

    scheduler = platform.aws.client("scheduler")
    made = {name: scheduler.get_schedule(Name=f"test-plugin-base_{name}") for name in ("tidy", "swept", "timeout-2m")}
    assert {name: (one["ScheduleExpression"], one["ScheduleExpressionTimezone"]) for name, one in made.items()} == {
        "tidy": ("cron(0 2 * * ? *)", "Europe/Berlin"),
        "swept": ("rate(5 minutes)", "UTC"),
        "timeout-2m": (made["timeout-2m"]["ScheduleExpression"], "UTC"),
    }
    once = datetime.strptime(made["timeout-2m"]["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
    assert timedelta(seconds=60) < once - clock.now() <= timedelta(seconds=120)
    assert json.loads(made["tidy"]["Target"]["Input"]) == {
        "kind": "schedule",
        "name": "tidy",
        "scheduled_time": "<aws.scheduler.scheduled-time>",
    }
    runtime.schedules.create("base", made["tidy"]["Target"]["Arn"], [{"name": "other", "expression": "@daily"}])
    assert [one["Name"] for one in scheduler.list_schedules()["Schedules"]] == ["test-plugin-base_other"]
    plugins.deactivate("base", by=ADMIN)
    assert scheduler.list_schedules()["Schedules"] == []


@pytest.mark.parametrize(
    ("schedule", "field", "words"),
    [
        ({"name": "wrong", "expression": "61 * * * *"}, "schedules.wrong", "minute 61"),
        ({"name": "wrong", "expression": "@daily", "timezone": "Mars/Base"}, "schedules.wrong.timezone", "'Mars/Base'"),
    ],
)
def test_a_schedule_that_is_none_is_refused_by_its_name_and_none_is_made(platform, installed, schedule, field, words):
    installed("base")
    platform.loads["base"] = {"ok": True, "registered": {"schedules": [{"name": "right", "expression": "@daily"}, schedule]}}

    with pytest.raises(ValidationError) as refused:
        plugins.activate("base", by=ADMIN)

    assert words in refused.value.details[field][0]
    assert platform.aws.client("scheduler").list_schedules()["Schedules"] == []


def test_a_theme_is_shown_while_its_plugin_is_active(platform, installed):
    installed("night", type="theme", displayName="Night Shift")
    platform.loads["night"] = {"ok": True, "registered": {"theme": {"palette": {"mode": "dark"}}}}

    plugins.activate("night", by=ADMIN)

    (one,) = runtime.active.everyone()
    assert one.registered["theme"] == {"name": "Night Shift", "palette": {"mode": "dark"}}


def test_a_command_that_another_active_plugin_has_is_refused_and_the_first_one_keeps_it(platform, active, installed):
    for slug in ("first", "second"):
        platform.loads[slug] = {"ok": True, "registered": {"commands": [{"name": "deploy"}]}}
    active("first")
    installed("second")

    with pytest.raises(CommandAlreadyRegistered) as refused:
        plugins.activate("second", by=ADMIN)

    assert refused.value.details == {"plugin": "first"}
    assert runtime.active.owner_of_command("deploy")[0].slug == "first"
    assert plugins.get("second").status == "inactive"
    assert not is_alive(token_of(platform, "second"))


def test_activating_what_is_active_or_absent_is_refused_and_changes_nothing(platform, active):
    active("base")
    token = token_of(platform, "base")

    with pytest.raises(PluginAlreadyActive):
        plugins.activate("base", by=ADMIN)
    with pytest.raises(PluginNotFound):
        plugins.activate("absent", by=ADMIN)

    assert is_alive(token)


def test_activating_needs_what_the_plugin_depends_on_to_be_active_and_calls_nothing_before(platform, installed, repository):
    repository.publish(package("base"))
    installed("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}])
    plugins.deactivate("base", by=ADMIN)
    platform.functions.calls.clear()

    with pytest.raises(DependenciesNotMet):
        plugins.activate("top", by=ADMIN)

    assert platform.functions.calls == []
    assert plugins.get("top").status == "inactive"


def test_a_deactivated_plugin_has_no_token_no_message_no_schedule_and_no_command(platform, active):
    schedules = [{"name": "tidy", "expression": "rate(1 day)"}]
    platform.loads["base"] = {"ok": True, "registered": {"commands": [{"name": "deploy"}], "schedules": schedules}}
    active("base")
    token, url = token_of(platform, "base"), runtime.provisioning.queue_url("base")
    sqs = platform.aws.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="a", MessageDeduplicationId="a")

    plugin = plugins.deactivate("base", by=ADMIN)

    assert (plugin.status, plugins.get("base").status) == ("inactive", "inactive")
    assert not is_alive(token)
    assert sqs.receive_message(QueueUrl=url).get("Messages", []) == []
    assert mapping_state(platform) == "Disabled"
    assert platform.aws.client("scheduler").list_schedules()["Schedules"] == []
    assert runtime.active.everyone() == []
    assert platform.functions.calls[-1] == ("test-plugin-base", {"kind": "unload"})
    assert told("base")[-1] == "plugin.deactivated"


@pytest.mark.parametrize("unload", [dies, lambda event: {"ok": False, "error": {"message": "busy"}}])
def test_a_plugin_whose_unload_fails_goes_off_all_the_same(platform, active, unload):
    active("base")
    platform.functions.answer("test-plugin-base", unload)

    plugins.deactivate("base", by=ADMIN)

    assert plugins.get("base").status == "inactive"
    assert runtime.active.everyone() == []


def test_deactivating_is_refused_while_active_plugins_need_it_and_for_core_and_inactive_ones(platform, active, repository):
    repository.publish(package("base"))
    active("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}])
    active("heart", is_core=True)

    with pytest.raises(HasDependents) as refused:
        plugins.deactivate("base", by=ADMIN)
    with pytest.raises(PluginIsCore):
        plugins.deactivate("heart", by=ADMIN)

    assert [one["slug"] for one in refused.value.details["dependent_plugins"]] == ["top"]
    assert {one.slug for one in runtime.active.everyone()} == {"base", "top", "heart"}
    plugins.deactivate("top", by=ADMIN)
    plugins.deactivate("base", by=ADMIN)
    with pytest.raises(PluginNotActive):
        plugins.deactivate("base", by=ADMIN)


@pytest.mark.parametrize("service", ["lambda", "scheduler", "dynamodb", "sqs"])
def test_a_deactivation_that_fails_half_way_can_be_made_again(platform, active, service):
    """Each AWS call of it fails once; then it is asked for again."""
    platform.loads["base"] = {"ok": True, "registered": {"schedules": [{"name": "tidy", "expression": "rate(1 day)"}]}}
    active("base")
    operations = {
        "lambda": "UpdateEventSourceMapping",
        "scheduler": "DeleteSchedule",
        "dynamodb": "TransactWriteItems",
        "sqs": "PurgeQueue",
    }

    with failing_once(platform, service, operations[service]):
        with pytest.raises((ClientError, PynamoDBException)):
            plugins.deactivate("base", by=ADMIN)
    if plugins.get("base").is_active:
        plugins.deactivate("base", by=ADMIN)

    assert plugins.get("base").status == "inactive"
    assert not is_alive(token_of(platform, "base"))
    assert mapping_state(platform) == "Disabled"
    assert platform.aws.client("scheduler").list_schedules()["Schedules"] == []


def test_changed_settings_reach_the_next_event(platform, active):
    fields = [{"key": "greeting", "type": "text", "label": "Greeting", "tab": "general", "default": "hello"}]
    plugin = active("base", settings={"tabs": [{"key": "general", "label": "General"}], "fields": fields})
    (before,) = runtime.active.subscribers()

    plugins.change_settings("base", {"greeting": "good day"}, by=ADMIN)

    (after,) = runtime.active.subscribers()
    assert dict(before.more)["settings_version"] == plugin.settings_version
    assert dict(after.more)["settings_version"] == plugin.settings_version + 1
    assert plugins.current_settings("base") == ({"greeting": "good day"}, plugin.settings_version + 1)


def test_settings_changed_while_the_plugin_loads_are_announced_with_its_first_event(platform, installed):
    fields = [{"key": "greeting", "type": "text", "label": "Greeting", "tab": "general", "default": "hello"}]
    installed("base", settings={"tabs": [{"key": "general", "label": "General"}], "fields": fields})

    def load(event):
        plugins.change_settings("base", {"greeting": "good day"}, by=ADMIN)
        return {"ok": True, "registered": {"hooks": ["session.created"]}}

    platform.functions.answer("test-plugin-base", load)

    plugins.activate("base", by=ADMIN)

    (subscriber,) = runtime.active.subscribers()
    assert dict(subscriber.more)["settings_version"] == plugins.get("base").settings_version == 2


class failing_once:
    """Inside, AWS refuses the first call of that operation."""

    def __init__(self, platform, service, operation):
        self._events = []
        self._operation = operation
        self._clients = [platform.aws.client(service)]
        if service == "dynamodb":
            from chalicelib.core.tables import connection

            self._clients.append(connection().client)
        self._has_failed = False

    def __enter__(self):
        for client in self._clients:
            client.meta.events.register_first("before-call", self._refuse)

    def __exit__(self, *_):
        for client in self._clients:
            client.meta.events.unregister("before-call", self._refuse)

    def _refuse(self, model, **_):
        from botocore.awsrequest import AWSResponse

        if model.name != self._operation or self._has_failed:
            return None
        self._has_failed = True
        refusal = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return AWSResponse("http://aws", 403, {}, None), refusal
