"""A plugin's own schedules: EventBridge Scheduler calls its function.

Promise: their names are written down before the first one is made, so that what a killed activation made can be found and removed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from chalicelib.core import aws, config
from chalicelib.core.errors import ValidationError
from chalicelib.runtime import names
from chalicelib.runtime.models import RuntimeRow


def create(slug: str, function_arn: str, schedules: list[dict[str, Any]]) -> None:
    """Make each of ``[{"name", "expression"}]``; one that exists is changed. Raises ValidationError for an expression that AWS refuses."""
    if not schedules:
        return
    known = {*_names(slug), *(one["name"] for one in schedules)}
    RuntimeRow(f"RESOURCES#{slug}", "SCHEDULES", body=json.dumps(sorted(known))).save()
    scheduler = aws.client("scheduler")
    for one in schedules:
        field = f"schedules.{one['name']}"
        wanted = {
            "Name": names.schedule(slug, one["name"]),
            "ScheduleExpression": expression(one["expression"], field),
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": function_arn,
                "RoleArn": config.setting("SCHEDULER_ROLE_ARN"),
                "Input": json.dumps({"kind": "schedule", "name": one["name"]}),
                # Tomorrow's run makes up for a missed one better than a late one does.
                "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 600},
            },
        }
        try:
            scheduler.create_schedule(**wanted)
        except scheduler.exceptions.ConflictException:
            scheduler.update_schedule(**wanted)
        except scheduler.exceptions.ValidationException as error:
            raise ValidationError({field: [f"EventBridge Scheduler refuses '{one['expression']}': {error}"]}) from error


def delete(slug: str) -> None:
    """Remove all schedules of the plugin; those that are gone already are no error."""
    scheduler = aws.client("scheduler")
    known = _names(slug)
    for name in known:
        try:
            scheduler.delete_schedule(Name=names.schedule(slug, name))
        except scheduler.exceptions.ResourceNotFoundException:
            continue
    if known:
        RuntimeRow(f"RESOURCES#{slug}", "SCHEDULES").delete()


def expression(text: str, field: str = "schedule") -> str:
    """EventBridge Scheduler's form of a schedule: ``0 2 * * 1-5`` is ``cron(0 2 ? * 2,3,4,5,6 *)``; what has that form stays as it is.

    Unix cron counts weekdays from Sunday = 0, AWS from Sunday = 1; and AWS wants one of day and weekday to be ``?``, where cron runs on
    either. Raises ValidationError for cron that names both.
    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
    """
    parts = text.split()
    if len(parts) != 5 or "(" in text:
        return text
    minute, hour, day, month, weekday = parts
    if day != "*" and weekday != "*":
        raise ValidationError({field: [f"'{text}' names a day of the month and a day of the week; EventBridge Scheduler takes only one"]})
    days = (day, "?") if weekday == "*" else ("?", ",".join(_weekdays(one) for one in weekday.split(",")))
    return f"cron({_step(minute, 0)} {_step(hour, 0)} {_step(days[0], 1)} {_step(month, 1)} {days[1]} *)"


def _step(part: str, first: int) -> str:
    return f"{first}{part[1:]}" if part.startswith("*/") else part


def _weekdays(part: str) -> str:
    found = re.fullmatch(r"(\*|[0-7](?:-[0-7])?)(?:/([1-7]))?", part)
    if found is None:
        # MON, MON-FRI: the same on both sides.
        return part
    span, step = found.groups()
    first, last = (0, 6) if span == "*" else (int(span[0]), int(span[-1]))
    return ",".join(dict.fromkeys(str(number % 7 + 1) for number in range(first, last + 1, int(step or 1))))


def _names(slug: str) -> list[str]:
    try:
        return list(json.loads(RuntimeRow.get(f"RESOURCES#{slug}", "SCHEDULES", consistent_read=True).body))
    except RuntimeRow.DoesNotExist:
        return []
