import asyncio

import streamspace

from digest import lines_of


class Plugin:
    async def on_load(self):
        self.lock = asyncio.Lock()
        streamspace.commands.register(name="digest", description="Send a digest now", handler=self.digest)

    async def on_session_created(self, session):
        key = f"sessions/{session['user']}"
        async with self.lock:
            seen = await streamspace.storage.get(key) or []
            await streamspace.storage.set(key, [*seen, {"id": session["id"], "template": session["template"]}])

    async def digest(self, args):
        user, seen = await asyncio.gather(
            streamspace.api.get_user(args["user"]),
            streamspace.storage.get(f"sessions/{args['user']}"),
        )
        await streamspace.email.send(
            user["email"],
            f"{len(seen or [])} sessions",
            template="digest",
            data={"name": user["fullName"], "lines": lines_of(seen or []), "signature": self.config["signature"]},
        )
        return len(seen or [])
