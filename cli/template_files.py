"""Reading folders of ``kind: Template`` documents."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.errors import CliError

_YAML, _JSON = {".yaml", ".yml"}, {".json"}


class TemplateFileInvalid(CliError):
    code = "TEMPLATE_FILE_INVALID"


@dataclass(frozen=True)
class TemplateDocument:
    path: Path
    name: str
    media_type: str
    content: bytes
    """The one document, as the API takes it."""


def template_files(folder: Path) -> list[Path]:
    """All YAML and JSON files at or below ``folder``, in order of their names."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _YAML | _JSON and path.is_file())


def read_templates(path: Path) -> Iterator[TemplateDocument]:
    """Each ``kind: Template`` document of a file, which may hold several and other kinds.

    Raises: TemplateFileInvalid when the file cannot be parsed or a template has no name.
    """
    for document in _documents(path):
        if not isinstance(document, dict) or document.get("kind") != "Template":
            continue
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(name, str) or not name:
            raise TemplateFileInvalid(f"{path}: a template needs metadata.name, a text")
        if path.suffix.lower() in _JSON:
            yield TemplateDocument(path, name, "application/json", json.dumps(document).encode())
        else:
            text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
            yield TemplateDocument(path, name, "application/yaml", text.encode())


def _documents(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() not in _JSON:
            return list(yaml.safe_load_all(text))
        parsed = json.loads(text)
        return parsed if isinstance(parsed, list) else [parsed]
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise TemplateFileInvalid(f"{path}: {error}") from error
