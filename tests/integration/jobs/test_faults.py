"""Each step of each job fails, or dies, at each point: the job ends as it says, and nothing is left over."""

import pytest

from chalicelib import jobs, plugins, runtime
from chalicelib.jobs.install import INSTALL
from chalicelib.jobs.uninstall import UNINSTALL
from tests.integration.jobs.conftest import NOTES, RENAMED, migrations, package, tried

TOP = {"dependencies": [{"slug": "base", "version_constraint": "^1.0.0"}], "permissions": ["storage"]}
TASKS = {"scheduled_tasks": [{"name": "tidy", "schedule": "rate(1 day)"}]}

BEFORE, AFTER, KILLED = "fails before its effect", "fails after its effect", "is killed after its effect"


class Fault:
    """Breaks one action of one step, every time that it comes or the first time only."""

    def __init__(self, platform, functions, action, step, how, *, times=99):
        self.action, self.step, self.how, self.times = action, step, how, times
        self.struck = 0
        tried.append(f"{action} {step} {how}")
        functions.answer("test-job-step", self)

    def __call__(self, event):
        strikes = (event["action"], event.get("step")) == (self.action, self.step) and self.struck < self.times
        if strikes and self.how == BEFORE:
            self.struck += 1
            raise RuntimeError("before")
        jobs.run_step(event)
        if strikes:
            self.struck += 1
            raise (RuntimeError if self.how == AFTER else SystemError)("after")
        return {}


@pytest.fixture
def published(repository):
    repository.publish(package("base", contributes=TASKS, files=migrations(NOTES)))
    repository.publish(package("top", contributes=TASKS, files=migrations(NOTES, RENAMED), **TOP))


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("how", [BEFORE, AFTER, KILLED])
@pytest.mark.parametrize("step", INSTALL.steps)
def test_an_installation_broken_at_any_step_is_rolled_back_whole_and_names_the_step(platform, functions, step, how):
    fault = Fault(platform, functions, "act", step, how)

    job = platform.install("top")

    assert fault.struck
    assert job.status == jobs.FAILED
    if how != BEFORE:
        assert job.error["step"] == step
    assert job.left == []
    assert platform.left_over() == {}
    told = platform.told(job)
    assert [one.event for one in told if one.event != "progress"] == ["failed"]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("how", [BEFORE, AFTER, KILLED])
@pytest.mark.parametrize("step", [name for name, step in INSTALL.steps.items() if step.undo])
def test_a_way_back_that_is_broken_leaves_the_job_stuck_or_done_and_the_others_are_still_undone(platform, functions, step, how):
    platform.loads["top"] = {"ok": False, "error": {"message": "no"}}
    fault = Fault(platform, functions, "undo", step, how)

    job = platform.install("top")

    assert fault.struck
    assert job.error["step"] == "activating"
    if how == BEFORE:
        assert job.status == jobs.STUCK
        assert [one.partition(":")[0] for one in job.left] == [step]
    else:
        assert platform.left_over() == {}
    assert "locks" not in platform.left_over()
    assert platform.told(job)[-1].event == "failed"


PARTS = ["downloading", "extracting", "migrations", "provisioning", "registering", "activating"]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("part", PARTS)
def test_an_installation_that_is_killed_inside_a_dependency_leaves_nothing_of_it(platform, functions, part):
    """The state machine does not see the dependency's own steps: here AWS itself fails in each of them."""
    operation = {
        "downloading": "PutObject",
        "extracting": "PutObject",
        "migrations": "TransactWriteItems",
        "provisioning": "CreateEventSourceMapping",
        "registering": "TransactWriteItems",
        "activating": "CreateSchedule",
    }[part]
    tried.append(f"dependency {part}")
    containing = {"PutObject": "base", "TransactWriteItems": "plugin.installed"}.get(operation, "")
    with refused(platform, operation, containing, after=part == "extracting"):
        job = platform.install("top")

    assert job.status == jobs.FAILED
    assert job.error["step"] == "dependencies"
    assert platform.left_over() == {}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("how", [BEFORE, AFTER, KILLED])
@pytest.mark.parametrize("step", UNINSTALL.steps)
def test_an_uninstallation_broken_at_any_step_goes_through_when_it_is_asked_for_again(platform, functions, step, how):
    platform.install("top")
    runtime.storage.put("top", "k", 1)
    fault = Fault(platform, functions, "act", step, how, times=1)

    first = platform.uninstall("top", backup=False)

    assert fault.struck
    assert first.status == jobs.FAILED
    if plugins.find("top") is not None:
        second = platform.uninstall("top", backup=False)
        assert second.status == jobs.SUCCEEDED, second.error
    assert platform.uninstall("base", backup=False).status == jobs.SUCCEEDED
    assert platform.left_over() == {}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(("action", "load"), [("succeed", {"ok": True}), ("fail", {"ok": False, "error": {"message": "no"}})])
