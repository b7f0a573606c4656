"""``admin tiers``: what users of each tier may use. Source: docs/users.md."""

from typing import Any

import click

from cli.client import segment
from cli.context import Context, pass_context
from cli.output import Columns, json_option, show

_COLUMNS: Columns = {
    "tier": "tier",
    "memory": "quotas.memory",
    "sessions": "quotas.maxSessions",
    "storage": "quotas.storage",
    "session duration": "quotas.maxSessionDuration",
    "changed": "isChanged",
}


@click.group()
def admin() -> None:
    """What only administrators decide."""


@admin.group()
def tiers() -> None:
    """What users of each tier may use."""


@tiers.command("list")
@json_option
@pass_context
def list_tiers(context: Context, as_json: bool) -> None:
    """Each tier's quotas, and whether they were changed."""
    show(context.client.get("/admin/tiers").data, _COLUMNS, as_json=as_json)


@tiers.command("set")
@click.argument("tier")
@click.option("--memory", metavar="QUANTITY", help="Of a user's running sessions together, such as 16Gi.")
@click.option("--max-sessions", type=click.IntRange(min=0))
@click.option("--storage", metavar="QUANTITY", help="The size of a user's home, such as 100Gi.")
@click.option("--session-duration", metavar="DURATION", help="How long a session may last, such as 12h.")
@json_option
@pass_context
def set_tier(
    context: Context,
    tier: str,
    memory: str | None,
    max_sessions: int | None,
    storage: str | None,
    session_duration: str | None,
    as_json: bool,
) -> None:
    """Change a tier's quotas; what is left out stays. They hold for the next session of each of its users."""
    wanted: dict[str, Any] = {"memory": memory, "maxSessions": max_sessions, "storage": storage, "maxSessionDuration": session_duration}
    given = {name: value for name, value in wanted.items() if value is not None}
    if not given:
        raise click.UsageError("Nothing to change was given")
    present = {one["tier"]: one["quotas"] for one in context.client.get("/admin/tiers").data}
    # An unknown tier is the platform's to refuse.
    done = context.client.put(f"/admin/tiers/{segment(tier)}", {"quotas": {**present.get(tier, present["free"]), **given}}).data
    show(done, _COLUMNS, as_json=as_json)


@tiers.command()
@click.argument("tier")
@json_option
@pass_context
def reset(context: Context, tier: str, as_json: bool) -> None:
    """Give a tier the quotas that it has as shipped."""
    show(context.client.delete(f"/admin/tiers/{segment(tier)}").data, _COLUMNS, as_json=as_json)
