"""The client of a plugin repository: signed files and packages, served by any web server or bucket. Source: docs/repository-format.md.

The index is believed only when its signature is by the pinned key, and only when it is no older than one accepted before: an old index,
rightly signed, would bring back old faults (a rollback attack; The Update Framework, §1.5.2). It is small, kept for some seconds, then
asked for again with its ETag. It names the files with the listings and the search index; they, and the packages that listings name, are
checked against size and SHA-256, so the server that keeps them need not be trusted. A container fetches the search index with its first
search, and again when another one is published.
"""

from __future__ import annotations

import json
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from pynamodb.exceptions import UpdateError

from chalicelib.core import config, log
from chalicelib.core.tables import condition_failed
from chalicelib.marketplace import listings, publishers
from chalicelib.marketplace.errors import ListingNotFound, MarketplaceUnavailable, SignatureInvalid
from chalicelib.marketplace.listings import File, Index, Listing, Release
from chalicelib.marketplace.models import AcceptedIndexRow
from chalicelib.marketplace.search_index import SearchIndex

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

T = TypeVar("T")

LARGEST_INDEX_BYTES = 1024 * 1024
LARGEST_LISTINGS_BYTES = 64 * 1024 * 1024
LARGEST_SEARCH_BYTES = 256 * 1024 * 1024
LARGEST_PACKAGE_BYTES = 50 * 1024 * 1024
_LARGEST_SIGNATURE_BYTES = 1024
_FRESH_S = 10  # asking again whether it changed is one short answer
_SOCKET_TIMEOUT_S = 5
_INDEX_DEADLINE_S = 10
_PACKAGE_DEADLINE_S = 60
_SEARCH_DEADLINE_S = 20  # API Gateway gives up after 29 s
_SHARDS_KEPT = 8
_AT_ONCE = 8
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
# By the SHA-256 of their files: what was read stays right for ever.
_shards: OrderedDict[str, dict[str, dict[str, Any]]] = OrderedDict()
_search: dict[str, SearchIndex] = {}


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


def search_index() -> SearchIndex:
    """The marketplace's search index. Raises MarketplaceUnavailable."""
    return _of_current(_search_index)


def listings_of(slugs: Iterable[str], fresh_s: float = _FRESH_S) -> dict[str, Listing]:
    """Those of these plugins that the marketplace has, by slug. Raises MarketplaceUnavailable."""
    wanted = list(dict.fromkeys(slugs))
    return _of_current(lambda known: _listings(known, wanted), fresh_s)


def find_release(slug: str, version: str | None = None) -> tuple[Listing, Release]:
    """The release asked for, or the newest that fits this platform.

    Raises ListingNotFound (naming the releases that there are), MarketplaceUnavailable.
    """
    found = _release_of(listings_of([slug]).get(slug), version)
    if found is not None:
        return found
    # What was published a moment ago is not in an index that is kept: ask again before saying no. Unchanged, that is one short answer.
    listing = listings_of([slug], fresh_s=0).get(slug)
    found = _release_of(listing, version)
    if found is not None:
        return found
    if listing is None:
        raise ListingNotFound(f"The marketplace has no plugin '{slug}'", slug=slug)
    there = [release.version for release in listing.releases]
    raise ListingNotFound(
        f"The marketplace has no version {version} of '{slug}'; it has {', '.join(there[:10])}", slug=slug, version=version, versions=there
    )


def _release_of(listing: Listing | None, version: str | None) -> tuple[Listing, Release] | None:
    if listing is None:
        return None
    if version is None:
        return listing, listing.newest(config.PLATFORM_VERSION)
    return next(((listing, release) for release in listing.releases if release.version == version), None)


def catalogue() -> Callable[[str], Sequence[Release]]:
    """Gives a slug's releases, newest first, or none. The marketplace is asked on its first use, which may raise MarketplaceUnavailable."""

    def releases_of(slug: str) -> Sequence[Release]:
        listing = listings_of([slug]).get(slug)
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
    """Let go of what this container keeps, so that the next question asks the marketplace."""
    for kept in (_kept, _shards, _search):
        kept.clear()


# ── The files that an index names ────────────────────────────────────────────────────────────────────────────────────────────────


def _of_current(question: Callable[[Index], T], fresh_s: float = _FRESH_S) -> T:
    """The answer of the index. Where a file is gone because another index was published meanwhile, that one is asked."""
    known = index(fresh_s)
    try:
        return question(known)
    except MarketplaceUnavailable:
        newer = index(fresh_s=0)
        if newer.sequence == known.sequence:
            raise
        return question(newer)


def _search_index(known: Index) -> SearchIndex:
    found = _search.get(known.search.sha256)
    if found is None:
        content = _content(known.search, "search index", LARGEST_SEARCH_BYTES, _SEARCH_DEADLINE_S)
        try:
            found = SearchIndex(content, known.url)
        except ValueError as error:
            raise MarketplaceUnavailable(f"its search index is damaged: {error}") from error
        _search.clear()
        _search[known.search.sha256] = found
    return found


def _listings(known: Index, slugs: Sequence[str]) -> dict[str, Listing]:
    files = {slug: file for slug in slugs if (file := known.shards.get(listings.shard_of(slug))) is not None}
    by_file: dict[str, list[str]] = {}
    for slug, file in files.items():
        by_file.setdefault(file.sha256, []).append(slug)

    def read(members: list[str]) -> dict[str, Listing]:
        documents = _shard(files[members[0]])
        try:
            found = {slug: listings.listing_of(documents[slug], known.url) for slug in members if slug in documents}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MarketplaceUnavailable(f"its listing of {' or '.join(members)} is not of the published format ({error!r})") from error
        return {slug: listing for slug, listing in found.items() if listing.releases}

    if len(by_file) <= 1:
        return {slug: listing for members in by_file.values() for slug, listing in read(members).items()}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return {slug: listing for part in threads.map(read, by_file.values()) for slug, listing in part.items()}


def _shard(file: File) -> dict[str, dict[str, Any]]:
    documents = _shards.get(file.sha256)
    if documents is None:
        content = _content(file, "file of listings", LARGEST_LISTINGS_BYTES, _INDEX_DEADLINE_S)
        try:
            documents = listings.read_shard(json.loads(content))
        except (ValueError, RecursionError) as error:
            raise MarketplaceUnavailable(f"a file of listings is damaged: {error}") from error
    _shards[file.sha256] = documents
    while len(_shards) > _SHARDS_KEPT:
        _shards.popitem(last=False)
    return documents


def _content(file: File, what: str, limit_bytes: int, deadline_s: float) -> bytes:
    """The file's content, unpacked; it is what the index says, or MarketplaceUnavailable."""
    if file.size_bytes > limit_bytes:
        raise MarketplaceUnavailable(f"its {what} has {file.size_bytes} bytes; {limit_bytes} are allowed")
    answer = _fetch(file.url, file.size_bytes, deadline_s)
    assert answer is not None, "no ETag was sent"
    if sha256(answer.body).hexdigest() != file.sha256:
        raise MarketplaceUnavailable(f"its {what} is not the one that the signed index names")
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = unpacking.decompress(answer.body, limit_bytes)
    except zlib.error as error:
        raise MarketplaceUnavailable(f"its {what} is damaged: {error}") from error
    if not unpacking.eof:
        raise MarketplaceUnavailable(f"its {what} unpacks to more than {limit_bytes} bytes, or is cut short")
    return content


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
