"""A plugin's own schedules: EventBridge Scheduler calls its function."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.core import aws, config
from chalicelib.core.errors import ValidationError
from chalicelib.runtime import names


def create(slug: str, function_arn: str, schedules: list[dict[str, Any]]) -> None:
    """Make each of ``[{"name", "expression"}]``; one that exists is changed. Raises ValidationError for an expression that AWS refuses."""
    scheduler = aws.client("scheduler")
    for one in schedules:
        wanted = {
            "Name": names.schedule(slug, one["name"]),
            "ScheduleExpression": one["expression"],
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
            raise ValidationError(
                {f"schedules.{one['name']}": [f"EventBridge Scheduler refuses '{one['expression']}': {error}"]}
            ) from error


def delete(slug: str, schedule_names: list[str]) -> None:
    """Remove these schedules; one that is gone already is no error."""
    scheduler = aws.client("scheduler")
    for name in schedule_names:
        try:
            scheduler.delete_schedule(Name=names.schedule(slug, name))
        except scheduler.exceptions.ResourceNotFoundException:
            continue
