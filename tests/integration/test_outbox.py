"""A change and its events are one: both or neither, in order, without gaps."""

import threading

import pytest
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from chalicelib.core.errors import Conflict
from chalicelib.core.tables import TableMeta, table
from chalicelib.events import EventSourced, retried, unit_of_work
from tests.event_history import history

pytestmark = pytest.mark.usefixtures("aws")


class Thing(EventSourced, Model):
    class Meta(TableMeta):
        table_name = table("ACCOUNTS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="thing")
    event_sequence = NumberAttribute(default=0)
    count = NumberAttribute(default=0)

    @property
    def aggregate(self) -> str:
        return f"thing#{self.pk}"


class Taken(Conflict):
    code = "TAKEN"


@retried
def count_up(name: str) -> None:
    thing = Thing.get(name, "thing", consistent_read=True)
    thing.count += 1
    with unit_of_work() as work:
        work.save(thing)
        work.emit("thing.counted", thing, {"count": int(thing.count)})


def make(name: str) -> None:
    thing = Thing(name, "thing")
    with unit_of_work() as work:
        work.create(thing, otherwise=Taken())
        work.emit("thing.made", thing, {})


def test_a_change_and_its_event_are_written_together():
    make("a")

    assert Thing.get("a", "thing").event_sequence > 0
    assert [event.type for event in history("thing#a")] == ["thing.made"]


def test_a_refused_change_leaves_no_event():
    make("a")

    with pytest.raises(Taken):
        make("a")

    assert len(list(history("thing#a"))) == 1


def test_a_block_that_raises_writes_nothing():
    with pytest.raises(RuntimeError), unit_of_work() as work:
        thing = Thing("b", "thing")
        work.create(thing)
        work.emit("thing.made", thing, {})
        raise RuntimeError("before the end")

    assert list(history("thing#b")) == []


def test_racing_writers_all_get_through_and_their_events_have_no_gap():
    make("a")
    threads = [threading.Thread(target=count_up, args=("a",)) for _ in range(5)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = list(history("thing#a", newest_first=False))
    assert [event.data.get("count") for event in events] == [None, 1, 2, 3, 4, 5]
    assert [event.previous for event in events[1:]] == [event.sequence for event in events[:-1]]


def test_a_second_life_under_the_same_name_goes_on_upwards():
    make("a")
    first_life = Thing.get("a", "thing")
    first_life.delete()

    make("a")

    sequences = [event.sequence for event in history("thing#a", newest_first=False)]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 2


def test_two_events_of_one_transaction_are_in_the_order_in_which_they_were_emitted():
    thing = Thing("c", "thing")
    with unit_of_work() as work:
        work.create(thing)
        work.emit("thing.made", thing, {})
        work.emit("thing.painted", thing, {})

    assert [event.type for event in history("thing#c", newest_first=False)] == ["thing.made", "thing.painted"]
