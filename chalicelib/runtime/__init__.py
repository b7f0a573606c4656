"""The platform's side of a running plugin: its resources, calls, events, commands, storage.

Promises
    Events of one aggregate reach a plugin in order, at least once; a poison one is set aside alone (``deliveries``).
    What is registered is visible exactly while its plugin is active (``active``).
    A plugin's function can read its own queue and write its own log, and nothing else on AWS (``provisioning``).
"""

from chalicelib.runtime import (
    actions,
    active,
    commands,
    deliveries,
    endpoints,
    invoking,
    limits,
    logs,
    names,
    provisioning,
    registration,
    schedules,
    storage,
)

__all__ = [
    "actions",
    "active",
    "commands",
    "deliveries",
    "endpoints",
    "invoking",
    "limits",
    "logs",
    "names",
    "provisioning",
    "registration",
    "schedules",
    "storage",
]
