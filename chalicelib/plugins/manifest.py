"""The manifest: what a plugin says about itself. The schema that editors and authors can use lies beside this file.

What JSON Schema cannot say in a helpful sentence is checked here: versions, ranges, scopes, entry points, rules of settings.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from chalicelib.core import validation, versions
from chalicelib.core.versions import Dependency
from chalicelib.plugins import declarations, fields
from chalicelib.plugins.errors import PackageInvalid

__all__ = ["Dependency", "Manifest", "parse", "schema", "trusted"]

LARGEST_BYTES = 300 * 1024  # it is kept in the plugin's item, and DynamoDB takes 400 KB
# A plugin of such a name would hide a route: /admin/plugins/install and its kind.
ROUTE_WORDS = frozenset({"install", "marketplace", "bulk", "check-updates"})

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,62}")
_PERSON = re.compile(r"\s*(?P<name>[^<(]*?)\s*(?:<(?P<email>[^>]*)>)?\s*(?:\((?P<url>[^)]*)\))?\s*")
_ENDINGS = {"nodejs": (".js", ".mjs", ".cjs"), "python": (".py",)}
_MAIN = {"nodejs": "index.js", "python": "plugin.py"}
_LANGUAGES = {
    ".go": "Go",
    ".rb": "Ruby",
    ".php": "PHP",
    ".java": "Java",
    ".jar": "Java",
    ".rs": "Rust",
    ".cs": "C#",
    ".sh": "a shell script",
}


@dataclass(frozen=True)
class Manifest:
    """``requirements`` always says ``system_version`` where the author wrote either name. ``packages``: npm's or pip's, which are vendored.

    ``settings`` is ``{"tabs", "fields"}`` with labels and defaults filled in, whether the author wrote settings or a configSchema.
    ``contributes`` also has what ``scheduler``, ``api``, ``apiEndpoints`` and ``ui`` declare. ``events``: type -> the method that the
    author named for it, or None. ``tables``: the names in ``database.tables``. ``notes``: what was said and has no effect here, or another
    one than its words promise; a sentence each.
    ``raw`` is the document as it came: what ``this.manifest`` shows to the plugin.
    """

    slug: str
    version: str
    display_name: str
    description: str
    type: str
    author: dict[str, str | None]
    license: str | None
    homepage: str | None
    documentation: str | None
    repository: str | None
    icon: str | None
    screenshots: tuple[str, ...]
    category: str | None
    tags: tuple[str, ...]
    changelog: Any
    runtime: Literal["nodejs", "python"]
    main: str
    scopes: frozenset[str]
    requirements: dict[str, Any]
    dependencies: tuple[Dependency, ...]
    packages: dict[str, str]
    settings: fields.Settings
    requires_license: bool
    is_premium: bool
    is_core: bool
    contributes: dict[str, list[Any]]
    events: dict[str, str | None]
    tables: tuple[str, ...]
    notes: tuple[str, ...]
    limits: dict[str, int]
    raw: dict[str, Any]

    @property
    def has_settings(self) -> bool:
        return bool(self.settings["fields"])


def parse(document: Any) -> Manifest:
    """Raises PackageInvalid with every fault, by field."""
    faults = _faults_of(document)
    if faults:
        raise PackageInvalid(faults)
    return trusted(document)


def is_slug(text: str) -> bool:
    """Whether a plugin could be called so: it says nothing about there being one."""
    return _SLUG.fullmatch(text) is not None


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12)."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("manifest.schema.json").read_text())
    return loaded


def trusted(document: Mapping[str, Any]) -> Manifest:
    """The manifest of a document that :func:`parse` accepted before."""
    runtime = _runtime_of(document)
    dependencies = document.get("dependencies") or []
    requirements = dict(document.get("requirements") or {})
    if "streamspaceVersion" in requirements:
        requirements.setdefault("system_version", requirements["streamspaceVersion"])
        del requirements["streamspaceVersion"]
    repository = document.get("repository")
    return Manifest(
        slug=document["name"],
        version=document["version"],
        display_name=document.get("displayName") or document["name"],
        description=document.get("description") or "",
        type=document.get("type") or "extension",
        author=_person(document.get("author")),
        license=document.get("license"),
        homepage=document.get("homepage"),
        documentation=document.get("documentation"),
        repository=repository.get("url") if isinstance(repository, Mapping) else repository,
        icon=document.get("icon"),
        screenshots=tuple(document.get("screenshots") or ()),
        category=document.get("category"),
        tags=tuple(document.get("tags") or ()),
        changelog=document.get("changelog"),
        runtime=runtime,
        main=_main_of(document, runtime),
        scopes=declarations.scopes(document),
        requirements=requirements,
        dependencies=tuple(
            Dependency(one["slug"], one.get("version_constraint", "*"), one.get("is_optional", False))
            for one in (dependencies if isinstance(dependencies, list) else [])
        ),
        packages=dict(dependencies) if isinstance(dependencies, Mapping) else {},
        settings=fields.of_manifest(document),
        requires_license=document.get("requires_license", False),
        # What needs a licence is premium, whether its author says so or not.
        is_premium=document.get("is_premium", False) or document.get("requires_license", False),
        is_core=document.get("is_core", False),
        contributes=declarations.contributes(document),
        events=declarations.events(document),
        tables=declarations.tables(document),
        notes=(*declarations.notes(document, schema()["properties"]), *fields.notes(document)),
        limits=dict(document.get("limits") or {}),
        raw=dict(document),
    )


# ── Faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _faults_of(document: Any) -> dict[str, list[str]]:
    if not isinstance(document, dict):
        return {"manifest.json": ["Must be a JSON object"]}
    faults = validation.faults_of(schema(), document)
    if "body" in faults:
        faults["manifest.json"] = faults.pop("body")
    # A field whose very shape is wrong is not looked at more closely; the others are.
    broken = {path.partition(".")[0] for path in faults} - {"permissions"}
    for parts, check in _CHECKS:
        if parts & broken:
            continue
        for path, sentences in check(document).items():
            # Our sentence says it better than the schema's about the same field.
            faults = {other: said for other, said in faults.items() if other != path and not other.startswith(f"{path}.")}
            faults[path] = sentences
    if not broken & {"settings", "configSchema", "defaultConfig"}:
        faults |= fields.faults_of(document)
    if not faults and len(json.dumps(document, ensure_ascii=False).encode()) > LARGEST_BYTES:
        faults["manifest.json"] = [f"Must not exceed {LARGEST_BYTES // 1024} KB"]
    return faults


def _name(document: Mapping[str, Any]) -> dict[str, list[str]]:
    slug = document.get("name")
    if slug in ROUTE_WORDS:
        return {"name": [f"'{slug}' is a word of the platform's own addresses; choose another name"]}
    if isinstance(slug, str) and not _SLUG.fullmatch(slug):
        return {"name": [str(schema()["properties"]["name"]["description"])]}
    return {}


def _version(document: Mapping[str, Any]) -> dict[str, list[str]]:
    version = document.get("version")
    if isinstance(version, str) and not versions.is_version(version):
        return {"version": [f"'{version}' is not a semantic version, such as 1.2.0 (semver.org)"]}
    return {}


def _entrypoints(document: Mapping[str, Any]) -> dict[str, list[str]]:
    runtime = _runtime_of(document)
    main = _main_of(document, runtime)
    ending = Path(main).suffix.lower()
    field = "entrypoints.main"
    if main.startswith("/") or "\\" in main or ".." in main.split("/"):
        return {field: [f"'{main}' must be a path inside the package"]}
    if ending in _ENDINGS.get(runtime, ()):
        return {}
    if ending in (".ts", ".tsx", ".jsx"):
        return {field: [f"'{main}' must be compiled to JavaScript first: name the .js file that comes of it"]}
    if ending in _LANGUAGES:
        return {field: [f"'{main}' is {_LANGUAGES[ending]}; plugins run on Node.js (index.js) or Python (plugin.py), so it must be ported"]}
    return {field: [f"'{main}' does not fit the runtime '{runtime}', which runs {' or '.join(_ENDINGS[runtime])} files"]}


def _requirements(document: Mapping[str, Any]) -> dict[str, list[str]]:
    requirements = document.get("requirements") or {}
    wanted = versions.system_range(requirements)
    if wanted is not None and not versions.is_range(wanted):
        name = "system_version" if "system_version" in requirements else "streamspaceVersion"
        return {f"requirements.{name}": [f"'{requirements[name]}' is not a range of versions, such as >=1.0.0 or ^2.1.0"]}
    return {}


def _dependencies(document: Mapping[str, Any]) -> dict[str, list[str]]:
    given = document.get("dependencies")
    if not isinstance(given, list):
        return {}
    faults: dict[str, list[str]] = {}
    seen: set[str] = set()
    for position, one in enumerate(given):
        slug, range_ = one["slug"], one.get("version_constraint", "*")
        where = f"dependencies.{position}"
        if not _SLUG.fullmatch(slug):
            faults[f"{where}.slug"] = [
                f"'{slug}' is not a plugin's slug; npm and pip packages go into an object, and into the package itself"
            ]
        elif slug == document.get("name"):
            faults[f"{where}.slug"] = ["A plugin cannot depend on itself"]
        elif slug in seen:
            faults[f"{where}.slug"] = [f"'{slug}' is named twice"]
        seen.add(slug)
        if not versions.is_range(range_):
            faults[f"{where}.version_constraint"] = [f"'{range_}' is not a range of versions, such as ^1.5.0 (npm's grammar)"]
    return faults


def _contributes(document: Mapping[str, Any]) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    contributes = document.get("contributes") or {}
    for kind, key in (
        ("widgets", "id"),
        ("settings_pages", "id"),
        ("commands", "name"),
        ("permissions", "name"),
    ):
        names = [one[key] for one in contributes.get(kind) or []]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            faults[f"contributes.{kind}"] = [f"'{name}' is there twice" for name in twice]
    return faults


def _misspelt(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Unknown fields are kept for whoever reads them; but one that is all but a known one is a slip that would be hard to find later."""
    known = {_bare(name): name for name in schema()["properties"]}
    faults = {}
    for name in document:
        if name in schema()["properties"]:
            continue
        near = difflib.get_close_matches(_bare(name), known, n=1, cutoff=0.9)
        if near:
            faults[name] = [f"Unknown field; did you mean '{known[near[0]]}'?"]
    return faults


