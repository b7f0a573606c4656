"""What the environment tells the platform, read once, on first use.

Each function is given only the variables that it needs (``infra/template.yaml``); asking for one that it lacks is a fault in the
template and says so.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

PLATFORM_VERSION = "1.0.0"

_overrides: dict[str, str] = {}


class NotConfigured(RuntimeError):
    """The function's environment lacks a variable. The fault is in the template, not in the request."""


def setting(name: str, default: str | None = None) -> str:
    """The variable ``STREAMSPACE_{name}``. Raises NotConfigured where it is unset and has no default."""
    value = _overrides.get(name) or os.environ.get(f"STREAMSPACE_{name}")
    if value:
        return value
    if default is None:
        raise NotConfigured(f"STREAMSPACE_{name} is not set for this function")
    return default


def stack() -> str:
    """The stack's name: the prefix of every resource that the platform makes at run time."""
    return setting("STACK", "streamspace")


def namespace() -> str:
    """The Kubernetes namespace of the sessions."""
    return setting("NAMESPACE", "streamspace")


def ingress_domain() -> str:
    """The domain whose subdomains are the sessions' addresses."""
    return setting("INGRESS_DOMAIN", "streamspace.local")


def cluster_grows() -> bool:
    """Whether the cluster makes nodes for pods that find none (an autoscaler, Fargate): then what its nodes have left says nothing."""
    return setting("CLUSTER_GROWS", "false") == "true"


def is_local() -> bool:
    """Whether this is a developer's machine, where plain HTTP to loopback is fine."""
    return setting("ENVIRONMENT", "aws") == "local"


@contextmanager
def overridden(**values: str) -> Iterator[None]:
    """Inside, these settings hold whatever the environment says. For tests."""
    before = dict(_overrides)
    _overrides.update(values)
    try:
        yield
    finally:
        _overrides.clear()
        _overrides.update(before)
