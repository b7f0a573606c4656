"""A repository's files, as their publisher makes them: listings, search index and the index that is signed.

Source: docs/repository-format.md. Plain values in, bytes out; ``cli/publishing.py`` puts them where a web server finds them.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from chalicelib.marketplace import search_building
from chalicelib.marketplace.listings import FORMAT, listing_of, shard_of

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Published:
    """``path`` is relative to the index, and says the content: another content is another file, so that no reader ever meets a mixture."""

    path: str
    content: bytes

    def entry(self) -> dict[str, Any]:
        """The file as the index names it."""
        return {"url": self.path, "sha256": sha256(self.content).hexdigest(), "size_bytes": len(self.content)}


def shards(plugins: Iterable[Document]) -> dict[str, list[Document]]:
    """The plugins' entries by the file that they belong into."""
    found: dict[str, list[Document]] = defaultdict(list)
    for one in plugins:
        found[shard_of(one["slug"])].append(one)
    return dict(found)


def listings_file(shard: str, plugins: Iterable[Document]) -> Published:
    ordered = sorted(plugins, key=lambda one: str(one["slug"]))
    text = json.dumps({"plugins": ordered}, ensure_ascii=False, separators=(",", ":"))
    return _named(f"listings/{shard}", ".json.gz", text.encode())


def search_file(plugins: Iterable[Document]) -> Published:
    """Raises ValueError (and its like) for an entry that is not of the published format."""
    return _named("search/index", ".bin.gz", search_building.build(listing for one in plugins if (listing := listing_of(one, "")).releases))


def index(sequence: int, generated_at: str, listings: Mapping[str, Any], search: Mapping[str, Any], plugins_count: int) -> bytes:
    """What is signed. ``listings`` (by shard) and ``search`` are entries of files."""
    document = {
        "format": FORMAT,
        "sequence": sequence,
        "generated_at": generated_at,
        "plugins_count": plugins_count,
        "search": search,
        "listings": dict(sorted(listings.items())),
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def repository(plugins: Iterable[Document], sequence: int, generated_at: str) -> dict[str, bytes]:
    """Everything at once, by path; ``index.json`` is what is left to be signed."""
    everything = list(plugins)
    files = {shard: listings_file(shard, members) for shard, members in shards(everything).items()}
    search = search_file(everything)
    entries = {shard: file.entry() for shard, file in files.items()}
    signed = index(sequence, generated_at, entries, search.entry(), len(everything))
    return {**{file.path: file.content for file in (*files.values(), search)}, "index.json": signed}


def _named(stem: str, ending: str, content: bytes) -> Published:
    # No time in it: the same content makes the same file.
    packed = gzip.compress(content, 6, mtime=0)
    return Published(f"{stem}-{sha256(packed).hexdigest()[:16]}{ending}", packed)
