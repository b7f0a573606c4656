"""``commands``: what active plugins offer to be run. Source: Plugin API, Command API."""

import json
from typing import Any

import click

from cli.arguments import json_or_text, pairs
from cli.client import segment
from cli.context import Context, pass_context
from cli.output import Columns, json_option, show, show_json


@click.group()
def commands() -> None:
    """Commands that plugins add."""


@commands.command("list")
@json_option
@pass_context
def list_commands(context: Context, as_json: bool) -> None:
    """The commands that you may run."""
    found = list(context.client.everything("/commands"))
    columns: Columns = {"name": "name", "plugin": "plugin", "description": "description"}
    show(found, columns, as_json=as_json, none="No active plugin offers a command.")


@commands.command()
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--args", "args_json", metavar="JSON", help="All arguments as one JSON value.")
@json_option
@pass_context
def run(context: Context, name: str, words: tuple[str, ...], args_json: str | None, as_json: bool) -> None:
    """Run a command and print what it answers.

    A VALUE that is JSON is taken as such (days=7, tags='["a"]'), anything else as text (user=john).
    """
    if words and args_json is not None:
        raise click.UsageError("Give the arguments as KEY=VALUE or with --args, not both")
    args: Any = {key: json_or_text(value) for key, value in pairs(words).items()}
    if args_json is not None:
        try:
            args = json.loads(args_json)
        except ValueError as error:
            raise click.BadParameter(f"is not JSON: {error}", param_hint="--args") from error
    result = context.client.post(f"/commands/{segment(name)}/execute", {"args": args}).data["result"]
    if isinstance(result, str) and not as_json:
        click.echo(result)
    elif result is not None or as_json:
        show_json(result)
