"""The client of a plugin repository: a signed index and packages, served by any web server or bucket. Source: docs/repository-format.md.

The index is believed only when its signature is by the pinned key, and only when it is no older than one accepted before: an old index,
rightly signed, would bring back old faults (a rollback attack; The Update Framework, §1.5.2). It is kept for a minute, then asked for
again with its ETag. Packages are checked against the index's size and SHA-256, so the server that keeps them need not be trusted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pynamodb.exceptions import UpdateError

from chalicelib.core import config, log
from chalicelib.core.tables import condition_failed
from chalicelib.marketplace import listings, publishers
from chalicelib.marketplace.errors import ListingNotFound, MarketplaceUnavailable, SignatureInvalid
from chalicelib.marketplace.listings import Index, Listing, Release
from chalicelib.marketplace.models import AcceptedIndexRow

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

LARGEST_INDEX_BYTES = 20 * 1024 * 1024
LARGEST_PACKAGE_BYTES = 50 * 1024 * 1024
_LARGEST_SIGNATURE_BYTES = 1024
_FRESH_S = 10  # asking again whether it changed is one short answer
_SOCKET_TIMEOUT_S = 5
_INDEX_DEADLINE_S = 10
_PACKAGE_DEADLINE_S = 60
_CHUNK = 64 * 1024
_TRIES = 2


@dataclass(frozen=True)
class _Answer:
    body: bytes
    etag: str | None


@dataclass(frozen=True)
class _Kept:
    index: Index
    etag: str | None
    asked_at: float


_kept: dict[tuple[str, str], _Kept] = {}


def index(fresh_s: float = _FRESH_S) -> Index:
    """The marketplace's index, at most ``fresh_s`` old. Raises MarketplaceUnavailable."""
    url = _index_url()
    public_key = config.setting("MARKETPLACE_PUBLIC_KEY", "")
    if not public_key:
        raise MarketplaceUnavailable("no public key is configured to check its signature with")
    kept = _kept.get((url, public_key))
    if kept is not None and time.monotonic() - kept.asked_at < fresh_s:
        return kept.index
    asked_at = time.monotonic()
    answer = _fetch(url, LARGEST_INDEX_BYTES, _INDEX_DEADLINE_S, etag=kept.etag if kept else None)
    if answer is None:
        assert kept is not None, "only a request with an ETag is answered 304"
        _kept[url, public_key] = _Kept(kept.index, kept.etag, asked_at)
        return kept.index
    fresh = _verified(url, answer, public_key)
    _kept[url, public_key] = _Kept(fresh[0], fresh[1], asked_at)
    return fresh[0]


def find_release(slug: str, version: str | None = None) -> tuple[Listing, Release]:
    """The release asked for, or the newest that fits this platform.

    Raises ListingNotFound (naming the releases that there are), MarketplaceUnavailable.
    """
    found = _look_up(index(), slug, version)
    # What was published a moment ago is not in an index that is kept: ask again before saying no. Unchanged, that is one short answer.
    found = found or _look_up(index(fresh_s=0), slug, version)
    if found is not None:
        return found
    listing = index().listings.get(slug)
    if listing is None:
        raise ListingNotFound(f"The marketplace has no plugin '{slug}'", slug=slug)
    there = [release.version for release in listing.releases]
    raise ListingNotFound(
        f"The marketplace has no version {version} of '{slug}'; it has {', '.join(there[:10])}", slug=slug, version=version, versions=there
    )


def _look_up(known: Index, slug: str, version: str | None) -> tuple[Listing, Release] | None:
    listing = known.listings.get(slug)
    if listing is None:
        return None
    if version is None:
        return listing, listing.newest(config.PLATFORM_VERSION)
    return next(((listing, release) for release in listing.releases if release.version == version), None)


def catalogue() -> Callable[[str], Sequence[Release]]:
    """Gives a slug's releases, newest first, or none. The marketplace is asked on its first use, which may raise MarketplaceUnavailable."""

    def releases_of(slug: str) -> Sequence[Release]:
        listing = index().listings.get(slug)
        return listing.releases if listing else ()

    return releases_of


def download(release: Release) -> bytes:
    """The package. Raises SignatureInvalid when it is not the one that the index names, or not by the publisher named there;
    MarketplaceUnavailable when it cannot be had."""
    if release.size_bytes > LARGEST_PACKAGE_BYTES:
        raise SignatureInvalid(
            f"The package of {release.slug} {release.version} has {release.size_bytes} bytes; {LARGEST_PACKAGE_BYTES} are allowed"
        )
    answer = _fetch(release.url, release.size_bytes, _PACKAGE_DEADLINE_S, too_large=_wrong(release, "is larger than the index says"))
    assert answer is not None, "no ETag was sent"
    if len(answer.body) != release.size_bytes:
        raise _wrong(release, f"has {len(answer.body)} bytes, not {release.size_bytes}")
    if sha256(answer.body).hexdigest() != release.sha256:
        raise _wrong(release, "has another SHA-256 than the index says")
    _must_be_its_publishers(release)
    return answer.body


