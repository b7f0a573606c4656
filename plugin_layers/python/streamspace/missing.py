"""What the manifest declares and the code does not have."""

from __future__ import annotations

from . import declared, registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .plugin import Plugin


def missing_in(plugin: Plugin) -> list[str]:
    """In sentences for the author."""
    named = [*plugin.named.items(), *(plugin.manifest.get("lifecycle") or {}).items()]
    idle = [task["name"] for task in declared.tasks(plugin.manifest) if not plugin.scheduled_task(task["name"])]
    unserved = [one["path"] for one in declared.endpoints(plugin.manifest) if not _is_served(one)]
    return [
        *(
            f"manifest.json names the method '{method}' for '{what}', and there is none"
            for what, method in named
            if isinstance(method, str) and not plugin.spelt(method)
        ),
        *(
            f"the scheduled task '{name}' has no handler: write a method '{declared.spellings(name)[1]}', "
            "or streamspace.schedule in on_load"
            for name in idle
        ),
        *(
            f"manifest.json declares the endpoint '{path}', and nothing serves it: streamspace.api.register_endpoint does"
            for path in unserved
        ),
    ]


def _is_served(endpoint: dict[str, Any]) -> bool:
    method = endpoint.get("method")
    return any(
        one["path"] == endpoint.get("path") and (method is None or method.upper() == one["method"]) for one in registry.every("endpoints")
    )
