"""What an installed plugin keeps, its backups, and restoring one."""

from __future__ import annotations

from chalicelib import jobs, plugins, runtime
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.job_answers import answer

routes = Routes()

_RESTORE = {
    "type": "object",
    "properties": {"backup_path": {"type": "string", "minLength": 1, "maxLength": 500, "description": "As GET backups shows it"}},
    "required": ["backup_path"],
    "additionalProperties": False,
}


# Token, plugin, what is used; its tables, and each table's items for each megabyte.
@routes.get("/admin/plugins/{slug}/data", permission="plugins.view", returns="KeptData", aws_calls=200)
def kept_data(request: Request, slug: str) -> Reply:
    """``{keys, bytes, tables: [{name, items}]}``: what an uninstall without ``keep_data`` would remove. 404 PLUGIN_NOT_FOUND."""
    kept = runtime.holdings.of(plugins.get(slug).slug)
    tables = [{"name": name, "items": items} for name, items in kept.tables.items()]
    return Reply({"keys": kept.keys, "bytes": kept.bytes, "tables": tables})


# Token, and the bucket's list for each thousand backups.
@routes.get("/admin/plugins/{slug}/backups", permission="plugins.view", returns="[Backup]", aws_calls=3)
def backups(request: Request, slug: str) -> Reply:
    """``[{backup_path, version, made_at, size_bytes}]``, newest first; also of a plugin that is not installed any more."""
    shown = [
        {"backup_path": f"/{one.key}", "version": one.version, "made_at": one.made_at, "size_bytes": one.size_bytes}
        for one in jobs.backups_of(slug)
    ]
    return Reply(shown)


@routes.post(
    "/admin/plugins/{slug}/restore",
    permission="plugins.install",
    body=_RESTORE,
    returns={200: "Restoration", 202: "StartedJob"},
    aws_calls=45,
)
def restore(request: Request, slug: str) -> Reply:
    """Of an installed plugin the settings and the data; one that is not installed is installed from its backup. 200 when done within 20 s,
    else 202. 404 BACKUP_NOT_FOUND; 409 BACKUP_OF_ANOTHER_VERSION, OPERATION_IN_PROGRESS; 500 RESTORATION_FAILED."""
    job = jobs.start_restore(slug, request.body["backup_path"], actor=request.caller.actor)
    return answer(request, job, "Backup restored successfully")
