"""``marketplace``: what there is to install. Source: REST §11."""

import click

from cli.context import Context, pass_context
from cli.output import Columns, json_option, show


@click.group()
def marketplace() -> None:
    """Find plugins to install."""


@marketplace.command()
@click.argument("query", required=False)
@click.option("--category")
@click.option("--sort", type=click.Choice(["popular", "newest", "rating", "name"]), help="Most popular first by default.")
@json_option
@pass_context
def search(context: Context, query: str | None, category: str | None, sort: str | None, as_json: bool) -> None:
    """Search names and descriptions; without QUERY everything is listed."""
    found = list(context.client.everything("/admin/plugins/marketplace", search=query, category=category, sort=sort))
    columns: Columns = {
        "slug": "slug",
        "version": "version",
        "category": "category",
        "installed": "is_installed",
        "compatibility": "compatibility",
        "description": "short_description",
    }
    show(found, columns, as_json=as_json, none="The marketplace has no such plugin.")