def test_an_end_that_is_told_by_a_worker_that_dies_is_told_once(platform, functions, action, load):
    """Lambda says of a killed worker what Step Functions tries again; so the end comes twice."""
    platform.loads["base"] = load
    tried.append(f"{action} twice")

    def twice(event):
        jobs.run_step(event)
        if event["action"] == action:
            jobs.run_step(event)
        return {}

    functions.answer("test-job-step", twice)

    job = platform.install("base")

    told = [one.event for one in platform.told(job) if one.event != "progress"]
    assert told == ["complete" if action == "succeed" else "failed"]


@pytest.mark.usefixtures("published")
def test_a_worker_that_dies_between_the_record_and_the_news_of_the_end_tells_them_when_it_comes_again(platform, functions):
    """Else whoever follows the job would wait for ever."""
    tried.append("succeed, before the news")
    struck = []

    def killed_before_the_news(event):
        if event["action"] == "succeed" and not struck:
            struck.append(1)
            with refused(platform, "PutItem", "complete"):
                jobs.run_step(event)
        jobs.run_step(event)
        return {}

    def again(event):
        try:
            return killed_before_the_news(event)
        except Exception:  # noqa: BLE001 Step Functions starts a killed worker again
            return killed_before_the_news(event)

    functions.answer("test-job-step", again)

    job = platform.install("base")

    assert struck
    assert job.status == jobs.SUCCEEDED
    assert platform.told(job)[-1].event == "complete"
    assert "locks" not in platform.left_over()


@pytest.mark.usefixtures("published")
def test_a_failed_installation_switches_off_again_what_it_had_switched_on(platform, functions):
    platform.install("base", activate=False)
    platform.loads["top"] = {"ok": False, "error": {"message": "no"}}
    tried.append("activating, with a dependency that was off")

    job = platform.install("top")

    assert job.status == jobs.FAILED
    assert [(one.slug, one.status) for one in plugins.all_installed()] == [("base", "inactive")]
    assert "schedules" not in platform.left_over()


def everything_kept(slug):
    holdings = runtime.holdings.of(slug)
    items = {name: list(runtime.tables.everything(slug, name)) for name in holdings.tables}
    return holdings, dict(runtime.storage.everything(slug)), items, runtime.migrations.applied(slug)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("how", [BEFORE, AFTER, KILLED])
@pytest.mark.parametrize("step", INSTALL.steps)
def test_a_reinstallation_broken_at_any_step_leaves_the_kept_data_as_it_was(platform, repository, functions, step, how):
    """Also what its migrations, and the plugin itself when it was started, did to it."""
    platform.install("base")
    runtime.storage.put("base", "remembered", 1)
    runtime.tables.put("base", "notes", {"id": "mine", "kind": "own"})
    platform.uninstall("base", keep_data=True, backup=False)
    before, left = everything_kept("base"), platform.left_over()
    repository.publish(package("base", "2.0.0", files=migrations(NOTES, RENAMED)))
    fault = Fault(platform, functions, "act", step, how)

    def writes_when_it_is_started(event):
        runtime.storage.put("base", "remembered", 2)
        runtime.tables.put("base", "notes", {"id": "new"})
        return {"ok": True, "registered": {"hooks": [], "commands": []}}

    functions.answer("test-plugin-base", writes_when_it_is_started)

    job = platform.install("base")

    assert fault.struck
    assert (job.status, job.left) == (jobs.FAILED, [])
    assert everything_kept("base") == before
    assert platform.left_over() == left


def test_a_package_that_is_another_one_than_its_listing_says_is_refused_and_leaves_nothing(platform, repository):
    repository.publish(package("base"))
    repository.plugins["base"]["releases"][0]["version"] = "2.0.0"
    repository.sign()
    tried.append("another package")

    job = platform.install("base")

    assert job.status == jobs.FAILED
    assert job.error["code"] == "PACKAGE_INVALID"
    assert "manifest.version" in job.error["details"]
    assert platform.left_over() == {}


class refused:
    """Inside, AWS refuses an operation whose parameters hold a text; ``after``: but for its first call."""

    def __init__(self, platform, operation, containing, *, after=False):
        from chalicelib.core.tables import connection

        services = ("s3", "lambda", "scheduler", "dynamodb", "stepfunctions")
        self._clients = [*map(platform.aws.client, services), connection().client]
        self._operation, self._containing, self._spare = operation, containing, int(after)

    def __enter__(self):
        for client in self._clients:
            client.meta.events.register_first("before-call", self._refuse)

    def __exit__(self, *_):
        for client in self._clients:
            client.meta.events.unregister("before-call", self._refuse)

    def _refuse(self, model, params, **_):
        from botocore.awsrequest import AWSResponse

        if model.name != self._operation or self._containing not in f"{params['url_path']}{params['body']}":
            return None
        if self._spare:
            self._spare -= 1
            return None
        refusal = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return AWSResponse("http://aws", 403, {}, None), refusal
