"""``sessions``. Source: Plugin API, Session API."""

from typing import Any

import click

from cli.arguments import pairs
from cli.client import segment
from cli.context import Context, pass_context
from cli.output import Columns, json_option, show, visible

_COLUMNS: Columns = {
    "id": "id",
    "user": "user",
    "template": "template",
    "state": "state",
    "memory": "resources.memory",
    "cpu": "resources.cpu",
    "url": "url",
    "last activity": "lastActivity",
}
_DETAILS: Columns = {
    **_COLUMNS,
    "pod": "podName",
    "persistent home": "persistentHome",
    "idle timeout": "idleTimeout",
    "created at": "createdAt",
    "updated at": "updatedAt",
}
_STATUS: Columns = {
    "id": "id",
    "state": "state",
    "ready": "ready",
    "phase": "phase",
    "reason": "reason",
    "message": "message",
    "ends": "end.message",
    "owner is told": "end.warnedAt",
    "idle since": "idleSince",
    "held awake until": "awakeUntil",
    "lifetime ends at": "lifetimeEndsAt",
}


@click.group()
def sessions() -> None:
    """Create sessions, and put them to sleep and wake them."""


@sessions.command("list")
@click.option("--user")
@click.option("--state", type=click.Choice(["running", "hibernated", "terminated"]))
@click.option("--template")
@json_option
@pass_context
def list_sessions(context: Context, user: str | None, state: str | None, template: str | None, as_json: bool) -> None:
    """The sessions that you may see."""
    found = list(context.client.everything("/sessions", user=user, state=state, template=template))
    show(found, _COLUMNS, as_json=as_json, none="There are no sessions.")


@sessions.command("show")
@click.argument("session_id")
@json_option
@pass_context
def show_session(context: Context, session_id: str, as_json: bool) -> None:
    """One session."""
    show(context.client.get(f"/sessions/{segment(session_id)}").data, _DETAILS, as_json=as_json)


@sessions.command()
@click.option("--user", help="Whose session; yours by default.")
@click.option("--template", required=True)
@click.option("--memory", metavar="QUANTITY", help="Such as 4Gi; the template's by default.")
@click.option("--cpu", metavar="QUANTITY", help="Such as 2000m; the template's by default.")
@click.option("--idle-timeout", metavar="DURATION", help="Hibernate after, such as 30m.")
@click.option("--max-duration", metavar="DURATION", help="End after, such as 8h.")
@click.option("--no-persistent-home", is_flag=True, help="Forget its files when it ends.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="An environment variable; may be given again.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="A label; may be given again.")
@json_option
@pass_context
def create(
    context: Context,
    user: str | None,
    template: str,
    memory: str | None,
    cpu: str | None,
    idle_timeout: str | None,
    max_duration: str | None,
    no_persistent_home: bool,
    env: tuple[str, ...],
    label: tuple[str, ...],
    as_json: bool,
) -> None:
    """Start a session from a template."""
    resources = {name: amount for name, amount in (("memory", memory), ("cpu", cpu)) if amount is not None}
    optional: dict[str, Any] = {
        "resources": resources,
        "idleTimeout": idle_timeout,
        "maxSessionDuration": max_duration,
        "persistentHome": False if no_persistent_home else None,
        "env": pairs(env, what="NAME=VALUE"),
        "labels": pairs(label, what="NAME=VALUE"),
    }
    options = {name: value for name, value in optional.items() if value not in (None, {})}
    owner = user or context.client.get("/auth/me").data["username"]
    made = context.client.post("/sessions", {"user": owner, "template": template, **options}).data
    show(made, _DETAILS, as_json=as_json)


@sessions.command()
@click.argument("session_id")
@json_option
@pass_context
def hibernate(context: Context, session_id: str, as_json: bool) -> None:
    """Put a session to sleep; its files stay."""
    _change(context, session_id, "hibernated", as_json)


@sessions.command()
@click.argument("session_id")
@json_option
@pass_context
def wake(context: Context, session_id: str, as_json: bool) -> None:
    """Wake a session that hibernates."""
    _change(context, session_id, "running", as_json)


@sessions.command("open")
@click.argument("session_id")
@click.option("--print", "only_print", is_flag=True, help="Only print the address, which works once, within a minute.")
@json_option
@pass_context
def open_session(context: Context, session_id: str, only_print: bool, as_json: bool) -> None:
    """Open a session in the browser: yours, or as an administrator anybody's."""
    ticket = context.client.post(f"/sessions/{segment(session_id)}/tickets").data
    if as_json:
        show(ticket, {}, as_json=True)
    elif only_print or click.launch(ticket["url"]) != 0:
        click.echo(visible(ticket["url"]))
    else:
        click.echo(visible(f"Opened {session_id}"))


@sessions.command()
@click.argument("session_id")
@json_option
@pass_context
def status(context: Context, session_id: str, as_json: bool) -> None:
    """How a session is, and when and why it ends by itself."""
    show(context.client.get(f"/sessions/{segment(session_id)}/status").data, _STATUS, as_json=as_json)


@sessions.command()
@click.argument("session_id")
@click.option("--for", "duration", help="Keep it awake for so long, such as 2h; 0 takes that back. Without: as if it was used just now.")
@json_option
@pass_context
def extend(context: Context, session_id: str, duration: str | None, as_json: bool) -> None:
    """Keep a running session from ending by itself."""
    body = {"duration": duration} if duration else {}
    show(context.client.post(f"/sessions/{segment(session_id)}/extend", body).data, _STATUS, as_json=as_json)


def _change(context: Context, session_id: str, state: str, as_json: bool) -> None:
    session = context.client.patch(f"/sessions/{segment(session_id)}", {"state": state}).data
    show(session, _DETAILS, as_json=as_json)


@sessions.command()
@click.argument("session_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def delete(context: Context, session_id: str, yes: bool) -> None:
    """End a session for good."""
    if not yes:
        click.confirm(f"Delete the session {session_id}? What runs in it is lost.", abort=True, err=True)
    context.client.delete(f"/sessions/{segment(session_id)}")
    click.echo(visible(f"Deleted {session_id}"))
