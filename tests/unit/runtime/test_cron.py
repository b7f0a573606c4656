"""When a schedule runs, in EventBridge Scheduler's words; or why it is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.runtime import cron


@pytest.mark.parametrize(
    ("text", "aws"),
    [
        ("@daily", "cron(0 0 * * ? *)"),
        ("@Hourly", "cron(0 * * * ? *)"),
        ("@weekly", "cron(0 0 ? * 1 *)"),
        ("@yearly", "cron(0 0 1 1 ? *)"),
        ("  5,35 8-18 * * *  ", "cron(5,35 8-18 * * ? *)"),
        ("10-40/15 * * * *", "cron(10,25,40 * * * ? *)"),
        ("50/5 * * * *", "cron(50,55 * * * ? *)"),
        ("0 0 1 jan,JUL *", "cron(0 0 1 JAN,JUL ? *)"),
        ("0 0 * * fri-sun", "cron(0 0 ? * 6,7,1 *)"),
        ("0 0 * * 5-0", "cron(0 0 ? * 6,7,1 *)"),
        ("0 0 * * MON,3", "cron(0 0 ? * 2,4 *)"),
        ("0 0 ? * MON", "cron(0 0 ? * MON *)"),
        ("*/5,7 * * * *", "cron(0,5,10,15,20,25,30,35,40,45,50,55,7 * * * ? *)"),
        ("rate(1 minute)", "rate(1 minute)"),
        ("at(2030-01-02T03:04:05)", "at(2030-01-02T03:04:05)"),
        ("cron(0 8 L * ? *)", "cron(0 8 L * ? *)"),
    ],
)
def test_a_schedule_in_any_of_the_usual_forms_becomes_eventbridges_own(text, aws):
    assert cron.aws_expression(text) == aws


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hourly", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("60 * * * *", "minute 60 is not between 0 and 59"),
        ("0 24 * * *", "hour 24"),
        ("0 0 0 * *", "day of the month 0"),
        ("0 0 1 13 *", "month 13"),
        ("0 0 * * 8", "day of the week 8"),
        ("0 0 * FOO *", "'FOO' is no month"),
        ("0 22-2 * * *", "22-23,0-2"),
        ("*/0 * * * *", "/0"),
        ("1--2 * * * *", "minute"),
        (", * * * *", "minute"),
        ("0 2 1 * 1", "two schedules"),
        ("@reboot", "onLoad"),
        ("@sometimes", "@daily"),
        ("rate(0 minutes)", "at least 1"),
        ("rate(1 minutes)", "rate(1 minute)"),
        ("rate(5 minute)", "rate(5 minutes)"),
        ("rate(5 seconds)", "five fields"),
        ("at(2030-02-30T00:00:00)", "no such time"),
        ("cron(0 2 * * ?)", "six fields"),
        ("cron(0 2 * * * *)", "is ?"),
        ("cron(0 2 ? * ? *)", "is ?"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_text_and_the_reason(text, words):
    with pytest.raises(ValueError, match="is not a schedule") as refused:
        cron.aws_expression(text)

    assert text in str(refused.value)
    assert words in str(refused.value)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789*/-,@ ()abcSUNMON?L#", max_size=30))
def test_whatever_is_written_is_a_schedule_or_refused_in_a_sentence(text):
    try:
        told = cron.aws_expression(text)
    except ValueError as error:
        told = str(error)

    assert told.startswith(("cron(", "rate(", "at(", f"'{text.strip()}' is not a schedule"))


def test_a_time_zone_is_known_by_its_name():
    assert cron.timezone_fault("Europe/Berlin") is None
    assert cron.timezone_fault("UTC") is None
    assert "'Europe/Atlantis'" in str(cron.timezone_fault("Europe/Atlantis"))
    assert cron.timezone_fault("../etc/passwd") is not None
