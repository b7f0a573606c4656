"""The log of a plugin, by pages: exact, stable, and as cheap at its end as at its beginning. Source: REST §15."""

from itertools import product
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import accounts
from chalicelib.core import clock, ids
from chalicelib.events import Event, log, unit_of_work
from chalicelib.events.tally import Tally
from chalicelib.plugins import registry
from tests.event_history import history

PATH = "/admin/plugins/watched/events"
TYPES = ("plugin.settings_changed", "plugin.activated", "plugin.settings_changed")


def happen(*types, slug="watched"):
    for type_ in types:
        plugin = registry.get(slug)
        with unit_of_work() as work:
            work.emit(type_, registry.save(work, plugin), {"plugin": plugin.summary()})


@pytest.fixture
def watched(install):
    """Installed and activated, and 24 more events, one in each second since."""
    install("watched")
    for second in range(8):
        with clock.travel(3 * second + 1):
            happen(TYPES[0])
        with clock.travel(3 * second + 2):
            happen(TYPES[1])
        with clock.travel(3 * second + 3):
            happen(TYPES[2])


def newest_first(**wanted):
    """What a page must be cut out of, found by reading everything."""
    return [
        event
        for event in history("plugin#watched")
        if (wanted["type"] is None or event.type == wanted["type"])
        and (wanted["since"] is None or event.time >= wanted["since"])
        and (wanted["until"] is None or event.time <= wanted["until"])
    ]


def test_each_page_of_each_selection_is_what_reading_everything_gives(watched):
    moments = [event.time for event in history("plugin#watched")]
    since, until = moments[20], moments[3]
    selections = product((None, "plugin.activated", "plugin.never"), (None, since), (None, until))

    for type_, first, last in selections:
        wanted = {"type": type_, "since": first, "until": last}
        everything = newest_first(**wanted)
        for number, size in ((1, 7), (2, 7), (4, 7), (9, 7), (1, 100)):
            found = log.page("plugin#watched", number, size, **wanted)

            assert [event.id for event in found.page.items] == [event.id for event in everything[(number - 1) * size : number * size]]
            assert found.page.total == len(everything)


def test_times_are_both_included_as_they_are_shown(api, watched):
    shown = api("GET", PATH, query={"per_page": 100}).data
    moment = shown[5]["created_at"]

    answer = api("GET", PATH, query={"from": moment, "to": moment, "per_page": 100})

    assert [one["id"] for one in answer.data] == [one["id"] for one in shown if one["created_at"] == moment]


def test_following_the_links_shows_each_event_once_whatever_happens_meanwhile(api, watched):
    everything = [event.id for event in history("plugin#watched")]
    answer = api("GET", PATH, query={"per_page": 6})
    seen = [one["id"] for one in answer.data]

    while answer.body["links"]["next"]:
        happen("plugin.activated", "plugin.limits_changed")
        query = {name: values[0] for name, values in parse_qs(urlsplit(answer.body["links"]["next"]).query).items()}
        answer = api("GET", PATH, query=query)
        seen += [one["id"] for one in answer.data]

    assert seen == everything
    assert answer.body["meta"]["total"] == len(everything)


@pytest.mark.parametrize("query", [{}, {"event": "settings_changed"}, {"event": "settings_changed", "from": "2020-01-01"}])
def test_going_on_by_cursor_shows_each_event_once_whatever_happens_meanwhile(api, watched, query):
    expected = [one["id"] for one in api("GET", PATH, query={**query, "per_page": 100}).data]
    seen, cursor = [], None

    while True:
        answer = api("GET", PATH, query={**query, "per_page": 5, **({"cursor": cursor} if cursor else {})})
        seen += [one["id"] for one in answer.data]
        cursor = answer.body["meta"]["next_cursor"]
        if cursor is None:
            break
        happen("plugin.settings_changed")

    assert seen == expected


@pytest.mark.parametrize("cursor", ["nonsense", "eyJwb3NpdGlvbiI6MH0", "eyJwb3NpdGlvbiI6Ii0xIn0", "eyJwIjoxfQ"])
def test_a_cursor_that_nobody_gave_out_is_refused(api, watched, cursor):
    answer = api("GET", PATH, query={"cursor": cursor})

    assert (answer.status, set(answer.error["details"])) == (422, {"cursor"})


