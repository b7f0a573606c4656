"""Names, schedules, and what a plugin says of its failures: rules on plain values."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core import config
from chalicelib.core.errors import ValidationError
from chalicelib.runtime import failures, names, registration, schedules
from chalicelib.runtime.errors import PluginFailedToLoad

# No deadline: a busy machine is no fault of the code.
unhurried = settings(max_examples=60, deadline=None)

SLUGS = st.from_regex(r"[a-z][a-z0-9-]{1,62}", fullmatch=True)
TASKS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,63}", fullmatch=True)


@unhurried
@given(SLUGS, TASKS)
def test_a_name_is_short_enough_for_aws_and_starts_with_what_policies_allow(slug, task):
    with config.overridden(STACK="streamspace"):
        made = [names.function(slug), names.role(slug), names.schedule(slug, task)]

    assert all(len(name) <= 64 and name.startswith("streamspace-plugin-") for name in made)
    assert names.queue(slug).endswith(".fifo")
    assert len(names.queue(slug)) <= 80


@unhurried
@given(SLUGS, SLUGS, TASKS, TASKS)
def test_no_two_plugins_and_no_two_tasks_share_a_name(slug, other, task, another):
    if slug != other:
        assert names.function(slug) != names.function(other)
    if (slug, task) != (other, another):
        assert names.schedule(slug, task) != names.schedule(other, another)
    assert names.schedule(slug, task) not in (names.function(slug), names.function(other))


@pytest.mark.parametrize(
    ("cron", "aws"),
    [
        ("0 2 * * *", "cron(0 2 * * ? *)"),
        ("*/15 * * * *", "cron(0/15 * * * ? *)"),
        ("30 6 1 */3 *", "cron(30 6 1 1/3 ? *)"),
        ("0 9 * * 1-5", "cron(0 9 ? * 2,3,4,5,6 *)"),
        ("0 9 * * 0", "cron(0 9 ? * 1 *)"),
        ("0 9 * * 7", "cron(0 9 ? * 1 *)"),
        ("0 9 * * 5-7", "cron(0 9 ? * 6,7,1 *)"),
        ("0 9 * * MON-FRI", "cron(0 9 ? * MON-FRI *)"),
        ("0 9 * * */2", "cron(0 9 ? * 1,3,5,7 *)"),
        ("rate(5 minutes)", "rate(5 minutes)"),
        ("cron(0 6 * * ? *)", "cron(0 6 * * ? *)"),
    ],
)
def test_cron_with_five_fields_becomes_eventbridges_own(cron, aws):
    assert schedules.expression(cron) == aws


def test_cron_that_names_day_and_weekday_is_refused_with_its_field():
    with pytest.raises(ValidationError) as refused:
        schedules.expression("0 2 1 * 1", "schedules.tidy")

    assert list(refused.value.details) == ["schedules.tidy"]


@unhurried
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_whatever_a_function_answers_as_its_failure_has_a_message_and_fits_into_a_row(answered):
    told = failures.trimmed(answered)

    assert isinstance(told["message"], str)
    assert len(json.dumps(told)) < 200_000


def test_a_failure_keeps_what_the_protocol_names_and_is_cut_to_size():
    failure = {"name": "TypeError", "message": "x" * 5000, "location": "index.js:3", "details": {"a": 1}, "extra": "no"}

    assert failures.trimmed(failure) == {"name": "TypeError", "message": "x" * 1000, "location": "index.js:3", "details": {"a": 1}}
    assert "details" not in failures.trimmed({"message": "m", "details": ["x" * 9000]})


@pytest.mark.parametrize(
    "registered",
    [
        "everything",
        {"hooks": 5},
        {"hooks": [5]},
        {"commands": [{"description": "nameless"}]},
        {"commands": ["deploy"]},
        {"commands": [{"name": "deploy", "permissions": "admin"}]},
        {"widgets": [{}]},
        {"menuItems": [{"path": "/a", "position": "first"}]},
        {"schedules": [{"name": "tidy"}]},
        {"schedules": [{"name": "tidy", "expression": "@daily", "after_s": 60}]},
        {"schedules": [{"name": "tidy", "after_s": 59}]},
        {"schedules": [{"name": "tidy up", "expression": "@daily"}]},
        {"theme": "dark"},
        {"widgets": [{"id": "w", "body": "x" * registration.LARGEST_BYTES}]},
    ],
)
def test_what_every_request_would_stumble_over_cannot_be_registered(registered):
    with pytest.raises(PluginFailedToLoad):
        registration.checked("odd", registered)


def test_what_the_sdks_register_is_taken_as_it_is():
    registered = {
        "hooks": ["session.created"],
        "widgets": [{"id": "due", "title": "Due", "component": "ui/Due.jsx", "position": "top", "width": "full", "permissions": None}],
        "menuItems": [{"label": "Due", "path": "/due", "icon": "x", "permissions": ["admin"], "position": 3}],
        "settingsPages": [{"id": "p", "title": "P"}],
        "commands": [{"name": "deploy", "description": "Deploys", "permissions": ["admin"]}],
        "schedules": [{"name": "tidy", "expression": "rate(1 day)"}],
    }

    assert registration.checked("right", registered) == registered
    assert registration.checked("silent", None) == {}
