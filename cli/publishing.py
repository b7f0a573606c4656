"""Adding a release to a plugin repository. The format is in docs/repository-format.md.

Files come in this order: the package, listings and search index under new names, the signature, the index. Between the
last two renames a reader may fetch the old index with the new signature; it does not verify, and reading again a moment
later does. A publisher that dies right there leaves ``.index.json.next`` behind, which the signature fits: the next one
finishes what it began. What the index before this one named stays, for readers who are still at it; older files go.
"""

import fcntl
import gzip
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

from cli.errors import FiguresInvalid, RepositoryInvalid, VersionExists
from cli.manifests import Manifest, read_manifest
from cli.signing import KeyPair, generate_key, is_signed, public_key_of, release_statement, sign
from cli.versions import precedence

__all__ = ["FIGURES", "KeyPair", "Release", "generate_key", "public_key_of", "publish", "set_figures"]

# What a marketplace learns over time, and no manifest says; with what holds until then.
FIGURES: dict[str, Any] = {"rating": None, "reviews_count": 0, "downloads": 0, "price": None}
# An older platform's repositories had everything in the index. They are read, and written in the present format.
_FORMAT_IN_ONE_FILE = 1
_SHORT_DESCRIPTION_CHARACTERS = 120

_AUTHOR = re.compile(r"([^<(]*?) ?(?:<([^<>]*)>)? ?(?:\(([^()]*)\))?")

Plugin = dict[str, Any]


@dataclass(frozen=True)
class _Repository:
    """What a repository holds: ``files`` are the entries of its index, by shard; ``search`` is the one of the search index."""

    sequence: int
    plugins: dict[str, Plugin]
    files: dict[str, dict[str, Any]]
    search: dict[str, Any]

    def names(self) -> set[str]:
        return {str(entry["url"]) for entry in (*self.files.values(), self.search) if entry}


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
        before = _read(repository, public_key)
        digest = hashlib.sha256(package).hexdigest()
        released = _released(before.plugins.get(manifest["name"]), manifest["version"])
        if released is not None:
            if released["sha256"] != digest:
                raise VersionExists(
                    f"{manifest['name']} {manifest['version']} is already published with other content: raise the version",
                    {"published_sha256": released["sha256"], "sha256": digest},
                )
            return _as_release(manifest["name"], released, before.sequence, is_new=False)

        time = now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        release = _release_entry(manifest, package, digest, time) | _signed_by(publisher_key, manifest, digest)
        (repository / "packages").mkdir(exist_ok=True)
        _replace(repository / release["url"], package)
        plugin = _with_release(before.plugins.get(manifest["name"]), manifest, release)
        after = _replace_index(repository, before, [plugin], time, private_key)
        return _as_release(manifest["name"], release, after.sequence, is_new=True)


