"""The minute's comparison of the cluster with the records, in whatever way they have come apart.

::

    pods by name        ss-ann-x   ss-bob-x              ss-dan-x       a page of the cluster, in its own order
    services, ingresses ss-ann-x   ss-bob-x                             the same stretch of names
    records by pod      ss-ann-x              ss-cas-x   ss-dan-x       the same stretch of names of an index

A running session without a pod (deleted by hand, its node lost, a message lost), a pod that no session owns, a pod whose state is not
what its session shows (evicted, crash-looping, ready at last), a pod to which no service or ingress leads any more, or one that somebody
changed: each is told to the session worker, which makes it right from whatever it is. So the comparison may be wrong, and wrong often,
without doing harm: an index is a moment late, and so is a list. Homes are not compared: one is asked for whenever a session starts, and
one whose user is gone may have been left to the next of that name.

Promises
    What drifted is found within one round; a round takes a minute for ten thousand pods, and goes on where the last minute stopped.
    Bounded calls: for each page of at most five hundred pods as many pages of services and of ingresses, one Query, and a BatchGetItem for
    each hundred objects that no record claims; messages for what drifted only, ten to a call.
    What has our label and a name that no session's objects can have is removed here, by its uid: no worker would look for it.
    Trouble with the cluster ends this minute's part, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.core import aws, clock, config, log
from chalicelib.sessions import entrances, models, names, objects
from chalicelib.sessions.cluster import Cluster, ClusterRefused, ClusterUnavailable, Page, cluster
from chalicelib.sessions.entrances import EntranceRefused
from chalicelib.sessions.models import SessionRow
from chalicelib.sessions.objects import Object, Place
from chalicelib.sessions.observed import pod_of
from chalicelib.sessions.room import Room
from chalicelib.sessions.session import PodStatus
from chalicelib.sessions.states import RUNNING
from chalicelib.sessions.worker import place_of_settings

PAGES_A_RUN = 20
_LEADING_TO_PODS = ("Service", "Ingress")
_MOST_RECORDS = 1000
# Beyond so many pods a minute's look cannot see all of them, and says nothing about room.
_PAGES_FOR_ROOM = 20
_ROOM_IS_NEWS_S = 150
# The worker looks again until shortly before the next comparison, which would find whatever is not right then.
_LAST_CHECK = 6
_SQS_BATCH = 10
_LIVING = "status.phase!=Succeeded,status.phase!=Failed"


@dataclass(frozen=True)
class Comparison:
    """The sweep, with the cluster that it looks at."""

    cluster: Callable[[], Cluster] = cluster
    place: Callable[[], Place] = place_of_settings

    def mend(self) -> int:
        """Compare the next stretch, and have put right what drifted; how many sessions and objects that were. Raises ClusterUnavailable."""
        gateway, place = self.cluster(), self.place()
        self._keep_apart(gateway, place)
        place, compared = self._with_entrance(gateway, place)
        position = models.drift_position()
        beside = {kind: _Beside(gateway, kind, position.marks.get(kind, "")) for kind in _LEADING_TO_PODS}
        found = 0
        for _ in range(PAGES_A_RUN):
            try:
                page = gateway.page("Pod", objects.SESSION_LABEL, position.marks.get("Pod", ""))
                pods = _by_name(page.items)
                last = max(pods, default=position.name) if page.following else None
                others = {kind: one.between(position.name, last) for kind, one in beside.items()}
            except ClusterRefused as refused:
                if refused.status != 410:
                    raise
                # The cluster has forgotten the list for good: begin the round again.
                position = models.DriftPosition()
                break
            drifted, strays = _Stretch(position.name, last, {"Pod": pods, **others}).drifted(place, compared)
            found += len(drifted) + len(strays)
            _tell_worker(drifted)
            for kind, item in strays:
                log.logger().warning("removing what is no session's", extra={"kind": kind, "object": item["metadata"]["name"]})
                gateway.delete(kind, item["metadata"]["name"], uid=item["metadata"]["uid"])
            if not last:
                position = models.DriftPosition()
                break
            position = models.DriftPosition(last, {"Pod": page.following, **{kind: one.mark for kind, one in beside.items()}})
        models.save_drift_position(position)
        return found

    def _keep_apart(self, gateway: Cluster, place: Place) -> None:
        try:
            gateway.apply(objects.isolation(place))
        except ClusterRefused as refused:
            log.logger().error("sessions are not kept apart", extra={"fault": str(refused)})

    def _with_entrance(self, gateway: Cluster, place: Place) -> tuple[Place, tuple[str, ...]]:
        """The place with the class of its ingresses, and the kinds to compare: where no ingress would be made, none can be."""
        try:
            return replace(place, ingress_class=entrances.class_of(gateway, place)), _LEADING_TO_PODS
        except (ClusterRefused, EntranceRefused) as refused:
            log.logger().error("ingresses are not compared", extra={"fault": str(refused)})
            return place, ("Service",)

    def measure_room(self) -> int:
        """Write down what the nodes have left, for those who create sessions; how many nodes that speaks of.

        Nothing is written, and what was written is old after two minutes, where the cluster makes nodes as it needs them, lets nobody list
        its nodes, or has more pods than can be counted.
        """
        if config.cluster_grows():
            return 0
        gateway = self.cluster()
        try:
            nodes = _all(gateway.everywhere, "Node")
            pods = _all(gateway.everywhere, "Pod", fields=_LIVING) if nodes else None
        except ClusterRefused as refused:
            log.logger().info("the cluster does not show its nodes", extra={"fault": str(refused)})
            return 0
        if not nodes or pods is None:
            return 0
        room = Room(nodes)
        room.take(pods)
        if room.has_nodes:
            models.save_room(room.most(), clock.timestamp() + _ROOM_IS_NEWS_S)
        return len(nodes)


def mend() -> int:
    """See :meth:`Comparison.mend`. A cluster that is away has nothing to compare; the next minute asks again."""
    try:
        return Comparison().mend()
    except ClusterUnavailable as fault:
        log.logger().warning("cluster is away", extra={"fault": str(fault)})
        return 0


def measure_room() -> int:
    """See :meth:`Comparison.measure_room`."""
    try:
        return Comparison().measure_room()
    except ClusterUnavailable as fault:
        log.logger().warning("cluster is away", extra={"fault": str(fault)})
        return 0


class _Beside:
    """One kind's objects, read along with the pods as far as these were. ``mark`` is where to go on another time."""

    def __init__(self, gateway: Cluster, kind: str, mark: str) -> None:
        self._gateway, self._kind, self.mark = gateway, kind, mark
        self._page: Page | None = None

    def between(self, after: str, until: str | None) -> dict[str, Object]:
        """Those whose names lie behind ``after``, up to ``until`` (None: to the end). Raises ClusterUnavailable, ClusterRefused."""
        found: dict[str, Object] = {}
        while True:
            if self._page is None:
                self._page = self._gateway.page(self._kind, objects.SESSION_LABEL, self.mark)
            items = _by_name(self._page.items)
            found |= {name: item for name, item in items.items() if after < name and (until is None or name <= until)}
            if not self._page.following or (until is not None and max(items, default="") >= until):
                return found
            self.mark, self._page = self._page.following, None


