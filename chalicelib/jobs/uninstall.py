"""Removing a plugin and everything that was made for it."""

from __future__ import annotations

from typing import Any

from chalicelib import messaging, plugins, runtime
from chalicelib.core import buckets
from chalicelib.events import retried, unit_of_work
from chalicelib.jobs import backups
from chalicelib.jobs.records import Job
from chalicelib.jobs.saga import Saga, Step


def plan(slug: str, *, keep_data: bool, backup: bool) -> dict[str, Any]:
    """Raises PluginNotFound, PluginIsCore, HasDependents (with those that need it)."""
    plugin = plugins.get(slug)
    plugin.must_not_be_core()
    plugins.refuse_while_needed(slug, plugins.all_installed(), to="uninstall")
    tables = [shape.name for shape in runtime.tables.shapes(slug)]
    return {"version": plugin.version, "keep_data": keep_data, "backup": backup, "tables": tables, "locks": [slug]}


def switch_off(job: Job) -> None:
    """Raises HasDependents where somebody came to need it between the plan and the lock."""
    if plugins.find(job.slug) is not None:
        plugins.refuse_while_needed(job.slug, plugins.all_installed(), to="uninstall")
        plugins.switch_off(job.slug, job.actor)


def back_up(job: Job) -> dict[str, Any]:
    """Package, settings (secrets stay encrypted) and stored data, in one zip."""
    if not job.request["backup"] or plugins.find(job.slug) is None:
        return {}
    key = backups.key_of(job.slug, job.request["version"], job.started_at)
    backups.make(key, job.slug, job.request["version"])
    return {"backup_path": f"/{key}"}


def remove_resources(job: Job) -> None:
    runtime.provisioning.delete_function(job.slug)
    runtime.provisioning.delete_queue(job.slug)
    runtime.provisioning.delete_role(job.slug)


def remove_data(job: Job) -> dict[str, Any]:
    keep_data = job.request["keep_data"]
    runtime.holdings.forget(job.slug, keep_data=keep_data)
    if not keep_data:
        plugins.forget_settings(job.slug)
        plugins.policies.forget(job.slug)
    for prefix in (f"packages/{job.slug}/", f"code/{job.slug}/", messaging.templates.prefix_of(job.slug)):
        buckets.remove_under(prefix)
    plugins.assets.withdraw(job.slug)
    return {"data_removed": not keep_data}


def give_license_back(job: Job) -> None:
    """Its seat is free again, at the latest when the licence service is there again."""
    plugins.licenses.detach(job.slug, job.actor)


@retried
def unregister(job: Job) -> None:
    plugin = plugins.find(job.slug)
    if plugin is None:
        return
    with unit_of_work(job.actor) as work:
        row = plugins.remove(work, plugin)
        work.emit("plugin.uninstalled", row, {"plugin": plugin.summary()})


def conclude(job: Job) -> dict[str, Any]:
    """The document's answer. Source: REST §9."""
    return {
        "slug": job.slug,
        "backup_path": job.made["backing-up"].get("backup_path"),
        "data_removed": job.made["removing-data"]["data_removed"],
        "tables_dropped": [] if job.request["keep_data"] else job.request["tables"],
    }


# There is no way back from here on purpose: a step that fails is tried again, and asking to uninstall once more goes on where this
# one stopped.
UNINSTALL = Saga(
    "uninstall",
    Step("deactivating", switch_off, progress=15, message="Stopping the plugin…"),
    Step("backing-up", back_up, progress=35, message="Making a backup…"),
    Step("removing-resources", remove_resources, progress=60, message="Removing its function and queue…"),
    Step("removing-data", remove_data, progress=80, message="Removing its data…"),
    Step("licensing", give_license_back, progress=90, message="Giving its licence back…"),
    Step("unregistering", unregister, progress=95, message="Removing it from the list…"),
    Step("result", conclude, progress=99, message="Finishing…"),
)
