"""A repository that somebody has tampered with, as an administrator meets it: over HTTP, and with nothing left of it."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.marketplace import repository as marketplace
from tests.integration.jobs.conftest import package

PLUGINS = "/admin/plugins"
MARKETPLACE = {"source": "marketplace", "slug": "mailer"}
AUTHOR, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture
def installs(platform, call):
    """``installs()``: the answer to an installation, of which nothing stays."""

    def ask():
        before = platform.left_over()
        answer = call("POST", f"{PLUGINS}/install", MARKETPLACE)
        assert platform.left_over() == before
        assert call("GET", f"{PLUGINS}/mailer").status == 404
        return answer

    return ask


@pytest.mark.parametrize(("evil", "word"), [("larger", "larger"), ("of the same size", "another SHA-256")])
def test_a_package_that_is_not_the_one_of_the_index_is_not_installed(repository, installs, evil, word):
    archive = package("mailer")
    repository.publish(archive)
    other = archive + b"more" if evil == "larger" else archive[:-1] + bytes([archive[-1] ^ 1])
    (repository.folder / "packages/mailer-1.0.0.zip").write_bytes(other)

    answer = installs()

    assert (answer.status, answer.error["code"]) == (422, "SIGNATURE_INVALID")
    assert answer.error["details"]["step"] == "downloading"
    assert word in answer.error["message"]


@pytest.mark.parametrize("signer", [STRANGER, AUTHOR], ids=["by somebody else", "of another release"])
def test_a_release_in_a_publishers_name_that_the_publisher_did_not_sign_is_not_installed(repository, installs, signer):
    repository.publish(package("decoy"), publisher=signer)
    repository.publish(package("mailer"), publisher=AUTHOR)
    (release,) = repository.plugins["mailer"]["releases"]
    release["publisher_signature"] = repository.plugins["decoy"]["releases"][0]["publisher_signature"]
    repository.sign()

    answer = installs()

    assert (answer.status, answer.error["code"]) == (422, "SIGNATURE_INVALID")


def test_an_index_that_nobody_signed_stops_the_marketplace_and_nothing_else(platform, repository, call, installs):
    repository.publish(package("notes"))
    assert platform.install("notes").status == "succeeded"
    repository.publish(package("mailer"))
    index = repository.folder / "index.json"
    index.write_bytes(index.read_bytes().replace(b"sequence", b"sequenc3"))
    marketplace.forget()

    answers = [installs(), call("GET", f"{PLUGINS}/marketplace"), call("POST", f"{PLUGINS}/check-updates")]

    assert [(one.status, one.error["code"]) for one in answers] == [(503, "MARKETPLACE_UNAVAILABLE")] * 3
    assert all("not signed" in one.error["message"] for one in answers)
    assert call("GET", PLUGINS).body["data"][0]["slug"] == "notes"
    assert call("POST", f"{PLUGINS}/notes/deactivate").status == 200


def test_an_index_from_before_is_refused_so_that_no_mended_fault_comes_back(repository, call, installs):
    repository.publish(package("mailer"))
    stale = {path: path.read_bytes() for path in (repository.folder / "index.json", repository.folder / "index.json.sig")}
    repository.publish(package("mailer", "1.0.1"), is_security_update=True)
    assert call("GET", f"{PLUGINS}/marketplace").status == 200
    for path, content in stale.items():
        path.write_bytes(content)
    marketplace.forget()

    answer = installs()

    assert (answer.status, answer.error["code"]) == (503, "MARKETPLACE_UNAVAILABLE")
    assert "older" in answer.error["message"]
