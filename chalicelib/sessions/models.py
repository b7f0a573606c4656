"""The sessions table. One item each, by ``pk`` and ``sk``:

===================  ==============  ==========================================================================================
pk                   sk              what
===================  ==============  ==========================================================================================
session#{id}         session         the record; indexes: gsi1 by user, gsi2 by template, gsi3 by state, gsi4 all; newest last;
                                     gsi5 by when the sweep must look at it, gsi6 by its pod's name (both only while it runs)
session#{id}         launch          what the worker needs beside it (template as it was, environment, labels); in no index
user#{username}      usage           how much of the user's quotas is taken, changed only together with sessions and homes
user#{username}      home            a home that must go, until it is gone
user#{username}      removal         a user who is being removed, until they are; index: gsi3 all, oldest first
template#{name}      template        indexes: gsi1 by category, gsi4 all; by name
tag#{tag}            {name}          which templates have the tag
cluster              capacity        the least that did not fit into the cluster lately
cluster              room            what the nodes had left a moment ago
cluster              drift           how far the comparison of the cluster with the records has come
===================  ==============  ==========================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DeleteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection

from chalicelib.core import clock
from chalicelib.core.tables import Row, TableMeta, condition_failed, table
from chalicelib.events import EventSourced
from chalicelib.sessions import names, timing
from chalicelib.sessions.room import fits
from chalicelib.sessions.session import Launch, PodStatus, Session
from chalicelib.sessions.states import RUNNING

_ALL = "sessions"
_REMOVALS = "removals"
_ALL_TEMPLATES = "templates"
_DUE, _PODS = "due", "pods"
# DynamoDB reads at most 1 MB a page anyway; this bounds it for pages that a filter thins out.
_FILTERED_PAGE = 1000


class JsonText(JSONAttribute):
    """JSON in UTF-8: what came in small stays small."""

    def serialize(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Gsi1(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class _Gsi2(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "gsi2"
        projection = AllProjection()

    gsi2pk = UnicodeAttribute(hash_key=True)
    gsi2sk = UnicodeAttribute(range_key=True)


class _Gsi3(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "gsi3"
        projection = AllProjection()

    gsi3pk = UnicodeAttribute(hash_key=True)
    gsi3sk = UnicodeAttribute(range_key=True)


class _Gsi4(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "gsi4"
        projection = AllProjection()

    gsi4pk = UnicodeAttribute(hash_key=True)
    gsi4sk = UnicodeAttribute(range_key=True)


class _Gsi5(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "gsi5"
        projection = KeysOnlyProjection()

    gsi5pk = UnicodeAttribute(hash_key=True)
    gsi5sk = UnicodeAttribute(range_key=True)


class _Gsi6(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "gsi6"
        projection = IncludeProjection(["id", "pod_name", "status"])

    gsi6pk = UnicodeAttribute(hash_key=True)
    gsi6sk = UnicodeAttribute(range_key=True)


# ── Sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class SessionRow(EventSourced, Row):
    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="session")
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    gsi2pk = UnicodeAttribute(null=True)
    gsi2sk = UnicodeAttribute(null=True)
    gsi3pk = UnicodeAttribute(null=True)
    gsi3sk = UnicodeAttribute(null=True)
    gsi4pk = UnicodeAttribute(null=True)
    gsi4sk = UnicodeAttribute(null=True)
    gsi5pk = UnicodeAttribute(null=True)
    gsi5sk = UnicodeAttribute(null=True)
    gsi6pk = UnicodeAttribute(null=True)
    gsi6sk = UnicodeAttribute(null=True)
    event_sequence = NumberAttribute(default=0)
    event_cause = UnicodeAttribute(null=True)
    # Every write counts up, also those that no event tells of, so that no writer undoes another's.
    revision = NumberAttribute(default=0)
    id = UnicodeAttribute()
    user = UnicodeAttribute()
    template = UnicodeAttribute()
    state = UnicodeAttribute()
    memory = UnicodeAttribute()
    cpu = UnicodeAttribute()
    persistent_home = BooleanAttribute()
    idle_timeout = UnicodeAttribute()
    max_session_duration = UnicodeAttribute()
    created_at = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    url = UnicodeAttribute(null=True)
    pod_name = UnicodeAttribute(null=True)
    last_activity = UnicodeAttribute(null=True)
    was_started = BooleanAttribute(default=False)
    deleted_at = UnicodeAttribute(null=True)
    status: Any = JsonText(null=True)
    running_since = UnicodeAttribute(null=True)
    ran_s = NumberAttribute(default=0)
    ready_since = UnicodeAttribute(null=True)
    awake_until = UnicodeAttribute(null=True)
    warned_of = UnicodeAttribute(null=True)
    ends_no_sooner_than = UnicodeAttribute(null=True)
    ended_by = UnicodeAttribute(null=True)

    by_user = _Gsi1()
    by_template = _Gsi2()
    by_state = _Gsi3()
    in_order = _Gsi4()
    by_due = _Gsi5()
    by_pod = _Gsi6()

    @property
    def aggregate(self) -> str:
        return aggregate_of(self.id)

    @property
    def is_indexed(self) -> bool:
        """Whether the sweeps find it, if they should: a row that was last written before there were sweeps is not."""
        return (self.gsi6pk is not None) == (self.state == RUNNING and not self.deleted_at)

    @property
    def position(self) -> str:
        """Where the session stands in every list: by age, then by id."""
        return f"{self.created_at}#{self.id}"

    def take(self, session: Session) -> SessionRow:
        """Write the value into the row. A deleted session leaves every list but that of the deletions still to be finished."""
        self.id, self.user, self.template, self.state = session.id, session.user, session.template, session.state
        self.memory, self.cpu, self.persistent_home = session.memory, session.cpu, session.persistent_home
        self.idle_timeout, self.max_session_duration = session.idle_timeout, session.max_session_duration
        self.created_at = _stored_time(session.created_at)
        self.updated_at = _stored_time(session.updated_at)
        self.url, self.pod_name, self.was_started = session.url, session.pod_name, session.was_started
        self.last_activity, self.deleted_at = _maybe_time(session.last_activity), _maybe_time(session.deleted_at)
        self.running_since, self.ready_since = _maybe_time(session.running_since), _maybe_time(session.ready_since)
        self.ran_s, self.awake_until = session.ran_s, _maybe_time(session.awake_until)
        self.warned_of, self.ends_no_sooner_than = _maybe_time(session.warned_of), _maybe_time(session.ends_no_sooner_than)
        self.ended_by = session.ended_by
        self.status = asdict(session.status) if session.status else None
        gone = session.is_deleted
        self.gsi1pk, self.gsi1sk = (None, None) if gone else (f"user#{session.user}", self.position)
        self.gsi2pk, self.gsi2sk = (None, None) if gone else (f"template#{session.template}", self.position)
        self.gsi3pk, self.gsi3sk = ("deleted" if gone else f"state#{session.state}"), self.position
        self.gsi4pk, self.gsi4sk = (None, None) if gone else (_ALL, self.position)
        due = None if gone else timing.due_at(session)
        self.gsi5pk, self.gsi5sk = (_DUE, f"{_stored_time(due)}#{session.id}") if due else (None, None)
        runs = session.state == RUNNING and not gone
        self.gsi6pk, self.gsi6sk = (_PODS, names.objects_of(session.id)) if runs else (None, None)
        return self

    def value(self) -> Session:
        return Session(
            id=self.id,
            user=self.user,
            template=self.template,
            state=self.state,  # type: ignore[arg-type]
            memory=self.memory,
            cpu=self.cpu,
            persistent_home=bool(self.persistent_home),
            idle_timeout=self.idle_timeout,
            max_session_duration=self.max_session_duration,
            created_at=clock.parse_rfc3339(self.created_at),
            updated_at=clock.parse_rfc3339(self.updated_at),
            url=self.url,
            pod_name=self.pod_name,
            last_activity=_parsed(self.last_activity),
            was_started=bool(self.was_started),
            deleted_at=_parsed(self.deleted_at),
            status=PodStatus(**self.status) if self.status else None,
            running_since=_parsed(self.running_since),
            ran_s=float(self.ran_s or 0),
            ready_since=_parsed(self.ready_since),
            awake_until=_parsed(self.awake_until),
            warned_of=_parsed(self.warned_of),
            ends_no_sooner_than=_parsed(self.ends_no_sooner_than),
            ended_by=self.ended_by,  # type: ignore[arg-type]
        )

    def next_revision(self) -> Condition:
        """Count the revision up; the condition under which the row may be written."""
        read = int(self.revision or 0)
        self.revision = read + 1
        return SessionRow.revision == read


class LaunchRow(Row):
    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="launch")
    template: Any = JsonText()
    storage = UnicodeAttribute()
    home_of = UnicodeAttribute(default="")
    env: Any = JsonText()
    labels: Any = JsonText()

    def value(self) -> Launch:
        return Launch(self.template, self.storage, self.home_of, self.env, self.labels)


def session_row(session: Session) -> SessionRow:
    """A row for a new session."""
    return SessionRow(_pk(session.id), "session").take(session)


def launch_row(session_id: str, launch: Launch) -> LaunchRow:
    return LaunchRow(
        _pk(session_id),
        "launch",
        template=launch.template,
        storage=launch.storage,
        home_of=launch.home_of,
        env=launch.env,
        labels=launch.labels,
    )


def aggregate_of(session_id: str) -> str:
    return f"session#{session_id}"


def session_of_id(session_id: str, *, consistent: bool = True) -> SessionRow | None:
    """The record, also of a session that is being deleted. Key: pk and sk. One GetItem."""
    try:
        return SessionRow.get(_pk(session_id), "session", consistent_read=consistent)
    except SessionRow.DoesNotExist:
        return None


def session_with_launch(session_id: str) -> tuple[SessionRow, Launch] | None:
    """The record and what the worker needs, read together and consistently. Key condition: pk. One Query."""
    found = {item["sk"]["S"]: item for item in _raw_query(_pk(session_id))}
    if "session" not in found or "launch" not in found:
        return None
    return SessionRow.from_raw_data(found["session"]), LaunchRow.from_raw_data(found["launch"]).value()


def sessions(
    *,
    user: str | None = None,
    template: str | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[SessionRow]:
    """At most ``limit`` sessions in the order of their creation, those after the position ``after``.

    Key condition: gsi1pk = user, else gsi2pk = template, else gsi3pk = state, else gsi4pk = all; and the position beyond ``after``.
    What is left of the conditions filters. One Query, while the sessions that the key finds are less than 1 MB (about a thousand).
    """
    thinned: Condition | None = None
    if user is not None:
        index, key, position = SessionRow.by_user, f"user#{user}", _Gsi1.gsi1sk
        thinned = _both(SessionRow.template == template if template else None, SessionRow.state == state if state else None)
    elif template is not None:
        index, key, position = SessionRow.by_template, f"template#{template}", _Gsi2.gsi2sk  # type: ignore[assignment]
        thinned = SessionRow.state == state if state else None
    elif state is not None:
        index, key, position = SessionRow.by_state, f"state#{state}", _Gsi3.gsi3sk  # type: ignore[assignment]
    else:
        index, key, position = SessionRow.in_order, _ALL, _Gsi4.gsi4sk  # type: ignore[assignment]
    return list(
        index.query(
            key,
            range_key_condition=position > after if after else None,
            filter_condition=thinned,
            limit=limit,
            page_size=limit if thinned is None else _FILTERED_PAGE,
        )
    )


def due(before: datetime, limit: int) -> list[str]:
    """The ids of at most ``limit`` sessions that the sweep has to look at, those that wait longest first.

    Key condition: gsi5pk = due, gsi5sk up to ``before``. One Query for each megabyte, which is ten thousand of them.
    """
    found = SessionRow.by_due.query(_DUE, _Gsi5.gsi5sk < _stored_time(before), limit=limit, page_size=limit)
    return [row.pk.removeprefix(_pk("")) for row in found]


def running_between(after: str, until: str | None, limit: int) -> list[SessionRow]:
    """Running sessions whose pods' names lie beyond ``after`` and not beyond ``until`` (None: to the end), by those names: ``id``,
    ``pod_name``, ``status`` and that name, no more. Key condition: gsi6pk = pods, gsi6sk in the range."""
    name = _Gsi6.gsi6sk
    # DynamoDB's ranges have their beginning in them; the least name that comes after another one is that with a '-' behind it.
    begin = f"{after}-" if after else "-"
    found = SessionRow.by_pod.query(_PODS, name.between(begin, until) if until else name >= begin, limit=limit, page_size=limit)
    return list(found)


def rows_of_ids(session_ids: Iterable[str]) -> dict[str, SessionRow]:
    """The records that there are, by id, read consistently. One BatchGetItem for each hundred."""
    rows: dict[str, SessionRow] = {}
    for hundred in _hundreds(list(dict.fromkeys(session_ids))):
        found = _batch_get([(_pk(one), "session") for one in hundred])
        rows |= {row.id: row for row in map(SessionRow.from_raw_data, found.values())}
    return rows


def touched(session: Session, now: datetime) -> Session:
    """Note activity now, unless the session has stopped running meanwhile; in either case the session as it then is. One UpdateItem."""
    row = SessionRow(_pk(session.id), "session")
    runs = (SessionRow.state == session.state) & SessionRow.deleted_at.does_not_exist()
    try:
        row.update(actions=[SessionRow.last_activity.set(_stored_time(now)), SessionRow.revision.add(1)], condition=runs)
    except UpdateError as error:
        if condition_failed(error):
            return session
        raise
    return replace(session, last_activity=now)


# ── What a user has taken of the quotas ───────────────────────────────────────────────────────────────────────────────────────


class UsageRow(Row):
    """``closed_for`` is the life of the username (the user's createdAt) that is being removed and gets no more sessions. ``home_bytes`` is
    as large as the home was ever asked to be; absent where there is none."""

    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="usage")
    home_bytes = NumberAttribute(null=True)
    sessions = NumberAttribute(default=0)
    memory_bytes = NumberAttribute(default=0)
    closed_for = UnicodeAttribute(null=True)


def usage_row(username: str) -> UsageRow:
    """The key of a user's counters, for an update."""
    return UsageRow(f"user#{username}", "usage")


def usage_of(username: str) -> UsageRow:
    """The user's counters; zeros where nothing was counted yet. One consistent GetItem."""
    try:
        return UsageRow.get(f"user#{username}", "usage", consistent_read=True)
    except UsageRow.DoesNotExist:
        return usage_row(username)


# ── Homes that must go ────────────────────────────────────────────────────────────────────────────────────────────────────────


class HomeRow(Row):
    """A wish that the home of a user who is gone be deleted. ``home_of`` says which life of the username is meant."""

    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="home")
    user = UnicodeAttribute()
    home_of = UnicodeAttribute()
    wished_at = UnicodeAttribute()


