"""Structured logs: one JSON line each, with the request's or the event's id."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


@cache
def logger() -> "Logger":
    """The platform's logger. Keys appended to it (``request_id``, ``job_id``, ``event_id``) appear on every later line."""
    from aws_lambda_powertools import Logger

    return Logger(service="streamspace")
