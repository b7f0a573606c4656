"""Makes the cluster as the records say, from whatever it is, as often as asked.

Level-triggered: a message says only *that* something changed, never what to do; each run reads the record and acts on that alone, so a
message that is late, doubled or out of order does no harm. A run that meets a newer record when it is done begins again, so that two runs
of one session (the FIFO queue keeps its own apart, but re-checks come by another queue) leave what the newest record wants.

What cannot be finished within two seconds is looked at again: ``{"session_id", "attempt", "sequence", "begun"}`` goes on the queue of
re-checks with a growing delay. ``sequence`` is the record's latest event then: a newer event has re-checks of its own, so the older ones
end. ``begun`` is what was asked of the cluster already (the pod's uid, by what it was made from): while that pod is there, a re-check
is one look at it, and waits for nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from http import HTTPStatus
from typing import Any
from weakref import WeakSet

from chalicelib.core import aws, clock, config, log
from chalicelib.core.errors import ConcurrentChange
from chalicelib.core.quantities import parse_cpu, parse_memory
from chalicelib.events import unit_of_work
from chalicelib.sessions import entrances, models, names, objects
from chalicelib.sessions.cluster import Cluster, ClusterRefused, ClusterUnavailable, cluster
from chalicelib.sessions.entrances import EntranceRefused
from chalicelib.sessions.explaining import CLUSTER_AWAY, HOPELESS
from chalicelib.sessions.models import HomeRow, LaunchRow, SessionRow
from chalicelib.sessions.objects import Place
from chalicelib.sessions.observed import UNSCHEDULABLE, Pod, pod_of
from chalicelib.sessions.session import PLATFORM, Launch, PodStatus, Session, address_of, session_object
from chalicelib.sessions.states import RUNNING

_PATIENCE_S = 2.0
_POLL_S = 0.2
_LONGEST_DELAY_S = 60
# A record that changes this often while we look at it is looked at again later.
_MOST_ROUNDS = 5
_SHORTAGE_S = 60
_LONGEST_MESSAGE = 500

_HOME_MESSAGES = ("user.deleted",)


class Progress(Enum):
    """What one look at the cluster came to."""

    DONE = "the cluster is as the record wants it"
    NOT_YET = "everything was asked for, and takes its time"
    STUCK = "the cluster cannot do it, or is away: waiting here is no use"


def delay_s(attempt: int) -> int:
    """Seconds before re-check number ``attempt`` (from 1): 1, 1, 2, 3, 5, 8 … and never more than 60."""
    last, delay = 0, 1
    for _ in range(attempt - 1):
        last, delay = delay, last + delay
        if delay >= _LONGEST_DELAY_S:
            return _LONGEST_DELAY_S
    return delay


@dataclass(frozen=True)
class Worker:
    """The worker, with the cluster that it works on, and how it waits."""

    cluster: Callable[[], Cluster] = cluster
    patience_s: float = _PATIENCE_S
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    place: Callable[[], Place] = field(default=lambda: place_of_settings())

    # ── Messages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def handle_events(self, sqs_event: Mapping[str, Any]) -> dict[str, Any]:
        """A batch of the FIFO queue ``sessions``. A message that fails holds up its group, and no other one.

        Source: AWS Lambda, "Reporting batch item failures for Lambda functions with an Amazon SQS trigger".
        """
        failed_groups: set[str] = set()
        failures: list[dict[str, str]] = []
        for record in sqs_event["Records"]:
            group = (record.get("attributes") or {}).get("MessageGroupId", record["messageId"])
            if group in failed_groups or not self._succeeds(self._on_event, record):
                failed_groups.add(group)
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}

    def handle_checks(self, sqs_event: Mapping[str, Any]) -> dict[str, Any]:
        """A batch of the standard queue of re-checks."""
        return {
            "batchItemFailures": [
                {"itemIdentifier": record["messageId"]} for record in sqs_event["Records"] if not self._succeeds(self._on_check, record)
            ]
        }

    def _succeeds(self, act: Callable[[Mapping[str, Any]], None], record: Mapping[str, Any]) -> bool:
        try:
            act(json.loads(record["body"]))
        except Exception:  # noqa: BLE001 the queue tries again, and keeps in its dead-letter queue what always fails
            log.logger().exception("session message failed", extra={"message_id": record["messageId"]})
            return False
        return True

    def _on_event(self, event: Mapping[str, Any]) -> None:
        kind, _, name = str(event["aggregate"]).partition("#")
        if kind == "session":
            self._work_on({"session_id": name}, attempt=0)
        elif event["type"] in _HOME_MESSAGES:
            self._work_on({"home_of": name}, attempt=0)

    def _on_check(self, message: Mapping[str, Any]) -> None:
        target = {key: message[key] for key in ("session_id", "home_of") if key in message}
        since = int(message.get("sequence") or 0)
        if since and (row := models.session_of_id(target.get("session_id", ""))) and int(row.event_sequence) > since:
            return
        last = message.get("last")
        self._work_on(target, int(message["attempt"]), last=None if last is None else int(last), begun=message.get("begun"))

    def _work_on(self, target: dict[str, str], attempt: int, *, last: int | None = None, begun: Mapping[str, str] | None = None) -> None:
        asked_for = dict(begun or {})
        patience_s = self.patience_s if attempt == 0 else 0
        try:
            if "session_id" in target:
                done = self.reconcile(target["session_id"], patience_s=patience_s, begun=asked_for)
            else:
                done = self.reconcile_home(target["home_of"])
        except (ClusterUnavailable, ClusterRefused) as fault:
            log.logger().warning("cluster is away or unwilling", extra={**target, "attempt": attempt, "fault": str(fault)})
            if "session_id" in target and isinstance(fault, ClusterUnavailable):
                self._note_absence(target["session_id"], fault)
            done = False
        if not done and (last is None or attempt < last):
            self._check_again({**target, "attempt": attempt + 1, **({} if last is None else {"last": last})}, asked_for)

    def _note_absence(self, session_id: str, fault: ClusterUnavailable) -> None:
        """Let the session show that it waits for the cluster. Where it was ready it may well be: its address stays."""
        row = models.session_of_id(session_id)
        if row is None:
            return
        session = row.value()
        status = PodStatus(session.status.phase if session.status else "Unknown", CLUSTER_AWAY, str(fault)[:_LONGEST_MESSAGE])
        if session.is_deleted or session.state != RUNNING or (session.status and session.status.reason == CLUSTER_AWAY):
            return
        try:
            self._save(row, session, replace(session, status=status))
        except ConcurrentChange:
            log.logger().info("a session changed while its cluster was away", extra={"session": session_id})

    def _check_again(self, message: dict[str, Any], begun: dict[str, str]) -> None:
        row = models.session_of_id(message["session_id"]) if "session_id" in message else None
        if row is not None:
            message = {**message, "sequence": int(row.event_sequence), "begun": begun}
        aws.client("sqs").send_message(
            QueueUrl=config.setting("SESSION_CHECKS_QUEUE_URL"),
            MessageBody=json.dumps(message),
            DelaySeconds=delay_s(int(message["attempt"])),
        )

    # ── Sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def reconcile(self, session_id: str, *, patience_s: float | None = None, begun: dict[str, str] | None = None) -> bool:
        """Make the cluster as the session's record wants it. False: look again later. Raises ClusterUnavailable, ClusterRefused.

        It waits for the cluster itself at most ``patience_s`` (None: the worker's own), so that a fast cluster needs no re-check. ``begun``
        is what an earlier look asked for, and afterwards what this one did.
        """
        until = self.monotonic() + (self.patience_s if patience_s is None else patience_s)
        rounds = 0
        begun = {} if begun is None else begun
        while True:
            progress = self._round(session_id, begun)
            if progress is None:
                begun.clear()
                # The record changed while we worked: what we did may be what nobody wants any more.
                rounds += 1
                if rounds >= _MOST_ROUNDS:
                    return False
                continue
            if progress is Progress.DONE:
                return True
            if progress is Progress.STUCK or self.monotonic() >= until:
                return False
            self.sleep(_POLL_S)

    def _round(self, session_id: str, begun: dict[str, str]) -> Progress | None:
        """One look. None when the record is not any more the one that this look was for. While the pod that was ``begun`` is there, that is
        one call."""
        found = models.session_with_launch(session_id)
        if found is None:
            return self._remove_leftovers(session_id)
        row, launch = found
        session = row.value()
        try:
            if session.is_deleted:
                return self._remove(row, session)
            if session.state == RUNNING:
                return self._run(row, session, launch, begun)
            return self._stop(row, session)
        except ConcurrentChange:
            return None

    def _run(self, row: SessionRow, session: Session, launch: Launch, begun: dict[str, str]) -> Progress:
        gateway, place = self.cluster(), self.place()
        wanted = objects.pod(session, launch, place)
        try:
            present = gateway.get("Pod", wanted["metadata"]["name"])
            seen = pod_of(present) if present is not None else None
            if seen is not None and begun.get(_made_from(wanted)) == seen.uid and not seen.has_ended:
                if session.persistent_home and _waits_for_a_node(seen):
                    # It may wait for its home, which nothing protects until some pod uses it.
                    self._home_is_there(session, launch)
                return self._note_pod(row, session, launch, seen)
            _keep_apart(gateway, place)
            if objects.has_entrance(launch):
                place = replace(place, ingress_class=entrances.class_of(gateway, place))
            if session.persistent_home and not self._home_is_there(session, launch):
                return self._note(row, session, PodStatus("Pending", "HomeInUse", "The former home of this name is being deleted"))
            made = self._fresh_pod(gateway, wanted, present)
            if made is None:
                return self._note(row, session, PodStatus("Pending", "Restarting", _why_restarted(present)))
            for other in (objects.service(session, launch, place, made), objects.ingress(session, launch, place, made)):
                if other is not None:
                    _make_anew_if_refused(gateway, other)
            begun[_made_from(wanted)] = made["metadata"].get("uid", "")
        except (ClusterRefused, EntranceRefused) as refused:
            # Nothing that waiting mends soon: told to whoever looks, and tried again at long last.
            log.logger().error("cluster refused a session", extra={"session": session.id, "fault": str(refused)})
            self._note(row, session, PodStatus("Failed", refused.reason, refused.message))
            return Progress.STUCK
        return self._note_pod(row, session, launch, pod_of(made))

    def _fresh_pod(self, gateway: Cluster, wanted: objects.Object, present: objects.Object | None) -> objects.Object | None:
        """The pod as wanted; None while one that is not has to go first."""
        if present is not None:
            pod = pod_of(present)
            if pod.is_leaving:
                return None
            if pod.has_ended or pod.made_from != _made_from(wanted):
                gateway.delete("Pod", pod.name, uid=pod.uid)
                return None
        return gateway.apply(wanted)

    def _home_is_there(self, session: Session, launch: Launch) -> bool:
        """Apply the home's claim. False while the home of a former user of this name has to go first: nobody gets another one's files."""
        gateway = self.cluster()
        unwanted = models.unwanted_home_of(session.user)
        # A wish about this very life is its removal's business, which may still be given up.
        if unwanted is not None and unwanted.home_of < launch.home_of and not self._home_is_gone(unwanted):
            return False
        wanted = objects.home_claim(session, launch, self.place())
        present = gateway.get("PersistentVolumeClaim", wanted["metadata"]["name"])
        if present is not None and present["metadata"].get("deletionTimestamp"):
            return False
        if present is not None and _size_of(present) >= _size_of(wanted) and _home_of(present) == launch.home_of:
            # A claim cannot shrink, and Kubernetes refuses one that would.
            return True
        if present is not None:
            wanted["spec"] = {**wanted["spec"], "resources": {"requests": {"storage": _larger(present, wanted)}}}
            wanted["spec"].pop("storageClassName", None)
        try:
            gateway.apply(wanted)
        except ClusterRefused as refused:
            if present is None:
                raise
            # Its storage class cannot grow: the home stays as large as it is.
            log.logger().warning("a home did not change", extra={"user": session.user, "fault": str(refused)})
        return True

    def _note_pod(self, row: SessionRow, session: Session, launch: Launch, pod: Pod) -> Progress:
        """Write down what was seen of the pod; the first time that it is ready, tell that the session started, in the same transaction."""
        if _waits_for_a_node(pod):
            if not config.cluster_grows():
                models.note_shortage(session.id, session.memory_bytes, parse_cpu(session.cpu), clock.timestamp() + _SHORTAGE_S)
        elif session.status is not None and session.status.reason == UNSCHEDULABLE:
            models.end_shortage(session.id)
        if not pod.is_ready or pod.is_leaving:
            self._save(row, session, replace(session, pod_name=pod.name, url=None, status=pod.status))
            return Progress.STUCK if pod.status.reason == UNSCHEDULABLE or pod.status.reason in HOPELESS else Progress.NOT_YET
        url = address_of(session.id) if objects.has_entrance(launch) else None
        # The first time since it was asked to run: a pod that comes and goes must not keep a session from being idle.
        since = session.ready_since or clock.now()
        ready = replace(session, pod_name=pod.name, url=url, status=None, was_started=True, ready_since=since)
        self._save(row, session, ready, event=None if session.was_started else "session.started")
        return Progress.DONE

    def _note(self, row: SessionRow, session: Session, status: PodStatus) -> Progress:
        self._save(row, session, replace(session, url=None, status=status))
        return Progress.NOT_YET

    def _stop(self, row: SessionRow, session: Session) -> Progress:
        """Take pod, service and ingress away; the home stays."""
        gone = self._objects_are_gone(session.id)
        if gone:
            self._save(row, session, replace(session, pod_name=None, url=None, status=None))
        else:
            self._save(row, session, replace(session, url=None))
        return Progress.DONE if gone else Progress.NOT_YET

    def _remove(self, row: SessionRow, session: Session) -> Progress:
        """Take everything of a deleted session away, and its record last: its id is free from then on."""
        if not self._objects_are_gone(session.id):
            return Progress.NOT_YET
        if session.status is not None and session.status.reason == UNSCHEDULABLE:
            models.end_shortage(session.id)
        with unit_of_work() as work:
            work.delete(row, row.next_revision())
            work.delete(LaunchRow(row.pk, "launch"))
        return Progress.DONE

    def _remove_leftovers(self, session_id: str) -> Progress | None:
        """Nobody wants anything under this id: a run that was late may have left something. None when somebody has come to want it."""
        gone = self._objects_are_gone(session_id)
        if models.session_of_id(session_id) is not None:
            return None
        return Progress.DONE if gone else Progress.NOT_YET

    def _objects_are_gone(self, session_id: str) -> bool:
        gateway, name = self.cluster(), names.objects_of(session_id)
        pod = gateway.get("Pod", name)
        # All three are asked to go before any is waited for; of the pod, just the one that was seen, and no successor that somebody woke.
        gone = [gateway.delete(kind, name) for kind in ("Ingress", "Service")]
        if pod is not None:
            gone.append(gateway.delete("Pod", name, uid=pod["metadata"].get("uid")))
        return all(gone)

    def _save(self, row: SessionRow, before: Session, after: Session, event: str | None = None) -> None:
        """Write what was seen, if it is news. Raises ConcurrentChange when the record is not any more the one that was acted on."""
        if after == before and event is None and row.is_indexed:
            self._require_unchanged(row)
            return
        if event is not None or after.url != before.url or after.pod_name != before.pod_name:
            after = replace(after, updated_at=clock.now())
        with unit_of_work(PLATFORM) as work:
            work.save(row.take(after), row.next_revision())
            if event is not None:
                work.emit(event, row, session_object(after))

    def _require_unchanged(self, row: SessionRow) -> None:
        now = models.session_of_id(row.id)
        if now is None or int(now.revision) != int(row.revision):
            raise ConcurrentChange

    # ── Homes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def reconcile_home(self, username: str) -> bool:
        """Delete the home of a user who is gone, where that was asked for. False: look again later.

        Raises ClusterUnavailable, ClusterRefused.
        """
        until = self.monotonic() + self.patience_s
        while True:
            unwanted = models.unwanted_home_of(username)
            if unwanted is None or self._home_is_gone(unwanted):
                return True
            if self.monotonic() >= until:
                return False
            self.sleep(_POLL_S)

    def _home_is_gone(self, unwanted: HomeRow) -> bool:
        """Ask for the home to go, and forget the wish when it has. Only the home of the life that is meant, never that of its successor."""
        gateway, name = self.cluster(), names.home_claim(unwanted.user)
        present = gateway.get("PersistentVolumeClaim", name)
        # Lives are told apart by when they began: this one's home, or one that was left to it.
        if present is not None and _home_of(present) <= unwanted.home_of:
            uid = present["metadata"].get("uid")
            if not gateway.delete("PersistentVolumeClaim", name, uid=uid) and gateway.get("PersistentVolumeClaim", name) is not None:
                return False
        models.forget_unwanted_home(unwanted)
        return True


def handle_events(sqs_event: Mapping[str, Any]) -> dict[str, Any]:
    """The handler of the FIFO queue ``sessions``: see :meth:`Worker.handle_events`."""
    return Worker().handle_events(sqs_event)


def handle_checks(sqs_event: Mapping[str, Any]) -> dict[str, Any]:
    """The handler of the queue of re-checks: see :meth:`Worker.handle_checks`."""
    return Worker().handle_checks(sqs_event)


def reconcile(session_id: str) -> bool:
    """See :meth:`Worker.reconcile`."""
    return Worker().reconcile(session_id)


def place_of_settings() -> Place:
    """Where objects go, as the function's environment says."""
    return Place(
        config.namespace(),
        config.ingress_domain(),
        config.setting("INGRESS_CLASS", ""),
        config.setting("STORAGE_CLASS", ""),
        _listed(config.setting("INGRESS_CIDRS", "")),
        config.setting("API_URL", ""),
        _listed(config.setting("INGRESS_CONTROLLERS", "")) or entrances.ASKING,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


# The clusters whose sessions this container has kept apart already.
_kept_apart: WeakSet[Cluster] = WeakSet()


def _keep_apart(gateway: Cluster, place: Place) -> None:
    """No session starts before the policy is there that keeps others from it. Once for each container; the sweep sees that it stays."""
    if gateway not in _kept_apart:
        gateway.apply(objects.isolation(place))
        _kept_apart.add(gateway)


def _make_anew_if_refused(gateway: Cluster, wanted: objects.Object) -> None:
    """Apply what costs nothing to lose: what somebody changed may contradict it (a second port of its name), and would for ever."""
    try:
        gateway.apply(wanted)
    except ClusterRefused as refused:
        if refused.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        gateway.delete(wanted["kind"], wanted["metadata"]["name"])
        gateway.apply(wanted)


def _waits_for_a_node(pod: Pod) -> bool:
    return pod.status.reason == UNSCHEDULABLE and not pod.is_scheduled


def _made_from(pod: Mapping[str, Any]) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(objects.MADE_FROM, ""))


def _why_restarted(present: Mapping[str, Any] | None) -> str:
    """What the pod that is replaced said at its end, such as that its node threw it out."""
    seen = pod_of(present).status if present is not None else None
    return f"{seen.reason}: {seen.message}" if seen is not None and seen.reason and seen.phase in ("Failed", "Succeeded") else ""


def _size_of(claim: Mapping[str, Any]) -> int:
    return parse_memory(str(claim["spec"]["resources"]["requests"]["storage"]))


def _larger(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    largest = one if _size_of(one) >= _size_of(other) else other
    return str(largest["spec"]["resources"]["requests"]["storage"])


def _home_of(claim: Mapping[str, Any]) -> str:
    return str((claim["metadata"].get("annotations") or {}).get(objects.HOME_OF, ""))