def home_row(username: str, home_of: str) -> HomeRow:
    return HomeRow(f"user#{username}", "home", user=username, home_of=home_of, wished_at=_stored_time(clock.now()))


def unwanted_home_of(username: str) -> HomeRow | None:
    """The wish that this user's home be deleted. One consistent GetItem."""
    try:
        return HomeRow.get(f"user#{username}", "home", consistent_read=True)
    except HomeRow.DoesNotExist:
        return None


def forget_unwanted_home(unwanted: HomeRow) -> None:
    """The home has gone, so the wish may go; a wish about another life of the username stays."""
    try:
        unwanted.delete(condition=HomeRow.home_of == unwanted.home_of)
    except DeleteError as error:
        if not condition_failed(error):
            raise


# ── Users who are being removed ───────────────────────────────────────────────────────────────────────────────────────────────


class RemovalRow(Row):
    """A removal that was begun, until it is done. ``life`` is the one of the username that is meant."""

    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="removal")
    gsi3pk = UnicodeAttribute(default=_REMOVALS)
    gsi3sk = UnicodeAttribute()
    user = UnicodeAttribute()
    life = UnicodeAttribute()
    delete_sessions = BooleanAttribute()
    asked_by: Any = JsonText()
    since = UnicodeAttribute()

    begun = _Gsi3()


