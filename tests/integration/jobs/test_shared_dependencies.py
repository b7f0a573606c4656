"""Two jobs and one dependency: both end well, and neither takes what the other uses."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import jobs, plugins
from chalicelib.events import Actor
from chalicelib.jobs import install, records, uninstall
from chalicelib.marketplace import repository as marketplace
from chalicelib.plugins import DependencyConflict, HasDependents, IncompatibleRelease, PluginBusy
from tests.integration.jobs.conftest import ADMIN, package

NEEDS_BASE = {"dependencies": [{"slug": "base", "version_constraint": "^1.0.0"}]}
BROKEN = {"ok": False, "error": {"name": "Error", "message": "no"}}


@pytest.fixture
def shelf(platform, repository):
    """``base``, and ``left`` and ``right`` that need it."""
    repository.publish(package("base"))
    for slug in ("left", "right"):
        repository.publish(package(slug, **NEEDS_BASE))
    marketplace.forget()
    return platform


def start(slug, **request):
    return jobs.start_install({"source": "marketplace", "slug": slug, "activate": True, **request}, actor=ADMIN.actor)


def ended(job):
    return jobs.wait_for_end(job.id, patience_s=100)


def statuses():
    return {one.slug: one.status for one in plugins.all_installed()}


def test_two_that_begin_at_once_and_need_the_same_one_both_end_well(shelf):
    with ThreadPoolExecutor(2) as threads:
        done = [ended(job) for job in threads.map(start, ("left", "right"))]

    assert [job.status for job in done] == [jobs.SUCCEEDED] * 2, [job.error for job in done]
    assert statuses() == {"base": "active", "left": "active", "right": "active"}
    assert sorted(len(job.made["dependencies"]["installed"]) for job in done) == [0, 1]
    assert "locks" not in shelf.left_over()


def held_up(shelf, slug, then=None):
    """A job that has installed ``slug``'s dependency and has gone no further, and one for ``right`` that came after it."""
    first = records.begin("install", slug, install.plan_from_marketplace(slug, None, activate=True), actor=Actor("a", "A"))
    for step in ("downloading", "extracting", "dependencies"):
        jobs.run_step({"job_id": first.id, "action": "act", "step": step})
    assert statuses() == (then or {"base": "active"})
    return first


def roll_back(job):
    for step in ("dependencies", "extracting", "downloading"):
        jobs.run_step({"job_id": job.id, "action": "undo", "step": step})


def test_when_the_first_is_rolled_back_the_second_brings_the_dependency_itself(shelf):
    first = held_up(shelf, "left")
    second = start("right")
    assert not jobs.wait_for_end(second.id, patience_s=1).has_ended

    roll_back(first)
    jobs.run_step({"job_id": first.id, "action": "fail"})

    done = ended(second)
    assert done.status == jobs.SUCCEEDED, done.error
    assert statuses() == {"base": "active", "right": "active"}
    assert "locks" not in shelf.left_over()


@pytest.fixture
def lone(shelf, repository):
    """``right``, as it was before it needed ``base``, with the update that needs it ready."""
    repository.publish(package("right", "0.9.0"))
    marketplace.forget()
    assert shelf.install("right", version="0.9.0").status == jobs.SUCCEEDED
    return shelf


@pytest.mark.parametrize("is_uploaded", [False, True])
def test_an_update_waits_for_the_dependency_that_another_job_installs(lone, is_uploaded):
    first = held_up(lone, "left", {"base": "active", "right": "active"})
    given = {"package": base64.b64encode(package("right", "1.0.0", **NEEDS_BASE)).decode()} if is_uploaded else {}
    second = jobs.start_update("right", given, actor=ADMIN.actor)
    assert not jobs.wait_for_end(second.id, patience_s=1).has_ended

    roll_back(first)
    jobs.run_step({"job_id": first.id, "action": "fail"})

    done = ended(second)
    assert done.status == jobs.SUCCEEDED, done.error
    assert done.made["result"]["dependencies_installed"] == ["base"]
    assert (plugins.get("right").version, statuses()) == ("1.0.0", {"base": "active", "right": "active"})
    assert "locks" not in lone.left_over()


