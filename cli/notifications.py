"""``notifications``: your own."""

import click

from cli.client import segment
from cli.context import Context, pass_context
from cli.output import Columns, json_option, show, visible


@click.group()
def notifications() -> None:
    """What the platform and its plugins told you."""


@notifications.command("list")
@click.option("--unread", is_flag=True, help="Only those that you have not read.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@json_option
@pass_context
def list_notifications(context: Context, unread: bool, limit: int, as_json: bool) -> None:
    """Your notifications."""
    # Asked for only when wanted: `unread=false` could be read as "those that are read".
    query = {"unread": True} if unread else {}
    found = list(context.client.everything("/notifications", at_most=limit, **query))
    columns: Columns = {
        "id": "id",
        "time": "createdAt",
        "type": "type",
        "read": "read",
        "title": "title",
        "message": "message",
    }
    show(found, columns, as_json=as_json, none="You have no notifications.")


@notifications.command()
@click.argument("notification_id")
@pass_context
def read(context: Context, notification_id: str) -> None:
    """Mark a notification as read."""
    context.client.post(f"/notifications/{segment(notification_id)}/read")
    click.echo(visible(f"Read {notification_id}"))


@notifications.command()
@click.argument("notification_id")
@click.argument("number", type=click.IntRange(min=0))
@pass_context
def act(context: Context, notification_id: str, number: int) -> None:
    """Press a button of a notification; NUMBER counts from 0."""
    pressed = context.client.post(f"/notifications/{segment(notification_id)}/actions/{number}").data
    click.echo(visible(pressed["message"] or pressed["url"] or f"Pressed button {number} of {notification_id}"))


@notifications.command()
@click.argument("notification_id")
@pass_context
def dismiss(context: Context, notification_id: str) -> None:
    """Remove a notification from your list; from nobody else's."""
    context.client.delete(f"/notifications/{segment(notification_id)}")
    click.echo(visible(f"Dismissed {notification_id}"))