def removal_row(username: str, *, life: str, delete_sessions: bool, asked_by: dict[str, Any], since: str) -> RemovalRow:
    return RemovalRow(
        f"user#{username}",
        "removal",
        gsi3sk=f"{since}#{username}",
        user=username,
        life=life,
        delete_sessions=delete_sessions,
        asked_by=asked_by,
        since=since,
    )


def removals() -> list[RemovalRow]:
    """The oldest hundred that are not done. Key condition: gsi3pk = removals."""
    return list(RemovalRow.begun.query(_REMOVALS, limit=100))


def forget_removal(removal: RemovalRow) -> None:
    """It is done; one of another life of the username stays."""
    try:
        removal.delete(condition=RemovalRow.life == removal.life)
    except DeleteError as error:
        if not condition_failed(error):
            raise


# ── What did not fit ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class CapacityRow(Row):
    """A pod of this size found no node: until ``until`` (epoch seconds), nothing as large or larger is asked of the cluster."""

    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True, default="cluster")
    sk = UnicodeAttribute(range_key=True, default="capacity")
    session = UnicodeAttribute()
    memory_bytes = NumberAttribute()
    cpu_millis = NumberAttribute()
    until = NumberAttribute()

    def refuses(self, memory_bytes: int, cpu_millis: int) -> bool:
        return clock.timestamp() < float(self.until) and memory_bytes >= int(self.memory_bytes) and cpu_millis >= int(self.cpu_millis)


