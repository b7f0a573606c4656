"""Passes mypy's strict mode, or the types are wrong: what an author may write, and with a type-ignore what not."""

from __future__ import annotations

from typing import Any

import streamspace
from streamspace.endpoint_request import Request
from streamspace.endpoint_response import Response
from streamspace.errors import UserNotFoundError
from streamspace.types import ActionContext, Event, PressedAction, Session, User


class Plugin:
    config: dict[str, Any]
    manifest: dict[str, Any]

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def on_load(self) -> None:
        streamspace.log.info(f"{self.manifest['name']} loads", {"version": streamspace.version})
        streamspace.ui.register_widget("w", title="T", component="./w.jsx", position="sidebar")
        streamspace.commands.register(name="c", description="d", handler=self.count)
        streamspace.schedule("rate(1 hour)", self.sweep, name="sweep")
        streamspace.api.register_endpoint(method="POST", path="/items/:id", handler=self.item, permissions=["admin"])
        streamspace.api.register_endpoint(handler=self.item)  # type: ignore[call-arg]
        namespace: str = streamspace.config.namespace
        self.seen.append(namespace)

    async def on_session_created(self, session: Session, event: Event) -> None:
        self.seen += [session["id"], event["type"]]
        streamspace.notify(session["user"], title="T", message=session["template"], type="success")
        streamspace.notify_admins(title="T", message="M", timeout=3000)
        streamspace.notify("john", title="T", message="M", actions=[{"label": "A", "handler": self.sweep}])
        if streamspace.ui.show_dialog(title="T", message="M", buttons=[{"label": "Yes", "value": True}]):
            streamspace.api.request("sessions", query={"user": "john"})
        streamspace.ui.show_dialog(title="T", message="M", type="question")  # type: ignore[arg-type]
        sessions: list[Session] = streamspace.api.get_sessions(user=session["user"], state="running")
        url: str | None = sessions[0].get("url")
        try:
            user: User = streamspace.api.get_user("john")
        except UserNotFoundError as error:
            streamspace.log.warn(error.message, error.details)
        except streamspace.RateLimitedError as error:
            streamspace.log.warn(error.message, error.retry_after)
        else:
            streamspace.email.send(to=user["email"], subject="S", text=url)

        streamspace.api.update_session(session["id"], state="asleep")  # type: ignore[arg-type]
        streamspace.api.create_session(user="john")  # type: ignore[call-arg]
        session["owner"]  # type: ignore[typeddict-item]
        streamspace.notify("john", message="M")  # type: ignore[call-arg]
        streamspace.api.get_sesion("x")  # type: ignore[attr-defined]

    def item(self, req: Request, res: Response) -> Response:
        user = req.user
        return res.status(201).set("X-Id", req.params["id"]).json({"by": user and user["username"], "size": len(req.raw_body)})

    def on_notification_action(self, action: PressedAction, context: ActionContext) -> str:
        return f"{context['user'].get('username')} pressed {action['label']}"

    def count(self, args: dict[str, Any]) -> int:
        return len(self.seen)

    def sweep(self) -> None:
        self.seen.clear()
