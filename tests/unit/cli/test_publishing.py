"""A repository keeps every release as it was first published, and its index always says who signed it."""

import base64
import gzip
import hashlib
import io
import itertools
import json
import threading
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.marketplace import publishers
from chalicelib.marketplace.listings import shard_of
from chalicelib.marketplace.search_index import SearchIndex
from cli.errors import FiguresInvalid, PackageInvalid, RepositoryInvalid, VersionExists
from cli.publishing import generate_key, publish, set_figures
from cli.signing import kept_key, sign
from cli.versions import is_version, precedence

MANIFEST = {
    "name": "welcome-mailer",
    "version": "1.0.0",
    "displayName": "Welcome Mailer",
    "description": "Greets new users.",
    "author": "An Author",
    "category": "communication",
    "tags": ["email"],
    "permissions": ["read:users", "email"],
    "requirements": {"system_version": ">=1.0.0"},
    "dependencies": [{"slug": "audit-trail", "version_constraint": "^1.0.0"}],
    "changelog": "First release.",
}


def package(content: bytes = b"", **changes) -> bytes:
    return zipped(json.dumps({**MANIFEST, **changes}).encode(), content)


def zipped(manifest: bytes, content: bytes = b"") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("manifest.json"), manifest)
        archive.writestr(zipfile.ZipInfo("index.js"), content)
    return made.getvalue()


@pytest.fixture
def key():
    return generate_key()


@pytest.fixture
def repository(tmp_path):
    return tmp_path / "marketplace"


def verified_index(repository: Path, public_key: str) -> dict:
    """The signed index, with the entries of the listings' files that it names as ``plugins``."""
    content = (repository / "index.json").read_bytes()
    signature = base64.b64decode((repository / "index.json.sig").read_bytes())
    Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key)).verify(signature, content)
    index = json.loads(content)
    index["plugins"] = []
    for entry in (*index["listings"].values(), index["search"]):
        file = (repository / entry["url"]).read_bytes()
        assert (hashlib.sha256(file).hexdigest(), len(file)) == (entry["sha256"], entry["size_bytes"])
    for entry in index["listings"].values():
        index["plugins"] += json.loads(gzip.decompress((repository / entry["url"]).read_bytes()))["plugins"]
    assert index["plugins_count"] == len(index["plugins"])
    return index


def files_in(repository: Path, folder: str) -> int:
    return len(list((repository / folder).iterdir()))


def test_a_release_is_in_the_signed_index_with_its_checksum(repository, key):
    release = publish(package(), repository, key.private, now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    index = verified_index(repository, key.public)
    assert (index["format"], index["sequence"], index["generated_at"]) == (2, 1, "2026-01-02T03:04:05Z")
    (plugin,) = index["plugins"]
    assert plugin == {
        "slug": "welcome-mailer",
        "name": "Welcome Mailer",
        "short_description": "Greets new users.",
        "description": "Greets new users.",
        "author": {"name": "An Author", "url": None, "email": None},
        "homepage": None,
        "documentation": None,
        "icon": None,
        "category": "communication",
        "tags": ["email"],
        "rating": None,
        "reviews_count": 0,
        "downloads": 0,
        "price": None,
        "is_premium": False,
        "releases": [
            {
                "version": "1.0.0",
                "released_at": "2026-01-02T03:04:05Z",
                "url": "packages/welcome-mailer-1.0.0.zip",
                "sha256": release.sha256,
                "size_bytes": len(package()),
                "requirements": {"system_version": ">=1.0.0"},
                "dependencies": [{"slug": "audit-trail", "version_constraint": "^1.0.0", "is_optional": False}],
                "libraries": [],
                "scopes": ["email", "read:users"],
                "changelog": "First release.",
                "is_security_update": False,
            }
        ],
    }
    assert (repository / release.url).read_bytes() == package()


def test_the_sequence_grows_by_one_and_the_highest_version_comes_first(repository, key):
    for version in ("1.0.0", "2.0.0-beta.1", "1.10.0", "1.9.0"):
        publish(package(version=version, displayName=f"As of {version}"), repository, key.private)

    index = verified_index(repository, key.public)
    assert index["sequence"] == 4
    (plugin,) = index["plugins"]
    assert [release["version"] for release in plugin["releases"]] == ["2.0.0-beta.1", "1.10.0", "1.9.0", "1.0.0"]
    assert plugin["name"] == "As of 2.0.0-beta.1"


def test_publishing_the_same_package_again_changes_nothing(repository, key):
    first = publish(package(), repository, key.private)
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}

    second = publish(package(), repository, key.private)

    assert (first.is_new, second.is_new) == (True, False)
    assert second.sha256 == first.sha256
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


