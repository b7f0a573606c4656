"""Whatever people, the worker, the sweeps and the cluster do, in whatever order: what must always hold, holds.

Hypothesis makes up the stories; a model of a few lines says what each step must answer. ``HYPOTHESIS_PROFILE=thorough`` tells many more
and longer ones.
"""

from __future__ import annotations

import itertools
import json
import os
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sessions_cluster import CANNOT_PULL, PENDING, READY, UNSCHEDULABLE, FakeCluster

from chalicelib import sessions
from chalicelib.core import clock
from chalicelib.core.quantities import parse_memory
from chalicelib.sessions import models, names, objects
from chalicelib.sessions.drift import Comparison
from chalicelib.sessions.errors import InsufficientResources, InvalidStateTransition, QuotaExceeded, SessionNotFound
from chalicelib.sessions.states import HIBERNATED, RUNNING, TERMINATED, TRANSITIONS
from chalicelib.sessions.worker import Worker
from tests.event_history import history

PLACES, MEMORY = 3, 5
CLAIM = "PersistentVolumeClaim"
LEADING = ("Service", "Ingress")
HARMS = ("deleted", "emptied", "opened", "disowned")
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
_people = itertools.count(1)

WHICH = st.integers(0, 5)
GIGABYTES = st.integers(1, 3)


