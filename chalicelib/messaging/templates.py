"""Email templates: each a text, an HTML file, or both, under one name. The platform ships some; a plugin brings its own in ``emails/``.

A template sees its data by name (``{{ username }}``), and all of it as ``data``. What is missing is left out, as an empty text. Data is
escaped in HTML and not in texts. A plugin's templates may include and extend one another, and nothing else. The sandbox keeps a template
from reaching Python, and a plugin's are filled in a process of their own, with bounds (:mod:`chalicelib.core.bounded`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.core import aws, bounded
from chalicelib.core.config import setting
from chalicelib.core.errors import ValidationError
from chalicelib.messaging.errors import EmailTemplateNotFound

if TYPE_CHECKING:
    from jinja2 import BaseLoader
    from jinja2.sandbox import SandboxedEnvironment

_FOLDER = Path(__file__).parent / "email_templates"
NAMES = ("session-logs", "welcome")

FOLDER_IN_PACKAGE = "emails/"
LARGEST_TEMPLATES_BYTES = 1024 * 1024
LARGEST_RENDERED_BYTES = 2 * 1024 * 1024
_FILE = re.compile(r"emails/(?P<file>[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(?:html|txt))")

# A plugin's templates: ``report.html`` -> its source.
Sources = Mapping[str, str]


def names_of(sources: Sources) -> tuple[str, ...]:
    return tuple(sorted({file.rpartition(".")[0] for file in sources}))


def rendered(name: str, data: Mapping[str, Any], own: Sources) -> tuple[str | None, str | None]:
    """The email's text and its HTML, one of which may be None. A plugin's ``own`` template goes before the platform's of that name.

    Raises: EmailTemplateNotFound, which says what there is; ValidationError, which says where a plugin's template is wrong.
    """
    if name in names_of(own):
        return _bounded(name, data, own)
    if name not in NAMES:
        raise EmailTemplateNotFound(name, sorted({*names_of(own), *NAMES}))
    text, html = (_filled(_platforms(), f"{name}.{kind}", data) for kind in ("txt", "html"))
    return text, html


# ── A plugin's own ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sources_in(files: Mapping[str, bytes]) -> dict[str, str]:
    """The templates among a package's files; what else lies in ``emails/`` is passed over. Raises as :func:`check` does."""
    found = {match["file"]: content for path, content in files.items() if (match := _FILE.fullmatch(path))}
    faults: dict[str, list[str]] = {}
    sources: dict[str, str] = {}
    for file, content in sorted(found.items()):
        try:
            sources[file] = content.decode()
        except UnicodeDecodeError:
            faults[FOLDER_IN_PACKAGE + file] = ["Must be UTF-8"]
    if sum(map(len, found.values())) > LARGEST_TEMPLATES_BYTES:
        faults[FOLDER_IN_PACKAGE] = [f"Email templates must not have more than {LARGEST_TEMPLATES_BYTES} bytes together"]
    if not faults and sources:
        faults = _faults_of(sources)
    if faults:
        raise ValidationError(faults, "An email template is faulty")
    return sources


def keep(slug: str, version: str, sources: Sources) -> None:
    """Put an installed version's templates where :func:`kept` finds them. One call; may be done twice."""
    body = json.dumps(dict(sources)).encode()
    aws.client("s3").put_object(Bucket=setting("PACKAGES_BUCKET"), Key=_key(slug, version), Body=body, ContentType="application/json")


def kept(slug: str, version: str) -> Sources:
    """The templates of an installed plugin's version. One call."""
    s3 = aws.client("s3")
    try:
        found = s3.get_object(Bucket=setting("PACKAGES_BUCKET"), Key=_key(slug, version))["Body"].read()
    except s3.exceptions.NoSuchKey:
        return {}
    sources: dict[str, str] = json.loads(found)
    return sources


def forget(slug: str, version: str) -> None:
    """Remove what :func:`keep` put. Nothing there is fine."""
    aws.client("s3").delete_object(Bucket=setting("PACKAGES_BUCKET"), Key=_key(slug, version))


def _key(slug: str, version: str) -> str:
    return f"{prefix_of(slug)}{version}.json"


def prefix_of(slug: str) -> str:
    return f"emails/{slug}/"


# ── Filling ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bounded(name: str, data: Mapping[str, Any], own: Sources) -> tuple[str | None, str | None]:
    from jinja2 import DictLoader

    def fill() -> bytes:
        environment = _environment(DictLoader(own))
        texts: list[str | None] = []
        for kind in ("txt", "html"):
            file = f"{name}.{kind}"
            try:
                texts.append(_filled(environment, file, data) if file in own else None)
            except MemoryError:
                # The bound itself: nothing more can be made here, not even a sentence.
                return b'{"too_much": true}'
            except Exception as error:  # noqa: BLE001 a template raises whatever its author made it do
                return json.dumps({"faults": {FOLDER_IN_PACKAGE + file: [_sentence(error)]}}).encode()
        return json.dumps({"texts": texts}).encode()

    answer = _run(fill, name)
    if "faults" in answer:
        raise ValidationError(answer["faults"], f"The email template '{name}' could not be filled")
    text, html = answer["texts"]
    return text, html


def _faults_of(sources: Sources) -> dict[str, list[str]]:
    """Compiles each. In bounds as well: Jinja computes constants while it compiles."""
    from jinja2 import DictLoader

    def compile_all() -> bytes:
        environment = _environment(DictLoader(sources))
        faults: dict[str, list[str]] = {}
        for file in sources:
            try:
                environment.get_template(file)
            except MemoryError:
                return b'{"too_much": true}'
            except Exception as error:  # noqa: BLE001 whatever is wrong with it
                faults[FOLDER_IN_PACKAGE + file] = [_sentence(error)]
        return json.dumps(faults).encode()

    return _run(compile_all, ", ".join(names_of(sources))[:100])


def _run(work: Any, name: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(bounded.run(work, most_bytes=LARGEST_RENDERED_BYTES))
    except bounded.TooMuch:
        answer = {"too_much": True}
    if answer.get("too_much"):
        raise ValidationError(
            {"template": [f"'{name}' takes too much time or memory, or becomes more than {LARGEST_RENDERED_BYTES} bytes; make it smaller"]}
        )
    return answer


def _sentence(error: Exception) -> str:
    line = getattr(error, "lineno", None) or _line_in_template(error)
    said = str(getattr(error, "message", None) or error)[:500] or type(error).__name__
    return f"Line {line}: {said}" if line else said


def _line_in_template(error: Exception) -> int | None:
    """Jinja rewrites tracebacks, so that a template's own lines are in them."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def _filled(environment: SandboxedEnvironment, file: str, data: Mapping[str, Any]) -> str:
    return environment.get_template(file).render({**data, "data": data})


@cache
def _platforms() -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader

    return _environment(FileSystemLoader(_FOLDER))


def _environment(loader: BaseLoader) -> SandboxedEnvironment:
    from jinja2 import ChainableUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        loader=loader,
        autoescape=lambda template: template is None or template.endswith(".html"),
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