def test_a_published_version_never_changes(repository, key):
    publish(package(b"first"), repository, key.private)

    with pytest.raises(VersionExists, match="raise the version"):
        publish(package(b"second"), repository, key.private)

    assert verified_index(repository, key.public)["sequence"] == 1
    assert (repository / "packages/welcome-mailer-1.0.0.zip").read_bytes() == package(b"first")


def test_publishers_at_the_same_time_lose_no_release(repository, key):
    versions = [f"1.0.{patch}" for patch in range(12)]
    threads = [threading.Thread(target=publish, args=(package(version=version), repository, key.private)) for version in versions]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    index = verified_index(repository, key.public)
    assert index["sequence"] == len(versions)
    assert {release["version"] for release in index["plugins"][0]["releases"]} == set(versions)


def test_what_a_marketplace_learned_about_a_plugin_survives_a_new_release(repository, key):
    publish(package(), repository, key.private)
    set_figures({"welcome-mailer": {"rating": 4.5, "reviews_count": 56, "downloads": 2500}}, repository, key.private)

    publish(package(version="1.1.0"), repository, key.private)

    plugin = verified_index(repository, key.public)["plugins"][0]
    assert (plugin["rating"], plugin["reviews_count"], plugin["downloads"]) == (4.5, 56, 2500)


def test_a_repository_of_another_key_is_left_alone(repository, key):
    publish(package(), repository, key.private)
    before = (repository / "index.json").read_bytes()

    with pytest.raises(RepositoryInvalid, match="not signed with this key"):
        publish(package(version="1.1.0"), repository, generate_key().private)

    assert (repository / "index.json").read_bytes() == before


def test_a_changed_index_is_not_signed_as_if_it_were_ours(repository, key):
    publish(package(), repository, key.private)
    path = repository / "index.json"
    path.write_bytes(path.read_bytes().replace(b'"sequence": 1', b'"sequence": 9'))

    with pytest.raises(RepositoryInvalid):
        publish(package(version="1.1.0"), repository, key.private)


@pytest.mark.parametrize("content", [b"", b"something else", None])
def test_listings_that_were_changed_are_not_signed_as_if_they_were_ours(repository, key, content):
    publish(package(), repository, key.private)
    (path,) = (repository / "listings").iterdir()
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(RepositoryInvalid, match="not the file that the signed index names"):
        publish(package(version="1.1.0"), repository, key.private)


def test_what_is_published_is_found_by_the_search_index_that_comes_with_it(repository, key):
    for slug in ("welcome-mailer", "audit-trail"):
        publish(package(name=slug, displayName=slug.replace("-", " ").title()), repository, key.private)

    index = verified_index(repository, key.public)
    search = SearchIndex(gzip.decompress((repository / index["search"]["url"]).read_bytes()))
    assert [one.slug for one in search.search("audit").summaries] == ["audit-trail"]
    assert search.search().total == 2


def test_the_files_of_the_index_before_stay_for_its_readers_and_older_ones_go(repository, key):
    names = set()
    for patch in range(4):
        publish(package(version=f"1.0.{patch}"), repository, key.private)
        before, names = names, {entry["url"] for entry in verified_index(repository, key.public)["listings"].values()}

    assert {f"listings/{path.name}" for path in (repository / "listings").iterdir()} == before | names
    assert (files_in(repository, "listings"), files_in(repository, "search")) == (2, 2)


def test_a_release_changes_the_listings_of_its_own_file_only(repository, key):
    for number in range(20):
        publish(package(name=f"plugin-{number}"), repository, key.private)
    before = verified_index(repository, key.public)["listings"]

    publish(package(name="plugin-7", version="1.1.0"), repository, key.private)

    after = verified_index(repository, key.public)["listings"]
    assert [shard for shard in after if after[shard] != before[shard]] == [shard_of("plugin-7")]


