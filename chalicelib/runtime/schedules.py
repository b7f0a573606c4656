"""A plugin's own schedules: EventBridge Scheduler calls its function.

Promise: their names are written down before the first one is made, so that what a killed activation made can be found and removed.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from chalicelib.core import aws, clock, config
from chalicelib.core.errors import ValidationError
from chalicelib.runtime import cron, names
from chalicelib.runtime.models import RuntimeRow

# What update_schedule would give back to its default, where it is not said again.
_KEPT = ("Name", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "ActionAfterCompletion", "Target")


def create(slug: str, function_arn: str, schedules: list[dict[str, Any]]) -> None:
    """Let the plugin have just these: one that exists is changed, another one removed.

    Each is ``{"name", "expression", "timezone"?}``, or ``{"name", "after_s"}``: once, so many seconds from now.

    Raises ValidationError, which names the schedule, before any is made; or while, for what only Scheduler knows to refuse.
    """
    wanted = [_wanted(slug, function_arn, one) for one in schedules]
    before = _names(slug)
    if not wanted and not before:
        return
    named = {one["name"] for one in schedules}
    RuntimeRow(f"RESOURCES#{slug}", "SCHEDULES", body=json.dumps(sorted({*before, *named}))).save()
    scheduler = aws.client("scheduler")
    for one, schedule in zip(schedules, wanted, strict=True):
        try:
            scheduler.create_schedule(**schedule)
        except scheduler.exceptions.ConflictException:
            scheduler.update_schedule(**schedule)
        except scheduler.exceptions.ValidationException as error:
            refusal = f"EventBridge Scheduler refuses '{schedule['ScheduleExpression']}': {error}"
            raise ValidationError({f"schedules.{one['name']}": [refusal]}) from error
    for name in sorted({*before} - named):
        delete_one(slug, name)


def delete_one(slug: str, name: str) -> None:
    """Remove one schedule of the plugin; it is made again with the next activation. One that is not there is no error."""
    scheduler = aws.client("scheduler")
    try:
        scheduler.delete_schedule(Name=names.schedule(slug, name))
    except scheduler.exceptions.ResourceNotFoundException:
        return


def switch(slug: str, *, on: bool) -> None:
    """Let the plugin's schedules rest, or run again as they were; may be done twice.

    A run that was to come once, and should have come meanwhile, comes a minute from now. One that is gone stays so.
    """
    scheduler = aws.client("scheduler")
    for name in _names(slug):
        try:
            now = scheduler.get_schedule(Name=names.schedule(slug, name))
        except scheduler.exceptions.ResourceNotFoundException:
            continue
        wanted = "ENABLED" if on else "DISABLED"
        if now.get("State", "ENABLED") == wanted:
            continue
        kept = {key: now[key] for key in _KEPT if now.get(key) is not None}
        kept["ScheduleExpression"] = _still_to_come(now["ScheduleExpression"]) if on else now["ScheduleExpression"]
        scheduler.update_schedule(**kept, State=wanted)


def _still_to_come(expression: str) -> str:
    """Ours are always in UTC where they are for once."""
    soon = f"at({clock.now() + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S})"
    return max(expression, soon) if expression.startswith("at(") else expression


def delete(slug: str) -> None:
    """Remove all schedules of the plugin; those that are gone already are no error."""
    known = _names(slug)
    for name in known:
        delete_one(slug, name)
    if known:
        RuntimeRow(f"RESOURCES#{slug}", "SCHEDULES").delete()


def expression(text: str, field: str = "schedule") -> str:
    """EventBridge Scheduler's form of a schedule: ``cron.aws_expression``. Raises ValidationError, by ``field``, for what is none."""
    try:
        return cron.aws_expression(text)
    except ValueError as error:
        raise ValidationError({field: [str(error)]}) from error


def _wanted(slug: str, function_arn: str, schedule: dict[str, Any]) -> dict[str, Any]:
    """As Scheduler's API takes it. Raises ValidationError, which names the schedule."""
    field = f"schedules.{schedule['name']}"
    timezone = schedule.get("timezone") or "UTC"
    fault = cron.timezone_fault(timezone)
    if fault:
        raise ValidationError({f"{field}.timezone": [fault]})
    if "after_s" in schedule:
        when = f"at({clock.now() + timedelta(seconds=schedule['after_s']):%Y-%m-%dT%H:%M:%S})"
    else:
        when = expression(schedule["expression"], field)
    return {
        "Name": names.schedule(slug, schedule["name"]),
        "ScheduleExpression": when,
        "ScheduleExpressionTimezone": timezone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        # What runs once is gone when it has run.
        "ActionAfterCompletion": "DELETE" if when.startswith("at(") else "NONE",
        "Target": {
            "Arn": function_arn,
            "RoleArn": config.setting("SCHEDULER_ROLE_ARN"),
            # Scheduler fills in the time, the same for each attempt of one run: name and time tell a run from its repetition.
            "Input": json.dumps({"kind": "schedule", "name": schedule["name"], "scheduled_time": "<aws.scheduler.scheduled-time>"}),
            # Tomorrow's run makes up for a missed one better than a late one does.
            "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 600},
        },
    }


def _names(slug: str) -> list[str]:
    try:
        return list(json.loads(RuntimeRow.get(f"RESOURCES#{slug}", "SCHEDULES", consistent_read=True).body))
    except RuntimeRow.DoesNotExist:
        return []
