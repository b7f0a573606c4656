"""Only what the holder of the pinned key signed is believed, and nothing older than what was believed before."""

import base64
import gzip
import hashlib
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib import marketplace
from chalicelib.core import config
from chalicelib.marketplace import ListingNotFound, MarketplaceUnavailable, SignatureInvalid, publication, publishers
from chalicelib.marketplace import repository as client
from chalicelib.marketplace.listings import shard_of


@pytest.fixture
def a_minute_later(monkeypatch):
    """What is kept is a minute old from now on."""

    def pass_a_minute():
        now = time.monotonic()
        monkeypatch.setattr(client.time, "monotonic", lambda: now + 61)

    return pass_a_minute


def refused():
    with pytest.raises(MarketplaceUnavailable) as found:
        marketplace.index()
    assert (found.value.code, found.value.status) == ("MARKETPLACE_UNAVAILABLE", 503)
    return found.value.message


def test_a_signed_index_is_read(shop):
    shop.publish(shop.plugin("mailer", "1.0.0", "1.10.0", "1.9.0", category="communication"))

    listing = marketplace.listings_of(["mailer"])["mailer"]

    assert [release.version for release in listing.releases] == ["1.10.0", "1.9.0", "1.0.0"]
    assert listing.releases[0].url == f"{shop.url}/packages/mailer-1.10.0.zip"


def test_a_changed_index_is_refused(shop):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    shop.serve("/index.json", shop.files["/index.json"][1].replace(b"plugins_count", b"plugins_c0unt"))

    assert "not signed" in refused()


@pytest.mark.parametrize("signature", [b"", b"not base64!", base64.b64encode(b"short"), base64.b64encode(bytes(64))])
def test_a_signature_that_is_none_is_refused(shop, signature):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    shop.serve("/index.json.sig", signature)

    assert "not signed" in refused()


def test_an_index_that_was_published_between_the_two_requests_is_read_at_the_second_try(shop):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    old = client._fetch(shop.url + "/index.json", 10_000, 5)
    shop.publish(shop.plugin("mailer", "1.0.0", "2.0.0"), sequence=2)

    index, _ = client._verified(shop.url + "/index.json", old, shop.public_key)

    assert index.sequence == 2


def test_an_older_index_is_refused_in_every_container(shop):
    shop.publish(shop.plugin("mailer", "2.0.0"), sequence=7)
    marketplace.index()
    shop.publish(shop.plugin("mailer", "1.0.0"), sequence=6)
    client.forget()

    assert "older than one that was accepted before" in refused()

    shop.publish(shop.plugin("mailer", "2.0.0"), sequence=7)
    assert marketplace.index().sequence == 7


def test_a_new_key_begins_with_a_new_sequence(shop, monkeypatch):
    shop.publish(sequence=70)
    marketplace.index()
    shop.key = Ed25519PrivateKey.generate()
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_PUBLIC_KEY", shop.public_key)
    shop.publish(sequence=1)

    assert marketplace.index().sequence == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"format": 1, "sequence": 1}',
        b'{"format": 2}',
        b'{"format": 2, "sequence": "1"}',
        b'{"format": 2, "sequence": 1, "listings": {}}',
        b'{"format": 2, "sequence": 1, "listings": [], "search": {}}',
        b'{"format": 2, "sequence": 1, "listings": {"00": {"url": "a"}}, "search": {"url": "a", "sha256": "b", "size_bytes": 1}}',
    ],
)
def test_a_damaged_index_is_refused_though_it_is_signed(shop, body):
    shop.publish_index(body)

    assert "damaged" in refused()


def file_named(shop, kind):
    (path,) = [path for path in shop.files if path.startswith(f"/{kind}/")]
    return path


def refused_by(question):
    with pytest.raises(MarketplaceUnavailable) as found:
        question()
    return found.value.message


@pytest.mark.parametrize("content", [b"", b"something else", b"the same length"])
def test_files_that_are_not_the_ones_that_were_signed_are_refused(shop, content):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    for kind in ("listings", "search"):
        path = file_named(shop, kind)
        shop.serve(path, content.ljust(len(shop.files[path][1]) if content == b"the same length" else 0))

    assert "not the one that the signed index names" in refused_by(marketplace.search)
    assert "not the one that the signed index names" in refused_by(lambda: marketplace.find_release("mailer"))


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"not packed at all", "damaged"),
        (gzip.compress(b"x" * 5000)[:20], "cut short"),
        (gzip.compress(b"x" * 5000), "unpacks to more than 4000 bytes"),
        (gzip.compress(b"{}"), "damaged"),
        (gzip.compress(b"StreamSpace search 1\n{}\n"), "damaged"),
        (gzip.compress(b"[" * 3000), "damaged"),
    ],
    ids=["not packed", "cut short", "a bomb", "no heading", "no index", "nested"],
)
def test_signed_files_that_are_damaged_are_refused(shop, monkeypatch, packed, words):
    monkeypatch.setattr(client, "LARGEST_LISTINGS_BYTES", 4000)
    monkeypatch.setattr(client, "LARGEST_SEARCH_BYTES", 4000)
    shop.publish(shop.plugin("mailer", "1.0.0"))
    entry = {"url": "bad", "sha256": hashlib.sha256(packed).hexdigest(), "size_bytes": len(packed)}
    shop.serve("/bad", packed)
    shop.publish(shop.plugin("mailer", "1.0.0"), search=entry, listings={shard_of("mailer"): entry})

    assert words in refused_by(marketplace.search)
    assert words in refused_by(lambda: marketplace.find_release("mailer"))


