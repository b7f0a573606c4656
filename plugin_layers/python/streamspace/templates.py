"""Plugin API, "Template API". Reads need the scope ``read:templates``, changes ``write:templates``."""

from __future__ import annotations

from .arguments import given, may_have, need, segment
from .awaitable import awaitable
from .client import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .types import EnvironmentVariable, Port, Resources, Template


@awaitable
def get_templates(*, category: str | None = None, tag: str | None = None, limit: int = 100, offset: int | None = None) -> list[Template]:
    """The templates that match, ``limit`` of them at most."""
    may_have("api.get_templates", "text", category=category, tag=tag)
    may_have("api.get_templates", "count", limit=limit, offset=offset)
    query = {"category": category, "tag": tag, "limit": limit, "offset": offset}
    found: list[Template] = request("api.get_templates", "GET", "templates", query=query)
    return found


@awaitable
def get_template(template_name: str) -> Template:
    """Raises TemplateNotFoundError."""
    name = segment("api.get_template", "template_name", template_name)
    found: Template = request("api.get_template", "GET", f"templates/{name}")
    return found


@awaitable
def create_template(
    *,
    name: str,
    display_name: str,
    description: str,
    category: str,
    base_image: str,
    default_resources: Resources,
    ports: Sequence[Port],
    icon: str | None = None,
    env: Sequence[EnvironmentVariable] | None = None,
    capabilities: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> Template:
    """Raises: TemplateAlreadyExistsError, InvalidImageError."""
    method = "api.create_template"
    body = given(
        name=need(method, "name", name),
        displayName=need(method, "display_name", display_name),
        description=need(method, "description", description),
        category=need(method, "category", category),
        baseImage=need(method, "base_image", base_image),
        defaultResources=need(method, "default_resources", default_resources, "object"),
        ports=need(method, "ports", ports, "array"),
        icon=icon,
        env=env,
        capabilities=capabilities,
        tags=tags,
    )
    created: Template = request(method, "POST", "templates", body=body)
    return created
