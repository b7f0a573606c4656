"""``templates``. Source: Plugin API, Template API."""

from pathlib import Path
from typing import Any

import click

from cli.client import Client, segment
from cli.context import Context, pass_context
from cli.errors import ApiError, CliError
from cli.output import Columns, json_option, show, show_json, visible
from cli.template_files import TemplateDocument, TemplateFileInvalid, read_templates, template_files

_COLUMNS: Columns = {
    "name": "name",
    "display name": "displayName",
    "category": "category",
    "memory": "defaultResources.memory",
    "cpu": "defaultResources.cpu",
    "image": "baseImage",
}
_DETAILS: Columns = {
    **_COLUMNS,
    "description": "description",
    "ports": lambda row: [f"{port['name']} {port['containerPort']}" for port in row.get("ports") or []],
    "environment": lambda row: [f"{variable['name']}={variable.get('value', '')}" for variable in row.get("env") or []],
    "capabilities": "capabilities",
    "tags": "tags",
    "created at": "createdAt",
    "updated at": "updatedAt",
}


@click.group()
def templates() -> None:
    """What sessions are started from."""


@templates.command("list")
@click.option("--category")
@click.option("--tag")
@json_option
@pass_context
def list_templates(context: Context, category: str | None, tag: str | None, as_json: bool) -> None:
    """All templates."""
    found = list(context.client.everything("/templates", category=category, tag=tag))
    show(found, _COLUMNS, as_json=as_json, none="There are no templates.")


@templates.command("show")
@click.argument("name")
@json_option
@pass_context
def show_template(context: Context, name: str, as_json: bool) -> None:
    """One template."""
    show(context.client.get(f"/templates/{segment(name)}").data, _DETAILS, as_json=as_json)


@templates.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def delete(context: Context, name: str, yes: bool) -> None:
    """Remove a template; sessions made from it go on."""
    if not yes:
        click.confirm(f"Delete the template {name}?", abort=True, err=True)
    context.client.delete(f"/templates/{segment(name)}")
    click.echo(visible(f"Deleted {name}"))


@templates.command("import")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put these in the place of templates of the same name.")
@json_option
@pass_context
def import_templates(context: Context, folder: Path, replace: bool, as_json: bool) -> None:
    """Add each 'kind: Template' document of the YAML and JSON files in DIR, and below it.

    One that exists already is left as it is, unless --replace is given. A faulty one does not stop the others, but the
    exit code is then 1.
    """
    outcomes: list[dict[str, Any]] = []
    for path in template_files(folder):
        for outcome in _import_file(context.client, path, replace):
            outcomes.append({"file": str(path.relative_to(folder)), **outcome})
            if not as_json:
                click.echo(_line(outcomes[-1]))
    if as_json:
        show_json(outcomes)
    elif not outcomes:
        click.echo(f"No template was found in {folder}")
    failed = sum(outcome["outcome"] == "failed" for outcome in outcomes)
    if failed:
        raise CliError(f"{failed} of {len(outcomes)} templates could not be imported")


def _import_file(client: Client, path: Path, replace: bool) -> list[dict[str, Any]]:
    try:
        documents = list(read_templates(path))
    except TemplateFileInvalid as error:
        return [{"name": None, "outcome": "failed", "error": {"code": error.code, "message": error.message}}]
    return [{"name": document.name, **_import(client, document, replace)} for document in documents]


def _import(client: Client, document: TemplateDocument, replace: bool) -> dict[str, Any]:
    raw = (document.media_type, document.content)
    try:
        client.request("POST", "/templates", raw=raw)
    except ApiError as error:
        if error.code != "TEMPLATE_ALREADY_EXISTS":
            return _failed(error)
    else:
        return {"outcome": "created"}
    if not replace:
        return {"outcome": "exists"}
    try:
        # One request, so that nobody finds the template missing in between.
        client.request("PUT", f"/templates/{segment(document.name)}", raw=raw)
    except ApiError as error:
        return _failed(error)
    return {"outcome": "replaced"}


def _failed(error: ApiError) -> dict[str, Any]:
    return {
        "outcome": "failed",
        "error": {"code": error.code, "message": error.message, "details": error.details},
    }


def _line(outcome: dict[str, Any]) -> str:
    line = f"{outcome['outcome']:<9} {outcome['name'] or '-'}  ({outcome['file']})"
    if error := outcome.get("error"):
        line += f": {error['code']}: {error['message']}"
        details = error.get("details")
        if isinstance(details, dict) and details:
            line += f" {details}"
    return visible(line)
