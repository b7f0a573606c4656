"""What administrators decide: ``plugins policy`` and ``plugins lists``, and ``platform safe-mode``."""

from typing import Any

import click

from cli.client import segment
from cli.context import Context, pass_context
from cli.output import Columns, json_option, show, show_json, visible


def _path(slug: str | None) -> str:
    return f"/admin/plugins/{segment(slug)}/update-policy" if slug else "/admin/update-policy"


@click.command()
@click.argument("slug", required=False)
@click.option("--pin", metavar="VERSION", help="The only version that may be installed.")
@click.option("--unpin", is_flag=True)
@click.option("--skip", "skipped", multiple=True, metavar="VERSION", help="A release to pass over; may be given again.")
@click.option("--unskip", "unskipped", multiple=True, metavar="VERSION")
@click.option("--automatic", type=click.Choice(["none", "security", "all", "default"]), help="What installs by itself.")
@click.option("--wait-hours", type=click.IntRange(min=0), help="From a release to when it may install by itself.")
@json_option
@pass_context
def policy(
    context: Context,
    slug: str | None,
    pin: str | None,
    unpin: bool,
    skipped: tuple[str, ...],
    unskipped: tuple[str, ...],
    automatic: str | None,
    wait_hours: int | None,
    as_json: bool,
) -> None:
    """Show or change how a plugin is updated; without SLUG, what holds for plugins that say nothing else.

    Updates that ask for more scopes, bring new dependencies, are by another publisher or may break something never install by themselves.
    """
    if pin and unpin:
        raise click.UsageError("Give --pin or --unpin, not both")
    if slug is None and (pin or unpin or skipped or unskipped or automatic == "default"):
        raise click.UsageError("Pins and skips are of one plugin: name its SLUG")
    present = context.client.get(_path(slug)).data
    wanted = {name: present[name] for name in (_OF_PLUGIN if slug else _OF_PLATFORM)}
    if slug:
        wanted["pinned_version"] = None if unpin else pin or wanted["pinned_version"]
        left = [version for version in wanted["skipped_versions"] if version not in unskipped]
        wanted["skipped_versions"] = list(dict.fromkeys([*left, *skipped]))
    if automatic is not None:
        wanted["automatic"] = None if automatic == "default" else automatic
    if wait_hours is not None:
        wanted["wait_hours"] = wait_hours
    if any(wanted[name] != present[name] for name in wanted):
        present = context.client.put(_path(slug), wanted).data
    if as_json:
        show_json(present)
        return
    effective = present.get("effective") or present
    rows = [
        {"what": "pinned to", "value": present.get("pinned_version")},
        {"what": "skipped", "value": ", ".join(present.get("skipped_versions") or []) or None},
        {"what": "installs by itself", "value": effective["automatic"]},
        {"what": "after", "value": f"{effective['wait_hours']} h"},
        {"what": "set by", "value": present.get("changed_by")},
        {"what": "last look at the marketplace", "value": (present.get("last_check") or {}).get("checked_at")},
        {"what": "which failed", "value": (present.get("last_check") or {}).get("error")},
    ]
    show([row for row in rows if row["value"] is not None], {"what": "what", "value": "value"}, as_json=False)


_OF_PLATFORM = ("automatic", "wait_hours")
_OF_PLUGIN = ("pinned_version", "skipped_versions", *_OF_PLATFORM)


@click.command()
@click.option("--allow", "allow", multiple=True, metavar="SLUG", help="Only what is allowed may be installed, once anything is.")
@click.option("--allow-publisher", multiple=True, metavar="KEY")
@click.option("--deny", multiple=True, metavar="SLUG")
@click.option("--deny-publisher", multiple=True, metavar="KEY|NAME")
@click.option("--remove", multiple=True, metavar="SLUG|KEY|NAME", help="Take it off whichever list it is on.")
@json_option
@pass_context
def lists(
    context: Context,
    allow: tuple[str, ...],
    allow_publisher: tuple[str, ...],
    deny: tuple[str, ...],
    deny_publisher: tuple[str, ...],
    remove: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show or change which plugins and publishers may be installed. A plugin's publisher is shown by 'plugins show'."""
    present = context.client.get("/admin/plugin-lists").data
    added = {
        ("allow", "plugins"): allow,
        ("allow", "publishers"): allow_publisher,
        ("deny", "plugins"): deny,
        ("deny", "publishers"): deny_publisher,
    }
    wanted: dict[str, dict[str, list[str]]] = {"allow": {}, "deny": {}}
    for (which, kind), more in added.items():
        wanted[which][kind] = list(dict.fromkeys([one for one in present[which][kind] if one not in remove] + list(more)))
    if any(wanted[which] != present[which] for which in wanted):
        present = context.client.put("/admin/plugin-lists", wanted).data
    if as_json:
        show_json(present)
        return
    rows = [{"list": which, "kind": kind.removesuffix("s"), "name": name} for which, kind in added for name in sorted(present[which][kind])]
    show(rows, {"list": "list", "kind": "kind", "name": "name"}, as_json=False, none="Everything may be installed.")
    if present["changed_by"]:
        click.echo(visible(f"changed by {present['changed_by']} at {present['changed_at']}"))
    for one in present["denied"]:
        click.echo(visible(f"installed all the same: {one['slug']} {one['version']}, {one['status']}: {one['reason']}"))


@click.group()
def platform() -> None:
    """The platform as a whole."""


@platform.command("safe-mode")
@click.argument("switch", type=click.Choice(["on", "off"]), required=False)
@json_option
@pass_context
def safe_mode(context: Context, switch: str | None, as_json: bool) -> None:
    """Every plugin that is not core is off until safe mode is left; what happens meanwhile is kept for them.

    Without on or off, whether it is on.
    """
    path = "/admin/platform/safe-mode"
    found: dict[str, Any] = (context.client.put(path, {"enabled": switch == "on"}) if switch else context.client.get(path)).data
    columns: Columns = {
        "safe mode": lambda row: "on" if row["enabled"] else "off",
        "since": "since",
        "by": "by",
        "stay on": "spared",
        "still follow": "settling",
    }
    show(found, columns, as_json=as_json)