def test_without_its_search_index_a_marketplace_can_be_installed_from(shop):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    shop.files.pop(file_named(shop, "search"))

    assert "404" in refused_by(marketplace.search)
    assert marketplace.find_release("mailer")[1].version == "1.0.0"


def test_files_that_went_with_a_new_index_are_looked_for_in_that_one(shop):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    marketplace.index()
    for kind in ("listings", "search"):
        shop.files.pop(file_named(shop, kind))
    shop.publish(shop.plugin("mailer", "1.0.0", "1.1.0"), sequence=2)

    assert marketplace.find_release("mailer")[1].version == "1.1.0"
    assert marketplace.search().total == 1


def test_a_container_fetches_the_search_index_once_and_again_when_there_is_another(shop, a_minute_later):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    for words in ("mailer", "nothing", None):
        marketplace.search(words)
    assert [path for path, _ in shop.requests] == ["/index.json", "/index.json.sig", file_named(shop, "search")]

    shop.publish(shop.plugin("mailer", "1.0.0"), shop.plugin("ledger", "1.0.0"), sequence=2)
    a_minute_later()

    assert [one.slug for one in marketplace.search("ledger").summaries] == ["ledger"]


def test_one_plugin_costs_its_own_file_of_listings_and_many_are_fetched_once_each(shop):
    slugs = [f"plugin-{number}" for number in range(600)]
    shop.publish(*(shop.plugin(slug, "1.0.0") for slug in slugs))

    marketplace.find_release("plugin-7")
    assert len([path for path, _ in shop.requests if path.startswith("/listings/")]) == 1
    client.forget()
    shop.requests.clear()

    assert sorted(marketplace.listings_of([*slugs, "absent"])) == sorted(slugs)
    fetched = [path for path, _ in shop.requests if path.startswith("/listings/")]
    assert len(fetched) == len(set(fetched)) == len({shard_of(slug) for slug in slugs})


@pytest.mark.parametrize("fault", [{"releases": [{"version": "one"}]}, {"releases": 5}, {"author": 7, "tags": 3}])
def test_an_entry_that_is_damaged_harms_no_other(shop, fault):
    twins = [slug for slug in (f"plugin-{number}" for number in range(2000)) if shard_of(slug) == shard_of("mailer")]
    shop.publish(shop.plugin("mailer", "1.0.0"), shop.plugin(twins[0], "1.0.0"))
    shard = publication.listings_file(shard_of("mailer"), [shop.plugin("mailer", "1.0.0"), {**shop.plugin(twins[0], "1.0.0"), **fault}])
    shop.serve(f"/{shard.path}", shard.content)
    index = json.loads(shop.files["/index.json"][1])
    shop.publish_index(json.dumps(index | {"listings": {shard_of("mailer"): shard.entry()}}).encode())

    assert marketplace.find_release("mailer")[1].version == "1.0.0"
    assert "not of the published format" in refused_by(lambda: marketplace.find_release(twins[0]))


def test_a_marketplace_that_is_away_or_failing_is_unavailable(shop, monkeypatch):
    assert "404" in refused()
    shop.serve("/index.json", b"", 500)
    assert "500" in refused()
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_URL", "http://127.0.0.1:1")
    assert "refused" in refused()


def test_without_address_or_key_there_is_no_marketplace(shop, monkeypatch):
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_PUBLIC_KEY", "c2hvcnQ=")
    shop.publish()
    assert "32 bytes" in refused()
    monkeypatch.delenv("STREAMSPACE_MARKETPLACE_PUBLIC_KEY")
    assert "public key" in refused()
    monkeypatch.delenv("STREAMSPACE_MARKETPLACE_URL")
    assert "none is configured" in refused()


def test_an_index_without_end_is_cut(shop, monkeypatch):
    monkeypatch.setattr(client, "LARGEST_INDEX_BYTES", 1000)
    shop.publish_index(b" " * 2000)

    assert "more than 1000 bytes" in refused()


def test_plain_http_is_for_a_developers_machine_only(shop):
    shop.publish()

    with config.overridden(ENVIRONMENT="aws"):
        assert "https://" in refused()
    assert shop.requests == []