class Story(RuleBasedStateMachine):
    """One user's sessions in one cluster. ``model``: id -> [state, gigabytes]."""

    platform: Any

    def __init__(self) -> None:
        super().__init__()
        self.time = ExitStack()
        self.cluster = FakeCluster()
        waiting, place = self.platform.waiting, self.platform.place
        self.worker = Worker(lambda: self.cluster, 0.3, waiting.sleep, waiting.monotonic, lambda: place)
        self.comparison = Comparison(lambda: self.cluster, lambda: place)
        self.john = self.platform.user(f"p{next(_people)}", max_sessions=PLACES, memory=f"{MEMORY}Gi", max_session_duration="12h")
        models.save_drift_position(models.DriftPosition())
        self.platform.checks.taken()
        self.model: dict[str, list[Any]] = {}
        self.ever: set[str] = set()
        self.strays = 0

    def teardown(self) -> None:
        try:
            self._settles()
        finally:
            for session_id in self.model:
                sessions.delete_session(session_id, by=self.platform.admin)
            self.time.close()

    # ── People ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(state=st.sampled_from([RUNNING, RUNNING, HIBERNATED]), gigabytes=GIGABYTES)
    def create(self, state: str, gigabytes: int) -> None:
        wanted = {"user": self.john.id, "template": "firefox", "state": state, "resources": {"memory": f"{gigabytes}Gi"}}
        fits = len(self._counted()) < PLACES and (state == HIBERNATED or self._memory() + gigabytes <= MEMORY)
        made = self._try(lambda: sessions.create_session(wanted, by=self.john), fits)
        if made is not None:
            self.model[made.id] = [state, gigabytes]
            self.ever.add(made.id)

    @rule(which=WHICH, to=st.sampled_from([RUNNING, HIBERNATED, TERMINATED]))
    @precondition(lambda self: self.model)
    def move(self, which: int, to: str) -> None:
        session_id = self._chosen(which)
        state, gigabytes = self.model[session_id]
        if state != to and (state, to) not in TRANSITIONS:
            with pytest.raises(InvalidStateTransition):
                sessions.update_session(session_id, {"state": to}, by=self.john)
            return
        fits = to != RUNNING or state == RUNNING or self._memory() + gigabytes <= MEMORY
        if self._try(lambda: sessions.update_session(session_id, {"state": to}, by=self.john), fits) is not None:
            self.model[session_id][0] = to

    @rule(which=WHICH, gigabytes=GIGABYTES)
    @precondition(lambda self: self.model)
    def resize(self, which: int, gigabytes: int) -> None:
        session_id = self._chosen(which)
        state, before = self.model[session_id]
        wanted = {"resources": {"memory": f"{gigabytes}Gi"}}
        fits = state != RUNNING or gigabytes <= before or self._memory() + gigabytes - before <= MEMORY
        if self._try(lambda: sessions.update_session(session_id, wanted, by=self.john), fits) is not None:
            self.model[session_id][1] = gigabytes

    @rule(which=WHICH)
    @precondition(lambda self: self.model)
    def delete(self, which: int) -> None:
        session_id = self._chosen(which)
        sessions.delete_session(session_id, by=self.john)
        del self.model[session_id]
        with pytest.raises(SessionNotFound):
            sessions.get_session(session_id, by=self.john)

    @rule(which=WHICH, duration=st.sampled_from([None, "0", "1h"]))
    @precondition(lambda self: self.model)
    def use(self, which: int, duration: str | None) -> None:
        session_id = self._chosen(which)
        if self.model[session_id][0] == RUNNING:
            self._try(lambda: sessions.extend_session(session_id, duration, by=self.john), fits=None)
        else:
            with pytest.raises(InvalidStateTransition):
                sessions.extend_session(session_id, duration, by=self.john)

    # ── The worker, and messages that are late, doubled or lost ───────────────────────────────────────────────────────────────

    @rule(which=WHICH)
    @precondition(lambda self: self.ever)
    def work(self, which: int) -> None:
        self.worker._work_on({"session_id": sorted(self.ever)[which % len(self.ever)]}, attempt=0)

    @rule()
    def all_is_heard(self) -> None:
        for session_id in sorted(self.ever):
            self.worker._work_on({"session_id": session_id}, attempt=0)

    @rule(minutes=st.sampled_from([1, 6, 26, 31, 300]))
    def time_passes(self, minutes: int) -> None:
        self.time.enter_context(clock.travel(minutes * 60))

    @rule()
    def sweep(self) -> None:
        warned = {one: models.session_of_id(one).value().warned_of for one in self.model}
        sessions.end_due()
        for session_id, known in self.model.items():
            found = models.session_of_id(session_id).value()
            if found.state != known[0]:
                assert known[0] == RUNNING, "only what runs ends by itself"
                assert (found.state, found.ended_by) in ((HIBERNATED, "idle"), (TERMINATED, "lifetime"))
                assert warned[session_id] is not None, "and only when its owner was told before"
                known[0] = found.state

    @rule(loses=st.booleans())
    def compare(self, loses: bool) -> None:
        if not self.cluster.is_away:
            self.comparison.mend()
        messages = self.platform.checks.taken()
        for message in [] if loses else messages[:10]:
            self.worker.handle_checks({"Records": [{"messageId": "m", "body": json.dumps(message)}]})

    # ── The cluster ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(which=WHICH)
    def a_pod_is_deleted_by_hand(self, which: int) -> None:
        pods = self._pods()
        if pods:
            del self.cluster.objects["Pod", pods[which % len(pods)]]

    @rule(status=st.sampled_from([READY, PENDING, UNSCHEDULABLE, CANNOT_PULL, {"phase": "Failed", "reason": "Evicted"}]))
    def pods_fare(self, status: Any) -> None:
        self.cluster.set_pods(status)
        if status.get("phase") == "Failed":
            self.cluster.pod_status = READY

    @rule(away=st.booleans())
    def the_cluster_goes_or_comes(self, away: bool) -> None:
        self.cluster.is_away = away

    @rule(lingering=st.booleans())
    def pods_take_their_time_to_go(self, lingering: bool) -> None:
        self._let_go(lingering)

    @rule(fits_its_label=st.booleans(), kind=st.sampled_from(["Pod", *LEADING]))
    def somebody_makes_an_object(self, fits_its_label: bool, kind: str) -> None:
        self.strays += 1
        owner = f"nobody-{self.strays}"
        name = names.objects_of(owner) if fits_its_label else f"stray-{self.strays}"
        metadata = {"name": name, "uid": name, "labels": {objects.SESSION_LABEL: owner}}
        self.cluster.objects[kind, name] = {"kind": kind, "metadata": metadata, "spec": {}, "status": READY}

    @rule(which=WHICH, how=st.sampled_from(HARMS))
    def what_leads_to_a_pod_is_changed_by_hand(self, which: int, how: str) -> None:
        found = self._leading()
        if found:
            self._harm(found[which % len(found)], how)

    def _harm(self, key: tuple[str, str], how: str) -> None:
        item = self.cluster.objects[key]
        match how:
            case "deleted":
                del self.cluster.objects[key]
            case "emptied":
                item["spec"] = {}
            case "opened":
                item["metadata"].pop("annotations", None)
            case "disowned":
                item["metadata"].pop("ownerReferences", None)

    # ── What always holds ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def counters_equal_what_exists_and_no_quota_is_exceeded(self) -> None:
        usage = models.usage_of(self.john.id)
        assert int(usage.sessions or 0) == len(self._counted()) <= PLACES
        assert int(usage.memory_bytes or 0) == parse_memory(f"{self._memory()}Gi") <= parse_memory(f"{MEMORY}Gi")

    @invariant()
    def a_session_has_one_pod_at_most(self) -> None:
        owners = [one["metadata"]["labels"][objects.SESSION_LABEL] for (kind, _), one in self.cluster.objects.items() if kind == "Pod"]
        assert len(owners) == len(set(owners))

    @invariant()
    def a_record_outlives_its_objects(self) -> None:
        owners = {one["metadata"]["labels"].get(objects.SESSION_LABEL) for (kind, _), one in self.cluster.objects.items() if kind != CLAIM}
        for session_id in owners & self.ever - set(self.model):
            assert models.session_of_id(session_id) is not None, f"nothing would ever remove what {session_id} has left"

    def _settles(self) -> None:
        """Trouble is over, and some minutes pass: the cluster is what the records say, though every message until now was lost, and
        somebody was at it once more."""
        self.cluster.is_away = False
        self._let_go(lingering=False)
        self.cluster.set_pods(READY)
        self.platform.checks.taken()
        for number, key in enumerate(self._leading()):
            self._harm(key, HARMS[number % len(HARMS)])
        for session_id in self.ever - set(self.model):
            # What deletes a session for good is its event, which its queue keeps until it is handled.
            self.worker.reconcile(session_id)
        for _ in range(3):
            self.compare(loses=False)
        running = {session_id for session_id, (state, _) in self.model.items() if state == RUNNING}
        assert self._pods() == sorted(map(names.objects_of, running))
        assert self._leading() == sorted((kind, names.objects_of(one)) for kind in LEADING for one in running)
        for session_id in running:
            pod, service, ingress = (self.cluster.objects[kind, names.objects_of(session_id)] for kind in ("Pod", *LEADING))
            assert service["spec"]["selector"] == {objects.SESSION_LABEL: session_id}
            assert ingress["spec"]["rules"][0]["host"].startswith(session_id)
            assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/auth-url"].endswith(f"/sessions/{session_id}/auth")
            for one in (service, ingress):
                assert [owner["uid"] for owner in one["metadata"]["ownerReferences"]] == [pod["metadata"]["uid"]]
        for session_id, (state, gigabytes) in self.model.items():
            found = models.session_of_id(session_id).value()
            assert (found.state, found.memory) == (state, f"{gigabytes}Gi")
            assert found.is_ready == (state == RUNNING)
            if state == RUNNING:
                limits = self.cluster.objects["Pod", names.objects_of(session_id)]["spec"]["containers"][0]["resources"]["limits"]
                assert limits["memory"] == f"{gigabytes}Gi"
        for session_id in self.ever:
            assert_legal([event.type for event in history(f"session#{session_id}", newest_first=False)])

    # ── Below ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _try(self, act: Any, fits: bool | None) -> Any:
        """What it gives; None where the quota or the cluster's room (which the model does not know) refuses it."""
        try:
            made = act()
        except QuotaExceeded:
            assert fits is not True
            return None
        except InsufficientResources:
            return None
        assert fits is not False, "the quota was passed"
        return made

    def _let_go(self, lingering: bool) -> None:
        self.cluster.lingering = {"Pod"} if lingering else set()
        if not lingering:
            leaving = [key for key, one in self.cluster.objects.items() if one["metadata"].get("deletionTimestamp")]
            for key in leaving:
                del self.cluster.objects[key]

    def _leading(self) -> list[tuple[str, str]]:
        return sorted(key for key in self.cluster.objects if key[0] in LEADING)

    def _chosen(self, which: int) -> str:
        return sorted(self.model)[which % len(self.model)]

    def _pods(self) -> list[str]:
        return sorted(name for kind, name in self.cluster.objects if kind == "Pod")

    def _counted(self) -> list[Any]:
        return [one for one in self.model.values() if one[0] != TERMINATED]

    def _memory(self) -> int:
        return sum(gigabytes for state, gigabytes in self.model.values() if state == RUNNING)


def assert_legal(events: list[str]) -> None:
    """A life, or several one after the other: each begins with its creation, moves as the table says, starts once, ends with deletion."""
    state, started = None, False
    for event in events:
        if event == "session.created":
            assert state in (None, "deleted"), events
            state, started = "created", False
        elif event == "session.started":
            assert not started, events
            assert state in ("created", RUNNING), events
            started = True
        elif event == "session.deleted":
            assert state == TERMINATED, events
            state = "deleted"
        elif event != "session.changed":
            moves = {to for (begin, to), told in TRANSITIONS.items() if told == event and state in ("created", begin)}
            assert len(moves) == 1, events
            (state,) = moves


@pytest.mark.timeout(300)
def test_every_story_ends_well(platform):
    platform.template()
    Story.platform = platform
    limits = {"max_examples": 400, "stateful_step_count": 50} if THOROUGH else {"max_examples": 30, "stateful_step_count": 25}
    run_state_machine_as_test(
        Story, settings=settings(**limits, deadline=None, derandomize=not THOROUGH, suppress_health_check=list(HealthCheck))
    )
