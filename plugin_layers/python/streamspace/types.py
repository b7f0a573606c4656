"""The plugin API's objects as typed dicts, with the keys that travel: ``from streamspace.types import Session``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NotRequired, TypedDict

SessionState = Literal["running", "hibernated", "terminated"]
NotificationType = Literal["success", "info", "warning", "error"]


class Resources(TypedDict):
    memory: str
    cpu: str


class SomeResources(TypedDict, total=False):
    """Resources to ask for; what is left out is the template's."""

    memory: str
    cpu: str


class Session(TypedDict):
    id: str
    name: str
    user: str
    template: str
    state: SessionState
    resources: Resources
    persistentHome: bool
    idleTimeout: str
    createdAt: str
    updatedAt: str
    url: NotRequired[str]
    podName: NotRequired[str]
    lastActivity: NotRequired[str]


class Quotas(TypedDict):
    memory: str
    maxSessions: int
    storage: str
    maxSessionDuration: str


class SomeQuotas(TypedDict, total=False):
    memory: str
    maxSessions: int
    storage: str
    maxSessionDuration: str


class User(TypedDict):
    username: str
    fullName: str
    email: str
    tier: str
    quotas: Quotas
    createdAt: str
    updatedAt: str
    lastLogin: NotRequired[str]


class Port(TypedDict):
    name: str
    containerPort: int
    protocol: NotRequired[str]


class EnvironmentVariable(TypedDict):
    name: str
    value: str


class Template(TypedDict):
    name: str
    displayName: str
    description: str
    category: str
    icon: NotRequired[str]
    baseImage: str
    defaultResources: Resources
    ports: list[Port]
    env: list[EnvironmentVariable]
    capabilities: list[str]
    tags: list[str]
    createdAt: str
    updatedAt: str


class NotificationAction(TypedDict):
    """A click calls ``handler(action, context)`` while its container lives, later ``on_notification_action``.

    A text as ``handler`` is for ``on_notification_action`` to tell buttons apart.
    """

    label: str
    url: NotRequired[str]
    handler: NotRequired[Callable[..., Any] | str]


class PressedAction(TypedDict):
    """A handler's first argument, where it takes one."""

    index: int
    label: str
    handler: str | None


class ActionContext(TypedDict):
    """A handler's second argument: the notification, and who pressed the button."""

    notification: dict[str, Any]
    user: Caller


DialogType = Literal["info", "warning", "error", "confirm"]


class DialogButton(TypedDict):
    label: str
    value: Any
    variant: NotRequired[Literal["text", "outlined", "contained"]]
    color: NotRequired[Literal["primary", "secondary", "error"]]


class EmailAttachment(TypedDict):
    """``content`` is text or bytes; it travels as base64."""

    filename: str
    content: str | bytes
    contentType: NotRequired[str]


class TableShape(TypedDict):
    """One of the plugin's tables. ``key``: ``partition`` and perhaps ``sort``; each index has these and a ``name``."""

    name: str
    key: dict[str, str]
    indexes: list[dict[str, str]]


class ItemPage(TypedDict):
    """A page of a table's items; ``cursor`` asks for the next one, and is None at the end."""

    items: list[dict[str, Any]]
    cursor: str | None


class Event(TypedDict):
    """A hook's second argument, for a hook that takes two."""

    id: int
    type: str
    aggregate: str
    sequence: int
    time: str
    data: dict[str, Any]
    settings_version: NotRequired[int]
    replayed: NotRequired[bool]
    """The event is delivered again because an administrator asked for it."""
    hops: NotRequired[int]
    """How many plugins' hooks, one causing the next, led to it; absent for what a person did."""


class Caller(TypedDict, total=False):
    """Who runs a command: a person, or another plugin."""

    username: str
    plugin: str


class EndpointUser(TypedDict):
    """Who calls an endpoint."""

    username: str
    role: str


class CommandContext(TypedDict):
    """A command handler's second argument, for a handler that takes two."""

    caller: Caller | None