def test_a_redirect_to_something_else_than_http_is_not_followed(shop):
    shop.moved["/index.json"] = "file:///etc/passwd"

    assert refused()


def test_within_a_minute_it_is_not_asked_again_and_then_only_whether_it_changed(shop, a_minute_later, aws_calls):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    marketplace.index()
    marketplace.index()
    assert [path for path, _ in shop.requests] == ["/index.json", "/index.json.sig"]
    assert aws_calls == ["UpdateItem"]

    a_minute_later()
    marketplace.index()
    assert [path for path, etag in shop.requests[2:]] == ["/index.json"]
    assert shop.requests[2][1]
    assert aws_calls == ["UpdateItem"]


def test_after_a_minute_a_new_release_is_seen(shop, a_minute_later):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    marketplace.index()
    shop.publish(shop.plugin("mailer", "1.0.0", "1.1.0"), sequence=2)

    a_minute_later()

    assert marketplace.find_release("mailer")[1].version == "1.1.0"


def test_the_newest_stable_release_for_this_platform_is_found_or_the_one_asked_for(shop):
    plugin = shop.plugin("mailer", "3.0.0", "2.1.0-rc.1", "2.0.0", "1.0.0")
    plugin["releases"][0]["requirements"] = {"system_version": ">=9.0.0"}
    shop.publish(plugin)

    assert marketplace.find_release("mailer")[1].version == "2.0.0"
    assert marketplace.find_release("mailer", "2.1.0-rc.1")[1].version == "2.1.0-rc.1"
    assert [release.version for release in marketplace.catalogue()("mailer")] == ["3.0.0", "2.1.0-rc.1", "2.0.0", "1.0.0"]
    assert list(marketplace.catalogue()("absent")) == []


@pytest.mark.parametrize(("slug", "version", "words"), [("absent", None, "no plugin 'absent'"), ("mailer", "9.9.9", "it has 1.0.0")])
def test_what_is_not_there_is_not_found(shop, slug, version, words):
    shop.publish(shop.plugin("mailer", "1.0.0"))

    with pytest.raises(ListingNotFound, match=words) as found:
        marketplace.find_release(slug, version)

    assert (found.value.code, found.value.status) == ("PLUGIN_NOT_FOUND", 404)


def test_a_package_comes_as_it_was_published(shop):
    shop.publish(shop.plugin("mailer", "1.0.0", content=b"the package"))

    assert marketplace.download(marketplace.find_release("mailer")[1]) == b"the package"


@pytest.mark.parametrize("content", [b"the packagE", b"the package and more", b"the", b""])
def test_a_package_that_is_another_than_the_index_says_is_refused(shop, content):
    shop.publish(shop.plugin("mailer", "1.0.0", content=b"the package"))
    shop.serve("/packages/mailer-1.0.0.zip", content)

    with pytest.raises(SignatureInvalid) as found:
        marketplace.download(marketplace.find_release("mailer")[1])

    assert (found.value.code, found.value.status) == ("SIGNATURE_INVALID", 422)


def test_a_package_that_is_away_is_the_marketplaces_fault(shop):
    shop.publish(shop.plugin("mailer", "1.0.0"))
    release = marketplace.find_release("mailer")[1]
    shop.files.pop("/packages/mailer-1.0.0.zip")

    with pytest.raises(MarketplaceUnavailable):
        marketplace.download(release)


# ── Publishers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def author():
    return Ed25519PrivateKey.generate()


def named(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def signed(author: Ed25519PrivateKey, slug: str = "mailer", version: str = "1.0.0") -> dict[str, str]:
    statement = publishers.statement(slug, version, hashlib.sha256(b"package").hexdigest())
    return {"publisher": named(author), "publisher_signature": base64.b64encode(author.sign(statement)).decode()}


def test_a_package_that_its_publisher_signed_is_handed_out_with_their_key(shop, author):
    shop.publish(shop.plugin("mailer", "1.0.0", release=signed(author)))

    _, release = client.find_release("mailer")

    assert client.download(release) == b"package"
    assert release.publisher == named(author)


@pytest.mark.parametrize(
    "change",
    [
        lambda author: {"publisher": named(author)},
        lambda author: {**signed(author), "publisher": named(Ed25519PrivateKey.generate())},
        lambda author: signed(author, version="0.9.0"),
        lambda author: signed(author, slug="another"),
        lambda author: {**signed(author), "publisher_signature": "no base64"},
        lambda author: {**signed(author), "publisher": "no key"},
    ],
    ids=["no signature", "another's key", "of another version", "of another plugin", "no base64", "no key"],
)
def test_who_runs_the_marketplace_cannot_put_a_release_under_a_publishers_name(shop, author, change):
    shop.publish(shop.plugin("mailer", "1.0.0", release=change(author)))

    with pytest.raises(SignatureInvalid):
        client.download(client.find_release("mailer")[1])
