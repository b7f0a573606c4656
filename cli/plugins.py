"""``plugins``: installing, configuring, watching and removing them. Source: REST §1 to §10 and §15."""

import base64
from pathlib import Path
from typing import Any

import click

from cli.arguments import as_setting, json_or_text, pairs
from cli.client import Client, segment
from cli.context import Context, pass_context, tell
from cli.jobs import follow_job
from cli.licenses import plugin_license
from cli.logs import logs
from cli.output import Columns, json_option, show, show_json, tree, visible
from cli.plugin_data import backups, kept, restore
from cli.policies import lists, policy

_LARGEST_IN_A_REQUEST = 3 * 1024 * 1024  # a third more in base64; the platform takes 4.5 MB
_NO_WAIT = {"Prefer": "respond-async"}


def _path(slug: str, rest: str = "") -> str:
    return f"/admin/plugins/{segment(slug)}{rest}"


@click.group()
def plugins() -> None:
    """Install, configure, watch and remove plugins."""


@plugins.command("list")
@click.option("--status", type=click.Choice(["active", "inactive", "error"]))
@click.option("--category")
@click.option("--search", help="In name, description and slug.")
@json_option
@pass_context
def list_plugins(context: Context, status: str | None, category: str | None, search: str | None, as_json: bool) -> None:
    """The installed plugins."""
    found = list(context.client.everything("/admin/plugins", status=status, category=category, search=search))
    columns: Columns = {
        "slug": "slug",
        "name": "name",
        "version": "version",
        "status": "status",
        "update": lambda row: row.get("latest_version") if row.get("has_update") else None,
        "category": "category",
    }
    show(found, columns, as_json=as_json, none="No plugin is installed.")


@plugins.command("show")
@click.argument("slug")
@json_option
@pass_context
def show_plugin(context: Context, slug: str, as_json: bool) -> None:
    """One plugin, with its permissions and what it adds."""
    plugin = context.client.get(_path(slug), include="dependencies,permissions").data
    columns: Columns = {
        "slug": "slug",
        "name": "name",
        "version": "version",
        "status": "status",
        "description": "description",
        "category": "category",
        "author": "author.name",
        "tags": "tags",
        "needs": lambda row: [f"{each['slug']} {each['version_constraint']}" for each in row.get("dependencies") or []],
        "permissions": lambda row: [each["name"] for each in row.get("permissions") or []],
        "adds": lambda row: [
            f"{count} {kind.replace('_', ' ')}" for kind, count in (row.get("registered_components") or {}).items() if count
        ],
        "license": "license.status",
        "installed at": "installed_at",
        "activated at": "activated_at",
        "error": "error",
        "denied": "denied",
        "publisher": "publisher",
        "off in safe mode": lambda row: "yes" if row.get("paused") else None,
        "notes": "notes",
    }
    show(plugin, columns, as_json=as_json)