def test_an_update_that_waits_in_vain_leaves_the_version_that_was_there(lone, monkeypatch):
    monkeypatch.setattr(install, "_PATIENCE_S", 0.0)
    held_up(lone, "left", {"base": "active", "right": "active"})
    before = lone.left_over()

    done = ended(jobs.start_update("right", {}, actor=ADMIN.actor))

    assert (done.status, done.error["code"]) == (jobs.FAILED, "OPERATION_IN_PROGRESS")
    assert "base" in done.error["message"]
    assert (plugins.get("right").version, statuses()["right"]) == ("0.9.0", "active")
    assert lone.left_over() == before


def test_an_update_does_not_begin_to_rely_on_what_is_being_removed(lone, monkeypatch):
    assert lone.install("base").status == jobs.SUCCEEDED
    require_active = plugins.dependencies.require_active

    def then_somebody_removes_it(*arguments):
        monkeypatch.setattr(plugins.lifecycle.dependencies, "require_active", require_active)
        require_active(*arguments)
        records.begin("uninstall", "base", uninstall.plan("base", keep_data=False, backup=False), actor=Actor("b", "B"))

    monkeypatch.setattr(plugins.lifecycle.dependencies, "require_active", then_somebody_removes_it)

    done = ended(jobs.start_update("right", {}, actor=ADMIN.actor))

    assert (done.status, done.error["code"]) == (jobs.FAILED, "OPERATION_IN_PROGRESS"), done.error
    assert plugins.get("right").version == "0.9.0"
    assert done.left == []


def test_who_waits_says_so_and_in_the_end_gives_up_with_nothing_left(shelf, monkeypatch):
    monkeypatch.setattr(install, "_PATIENCE_S", 0.0)
    held_up(shelf, "left")
    before = shelf.left_over()

    second = ended(start("right"))

    assert (second.status, second.error["code"]) == (jobs.FAILED, "OPERATION_IN_PROGRESS")
    assert "base" in second.error["message"]
    told = [one.data.get("message", "") for one in jobs.wait_for_news(second.id, "")]
    assert any("Waiting" in message for message in told)
    assert shelf.left_over() == before


def test_a_worker_killed_while_its_job_waits_leaves_nothing(shelf, functions):
    first = held_up(shelf, "left")
    before = shelf.left_over()

    def killed(event):
        if event["job_id"] != first.id and event.get("step") == "downloading" and event["action"] == "act":
            raise SystemError("killed")
        return jobs.run_step(event) or {}

    functions.answer("test-job-step", killed)
    second = ended(start("right"))

    assert (second.status, second.left) == (jobs.FAILED, [])
    assert shelf.left_over() == before


def test_the_plugin_itself_is_not_waited_for(shelf):
    held_up(shelf, "left")

    with pytest.raises(PluginBusy) as refused:
        start("left")

    assert refused.value.details["slug"] == "left"


def test_going_back_leaves_a_dependency_that_another_plugin_needs_by_now(shelf):
    first = held_up(shelf, "left")
    # Somebody who was here before jobs took care of one another.
    plugins.locks.release(first.id, ["base"])
    assert ended(start("right")).status == jobs.SUCCEEDED

    roll_back(first)

    assert statuses() == {"base": "active", "right": "active"}
    assert {name for kind in ("functions", "queues", "roles") for name in map(str, shelf.left_over()[kind]) if "base" in name}


def test_what_was_only_switched_on_stays_on_for_another_that_is_active(shelf):
    assert ended(start("base")).status == jobs.SUCCEEDED
    plugins.deactivate("base", by=ADMIN)
    first = held_up(shelf, "left")
    plugins.locks.release(first.id, ["base"])
    assert ended(start("right")).status == jobs.SUCCEEDED

    jobs.run_step({"job_id": first.id, "action": "undo", "step": "dependencies"})

    assert statuses() == {"base": "active", "right": "active"}


