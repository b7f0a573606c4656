"""What a command is given: the client for the located platform, made when first asked for."""

import os
from functools import cached_property
from pathlib import Path

import click

from cli.client import Client
from cli.locating import Logins, Target, locate


def tell(line: str) -> None:
    """For the person who waits; not part of a command's output."""
    click.echo(line, err=True)


class Context:
    @cached_property
    def logins(self) -> Logins:
        return Logins(Path(click.get_app_dir("streamspace")))

    @cached_property
    def target(self) -> Target:
        return locate(os.environ, Path.cwd(), self.logins)

    @cached_property
    def client(self) -> Client:
        return client_for(self.target)


def client_for(target: Target) -> Client:
    return Client(target.api_url, target.token, hint=f" (the address is from {target.source})", tell=tell)


pass_context = click.make_pass_decorator(Context, ensure=True)