class RoomRow(Row):
    """What the nodes had left until ``until`` (epoch seconds): ``most`` is a list of ``[bytes, thousandths of a core]``."""

    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True, default="cluster")
    sk = UnicodeAttribute(range_key=True, default="room")
    most: Any = JsonText()
    until = NumberAttribute()


@dataclass(frozen=True)
class Capacity:
    """What is known of the cluster's room: what did not fit lately, and what its nodes have left. Either may be unknown."""

    shortage: CapacityRow | None
    room: RoomRow | None

    def refuses(self, memory_bytes: int, cpu_millis: int) -> bool:
        if self.shortage is not None and self.shortage.refuses(memory_bytes, cpu_millis):
            return True
        is_known = self.room is not None and clock.timestamp() < float(self.room.until)
        return is_known and not fits((memory_bytes, cpu_millis), self.room.most)  # type: ignore[union-attr]


_CAPACITY_KEYS = [("cluster", "capacity"), ("cluster", "room")]


def template_and_capacity(name: str) -> tuple[TemplateRow | None, Capacity]:
    """Both in one BatchGetItem, read consistently."""
    found = _batch_get([(_template_pk(name), "template"), *_CAPACITY_KEYS])
    template = found.get((_template_pk(name), "template"))
    return TemplateRow.from_raw_data(template) if template else None, _capacity(found)


