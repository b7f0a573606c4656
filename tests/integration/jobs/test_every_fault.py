"""Each step of every job dies in the middle of its effect, and each runs twice: it ends done, or as before, with nothing left over.

The jobs are those that there are (``jobs.SAGAS``): a new one fails here until somebody says how it is started. What fails before and
after its effect is in the neighbours (``test_faults``, ``test_update``, ``test_restore``).
"""

from __future__ import annotations

import pytest

from chalicelib import jobs, plugins, runtime
from chalicelib.core.tables import connection
from tests.integration.jobs.conftest import ADMIN, NOTES, RENAMED, migrations, package, tried

TASKS = {"scheduled_tasks": [{"name": "tidy", "schedule": "rate(1 day)"}]}
NEEDS = {"dependencies": [{"slug": "base", "version_constraint": "^1.0.0"}], "permissions": ["storage"], "contributes": TASKS}
_CHANGES = ("Put", "Create", "Update", "Delete", "Purge", "Transact", "Batch", "Set", "Copy")
# What a job writes of itself is there whatever becomes of it.
_OF_THE_JOB = ("JobsTable",)


def install(platform):
    return platform.install("top")


def update(platform):
    return platform.update("top")


def uninstall(platform):
    return platform.uninstall("top")


def restore(platform):
    path = f"/{jobs.backups_of('top')[0].key}"
    return jobs.wait_for_end(jobs.start_restore("top", path, actor=ADMIN.actor).id, patience_s=60)


# How each is started, and whether the plugin is there before.
STARTS = {"install": (install, False), "update": (update, True), "uninstall": (uninstall, True), "restore": (restore, True)}
STEPS = [(name, step) for name, saga in jobs.SAGAS.items() for step in saga.steps]


@pytest.fixture
def ready(platform, repository):
    """``ready("update")``: the platform as it is before such a job, and the function that starts it."""
    repository.publish(package("base", contributes=TASKS, files=migrations(NOTES)))
    repository.publish(package("top", files=migrations(NOTES), **NEEDS))

    def prepare(kind):
        start, is_installed = STARTS[kind]
        if is_installed:
            assert platform.install("top").status == jobs.SUCCEEDED
            runtime.storage.put("top", "k", 1)
        if kind == "restore":
            platform.uninstall("top", keep_data=True)
            platform.install("top")
            runtime.storage.put("top", "k", 2)
        if kind == "update":
            repository.publish(package("top", "1.1.0", files=migrations(NOTES, RENAMED), **NEEDS))
        return lambda: start(platform)

    return prepare


class _Killed(SystemError):
    """The worker is gone."""


class dies_after_its_first_change:
    """Inside, whatever is called after the first change of something that is not the job's own record fails, as for a dead worker."""

    def __init__(self, platform):
        services = ("s3", "lambda", "scheduler", "dynamodb", "sqs", "iam", "logs", "kms")
        self._clients = {id(one): one for one in (*map(platform.aws.client, services), connection().client)}.values()
        self.has_changed = False

    def __enter__(self):
        for client in self._clients:
            client.meta.events.register_first("before-call", self._before)
        return self

    def __exit__(self, *_):
        for client in self._clients:
            client.meta.events.unregister("before-call", self._before)

    def _before(self, model, params, **_):
        if any(name in str(params["body"]) for name in _OF_THE_JOB):
            return
        if self.has_changed:
            raise _Killed("in the middle")
        self.has_changed = model.name.startswith(_CHANGES)


def seen(platform):
    """What would tell one state of the platform from another, but for backups that were asked for, and tokens, which are made anew."""
    left = platform.left_over()
    left["objects"] = [key for key in left.get("objects", []) if not key.startswith("backups/plugins/")]
    left.pop("tokens", None)
    mappings = platform.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return {
        **left,
        "mappings": sorted(one["State"] for one in mappings),
        "plugins": [(one.slug, one.version, one.status, one.error) for one in plugins.all_installed()],
        "active": [(one.slug, one.registered, one.is_held) for one in runtime.active.everyone()],
        "stored": dict(runtime.storage.everything("top")),
    }


def test_it_is_known_how_every_job_is_started():
    assert set(STARTS) == set(jobs.SAGAS)


@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_a_step_that_dies_in_the_middle_of_its_effect_ends_done_or_as_before(platform, functions, ready, kind, step):
    start = ready(kind)
    before = seen(platform)
    tried.append(f"{kind} {step} dies in the middle")
    struck = []

    def dies(event):
        if (event["action"], event.get("step")) == ("act", step) and not struck:
            struck.append(step)
            with dies_after_its_first_change(platform):
                jobs.run_step(event)
            raise _Killed("at the end: it changes one thing at most")
        jobs.run_step(event)
        return {}

    functions.answer("test-job-step", dies)
    job = start()

    assert struck
    assert (job.status, job.left) == (jobs.FAILED, [])
    if kind != "uninstall":
        assert seen(platform) == before
        return
    # An uninstallation has no way back: asking once more finishes it.
    if plugins.find("top") is not None:
        assert start().status == jobs.SUCCEEDED
    assert platform.uninstall("base", backup=False).status == jobs.SUCCEEDED
    assert [kind for kind, left in platform.left_over().items() if left and kind != "objects"] == []


@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_a_step_that_runs_twice_is_as_good_as_one_that_ran_once(platform, functions, ready, kind, step):
    """Step Functions starts a worker again that Lambda lost; and the first one may have gone on to its end."""
    start = ready(kind)
    tried.append(f"{kind} {step} runs twice")

    def twice(event):
        jobs.run_step(event)
        if (event["action"], event.get("step")) == ("act", step):
            jobs.run_step(event)
        return {}

    functions.answer("test-job-step", twice)
    job = start()

    assert (job.status, job.left) == (jobs.SUCCEEDED, []), job.error
    assert "locks" not in platform.left_over()
    versions = {one.slug: (one.version, one.status) for one in plugins.all_installed()}
    expected = {"install": "1.0.0", "restore": "1.0.0", "update": "1.1.0"}.get(kind)
    assert versions.get("top") == (expected and (expected, "active"))
    assert runtime.storage.get("top", "k") == {"update": 1, "restore": 1}.get(kind)
