"""``plugin init|validate|test|pack`` and ``publish``: an author's day, from an empty folder to a release in a repository."""

import dataclasses
import json
import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import click

from cli.author_tests import run_tests
from cli.context import Context, pass_context
from cli.developing import Development
from cli.errors import NoStack, PackageInvalid, RepositoryInvalid
from cli.locating import Stack, find_own_stack, find_stack
from cli.manifests import read_manifest
from cli.output import json_option, show_json
from cli.packing import pack
from cli.publishing import publish
from cli.signing import kept_key
from cli.starting import LANGUAGES, TYPES, start
from cli.validating import FAULT, runtime_and_main, validate


@click.group()
def plugin() -> None:
    """For authors of plugins."""


@plugin.command("init")
@click.argument("name")
@click.option("--language", type=click.Choice(LANGUAGES), required=True)
@click.option("--type", "kind", type=click.Choice(TYPES), default="extension", show_default=True)
@click.option("--directory", type=click.Path(path_type=Path), help="A folder called NAME, here, by default.")
def init_command(name: str, language: str, kind: str, directory: Path | None) -> None:
    """Make the folder of a plugin that runs, with a test that passes."""
    folder = directory or Path(name)
    for path in start(name, language, kind, folder):
        click.echo(f"  {path}")
    click.echo(f"Made the plugin {name} in {folder}. Next: streamspace plugin test {folder}")


@plugin.command("validate")
@click.argument("path", metavar="[DIR|PACKAGE]", type=click.Path(exists=True, path_type=Path), default=".")
@json_option
def validate_command(path: Path, as_json: bool) -> None:
    """Say everything that is wrong with a plugin, with file and line.

    Faults keep the platform from installing it (exit code 1); warnings do not.
    """
    findings = validate(path)
    faults = sum(one.severity == FAULT for one in findings)
    if as_json:
        show_json([dataclasses.asdict(one) for one in findings])
    else:
        for one in findings:
            click.echo(str(one))
        warnings = len(findings) - faults
        beside = f", {warnings} warning{'s' if warnings != 1 else ''}" if warnings else ""
        click.echo(f"{faults} fault{'s' if faults != 1 else ''}{beside}" if faults else f"The plugin is valid{beside}")
    if faults:
        raise click.exceptions.Exit(1)


@plugin.command("test", context_settings={"ignore_unknown_options": True})
@click.argument("folder", metavar="[DIR]", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test_command(folder: Path, arguments: tuple[str, ...]) -> None:
    """Run a plugin's own tests, on a platform in memory.

    JavaScript: tests/**/*.test.js by Node's runner. Python: tests/**/test_*.py by pytest, or unittest where that is not installed. What
    follows '--' goes to the runner, whose exit code is this command's.
    """
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise PackageInvalid(f"{folder} has no manifest.json; 'streamspace plugin init' makes a plugin")
    try:
        runtime, _ = runtime_and_main(json.loads(manifest.read_text(encoding="utf-8-sig")))
    except ValueError as error:
        raise PackageInvalid(f"manifest.json is not valid JSON: {error}; 'streamspace plugin validate' says more") from error
    raise click.exceptions.Exit(run_tests(folder.resolve(), runtime, arguments, os.environ))


@plugin.command("dev")
@click.argument("folder", metavar="[DIR]", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--remove", is_flag=True, help="Uninstall it, with its data, at the end.")
@pass_context
def dev_command(context: Context, folder: Path, remove: bool) -> None:
    """Run a plugin on the local stack, anew with each change of its folder, and show its log. Ctrl-C ends it.

    What is wrong is said with file and line; the version before it runs on. Settings and data stay.
    """
    host = urlsplit(context.target.api_url).hostname or ""
    if host != "localhost" and not host.startswith("127.") and host != "::1":
        raise NoStack(f"{context.target.api_url} is not a local stack, and 'dev' replaces plugins without asking; start one with 'make up'")
    development = Development(context.client, folder.resolve(), click.echo)
    # A program that started us in the background has us ignore Ctrl-C, and ends us with SIGTERM.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        development.run()
    except KeyboardInterrupt:
        click.echo(err=True)
        if remove:
            development.remove()
        elif development.slug:
            click.echo(f"{development.slug} stays installed; 'streamspace plugins uninstall {development.slug}' removes it")


@plugin.command("pack")
@click.argument("folder", metavar="[DIR]", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
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
@click.option(
    "--publisher-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Yours, which signs the release. By default the local stack's; elsewhere the one in your configuration folder, made at first.",
)
@click.option("--unsigned", is_flag=True, help="Sign the index only: the platform cannot say who made the release.")
@json_option
def publish_command(
    package: Path, repository: Path | None, key: Path | None, publisher_key: Path | None, unsigned: bool, as_json: bool
) -> None:
    """Add a release to a repository, sign it, and sign the new index.

    Instead of a package it may be a plugin's folder, which is packed first. On a local stack no options are needed.
    """
    if unsigned and publisher_key is not None:
        raise click.UsageError("Give --publisher-key or --unsigned, not both")
    signer = None if unsigned else kept_key(publisher_key or _own_publisher_key(is_local=repository is None or key is None))
    repository, private_key = own_repository(repository, key)
    content = pack(package) if package.is_dir() else package.read_bytes()
    release = publish(content, repository, private_key, publisher_key=signer)
    if as_json:
        show_json(dataclasses.asdict(release))
    elif release.is_new:
        click.echo(f"Published {release.slug} {release.version} in {repository} (index {release.sequence})")
    else:
        click.echo(f"{release.slug} {release.version} is already published with the same content; nothing changed")


def own_repository(repository: Path | None, key: Path | None) -> tuple[Path, bytes]:
    """The repository's folder and its private key; what is not given is the local stack's."""
    if repository is None or key is None:
        stack = _local_stack()
        repository = repository or stack.folder / "marketplace"
        key = key or stack.folder / "keys" / "marketplace"
        if not key.is_file():
            raise RepositoryInvalid(f"The local stack has no signing key at {key}")
    return repository, key.read_bytes()


def _own_publisher_key(*, is_local: bool) -> Path:
    return _local_stack().folder / "keys" / "publisher" if is_local else Path(click.get_app_dir("streamspace")) / "publisher.key"


def _local_stack() -> Stack:
    stack = find_stack(os.environ, Path.cwd()) or find_own_stack()
    if stack is None:
        raise NoStack("No local stack is running here; give --repository and --key, or start one with 'make run'")
    return stack
