"""Each subscriber is sent each aggregate's events in order, without gaps, whatever the stream shows and whatever dies on the way."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.core import clock
from chalicelib.core.tables import Row, TableMeta, table
from chalicelib.events import Dispatcher, EventSourced, Subscriber, queue_subscriber, unit_of_work
from chalicelib.events.dispatcher import DispatchFailed
from chalicelib.events.records import EventRow
from tests.event_history import history

pytestmark = pytest.mark.usefixtures("aws")

MADE, COUNTED, PAINTED, GONE = "thing.made", "thing.counted", "thing.painted", "thing.gone"
ALL = (MADE, COUNTED, PAINTED, GONE)


class Thing(EventSourced, Row):
    class Meta(TableMeta):
        table_name = table("ACCOUNTS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="thing")
    event_sequence = NumberAttribute(default=0)

    @property
    def aggregate(self) -> str:
        return f"thing#{self.pk}"


def live(name, *transactions):
    """A thing with one transaction for each group of event types; the first creates it, ``GONE`` deletes it."""
    thing = Thing(name)
    for number, types in enumerate(transactions):
        with unit_of_work() as work:
            if GONE in types:
                work.delete(thing)
            elif number == 0:
                work.create(thing)
            else:
                work.save(thing)
            for one in types:
                work.emit(one, thing, {"n": number})


def records_of(*names) -> list[dict]:
    """The stream's records of these things' events, as DynamoDB Streams shows them."""
    rows = [event.row() for name in names for event in history(f"thing#{name}", newest_first=False)]
    return [inserted(row) for row in rows]


def inserted(row: EventRow) -> dict:
    image = row.to_dynamodb_dict()
    keys = {name: image[name] for name in ("aggregate", "sequence")}
    return {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": {"Keys": keys, "NewImage": image}}


class Queue:
    """A FIFO queue, and everything that ever arrived on it."""

    def __init__(self, aws, name: str) -> None:
        self._sqs = aws.client("sqs")
        self._name = name
        self.open()
        self._seen: list[dict] = []

    def open(self) -> None:
        attributes = {"FifoQueue": "true", "VisibilityTimeout": "0"}
        self.url = self._sqs.create_queue(QueueName=f"{self._name}.fifo", Attributes=attributes)["QueueUrl"]

    def drop(self) -> None:
        self._sqs.delete_queue(QueueUrl=self.url)

    def received(self, name: str | None = None) -> list[dict]:
        """The bodies so far, of one thing or of all, as they came."""
        wanted = {"MaxNumberOfMessages": 10, "AttributeNames": ["MessageGroupId"]}
        while messages := self._sqs.receive_message(QueueUrl=self.url, **wanted).get("Messages", []):
            for message in messages:
                body = json.loads(message["Body"])
                assert message["Attributes"]["MessageGroupId"] == body["aggregate"]
                self._seen.append(body)
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [body for body in self._seen if name in (None, body["aggregate"].removeprefix("thing#"))]

    def types(self, name: str | None = None) -> list[str]:
        return [body["type"] for body in self.received(name)]


@pytest.fixture
def queue(aws) -> Iterator:
    return lambda name: Queue(aws, name)


def dispatcher(*queues: Queue, types=ALL) -> Dispatcher:
    return Dispatcher(lambda: [queue_subscriber(one.url.rsplit("/", 1)[-1], one.url, types) for one in queues])


def committed(name) -> list[int]:
    return [event.id for event in history(f"thing#{name}", newest_first=False)]


_things = 0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_stream_shows_each_aggregate_arrives_in_order_without_gaps(queue, data):
    """Streams keep order within an aggregate only between transactions; here even that is not relied upon, nor is anything shown once."""
    global _things
    _things += 1
    names = [f"{_things}a", f"{_things}b"]
    for name in names:
        live(name, *data.draw(st.lists(st.sampled_from([(COUNTED,), (COUNTED, PAINTED), (PAINTED,)]), min_size=1, max_size=5)))
    shown = records_of(*names)
    shown = data.draw(st.permutations(shown + data.draw(st.lists(st.sampled_from(shown), max_size=4))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shown)), max_size=4)))
    target = queue("property")
    dispatch = dispatcher(target)

    for start, end in zip([0, *cuts], [*cuts, len(shown)], strict=True):
        dispatch.handle(shown[start:end])

    for name in names:
        assert [body["id"] for body in target.received(name)] == committed(name)


def test_a_crash_between_sending_and_the_cursor_loses_nothing_and_repeats_under_the_same_id(queue):
    live("a", (MADE,), (COUNTED,))
    target = queue("q")
    shown = records_of("a")
    dispatcher(target).handle(shown)
    first = target.received()

    # The cursor is as it was before; SQS has forgotten what it saw.
    EventRow("cursor#thing#a", 0).delete()
    target.drop()
    target.open()
    live("b", (MADE,))
    dispatcher(target).handle(shown + records_of("b"))

    repeated = target.received("a")[len(first) :]
    assert [body["id"] for body in first] == [body["id"] for body in repeated] == committed("a")


def test_what_was_sent_is_not_sent_again_when_the_batch_comes_back(queue):
    live("a", (MADE,), (COUNTED,))
    target = queue("q")
    dispatch = dispatcher(target)
    dispatch.handle(records_of("a"))
    target.received()
    target.drop()
    target.open()

    dispatch.handle(records_of("a"))

    assert len(target.received()) == 2


def test_a_second_life_follows_the_first(queue):
    live("a", (MADE,), (GONE,))
    target = queue("q")
    dispatch = dispatcher(target)
    dispatch.handle(records_of("a"))
    with clock.travel(1):
        live("a", (MADE,), (COUNTED,))

    dispatch.handle(records_of("a")[2:])

    assert target.types() == [MADE, GONE, MADE, COUNTED]


def test_both_lives_in_one_batch_are_sent_in_order(queue):
    live("a", (MADE,), (GONE,))
    with clock.travel(1):
        live("a", (MADE,), (COUNTED,))
    target = queue("q")

    dispatcher(target).handle(records_of("a")[::-1])

    assert target.types() == [MADE, GONE, MADE, COUNTED]


def test_a_subscriber_is_sent_only_the_types_that_it_wants(queue):
    live("a", (MADE,), (COUNTED,), (PAINTED,))
    wants, wants_nothing = queue("wants"), queue("nothing")
    dispatch = Dispatcher(
        lambda: [queue_subscriber("wants", wants.url, {COUNTED})],
        lambda: [queue_subscriber("nothing", wants_nothing.url, {"other.type"})],
    )

    dispatch.handle(records_of("a"))

    assert wants.types() == [COUNTED]
    assert wants_nothing.types() == []


def test_a_message_says_what_happened_and_what_its_subscriber_adds(queue):
    live("a", (MADE,))
    target = queue("q")
    more = (("settings_version", 3),)

    Dispatcher(lambda: [Subscriber("q", target.url, frozenset(ALL), more)]).handle(records_of("a"))

    event = history("thing#a")[0]
    assert target.received() == [
        {
            "id": event.id,
            "type": MADE,
            "aggregate": "thing#a",
            "sequence": event.sequence,
            "time": clock.rfc3339(event.time),
            "data": {"n": 0},
            "settings_version": 3,
        }
    ]


def test_a_queue_that_is_gone_stops_nobody(queue):
    live("a", (MADE,))
    gone, stays = queue("gone"), queue("stays")
    gone.drop()

    dispatcher(gone, stays).handle(records_of("a"))

    assert stays.types() == [MADE]


def test_a_subscriber_that_fails_is_told_of_after_all_others_were_served_and_catches_up_when_it_is_well(queue, aws):
    live("a", (MADE,), (COUNTED,))
    live("b", (MADE,))
    sick, well = queue("sick"), queue("well")
    dispatch = dispatcher(sick, well)
    refuse = refusing(sick.url)
    aws.client("sqs").meta.events.register("before-call.sqs", refuse)

    with pytest.raises(DispatchFailed) as failed:
        dispatch.handle(records_of("a", "b"))

    assert "thing#a" in str(failed.value)
    assert "thing#b" in str(failed.value)
    assert well.types("a") == [MADE, COUNTED]
    assert well.types("b") == [MADE]

    aws.client("sqs").meta.events.unregister("before-call.sqs", refuse)
    dispatch.handle(records_of("a", "b"))

    assert sick.types("a") == [MADE, COUNTED]
    assert sick.types("b") == [MADE]
    # Sent again, it has the same ids: SQS drops it within five minutes, and after that its receiver can.
    assert list(dict.fromkeys(body["id"] for body in well.received("a"))) == committed("a")


def test_an_event_that_sqs_refuses_holds_back_those_behind_it(queue, aws):
    live("a", *[(COUNTED,)] * 5)
    target = queue("q")
    dispatch = dispatcher(target)
    third = committed("a")[2]
    refuse = refusing(target.url, containing=str(third))
    aws.client("sqs").meta.events.register("before-call.sqs", refuse)

    with pytest.raises(DispatchFailed):
        dispatch.handle(records_of("a"))
    aws.client("sqs").meta.events.unregister("before-call.sqs", refuse)
    dispatch.handle(records_of("a"))

    assert [body["id"] for body in target.received()] == committed("a")


def test_more_events_than_a_batch_takes_arrive_all(queue):
    live("a", *[(COUNTED, PAINTED)] * 13)
    target = queue("q")

    dispatcher(target).handle(records_of("a")[-1:])

    assert [body["id"] for body in target.received()] == committed("a")


def test_events_that_together_are_larger_than_a_batch_may_be_arrive_all(queue):
    thing = Thing("a")
    for number in range(4):
        with unit_of_work() as work:
            if number:
                work.save(thing)
            else:
                work.create(thing)
            work.emit(COUNTED, thing, {"text": "x" * 350_000})
    target = queue("q")

    dispatcher(target).handle(records_of("a")[-1:])

    assert [body["id"] for body in target.received()] == committed("a")


def test_cursors_and_expiries_in_the_stream_are_not_events(queue):
    live("a", (MADE,))
    target = queue("q")
    cursor = inserted(EventRow("cursor#thing#a", 0, previous=5))
    expired = {**records_of("a")[0], "eventName": "REMOVE", "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
    del expired["dynamodb"]["NewImage"]
    asked = []

    Dispatcher(lambda: asked.append(1) or []).handle([cursor, expired, {**cursor, "eventName": "MODIFY"}])

    assert asked == []
    assert target.received() == []


def test_a_cursor_outlives_the_events_that_it_passed_so_that_they_are_not_sent_again(queue):
    live("a", (MADE,))

    dispatcher(queue("q")).handle(records_of("a"))

    event, cursor = next(EventRow.query("thing#a")), EventRow.get("cursor#thing#a", 0)
    # TTL takes up to some days to delete what has expired.
    assert cursor.expires_at > event.expires_at + 3 * 24 * 3600


def refusing(queue_url: str, containing: str = ""):
    """Makes SQS refuse the calls that send to one queue, or those of them with a text in their messages."""
    from botocore.awsrequest import AWSResponse

    def refuse(model, params, **_):
        body = json.loads(params["body"]) if isinstance(params["body"], str | bytes) else {}
        if not model.name.startswith("SendMessage") or body.get("QueueUrl") != queue_url:
            return None
        if containing not in str(body):
            return None
        answer = AWSResponse(queue_url, 403, {}, None)
        return answer, {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}

    return refuse