def set_figures(
    figures: dict[str, dict[str, Any]],
    repository: Path,
    private_key: bytes,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Put what a marketplace learned about its plugins (slug -> some of FIGURES) into their listings; the new sequence.

    All of them or none. Raises: FiguresInvalid, naming each fault; RepositoryInvalid as `publish` does.
    """
    public_key = public_key_of(private_key)
    with _one_publisher_at_a_time(repository):
        before = _read(repository, public_key)
        faults = [fault for slug, given in figures.items() for fault in _faults_of(slug, given, before.plugins)]
        if faults:
            raise FiguresInvalid("; ".join(faults[:10]))
        plugins = [{**before.plugins[slug], **given} for slug, given in figures.items()]
        return _replace_index(repository, before, plugins, now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), private_key).sequence


def _faults_of(slug: str, given: object, plugins: dict[str, Plugin]) -> Iterator[str]:
    if slug not in plugins:
        yield f"the repository has no plugin '{slug}'"
    if not isinstance(given, dict):
        yield f"{slug}: must be an object with some of {', '.join(FIGURES)}"
        return
    for name, value in given.items():
        if name not in FIGURES:
            yield f"{slug}.{name}: is no figure; there are {', '.join(FIGURES)}"
        elif name in ("downloads", "reviews_count") and (type(value) is not int or not 0 <= value < 2**53):
            yield f"{slug}.{name}: must be a whole number, not below 0"
        elif name == "rating" and value is not None and (type(value) not in (int, float) or not 0 <= value <= 5):
            yield f"{slug}.rating: must be from 0 to 5, or null"


@contextmanager
def _one_publisher_at_a_time(repository: Path) -> Iterator[None]:
    with (repository / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back by the system when the file is closed, also by a crash
        yield


# Reading


def _read(repository: Path, public_key: str) -> _Repository:
    from chalicelib.marketplace.listings import FORMAT

    path, signature_path, staged_path = (repository / name for name in ("index.json", "index.json.sig", ".index.json.next"))
    content = path.read_bytes() if path.exists() else None
    signature = signature_path.read_bytes() if signature_path.exists() else b""
    if staged_path.exists():
        staged = staged_path.read_bytes()
        if is_signed(staged, signature, public_key):
            staged_path.replace(path)
            content = staged
    if content is None:
        return _Repository(0, {}, {}, {})
    if not is_signed(content, signature, public_key):
        raise RepositoryInvalid(f"{path} was not signed with this key (public key {public_key})")
    index = json.loads(content)
    if index.get("format") == _FORMAT_IN_ONE_FILE:
        return _Repository(index["sequence"], {plugin["slug"]: plugin for plugin in index["plugins"]}, {}, {})
    if index.get("format") != FORMAT:
        raise RepositoryInvalid(f"{path} has format {index.get('format')!r}; this command writes format {FORMAT}")
    plugins = [plugin for entry in index["listings"].values() for plugin in _listed(repository, entry)]
    return _Repository(index["sequence"], {plugin["slug"]: plugin for plugin in plugins}, index["listings"], index["search"])


def _listed(repository: Path, entry: dict[str, Any]) -> list[Plugin]:
    path = repository / entry["url"]
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise RepositoryInvalid(f"{path} is missing, or is not the file that the signed index names")
    found: list[Plugin] = json.loads(gzip.decompress(content))["plugins"]
    return found


def _released(plugin: Plugin | None, version: str) -> dict[str, Any] | None:
    return next((release for release in (plugin or {}).get("releases", []) if release["version"] == version), None)


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


def _with_release(old: Plugin | None, manifest: Manifest, release: dict[str, Any]) -> Plugin:
    releases = sorted([release, *(old["releases"] if old else [])], key=lambda each: precedence(each["version"]), reverse=True)
    # A fix of an older line must not bring back that line's description.
    describes = old is None or releases[0] is release
    return {**_market_figures(old), **(_description(manifest) if describes else old or {}), "releases": releases}


def _market_figures(old: Plugin | None) -> dict[str, Any]:
    return {name: (old or FIGURES).get(name, value) for name, value in FIGURES.items()}


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
        "is_premium": manifest.get("is_premium") is True or manifest.get("requires_license") is True,
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


def _replace_index(repository: Path, before: _Repository, changed: list[Plugin], time: str, private_key: bytes) -> _Repository:
    """Only the files with the changed listings are written, and the search index."""
    from chalicelib.marketplace import publication
    from chalicelib.marketplace.listings import shard_of

    plugins = {**before.plugins, **{plugin["slug"]: plugin for plugin in changed}}
    by_shard = publication.shards(plugins.values())
    stale = {shard for shard in by_shard if shard not in before.files} | {shard_of(plugin["slug"]) for plugin in changed}
    files = {shard: publication.listings_file(shard, by_shard[shard]) for shard in stale}
    search = publication.search_file(plugins.values())
    for file in (*files.values(), search):
        path = repository / file.path
        path.parent.mkdir(exist_ok=True)
        _replace(path, file.content)
    entries = {**before.files, **{shard: file.entry() for shard, file in files.items()}}
    after = _Repository(before.sequence + 1, plugins, entries, search.entry())
    content = publication.index(after.sequence, time, after.files, after.search, len(plugins))
    staged = repository / ".index.json.next"
    _write_durably(staged, content)
    _replace(repository / "index.json.sig", sign(content, private_key) + b"\n")
    staged.replace(repository / "index.json")
    _remove_older(repository, before.names() | after.names())
    return after


def _remove_older(repository: Path, named: set[str]) -> None:
    for folder in ("listings", "search"):
        for path in (repository / folder).iterdir():
            if f"{folder}/{path.name}" not in named:
                path.unlink()


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
