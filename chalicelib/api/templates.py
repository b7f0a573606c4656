"""``/templates``. Source: plugin API, Template API."""

from __future__ import annotations

from typing import Any

from chalicelib import sessions
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.views import sessions as views
from chalicelib.core import validation
from chalicelib.sessions import template_object
from chalicelib.sessions.template_documents import API_VERSIONS

routes = Routes()

_AMOUNT = {"type": "string", "minLength": 1, "maxLength": 64}
# As YAML reads it where the quotation marks were left out.
_LOOSE_AMOUNT = {"type": ["string", "number"], "maxLength": 64}
_LOOSE_AMOUNTS = {"memory": _LOOSE_AMOUNT, "cpu": _LOOSE_AMOUNT}
_KUBERNETES_AMOUNTS = {"type": "object", "properties": _LOOSE_AMOUNTS}
_LOOSE_RESOURCES = {
    "type": "object",
    "properties": {**_LOOSE_AMOUNTS, "requests": _KUBERNETES_AMOUNTS, "limits": _KUBERNETES_AMOUNTS},
}
_PROTOCOL = {"type": "string", "enum": ["TCP", "UDP", "SCTP"], "default": "TCP"}
_FIELDS: dict[str, Any] = {
    "displayName": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": {"type": "string", "maxLength": 8000},
    "category": {"type": "string", "minLength": 1, "maxLength": 200},
    "baseImage": {"type": "string", "minLength": 1, "maxLength": 1024},
    "icon": {"type": "string", "maxLength": 2000},
    "capabilities": {"type": "array", "maxItems": 50, "items": {"type": "string", "minLength": 1, "maxLength": 100}},
    "tags": {"type": "array", "maxItems": 50, "items": {"type": "string", "minLength": 1, "maxLength": 100}},
}
_REQUIRED = ["displayName", "description", "category", "baseImage", "defaultResources", "ports"]


def _spec(*, strict: bool) -> dict[str, Any]:
    """The fields of a template. A ``kind: Template`` document may have more of them, which are kept."""
    more = {} if strict else {"additionalProperties": True}
    closed = {"type": "object", "additionalProperties": False, **more}
    listed = {"type": "array"} if strict else {"type": ["array", "null"]}
    fields = _FIELDS if strict else {name: {**rule, **listed} if rule["type"] == "array" else rule for name, rule in _FIELDS.items()}
    return {
        **closed,
        "required": _REQUIRED if strict else ["displayName", "baseImage"],
        "properties": {
            **fields,
            "defaultResources": {**closed, "required": ["memory", "cpu"], "properties": {"memory": _AMOUNT, "cpu": _AMOUNT}}
            if strict
            else _LOOSE_RESOURCES,
            "ports": {
                **listed,
                "maxItems": 50,
                "items": {
                    **closed,
                    "required": ["name", "containerPort"] if strict else ["containerPort"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": 63},
                        "containerPort": {"type": "integer", "minimum": 1, "maximum": 65535},
                        "protocol": _PROTOCOL,
                    },
                },
            },
            "env": {
                **listed,
                "maxItems": 100,
                "items": {
                    **closed,
                    "required": ["name", "value"] if strict else ["name"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": 253},
                        "value": {"type": "string" if strict else ["string", "number", "boolean", "null"], "maxLength": 8192},
                    },
                },
            },
        },
    }


_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_OPTIONS = _spec(strict=True)
_OPTIONS["properties"] = {"name": _NAME, **_OPTIONS["properties"]}
_DOCUMENT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"type": "string", "pattern": API_VERSIONS, "description": "Must be stream.space/v1alpha1"},
        "kind": {"const": "Template"},
        "metadata": {"type": "object", "required": ["name"], "properties": {"name": _NAME}},
        "spec": _spec(strict=False),
    },
}
# CreateTemplateOptions, or a StreamSpace document, which says so by its kind.
_ANY = {"type": "object", "if": {"required": ["kind"]}, "then": _DOCUMENT}
CREATE_TEMPLATE = {**_ANY, "else": {**_OPTIONS, "required": ["name", *_REQUIRED]}}
REPLACE_TEMPLATE = {**_ANY, "else": _OPTIONS}

_JSON = "application/json"
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")
# With its tags' items a template must fit into one transaction.
_BODY_LIMIT = 64 * 1024


# Token and query; with a tag also a read for each hundred of the templates that have it.
@routes.get(
    "/templates",
    scope="read:templates",
    query={
        "category": {"type": "string", "maxLength": 200},
        "tag": {"type": "string", "maxLength": 100},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        "offset": {"type": "integer", "minimum": 0, "maximum": sessions.DEEPEST_OFFSET, "default": 0},
        "cursor": {"type": "string", "maxLength": 1000},
    },
    returns="[Template]",
    meta="CursorMeta",
    aws_calls=4,
)
def list_templates(request: Request) -> Reply:
    """getTemplates(). By name; ``meta.next_cursor`` (null at the end) goes on where this page ends. 422 VALIDATION_ERROR."""
    found = sessions.list_templates(**request.query)
    return Reply(views.templates(found.templates), meta={"next_cursor": found.next_cursor})


@routes.post(
    "/templates",
    permission="templates.manage",
    scope="write:templates",
    body=CREATE_TEMPLATE,
    body_limit=_BODY_LIMIT,
    takes=(_JSON, *_YAML),
    returns={201: "Template"},
    aws_calls=2,
)
def create_template(request: Request) -> Reply:
    """createTemplate(), or a ``kind: Template`` document as JSON or YAML. 409 TEMPLATE_ALREADY_EXISTS; 422 INVALID_IMAGE,
    VALIDATION_ERROR; 503 SERVICE_UNAVAILABLE where the image's registry is to be asked and gives no answer."""
    return Reply(template_object(sessions.create_template(_wanted(request, CREATE_TEMPLATE), by=request.caller)), status=201)


@routes.get("/templates/{name}", scope="read:templates", returns="Template", aws_calls=2)
def get_template(request: Request, name: str) -> Reply:
    """getTemplate(). 404 TEMPLATE_NOT_FOUND."""
    return Reply(template_object(sessions.get_template(name)))


@routes.put(
    "/templates/{name}",
    permission="templates.manage",
    scope="write:templates",
    body=REPLACE_TEMPLATE,
    body_limit=_BODY_LIMIT,
    takes=(_JSON, *_YAML),
    returns="Template",
    aws_calls=3,
)
def replace_template(request: Request, name: str) -> Reply:
    """Another template in this one's place. 404 TEMPLATE_NOT_FOUND; 422 INVALID_IMAGE, VALIDATION_ERROR."""
    return Reply(template_object(sessions.replace_template(name, _wanted(request, REPLACE_TEMPLATE), by=request.caller)))


@routes.delete("/templates/{name}", permission="templates.manage", scope="write:templates", returns="Nothing", aws_calls=3)
def delete_template(request: Request, name: str) -> Reply:
    """Its sessions stay as they are. 404 TEMPLATE_NOT_FOUND."""
    sessions.delete_template(name, by=request.caller)
    return Reply(message="Template deleted")


def _wanted(request: Request, schema: validation.Schema) -> dict[str, Any]:
    """The JSON body, which the edge has checked, or the YAML document, checked here by the same schema."""
    media_type = (request.header("content-type") or _JSON).partition(";")[0].strip().lower()
    if media_type not in _YAML:
        return request.body
    document = sessions.read_yaml(request.raw_body)
    validation.check(schema, document)
    return document
