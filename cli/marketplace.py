"""``marketplace``: what there is to install. Source: REST §11."""

import json
from pathlib import Path
from typing import IO

import click

from cli.authoring import own_repository
from cli.context import Context, pass_context
from cli.errors import FiguresInvalid
from cli.output import Columns, json_option, show
from cli.publishing import set_figures


@click.group()
def marketplace() -> None:
    """Find plugins to install."""


@marketplace.command()
@click.argument("query", required=False)
@click.option("--category")
@click.option("--sort", type=click.Choice(["popular", "newest", "rating", "name"]), help="Most popular first by default.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
@pass_context
def search(context: Context, query: str | None, category: str | None, sort: str | None, limit: int, as_json: bool) -> None:
    """Search names, tags and descriptions; a slip of the finger is forgiven. Without QUERY everything is listed."""
    found = list(context.client.everything("/admin/plugins/marketplace", at_most=limit, search=query, category=category, sort=sort))
    columns: Columns = {
        "slug": "slug",
        "version": "version",
        "category": "category",
        "installed": "is_installed",
        "compatibility": "compatibility",
        "description": "short_description",
    }
    show(found, columns, as_json=as_json, none="The marketplace has no such plugin.")


@marketplace.command()
@click.argument("figures", metavar="FIGURES.json", type=click.File("rb"))
@click.option("--repository", type=click.Path(file_okay=False, path_type=Path), help="The local stack's by default.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The local stack's by default.")
def figures(figures: IO[bytes], repository: Path | None, key: Path | None) -> None:
    """Put ratings, reviews, downloads and prices into a repository's listings, and sign its new index.

    FIGURES.json: {"a-slug": {"rating": 4.5, "reviews_count": 56, "downloads": 2500, "price": null}}; - for stdin.
    """
    try:
        given = json.load(figures)
    except ValueError as error:
        raise FiguresInvalid(f"{figures.name} is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise FiguresInvalid(f"{figures.name} must be an object: slug -> figures")
    folder, private_key = own_repository(repository, key)
    sequence = set_figures(given, folder, private_key)
    click.echo(f"Set the figures of {len(given)} plugins in {folder} (index {sequence})")
