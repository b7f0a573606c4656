"""The platform's own emails: each a text and an HTML file in ``email_templates/``, which ships with the code.

A template's data is a stranger's: it is escaped in HTML, and the sandbox keeps it from reaching Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.messaging.errors import EmailTemplateNotFound

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_FOLDER = Path(__file__).parent / "email_templates"

NAMES = ("session-logs", "welcome")


def rendered(name: str, data: Mapping[str, Any]) -> tuple[str, str]:
    """The email's text and its HTML. Raises: EmailTemplateNotFound, which says what there is."""
    if name not in NAMES:
        raise EmailTemplateNotFound(name, NAMES)
    text, html = (_environment().get_template(f"{name}.{kind}").render(data=data) for kind in ("txt", "html"))
    return text, html


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import ChainableUndefined, FileSystemLoader
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=lambda template: template is not None and template.endswith(".html"),
        # What is left out of the data is left out of the email.
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
