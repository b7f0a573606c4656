"""Adding a release to a plugin repository. The format is in docs/repository-format.md.

Files are replaced whole, in this order: the package, the signature, the index. Between the last two renames a reader
may fetch the old index with the new signature; it does not verify, and reading again a moment later does. A publisher
that dies right there leaves ``.index.json.next`` behind, which the signature fits: the next one finishes what it began.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.errors import RepositoryInvalid, VersionExists
from cli.manifests import Manifest, read_manifest
from cli.signing import KeyPair, generate_key, is_signed, public_key_of, release_statement, sign
from cli.versions import precedence

__all__ = ["KeyPair", "Release", "generate_key", "public_key_of", "publish"]

_FORMAT = 1
_SHORT_DESCRIPTION_CHARACTERS = 120

_AUTHOR = re.compile(r"([^<(]*?) ?(?:<([^<>]*)>)? ?(?:\(([^()]*)\))?")

Index = dict[str, Any]


@dataclass(frozen=True)
class Release:
    slug: str
    version: str
    url: str
    """Relative to the index."""
    sha256: str
    size_bytes: int
    released_at: str
    sequence: int
    """The index's, with this release in it."""
    is_new: bool
    """False if the repository already had this very package: then nothing was changed."""


def publish(
    package: bytes,
    repository: Path,
    private_key: bytes,
    *,
    publisher_key: bytes | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Release:
    """Put a package into a repository, which is made if it is not there, and sign the new index.

    Publishers wait for one another, so that neither of two releases is lost. ``private_key`` (the repository's, which signs the
    index) and ``publisher_key`` (the author's, which signs the release; None leaves it unsigned) are what `cli.signing.sign` accepts.

    Raises: PackageInvalid; VersionExists if the version is there with other bytes: a release never changes;
    RepositoryInvalid if the index was signed with another key, since platforms that pin that key would refuse the new
    index.
    """
    manifest = read_manifest(package)
    public_key = public_key_of(private_key)
    repository.mkdir(parents=True, exist_ok=True)
    with _one_publisher_at_a_time(repository):
        index = _read_index(repository, public_key)
        digest = hashlib.sha256(package).hexdigest()
        released = _released(index, manifest["name"], manifest["version"])
        if released is not None:
            if released["sha256"] != digest:
                raise VersionExists(
                    f"{manifest['name']} {manifest['version']} is already published with other content: raise the version",
                    {"published_sha256": released["sha256"], "sha256": digest},
                )
            return _as_release(manifest["name"], released, index["sequence"], is_new=False)

        time = now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        release = _release_entry(manifest, package, digest, time) | _signed_by(publisher_key, manifest, digest)
        index = _with_release(index, manifest, release, time)
        (repository / "packages").mkdir(exist_ok=True)
        _replace(repository / release["url"], package)
        _replace_index(repository, index, private_key)
        return _as_release(manifest["name"], release, index["sequence"], is_new=True)


@contextmanager
def _one_publisher_at_a_time(repository: Path) -> Iterator[None]:
    with (repository / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back by the system when the file is closed, also by a crash
        yield


# Reading


def _read_index(repository: Path, public_key: str) -> Index:
    path, signature_path, staged_path = (repository / name for name in ("index.json", "index.json.sig", ".index.json.next"))
    content = path.read_bytes() if path.exists() else None
    signature = signature_path.read_bytes() if signature_path.exists() else b""
    if staged_path.exists():
        staged = staged_path.read_bytes()
        if is_signed(staged, signature, public_key):
            staged_path.replace(path)
            content = staged
    if content is None:
        return {"format": _FORMAT, "sequence": 0, "plugins": []}
    if not is_signed(content, signature, public_key):
        raise RepositoryInvalid(f"{path} was not signed with this key (public key {public_key})")
    index = json.loads(content)
    if index.get("format") != _FORMAT:
        raise RepositoryInvalid(f"{path} has format {index.get('format')!r}; this command writes format {_FORMAT}")
    return dict(index)


def _released(index: Index, slug: str, version: str) -> dict[str, Any] | None:
    return next(
        (
            release
            for plugin in index["plugins"]
            if plugin["slug"] == slug
            for release in plugin["releases"]
            if release["version"] == version
        ),
        None,
    )


# Making the entries: plain values in, plain values out


def _release_entry(manifest: Manifest, package: bytes, digest: str, time: str) -> dict[str, Any]:
    return {
        "version": manifest["version"],
        "released_at": time,
        "url": f"packages/{manifest['name']}-{manifest['version']}.zip",
        "sha256": digest,
        "size_bytes": len(package),
        "requirements": _requirements(manifest),
        "dependencies": _dependencies(manifest),
        "libraries": _libraries(manifest),
        "scopes": sorted({scope for scope in manifest.get("permissions") or [] if isinstance(scope, str)}),
        "changelog": _changelog(manifest),
        "is_security_update": manifest.get("is_security_update") is True,
    }


def _signed_by(publisher_key: bytes | None, manifest: Manifest, digest: str) -> dict[str, str]:
    if publisher_key is None:
        return {}
    message = release_statement(manifest["name"], manifest["version"], digest)
    return {"publisher": public_key_of(publisher_key), "publisher_signature": sign(message, publisher_key).decode()}


def _changelog(manifest: Manifest) -> str | None:
    """This version's part of the changelog, which is a text or a list of ``{version, date, changes}``."""
    changelog = manifest.get("changelog")
    if not isinstance(changelog, list):
        return changelog
    for entry in changelog:
        if isinstance(entry, dict) and entry.get("version") == manifest["version"]:
            changes = entry.get("changes")
            return "\n".join(map(str, changes)) if isinstance(changes, list) else str(changes or "")
    return None


def _author(author: str | dict[str, Any] | None) -> dict[str, Any]:
    """``{name, url, email}``, also of a text such as ``Ann Lee <ann@example.com> (https://example.com)``."""
    if isinstance(author, dict):
        return {field: author.get(field) for field in ("name", "url", "email")}
    text = " ".join((author or "").split())
    found = _AUTHOR.fullmatch(text)
    name, email, url = found.groups() if found else (text, None, None)
    return {"name": name, "url": url, "email": email}


def _requirements(manifest: Manifest) -> dict[str, Any]:
    requirements = dict(manifest.get("requirements") or {})
    older_name = requirements.pop("streamspaceVersion", None)
    if older_name is not None:
        requirements.setdefault("system_version", older_name)
    return requirements


def _dependencies(manifest: Manifest) -> list[dict[str, Any]]:
    """The plugins that it needs. A mapping names vendored libraries instead, which concern nobody else."""
    dependencies = manifest.get("dependencies")
    if not isinstance(dependencies, list):
        return []
    return [
        {
            "slug": wanted["slug"],
            "version_constraint": wanted.get("version_constraint", "*"),
            "is_optional": wanted.get("is_optional") is True,
        }
        for wanted in dependencies
        if isinstance(wanted, dict) and isinstance(wanted.get("slug"), str)
    ]


def _libraries(manifest: Manifest) -> list[str]:
    """The names of the packages that it brings along: a platform says where an update brings more."""
    dependencies = manifest.get("dependencies")
    return sorted(map(str, dependencies)) if isinstance(dependencies, dict) else []


def _with_release(index: Index, manifest: Manifest, release: dict[str, Any], time: str) -> Index:
    slug = manifest["name"]
    old = next((plugin for plugin in index["plugins"] if plugin["slug"] == slug), None)
    releases = sorted([release, *(old["releases"] if old else [])], key=lambda each: precedence(each["version"]), reverse=True)
    # A fix of an older line must not bring back that line's description.
    describes = old is None or releases[0] is release
    plugin = {**_market_figures(old), **(_description(manifest) if describes else old or {}), "releases": releases}
    others = [each for each in index["plugins"] if each["slug"] != slug]
    return {
        "format": _FORMAT,
        "sequence": index["sequence"] + 1,
        "generated_at": time,
        "plugins": sorted([*others, plugin], key=lambda each: str(each["slug"])),
    }


def _market_figures(old: dict[str, Any] | None) -> dict[str, Any]:
    """What a marketplace learns over time, and no manifest says."""
    unknown: dict[str, Any] = {"rating": None, "reviews_count": 0, "downloads": 0, "price": None}
    return {name: (old or unknown).get(name, value) for name, value in unknown.items()}


def _description(manifest: Manifest) -> dict[str, Any]:
    description = manifest.get("description") or ""
    icon = manifest.get("icon") or ""
    return {
        "slug": manifest["name"],
        "name": manifest.get("displayName") or manifest["name"],
        "short_description": _shortened(manifest.get("short_description") or description),
        "description": description,
        "author": _author(manifest.get("author")),
        "homepage": manifest.get("homepage"),
        "documentation": manifest.get("documentation"),
        # A path inside the package can be shown only once it is installed.
        "icon": icon if icon.startswith("https://") else None,
        "category": manifest.get("category"),
        "tags": [tag for tag in manifest.get("tags") or [] if isinstance(tag, str)],
        "is_premium": manifest.get("is_premium") is True,
    }


def _shortened(text: object) -> str:
    line = " ".join(str(text).split())
    if len(line) <= _SHORT_DESCRIPTION_CHARACTERS:
        return line
    return line[: _SHORT_DESCRIPTION_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def _as_release(slug: str, entry: dict[str, Any], sequence: int, *, is_new: bool) -> Release:
    fields = {name: entry[name] for name in ("version", "url", "sha256", "size_bytes", "released_at")}
    return Release(slug=slug, sequence=sequence, is_new=is_new, **fields)


# Writing


def _replace_index(repository: Path, index: Index, private_key: bytes) -> None:
    content = json.dumps(index, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"
    staged = repository / ".index.json.next"
    _write_durably(staged, content)
    _replace(repository / "index.json.sig", sign(content, private_key) + b"\n")
    staged.replace(repository / "index.json")


def _replace(path: Path, content: bytes) -> None:
    """A reader of ``path`` sees the old content or the new, never a part. The lock makes one staging name enough."""
    staged = path.with_name(f".{path.name}.next")
    _write_durably(staged, content)
    staged.replace(path)


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
