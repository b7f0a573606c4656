"""What the platform tells the function by its environment (docs/runtime-protocol.md, "The function")."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_overrides: dict[str, Any] = {}


class PlatformConfig(dict[str, object]):
    """Plugin API, "Platform Configuration": ``config.ingress_domain``, or ``config["ingressDomain"]``."""

    @property
    def namespace(self) -> str:
        return str(self["namespace"])

    @property
    def ingress_domain(self) -> str:
        return str(self["ingressDomain"])

    @property
    def hibernation_enabled(self) -> bool:
        return bool(self["hibernationEnabled"])


def api_url() -> str:
    url = os.environ.get("STREAMSPACE_API_URL")
    if not url:
        raise RuntimeError("STREAMSPACE_API_URL is not set: the plugin API works only inside a plugin that the platform runs")
    return url.rstrip("/")


def token() -> str:
    return os.environ.get("STREAMSPACE_TOKEN", "")


def plugin() -> str:
    """The plugin's slug."""
    return os.environ.get("STREAMSPACE_PLUGIN", "unknown")


def version() -> str:
    return str(_overrides.get("version") or os.environ.get("STREAMSPACE_VERSION", "1.0.0"))


def config() -> PlatformConfig:
    given = json.loads(os.environ.get("STREAMSPACE_CONFIG") or "{}")
    return PlatformConfig({**given, **_overrides.get("config", {})})


def update(platform: Mapping[str, Any]) -> None:
    """Takes the ``platform`` part of ``GET runtime/self``, which is newer than the environment."""
    rest = {key: value for key, value in platform.items() if key != "version"}
    _overrides.update(version=platform.get("version"), config=rest)
