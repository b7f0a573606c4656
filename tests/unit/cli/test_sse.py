"""An install is followed over answers that end, without losing an event or showing one twice."""

import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.client import Client
from cli.errors import ApiError, JobFailed, NetworkError
from cli.sse import follow, parse

PROGRESS = "GET /admin/plugins/install/j1/progress"


def event(number, name, data):
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"


@pytest.fixture
def client(platform, waited):
    return Client(platform.url, "ss_test")


def followed(client, **options):
    return [(each.name, each.data) for each in follow(client, "/api/v1/admin/plugins/install/j1/progress", at_most_s=60, **options)]


def test_the_documents_example_is_read():
    text = (
        'event: progress\ndata: {"step": "downloading", "progress": 25, "message": "Downloading plugin..."}\n\n'
        'event: complete\ndata: {"success": true, "plugin": {}}\n\n'
    )

    assert [(each.name, each.data.get("step")) for each in parse(text).events] == [
        ("progress", "downloading"),
        ("complete", None),
    ]


def test_comments_retry_several_data_lines_and_an_event_that_is_cut_off():
    stream = parse('retry: 250\n: nothing new\n\nid: 7\ndata: {"a":\ndata: 1}\nunknown: x\n\nid: 8\ndata: "cut')

    assert stream.retry_ms == 250
    assert [(each.name, each.data, each.id) for each in stream.events] == [("message", {"a": 1}, "7")]
    assert stream.last_event_id == "7", "what was cut off is asked for again"


@given(
    names=st.lists(st.sampled_from(["progress", "complete", "other"]), max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_every_line_ending_is_one(names, end):
    text = "".join(event(number, name, {"n": number}) for number, name in enumerate(names)).replace("\n", end)

    assert [each.name for each in parse(text).events] == names


@given(text=st.text(max_size=200))
def test_no_text_breaks_the_reader(text):
    parse(text)


def test_it_reconnects_with_the_last_event_id_after_the_time_that_was_asked_for(platform, client, waited):
    platform.answers_raw(PROGRESS, ("retry: 500\n" + event("e1", "progress", {"progress": 25})).encode())
    platform.answers_raw(PROGRESS, b"retry: 200\n: nothing new yet\n\n")
    platform.answers_raw(PROGRESS, (event("e2", "progress", {"progress": 75}) + event("e3", "complete", {})).encode())

    assert followed(client) == [("progress", {"progress": 25}), ("progress", {"progress": 75}), ("complete", {})]
    assert [each.headers.get("Last-Event-ID") for each in platform.received] == [None, "e1", "e1"]
    assert {each.headers["Accept"] for each in platform.received} == {"text/event-stream"}
    assert waited == [0.5, 0.2]


def test_what_comes_after_the_end_is_not_read(platform, client):
    platform.answers_raw(PROGRESS, (event(1, "failed", {}) + event(2, "progress", {})).encode())

    assert followed(client) == [("failed", {})]


def test_a_platform_that_is_away_for_a_moment_is_asked_again(platform, client, waited):
    platform.answers_raw(PROGRESS, event("e1", "progress", {}).encode())
    platform.refuses(PROGRESS, "SERVICE_UNAVAILABLE", "Later", status=503)
    platform.answers_raw(PROGRESS, b"<html>", status=502)
    platform.answers_raw(PROGRESS, event("e2", "complete", {}).encode())

    assert [name for name, _ in followed(client)] == ["progress", "complete"]
    assert platform.received[-1].headers["Last-Event-ID"] == "e1"
    assert waited == [1.0, 1, 2]


def test_an_answer_that_will_not_change_ends_it(platform, client):
    platform.refuses(PROGRESS, "JOB_NOT_FOUND", "There is no such job", status=404)

    with pytest.raises(ApiError, match="no such job"):
        followed(client)
    assert len(platform.received) == 1


def test_a_platform_that_stays_away_is_given_up_and_named(waited):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    with pytest.raises(NetworkError, match=url):
        followed(Client(url, None))
    assert waited == [1, 2, 4, 8, 16]


def test_a_job_without_end_is_left(platform, client):
    platform.answers_raw(PROGRESS, b": nothing\n\n")
    times = iter(range(0, 1000, 25))

    with pytest.raises(JobFailed, match="has not ended within 60 s"):
        followed(client, now=lambda: next(times))
