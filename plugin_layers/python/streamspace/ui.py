"""Plugin API, "UI API". What is registered in ``on_load`` is shown while the plugin is active. Scope: ``ui``."""

from __future__ import annotations

from . import registry
from .arguments import given, may_have, need
from .awaitable import awaitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from .types import DialogButton, DialogType


def register_widget(
    id: str,
    *,
    title: str,
    component: str,
    position: Literal["top", "sidebar", "bottom"] = "top",
    width: Literal["full", "half", "third"] = "full",
    icon: str | None = None,
    permissions: Sequence[str] | None = None,
) -> None:
    """Adds a widget to the dashboard. ``component`` is a path in the package."""
    method = "ui.register_widget"
    may_have(method, "text", position=position, width=width, icon=icon)
    may_have(method, "texts", permissions=permissions)
    widget = given(
        id=need(method, "id", id),
        title=need(method, "title", title),
        component=need(method, "component", component),
        position=position,
        width=width,
        icon=icon,
        permissions=permissions,
    )
    registry.put("widgets", id, widget)


def add_menu_item(
    *,
    label: str,
    path: str,
    component: str,
    icon: str | None = None,
    position: int | None = None,
    permissions: Sequence[str] | None = None,
) -> None:
    """Adds an item to the navigation."""
    method = "ui.add_menu_item"
    may_have(method, "text", icon=icon)
    may_have(method, "integer", position=position)
    may_have(method, "texts", permissions=permissions)
    item = given(
        label=need(method, "label", label),
        path=need(method, "path", path),
        component=need(method, "component", component),
        icon=icon,
        position=position,
        permissions=permissions,
    )
    registry.put("menuItems", path, item)


def register_settings_page(id: str, *, title: str, component: str, icon: str | None = None) -> None:
    """Adds a page to the settings."""
    method = "ui.register_settings_page"
    may_have(method, "text", icon=icon)
    page = given(
        id=need(method, "id", id),
        title=need(method, "title", title),
        component=need(method, "component", component),
        icon=icon,
    )
    registry.put("settingsPages", id, page)


@awaitable
def show_dialog(
    *,
    title: str,
    message: str,
    type: DialogType = "info",
    buttons: Sequence[DialogButton] | None = None,
    user: str | None = None,
) -> Any:
    """Asks a person and waits for the answer: the value of the button that they press, None when they close the dialog.

    Asked is who the call runs for: who ran the command, pressed the button, called the endpoint; in a hook, whose session or
    user it is. ``user`` asks somebody else. Raises DialogTimeoutError when the call must end before they answer.
    """
    from .dialogs import show_dialog as show  # few plugins ask anybody

    return show(title, message, type, buttons, user)
