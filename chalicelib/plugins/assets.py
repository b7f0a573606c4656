"""A plugin's published files, which browsers get at ``/plugins/{slug}/…``.

Published are the package's ``assets/`` (without that word in the address), its ``ui/``, and the files that the manifest names as icon and
screenshots. Whoever knows an address may read what is there, with no token: nothing secret belongs in these folders.

Promises
    An address leads to the file of the installed version, or nowhere: to nothing else of the package, or of the bucket.
    An update puts the new files in place before it takes the old ones away: a file of both versions is there all the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from mimetypes import MimeTypes
from urllib.parse import quote

from chalicelib.core import aws, buckets, config
from chalicelib.plugins.manifest import Manifest, is_slug
from chalicelib.plugins.package import Package

LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
"""A Lambda function answers with 6 MB, and base64 makes four bytes of three. Source: AWS, Lambda quotas."""

_FOLDERS = ("assets/", "ui/")
_LINK_S = 120
_ELSEWHERE = re.compile(r"(https?|data):")
# What S3 takes for other than what is written, or not at all.
_UNUSUAL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

# Not those of the machine: what a file is must not depend on where the job ran.
_TYPES = MimeTypes(filenames=())
for _ending, _type in {
    ".avif": "image/avif",
    ".js": "text/javascript",  # RFC 9239
    ".jsx": "text/plain",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".ts": "text/plain",  # not a film
    ".tsx": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}.items():
    _TYPES.add_type(_type, _ending)


@dataclass(frozen=True)
class PublishedFile:
    """``content`` is None where the asker has it already (by ``etag``), or where it is larger than an answer: then ``link`` leads to it."""

    content: bytes | None
    content_type: str
    etag: str
    link: str | None = None


def publish(slug: str, package: Package) -> int:
    """Put these files in place, and take away what was published before and is not among them; how many are published."""
    files = _published(package)
    s3 = aws.client("s3")
    for path, content in files.items():
        s3.put_object(Bucket=_bucket(), Key=_key(slug, path), Body=content, ContentType=type_of(path))
    buckets.remove_under(_key(slug, ""), keeping={_key(slug, path) for path in files})
    return len(files)


def withdraw(slug: str) -> None:
    """Take all of them away."""
    buckets.remove_under(_key(slug, ""))


def read(slug: str, path: str, *, is_known: Callable[[str], bool]) -> PublishedFile | None:
    """The file at ``/plugins/{slug}/{path}``, None where there is none. One GetObject.

    ``is_known`` says of an ETag whether who asks has that one already.
    """
    if not is_slug(slug) or _UNUSUAL.search(path) or any(part in ("", ".", "..") for part in path.split("/")):
        return None
    s3 = aws.client("s3")
    place = {"Bucket": _bucket(), "Key": _key(slug, path)}
    try:
        found = s3.get_object(**place)
    except s3.exceptions.NoSuchKey:
        return None
    content_type, etag = found["ContentType"], found["ETag"]
    with found["Body"] as body:
        if is_known(etag):
            return PublishedFile(None, content_type, etag)
        if found["ContentLength"] > LARGEST_ANSWER_BYTES:
            link: str = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=_LINK_S)
            return PublishedFile(None, content_type, etag, link)
        return PublishedFile(body.read(), content_type, etag)


def address(slug: str, path: str | None) -> str | None:
    """Where a file of the package is published; an address of its own stays as it is."""
    if not path or _ELSEWHERE.match(path):
        return path or None
    return f"/plugins/{slug}/{quote(_below(_clean(path)))}"


def missing(package: Package) -> dict[str, str]:
    """The files that the manifest names and the package does not have, by the manifest's field: their addresses lead nowhere."""
    return {field: path for field, path in _named(package.manifest).items() if path not in package.files}


def type_of(path: str) -> str:
    """The media type by the file's ending, with the character set that all text has here."""
    found, encoding = _TYPES.guess_type(path, strict=False)
    if found is None or encoding is not None:
        return "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def _published(package: Package) -> dict[str, bytes]:
    """By the path in its address. What the manifest names comes last: it is the one that is meant."""
    chosen = {_below(path): content for path, content in package.files.items() if path.startswith(_FOLDERS)}
    named = {path: package.files[path] for path in _named(package.manifest).values() if path in package.files}
    return chosen | {_below(path): content for path, content in named.items()}


def _named(manifest: Manifest) -> dict[str, str]:
    """The files that the manifest names, by its field."""
    fields = {"icon": manifest.icon} | {f"screenshots.{number}": path for number, path in enumerate(manifest.screenshots)}
    return {field: _clean(path) for field, path in fields.items() if path and not _ELSEWHERE.match(path)}


def _clean(path: str) -> str:
    return path.removeprefix("./").removeprefix("/")


def _below(path: str) -> str:
    return path.removeprefix("assets/")


def _key(slug: str, path: str) -> str:
    return f"assets/{slug}/{path}"


def _bucket() -> str:
    return config.setting("PACKAGES_BUCKET")