def test_while_a_dependency_is_removed_nothing_that_needs_it_is_registered(shelf, functions):
    assert ended(start("base")).status == jobs.SUCCEEDED

    def removal_begins(event):
        if event.get("step") == "registering" and event["action"] == "act":
            records.begin("uninstall", "base", {"locks": ["base"]}, actor=Actor("a", "A"))
        return jobs.run_step(event) or {}

    functions.answer("test-job-step", removal_begins)
    job = ended(start("left", activate=False))

    assert (job.status, job.error["code"]) == (jobs.FAILED, "OPERATION_IN_PROGRESS")
    assert statuses() == {"base": "active"}


def test_a_removal_that_was_planned_before_somebody_came_to_need_it_stops(shelf, functions):
    assert ended(start("base")).status == jobs.SUCCEEDED
    plan = uninstall.plan("base", keep_data=False, backup=False)
    assert ended(start("left")).status == jobs.SUCCEEDED

    job = records.begin("uninstall", "base", {**plan, "slug": "base"}, actor=Actor("a", "A"))
    with pytest.raises(Exception, match="deactivating"):
        jobs.run_step({"job_id": job.id, "action": "act", "step": "deactivating"})

    assert records.get(job.id).error["code"] == "HAS_DEPENDENTS"
    assert statuses() == {"base": "active", "left": "active"}


# ── What is refused, and in which words ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_conflict_says_who_wants_what(shelf, repository):
    assert ended(start("left")).status == jobs.SUCCEEDED
    repository.publish(package("base", "2.0.0"))
    repository.publish(package("modern", dependencies=[{"slug": "base", "version_constraint": "^2.0.0"}]))
    marketplace.forget()
    before = shelf.left_over()

    with pytest.raises(DependencyConflict) as refused:
        start("modern")

    assert "modern 1.0.0 wants ^2.0.0" in refused.value.message
    assert "1.0.0 is installed" in refused.value.message
    assert refused.value.details["conflicts"][0]["slug"] == "base"
    assert shelf.left_over() == before


def test_a_release_for_a_newer_platform_is_refused_before_it_is_fetched_with_both_versions(shelf, repository):
    repository.publish(package("future", requirements={"system_version": ">=9.1.0"}))
    repository.publish(package("needs-future", dependencies=[{"slug": "future"}]))
    marketplace.forget()
    for path in repository.folder.glob("packages/*future*"):
        path.unlink()
    before = shelf.left_over()

    for slug in ("future", "needs-future"):
        with pytest.raises(IncompatibleRelease, match=r"future 1\.0\.0 asks for StreamSpace >=9\.1\.0; this is 1\."):
            start(slug)

    assert shelf.left_over() == before


def test_a_circle_is_installed_whole_and_goes_back_whole(shelf, repository):
    repository.publish(package("one", dependencies=[{"slug": "two"}]))
    repository.publish(package("two", dependencies=[{"slug": "one"}]))
    marketplace.forget()

    job = ended(start("one", activate=False))

    assert (job.status, statuses()) in ((jobs.SUCCEEDED, {"one": "inactive", "two": "inactive"}), (jobs.FAILED, {}))
    if job.status == jobs.FAILED:
        assert shelf.left_over() == {}


def test_an_optional_dependency_is_not_brought_and_does_not_keep_anything(shelf, repository):
    repository.publish(package("modest", dependencies=[{"slug": "base", "is_optional": True}]))
    marketplace.forget()

    assert ended(start("modest")).made["dependencies"]["installed"] == []
    assert ended(start("base")).status == jobs.SUCCEEDED
    assert shelf.uninstall("base").status == jobs.SUCCEEDED
    assert statuses() == {"modest": "active"}


def test_what_others_need_is_neither_switched_off_nor_removed(shelf):
    assert ended(start("left")).status == jobs.SUCCEEDED

    for refused in (lambda: plugins.deactivate("base", by=ADMIN), lambda: shelf.uninstall("base")):
        with pytest.raises(HasDependents) as found:
            refused()
        assert found.value.details["dependent_plugins"] == [{"slug": "left", "name": "Left"}]
