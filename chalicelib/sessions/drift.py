"""The minute's comparison of the cluster with the records, in whatever way they have come apart.

::

    pods by name      ss-ann-x   ss-bob-x              ss-dan-x       a page of the cluster, in its own order
    records by pod    ss-ann-x              ss-cas-x   ss-dan-x       the same stretch of names of an index

A running session without a pod (deleted by hand, its node lost, a message lost), a pod that no session owns, a pod whose state is not
what its session shows (evicted, crash-looping, ready at last): each is told to the session worker, which makes it right from whatever it
is. So the comparison may be wrong, and wrong often, without doing harm: an index is a moment late, and so is a list.

Promises
    What drifted is found within one round; a round takes a minute for ten thousand pods, and goes on where the last minute stopped.
    Bounded calls: for each page of at most five hundred pods one list, one Query, and a BatchGetItem for each hundred pods that no record
    claims; messages for what drifted only, ten to a call.
    A pod with our label under a name that no session's pod can have is removed here, by its uid: no worker would look for it.
    Trouble with the cluster ends this minute's part, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from chalicelib.core import aws, clock, config, log
from chalicelib.sessions import models, names, objects
from chalicelib.sessions.cluster import Cluster, ClusterRefused, ClusterUnavailable, cluster
from chalicelib.sessions.models import SessionRow
from chalicelib.sessions.objects import Place
from chalicelib.sessions.observed import pod_of
from chalicelib.sessions.room import Room
from chalicelib.sessions.session import PodStatus
from chalicelib.sessions.states import RUNNING
from chalicelib.sessions.worker import place_of_settings

PAGES_A_RUN = 20
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
        """Compare the next stretch, and have put right what drifted; how many sessions and pods that were. Raises ClusterUnavailable."""
        gateway = self.cluster()
        self._keep_apart(gateway)
        position = models.drift_position()
        found = 0
        for _ in range(PAGES_A_RUN):
            try:
                page = gateway.page("Pod", objects.SESSION_LABEL, position.following)
            except ClusterRefused as refused:
                if refused.status != 410:
                    raise
                # The cluster has forgotten the list for good: begin the round again.
                position = models.DriftPosition()
                break
            pods = {pod["metadata"]["name"]: pod for pod in page.items}
            last = max(pods, default=position.name) if page.following else None
            drifted, strays = _drifted(position.name, last, pods)
            found += len(drifted) + len(strays)
            _tell_worker(drifted)
            for pod in strays:
                log.logger().warning("removing a pod that is no session's", extra={"pod": pod["metadata"]["name"]})
                gateway.delete("Pod", pod["metadata"]["name"], uid=pod["metadata"]["uid"])
            position = models.DriftPosition(last, page.following) if last and page.following else models.DriftPosition()
            if not page.following:
                break
        models.save_drift_position(position)
        return found

    def _keep_apart(self, gateway: Cluster) -> None:
        try:
            gateway.apply(objects.isolation(self.place()))
        except ClusterRefused as refused:
            log.logger().error("sessions are not kept apart", extra={"fault": str(refused)})

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


def _drifted(after: str, until: str | None, pods: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """Ids of sessions that the worker must look at, and pods that are nobody's."""
    running = {row.gsi6sk: row for row in models.running_between(after, until, _MOST_RECORDS)}
    drifted = [row.id for name, row in running.items() if name not in pods or _differ(row, pods[name])]
    unclaimed = {name: pod for name, pod in pods.items() if name not in running and not pod["metadata"].get("deletionTimestamp")}
    owners = {name: pod["metadata"]["labels"].get(objects.SESSION_LABEL, "") for name, pod in unclaimed.items()}
    # Those whose name fits their label are a session's: one that the index does not show (yet), or one that is over.
    fitting = {name: owner for name, owner in owners.items() if names.objects_of(owner) == name}
    rows = models.rows_of_ids(fitting.values())
    drifted += [owner for owner in fitting.values() if not _is_new(rows.get(owner))]
    return drifted, [pod for name, pod in unclaimed.items() if name not in fitting]


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
