"""``plugins backups`` and ``plugins restore``: what plugins keep."""

from typing import Any

import click

from cli.client import Client, segment
from cli.context import Context, pass_context, tell
from cli.jobs import follow_job
from cli.output import Columns, json_option, show, show_json, visible

_NO_WAIT = {"Prefer": "respond-async"}


def kept(client: Client, slug: str) -> str:
    """What a plugin keeps, in words: what would be lost without it."""
    held = client.get(f"/admin/plugins/{segment(slug)}/data").data
    parts = [_counted(held["keys"], "stored value")] if held["keys"] else []
    parts += [f"the table {each['name']} ({_counted(each['items'], 'item')})" for each in held["tables"]]
    if not parts:
        return "it keeps no data"
    return f"with them {', '.join(parts)}: {_size(held['bytes'])} in all"


@click.command()
@click.argument("slug")
@json_option
@pass_context
def backups(context: Context, slug: str, as_json: bool) -> None:
    """A plugin's backups, newest first; also of one that was removed."""
    found = context.client.get(f"/admin/plugins/{segment(slug)}/backups").data
    columns: Columns = {
        "backup": "backup_path",
        "version": "version",
        "made at": "made_at",
        "size": lambda row: _size(row["size_bytes"]),
    }
    show(found, columns, as_json=as_json, none=f"There are no backups of {slug}.")


@click.command()
@click.argument("slug")
@click.argument("backup_path", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_context
def restore(context: Context, slug: str, backup_path: str | None, yes: bool, as_json: bool) -> None:
    """Bring back what a backup of SLUG holds: BACKUP_PATH, or the newest one.

    Of an installed plugin these are its settings and data; one that was removed is installed again.
    """
    client = context.client
    if backup_path is None:
        found = client.get(f"/admin/plugins/{segment(slug)}/backups").data
        if not found:
            raise click.UsageError(f"There are no backups of {slug}")
        backup_path = str(found[0]["backup_path"])
    if not yes:
        question = f"Restore {slug} from {backup_path}? What it keeps now, settings and data, is replaced."
        click.confirm(question, abort=True, err=True)
    answer = client.post(f"/admin/plugins/{segment(slug)}/restore", {"backup_path": backup_path}, headers=_NO_WAIT)
    result: Any = answer.data
    if answer.status == 202:
        result = follow_job(client, answer, tell if as_json else click.echo)
    if as_json:
        show_json(result)
        return
    click.echo(visible(f"Restored {slug} from {backup_path}"))


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _size(size_bytes: int) -> str:
    if size_bytes < 1000:
        return _counted(size_bytes, "byte")
    return f"{size_bytes / 1000:.0f} KB" if size_bytes < 1_000_000 else f"{size_bytes / 1_000_000:.1f} MB"
