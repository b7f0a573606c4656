"""What plugins may use: the author's wish, the administrator's word, and what runs on AWS is what is recorded."""

import threading

import pytest

from chalicelib import accounts, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.marketplace import repository as marketplace
from chalicelib.runtime import names
from tests.event_history import history
from tests.integration.jobs.conftest import package

ADMIN = Caller("user", "ann", "Ann Lee", "admin", None)
DEFAULT = {
    "memory_mb": 256,
    "timeout_s": 30,
    "concurrency": 10,
    "daily_calls": 100_000,
    "storage_bytes": 104_857_600,
    "storage_keys": 100_000,
}


@pytest.fixture
def installed(platform, repository):
    def make(slug="watcher", version="1.0.0", **manifest):
        repository.publish(package(slug, version, **manifest))
        marketplace.forget()
        job = platform.install(slug)
        assert job.status == "succeeded", job.error
        return plugins.get(slug)

    return make


@pytest.fixture
def running(platform):
    """What the plugin has on AWS: memory, timeout, the queue's visibility timeout, and how many deliveries run at once."""

    def read(slug="watcher"):
        client = platform.aws.client
        function = client("lambda").get_function_configuration(FunctionName=names.function(slug))
        url = runtime.provisioning.queue_url(slug)
        queue = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        (mapping,) = client("lambda").list_event_source_mappings(FunctionName=names.function(slug))["EventSourceMappings"]
        concurrency = mapping["ScalingConfig"]["MaximumConcurrency"]
        return function["MemorySize"], function["Timeout"], int(queue["VisibilityTimeout"]), concurrency

    return read


def test_without_a_word_of_anybody_the_defaults_hold(installed, running, call, token):
    installed()

    assert running() == (256, 30, 35, 10)
    assert call("GET", "/admin/plugins/watcher/limits").body["data"] == {
        "limits": DEFAULT,
        "wished": {},
        "administered": {},
        "used": {"daily_calls": 0},
    }
    assert call("GET", "/admin/plugins/watcher").body["data"]["limits"] == DEFAULT


def test_the_authors_wish_holds_until_an_administrator_says_otherwise(installed, running, call):
    installed(limits={"memory_mb": 512, "timeout_s": 60})
    assert running() == (512, 60, 65, 10)

    changed = call("PATCH", "/admin/plugins/watcher/limits", {"memory_mb": 1024, "timeout_s": 5, "concurrency": 3, "daily_calls": 7})

    assert changed.body["data"]["limits"] == {**DEFAULT, "memory_mb": 1024, "timeout_s": 5, "concurrency": 3, "daily_calls": 7}
    assert running() == (1024, 5, 10, 3)
    given_back = call("PATCH", "/admin/plugins/watcher/limits", {"memory_mb": None, "timeout_s": None})
    assert given_back.body["data"]["administered"] == {"concurrency": 3, "daily_calls": 7}
    assert running() == (512, 60, 65, 3)


def test_a_change_is_told_once_and_only_what_changed(installed):
    installed()

    plugins.change_limits("watcher", {"memory_mb": 512, "concurrency": None}, by=ADMIN)
    plugins.change_limits("watcher", {"memory_mb": 512}, by=ADMIN)

    told = [event for event in history("plugin#watcher") if event.type == "plugin.limits_changed"]
    assert [event.data["changed"] for event in told] == [{"memory_mb": 512}]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"memory_mb": 127},
        {"memory_mb": 3009},
        {"timeout_s": 0},
        {"timeout_s": 121},
        {"concurrency": 1},
        {"concurrency": 1.5},
        {"daily_calls": -1},
        {"memory_mb": "512"},
        {"cpu": 4},
    ],
)
def test_what_is_out_of_bounds_is_refused_and_changes_nothing(installed, running, call, body):
    installed()

    assert call("PATCH", "/admin/plugins/watcher/limits", body).error["code"] == "VALIDATION_ERROR"
    assert (running(), runtime.limits.administered("watcher")) == ((256, 30, 35, 10), {})


@pytest.mark.parametrize("wish", [{"memory_mb": 10_000}, {"timeout_s": 900}, {"concurrency": 0}, {"daily_calls": 10**9}, "much"])
def test_a_manifest_that_wishes_for_too_much_is_refused(wish):
    with pytest.raises(plugins.PackageInvalid) as refused:
        plugins.parse_manifest(
            {
                "name": "greedy",
                "version": "1.0.0",
                "displayName": "G",
                "description": "",
                "author": "A",
                "type": "extension",
                "limits": wish,
            }
        )

    assert any(field.startswith("limits") for field in refused.value.details)


def test_limits_of_nobody_are_not_found(platform, call):
    assert call("GET", "/admin/plugins/none/limits").error["code"] == "PLUGIN_NOT_FOUND"
    assert call("PATCH", "/admin/plugins/none/limits", {"memory_mb": 512}).error["code"] == "PLUGIN_NOT_FOUND"


def test_limits_survive_an_uninstall_that_keeps_the_data_and_no_other(platform, installed, running):
    installed()
    plugins.change_limits("watcher", {"memory_mb": 1024}, by=ADMIN)
    platform.uninstall("watcher", keep_data=True)
    installed(version="1.1.0")
    assert running()[0] == 1024

    platform.uninstall("watcher")

    installed(version="1.2.0")
    assert running()[0] == 256


def test_a_change_that_died_before_it_was_applied_is_finished_by_the_next_activation(platform, installed, running, monkeypatch):
    plugin = installed()
    with monkeypatch.context() as killed, pytest.raises(ZeroDivisionError):
        killed.setattr(platform.aws.client("lambda"), "update_function_configuration", lambda **_: 1 / 0)
        plugins.change_limits("watcher", {"memory_mb": 1024}, by=ADMIN)
    assert running()[0] == 256

    plugins.deactivate(plugin.slug, by=ADMIN)
    plugins.activate(plugin.slug, by=ADMIN)

    assert running()[0] == 1024


def test_of_two_administrators_at_once_what_runs_is_what_is_recorded(installed, running):
    installed()
    threads = [
        threading.Thread(target=plugins.change_limits, args=("watcher", {"memory_mb": memory}), kwargs={"by": ADMIN})
        for memory in (384, 512, 640, 768)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert running()[0] == runtime.limits.administered("watcher")["memory_mb"]


def test_an_older_limit_outside_todays_bounds_is_brought_to_the_nearest():
    assert runtime.limits.effective({"memory_mb": 9000, "storage_keys": 5}, {"timeout_s": 0}).memory_mb == 3008
    assert runtime.limits.effective({}, {"timeout_s": 0}).timeout_s == 1
    assert runtime.limits.effective({"storage_keys": 5}, {}).storage_keys == 100_000


def test_a_change_leaves_what_it_does_not_name():
    before = {"memory_mb": 512, "timeout_s": 5}

    assert runtime.limits.changed(before, {"timeout_s": None, "concurrency": 4}) == {"memory_mb": 512, "concurrency": 4}


def test_an_uninstalled_plugin_leaves_no_count_of_its_calls(platform, repository):
    repository.publish(package("counted"))
    marketplace.forget()
    assert platform.install("counted").status == "succeeded"
    accounts.counts.count("plugin", "counted", "plugin")
    assert accounts.counts.calls_today("counted") == 1

    platform.uninstall("counted", backup=False)

    assert platform.left_over() == {}