@plugins.command()
@click.argument("slug", required=False)
@click.option("--version", help="A version; the newest that fits by default.")
@click.option("--file", "--upload", "upload", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A package from here.")
@click.option("--no-activate", is_flag=True, help="Install, and leave it inactive.")
@click.option("--license-key", metavar="XXXX-XXXX-XXXX-XXXX")
@json_option
@pass_context
def install(
    context: Context,
    slug: str | None,
    version: str | None,
    upload: Path | None,
    no_activate: bool,
    license_key: str | None,
    as_json: bool,
) -> None:
    """Install SLUG from the marketplace, or a package with --file, and show how it goes."""
    if (slug is None) == (upload is None):
        raise click.UsageError("Give the SLUG of a plugin in the marketplace, or --file PACKAGE.zip")
    if upload is not None and version is not None:
        raise click.UsageError("--version is for the marketplace; a package has its own")
    wanted: dict[str, Any] = {"activate": not no_activate}
    if upload is not None:
        wanted |= {"source": "upload", **_package(context.client, upload)}
    else:
        wanted |= {"source": "marketplace", "slug": slug}
    if version is not None:
        wanted["version"] = version
    if license_key is not None:
        wanted["license_key"] = license_key

    answer = context.client.post("/admin/plugins/install", wanted, headers=_NO_WAIT)
    result = answer.data
    if answer.status == 202:
        # With --json the output is the result alone.
        result = follow_job(context.client, answer, tell if as_json else click.echo)
        result = {**result, "job_id": answer.data["job_id"]} if isinstance(result, dict) else answer.data
    if as_json:
        show_json(result)
        return
    plugin = result.get("plugin") or {}
    with_others = (result.get("installation") or {}).get("dependencies_installed") or []
    line = f"Installed {plugin.get('slug', slug)} {plugin.get('version', '')}".rstrip()
    if plugin.get("status"):
        line += f", {plugin['status']}"
    if with_others:
        line += f"; with {', '.join(with_others)}"
    click.echo(visible(line))
    for note in (result.get("installation") or {}).get("notes") or []:
        click.echo(visible(f"  note: {note}"))


def _package(client: Client, path: Path) -> dict[str, str]:
    """The package as a request names it; a large one is uploaded first."""
    content = path.read_bytes()
    if len(content) <= _LARGEST_IN_A_REQUEST:
        return {"package": base64.b64encode(content).decode()}
    place = client.post("/admin/plugins/install/uploads", {"size_bytes": len(content)}).data
    client.send_to(place["method"], place["url"], content, place["headers"])
    return {"upload_id": place["upload_id"]}


@plugins.command()
@click.argument("slug")
@json_option
@pass_context
def activate(context: Context, slug: str, as_json: bool) -> None:
    """Let a plugin receive events and answer commands."""
    _switch(context.client, slug, "activate", as_json)


@plugins.command()
@click.argument("slug")
@json_option
@pass_context
def deactivate(context: Context, slug: str, as_json: bool) -> None:
    """Take a plugin out of service; its settings and data stay."""
    _switch(context.client, slug, "deactivate", as_json)


def _switch(client: Client, slug: str, action: str, as_json: bool) -> None:
    answer = client.post(_path(slug, f"/{action}"))
    if as_json:
        show_json(answer.data)
    else:
        click.echo(visible(f"{slug} is {answer.data['status']}"))


@plugins.command()
@click.argument("slug")
@click.option("--version", help="A version, which may be an older one; the newest that fits by default.")
@click.option("--file", "--upload", "upload", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A package from here.")
@click.option("--no-backup", is_flag=True, help="Keep no backup of what is there now.")
@json_option
@pass_context
def update(context: Context, slug: str, version: str | None, upload: Path | None, no_backup: bool, as_json: bool) -> None:
    """Put another version in the place of the installed one; if it does not load, the installed one stays."""
    if upload is not None and version is not None:
        raise click.UsageError("--version is for the marketplace; a package has its own")
    wanted: dict[str, Any] = {"backup": not no_backup}
    if version is not None:
        wanted["version"] = version
    if upload is not None:
        wanted |= _package(context.client, upload)
    answer = context.client.post(_path(slug, "/update"), wanted, headers=_NO_WAIT)
    result = answer.data
    if answer.status == 202:
        result = follow_job(context.client, answer, tell if as_json else click.echo)
    if as_json:
        show_json(result)
        return
    backup = f"; the backup is {result['backup_path']}" if result.get("backup_path") else ""
    click.echo(visible(f"Updated {slug} from {result['previous_version']} to {result['current_version']}{backup}"))


@plugins.command("check-updates")
@json_option
@pass_context
def check_updates(context: Context, as_json: bool) -> None:
    """Ask the marketplace for newer versions of what is installed."""
    found = context.client.post("/admin/plugins/check-updates").data
    if as_json:
        show_json(found)
        return
    columns: Columns = {
        "slug": "slug",
        "installed": "current_version",
        "latest": "latest_version",
        "security": "is_security_update",
        "breaking": "is_breaking_change",
        "look first": lambda row: ", ".join(row["approval_reasons"]) or None,
        "not wanted": lambda row: "pinned" if row["pinned"] else "skipped" if row["skipped"] else None,
        "changes": "changelog_summary",
    }
    show(found["plugins"], columns, as_json=False, none="Everything is up to date.")
    for slug in found["unlisted"]:
        click.echo(visible(f"{slug} is not in the marketplace"))


@plugins.command()
@click.argument("action", type=click.Choice(["activate", "deactivate", "update", "delete"]))
@click.argument("slugs", nargs=-1, required=True, metavar="SLUG...")
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
@json_option
@pass_context
def bulk(context: Context, action: str, slugs: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Do one thing to many plugins, each by itself. Exit code 1 when one of them failed."""
    if action == "delete" and not yes:
        click.confirm(f"Uninstall {', '.join(slugs)}? Their settings and data are deleted, after a backup.", abort=True, err=True)
    found = context.client.post("/admin/plugins/bulk", {"action": action, "plugins": list(slugs)}).data
    if as_json:
        show_json(found)
    else:
        columns: Columns = {"slug": "slug", "done": "success", "error": "error", "job": "job_id"}
        show(found["results"], columns, as_json=False)
    if found["failed"]:
        raise click.exceptions.Exit(1)


@plugins.command()
@click.argument("slug")
@click.option("--keep-data", is_flag=True, help="Keep its tables and what it stored.")
@click.option("--no-backup", is_flag=True, help="Make no backup first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_context
def uninstall(context: Context, slug: str, keep_data: bool, no_backup: bool, yes: bool, as_json: bool) -> None:
    """Remove a plugin, by default with its data, after a backup."""
    if not yes:
        lost = "Its data stays." if keep_data else f"Its settings are deleted, and {kept(context.client, slug)}."
        saved = "No backup is made." if no_backup else "A backup is made first."
        click.confirm(f"Uninstall {slug}? {lost} {saved}", abort=True, err=True)
    answer = context.client.delete(_path(slug), keep_data=keep_data, backup=not no_backup, headers=_NO_WAIT)
    result = answer.data
    if answer.status == 202:
        result = follow_job(context.client, answer, lambda _: None)
    if as_json:
        show_json(result)
        return
    backup = result.get("backup_path")
    click.echo(visible(f"Uninstalled {slug}" + (f"; the backup is {backup}" if backup else "")))


@plugins.command()
@click.argument("slug")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...")
@json_option
@pass_context
def settings(context: Context, slug: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Show a plugin's settings, or change some of them."""
    wanted = pairs(changes)
    present = context.client.get(_path(slug, "/settings")).data
    fields = (present.get("schema") or {}).get("fields") or []
    if wanted:
        kinds = {field["key"]: field.get("type") for field in fields}
        new = {key: as_setting(value, kinds.get(key)) for key, value in wanted.items()}
        values = context.client.put(_path(slug, "/settings"), {"settings": new}).data
        present = {**present, "values": values}
        if as_json:
            show_json(values)
            return
    if as_json:
        show_json(present)
        return
    values = present.get("values") or {}
    described = [{**field, "value": values.get(field["key"])} for field in fields]
    described += [{"key": key, "value": value} for key, value in values.items() if key not in {f["key"] for f in fields}]
    columns: Columns = {"key": "key", "value": "value", "type": "type", "rules": "rules", "label": "label"}
    show(described, columns, as_json=False, none="This plugin has no settings.")


@plugins.command()
@click.argument("slug")
@click.argument("changes", nargs=-1, metavar="[LIMIT=NUMBER]...")
@json_option
@pass_context
def limits(context: Context, slug: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Show what a plugin may use, or change some of it: memory_mb=512 (memory_mb=default gives it back)."""
    wanted = {name: None if text == "default" else json_or_text(text) for name, text in pairs(changes, what="LIMIT=NUMBER").items()}
    path = _path(slug, "/limits")
    found = (context.client.patch(path, wanted) if wanted else context.client.get(path)).data
    if as_json:
        show_json(found)
        return

    def set_by(name: str) -> str:
        return "administrator" if name in found["administered"] else "author" if name in found["wished"] else "default"

    rows = [{"limit": name, "value": value, "set by": set_by(name)} for name, value in found["limits"].items()]
    show(rows, {"limit": "limit", "value": "value", "set by": "set by"}, as_json=False)


@plugins.command()
@click.argument("slug")
@json_option
@pass_context
def dependencies(context: Context, slug: str, as_json: bool) -> None:
    """What a plugin needs, and what needs it."""
    found = context.client.get(_path(slug, "/dependencies")).data
    if as_json:
        show_json(found)
        return
    needed = tree(found.get("dependencies") or [], _dependency, "dependencies", "  ")
    click.echo("\n".join(["Needs:", *needed]) if needed else "Needs no other plugin.")
    dependents = found.get("dependents") or []
    if dependents:
        click.echo("Needed by:")
        for each in dependents:
            click.echo(visible(f"  {each['slug']} ({each.get('requires') or '*'})"))


def _dependency(node: dict[str, Any]) -> str:
    installed = node.get("installed_version") or "not installed"
    optional = ", optional" if node.get("is_optional") else ""
    return f"{node['slug']} {node.get('version_constraint')}: {installed}, {node.get('status')}{optional}"


@plugins.command()
@click.argument("slug")
@click.option("--event", help="Only this type, such as settings_changed.")
@click.option("--from", "since", metavar="TIME")
@click.option("--to", "until", metavar="TIME")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@json_option
@pass_context
def events(context: Context, slug: str, event: str | None, since: str | None, until: str | None, limit: int, as_json: bool) -> None:
    """What was done with a plugin, newest first."""
    query = {"event": event, "from": since, "to": until}
    found = list(context.client.everything(_path(slug, "/events"), at_most=limit, **query))
    columns: Columns = {
        "time": "created_at",
        "event": "event",
        "version": "version",
        "by": "user.name",
        "payload": "payload",
    }
    show(found, columns, as_json=as_json)


@plugins.command("dead-letters")
@click.argument("slug")
@click.option("--history", is_flag=True, help="Each time that an event died, also of those replayed since.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True)
@json_option
@pass_context
def dead_letters(context: Context, slug: str, history: bool, limit: int, as_json: bool) -> None:
    """Events that a plugin could not take, newest first."""
    query = {"history": True} if history else {}
    found = list(context.client.everything(_path(slug, "/events/dead-letters"), at_most=limit, **query))
    columns: Columns = {
        "event": "event_id",
        "type": "event_type",
        "of": "aggregate",
        "attempts": "attempts",
        "died at": "died_at",
        "error": lambda row: (row.get("error") or {}).get("message"),
    }
    show(found, columns, as_json=as_json, none="There are no dead letters.")


@plugins.command()
@click.argument("slug")
@click.option("--event", "--event-id", "event_id", type=int, help="One dead letter; all of them by default.")
@click.option("--from", "since", metavar="TIME", help="What happened since then, instead of dead letters.")
@click.option("--to", "until", metavar="TIME", help="And until then; until now by default.")
@json_option
@pass_context
def replay(context: Context, slug: str, event_id: int | None, since: str | None, until: str | None, as_json: bool) -> None:
    """Deliver dead letters again, or with --from a stretch of history."""
    if (event_id is not None and since is not None) or (until is not None and since is None):
        raise click.UsageError("Give --event, or --from with or without --to, or neither")
    wanted = {name: value for name, value in {"event_id": event_id, "from": since, "to": until}.items() if value is not None}
    answer = context.client.post(_path(slug, "/events/replay"), wanted)
    result = answer.data
    while answer.data.get("has_more"):
        answer = context.client.post(_path(slug, "/events/replay"), wanted)
        result = {**answer.data, "replayed": result["replayed"] + answer.data["replayed"]}
    if as_json:
        show_json(result)
        return
    follows = "; the rest follows" if (result.get("replay") or {}).get("status") == "running" else ""
    count = result["replayed"]
    click.echo(f"{count} event{'' if count == 1 else 's'} will be delivered again{follows}")


plugins.add_command(plugin_license)
plugins.add_command(logs)
plugins.add_command(policy)
plugins.add_command(lists)
plugins.add_command(backups)
plugins.add_command(restore)
