"""Commands are visible exactly while their plugin is active, and run for those who may."""

import pytest

from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied
from chalicelib.events import unit_of_work
from chalicelib.runtime import active, commands
from chalicelib.runtime.errors import CommandFailed, CommandNotFound, PluginCrashed

ADMIN = Caller("user", "ann", "Ann", "admin", None)
MANAGER = Caller("user", "max", "Max", "manager", None)
USER = Caller("user", "jane", "Jane", "user", None)


def plugin_with(*scopes):
    return Caller("plugin", "caller", "caller", "user", frozenset(scopes))


def command(name, *permissions):
    return {"name": name, "description": f"Does {name}", "permissions": list(permissions)}


@pytest.fixture
def deployer(plugin_queue, functions):
    """An active plugin with a command for each kind of need; its function answers with what it was called."""
    functions.answer("test-plugin-deployer", lambda event: {"ok": True, "result": event})
    plugin_queue(
        "deployer",
        settings_version=4,
        commands=[
            command("anybody"),
            command("managers", "manager"),
            command("mailers", "email.send"),
            command("deployers", "deploys.run"),
            command("readers", "read:sessions"),
            {"name": "bare"},
        ],
        permissions=[{"name": "deploys.run", "default_roles": ["manager"]}],
    )


@pytest.mark.usefixtures("deployer")
@pytest.mark.parametrize(
    ("caller", "names"),
    [
        (ADMIN, ["anybody", "managers", "mailers", "deployers", "readers", "bare"]),
        (MANAGER, ["anybody", "managers", "deployers", "bare"]),
        (USER, ["anybody", "bare"]),
        (plugin_with("commands"), ["anybody", "bare"]),
        (plugin_with("commands", "read:sessions"), ["anybody", "readers", "bare"]),
    ],
)
def test_each_caller_sees_and_may_run_the_same_commands(caller, names):
    """A role, a permission of the role, and one that the plugin contributes with default roles all count; a plugin has its scopes."""
    assert [one["name"] for one in commands.available_to(caller)] == names

    for name in ("anybody", "managers", "mailers", "deployers", "readers", "bare"):
        if name in names:
            assert commands.execute(name, None, by=caller)["name"] == name
        else:
            with pytest.raises(PermissionDenied):
                commands.execute(name, None, by=caller)


@pytest.mark.usefixtures("deployer")
def test_a_refused_caller_is_told_what_is_needed_and_nothing_runs(functions):
    with pytest.raises(PermissionDenied) as refused:
        commands.execute("deployers", {}, by=USER)

    assert refused.value.details == {"permissions": ["deploys.run"]}
    assert functions.calls == []


@pytest.mark.usefixtures("deployer")
def test_the_function_is_told_the_arguments_the_caller_and_the_settings_of_today():
    told = commands.execute("anybody", {"to": "prod"}, by=USER)

    assert 25 < told.pop("deadline_ms") / 1000 - clock.timestamp() <= 26
    assert told == {
        "kind": "command",
        "name": "anybody",
        "args": {"to": "prod"},
        "caller": {"username": "jane"},
        "settings_version": 4,
    }


def test_what_a_handler_throws_comes_back_as_it_was_thrown(plugin_queue, functions):
    plugin_queue("deployer", commands=[command("deploy")])
    thrown = {"name": "RangeError", "message": "no such stage", "location": "index.js:12", "code": "E_STAGE", "stack": "secret paths"}
    functions.answer("test-plugin-deployer", lambda event: {"ok": False, "error": thrown})

    with pytest.raises(CommandFailed) as failed:
        commands.execute("deploy", {}, by=USER)

    assert failed.value.message == "The command 'deploy' of 'deployer' failed: no such stage"
    assert failed.value.details == {
        "plugin": "deployer",
        "name": "RangeError",
        "message": "no such stage",
        "code": "E_STAGE",
        "location": "index.js:12",
    }


@pytest.mark.parametrize("error", [None, "boom", ["boom"], {"message": None}])
def test_a_failure_that_is_no_failure_object_is_a_failed_command_all_the_same(plugin_queue, functions, error):
    plugin_queue("deployer", commands=[command("deploy")])
    functions.answer("test-plugin-deployer", lambda event: {"ok": False, "error": error})

    with pytest.raises(CommandFailed):
        commands.execute("deploy", {}, by=USER)


def _dies(event):
    raise MemoryError("out of memory")


@pytest.mark.parametrize("answer", [_dies, lambda event: None, lambda event: {"result": 1}, lambda event: {"ok": "yes"}, lambda event: []])
def test_a_function_that_dies_or_breaks_the_protocol_is_a_crashed_plugin(plugin_queue, functions, answer):
    plugin_queue("deployer", commands=[command("deploy")], places={"command deploy": "lib/deploy.js:7"})
    functions.answer("test-plugin-deployer", answer)

    with pytest.raises(PluginCrashed) as crashed:
        commands.execute("deploy", {}, by=USER)

    known = {"slug": "deployer", "call": "command", "hook": "command deploy"}
    assert crashed.value.details == {**known, "location": "lib/deploy.js:7"}
    assert "'deployer' crashed in command deploy (begins at lib/deploy.js:7): " in crashed.value.message


@pytest.mark.usefixtures("deployer")
def test_a_command_that_nobody_registered_is_not_found():
    with pytest.raises(CommandNotFound):
        commands.execute("unknown", {}, by=ADMIN)


@pytest.mark.usefixtures("deployer")
def test_what_is_registered_is_gone_with_its_plugins_activity():
    with unit_of_work() as work:
        active.remove(work, "deployer")

    assert commands.available_to(ADMIN) == []
    assert list(active.subscribers()) == []
    with pytest.raises(CommandNotFound):
        commands.execute("anybody", {}, by=ADMIN)


def test_a_subscriber_wants_the_types_that_it_hooked_and_its_messages_say_whose_and_which_settings(plugin_queue):
    queue = plugin_queue("watcher", hooks=["session.created", "user.login"], settings_version=2)
    plugin_queue("idle")

    watcher = next(one for one in active.subscribers() if one.name == "watcher")

    assert (watcher.queue_url, watcher.types) == (queue.url, {"session.created", "user.login"})
    assert dict(watcher.more) == {"settings_version": 2, "subscriber": "watcher"}
    assert next(one for one in active.subscribers() if one.name == "idle").types == frozenset()
