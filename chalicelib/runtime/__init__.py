"""The platform's side of a running plugin: its resources, calls, events, commands, storage.

Promises
    Events of one aggregate reach a plugin in order, at least once; a poison one is set aside alone (``deliveries``), within two minutes
    (``attempts``), and can be delivered again (``dead_letters``, ``replaying``).
    A plugin that takes nothing any more is noticed, and its events are kept (``circuit``).
    What is registered is visible exactly while its plugin is active (``active``).
    What a plugin keeps is written whole or not at all, and never exceeds its quota (``storage``, ``usage``).
    A plugin's function can read its own queue and write its own log, and nothing else on AWS (``provisioning``).
"""

from chalicelib.runtime import (
    actions,
    active,
    attempts,
    circuit,
    commands,
    dead_letters,
    deliveries,
    endpoints,
    holdings,
    invoking,
    limits,
    logs,
    migrations,
    names,
    objects,
    provisioning,
    registration,
    replaying,
    schedules,
    storage,
    tables,
)

__all__ = [
    "actions",
    "active",
    "attempts",
    "circuit",
    "commands",
    "dead_letters",
    "deliveries",
    "endpoints",
    "holdings",
    "invoking",
    "limits",
    "logs",
    "migrations",
    "names",
    "objects",
    "provisioning",
    "registration",
    "replaying",
    "schedules",
    "storage",
    "tables",
]