# Each with the parts of the document that it reads.
_CHECKS: tuple[tuple[frozenset[str], Callable[[Mapping[str, Any]], dict[str, list[str]]]], ...] = (
    (frozenset({"name"}), _name),
    (frozenset({"version"}), _version),
    (frozenset(), declarations.faults_of_permissions),
    (frozenset({"entrypoints"}), _entrypoints),
    (frozenset({"requirements"}), _requirements),
    (frozenset({"dependencies"}), _dependencies),
    (frozenset({"contributes"}), _contributes),
    (frozenset({"contributes", "scheduler"}), declarations.faults_of_tasks),
    (frozenset({"contributes", "api", "apiEndpoints"}), declarations.faults_of_endpoints),
    (frozenset({"events"}), declarations.faults_of_events),
    (frozenset({"database"}), declarations.faults_of_tables),
    (frozenset(), _misspelt),
)


def _bare(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _runtime_of(document: Mapping[str, Any]) -> Any:
    """As said; else by the entry point's ending, so that nobody has to say it twice."""
    runtime = document.get("runtime")
    if runtime in _MAIN:
        return runtime
    return "python" if str((document.get("entrypoints") or {}).get("main", "")).endswith(".py") else "nodejs"


def _main_of(document: Mapping[str, Any], runtime: str) -> str:
    main = str((document.get("entrypoints") or {}).get("main") or _MAIN[runtime])
    return main.removeprefix("./")


def _person(author: Any) -> dict[str, str | None]:
    if isinstance(author, Mapping):
        person = {name: author.get(name) or None for name in ("name", "url", "email")}
    elif isinstance(author, str) and (found := _PERSON.fullmatch(author)):
        person = {name: found[name] or None for name in ("name", "url", "email")}
    else:
        person = {"name": author if isinstance(author, str) else "Unknown"}
    return {"name": person["name"] or "Unknown", **{name: text for name, text in person.items() if name != "name" and text}}
