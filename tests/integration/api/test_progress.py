"""A job is followed by events, with a token or with a ticket for it alone, and the stream has an end."""

import base64
import re

import pytest

from chalicelib import accounts, jobs
from chalicelib.accounts import Caller
from chalicelib.core import clock
from tests.integration.jobs.conftest import package


def begin(call, request, **more):
    """The 202 of an installation that has ended by now, with its last event told."""
    answer = call("POST", "/admin/plugins/install", request, headers={"prefer": "respond-async"}, **more).body["data"]
    after = ""
    while news := jobs.wait_for_news(answer["job_id"], after):
        after = news[-1].id
    assert news is None
    return answer


@pytest.fixture
def started(platform, repository, call):
    repository.publish(package("mailer"))
    repository.publish(package("ledger"))
    return begin(call, {"source": "marketplace", "slug": "mailer"})


@pytest.fixture
def follow(started, call):
    """``follow()``: what the answer's own link gives, without a token."""

    def get(link=started["links"]["progress"], **more):
        path, _, query = link.removeprefix("/api/v1").partition("?")
        more["query"] = dict(pair.split("=") for pair in query.split("&") if pair) | more.get("query", {})
        return call("GET", path, **{"token": None, **more})

    return get


def ids(answer):
    return re.findall(r"^id: (.*)$", answer.text, re.M)


def events(answer):
    return re.findall(r"^event: (.*)$", answer.text, re.M)


def test_the_links_ticket_shows_the_whole_stream_without_a_token(follow):
    answer = follow()

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.text.startswith("retry: ")
    assert events(answer)[-1] == "complete"
    assert set(events(answer)[:-1]) == {"progress"}
    assert ids(answer) == sorted(set(ids(answer)))


@pytest.mark.parametrize("by", ["header", "query"])
def test_a_stream_that_broke_goes_on_after_the_last_event(follow, by):
    everything = ids(follow())
    seen = everything[2]

    answer = follow(headers={"last-event-id": seen}) if by == "header" else follow(query={"last_event_id": seen})

    assert ids(answer) == everything[3:]


def test_after_the_last_event_an_event_source_is_told_to_stop(follow):
    answer = follow(headers={"last-event-id": ids(follow())[-1]})

    assert (answer.status, answer.text) == (204, "")


def test_a_job_that_failed_ends_its_stream_too(platform, call):
    platform.loads["mailer"] = {"ok": False, "error": {"message": "no key"}}
    request = {"source": "upload", "package": base64.b64encode(package("mailer")).decode(), "activate": True}
    link = begin(call, request)["links"]["progress"]
    path, _, query = link.removeprefix("/api/v1").partition("?ticket=")

    answer = call("GET", path, token=None, query={"ticket": query})

    assert events(answer)[-1] == "failed"
    assert "no key" in answer.text
    assert call("GET", path, token=None, query={"ticket": query, "last_event_id": ids(answer)[-1]}).status == 204


def test_a_ticket_is_for_its_job_and_for_nothing_else(started, follow, call):
    ticket = started["links"]["progress"].partition("ticket=")[2]
    other = begin(call, {"source": "marketplace", "slug": "ledger"})
    job = started["job_id"]

    refused = [
        follow(other["links"]["progress"].partition("?")[0], query={"ticket": ticket}),
        call("GET", f"/admin/jobs/{job}", token=None, query={"ticket": ticket}),
        call("GET", "/admin/plugins", token=None, query={"ticket": ticket}),
        call("GET", "/admin/plugins", token=ticket),
        follow(started["links"]["progress"].partition("?")[0]),
        *(follow(query={"ticket": wrong}) for wrong in (ticket[:-1], ticket + "x", "é")),
    ]

    assert {answer.status for answer in refused} == {401}
    assert follow(query={"ticket": "x" * 101}).status == 422


def test_a_ticket_ends_after_minutes_and_another_can_be_had(started, follow, call):
    with clock.travel(21 * 60):
        assert follow().status == 401
        fresh = call("POST", f"/admin/jobs/{started['job_id']}/tickets")
        assert fresh.status == 201
        assert events(follow(fresh.body["data"]["progress"]))[-1] == "complete"
    assert call("POST", "/admin/jobs/job_nothing/tickets").error["code"] == "JOB_NOT_FOUND"


def test_a_ticket_ends_with_the_token_of_its_holder(call, follow):
    accounts.create_user(username="bob", full_name="Bob", email="bob@example.com", role="admin", by=None)
    bob = Caller("user", "bob", "Bob", "admin", None)
    token = accounts.create_token(bob, "test", None)
    link = begin(call, {"source": "marketplace", "slug": "ledger"}, token=token.text)["links"]["progress"]
    assert follow(link).status == 200

    accounts.revoke_token(bob, token.token.id)

    assert follow(link).status == 401


def test_neither_the_tables_nor_the_logs_have_the_ticket(platform, started, follow, call, caplog, capsys):
    ticket = started["links"]["progress"].partition("ticket=")[2]
    follow()
    follow(query={"last_event_id": "x"})

    assert ticket not in str(platform._rows("JobsTable"))
    assert ticket not in caplog.text + "".join(capsys.readouterr())
