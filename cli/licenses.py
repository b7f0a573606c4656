"""``license``: a vendor's side of licences: issuing keys, and taking them back. ``plugins license``: an administrator's."""

import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli.client import segment
from cli.context import Context, pass_context
from cli.errors import NoStack
from cli.license_book import Issued, LicenseBook
from cli.locating import find_own_stack, find_stack
from cli.output import Columns, json_option, show, show_json, visible

_BOOK = click.option("--book", type=click.Path(dir_okay=False, path_type=Path), help="The local stack's by default.")
_KEY_FORM = "XXXX-XXXX-XXXX-XXXX"


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Seconds since the epoch of a day (its beginning, UTC) or a time."""
    if text is None or text == "never":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a day such as 2030-01-01, nor a time such as 2030-01-01T12:00:00Z") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@click.group("license")
def licenses() -> None:
    """For vendors: issue licence keys, and take them back."""


@licenses.command()
@click.argument("slug")
@click.option("--type", "kind", default="standard", show_default=True, help="What it is called: professional, trial …")
@click.option("--features", default="", metavar="A,B", help="Names that the plugin's vendor gives a meaning.")
@click.option("--expires", callback=_moment, metavar="DAY", help="2030-01-01, or a time; never by default.")
@click.option("--seats", type=click.IntRange(min=0), default=1, show_default=True, help="Installations at once; 0: any number.")
@_BOOK
@json_option
def issue(slug: str, kind: str, features: str, expires: int | None, seats: int, book: Path | None, as_json: bool) -> None:
    """Issue a licence for the plugin SLUG and print its key, which is not shown again."""
    names = tuple(name.strip() for name in features.split(",") if name.strip())
    key = _book(book).issue(slug, type=kind, features=names, expires_at=expires, seats=seats or None)
    if as_json:
        known = {"license_key": key, "plugin": slug, "type": kind, "features": names}
        show_json({**known, "expires_at": _day(expires), "seats": seats or None})
    else:
        click.echo(key)


@licenses.command()
@click.argument("key", metavar=_KEY_FORM)
@_BOOK
@json_option
def revoke(key: str, book: Path | None, as_json: bool) -> None:
    """Take a licence back. Installations learn of it when they next ask, at the latest a day later."""
    revoked = _book(book).revoke(key)
    if as_json:
        show_json(_shown(revoked))
    else:
        click.echo(visible(f"The licence {revoked.masked} of {revoked.plugin} is revoked; {revoked.seats_used} installations had it"))


@licenses.command()
@click.argument("key", metavar=_KEY_FORM)
@click.option("--expires", callback=_moment, metavar="DAY", required=True, help="2031-01-01, a time, or never.")
@_BOOK
@json_option
def extend(key: str, expires: int | None, book: Path | None, as_json: bool) -> None:
    """Give a licence another end, as when somebody has paid for one more year."""
    extended = _book(book).extend(key, expires)
    if as_json:
        show_json(_shown(extended))
    else:
        click.echo(visible(f"The licence {extended.masked} of {extended.plugin} ends: {_day(extended.expires_at) or 'never'}"))


@licenses.command("list")
@_BOOK
@json_option
def list_licenses(book: Path | None, as_json: bool) -> None:
    """What was issued, oldest first. Keys are masked."""
    columns: Columns = {
        "key": "license_key",
        "plugin": "plugin",
        "type": "type",
        "features": "features",
        "expires": "expires_at",
        "seats": lambda row: f"{row['seats_used']} of {row['seats'] or 'any'}",
        "revoked": "revoked_at",
    }
    show([_shown(one) for one in _book(book).everything()], columns, as_json=as_json, none="No licence was issued.")


def _shown(one: Issued) -> dict[str, Any]:
    known = dataclasses.asdict(one)
    known["license_key"] = known.pop("masked")
    return known | {name: _day(known[name]) for name in ("issued_at", "expires_at", "revoked_at")} | {"features": list(one.features)}


def _day(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _book(file: Path | None) -> LicenseBook:
    if file is not None:
        return LicenseBook(file)
    stack = find_stack(os.environ, Path.cwd()) or find_own_stack()
    if stack is None:
        raise NoStack("No local stack is running here; give --book, or start one with 'make run'")
    return LicenseBook(stack.folder / "licenses.sqlite")


@click.command("license")
@click.argument("slug")
@click.argument("action", type=click.Choice(["activate", "deactivate", "verify", "renew"]))
@click.argument("key", required=False, metavar=f"[{_KEY_FORM}]")
@json_option
@pass_context
def plugin_license(context: Context, slug: str, action: str, key: str | None, as_json: bool) -> None:
    """A plugin's licence: activate it with its KEY, give it back, ask whether it is good, fetch it anew.

    Without a KEY 'activate' asks for it, so that it is in no shell's history.
    """
    if key is not None and action != "activate":
        raise click.UsageError(f"'{action}' takes no key: it is about the licence that the plugin has")
    path = f"/admin/plugins/{segment(slug)}/license/{action}"
    if action == "activate":
        found = context.client.post(path, {"license_key": key or click.prompt("Licence key", err=True)}).data
    else:
        found = (context.client.get(path) if action == "verify" else context.client.post(path)).data
    if as_json:
        show_json(found)
    elif action == "deactivate":
        click.echo(visible(f"{slug} has no licence any more; its status is {found['plugin_status']}"))
    else:
        columns = [name for name in ("status", "type", "features", "expires_at", "days_remaining", "license_key", "seats") if name in found]
        columns += [name for name in ("confirmed_at", "valid_until", "is_confirmed") if name in found]
        show(found, {name.replace("_", " "): name for name in columns}, as_json=False)
