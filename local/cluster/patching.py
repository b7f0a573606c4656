"""The three kinds of patch. Each gives a new object and leaves the old one as it was."""

import copy
from typing import Any

from local.cluster.errors import BadRequest, Invalid, Json

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "conditions": "type",
    "ownerReferences": "uid",
    "hostAliases": "ip",
}
"""By which field the entries of a list are the same entry. ``ports`` has two forms and is looked up by
``merge_key``."""

SETS = {"finalizers"}


def merge_key(field: str, entries: list[Any]) -> str | None:
    """The key by which a list's entries are told apart, or None for a list that is replaced as a whole."""
    if field == "ports":
        return "containerPort" if any("containerPort" in entry for entry in entries if isinstance(entry, dict)) else "port"
    return MERGE_KEYS.get(field)


def merge(target: Any, patch: Any) -> Any:
    """Source: RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def strategic_merge(target: Any, patch: Any) -> Any:
    """As ``merge``, but lists whose entries have a key are merged entry by entry, and ``$patch`` directives are
    obeyed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get("$patch") == "replace":
        return {name: copy.deepcopy(value) for name, value in patch.items() if name != "$patch"}
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            result.pop(name, None)
        elif isinstance(value, list) and name in SETS:
            result[name] = [*result.get(name, []), *(entry for entry in value if entry not in result.get(name, []))]
        elif isinstance(value, list) and (key := merge_key(name, value)):
            result[name] = _merge_entries(result.get(name) or [], value, key)
        else:
            result[name] = strategic_merge(result.get(name), value)
    return result


def _merge_entries(entries: list[Any], patches: list[Any], key: str) -> list[Any]:
    if any(isinstance(patch, dict) and patch.get("$patch") == "replace" and key not in patch for patch in patches):
        return [copy.deepcopy(patch) for patch in patches if "$patch" not in patch]
    result = copy.deepcopy(entries)
    for patch in patches:
        if not isinstance(patch, dict) or key not in patch:
            raise Invalid(f"map: {patch!r} does not contain declared merge key: {key}")
        place = next((place for place, entry in enumerate(result) if entry.get(key) == patch[key]), None)
        if patch.get("$patch") == "delete":
            if place is not None:
                del result[place]
        elif place is None:
            result.append(strategic_merge({}, patch))
        else:
            result[place] = strategic_merge(result[place], patch)
    return result


def json_patch(target: Json, operations: Any) -> Json:
    """Source: RFC 6902.

    Raises: BadRequest for a malformed patch, Invalid for one that does not fit the object.
    """
    if not isinstance(operations, list):
        raise BadRequest("a JSON patch is a list of operations")
    result = copy.deepcopy(target)
    for operation in operations:
        try:
            result = _operate(result, operation)
        except (KeyError, IndexError, TypeError, ValueError) as problem:
            raise Invalid(f"the server rejected our request due to an error in our request: {operation!r}: {problem}") from None
    return result


def _operate(document: Any, operation: Json) -> Any:
    name, path = operation["op"], _pointer(operation["path"])
    if name == "add":
        return _put(document, path, copy.deepcopy(operation["value"]), insert=True)
    if name == "remove":
        return _remove(document, path)
    if name == "replace":
        _get(document, path)
        return _put(document, path, copy.deepcopy(operation["value"]), insert=False)
    if name == "test":
        if _get(document, path) != operation["value"]:
            raise ValueError("the tested value is another")
        return document
    if name in ("move", "copy"):
        source = _pointer(operation["from"])
        value = copy.deepcopy(_get(document, source))
        if name == "move":
            document = _remove(document, source)
        return _put(document, path, value, insert=True)
    raise ValueError(f"there is no operation {name!r}")


def _pointer(path: str) -> list[str]:
    """Source: RFC 6901."""
    if not path:
        return []
    if not path.startswith("/"):
        raise ValueError(f"{path!r} does not start with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _get(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document[_index(step)] if isinstance(document, list) else document[step]
    return document


def _put(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1])
    last = path[-1]
    if isinstance(parent, list):
        if last == "-":
            parent.append(value)
        elif insert:
            place = _index(last)
            if place > len(parent):
                raise IndexError(f"there is no place {place}")
            parent.insert(place, value)
        else:
            parent[_index(last)] = value
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise TypeError(f"{'/'.join(path[:-1])} holds neither a list nor an object")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise ValueError("the whole object cannot be removed")
    parent = _get(document, path[:-1])
    del parent[_index(path[-1]) if isinstance(parent, list) else path[-1]]
    return document


def _index(step: str) -> int:
    if not step.isdigit():
        raise ValueError(f"{step!r} is not a place in a list")
    return int(step)
