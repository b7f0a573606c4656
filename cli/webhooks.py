"""``webhooks``: where events are sent to. Source: REST, Webhooks."""

from typing import Any

import click

from cli.client import segment
from cli.context import Context, pass_context
from cli.output import Columns, json_option, show, show_json, visible


@click.group()
def webhooks() -> None:
    """Send events to other systems."""


@webhooks.command("list")
@json_option
@pass_context
def list_webhooks(context: Context, as_json: bool) -> None:
    """All webhooks."""
    columns: Columns = {"id": "id", "url": "url", "events": "events", "active": "is_active", "off because": "disabled_reason"}
    show(context.client.get("/admin/webhooks").data, columns, as_json=as_json, none="There are no webhooks.")


@webhooks.command()
@click.argument("url")
@click.option("--event", "events", multiple=True, default=("plugin.*",), show_default=True, help="A type of event; may be given again.")
@click.option("--secret", help="What signs; made for you by default.")
@click.option("--description")
@json_option
@pass_context
def create(context: Context, url: str, events: tuple[str, ...], secret: str | None, description: str | None, as_json: bool) -> None:
    """Send events to URL. A secret that is made here is shown this once."""
    wanted: dict[str, Any] = {"url": url, "events": list(events)}
    wanted |= {key: value for key, value in {"secret": secret, "description": description}.items() if value}
    made = context.client.post("/admin/webhooks", wanted).data
    if as_json:
        show_json(made)
        return
    click.echo(visible(f"Created {made['id']}"))
    if made.get("secret"):
        click.echo(f"  secret: {made['secret']}")


@webhooks.command()
@click.argument("webhook_id")
@pass_context
def delete(context: Context, webhook_id: str) -> None:
    """Stop sending, and forget what was sent."""
    context.client.delete(_path(webhook_id))
    click.echo(visible(f"Removed {webhook_id}"))


@webhooks.command()
@click.argument("webhook_id")
@pass_context
def enable(context: Context, webhook_id: str) -> None:
    """Switch it on (again)."""
    _switch(context, webhook_id, is_active=True)


@webhooks.command()
@click.argument("webhook_id")
@pass_context
def disable(context: Context, webhook_id: str) -> None:
    """Switch it off; it keeps its history."""
    _switch(context, webhook_id, is_active=False)


@webhooks.command()
@click.argument("webhook_id")
@json_option
@pass_context
def test(context: Context, webhook_id: str, as_json: bool) -> None:
    """Send a test now. Exit code 1 when it did not arrive."""
    made = context.client.post(_path(webhook_id, "/test")).data
    show(made, _DELIVERY, as_json=as_json)
    if made["status"] != "succeeded":
        raise click.exceptions.Exit(1)


@webhooks.command()
@click.argument("webhook_id")
@click.option("--status", type=click.Choice(["pending", "succeeded", "failed"]))
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@pass_context
def deliveries(context: Context, webhook_id: str, status: str | None, limit: int, as_json: bool) -> None:
    """What was sent, newest first."""
    query = {"status": status} if status else {}
    found = list(context.client.everything(_path(webhook_id, "/deliveries"), at_most=limit, **query))
    show(found, _DELIVERY, as_json=as_json, none="Nothing was sent yet.")


@webhooks.command()
@click.argument("webhook_id")
@click.argument("delivery_id", required=False)
@click.option("--since", metavar="TIME", help="All that failed since then, instead of one.")
@pass_context
def redeliver(context: Context, webhook_id: str, delivery_id: str | None, since: str | None) -> None:
    """Send one delivery again, or with --since all that failed."""
    if (delivery_id is None) == (since is None):
        raise click.UsageError("Give a DELIVERY_ID, or --since TIME")
    if delivery_id is not None:
        context.client.post(_path(webhook_id, f"/deliveries/{segment(delivery_id)}/redeliver"))
        click.echo(visible(f"{delivery_id} will be sent again"))
        return
    count = 0
    while since:
        answer = context.client.post(_path(webhook_id, "/redeliver"), {"since": since}).data
        count, since = count + answer["redelivered"], answer["next_since"]
    click.echo(f"{count} deliveries will be sent again")


@webhooks.command("rotate-secret")
@click.argument("webhook_id")
@pass_context
def rotate_secret(context: Context, webhook_id: str) -> None:
    """Make a new secret, shown this once; the old one signs beside it for a day."""
    made = context.client.post(_path(webhook_id, "/rotate-secret")).data
    click.echo(f"secret: {made['secret']}")
    click.echo(f"The old one signs until {made['previous_secret_valid_until']}")


_DELIVERY: Columns = {
    "id": "id",
    "event": "event",
    "status": "status",
    "answer": "status_code",
    "attempts": lambda row: len(row["attempts"]),
    "error": "error",
    "next": "next_attempt_at",
    "created at": "created_at",
}


def _switch(context: Context, webhook_id: str, *, is_active: bool) -> None:
    changed = context.client.patch(_path(webhook_id), {"is_active": is_active}).data
    click.echo(visible(f"{changed['url']} is {'on' if changed['is_active'] else 'off'}"))


def _path(webhook_id: str, more: str = "") -> str:
    return f"/admin/webhooks/{segment(webhook_id)}{more}"
