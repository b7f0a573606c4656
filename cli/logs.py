"""``plugins logs``: what a plugin wrote, once or as it is written."""

import json
import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cli.client import Client, segment
from cli.context import Context, pass_context, tell
from cli.errors import NetworkError
from cli.output import Columns, json_option, show, visible

_POLL_S = 2.0
# Lambda hands lines over some seconds late, and not in order between containers: so far back each poll looks again.
_OVERLAP = timedelta(seconds=60)
_REMEMBERED = 10_000
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_COLUMNS: Columns = {
    "time": "time",
    "level": "level",
    "hook": "hook",
    "event": "event_id",
    "message": "message",
    "data": "data",
}


@click.command()
@click.argument("slug")
@click.option("--level", type=click.Choice(["debug", "info", "warn", "error"]), help="This level and the more serious ones.")
@click.option("--search", metavar="TEXT", help="Only lines with this in message or data.")
@click.option("--hook", help="Only of one hook, such as onSessionCreated.")
@click.option("--event-id", type=int, help="Only of one event.")
@click.option("--from", "since", metavar="TIME", help="A time, or how long ago: 15m, 2h, 7d.  [default: 1d; with --follow 1m]")
@click.option("--to", "until", metavar="TIME", help="A time, or how long ago.")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="The newest lines, at most so many.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@json_option
@pass_context
def logs(
    context: Context,
    slug: str,
    level: str | None,
    search: str | None,
    hook: str | None,
    event_id: int | None,
    since: str | None,
    until: str | None,
    limit: int,
    follow: bool,
    as_json: bool,
) -> None:
    """What a plugin wrote to its log, oldest first. --json with --follow prints one line of JSON for each."""
    if follow and until:
        raise click.UsageError("--follow has no end; leave --to out")
    path = f"/admin/plugins/{segment(slug)}/logs"
    wanted: dict[str, Any] = {"level": level, "search": search, "hook": hook, "event_id": event_id}
    begin = moment(since or ("1m" if follow else "1d"))
    if follow:
        _follow(context.client, path, wanted, begin, as_json)
        return
    wanted |= {"from": begin, "to": moment(until) if until else None}
    found = context.client.everything(path, **wanted)
    none = "Nothing was logged." if since else "Nothing was logged in the last day; --from looks further back."
    show(list(deque(found, maxlen=limit)), _COLUMNS, as_json=as_json, none=none)


def moment(text: str) -> str:
    """``2h`` as the time two hours ago; every other text as it is, for the API to judge."""
    ago = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if ago is None:
        return text
    return _rfc3339(datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))


def _follow(client: Client, path: str, wanted: dict[str, Any], begin: str, as_json: bool) -> None:
    """Each line once, as it comes, until the person presses Ctrl-C, which is no failure."""
    try:
        for line in as_they_come(client, path, wanted, begin):
            click.echo(json.dumps(line, ensure_ascii=False) if as_json else _on_one_line(line))
    except KeyboardInterrupt:
        click.echo(err=True)


def as_they_come(client: Client, path: str, wanted: dict[str, Any], begin: str) -> Iterator[dict[str, Any]]:
    """Each line once, from ``begin`` (RFC 3339) on, without end."""
    shown: dict[str, None] = {}  # ids, the latest sight last
    newest = begin
    while True:
        try:
            found = list(client.everything(path, **{**wanted, "from": begin}))
        except NetworkError as error:
            tell(f"{error.message}; trying again")
            found = []
        for line in found:
            is_new = line["id"] not in shown
            shown.pop(line["id"], None)
            shown[line["id"]] = None
            newest = max(newest, line["time"])
            if is_new:
                yield line
        begin = max(begin, _back_from(newest))
        # By number and not by time: a line's own time, its arrival's and this machine's are three clocks.
        for line_id in list(shown)[: -max(_REMEMBERED, 2 * len(found))]:
            del shown[line_id]
        client.sleep(_POLL_S)


def _back_from(time: str) -> str:
    try:
        return _rfc3339(datetime.fromisoformat(time) - _OVERLAP)
    except ValueError:
        return ""


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _on_one_line(line: dict[str, Any]) -> str:
    where = " ".join(str(line[key]) for key in ("hook", "event_id") if line.get(key) is not None)
    data = json.dumps(line["data"], ensure_ascii=False) if line.get("data") is not None else ""
    return visible("  ".join(part for part in (line["time"], f"{line['level']:5}", where, line["message"], data) if part))
