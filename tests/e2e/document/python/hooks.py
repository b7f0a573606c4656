"""The reference's examples of hooks and of the plugin's context, in Python. Three of them are the same hook: each is a class of its own."""

from __future__ import annotations

import time
import traceback
from typing import Any

import streamspace
from streamspace.types import Session, User


# onUnload()
class Unloading:
    def __init__(self) -> None:
        self.connections: list[Any] = []
        self.timers: list[Any] = []

    async def on_unload(self) -> None:
        print("Plugin unloading...")

        # Close connections
        for connection in self.connections:
            await connection.close()

        # Clear timers
        for timer in self.timers:
            timer.cancel()

        print("Plugin unloaded")


# this.config
class Configured:
    config: dict[str, Any]

    async def on_load(self) -> None:
        print("API Key:", self.config["apiKey"])
        print("Enabled:", self.config["enabled"])


# onSessionCreated()
class Announcing:
    async def on_session_created(self, session: Session) -> None:
        print(f"Session created: {session['id']}")

        await streamspace.notify(
            session["user"],
            title="Session Created",
            message=f"Your {session['template']} session is starting...",
            type="info",
        )


# onUserCreated()
class Welcoming:
    async def on_user_created(self, user: User) -> None:
        print(f"User created: {user['username']}")

        # Send welcome email
        await streamspace.email.send(to=user["email"], subject="Welcome to StreamSpace", template="welcome", data={"user": user})


# onUserLogin()
class Greeting:
    config: dict[str, Any]

    async def on_user_login(self, user: User) -> None:
        print(f"User logged in: {user['username']}")

        # Track login
        await streamspace.storage.set(f"last-login:{user['username']}", int(time.time() * 1000))

        # Send notification
        if self.config["notifyOnLogin"]:
            await streamspace.notify(
                user["username"],
                title="Welcome Back",
                message=f"Welcome back, {user['fullName']}!",
                type="info",
                timeout=3000,
            )


# Standard Errors
class Careful:
    async def on_session_created(self, session: Session) -> None:
        try:
            await streamspace.api.get_user(session["user"])
            # Handle user
        except streamspace.StreamSpaceError as error:
            if error.name == "UserNotFoundError":
                streamspace.log.error(f"User not found: {session['user']}")
            else:
                raise


# Error Logging
class Reporting:
    async def process_session(self, session: Session) -> None:
        raise RuntimeError("no room for it")

    async def on_session_created(self, session: Session) -> None:
        try:
            await self.process_session(session)
        except RuntimeError as error:
            streamspace.log.error(
                "Failed to process session",
                {"error": str(error), "stack": traceback.format_exc(), "sessionId": session["id"]},
            )

            # Optionally notify admins
            await streamspace.notify_admins(title="Plugin Error", message=f"Failed to process session: {error}", type="error")


class Connection:
    async def close(self) -> None:
        await streamspace.storage.set("closed", True)


class Plugin(Unloading, Configured, Welcoming, Greeting):
    """All of them at once."""

    async def on_load(self) -> None:
        await super().on_load()
        self.connections.append(Connection())
        streamspace.commands.register(name="hear-of-nobody", description="Hears of a session whose user is gone", handler=self.of_nobody)

    async def on_session_created(self, session: Session) -> None:
        for example in (Announcing(), Careful(), Reporting()):
            await example.on_session_created(session)

    async def of_nobody(self, args: Any) -> None:
        gone: Any = {"id": "nobody-vscode", "user": "nobody"}
        await Careful().on_session_created(gone)
