"""``users``. Source: Plugin API, User API."""

from typing import Any

import click

from cli.client import segment
from cli.context import Context, pass_context
from cli.output import Columns, json_option, show, show_json, visible

_COLUMNS: Columns = {
    "username": "username",
    "full name": "fullName",
    "email": "email",
    "role": "role",
    "tier": "tier",
    "last login": "lastLogin",
}
_DETAILS: Columns = {
    **_COLUMNS,
    "memory": "quotas.memory",
    "sessions": "quotas.maxSessions",
    "storage": "quotas.storage",
    "session duration": "quotas.maxSessionDuration",
    "created at": "createdAt",
    "updated at": "updatedAt",
}


@click.group()
def users() -> None:
    """People who may use the platform."""


@users.command("list")
@click.option("--tier")
@json_option
@pass_context
def list_users(context: Context, tier: str | None, as_json: bool) -> None:
    """All users."""
    found = list(context.client.everything("/users", tier=tier))
    show(found, _COLUMNS, as_json=as_json, none="There are no users.")


@users.command("show")
@click.argument("username")
@json_option
@pass_context
def show_user(context: Context, username: str, as_json: bool) -> None:
    """One user, with quotas."""
    show(context.client.get(f"/users/{segment(username)}").data, _DETAILS, as_json=as_json)


@users.command()
@click.argument("username")
@json_option
@pass_context
def usage(context: Context, username: str, as_json: bool) -> None:
    """What a user has taken of the quotas."""
    found = context.client.get(f"/users/{segment(username)}/usage").data
    if as_json:
        show_json(found)
        return
    rows = [
        {"quota": name, **{key: number if name == "sessions" else _quantity(number) for key, number in of.items()}}
        for name, of in found.items()
    ]
    show(rows, {"quota": "quota", "used": "used", "allowed": "allowed"}, as_json=False)


def _quantity(amount: int) -> str:
    unit, size = next(((unit, size) for unit, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)) if amount >= size), ("", 1))
    return f"{amount / size:.4g}{unit}"


@users.command()
@click.argument("username")
@click.option("--full-name", required=True)
@click.option("--email", required=True)
@click.option("--tier", help="free by default.")
@click.option("--role", type=click.Choice(["admin", "manager", "user"]), help="user by default.")
@click.option(
    "--password",
    prompt=True,
    prompt_required=False,
    hide_input=True,
    confirmation_prompt=True,
    help="Without a value it is asked for. Without the option the user cannot sign in yet.",
)
@json_option
@pass_context
def create(
    context: Context,
    username: str,
    full_name: str,
    email: str,
    tier: str | None,
    role: str | None,
    password: str | None,
    as_json: bool,
) -> None:
    """Add a user."""
    optional: dict[str, Any] = {"tier": tier, "role": role, "password": password}
    given = {name: value for name, value in optional.items() if value is not None}
    made = context.client.post("/users", {"username": username, "fullName": full_name, "email": email, **given}).data
    show(made, _DETAILS, as_json=as_json)


@users.command()
@click.argument("username")
@click.option("--full-name")
@click.option("--email")
@click.option("--tier")
@click.option("--role", type=click.Choice(["admin", "manager", "user"]))
@click.option("--memory", metavar="QUANTITY", help="The quota of memory, such as 16Gi; 'tier' gives it back to the tier.")
@click.option("--max-sessions", metavar="NUMBER", help="The quota of sessions; 'tier' gives it back.")
@click.option("--storage", metavar="QUANTITY", help="The quota of storage; 'tier' gives it back.")
@click.option("--session-duration", metavar="DURATION", help="How long a session may last; 'tier' gives it back.")
@click.option("--must-change-password", is_flag=True, help="Sign the user out, and ask for a new password at the next sign-in.")
@json_option
@pass_context
def update(
    context: Context,
    username: str,
    full_name: str | None,
    email: str | None,
    tier: str | None,
    role: str | None,
    memory: str | None,
    max_sessions: str | None,
    storage: str | None,
    session_duration: str | None,
    must_change_password: bool,
    as_json: bool,
) -> None:
    """Change a user; what is left out stays."""
    wanted = {"memory": memory, "maxSessions": max_sessions, "storage": storage, "maxSessionDuration": session_duration}
    quotas: dict[str, Any] = {name: None if value == "tier" else value for name, value in wanted.items() if value is not None}
    if quotas.get("maxSessions") is not None:
        if not quotas["maxSessions"].isdigit():
            raise click.BadParameter("must be a number, or 'tier'", param_hint="--max-sessions")
        quotas["maxSessions"] = int(quotas["maxSessions"])
    optional: dict[str, Any] = {
        "fullName": full_name,
        "email": email,
        "tier": tier,
        "role": role,
        "quotas": quotas or None,
        "mustChangePassword": True if must_change_password else None,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    if not given:
        raise click.UsageError("Nothing to change was given")
    show(context.client.patch(f"/users/{segment(username)}", given).data, _DETAILS, as_json=as_json)


@users.command()
@click.argument("username")
@click.option("--keep-sessions", is_flag=True, help="Leave the user's sessions running.")
@click.option("--delete-storage", is_flag=True, help="Delete the user's files too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def delete(context: Context, username: str, keep_sessions: bool, delete_storage: bool, yes: bool) -> None:
    """Remove a user, by default with all sessions, but not the files."""
    if not yes:
        lost = [] if keep_sessions else ["sessions"]
        lost += ["files"] if delete_storage else []
        what = f"The user's {' and '.join(lost)} are deleted too." if lost else "Sessions and files stay."
        click.confirm(f"Delete the user {username}? {what}", abort=True, err=True)
    answer = context.client.delete(f"/users/{segment(username)}", deleteSessions=not keep_sessions, deleteStorage=delete_storage)
    click.echo(visible(f"{username} is being deleted, which goes on by itself" if answer.status == 202 else f"Deleted {username}"))
