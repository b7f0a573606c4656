"""One operation at a time on a plugin, whoever begins it and however they end."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import accounts, plugins, runtime
from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import StreamSpaceError
from chalicelib.events import Actor, unit_of_work
from chalicelib.jobs import records
from chalicelib.marketplace import repository as marketplace
from chalicelib.plugins import PluginAlreadyActive, PluginBusy, locks
from tests.integration.jobs.conftest import package, platform, repository

__all__ = ["platform", "repository"]

ADMIN = Caller("user", "ann", "Ann Lee", "admin", None)


@pytest.fixture
def installed(platform, repository):
    def make(slug, **manifest):
        repository.publish(package(slug, **manifest))
        marketplace.forget()
        job = platform.install(slug, activate=False)
        assert job.status == "succeeded", job.error
        return plugins.get(slug)

    return make


def test_of_many_who_lock_at_once_one_gets_it(aws):
    together = threading.Barrier(8)
    won, refused = [], []

    def try_it(number):
        together.wait()
        try:
            with unit_of_work() as work:
                locks.take(work, ["base"], owner=f"o{number}", doing="test", for_s=60)
            won.append(number)
        except PluginBusy as busy:
            refused.append(busy.details)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(try_it, range(8)))

    assert len(won) == 1
    assert refused == [{"slug": "base"}] * 7


def test_several_are_locked_together_or_not_at_all(aws):
    with locks.held("second", "test"), pytest.raises(PluginBusy):
        with unit_of_work() as work:
            locks.take(work, ["first", "second", "third"], owner="o", doing="test", for_s=60)

    for slug in ("first", "second", "third"):
        with locks.held(slug, "test"):
            pass


def test_a_lock_ends_with_its_block_also_when_that_raises(aws):
    with pytest.raises(ZeroDivisionError), locks.held("base", "test"):
        _ = 1 / 0

    with locks.held("base", "test"):
        pass


def test_the_lock_of_a_killed_owner_expires_and_its_late_release_takes_nothing_from_the_next(aws):
    with unit_of_work() as work:
        locks.take(work, ["base"], owner="killed", doing="test", for_s=60)

    with pytest.raises(PluginBusy), locks.held("base", "test"):
        pass
    with clock.travel(62), locks.held("base", "test"):
        locks.release("killed", ["base"])
        with pytest.raises(PluginBusy), locks.held("base", "test"):
            pass


@pytest.mark.parametrize("act", [plugins.activate, plugins.deactivate])
def test_switching_is_refused_while_a_job_works_on_the_plugin(platform, installed, act):
    installed("base")
    if act is plugins.deactivate:
        plugins.activate("base", by=ADMIN)
    before = plugins.get("base")
    job = records.begin("uninstall", "base", {"locks": ["base"]}, actor=Actor("a", "A"))

    with pytest.raises(PluginBusy):
        act("base", by=ADMIN)

    assert plugins.get("base") == before
    records.end(job)
    act("base", by=ADMIN)


def test_a_job_is_refused_while_the_plugin_is_being_switched_on(platform, installed):
    installed("base")
    refused = []

    def meanwhile(event):
        if event["kind"] == "load":
            try:
                platform.uninstall("base")
            except PluginBusy as busy:
                refused.append(busy)
        return {"ok": True, "registered": {}}

    platform.functions.answer("test-plugin-base", meanwhile)

    plugins.activate("base", by=ADMIN)

    assert len(refused) == 1
    assert plugins.get("base").is_active


def test_an_installation_waits_for_what_it_will_switch_on(platform, installed, repository):
    installed("base")
    repository.publish(package("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}]))
    marketplace.forget()

    with ThreadPoolExecutor(1) as threads:
        with locks.held("base", "test"):
            waiting = threads.submit(platform.install, "top")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=1)
        job = waiting.result()

    assert job.status == "succeeded", job.error
    assert plugins.get("base").is_active
    assert "locks" not in platform.left_over()


def test_activations_at_once_leave_the_living_token_in_the_function(platform, installed):
    installed("base")
    together = threading.Barrier(4)

    def activate(_):
        together.wait()
        try:
            plugins.activate("base", by=ADMIN)
        except (PluginBusy, PluginAlreadyActive) as refused:
            return type(refused)
        return None

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(activate, range(4)))

    assert outcomes.count(None) == 1
    configuration = platform.aws.client("lambda").get_function_configuration(FunctionName="test-plugin-base")
    assert accounts.caller_of(configuration["Environment"]["Variables"]["STREAMSPACE_TOKEN"]).id == "base"


def test_activations_and_deactivations_at_once_end_in_one_of_both_states_whole(platform, installed):
    installed("base")

    def act(number):
        with contextlib.suppress(StreamSpaceError):
            (plugins.activate if number % 2 else plugins.deactivate)("base", by=ADMIN)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(act, range(12)))

    is_active = plugins.get("base").is_active
    assert is_active == (runtime.active.find("base") is not None)
    (mapping,) = platform.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert (mapping["State"] == "Enabled") == is_active