def forget() -> None:
    """Let go of the index that this container keeps, so that the next question asks the marketplace."""
    _kept.clear()


# ── Trust ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _verified(url: str, answer: _Answer, public_key: str) -> tuple[Index, str | None]:
    for attempt in range(1, _TRIES + 1):
        signature = _fetch(url + ".sig", _LARGEST_SIGNATURE_BYTES, _INDEX_DEADLINE_S)
        assert signature is not None, "no ETag was sent"
        if _is_signed(answer.body, signature.body, public_key):
            break
        if attempt == _TRIES:
            raise MarketplaceUnavailable("its index is not signed by the key that this platform trusts")
        # Published between our two requests? Then the next pair fits.
        again = _fetch(url, LARGEST_INDEX_BYTES, _INDEX_DEADLINE_S)
        assert again is not None, "no ETag was sent"
        answer = again
    try:
        read = listings.read(json.loads(answer.body), url)
    except (ValueError, RecursionError) as error:
        raise MarketplaceUnavailable(f"its index is damaged: {error}") from error
    _accept(read.sequence, public_key)
    return read, answer.etag


def _is_signed(body: bytes, signature: bytes, public_key: str) -> bool:
    try:
        return publishers.is_signed(body, signature, public_key)
    except ValueError as error:
        raise MarketplaceUnavailable("the configured public key is not 32 bytes in base64") from error


def _must_be_its_publishers(release: Release) -> None:
    """Raises SignatureInvalid where the index names a publisher who has not signed this release."""
    if release.publisher is None:
        return
    message = publishers.statement(release.slug, release.version, release.sha256)
    try:
        is_theirs = publishers.is_signed(message, release.publisher_signature or "", release.publisher)
    except ValueError as error:
        raise _wrong(release, "names a publisher whose key is none") from error
    if not is_theirs:
        raise _wrong(release, "is not signed by the publisher that the index names")


def _accept(sequence: int, public_key: str) -> None:
    """Remember the sequence, unless a higher one was accepted before; in one conditional write, so that no two containers disagree."""
    fingerprint = sha256(public_key.encode()).hexdigest()[:16]
    row = AcceptedIndexRow(f"index#{fingerprint}", "accepted")
    try:
        row.update(
            actions=[AcceptedIndexRow.sequence.set(sequence)],
            condition=AcceptedIndexRow.sequence.does_not_exist() | (AcceptedIndexRow.sequence <= sequence),
        )
    except UpdateError as error:
        if not condition_failed(error):
            raise
        log.logger().warning("an old marketplace index was refused", extra={"sequence": sequence})
        raise MarketplaceUnavailable(f"its index (sequence {sequence}) is older than one that was accepted before") from error


def _wrong(release: Release, what: str) -> SignatureInvalid:
    return SignatureInvalid(f"The package of {release.slug} {release.version} {what}", slug=release.slug, version=release.version)


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _index_url() -> str:
    url = config.setting("MARKETPLACE_URL", "")
    if not url:
        raise MarketplaceUnavailable("none is configured")
    return url if url.endswith(".json") else urljoin(url.rstrip("/") + "/", "index.json")


def _fetch(url: str, limit_bytes: int, deadline_s: float, *, etag: str | None = None, too_large: Exception | None = None) -> _Answer | None:
    """None for 304 Not Modified. Raises ``too_large`` past the limit, MarketplaceUnavailable for whatever else goes wrong."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    _must_be_allowed(url)
    headers = {"User-Agent": f"StreamSpace/{config.PLATFORM_VERSION}", **({"If-None-Match": etag} if etag else {})}
    ends_at = time.monotonic() + deadline_s
    try:
        with _opener().open(Request(url, headers=headers), timeout=_SOCKET_TIMEOUT_S) as response:  # noqa: S310 its scheme was checked
            chunks: list[bytes] = []
            size = 0
            while chunk := response.read1(_CHUNK):
                size += len(chunk)
                if size > limit_bytes:
                    raise too_large or MarketplaceUnavailable(f"{url} has more than {limit_bytes} bytes")
                if time.monotonic() > ends_at:
                    raise MarketplaceUnavailable(f"{url} did not arrive within {deadline_s:g} s")
                chunks.append(chunk)
            return _Answer(b"".join(chunks), response.headers.get("ETag"))
    except HTTPError as error:
        with error:
            if error.code == 304 and etag:
                return None
            raise MarketplaceUnavailable(f"{url} answered {error.code}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise MarketplaceUnavailable(f"{url}: {getattr(error, 'reason', None) or error}") from error


@cache
def _opener() -> OpenerDirector:
    from urllib.request import HTTPRedirectHandler, build_opener

    class Redirects(HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            _must_be_allowed(newurl)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return build_opener(Redirects())


def _must_be_allowed(url: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and config.is_local()):
        raise MarketplaceUnavailable(f"its address must begin with https://, not {scheme}://")
