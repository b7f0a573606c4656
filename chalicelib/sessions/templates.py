"""Templates: what sessions are started from.

Everyone who is signed in sees them; changing them needs ``templates.manage``. A template is kept as the document that it came as, so that
what the platform does not know of it is not lost. A session carries its template's spec with it: changing or deleting a template changes
no session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.accounts import Caller
from chalicelib.core import clock
from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.events import retried, unit_of_work
from chalicelib.sessions import models, registries
from chalicelib.sessions.errors import TemplateAlreadyExists, TemplateNotFound
from chalicelib.sessions.models import TemplateRow
from chalicelib.sessions.template import DOCUMENTED, Template, check_template, spec_of_options
from chalicelib.sessions.template_documents import API_VERSION, completed

_PERMISSION = "templates.manage"


@dataclass(frozen=True)
class TemplatesListed:
    """A part of a list. ``next_cursor`` is where it goes on; None at its end."""

    templates: list[Template]
    next_cursor: str | None


def create_template(wanted: Mapping[str, Any], *, by: Caller) -> Template:
    """A new template, from CreateTemplateOptions or a ``kind: Template`` document.

    Raises: PermissionDenied, ValidationError, InvalidImage, TemplateAlreadyExists; ServiceUnavailable where the image's registry is to be
    asked and gives no answer.
    """
    by.require(_PERMISSION)
    now = clock.now()
    template = _read(wanted, Template("", {}, {}, API_VERSION, now, now))
    with unit_of_work() as work:
        work.create(
            _row(template),
            otherwise=TemplateAlreadyExists(f"There is already a template '{template.name}'", template=template.name),
        )
        for tag in template.tags:
            work.save(models.tag_row(tag, template.name, template.spec["category"]))
    return template


def get_template(name: str) -> Template:
    """Raises TemplateNotFound."""
    return _value(_existing(name))


def list_templates(
    *, category: str | None = None, tag: str | None = None, limit: int = 100, offset: int = 0, cursor: str | None = None
) -> TemplatesListed:
    """Templates by name; both conditions hold. Raises ValidationError for a cursor that is none."""
    after = decode_cursor(cursor).get("after") if cursor else None
    if after is not None and not isinstance(after, str):
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out"]})
    rows = models.templates(category=category, tag=tag, after=after, limit=offset + limit + 1)
    shown = [_value(row) for row in rows[offset : offset + limit]]
    has_more = len(rows) > offset + limit
    return TemplatesListed(shown, encode_cursor({"after": shown[-1].name}) if has_more else None)


@retried
def replace_template(name: str, wanted: Mapping[str, Any], *, by: Caller) -> Template:
    """Put another template in this one's place.

    A document replaces all of it. CreateTemplateOptions replace the documented fields, and what the template has beside them stays.

    Raises: as create_template does, and TemplateNotFound.
    """
    by.require(_PERMISSION)
    row = _existing(name)
    before = _value(row)
    after = replace(_read(wanted, before), created_at=before.created_at, updated_at=clock.now())
    if after.name != name:
        field = "metadata.name" if "kind" in wanted else "name"
        raise ValidationError({field: [f"Must be '{name}', as in the path: a template keeps its name"]})
    read = int(row.revision)
    written = _row(after, revision=read + 1)
    with unit_of_work() as work:
        work.save(written, TemplateRow.revision == read)
        for tag in after.tags:
            work.save(models.tag_row(tag, name, after.spec["category"]))
        for tag in set(before.tags) - set(after.tags):
            work.delete(models.tag_row(tag, name, ""))
    return after


@retried
def delete_template(name: str, *, by: Caller) -> None:
    """Its sessions stay as they are. Raises PermissionDenied, TemplateNotFound."""
    by.require(_PERMISSION)
    row = _existing(name)
    with unit_of_work() as work:
        work.delete(row, TemplateRow.revision == int(row.revision))
        for tag in _value(row).tags:
            work.delete(models.tag_row(tag, name, ""))


def _read(wanted: Mapping[str, Any], before: Template) -> Template:
    """What ``wanted`` (options or a document) makes of ``before``; its rules checked."""
    if "kind" in wanted:
        metadata, spec = dict(wanted["metadata"]), completed(wanted["spec"])
        check_template(metadata["name"], spec, at="spec.")
        _check_image(spec, before)
        return replace(before, name=metadata["name"], spec=spec, metadata=metadata, api_version=wanted.get("apiVersion") or API_VERSION)
    name = wanted.get("name") or before.name
    kept = {field: value for field, value in before.spec.items() if field not in DOCUMENTED}
    spec = {**spec_of_options(wanted), **kept}
    check_template(name, spec)
    _check_image(spec, before)
    return replace(before, name=name, spec=spec, metadata={**before.metadata, "name": name})


def _check_image(spec: Mapping[str, Any], before: Template) -> None:
    """Asked once: a template can be changed in other ways while its registry is away."""
    if spec["baseImage"] != before.spec.get("baseImage"):
        registries.must_have(spec["baseImage"])


def _row(template: Template, revision: int = 1) -> TemplateRow:
    return models.template_row(
        template.name,
        category=template.spec["category"],
        api_version=template.api_version,
        metadata=dict(template.metadata),
        spec=dict(template.spec),
        created_at=clock.rfc3339(template.created_at),
        updated_at=clock.rfc3339(template.updated_at),
        revision=revision,
    )


def _existing(name: str) -> TemplateRow:
    row = models.template_of_name(name)
    if row is None:
        raise TemplateNotFound(f"There is no template '{name}'", template=name)
    return row


def _value(row: TemplateRow) -> Template:
    return Template(
        name=row.name,
        spec=row.spec,
        metadata=row.metadata,
        api_version=row.api_version,
        created_at=clock.parse_rfc3339(row.created_at),
        updated_at=clock.parse_rfc3339(row.updated_at),
    )
