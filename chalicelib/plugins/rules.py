"""The rules of settings: ``required|string|max:10``, in the manner of Laravel's validation, which their authors know.

``parse`` refuses an unknown rule, so that a misspelt one is the author's fault at install time and not the administrator's riddle later.
Sentences begin with the field's label in lower case: "The invoice prefix must not exceed 10 characters". Source: REST §4.

About ``regex``: Python's engine has no time limit, so a pattern like ``(a+)+$`` can be made to run for very long (ReDoS). What runs
patterns does so within the bounds of :mod:`chalicelib.plugins.patterns`.
"""

from __future__ import annotations

import csv
import ipaddress
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

LONGEST_PATTERN = 500
LONGEST_MATCHED = 2_000

_EMAIL = re.compile(r"[^@\s<>\",;:\\]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}")
_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_MAC = re.compile(r"[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DELIMITED = re.compile(r"/((?:[^/\\]|\\.)*)/([a-zA-Z]*)", re.DOTALL)
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": re.UNICODE}
_TRUE, _FALSE = (True, 1, "1", "true", "on", "yes"), (False, 0, "0", "false", "off", "no")


@dataclass(frozen=True)
class Rule:
    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """One value under examination: its field's label and type, its rules, and the other values and labels for rules that look at them."""

    label: str
    type: str
    value: Any
    rules: Sequence[Rule] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_numeric(self) -> bool:
        """Sizes are values for numbers, items for lists, characters for the rest. Source: Laravel, "size rules"."""
        if self.type in ("number", "integer") or (isinstance(self.value, int | float) and not isinstance(self.value, bool)):
            return True
        return any(rule.name in ("numeric", "integer", "decimal") for rule in self.rules) and _number(self.value) is not None

    def label_of(self, key: str) -> str:
        return self.labels.get(key, key.replace("_", " ")).lower()


Check = Callable[[Subject, tuple[str, ...]], str | None]


def parse(rules: str | Sequence[str]) -> tuple[Rule, ...]:
    """Raises ValueError with a sentence for an unknown rule, wrong arguments, or a pattern that does not compile."""
    return tuple(_parsed(text) for text in (_split(rules) if isinstance(rules, str) else rules) if text.strip())


def faults_of(subject: Subject) -> list[str]:
    """What is wrong with the value, in sentences; empty when nothing is."""
    empty = is_empty(subject.value)
    sentences = []
    for rule in _with_ranges_joined(subject):
        if empty and rule.name not in _LOOKS_AT_NOTHING:
            continue
        predicate = _RULES[rule.name].check(subject, rule.arguments)
        if predicate:
            sentences.append(f"The {subject.label.lower()} {predicate}")
    return sentences


def is_empty(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def looks_at(rules: Sequence[Rule]) -> set[str]:
    """The other fields whose values these rules depend on."""
    found: set[str] = set()
    for rule in rules:
        first = rule.arguments[0] if rule.arguments else ""
        if rule.name in _LOOK_AT_ALL:
            found.update(rule.arguments)
        elif rule.name in _LOOK_AT_THE_FIRST:
            found.add(first)
        elif rule.name in _COMPARE_DATES:
            found |= {first} if _moment(first) is None else set()
        elif rule.name in _COMPARE_NUMBERS:
            found |= {first} if _number(first) is None else set()
    return found


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _split(text: str) -> list[str]:
    """At each ``|``, except inside a ``regex:/…/``."""
    parts: list[str] = []
    rest = text
    while rest:
        name, colon, after = rest.partition(":")
        if colon and name.strip() in ("regex", "not_regex") and (delimited := _DELIMITED.match(after)):
            end = len(name) + 1 + delimited.end()
            parts.append(rest[:end])
            _, _, rest = rest[end:].partition("|")
            continue
        part, _, rest = rest.partition("|")
        parts.append(part)
    return parts


def _parsed(text: str) -> Rule:
    name, colon, argument = text.strip().partition(":")
    known = _RULES.get(name)
    if known is None:
        raise ValueError(f"Unknown rule '{name}'; known are: {', '.join(sorted(_RULES))}")
    if name in ("regex", "not_regex"):
        _pattern(argument)
        return Rule(name, (argument,))
    arguments = tuple(part.strip() for part in next(csv.reader([argument], skipinitialspace=True), [])) if colon else ()
    least, most = known.arguments
    if not least <= len(arguments) <= most:
        wanted = f"{least}" if least == most else f"at least {least}"
        raise ValueError(f"The rule '{name}' takes {wanted} argument{'' if wanted == '1' else 's'}, as in '{known.example}'")
    if name == "date_format":
        for one in arguments:
            _python_format(one)
    if known.numeric and any(_number(each) is None for each in arguments):
        raise ValueError(f"The rule '{name}' takes numbers, as in '{known.example}'")
    return Rule(name, arguments)


def _pattern(argument: str) -> re.Pattern[str]:
    """PHP's ``/…/i``, or a pattern without delimiters."""
    if len(argument) > LONGEST_PATTERN:
        raise ValueError(f"The pattern has {len(argument)} characters; {LONGEST_PATTERN} are allowed")
    delimited = _DELIMITED.fullmatch(argument)
    source, flags = (delimited[1], delimited[2]) if delimited else (argument, "")
    unknown = set(flags) - set(_FLAGS)
    if not source or unknown:
        raise ValueError(f"Unknown flag '{min(unknown)}' in {argument}" if unknown else "The pattern is empty")
    # JavaScript and PCRE write named groups so; and for both, a final $ does not forgive a line feed after it.
    source = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", source)
    if source.endswith("$") and not source.endswith("\\$") and "m" not in flags:
        source = source[:-1] + r"\Z"
    combined = re.RegexFlag(0)
    for flag in flags:
        combined |= _FLAGS[flag]
    try:
        return re.compile(source, combined)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"The pattern {argument} is not understood: {error}") from error


def _with_ranges_joined(subject: Subject) -> list[Rule]:
    """A number's ``min`` and ``max`` told as one: "must be between 1 and 365"."""
    found = {rule.name: rule for rule in subject.rules}
    if not subject.is_numeric or not {"min", "max"} <= set(found):
        return list(subject.rules)
    joined = Rule("between", found["min"].arguments + found["max"].arguments)
    return [joined if rule.name == "min" else rule for rule in subject.rules if rule.name != "max"]


# ── The rules: each gives what is wrong ("must be a number"), or None ────────────────────────────────────────────────────────────


def _required(subject: Subject, _: tuple[str, ...]) -> str | None:
    return "is required" if is_empty(subject.value) else None


def _required_if(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    other, *wanted = arguments
    if is_empty(subject.value) and _text(subject.values.get(other)) in wanted:
        return f"is required when the {subject.label_of(other)} is {_text(subject.values.get(other))}"
    return None


def _required_unless(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    other, *wanted = arguments
    if is_empty(subject.value) and _text(subject.values.get(other)) not in wanted:
        return f"is required unless the {subject.label_of(other)} is {_listed(wanted)}"
    return None


def _required_with(subject: Subject, others: tuple[str, ...]) -> str | None:
    there = [other for other in others if not is_empty(subject.values.get(other))]
    return f"is required when the {subject.label_of(there[0])} is given" if is_empty(subject.value) and there else None


def _required_without(subject: Subject, others: tuple[str, ...]) -> str | None:
    absent = [other for other in others if is_empty(subject.values.get(other))]
    return f"is required when the {subject.label_of(absent[0])} is not given" if is_empty(subject.value) and absent else None


def _required_with_all(subject: Subject, others: tuple[str, ...]) -> str | None:
    if not is_empty(subject.value) or any(is_empty(subject.values.get(other)) for other in others):
        return None
    return f"is required when {' and '.join(f'the {subject.label_of(other)}' for other in others)} are given"


def _required_without_all(subject: Subject, others: tuple[str, ...]) -> str | None:
    if not is_empty(subject.value) or any(not is_empty(subject.values.get(other)) for other in others):
        return None
    return f"is required when none of {', '.join(f'the {subject.label_of(other)}' for other in others)} is given"


def _prohibited(subject: Subject, _: tuple[str, ...]) -> str | None:
    return None if is_empty(subject.value) else "must be empty"


def _prohibited_if(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    other, *wanted = arguments
    if is_empty(subject.value) or _text(subject.values.get(other)) not in wanted:
        return None
    return f"must be empty when the {subject.label_of(other)} is {_text(subject.values.get(other))}"


def _prohibited_unless(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    other, *wanted = arguments
    if is_empty(subject.value) or _text(subject.values.get(other)) in wanted:
        return None
    return f"must be empty unless the {subject.label_of(other)} is {_listed(wanted)}"


def _prohibits(subject: Subject, others: tuple[str, ...]) -> str | None:
    there = [other for other in others if not is_empty(subject.values.get(other))]
    return None if is_empty(subject.value) or not there else f"cannot be given together with the {subject.label_of(there[0])}"


def _accepted_if(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    other, wanted = arguments
    if _text(subject.values.get(other)) != wanted or subject.value in _TRUE:
        return None
    return f"must be accepted when the {subject.label_of(other)} is {wanted}"


def _declined_if(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    other, wanted = arguments
    if _text(subject.values.get(other)) != wanted or subject.value in _FALSE:
        return None
    return f"must be declined when the {subject.label_of(other)} is {wanted}"


def _dated(holds: Callable[[datetime, datetime], bool], words: str) -> Check:
    """Beside a date, or another field's; ``today`` and its kind would make a setting wrong that was right when it was set."""

    def check(subject: Subject, arguments: tuple[str, ...]) -> str | None:
        other = arguments[0]
        bound, shown = _moment(other), other
        if bound is None:
            bound, shown = _moment(subject.values.get(other)), f"the {subject.label_of(other)}"
        own = _moment(subject.value)
        if own is None:
            return "must be a valid date"
        return None if bound is None or holds(own, bound) else f"must be a date {words} {shown}"

    return check


def _date_format(subject: Subject, formats: tuple[str, ...]) -> str | None:
    for one in formats:
        with suppress(ValueError):
            datetime.strptime(_text(subject.value), _python_format(one))
            return None
    return f"must be a date in the form {_listed(formats)}"


def _python_format(php: str) -> str:
    """PHP's letters, as Laravel takes them. Raises ValueError for one that is not among the usual ones."""
    unknown = [letter for letter in php if letter.isalpha() and letter not in _PHP_DATES]
    if unknown:
        raise ValueError(f"Unknown letter '{unknown[0]}' in the date format '{php}'; known are: {', '.join(_PHP_DATES)}")
    return "".join(_PHP_DATES.get(letter, "%%" if letter == "%" else letter) for letter in php)


_PHP_DATES = {"Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "i": "%M", "s": "%S", "y": "%y", "M": "%b", "D": "%a", "F": "%B", "A": "%p",
              "h": "%I", "T": "T"}  # fmt: skip


def _moment(value: Any) -> datetime | None:
    if not is_date(value):
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_timezone(value: Any) -> bool:
    from zoneinfo import available_timezones

    return isinstance(value, str) and value in available_timezones()


def _count_of(least: bool) -> Check:
    def check(subject: Subject, arguments: tuple[str, ...]) -> str | None:
        count, bound = _count_of_digits(subject.value), int(arguments[0])
        if count >= 0 and (count >= bound if least else count <= bound):
            return None
        return f"must have {'at least' if least else 'at most'} {_counted(arguments[0], 'digit')}"

    return check


def _required_array_keys(subject: Subject, keys: tuple[str, ...]) -> str | None:
    missing = [key for key in keys if not isinstance(subject.value, dict) or key not in subject.value]
    return f"must have entries for: {', '.join(missing)}" if missing else None


def _contains(subject: Subject, wanted: tuple[str, ...]) -> str | None:
    there = [_text(one) for one in subject.value] if isinstance(subject.value, list) else []
    missing = [one for one in wanted if one not in there]
    return f"must contain: {', '.join(missing)}" if missing else None


def _never(_subject: Subject, _arguments: tuple[str, ...]) -> str | None:
    return None


def _kind(holds: Callable[[Any], bool], predicate: str) -> Check:
    return lambda subject, _: None if holds(subject.value) else predicate


def _matching(pattern: re.Pattern[str], predicate: str) -> Check:
    return _kind(lambda value: isinstance(value, str) and len(value) <= LONGEST_MATCHED and pattern.fullmatch(value) is not None, predicate)


def _characters(holds: Callable[[str], bool], predicate: str) -> Check:
    return _kind(lambda value: isinstance(value, str | int) and not isinstance(value, bool) and all(map(holds, str(value))), predicate)


def is_email(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 320 and _EMAIL.fullmatch(value) is not None


def is_url(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > LONGEST_MATCHED or re.search(r"[\s\x00-\x1f]", value):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https", "ftp", "ws", "wss") and bool(parts.hostname)


def is_date(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            read(value)
        except ValueError:
            continue
        return True
    return False


def is_color(value: Any) -> bool:
    return isinstance(value, str) and _COLOR.fullmatch(value) is not None


def is_number(value: Any) -> bool:
    """A JSON number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(value: Any) -> bool:
    number = _number(value)
    return number is not None and number == int(number)


def _is_ip(value: Any, version: int | None = None) -> bool:
    if not isinstance(value, str):
        return False
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return version is None or address.version == version


def _is_json(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, dict | list)
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _within(subject: Subject, holds: Callable[[float], bool], of_number: str, of_text: str, of_list: str) -> str | None:
    value = subject.value
    if subject.is_numeric:
        number = _number(value)
        # What is not a number at all is told by the field's type.
        return None if number is None or holds(number) else of_number
    if isinstance(value, list | dict):
        return None if holds(len(value)) else of_list
    return None if holds(len(_text(value))) else of_text


def _min(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    least = arguments[0]
    return _within(
        subject,
        lambda size: size >= float(least),
        f"must be at least {least}",
        f"must be at least {_counted(least, 'character')}",
        f"must have at least {_counted(least, 'item')}",
    )


def _max(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    most = arguments[0]
    return _within(
        subject,
        lambda size: size <= float(most),
        f"must not exceed {most}",
        f"must not exceed {_counted(most, 'character')}",
        f"must not have more than {_counted(most, 'item')}",
    )


def _between(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    least, most = arguments
    return _within(
        subject,
        lambda size: float(least) <= size <= float(most),
        f"must be between {least} and {most}",
        f"must be between {least} and {_counted(most, 'character')}",
        f"must have between {least} and {_counted(most, 'item')}",
    )


def _size(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    size = arguments[0]
    return _within(
        subject,
        lambda found: found == float(size),
        f"must be {size}",
        f"must be {_counted(size, 'character')}",
        f"must have {_counted(size, 'item')}",
    )


def _compared(holds: Callable[[float, float], bool], words: str) -> Check:
    def check(subject: Subject, arguments: tuple[str, ...]) -> str | None:
        other = arguments[0]
        bound = _number(other)
        shown = other
        if bound is None:
            bound, shown = _number(subject.values.get(other)), f"the {subject.label_of(other)}"
        number = _number(subject.value)
        if bound is None or number is None or holds(number, bound):
            return None
        return f"must be {words} {shown}"

    return check


def _in(subject: Subject, choices: tuple[str, ...]) -> str | None:
    values = subject.value if isinstance(subject.value, list) else [subject.value]
    return None if all(_text(value) in choices for value in values) else f"must be one of: {', '.join(choices)}"


def _not_in(subject: Subject, choices: tuple[str, ...]) -> str | None:
    values = subject.value if isinstance(subject.value, list) else [subject.value]
    return f"must not be any of: {', '.join(choices)}" if any(_text(value) in choices for value in values) else None


def _regex(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    text = _text(subject.value)
    if len(text) > LONGEST_MATCHED:
        return f"must not exceed {LONGEST_MATCHED} characters"
    return None if _pattern(arguments[0]).search(text) else "has the wrong format"


def _not_regex(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    text = _text(subject.value)
    if len(text) > LONGEST_MATCHED:
        return f"must not exceed {LONGEST_MATCHED} characters"
    return "has the wrong format" if _pattern(arguments[0]).search(text) else None


def _same(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    return None if subject.value == subject.values.get(arguments[0]) else f"must be the same as the {subject.label_of(arguments[0])}"


def _different(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    return None if subject.value != subject.values.get(arguments[0]) else f"must be different from the {subject.label_of(arguments[0])}"


def _starts_with(subject: Subject, choices: tuple[str, ...]) -> str | None:
    return None if _text(subject.value).startswith(choices) else f"must start with {_listed(choices)}"


def _ends_with(subject: Subject, choices: tuple[str, ...]) -> str | None:
    return None if _text(subject.value).endswith(choices) else f"must end with {_listed(choices)}"


def _doesnt_start_with(subject: Subject, choices: tuple[str, ...]) -> str | None:
    return f"must not start with {_listed(choices)}" if _text(subject.value).startswith(choices) else None


def _doesnt_end_with(subject: Subject, choices: tuple[str, ...]) -> str | None:
    return f"must not end with {_listed(choices)}" if _text(subject.value).endswith(choices) else None


def _digits(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    return None if _count_of_digits(subject.value) == int(arguments[0]) else f"must be {_counted(arguments[0], 'digit')}"


def _digits_between(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    least, most = arguments
    holds = int(least) <= _count_of_digits(subject.value) <= int(most)
    return None if holds else f"must be between {least} and {_counted(most, 'digit')}"


def _decimal(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    places = len(_text(subject.value).partition(".")[2])
    least, most = arguments[0], arguments[-1]
    if _number(subject.value) is not None and int(least) <= places <= int(most):
        return None
    return f"must have {least if least == most else f'{least} to {most}'} decimal places"


def _multiple_of(subject: Subject, arguments: tuple[str, ...]) -> str | None:
    number, step = _number(subject.value), float(arguments[0])
    holds = number is not None and step != 0 and math.isclose(number / step, round(number / step), abs_tol=1e-9)
    return None if holds else f"must be a multiple of {arguments[0]}"


def _distinct(subject: Subject, _: tuple[str, ...]) -> str | None:
    seen = [json.dumps(one, sort_keys=True) for one in subject.value] if isinstance(subject.value, list) else []
    return None if len(seen) == len(set(seen)) else "must not have the same item twice"


def _number(value: Any) -> float | None:
    if is_number(value):
        return float(value) if abs(value) < 1e300 else None
    if isinstance(value, str) and len(value) < 100 and _NUMBER.fullmatch(value.strip()):
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def _count_of_digits(value: Any) -> int:
    text = _text(value)
    return len(text) if text.isascii() and text.isdigit() else -1


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _counted(number: str, thing: str) -> str:
    return f"{number} {thing}{'' if number == '1' else 's'}"


def _listed(choices: Sequence[str]) -> str:
    return " or ".join(choices)


@dataclass(frozen=True)
class _Known:
    check: Check
    arguments: tuple[int, int] = (0, 0)
    example: str = ""
    numeric: bool = False


_MANY = 1_000

_RULES: dict[str, _Known] = {
    "required": _Known(_required),
    "filled": _Known(_required),
    "nullable": _Known(_never),
    "sometimes": _Known(_never),
    "bail": _Known(_never),
    "present": _Known(_never),
    "required_if": _Known(_required_if, (2, _MANY), "required_if:mode,smtp"),
    "required_unless": _Known(_required_unless, (2, _MANY), "required_unless:mode,none"),
    "required_with": _Known(_required_with, (1, _MANY), "required_with:username"),
    "required_without": _Known(_required_without, (1, _MANY), "required_without:token"),
    "required_with_all": _Known(_required_with_all, (1, _MANY), "required_with_all:host,port"),
    "required_without_all": _Known(_required_without_all, (1, _MANY), "required_without_all:token,password"),
    "prohibited": _Known(_prohibited),
    "prohibited_if": _Known(_prohibited_if, (2, _MANY), "prohibited_if:mode,none"),
    "prohibited_unless": _Known(_prohibited_unless, (2, _MANY), "prohibited_unless:mode,smtp"),
    "prohibits": _Known(_prohibits, (1, _MANY), "prohibits:token"),
    "accepted_if": _Known(_accepted_if, (2, 2), "accepted_if:mode,public"),
    "declined_if": _Known(_declined_if, (2, 2), "declined_if:mode,public"),
    "string": _Known(_kind(lambda value: isinstance(value, str), "must be a text")),
    "integer": _Known(_kind(_is_integer, "must be a whole number")),
    "numeric": _Known(_kind(lambda value: _number(value) is not None, "must be a number")),
    "boolean": _Known(_kind(lambda value: value in (True, False, 0, 1, "0", "1"), "must be true or false")),
    "accepted": _Known(_kind(lambda value: value in _TRUE, "must be accepted")),
    "declined": _Known(_kind(lambda value: value in _FALSE, "must be declined")),
    "list": _Known(_kind(lambda value: isinstance(value, list), "must be a list")),
    "contains": _Known(_contains, (1, _MANY), "contains:admin"),
    "required_array_keys": _Known(_required_array_keys, (1, _MANY), "required_array_keys:host,port"),
    "array": _Known(_kind(lambda value: isinstance(value, list | dict), "must be a list")),
    "email": _Known(_kind(is_email, "must be a valid email address"), (0, _MANY)),
    "url": _Known(_kind(is_url, "must be a valid URL"), (0, _MANY)),
    "date": _Known(_kind(is_date, "must be a valid date")),
    "date_format": _Known(_date_format, (1, _MANY), "date_format:Y-m-d"),
    "date_equals": _Known(_dated(lambda one, other: one == other, "equal to"), (1, 1), "date_equals:2026-01-01"),
    "after": _Known(_dated(lambda one, other: one > other, "after"), (1, 1), "after:2026-01-01"),
    "after_or_equal": _Known(_dated(lambda one, other: one >= other, "not before"), (1, 1), "after_or_equal:start"),
    "before": _Known(_dated(lambda one, other: one < other, "before"), (1, 1), "before:2030-01-01"),
    "before_or_equal": _Known(_dated(lambda one, other: one <= other, "not after"), (1, 1), "before_or_equal:end"),
    "timezone": _Known(_kind(_is_timezone, "must be a time zone such as Europe/Berlin"), (0, _MANY)),
    "json": _Known(_kind(_is_json, "must be valid JSON")),
    "ulid": _Known(_matching(_ULID, "must be a valid ULID")),
    "uuid": _Known(_matching(_UUID, "must be a valid UUID")),
    "ip": _Known(_kind(_is_ip, "must be a valid IP address")),
    "ipv4": _Known(_kind(lambda value: _is_ip(value, 4), "must be a valid IPv4 address")),
    "ipv6": _Known(_kind(lambda value: _is_ip(value, 6), "must be a valid IPv6 address")),
    "mac_address": _Known(_matching(_MAC, "must be a valid MAC address")),
    "hex_color": _Known(_kind(is_color, "must be a colour such as #1a2b3c")),
    "alpha": _Known(_characters(str.isalpha, "must only contain letters"), (0, 1)),
    "alpha_num": _Known(_characters(str.isalnum, "must only contain letters and digits"), (0, 1)),
    "alpha_dash": _Known(_characters(lambda one: one.isalnum() or one in "-_", "must only contain letters, digits, - and _"), (0, 1)),
    "ascii": _Known(_kind(lambda value: _text(value).isascii(), "must only contain ASCII characters")),
    "lowercase": _Known(_kind(lambda value: _text(value) == _text(value).lower(), "must be in lower case")),
    "uppercase": _Known(_kind(lambda value: _text(value) == _text(value).upper(), "must be in upper case")),
    "in": _Known(_in, (1, _MANY), "in:small,large"),
    "not_in": _Known(_not_in, (1, _MANY), "not_in:root,admin"),
    "regex": _Known(_regex, (1, 1), "regex:/^[a-z]+$/"),
    "not_regex": _Known(_not_regex, (1, 1), "not_regex:/[0-9]/"),
    "min": _Known(_min, (1, 1), "min:1", numeric=True),
    "max": _Known(_max, (1, 1), "max:10", numeric=True),
    "between": _Known(_between, (2, 2), "between:1,365", numeric=True),
    "size": _Known(_size, (1, 1), "size:32", numeric=True),
    "gt": _Known(_compared(lambda one, other: one > other, "greater than"), (1, 1), "gt:0"),
    "gte": _Known(_compared(lambda one, other: one >= other, "at least"), (1, 1), "gte:0"),
    "lt": _Known(_compared(lambda one, other: one < other, "less than"), (1, 1), "lt:100"),
    "lte": _Known(_compared(lambda one, other: one <= other, "at most"), (1, 1), "lte:100"),
    "multiple_of": _Known(_multiple_of, (1, 1), "multiple_of:5", numeric=True),
    "decimal": _Known(_decimal, (1, 2), "decimal:2", numeric=True),
    "digits": _Known(_digits, (1, 1), "digits:4", numeric=True),
    "digits_between": _Known(_digits_between, (2, 2), "digits_between:4,8", numeric=True),
    "min_digits": _Known(_count_of(least=True), (1, 1), "min_digits:4", numeric=True),
    "max_digits": _Known(_count_of(least=False), (1, 1), "max_digits:8", numeric=True),
    "same": _Known(_same, (1, 1), "same:password"),
    "different": _Known(_different, (1, 1), "different:sender"),
    "starts_with": _Known(_starts_with, (1, _MANY), "starts_with:sk_"),
    "ends_with": _Known(_ends_with, (1, _MANY), "ends_with:.com"),
    "doesnt_start_with": _Known(_doesnt_start_with, (1, _MANY), "doesnt_start_with:pk_"),
    "doesnt_end_with": _Known(_doesnt_end_with, (1, _MANY), "doesnt_end_with:/"),
    "distinct": _Known(_distinct, (0, 1)),
}
# The rules that also speak about an empty value; the others pass it over, as Laravel's do.
_LOOKS_AT_NOTHING = frozenset(
    {
        "required",
        "filled",
        "required_if",
        "required_unless",
        "required_with",
        "required_with_all",
        "required_without",
        "required_without_all",
        "accepted_if",
    }
)
_LOOK_AT_THE_FIRST = frozenset({"required_if", "required_unless", "prohibited_if", "prohibited_unless", "accepted_if", "declined_if"})
_LOOK_AT_ALL = frozenset(
    {"required_with", "required_with_all", "required_without", "required_without_all", "prohibits", "same", "different"}
)
_COMPARE_NUMBERS = frozenset({"gt", "gte", "lt", "lte"})
_COMPARE_DATES = frozenset({"after", "after_or_equal", "before", "before_or_equal", "date_equals"})