def test_a_repository_that_has_everything_in_its_index_goes_on_in_the_present_format(repository, key):
    release = publish(package(), repository, key.private)
    plugins = verified_index(repository, key.public)["plugins"]
    content = json.dumps({"format": 1, "sequence": 41, "plugins": plugins}).encode()
    (repository / "index.json").write_bytes(content)
    (repository / "index.json.sig").write_bytes(sign(content, key.private))

    publish(package(name="another"), repository, key.private)

    index = verified_index(repository, key.public)
    assert (index["format"], index["sequence"]) == (2, 42)
    assert {plugin["slug"]: plugin["releases"][0]["sha256"] for plugin in index["plugins"]}["welcome-mailer"] == release.sha256


@pytest.mark.parametrize(
    ("figures", "fault"),
    [
        ({"nobody": {"downloads": 1}}, "no plugin 'nobody'"),
        ({"welcome-mailer": {"stars": 5}}, "is no figure"),
        ({"welcome-mailer": {"rating": 5.1}}, "from 0 to 5"),
        ({"welcome-mailer": {"downloads": -1}}, "not below 0"),
        ({"welcome-mailer": {"reviews_count": True}}, "whole number"),
        ({"welcome-mailer": 5}, "must be an object"),
    ],
)
def test_figures_that_are_none_change_nothing(repository, key, figures, fault):
    publish(package(), repository, key.private)

    with pytest.raises(FiguresInvalid, match=fault):
        set_figures({"welcome-mailer": {"downloads": 7}, **figures}, repository, key.private)

    assert verified_index(repository, key.public)["sequence"] == 1


def test_a_publisher_that_died_between_signature_and_index_is_finished_by_the_next(repository, key):
    publish(package(), repository, key.private)
    old_index = (repository / "index.json").read_bytes()
    publish(package(version="1.1.0"), repository, key.private)
    # Back to the moment after the signature was replaced and before the index was.
    (repository / "index.json").replace(repository / ".index.json.next")
    (repository / "index.json").write_bytes(old_index)

    publish(package(version="1.2.0"), repository, key.private)

    index = verified_index(repository, key.public)
    assert index["sequence"] == 3
    assert [release["version"] for release in index["plugins"][0]["releases"]] == ["1.2.0", "1.1.0", "1.0.0"]


def test_what_a_publisher_left_before_it_signed_is_forgotten(repository, key):
    publish(package(), repository, key.private)
    (repository / ".index.json.next").write_bytes(b"{half an ind")

    publish(package(version="1.1.0"), repository, key.private)

    assert verified_index(repository, key.public)["sequence"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../../etc/cron.d/x"},
        {"name": "UPPER"},
        {"name": "a" * 64},
        {"name": None},
        {"name": ["welcome-mailer"]},
        {"name": "fine\n"},
        {"version": "1.0"},
        {"version": "1.0.0/../../../x"},
        {"version": "01.0.0"},
        {"version": "1.0.0\n"},
        {"version": 1},
        {"version": "1.0.0-" + "a" * 100},
        {"description": {"$ref": "x"}},
        {"tags": "email"},
        {"requirements": [1]},
        {"displayName": "\ud800"},
    ],
)
def test_a_hostile_manifest_publishes_nothing(repository, key, changes):
    with pytest.raises(PackageInvalid):
        publish(package(**changes), repository, key.private)

    assert not repository.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"name": "a-plugin", "version": "1.0.0", "x": NaN}',
        b"[" * 100_000,
        b" " * (2 * 1024 * 1024),
    ],
    ids=["empty", "list", "null", "cut", "not-utf-8", "nan", "deep", "huge"],
)
def test_a_manifest_that_is_no_json_object_publishes_nothing(repository, key, content):
    with pytest.raises(PackageInvalid):
        publish(zipped(content), repository, key.private)

    assert not repository.exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_two_manifests_or_none_or_that_is_no_zip_publishes_nothing(repository, key):
    two, none = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("manifest.json", json.dumps(MANIFEST))
        archive.writestr("manifest.json", json.dumps({**MANIFEST, "version": "9.9.9"}))
    with zipfile.ZipFile(none, "w") as archive:
        archive.writestr("folder/manifest.json", json.dumps(MANIFEST))

    for bad in (two.getvalue(), none.getvalue(), b"not a zip", package()[:-30]):
        with pytest.raises(PackageInvalid):
            publish(bad, repository, key.private)


