"""``sso``, and the browser's part of ``login --sso``. Source: docs/sign-in.md."""

import base64
import hashlib
import secrets
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import click

from cli.arguments import pairs
from cli.client import Client
from cli.context import Context, pass_context, tell
from cli.errors import CliError
from cli.output import Columns, json_option, show

_COLUMNS: Columns = {
    "issuer": "issuer",
    "client id": "client_id",
    "scopes": "scopes",
    "groups claim": "groups_claim",
    "roles": lambda row: [f"{group}={role}" for group, role in (row.get("roles") or {}).items()],
    "default role": "default_role",
    "default tier": "default_tier",
    "creates users": "creates_users",
    "link by verified email": "link_by_verified_email",
}
_WAIT_S = 300


@click.group()
def sso() -> None:
    """Single sign-on with an OpenID provider."""


@sso.command("show")
@json_option
@pass_context
def show_sso(context: Context, as_json: bool) -> None:
    """How it is configured."""
    found = context.client.get("/platform/sso").data
    if found is None and not as_json:
        click.echo("Single sign-on is off.")
    else:
        show(found, _COLUMNS, as_json=as_json)


@sso.command()
@click.option("--issuer", required=True, metavar="URL")
@click.option("--client-id", required=True)
@click.option("--client-secret", help="Without it, it is asked for; empty for a public client, or to keep the present one.")
@click.option("--scopes", help="openid profile email by default.")
@click.option("--groups-claim", help="groups by default.")
@click.option("--role", "roles", multiple=True, metavar="GROUP=ROLE", help="A group of the provider's and the role that it gives.")
@click.option("--default-role", type=click.Choice(["admin", "manager", "user"]))
@click.option("--default-tier")
@click.option("--creates-users/--no-creates-users", default=True, show_default=True)
@click.option("--link-by-verified-email", is_flag=True)
@json_option
@pass_context
def configure(
    context: Context,
    issuer: str,
    client_id: str,
    client_secret: str | None,
    scopes: str | None,
    groups_claim: str | None,
    roles: tuple[str, ...],
    default_role: str | None,
    default_tier: str | None,
    creates_users: bool,
    link_by_verified_email: bool,
    as_json: bool,
) -> None:
    """Turn it on, or change it."""
    if client_secret is None:
        client_secret = click.prompt("Client secret", hide_input=True, default="", show_default=False, err=True)
    optional: dict[str, Any] = {
        "client_secret": client_secret or None,
        "scopes": scopes,
        "groups_claim": groups_claim,
        "roles": pairs(roles, what="GROUP=ROLE") or None,
        "default_role": default_role,
        "default_tier": default_tier,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    flags = {"creates_users": creates_users, "link_by_verified_email": link_by_verified_email}
    done = context.client.put("/platform/sso", {"issuer": issuer, "client_id": client_id, **flags, **given}).data
    show(done, _COLUMNS, as_json=as_json)


@sso.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def off(context: Context, yes: bool) -> None:
    """Turn it off; who is signed in stays so."""
    if not yes:
        click.confirm("Turn single sign-on off?", abort=True, err=True)
    context.client.delete("/platform/sso")
    click.echo("Single sign-on is off")


def token_by_browser(url: str, client: Client) -> tuple[str, str]:
    """Username and token of whoever signs in with the browser that is opened. Source: RFC 8252 §7.3.

    Raises: CliError when nobody does within five minutes.
    """
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    with _Waiting() as waiting:
        back = f"http://127.0.0.1:{waiting.server_port}/"
        query = urlencode({"redirect_uri": back, "code_challenge": challenge, "state": state})
        address = f"{url}/api/v1/auth/sso/login?{query}"
        tell(f"Sign in with your browser: {address}")
        click.launch(address)
        code = waiting.code(state)
    answer = client.post("/auth/sso/token", {"code": code, "code_verifier": verifier}).data
    return answer["username"], answer["token"]


class _Waiting(HTTPServer):
    """Waits on loopback for the browser to come back."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.came: list[dict[str, str]] = []
        self.timeout = _WAIT_S

    def handle_timeout(self) -> None:
        raise CliError(f"Nobody signed in within {_WAIT_S // 60} minutes")

    def code(self, state: str) -> str:
        """Whoever else calls this port is passed over."""
        while True:
            self.handle_request()
            for given in self.came:
                if secrets.compare_digest(given.get("state", "").encode(), state.encode()) and given.get("code"):
                    return given["code"]
            self.came.clear()


class _Page(BaseHTTPRequestHandler):
    server: _Waiting

    def do_GET(self) -> None:
        self.server.came.append({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})
        body = b"<!doctype html><title>StreamSpace</title><p>You can close this page and go back to the command line."
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """The command line's output is for other things."""
