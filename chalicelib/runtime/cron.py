"""When a schedule runs: cron with five fields, ``@daily`` and its kind, or EventBridge Scheduler's own forms. Pure functions.

Unix cron counts weekdays from Sunday = 0, AWS from Sunday = 1; and AWS wants one of day and weekday to be ``?``, where cron runs on
either. Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_RATE = re.compile(r"rate\(\s*(\d{1,9})\s+(minute|hour|day)(s?)\s*\)")
_AT = re.compile(r"at\(\s*(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\s*\)")
_AWS_CRON = re.compile(r"cron\(([^()]*)\)")
_AWS_FIELD = re.compile(r"[0-9A-Za-z*?,/#-]+")
_TIMEZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")

FORMS = "write cron with five fields (0 2 * * *), @daily, or rate(5 minutes)"


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()
    first_word: int = 0

    def number(self, text: str) -> int:
        if text.upper() in self.words:
            return self.words.index(text.upper()) + self.first_word
        if not re.fullmatch(r"\d{1,4}", text, re.ASCII):
            raise ValueError(f"'{text}' is no {self.name}")
        if not self.least <= int(text) <= self.most:
            raise ValueError(f"the {self.name} {text} is not between {self.least} and {self.most}")
        return int(text)


_MINUTE, _HOUR, _DAY = _Field("minute", 0, 59), _Field("hour", 0, 23), _Field("day of the month", 1, 31)
_MONTH, _WEEKDAY = _Field("month", 1, 12, _MONTHS, 1), _Field("day of the week", 0, 7, _WEEKDAYS)


def aws_expression(text: str) -> str:
    """EventBridge Scheduler's form: ``0 2 * * 1-5`` is ``cron(0 2 ? * 2,3,4,5,6 *)``; what has that form already stays as it is.

    Raises ValueError with a sentence that says what is wrong and what to write.
    """
    text = text.strip()
    if text.startswith("@"):
        return _nickname(text)
    if "(" in text:
        return _own_form(text)
    parts = text.split()
    if len(parts) != 5:
        raise ValueError(f"'{text}' is not a schedule: {FORMS}")
    try:
        return _of_five(*parts)
    except ValueError as error:
        raise ValueError(f"'{text}' is not a schedule: {error}") from error


def timezone_fault(timezone: str) -> str | None:
    """What is wrong with the name of a time zone, such as ``Europe/Berlin``."""
    from zoneinfo import available_timezones

    # Where the system brings no list, EventBridge Scheduler has the last word.
    known = available_timezones()
    if _TIMEZONE.fullmatch(timezone) and (not known or timezone in known):
        return None
    return f"'{timezone}' is not a time zone, such as Europe/Berlin or UTC"


def _nickname(text: str) -> str:
    if text.lower() == "@reboot":
        raise ValueError("'@reboot' is not a schedule: a plugin starts in onLoad")
    five = _NICKNAMES.get(text.lower())
    if five is None:
        raise ValueError(f"'{text}' is not a schedule; those with a name are: {', '.join(_NICKNAMES)}")
    return _of_five(*five.split())


def _own_form(text: str) -> str:
    if rate := _RATE.fullmatch(text):
        value, unit, plural = int(rate[1]), rate[2], rate[3]
        if value == 0:
            raise ValueError(f"'{text}' is not a schedule: its period must be at least 1")
        if (value == 1) == bool(plural):
            raise ValueError(f"'{text}' is not a schedule: write rate({value} {unit}{'' if value == 1 else 's'})")
        return text
    if at := _AT.fullmatch(text):
        try:
            datetime.fromisoformat(at[1])
        except ValueError as error:
            raise ValueError(f"'{text}' is not a schedule: there is no such time") from error
        return text
    if own := _AWS_CRON.fullmatch(text):
        fields = own[1].split()
        if len(fields) != 6 or not all(_AWS_FIELD.fullmatch(one) for one in fields):
            raise ValueError(f"'{text}' is not a schedule: cron(…) has six fields, as in cron(0 2 * * ? *)")
        if (fields[2] == "?") == (fields[4] == "?"):
            raise ValueError(f"'{text}' is not a schedule: in cron(…) either the day of the month or the day of the week is ?")
        return text
    raise ValueError(f"'{text}' is not a schedule: {FORMS}")


def _of_five(minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    day, weekday = ("*" if part == "?" else part for part in (day, weekday))
    if day != "*" and weekday != "*":
        raise ValueError(
            "it names a day of the month and a day of the week, which cron takes for either; "
            "EventBridge Scheduler knows no either, so write two schedules, one with each"
        )
    days = (_field(day, _DAY), "?") if weekday == "*" else ("?", _weekdays(weekday))
    return f"cron({_field(minute, _MINUTE)} {_field(hour, _HOUR)} {days[0]} {_field(month, _MONTH)} {days[1]} *)"


def _field(text: str, field: _Field) -> str:
    """As it was written where AWS means the same by it; else the numbers, one by one."""
    if text == "*":
        return "*"
    step = re.fullmatch(r"\*/(\d{1,4})", text, re.ASCII)
    if step:
        return f"{field.least}/{_step(step[1], field)}"
    if all(re.fullmatch(r"[^-/*]+(-[^-/*]+)?", part) for part in text.split(",")):
        for part in text.split(","):
            _span(part, field)
        return text.upper()
    return ",".join(str(number) for number in _numbers(text, field))


def _weekdays(text: str) -> str:
    parts = text.split(",")
    # For AWS the week begins on Sunday, so that its FRI-SUN would run backwards.
    if all(word.upper() in _WEEKDAYS for part in parts for word in part.split("-", 1)) and "-SUN" not in text.upper():
        for part in parts:
            _span(part, _WEEKDAY)
        return text.upper()
    return ",".join(dict.fromkeys(str(number % 7 + 1) for number in _numbers(text, _WEEKDAY)))


def _numbers(text: str, field: _Field) -> list[int]:
    """All that a field names, in the order of its parts, each once."""
    found: list[int] = []
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, last = _span(span, field)
        if slash and "-" not in span and span != "*":
            last = field.most
        if field is _WEEKDAY and span == "*":
            last = 6  # 7 is Sunday again
        found += range(first, last + 1, _step(step, field) if slash else 1)
    return list(dict.fromkeys(found))


def _span(text: str, field: _Field) -> tuple[int, int]:
    if text == "*":
        return field.least, field.most
    first, dash, last = text.partition("-")
    start = field.number(first)
    end = field.number(last) if dash else start
    # Cron's week may end on Sunday, which is 7 there.
    if field is _WEEKDAY and dash and end == 0:
        end = 7
    if end < start:
        raise ValueError(f"{text} runs backwards; write {first}-{field.most},{field.least}-{last}")
    return start, end


def _step(text: str, field: _Field) -> int:
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not 1 <= int(text) <= field.most:
        raise ValueError(f"the step /{text} of the {field.name} is not between 1 and {field.most}")
    return int(text)