@given(content=st.binary(max_size=300))
def test_bytes_that_are_no_package_are_refused_and_nothing_else_happens(content):
    with pytest.raises(PackageInvalid):
        publish(content, Path("/nonexistent/never-made"), generate_key().private)


def test_a_key_may_be_raw_base64_or_pem(repository, key):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.from_private_bytes(key.private).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    for patch, form in enumerate((key.private, base64.b64encode(key.private) + b"\n", pem)):
        publish(package(version=f"1.0.{patch}"), repository, form)

    assert verified_index(repository, key.public)["sequence"] == 3


@pytest.mark.parametrize("bad", [b"", b"short", b"-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused_without_showing_it(repository, bad):
    with pytest.raises(RepositoryInvalid, match="Ed25519 private key"):
        publish(package(), repository, bad)


def test_a_mapping_of_dependencies_names_libraries_and_the_older_requirement_is_understood(repository, key):
    publish(
        package(dependencies={"axios": "^1.6.0"}, requirements={"streamspaceVersion": ">=1.0.0"}),
        repository,
        key.private,
    )

    release = verified_index(repository, key.public)["plugins"][0]["releases"][0]
    assert release["dependencies"] == []
    assert release["requirements"] == {"system_version": ">=1.0.0"}


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("Ann Lee", ("Ann Lee", None, None)),
        ("Ann Lee <ann@example.com>", ("Ann Lee", "ann@example.com", None)),
        ("Ann Lee <ann@example.com> (https://example.com)", ("Ann Lee", "ann@example.com", "https://example.com")),
        ("Ann (https://example.com)", ("Ann", None, "https://example.com")),
        ("a < b", ("a < b", None, None)),
        ({"name": "Ann", "url": "https://example.com"}, ("Ann", None, "https://example.com")),
        (None, ("", None, None)),
    ],
)
def test_an_author_is_an_object_or_a_text_that_says_the_same(repository, key, author, expected):
    publish(package(author=author), repository, key.private)

    name, email, url = expected
    assert verified_index(repository, key.public)["plugins"][0]["author"] == {"name": name, "email": email, "url": url}


def test_of_a_list_of_changes_a_release_shows_its_own(repository, key):
    changelog = [{"version": "1.1.0", "changes": ["Later"]}, {"version": "1.0.0", "changes": ["First", "Second"]}]
    publish(package(changelog=changelog), repository, key.private)

    release = verified_index(repository, key.public)["plugins"][0]["releases"][0]
    assert release["changelog"] == "First\nSecond"


def test_versions_are_ordered_as_semver_says():
    in_order = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.10.0",
    ]

    assert all(precedence(low) < precedence(high) for low, high in itertools.pairwise(in_order))


@pytest.mark.parametrize("text", ["1", "1.0", "v1.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0 ", "", None, "١.0.0"])
def test_what_semver_does_not_allow_is_no_version(text):
    assert not is_version(text)


@pytest.mark.parametrize("text", ["0.0.0", "1.0.0-0", "1.0.0--", "1.0.0-a.b+001", "1.0.0+build.7"])
def test_what_semver_allows_is_a_version(text):
    assert is_version(text)


def test_a_release_carries_its_publishers_signature_which_the_platform_accepts(repository, key):
    author = generate_key()

    release = publish(package(), repository, key.private, publisher_key=author.private)

    (listed,) = verified_index(repository, key.public)["plugins"][0]["releases"]
    assert listed["publisher"] == author.public
    statement = publishers.statement(release.slug, release.version, release.sha256)
    assert publishers.is_signed(statement, listed["publisher_signature"], author.public)
    assert not publishers.is_signed(
        publishers.statement("another", release.version, release.sha256), listed["publisher_signature"], author.public
    )


def test_a_release_without_a_publishers_key_names_nobody(repository, key):
    publish(package(), repository, key.private)

    (listed,) = verified_index(repository, key.public)["plugins"][0]["releases"]
    assert "publisher" not in listed


def test_a_publishers_key_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "streamspace" / "publisher.key"

    first, again = kept_key(path), kept_key(path)

    assert first == again
    assert len(first) == 32
    assert path.stat().st_mode & 0o077 == 0
    assert [file.name for file in path.parent.iterdir()] == ["publisher.key"]
