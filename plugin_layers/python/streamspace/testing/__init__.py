"""A StreamSpace platform in memory, for a plugin's own tests. It ships with the SDK, and costs a running plugin nothing.

    from streamspace.testing import create_platform

    with create_platform(users=[{"username": "jane", "tier": "pro"}]) as platform:
        platform.load()
        platform.emit("session.created", {"user": "jane", "template": "firefox-browser"})
        assert platform.notifications[0]["to"] == "jane"

The plugin's real code runs in the SDK's real runtime; only the platform behind it is in memory. It validates by the platform's own
schemas, enforces the manifest's scopes, quotas and the states of a session, and raises the same errors.
"""

from .platform import Platform as Platform
from .platform import PluginFailed as PluginFailed
from .platform import create_platform as create_platform
