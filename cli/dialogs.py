"""``dialogs``: what plugins ask you, and your answers. Source: Plugin API, showDialog()."""

from typing import Any

import click

from cli.arguments import json_or_text
from cli.client import segment
from cli.context import Context, pass_context
from cli.output import Columns, json_option, show, visible


@click.group()
def dialogs() -> None:
    """Questions of plugins that wait for your answer."""


@dialogs.command("list")
@json_option
@pass_context
def list_dialogs(context: Context, as_json: bool) -> None:
    """The dialogs that wait for your answer; each for as long as its plugin can wait."""
    found = list(context.client.get("/dialogs").data)
    rows = [{**one, "buttons": _labels(one), "from": one["from"]["name"]} for one in found]
    columns: Columns = {"id": "id", "from": "from", "title": "title", "message": "message", "buttons": "buttons", "until": "expiresAt"}
    show(found if as_json else rows, columns, as_json=as_json, none="Nobody asks you anything.")


@dialogs.command()
@click.argument("dialog_id")
@click.argument("button", required=False)
@click.option("--dismiss", is_flag=True, help="Close the dialog without pressing a button.")
@pass_context
def answer(context: Context, dialog_id: str, button: str | None, dismiss: bool) -> None:
    """Press a BUTTON: its label, or its value as JSON."""
    if (button is None) is not dismiss:
        raise click.UsageError("Give either a BUTTON or --dismiss")
    path = f"/dialogs/{segment(dialog_id)}"
    value = None if button is None else _value(context.client.get(path).data, button)
    context.client.post(f"{path}/answer", {"value": value})
    click.echo(visible(f"Answered {dialog_id}"))


def _value(dialog: dict[str, Any], button: str) -> Any:
    by_label = [one["value"] for one in dialog["buttons"] if one["label"].casefold() == button.casefold()]
    return by_label[0] if by_label else json_or_text(button)


def _labels(dialog: dict[str, Any]) -> str:
    return ", ".join(str(one["label"]) for one in dialog["buttons"])