@dataclass(frozen=True)
class _Stretch:
    """What the cluster has of the names behind ``after``, up to ``until``: by kind, by name."""

    after: str
    until: str | None
    found: dict[str, dict[str, Object]]

    def drifted(self, place: Place, compared: tuple[str, ...]) -> tuple[list[str], list[tuple[str, Object]]]:
        """Ids of sessions that the worker must look at, and objects that are nobody's. ``compared``: the kinds that must lead to pods."""
        pods = self.found["Pod"]
        running = {row.gsi6sk: row for row in models.running_between(self.after, self.until, _MOST_RECORDS)}
        drifted = [
            row.id
            for name, row in running.items()
            if name not in pods
            or _differ(row, pods[name])
            or not all(objects.leads_to(kind, pods[name], self.found[kind].get(name), place) for kind in compared)
        ]
        unclaimed = [
            (kind, item)
            for kind, by_name in self.found.items()
            for name, item in by_name.items()
            if name not in running and not item["metadata"].get("deletionTimestamp")
        ]
        # Those whose name fits their label are a session's: one that the index does not show (yet), or one that is over.
        fitting = list(dict.fromkeys(_owner(item) for _, item in unclaimed if _fits(item)))
        rows = models.rows_of_ids(fitting)
        drifted += [owner for owner in fitting if not _is_new(rows.get(owner))]
        return drifted, [(kind, item) for kind, item in unclaimed if not _fits(item)]


def _owner(item: Object) -> str:
    return str(item["metadata"]["labels"].get(objects.SESSION_LABEL, ""))


def _fits(item: Object) -> bool:
    return names.objects_of(_owner(item)) == item["metadata"]["name"]


def _by_name(items: Iterable[Object]) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in items}


def _is_new(row: SessionRow | None) -> bool:
    """The index does not show it yet; the worker is about to see to it anyway."""
    return row is not None and row.state == RUNNING and not row.deleted_at and row.is_indexed


def _differ(row: SessionRow, item: Any) -> bool:
    """Whether a running session shows something else than its pod is. ``row`` is what the index has of it."""
    pod = pod_of(item)
    if pod.is_leaving or pod.has_ended:
        return True
    shown = PodStatus(**row.status) if row.status else None
    if pod.is_ready:
        return shown is not None or row.pod_name is None
    return shown is None or (shown.phase, shown.reason) != (pod.status.phase, pod.status.reason)


def _tell_worker(session_ids: Iterable[str]) -> None:
    bodies = [json.dumps({"session_id": one, "attempt": 0, "last": _LAST_CHECK}) for one in dict.fromkeys(session_ids)]
    for begin in range(0, len(bodies), _SQS_BATCH):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[begin : begin + _SQS_BATCH])]
        aws.client("sqs").send_message_batch(QueueUrl=config.setting("SESSION_CHECKS_QUEUE_URL"), Entries=entries)


def _all(page: Callable[..., Any], kind: str, **chosen: str) -> list[Any] | None:
    """All of a kind; None when there are more than can be looked at in a minute."""
    found: list[Any] = []
    following = ""
    for _ in range(_PAGES_FOR_ROOM):
        one = page(kind, following, **chosen)
        found += one.items
        following = one.following
        if not following:
            return found
    return None
