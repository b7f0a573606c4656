"""Server-side apply: each manager owns the fields that it last applied.

A field that a manager applied before and leaves out now is removed, unless someone else owns it too; a value that
another manager owns is changed only when the request forces it. Source: Kubernetes, "Server-Side Apply".
"""

import copy
import json
from typing import Any

from local.cluster.errors import Conflict, Json
from local.cluster.patching import merge_key

Path = tuple[str, ...]
"""Steps into an object in the notation of ``fieldsV1``: ``f:name`` for a field, ``k:{"name":"x"}`` for an entry of a
list."""

NOT_OWNED = {
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata", "f:name"),
    ("f:metadata", "f:namespace"),
    ("f:metadata", "f:uid"),
    ("f:metadata", "f:resourceVersion"),
    ("f:metadata", "f:managedFields"),
}


def apply(live: Json | None, wanted: Json, *, manager: str, force: bool, now: str) -> Json:
    """The object after ``manager`` applied ``wanted`` to ``live`` (None: there is none yet), with who owns what written
    down in it.

    Raises: Conflict, naming each field that another manager owns with another value.
    """
    wanted = copy.deepcopy(wanted)
    wanted.get("metadata", {}).pop("managedFields", None)
    result = copy.deepcopy(live) if live else {}
    entries = result.get("metadata", {}).get("managedFields") or []
    mine_before: set[Path] = set()
    others: dict[str, set[Path]] = {}
    for entry in entries:
        owned = _paths(entry.get("fieldsV1") or {})
        if entry["manager"] == manager and entry["operation"] == "Apply":
            mine_before |= owned
        else:
            others.setdefault(entry["manager"], set()).update(owned)
    mine = {path for path in _leaves(wanted) if path not in NOT_OWNED}

    taken = sorted(
        (owner, path) for owner, owned in others.items() for path in owned & mine if _look_up(result, path) != _look_up(wanted, path)
    )
    if taken and not force:
        raise _conflict(taken)
    lost = {path for _, path in taken}
    for path in sorted(mine_before - mine, key=len, reverse=True):
        if not any(path in owned for owned in others.values()):
            _remove(result, path)
    result = _laid_over(result, wanted)

    kept = []
    for entry in entries:
        if entry["manager"] == manager and entry["operation"] == "Apply":
            continue
        owned = _paths(entry.get("fieldsV1") or {}) - lost
        if owned:
            kept.append({**entry, "fieldsV1": _tree(owned)})
    kept.append(_entry(manager, "Apply", wanted["apiVersion"], mine, now))
    result.setdefault("metadata", {})["managedFields"] = kept
    return result


def updated(live: Json | None, result: Json, *, manager: str, now: str) -> None:
    """Write down in ``result`` that ``manager`` owns what differs from ``live``, as creating, replacing and patching
    do."""
    before = _leaves(live) if live else set()
    changed = {
        path
        for path in _leaves(result)
        if path not in NOT_OWNED
        and path[0] not in ("f:status",)
        and (path not in before or (live is not None and _look_up(live, path) != _look_up(result, path)))
    }
    entries = (live or {}).get("metadata", {}).get("managedFields") or []
    mine = set()
    kept = []
    for entry in entries:
        owned = _paths(entry.get("fieldsV1") or {})
        if entry["manager"] == manager and entry["operation"] == "Update":
            mine |= owned
        elif owned - changed:
            kept.append({**entry, "fieldsV1": _tree(owned - changed)})
    mine = {path for path in mine | changed if _look_up(result, path) is not None}
    if mine:
        kept.append(_entry(manager, "Update", result["apiVersion"], mine, now))
    result.setdefault("metadata", {})["managedFields"] = kept


def _entry(manager: str, operation: str, version: str, owned: set[Path], now: str) -> Json:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": _tree(owned),
    }


def _conflict(taken: list[tuple[str, Path]]) -> Conflict:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{owner}"',
            "field": "." + ".".join(step[2:] for step in path),
        }
        for owner, path in taken
    ]
    listed = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    return Conflict(f"Apply failed with {len(causes)} conflicts: {listed}", details={"causes": causes})


def _leaves(value: Any, at: Path = ()) -> set[Path]:
    """The path of every value that is owned as a whole: scalars, empty objects, lists without a key."""
    if isinstance(value, dict) and value:
        return set().union(*(_leaves(inner, (*at, f"f:{name}")) for name, inner in value.items()))
    if isinstance(value, list) and value and at:
        key = merge_key(at[-1][2:], value)
        if key and all(isinstance(entry, dict) and key in entry for entry in value):
            return set().union(*(_leaves(entry, (*at, _entry_step(key, entry))) for entry in value))
    return {at} if at else set()


def _entry_step(key: str, entry: Json) -> str:
    return "k:" + json.dumps({key: entry[key]}, separators=(",", ":"))


def _tree(paths: set[Path]) -> Json:
    root: Json = {}
    for path in sorted(paths):
        place = root
        for step in path:
            place = place.setdefault(step, {})
    return root


def _paths(tree: Json, at: Path = ()) -> set[Path]:
    if not tree:
        return {at} if at else set()
    return set().union(*(_paths(inner, (*at, step)) for step, inner in tree.items() if step != "."))


def _step_into(value: Any, step: str) -> Any:
    if step.startswith("f:"):
        return value.get(step[2:]) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    ((key, wanted),) = json.loads(step[2:]).items()
    return next((entry for entry in value if isinstance(entry, dict) and entry.get(key) == wanted), None)


def _look_up(value: Any, path: Path) -> Any:
    for step in path:
        value = _step_into(value, step)
    return value


def _remove(value: Any, path: Path) -> None:
    """Take the field away, and with it the entry or the object that held nothing else."""
    *parents, last = path
    holder = _look_up(value, tuple(parents))
    if isinstance(holder, dict):
        holder.pop(last[2:], None)
        step = parents[-1] if parents else ""
        if step.startswith("k:") and set(holder) <= set(json.loads(step[2:])):
            entries = _look_up(value, tuple(parents[:-1]))
            entries.remove(holder)
        elif not holder and len(parents) > 1:
            _remove(value, tuple(parents))


def _laid_over(below: Any, above: Any, field: str = "") -> Any:
    if isinstance(above, dict):
        result = dict(below) if isinstance(below, dict) else {}
        for name, inner in above.items():
            result[name] = _laid_over(result.get(name), inner, name)
        return result
    if isinstance(above, list) and isinstance(below, list) and (key := merge_key(field, above)):
        by_key = {entry.get(key): entry for entry in above}
        result_list = [_laid_over(entry, by_key.pop(entry.get(key))) if entry.get(key) in by_key else entry for entry in below]
        return [*result_list, *by_key.values()]
    return above
