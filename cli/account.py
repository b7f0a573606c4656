"""``login``, ``logout`` and ``whoami``."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from cli.client import Client
from cli.context import Context, pass_context, tell
from cli.errors import ApiError, CliError, NetworkError
from cli.locating import locate
from cli.output import Columns, json_option, show
from cli.sso import token_by_browser

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@click.command()
@click.option("--api-url", metavar="URL", help="The platform's address, to which /api/v1 is appended.")
@click.option("--username")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--sso", is_flag=True, help="Sign in with the browser, at the platform's OpenID provider.")
@pass_context
def login(context: Context, api_url: str | None, username: str | None, password_stdin: bool, sso: bool) -> None:
    """Sign in, and stay signed in until 'logout'."""
    url = (api_url or locate(os.environ, Path.cwd(), context.logins).api_url).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter(f"{url!r} is not an http or https address", param_hint="--api-url")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        tell(f"{url} is not encrypted: others on the way can read your password")
    client = Client(url, None, tell=tell)
    if sso:
        username, token = token_by_browser(url, client)
    else:
        username = username or click.prompt("Username")
        password = sys.stdin.readline().rstrip("\r\n") if password_stdin else click.prompt("Password", hide_input=True)
        token = _token(client, {"username": username, "password": password}, can_ask=not password_stdin)
    context.logins.keep(url, token)
    click.echo(f"Signed in to {url} as {username}")
    here = locate(os.environ, Path.cwd(), context.logins)
    if here.api_url != url:
        tell(f"Commands still go to {here.api_url} ({here.source}); set STREAMSPACE_API_URL={url} to use this login here")


def _token(client: Client, given: dict[str, str | None], *, can_ask: bool) -> str:
    """A token for a name and a password; asks for a new password where the platform wants one."""
    try:
        answer = client.post("/auth/login", given)
    except ApiError as error:
        if error.code != "PASSWORD_CHANGE_REQUIRED" or not can_ask:
            raise
        tell("An administrator wants you to set a new password")
        new = click.prompt("New password", hide_input=True, confirmation_prompt=True)
        answer = client.post("/auth/login", {**given, "new_password": new})
    return str(answer.data["token"])


@click.command()
@pass_context
def logout(context: Context) -> None:
    """End the token of the last login and forget it."""
    url = os.environ.get("STREAMSPACE_API_URL", "").rstrip("/") or context.logins.current
    token = context.logins.token_for(url) if url else None
    if url is None or token is None:
        raise CliError("You are not signed in")
    # Forgotten first: whatever the platform says, this machine is to know the token no more.
    context.logins.forget(url)
    try:
        Client(url, token, tell=tell).post("/auth/logout")
    except ApiError as error:
        if error.status != 401:
            raise
    except NetworkError as error:
        tell(f"Forgotten here, but {url} could not be told: {error.message}")
    click.echo(f"Signed out of {url}")


@click.command()
@json_option
@pass_context
def whoami(context: Context, as_json: bool) -> None:
    """Who you are, and on which platform."""
    user = context.client.get("/auth/me").data
    if as_json:
        show(user, {}, as_json=True)
        return
    columns: Columns = {
        "username": "username",
        "full name": "fullName",
        "email": "email",
        "role": "role",
        "tier": "tier",
    }
    show(user, columns, as_json=False)
    click.echo(f"platform   {context.target.api_url} ({context.target.source})")
