"""The platform's main job, told as one story: each step goes on from where the one before it ended."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local import settings
from tests.e2e.aws import Account
from tests.e2e.client import BASE_PATH, Api, Refused, ServerSentEvent, eventually, server_sent_events
from tests.e2e.plugins import WrittenPlugin

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

NAMESPACE = "streamspace"
LIFE = ["session.created", "session.started", "session.hibernated", "session.woken"]
CLI = Path(sys.executable).parent / "streamspace"

# Fails on whatever its setting names, so that the fault can be taken away. Its throw is on line 5.
MOODY = """
module.exports = {
  async onUserUpdated(user, event) {
    if (user.fullName === this.config.dislikes) {
      throw new Error(`cannot bear ${user.fullName}`);
    }
    await streamspace.storage.set(`met:${event.id}`, user.fullName);
  },
  onLoad() {
    streamspace.commands.register({
      name: `${this.manifest.name}-met`,
      description: 'Whom it met, in order',
      permissions: [],
      handler: async () => Promise.all((await streamspace.storage.keys('met:')).map((key) => streamspace.storage.get(key))),
    });
  },
};
"""


@dataclass
class Story:
    """What earlier steps leave to later ones."""

    username: str = ""
    password: str = ""
    person: Api | None = None
    session_id: str = ""
    recorders: dict[str, WrittenPlugin] = field(default_factory=dict)
    moody: WrittenPlugin | None = None
    broken_at: str = ""

    @property
    def email(self) -> str:
        return f"{self.username}@example.com"


@pytest.fixture(scope="module")
def story(api: Api, module_user) -> Story:
    return Story(username=f"{module_user.username}-new", password=module_user.password)


@pytest.fixture(scope="module", autouse=True)
def nothing_of_an_earlier_story(api: Api):
    """The demo plugins are installed by the story itself: who left them installed loses them (a backup is made)."""
    demo_plugins = ("welcome-mailer", "usage-report", "audit-trail")
    for slug in demo_plugins:
        if api.is_installed(slug):
            api.uninstall(slug)
    yield
    for slug in demo_plugins:
        if api.is_installed(slug):
            api.uninstall(slug)


@pytest.fixture(autouse=True)
def told_so_far(request, story: Story):
    """A step that another one failed to prepare would only fail confusingly."""
    if story.broken_at:
        pytest.skip(f"the story broke at {story.broken_at}")
    yield
    report = getattr(request.node, "told", None)
    if report is not None and report.failed:
        story.broken_at = request.node.name


def test_01_an_administrator_logs_in(stack):
    stranger = Api(stack.api_url)

    answer = stranger.post("/auth/login", {"username": stack.admin["username"], "password": stack.admin["password"]})

    me = Api(stack.api_url, answer["token"]).get("/auth/me")
    assert me["username"] == stack.admin["username"]


def test_02_and_finds_the_plugins_in_the_marketplace(api):
    found = api.get("/admin/plugins/marketplace", search="mail")

    (mailer,) = [one for one in found if one["slug"] == "welcome-mailer"]
    assert mailer["version"] == "1.0.0"
    assert mailer["is_installed"] is False


def test_03_an_install_can_be_followed_as_events_to_its_end(api):
    body = {"source": "marketplace", "slug": "welcome-mailer", "activate": True}
    started = api.ask("POST", "/admin/plugins/install", body, headers={"Prefer": "respond-async"})

    events = followed(api, started.data["links"]["progress"])

    assert started.status == 202
    progress = [event.data for event in events[:-1]]
    assert {event.name for event in events[:-1]} == {"progress"}
    assert {"downloading", "extracting", "dependencies"} <= {one["step"] for one in progress}
    assert [one["progress"] for one in progress] == sorted(one["progress"] for one in progress)
    assert any("audit-trail" in one["message"] for one in progress)
    assert events[-1].name == "complete"
    assert events[-1].data["success"] is True
    assert events[-1].data["plugin"] == {"slug": "welcome-mailer", "name": "Welcome Mailer", "version": "1.0.0", "status": "active"}
    assert events[-1].data["installation"]["dependencies_installed"] == ["audit-trail"]
    ids = [event.id for event in events]
    assert len(set(ids)) == len(ids), "an event was sent again after its id was given as the last one"


def test_04_the_plugin_is_active_and_so_is_what_it_needs(api):
    assert api.plugin("welcome-mailer")["status"] == "active"
    assert api.plugin("audit-trail")["status"] == "active"
    with pytest.raises(Refused) as refused:
        api.post("/admin/plugins/audit-trail/deactivate")
    assert (refused.value.status, refused.value.code) == (422, "HAS_DEPENDENTS")


def test_05_a_python_plugin_is_installed_just_so(api):
    answer = api.ask("POST", "/admin/plugins/install", {"source": "marketplace", "slug": "usage-report", "activate": True})

    if answer.status == 202:
        assert api.finished(answer)["status"] == "succeeded"
    else:
        assert answer.data["plugin"]["status"] == "active"
    assert api.plugin("usage-report")["status"] == "active"


def test_06_settings_are_set_and_wrong_ones_refused_by_name(api):
    settings_path = "/admin/plugins/welcome-mailer/settings"

    kept = api.put(settings_path, {"settings": {"greeting": "Good day, {name}!"}})
    with pytest.raises(Refused) as refused:
        api.put(settings_path, {"settings": {"greeting": "", "sender_name": "x" * 101}})

    assert kept["greeting"] == "Good day, {name}!"
    assert (refused.value.status, refused.value.code) == (422, "VALIDATION_ERROR")
    assert set(refused.value.details) == {"greeting", "sender_name"}
    assert api.get(settings_path)["values"]["greeting"] == "Good day, {name}!"


def test_07_small_plugins_are_uploaded(module_plugin, story):
    story.recorders = {runtime: module_plugin.recorder(runtime) for runtime in ("nodejs", "python")}


def test_08_a_new_user_is_welcomed_by_mail_with_the_words_of_the_settings(api, account, story):
    body = {"username": story.username, "fullName": "Ada Example", "email": story.email, "password": story.password}
    assert api.post("/users", body)["tier"] == "free"
    story.person = api.log_in(story.username, story.password)

    (mail,) = eventually(lambda: mails(account, story.email, "Welcome to StreamSpace"), 60, "no welcome mail")

    assert "Good day, Ada Example!" in json.dumps(mail)


def test_09_a_session_is_created_and_can_be_used(api, story):
    created = api.ask("POST", "/sessions", {"user": story.username, "template": "firefox-browser"})
    story.session_id = created.data["id"]

    session = api.running(story.session_id)

    assert created.status == 201
    assert story.session_id == f"{story.username}-firefox-browser"
    assert session["state"] == "running"
    assert session["url"] == f"https://{story.session_id}.streamspace.local"


def test_10_it_is_a_pod_with_a_home_a_service_and_an_ingress_in_the_cluster(api, stack, story):
    pod = in_cluster(stack, "api/v1", "pods", api.session(story.session_id)["podName"])
    (claim_name,) = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"]["volumes"] if "persistentVolumeClaim" in volume]
    claim = in_cluster(stack, "api/v1", "persistentvolumeclaims", claim_name)
    (service,) = owned(stack, "api/v1", "services", story.session_id)
    (ingress,) = owned(stack, "apis/networking.k8s.io/v1", "ingresses", story.session_id)

    assert pod["status"]["phase"] == "Running"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == f"{story.session_id}.streamspace.local"
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == service["metadata"]["name"]


def test_11_the_javascript_plugin_heard_that_it_was_created_and_started(account, story):
    wanted = {"Welcome to StreamSpace", "Your first session", "Your first session is ready"}

    eventually(lambda: wanted <= titles(story.person), 60, lambda: f"{wanted - titles(story.person)} are missing")

    eventually(lambda: mails(account, story.email, "Your first StreamSpace session"), 30, "no mail about the first session")


def test_12_the_python_plugin_heard_it_too(api, account, story):
    wanted = {"Session created", "Session started"}

    eventually(lambda: wanted <= titles(story.person), 60, lambda: f"{wanted - titles(story.person)} are missing")

    eventually(lambda: mails(account, story.email, "Your StreamSpace usage"), 30, "no mail about metering")
    eventually(
        lambda: {"session.created", "session.started"} <= {entry["action"] for entry in audited(api, story)},
        30,
        lambda: audited(api, story),
    )


def test_13_it_hibernates_and_its_pod_goes_and_its_home_stays(api, stack, story):
    pod = api.session(story.session_id)["podName"]
    assert api.become(story.session_id, "hibernated")["state"] == "hibernated"

    eventually(lambda: in_cluster(stack, "api/v1", "pods", pod) is None, 60, "the pod is still there")

    assert in_cluster(stack, "api/v1", "persistentvolumeclaims", f"home-{story.username}") is not None
    eventually(lambda: "podName" not in api.session(story.session_id), 30, "the session still names its pod")


def test_14_it_wakes_and_can_be_used_again(api, stack, story):
    assert api.become(story.session_id, "running")["state"] == "running"

    woken = api.running(story.session_id)

    assert in_cluster(stack, "api/v1", "pods", woken["podName"])["status"]["phase"] == "Running"


@pytest.mark.parametrize("runtime", ["nodejs", "python"])
def test_15_each_hook_fired_once_and_in_order(module_plugin, story, runtime):
    recorder, aggregate = story.recorders[runtime], f"session#{story.session_id}"
    eventually(
        lambda: len(module_plugin.heard(recorder, aggregate)) >= len(LIFE), 60, lambda: f"heard {module_plugin.heard(recorder, aggregate)}"
    )

    # What came too often would come now.
    heard = module_plugin.heard(recorder, aggregate)

    assert [event["type"] for event in heard] == LIFE
    assert [event["sequence"] for event in heard] == sorted(event["sequence"] for event in heard)


def test_16_a_plugins_command_runs_through_the_api_and_the_command_line(api, stack, story):
    through_api = api.run("audit-search", user=story.username, action="session")
    printed = streamspace(stack, "commands", "run", "audit-search", f"user={story.username}", "action=session", "--json")

    assert [entry["action"] for entry in reversed(through_api["entries"])] == LIFE
    assert json.loads(printed) == through_api


def test_17_what_a_command_throws_comes_back_as_its_own_words(api):
    with pytest.raises(Refused) as refused:
        api.run("usage-report", by="planet")

    assert (refused.value.status, refused.value.code) == (502, "COMMAND_FAILED")
    assert refused.value.details["message"] == "usage-report: 'by' must be 'user' or 'template', not 'planet'"
    assert re.fullmatch(r"plugin\.py:\d+", refused.value.details["location"])


def test_18_an_event_that_a_plugin_cannot_take_is_set_aside_and_the_next_one_arrives(api, module_plugin, story):
    fields = [{"key": "dislikes", "type": "text", "label": "Dislikes", "default": "Moriarty", "rules": "string"}]
    manifest = {"settings": {"tabs": [], "fields": fields}, "permissions": ("read:users", "storage", "commands")}
    story.moody = moody = module_plugin.install(MOODY, **manifest)
    for name in ("Watson", "Moriarty", "Lestrade"):
        api.patch(f"/users/{story.username}", {"fullName": name})

    eventually(lambda: "Lestrade" in api.run(f"{moody.slug}-met"), 120, lambda: f"met {api.run(f'{moody.slug}-met')}")

    assert api.run(f"{moody.slug}-met") == ["Watson", "Lestrade"]
    (letter,) = api.dead_letters(moody.slug)
    assert (letter["event_type"], letter["aggregate"], letter["attempts"]) == ("user.updated", f"user#{story.username}", 3)
    assert letter["error"]["message"] == "cannot bear Moriarty"
    assert letter["error"]["hook"] == "onUserUpdated"
    assert letter["error"]["location"] == "index.js:5"


def test_19_a_replay_delivers_it_once_the_fault_is_gone(api, story):
    moody = story.moody
    (letter,) = api.dead_letters(moody.slug)
    api.put(f"/admin/plugins/{moody.slug}/settings", {"settings": {"dislikes": "nobody"}})

    replayed = api.post(f"/admin/plugins/{moody.slug}/events/replay", {"event_id": letter["event_id"]})

    assert replayed == {"replayed": 1, "has_more": False}
    eventually(lambda: "Moriarty" in api.run(f"{moody.slug}-met"), 90, lambda: f"met {api.run(f'{moody.slug}-met')}")
    assert api.dead_letters(moody.slug) == []


def test_20_a_plugin_that_is_deactivated_hears_nothing_and_answers_nothing(api, story):
    answer = api.post("/admin/plugins/welcome-mailer/deactivate")

    assert answer["status"] == "inactive"
    assert "welcome-resend" not in {command["name"] for command in api.get("/commands")}
    with pytest.raises(Refused) as refused:
        api.run("welcome-resend", username=story.username)
    assert refused.value.status == 404


def test_21_uninstalling_leaves_nothing_but_a_backup(api, account: Account):
    before = account.all_of("welcome-mailer")
    backups = account.backups_of("welcome-mailer")

    api.uninstall("welcome-mailer")

    assert {"functions", "mappings", "queues", "roles", "log groups", "objects", "rows"} <= before.keys()
    assert account.all_of("welcome-mailer") == {}
    assert len(account.backups_of("welcome-mailer")) == len(backups) + 1
    with pytest.raises(Refused) as refused:
        api.plugin("welcome-mailer")
    assert refused.value.code == "PLUGIN_NOT_FOUND"


def test_22_so_does_uninstalling_a_plugin_that_is_still_active(api, account: Account):
    before = account.all_of("usage-report")

    api.uninstall("usage-report")

    assert {"functions", "mappings", "queues", "roles", "schedules", "log groups", "objects", "rows"} <= before.keys()
    assert account.all_of("usage-report") == {}


def test_23_deleting_the_user_ends_the_session_and_its_objects(api, stack, story):
    api.delete(f"/users/{story.username}", deleteSessions="true", deleteStorage="true")

    eventually(lambda: not owned(stack, "api/v1", "pods", story.session_id), 60, "the pod is still there")

    eventually(lambda: not owned(stack, "api/v1", "services", story.session_id), 30, "the service is still there")
    eventually(lambda: not owned(stack, "apis/networking.k8s.io/v1", "ingresses", story.session_id), 30, "the ingress is still there")
    with pytest.raises(Refused) as refused:
        api.session(story.session_id)
    assert refused.value.code == "SESSION_NOT_FOUND"


# How the story's steps look at things


def followed(api: Api, path: str) -> list[ServerSentEvent]:
    """All events of a job. Each answer ends after some news; the next one goes on after the last id."""
    events: list[ServerSentEvent] = []

    def has_ended() -> bool:
        last = {"Last-Event-ID": events[-1].id} if events else {}
        answer = api.raw("GET", path if path.startswith(BASE_PATH) else BASE_PATH + path, headers={"Accept": "text/event-stream", **last})
        assert answer.status == 200, answer.text
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        events.extend(server_sent_events(answer.text))
        return bool(events) and events[-1].name in ("complete", "failed")

    eventually(has_ended, 120, lambda: f"the last event was {events[-1:]}")
    return events


def in_cluster(stack, group: str, kind: str, name: str) -> dict[str, Any] | None:
    """None when it is gone or going."""
    try:
        with urllib.request.urlopen(f"{stack.kubernetes_url}/{group}/namespaces/{NAMESPACE}/{kind}/{name}", timeout=30) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None
    return None if "deletionTimestamp" in found["metadata"] else found


def owned(stack, group: str, kind: str, session_id: str) -> list[dict[str, Any]]:
    selector = f"labelSelector=stream.space/session={session_id}"
    with urllib.request.urlopen(f"{stack.kubernetes_url}/{group}/namespaces/{NAMESPACE}/{kind}?{selector}", timeout=30) as answer:
        return json.load(answer)["items"]


def titles(person: Api) -> set[str]:
    return {one["title"] for one in person.get("/notifications")}


def mails(account: Account, address: str, subject: str) -> list[dict[str, Any]]:
    return [mail for mail in account.mails_to(address) if subject in json.dumps(mail)]


def audited(api: Api, story: Story) -> list[dict[str, Any]]:
    return api.run("audit-search", user=story.username)["entries"]


def streamspace(stack, *arguments: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", "STREAMSPACE_API_URL": stack.api_url, "STREAMSPACE_TOKEN": stack.admin["token"]}
    done = subprocess.run([str(CLI), *arguments], cwd=settings.CHECKOUT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