def session_and_capacity(session_id: str) -> tuple[SessionRow | None, Capacity]:
    """Both in one BatchGetItem, read consistently."""
    found = _batch_get([(_pk(session_id), "session"), *_CAPACITY_KEYS])
    session = found.get((_pk(session_id), "session"))
    return SessionRow.from_raw_data(session) if session else None, _capacity(found)


def _capacity(found: dict[tuple[str, str], dict[str, Any]]) -> Capacity:
    shortage, room = (found.get(key) for key in _CAPACITY_KEYS)
    return Capacity(CapacityRow.from_raw_data(shortage) if shortage else None, RoomRow.from_raw_data(room) if room else None)


def save_room(most: list[tuple[int, int]], until: float) -> None:
    RoomRow("cluster", "room", most=[list(one) for one in most], until=int(until)).save()


def note_shortage(session_id: str, memory_bytes: int, cpu_millis: int, until: float) -> None:
    CapacityRow("cluster", "capacity", session=session_id, memory_bytes=memory_bytes, cpu_millis=cpu_millis, until=int(until)).save()


def end_shortage(session_id: str) -> None:
    """The session that had found no node has found one. A shortage that another session met stays noted."""
    try:
        CapacityRow("cluster", "capacity").delete(condition=CapacityRow.session == session_id)
    except DeleteError as error:
        if not condition_failed(error):
            raise


# ── How far the comparison with the cluster has come ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class DriftPosition:
    """The pod's name that was looked at last, and the cluster's own mark of where its list of each kind goes on. Empty at the beginning."""

    name: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)


class DriftRow(Row):
    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True, default="cluster")
    sk = UnicodeAttribute(range_key=True, default="drift")
    name = UnicodeAttribute(default="")
    marks: Any = JsonText(default=dict)


def drift_position() -> DriftPosition:
    try:
        row = DriftRow.get("cluster", "drift", consistent_read=True)
    except DriftRow.DoesNotExist:
        return DriftPosition()
    return DriftPosition(row.name, row.marks) if row.marks else DriftPosition()


def save_drift_position(position: DriftPosition) -> None:
    DriftRow("cluster", "drift", name=position.name, marks=dict(position.marks)).save()