def test_the_last_page_of_a_long_log_reads_no_more_than_the_first(api, install, aws_calls, items_read):
    install("watched")
    a_long_log("plugin#watched", 600)
    for query in ({}, {"event": "plugin.settings_changed"}, {"from": "2020-01-01", "to": "2090-01-01"}):
        costs = []
        for page in (1, 15, 30):
            # Each as if it were the first in its second: what holds for everybody is read along.
            accounts.allowed.forget()
            aws_calls.clear()
            items_read.clear()

            answer = api("GET", PATH, query={**query, "page": page})

            assert len(answer.data) == 20
            costs.append((list(aws_calls), sum(items_read)))
        assert costs[0] == costs[1] == costs[2]
        assert costs[0][1] <= 24


@pytest.fixture
def items_read(aws, monkeypatch):
    """How many items each query looked at."""
    from botocore.client import BaseClient

    counts = []
    call = BaseClient._make_api_call

    def counted(client, operation, parameters):
        answer = call(client, operation, parameters)
        counts.append(answer.get("ScannedCount", 0))
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    return counts


def a_long_log(aggregate, count):
    """As so many changes leave it; written at once, because so many transactions would take moto minutes."""
    from chalicelib.events.records import EventRow

    last = log.latest(aggregate)
    with EventRow.batch_write() as batch:
        for _ in range(count):
            tally = last.tally.with_event("plugin.settings_changed", last.id + (1 << 12))
            time = ids.moment_of(tally.last_id)
            last = Event(tally.last_id, "plugin.settings_changed", aggregate, last.sequence + 1, last.sequence, time, {}, tally=tally)
            for row in (last.row(), *log.copies_of(last)):
                batch.save(row)


def test_the_log_of_a_plugin_that_comes_back_goes_on(api, install, watched):
    before = [event.sequence for event in history("plugin#watched")]
    plugin = registry.get("watched")
    with unit_of_work() as work:
        work.emit("plugin.uninstalled", registry.remove(work, plugin), {"plugin": plugin.summary()})
    assert api("GET", PATH).body["meta"]["total"] == len(before) + 1

    install("watched", "2.0.0")

    answer = api("GET", PATH, query={"per_page": 100})
    assert [one["event"] for one in answer.data[:3]] == ["activated", "installed", "uninstalled"]
    assert len(answer.data) == answer.body["meta"]["total"] == len(before) + 3
    sequences = [event.sequence for event in history("plugin#watched", newest_first=False)]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    told = list(history("plugin#watched", newest_first=False))
    assert [event.previous for event in told] == [0, *sequences[:-1]]


def test_ids_grow_along_the_log_also_when_a_clock_is_behind(install):
    install("watched")
    with clock.travel(-3600):
        happen("plugin.settings_changed")

    found = [event.id for event in history("plugin#watched")]

    assert found == sorted(found, reverse=True)
    assert len(log.page("plugin#watched", 1, 10).page.items) == len(found)


def test_a_log_without_anything_in_the_time_asked_for_is_empty_and_one_that_never_was_is_not_found(api, watched):
    nothing = api("GET", PATH, query={"to": "2020-01-01"})

    assert (nothing.status, nothing.data, nothing.body["meta"]["total"]) == (200, [], 0)
    assert api("GET", "/admin/plugins/absent/events", query={"to": "2020-01-01"}).error["code"] == "PLUGIN_NOT_FOUND"


def test_who_did_it_has_a_number_as_in_the_document_and_the_name_that_we_know_them_by(api, install):
    install("watched")

    first, second = api("GET", PATH).data

    assert first["user"] == second["user"]
    assert first["user"]["name"] == "Ann Lee"
    assert first["user"]["username"] == "ann"
    assert type(first["user"]["id"]) is int


def test_a_tally_counts_and_finds():
    tally = Tally(first=1000).with_event("a", 5).with_event("b", 6).with_event("a", 7)

    assert (tally.count(), tally.count("a"), tally.count("c"), tally.last_id) == (3, 2, 0, 7)
    assert tally.sequence_at(3) == 1002
    assert Tally.of_text(tally.text()) == tally
