"""Installing and uninstalling, with the real state machine executed on moto."""

import base64
import json

import pytest

from chalicelib import jobs, plugins, runtime
from chalicelib.core import clock
from chalicelib.events import Actor
from chalicelib.jobs import records
from chalicelib.jobs.errors import JobNotFound
from chalicelib.jobs.install import plan_from_marketplace
from chalicelib.plugins import HasDependents, PluginAlreadyInstalled, PluginBusy
from tests.integration.jobs.conftest import package


def test_a_plugin_and_what_it_needs_are_installed_in_order_and_both_become_active(platform, repository):
    repository.publish(package("base"))
    repository.publish(package("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}]))

    job = platform.install("top")

    assert job.status == jobs.SUCCEEDED, job.error
    assert job.made["result"]["plugin"] == {"slug": "top", "name": "Top", "version": "1.0.0", "status": "active"}
    assert job.made["result"]["installation"]["dependencies_installed"] == ["base"]
    assert {one.slug: one.status for one in plugins.all_installed()} == {"base": "active", "top": "active"}
    loads = [name for name, event in platform.functions.calls if event.get("kind") == "load"]
    assert loads == ["test-plugin-base", "test-plugin-top"]


def test_progress_is_told_step_by_step_and_ends_with_complete(platform, repository):
    repository.publish(package("base"))

    job = platform.install("base")

    told = platform.told(job)
    assert [one.data["step"] for one in told if one.event == "progress"] == list(jobs.SAGAS["install"].steps)
    assert told[-1].event == "complete"
    assert told[-1].data["plugin"]["slug"] == "base"
    assert jobs.wait_for_news(job.id, told[-2].id, patience_s=0) == told[-1:]


def test_installing_without_activating_leaves_it_inactive_and_calls_nothing(platform, repository):
    repository.publish(package("base"))

    job = platform.install("base", activate=False)

    assert job.made["result"]["plugin"]["status"] == "inactive"
    assert runtime.active.everyone() == []
    assert not [event for _, event in platform.functions.calls if event.get("kind") == "load"]


def test_a_plugin_that_throws_on_load_is_rolled_back_whole_and_says_why(platform, repository):
    repository.publish(package("base"))
    repository.publish(package("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}]))
    platform.loads["top"] = {"ok": False, "error": {"name": "Error", "message": "API key is required"}}

    job = platform.install("top")

    assert job.status == jobs.FAILED
    assert "API key is required" in job.error["message"]
    assert job.error["step"] == "activating"
    assert job.left == []
    assert platform.left_over() == {}


def test_a_failing_dependency_rolls_the_whole_job_back(platform, repository):
    repository.publish(package("base"))
    repository.publish(package("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}]))
    platform.loads["base"] = {"ok": False, "error": {"name": "Error", "message": "no database"}}

    job = platform.install("top")

    assert job.status == jobs.FAILED
    assert job.error["step"] == "dependencies"
    assert platform.left_over() == {}


def test_uninstalling_removes_every_trace_but_the_backup(platform, repository):
    repository.publish(package("base", contributes={"scheduled_tasks": [{"name": "tidy", "schedule": "rate(1 day)"}]}))
    platform.install("base")
    runtime.storage.put("base", "remembered", {"n": 1})

    job = platform.uninstall("base")

    assert job.status == jobs.SUCCEEDED, job.error
    assert job.made["result"]["data_removed"] is True
    backup = job.made["result"]["backup_path"].lstrip("/")
    assert platform.left_over() == {"objects": [backup]}


def test_kept_data_outlives_the_plugin_and_a_reinstall_finds_it(platform, repository):
    repository.publish(package("base"))
    platform.install("base")
    runtime.storage.put("base", "remembered", {"n": 1})

    platform.uninstall("base", keep_data=True, backup=False)

    platform.install("base")
    assert runtime.storage.get("base", "remembered") == {"n": 1}


def test_a_plugin_that_others_need_cannot_be_uninstalled(platform, repository):
    repository.publish(package("base"))
    repository.publish(package("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}]))
    platform.install("top")

    with pytest.raises(HasDependents) as refused:
        platform.uninstall("base")

    assert [one["slug"] for one in refused.value.details["dependent_plugins"]] == ["top"]


def test_what_is_installed_cannot_be_installed_again(platform, repository):
    repository.publish(package("base"))
    platform.install("base")

    with pytest.raises(PluginAlreadyInstalled):
        platform.install("base")


def test_a_second_job_on_the_same_plugin_is_refused_while_the_first_runs(platform, repository):
    repository.publish(package("base"))
    records.begin("install", "base", {"locks": ["base"]}, actor=Actor("other", "Other"))

    with pytest.raises(PluginBusy):
        platform.install("base")


def test_a_step_that_runs_twice_makes_nothing_twice(platform, repository, functions):
    repository.publish(package("base"))

    def twice(event):
        jobs.run_step(event)
        jobs.run_step(event)

    functions.answer("test-job-step", twice)

    job = platform.install("base")

    assert job.status == jobs.SUCCEEDED, job.error
    left = platform.left_over()
    assert len(left["functions"]) == len(left["queues"]) == len(left["roles"]) == len(left["mappings"]) == 1
    assert left["installed"] == ["base"]


def test_a_worker_that_dies_in_a_step_leaves_nothing_and_the_job_says_which_step(platform, repository, functions):
    repository.publish(package("base"))

    def killed_after_its_effect(event):
        jobs.run_step(event)
        if event.get("step") == "provisioning" and event["action"] == "act":
            raise SystemError("killed")
        return {}

    functions.answer("test-job-step", killed_after_its_effect)

    job = platform.install("base")

    assert job.status == jobs.FAILED
    assert job.error["step"] == "provisioning"
    assert job.error["code"] == "INTERRUPTED"
    assert platform.left_over() == {}


def test_the_plugins_role_can_only_read_its_own_queue_under_the_boundary(platform, repository, aws):
    repository.publish(package("base"))
    platform.install("base")

    iam = aws.client("iam")
    role = iam.get_role(RoleName="test-plugin-base")["Role"]
    policy = iam.get_role_policy(RoleName="test-plugin-base", PolicyName="own-queue-and-log")["PolicyDocument"]

    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("test-boundary")
    policy = json.loads(policy) if isinstance(policy, str) else policy
    queue = next(one for one in policy["Statement"] if "sqs:ReceiveMessage" in one["Action"])
    assert queue["Resource"].endswith(":test-plugin-base.fifo")


def test_a_job_whose_state_machine_was_stopped_is_found_and_rolled_back(platform, repository, aws):
    repository.publish(package("base"))
    job = records.begin("install", "base", plan_from_marketplace("base", None, activate=True), actor=Actor("a", "A"))
    for step in ("downloading", "extracting", "dependencies", "provisioning"):
        jobs.run_step({"job_id": job.id, "action": "act", "step": step})
    assert "functions" in platform.left_over()

    with clock.travel(60):
        count = jobs.recover_abandoned()
        ended = jobs.wait_for_end(job.id, patience_s=60)

    assert count == 1
    assert ended.status == jobs.FAILED
    assert ended.error["step"] == "provisioning"
    assert platform.left_over() == {}


def test_a_job_that_runs_or_has_ended_is_left_alone_by_the_sweep(platform, repository):
    repository.publish(package("base"))
    platform.install("base")

    with clock.travel(3600):
        assert jobs.recover_abandoned() == 0

    assert [one.status for one in plugins.all_installed()] == ["active"]


def test_what_was_switched_off_and_is_needed_is_switched_on_and_off_again_when_the_job_fails(platform, repository):
    repository.publish(package("base"))
    repository.publish(package("top", dependencies=[{"slug": "base", "version_constraint": "^1.0.0"}]))
    platform.install("base", activate=False)
    platform.loads["top"] = {"ok": False, "error": {"name": "Error", "message": "no"}}

    assert platform.install("top").status == jobs.FAILED
    assert {one.slug: one.status for one in plugins.all_installed()} == {"base": "inactive"}

    platform.loads.clear()
    assert platform.install("top").status == jobs.SUCCEEDED
    assert {one.slug: one.status for one in plugins.all_installed()} == {"base": "active", "top": "active"}


def test_an_upload_is_installed_and_one_that_was_refused_leaves_no_object(platform):
    archive = base64.b64encode(package("base")).decode()

    def upload():
        return jobs.start_install({"source": "upload", "package": archive, "activate": True}, actor=Actor("a", "A"))

    assert jobs.wait_for_end(upload().id, patience_s=60).status == jobs.SUCCEEDED
    platform.uninstall("base", backup=False)
    records.begin("install", "base", {"locks": ["base"]}, actor=Actor("other", "Other"))

    with pytest.raises(PluginBusy):
        upload()

    assert "objects" not in platform.left_over()


def test_a_job_that_ends_while_the_sweep_looks_at_it_keeps_what_it_made(platform, repository, aws):
    """The sweep's list comes from an index; by the time it asks about the execution, the job may be done."""
    repository.publish(package("base"))
    job = records.begin("install", "base", plan_from_marketplace("base", None, activate=True), actor=Actor("a", "A"))
    for step in jobs.SAGAS["install"].steps:
        jobs.run_step({"job_id": job.id, "action": "act", "step": step})

    def ends_now(**_):
        jobs.run_step({"job_id": job.id, "action": "succeed"})

    events = aws.client("stepfunctions").meta.events
    events.register("before-call.sfn.DescribeExecution", ends_now)
    try:
        with clock.travel(60):
            count = jobs.recover_abandoned()
    finally:
        events.unregister("before-call.sfn.DescribeExecution", ends_now)

    assert count == 0
    assert records.get(job.id).status == jobs.SUCCEEDED
    assert [one.status for one in plugins.all_installed()] == ["active"]


def test_following_an_ended_job_waits_for_nothing(platform, repository):
    repository.publish(package("base"))
    job = platform.install("base")
    last = jobs.wait_for_news(job.id, "")[-1]
    while not last.is_last:  # a job ends a moment before its end is told
        last = jobs.wait_for_news(job.id, last.id)[-1]

    assert jobs.wait_for_news(job.id, last.id, patience_s=60) is None


@pytest.mark.parametrize("after", ["é", "~", "PROGRESS#", "0", "-1", "x" * 3000])
def test_news_after_an_id_that_was_never_given_out_are_all_news(platform, repository, after):
    job = records.begin("install", "base", {"locks": ["base"]}, actor=Actor("a", "A"))
    records.tell(job.id, "progress", {"step": "downloading"})

    assert [one.event for one in jobs.wait_for_news(job.id, after)] == ["progress"]


def test_an_id_longer_than_a_key_may_be_is_no_job(platform):
    with pytest.raises(JobNotFound):
        jobs.get("x" * 3000)


def test_after_a_deployment_installed_plugins_have_the_new_address_and_sdk_and_keep_their_token(platform, repository, monkeypatch):
    repository.publish(package("base"))
    repository.publish(package("busy"))
    platform.install("base")
    platform.install("busy")
    functions = platform.aws.client("lambda")

    def variables(slug):
        return functions.get_function_configuration(FunctionName=f"test-plugin-{slug}")["Environment"]["Variables"]

    before = variables("base")
    assert plugins.refresh_functions() == []
    monkeypatch.setenv("STREAMSPACE_API_URL", "http://elsewhere")

    with plugins.locks.held("busy", "test"):
        assert plugins.refresh_functions(patience_s=0) == ["base"]

    assert variables("base") == {**before, "STREAMSPACE_API_URL": "http://elsewhere"}
    assert before["STREAMSPACE_TOKEN"]
    assert plugins.refresh_functions() == ["busy"]
