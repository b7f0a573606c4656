"""The reference's example of onLoad, in Python."""

from __future__ import annotations

from typing import Any

import streamspace


async def create_connection(config: dict[str, Any]) -> object:
    await streamspace.storage.set("connected-with", config["apiKey"])
    return object()


# onLoad()
class Plugin:
    config: dict[str, Any]
    connection: object

    async def on_load(self) -> None:
        print("Plugin loading...")

        # Validate configuration
        if not self.config.get("apiKey"):
            raise ValueError("API key is required")

        # Initialize connections
        self.connection = await create_connection(self.config)

        # Register UI components
        streamspace.ui.register_widget("my-widget", title="My Widget", component="./components/Widget.jsx")

        print("Plugin loaded successfully")
