"""Plugin API, "showDialog()". Scope: ``ui``."""

from __future__ import annotations

import time

from . import environment
from .arguments import given, need, segment
from .call import FOREVER, current
from .client import request
from .errors import DialogTimeoutError, ValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .types import DialogButton, DialogType

_METHOD = "ui.show_dialog"
# Between two looks at the answer: half a second at first, then a tenth of the time waited, and at most two seconds.
SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 2.0
RESERVED_S = 1.5  # kept back from the wait, for what the author does about a DialogTimeoutError
LONGEST_S = 15 * 60


def show_dialog(title: str, message: str, type: DialogType, buttons: Sequence[DialogButton] | None, user: str | None) -> Any:
    """What ``streamspace.ui.show_dialog`` promises."""
    call = current.get()
    title, message = need(_METHOD, "title", title), need(_METHOD, "message", message)
    if buttons is not None:
        need(_METHOD, "buttons", buttons, "array")
    asked = call.person if user is None else user
    if asked is None:
        sentence = f"{_METHOD} needs 'user': {call.hook or 'this code'} runs for no person, so say who shall be asked (a username)"
        raise ValidationError(sentence, details={"user": [sentence]})
    need(_METHOD, "user", asked)
    began = time.monotonic()
    until = min(call.deadline - RESERVED_S, began + LONGEST_S)
    timeout = None if call.deadline == FOREVER else max(0, int((until - time.monotonic()) * 1000))
    if timeout == 0:
        raise _timed_out(title, asked)
    body = given(to=asked, title=title, message=message, type=type, buttons=None if buttons is None else list(buttons), timeout=timeout)
    dialog = request(_METHOD, "POST", "dialogs", body=body)
    path = f"dialogs/{segment(_METHOD, 'id', dialog['id'])}"
    while dialog["status"] == "pending" and time.monotonic() < until:
        time.sleep(max(0.0, min(_pause_s(time.monotonic() - began), until - time.monotonic())))
        dialog = request(_METHOD, "GET", path)
    if dialog["status"] == "pending":
        # Whoever answers in this very moment is heard: what is withdrawn tells whether it was answered.
        dialog = request(_METHOD, "DELETE", path)
    if dialog["status"] != "answered":
        raise _timed_out(title, asked)
    return dialog.get("value")


def _pause_s(waited_s: float) -> float:
    return min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, waited_s / 10))


def _timed_out(title: str, asked: str) -> DialogTimeoutError:
    who = f"the plugin '{environment.plugin()}'"
    sentence = f"'{asked}' did not answer the dialog '{title}' of {who} while the call could wait"
    return DialogTimeoutError(sentence, details={"user": asked})
