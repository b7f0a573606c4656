"""``plugin pack`` and ``publish``: from a folder to a release in a repository."""

import dataclasses
import os
from pathlib import Path

import click

from cli.errors import NoStack, RepositoryInvalid
from cli.locating import Stack, find_own_stack, find_stack
from cli.manifests import read_manifest
from cli.output import json_option, show_json
from cli.packing import pack
from cli.publishing import publish


@click.group()
def plugin() -> None:
    """For authors of plugins."""


@plugin.command("pack")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="{name}-{version}.zip by default.")
def pack_command(folder: Path, output: Path | None) -> None:
    """Make the package of a plugin's folder. The same files always give the same package.

    Dot files, tests/ and __pycache__ are left out.
    """
    package = pack(folder)
    manifest = read_manifest(package)
    path = output or Path(f"{manifest['name']}-{manifest['version']}.zip")
    path.write_bytes(package)
    click.echo(f"Packed {manifest['name']} {manifest['version']} into {path} ({len(package)} bytes)")


@click.command("publish")
@click.argument("package", metavar="PACKAGE.zip", type=click.Path(exists=True, path_type=Path))
@click.option("--repository", type=click.Path(file_okay=False, path_type=Path), help="The local stack's by default.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The local stack's by default.")
@json_option
def publish_command(package: Path, repository: Path | None, key: Path | None, as_json: bool) -> None:
    """Add a release to a repository and sign its new index.

    Instead of a package it may be a plugin's folder, which is packed first. On a local stack no options are needed.
    """
    if repository is None or key is None:
        stack = _local_stack()
        repository = repository or stack.folder / "marketplace"
        key = key or stack.folder / "keys" / "marketplace"
        if not key.is_file():
            raise RepositoryInvalid(f"The local stack has no signing key at {key}")
    content = pack(package) if package.is_dir() else package.read_bytes()
    release = publish(content, repository, key.read_bytes())
    if as_json:
        show_json(dataclasses.asdict(release))
    elif release.is_new:
        click.echo(f"Published {release.slug} {release.version} in {repository} (index {release.sequence})")
    else:
        click.echo(f"{release.slug} {release.version} is already published with the same content; nothing changed")


def _local_stack() -> Stack:
    stack = find_stack(os.environ, Path.cwd()) or find_own_stack()
    if stack is None:
        raise NoStack("No local stack is running here; give --repository and --key, or start one with 'make run'")
    return stack