# ── Templates ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class TemplateRow(Row):
    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="template")
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    gsi4pk = UnicodeAttribute(null=True)
    gsi4sk = UnicodeAttribute(null=True)
    name = UnicodeAttribute()
    category = UnicodeAttribute()
    # The document as it came, with whatever it has beside the documented fields.
    api_version = UnicodeAttribute()
    metadata: Any = JsonText()
    spec: Any = JsonText()
    created_at = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    revision = NumberAttribute(default=1)

    by_category = _Gsi1()
    in_order = _Gsi4()

    def index(self) -> TemplateRow:
        self.gsi1pk, self.gsi1sk = f"category#{self.category}", self.name
        self.gsi4pk, self.gsi4sk = _ALL_TEMPLATES, self.name
        return self


class TagRow(Row):
    class Meta(TableMeta):
        table_name = table("SESSIONS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    category = UnicodeAttribute()


def template_row(name: str, **values: Any) -> TemplateRow:
    return TemplateRow(_template_pk(name), "template", name=name, **values).index()


def tag_row(tag: str, name: str, category: str) -> TagRow:
    return TagRow(f"tag#{tag}", name, category=category)


def template_of_name(name: str) -> TemplateRow | None:
    """Key: pk and sk. One GetItem."""
    try:
        return TemplateRow.get(_template_pk(name), "template", consistent_read=True)
    except TemplateRow.DoesNotExist:
        return None


def templates(*, category: str | None = None, tag: str | None = None, after: str | None = None, limit: int) -> list[TemplateRow]:
    """At most ``limit`` templates by name, those after the name ``after``.

    Key condition: gsi1pk = category, or gsi4pk = all, one Query; or pk = tag (the category filters), one Query and a BatchGetItem for each
    hundred.
    """
    if tag is not None:
        tagged = TagRow.query(
            f"tag#{tag}",
            TagRow.sk > after if after else None,
            TagRow.category == category if category else None,
            limit=limit,
            page_size=limit if category is None else _FILTERED_PAGE,
        )
        return _templates_named([row.sk for row in tagged])
    index, key, name = (
        (TemplateRow.by_category, f"category#{category}", _Gsi1.gsi1sk)
        if category is not None
        else (TemplateRow.in_order, _ALL_TEMPLATES, _Gsi4.gsi4sk)
    )
    return list(index.query(key, range_key_condition=name > after if after else None, limit=limit, page_size=limit))


def _templates_named(wanted: list[str]) -> list[TemplateRow]:
    rows: dict[str, TemplateRow] = {}
    for hundred in _hundreds(wanted):
        found = _batch_get([(_template_pk(name), "template") for name in hundred])
        rows.update({row.name: row for row in map(TemplateRow.from_raw_data, found.values())})
    return [rows[name] for name in wanted if name in rows]


# ── Below ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pk(session_id: str) -> str:
    return f"session#{session_id}"


def _template_pk(name: str) -> str:
    return f"template#{name}"


def _stored_time(moment: Any) -> str:
    # Always with milliseconds, so that the texts sort as the times do.
    return str(moment.isoformat(timespec="milliseconds")).replace("+00:00", "Z")


def _maybe_time(moment: datetime | None) -> str | None:
    return _stored_time(moment) if moment else None


def _parsed(text: str | None) -> datetime | None:
    return clock.parse_rfc3339(text) if text else None


def _both(one: Condition | None, other: Condition | None) -> Condition | None:
    if one is None or other is None:
        return one if one is not None else other
    return one & other


def _raw_query(pk: str) -> list[dict[str, Any]]:
    # Items of several models under one key: read raw, and told apart by sk.
    answer = SessionRow._get_connection().query(pk, consistent_read=True)
    return list(answer["Items"])


def _batch_get(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    connection = SessionRow._get_connection()
    wanted: Any = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    while wanted:
        answer = connection.batch_get_item(wanted, consistent_read=True)
        for item in answer["Responses"].get(connection.table_name, []):
            found[item["pk"]["S"], item["sk"]["S"]] = item
        # DynamoDB leaves some for later when the answer grows beyond 16 MB or the table is throttled.
        wanted = answer.get("UnprocessedKeys", {}).get(connection.table_name, {}).get("Keys", [])
    return found


def _hundreds(texts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), 100):
        yield texts[start : start + 100]
