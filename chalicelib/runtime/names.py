"""The names of what the platform makes for a plugin.

A name is the stack's name, ``plugin`` and the slug; where that is longer than AWS allows, the slug is cut and a short hash of it
added. So a name can be computed from the slug at any time, and what a killed step made can always be found again.
"""

from __future__ import annotations

import hashlib

from chalicelib.core import config

# IAM roles, Lambda functions and Scheduler's schedules: 64. SQS queues: 80 with the .fifo suffix; they use the same name.
_LONGEST = 64


def resource(slug: str, part: str = "") -> str:
    """``{stack}-plugin-{slug}``, or ``{stack}-plugin-{slug}_{part}``; at most 64 characters, unique for each slug and part."""
    name = f"{config.stack()}-plugin-{slug}" + (f"_{part}" if part else "")
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9]}-{digest}"


def function(slug: str) -> str:
    return resource(slug)


def role(slug: str) -> str:
    return resource(slug)


def queue(slug: str) -> str:
    return f"{resource(slug)}.fifo"


def schedule(slug: str, task: str) -> str:
    return resource(slug, task)


def log_group(slug: str) -> str:
    return f"/aws/lambda/{function(slug)}"
