"""The vendor's side of licences: the book, and the commands that write into it."""

import json
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.errors import LicenseUnknown
from cli.license_book import LicenseBook

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "licenses.sqlite"


@pytest.fixture
def book(file):
    return LicenseBook(file, KEY.private_bytes_raw(), now=lambda: 1_000_000.9)


def question(key, installation_id="ins_1", plugin="paid", **more):
    return {"license_key": key, "plugin": plugin, "installation_id": installation_id, "nonce": "n1", **more}


def test_a_key_has_four_groups_without_lookalikes_and_the_book_keeps_only_its_hash(book, file):
    keys = {book.issue("paid") for _ in range(20)}

    assert len(keys) == 20
    assert all(re.fullmatch(r"[2-9A-HJKMNP-TV-Z]{4}(-[2-9A-HJKMNP-TV-Z]{4}){3}", key) for key in keys)
    kept = b"".join(path.read_bytes() for path in file.parent.glob("licenses.sqlite*"))
    assert not any(key.encode() in kept for key in keys)


def test_an_activation_answers_with_what_the_protocol_says(book):
    key = book.issue("paid", type="professional", features=("a", "b"), expires_at=2_000_000, seats=2)

    status, document = book.answer("activations", question(key.lower()))

    checks = {"verify_exp": False, "verify_aud": False}
    token = jwt.decode_complete(document["license"], KEY.public_key(), algorithms=["EdDSA"], options=checks)
    claims = token["payload"]
    assert (status, token["header"]) == (200, {"alg": "EdDSA", "typ": "streamspace-license+jwt"})
    assert {name: claims[name] for name in ("sub", "aud", "nonce", "iat", "exp")} == {
        "sub": "paid", "aud": "ins_1", "nonce": "n1", "iat": 1_000_000, "exp": 2_000_000
    }  # fmt: skip
    assert claims["license"] == {"type": "professional", "features": ["a", "b"], "seats": 2, "seats_used": 1}


def test_two_installations_never_take_the_last_seat_together(book, file):
    key = book.issue("paid", seats=3)
    start = threading.Barrier(8)

    def take(number):
        start.wait()
        return LicenseBook(file, KEY.private_bytes_raw(), now=lambda: 1_000_000).answer("activations", question(key, f"ins_{number}"))[0]

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(take, range(8)))

    assert sorted(statuses) == [200] * 3 + [409] * 5
    assert book.everything()[0].seats_used == 3


def test_what_is_changed_in_the_book_the_next_answer_says(book):
    key = book.issue("paid", expires_at=900_000)
    assert book.answer("activations", question(key))[1]["error"]["code"] == "expired"
    book.extend(key, None)
    assert book.answer("activations", question(key))[0] == 200
    assert book.answer("renewals", question(key))[0] == 200
    book.revoke(key)
    assert book.answer("renewals", question(key))[1]["error"]["code"] == "revoked"
    assert book.answer("deactivations", question(key))[0] == 200

    (one,) = book.everything()
    assert (one.expires_at, one.revoked_at, one.seats_used) == (None, 1_000_000, 0)
    for change in (lambda: book.revoke("AAAA-BBBB-CCCC-DDDD"), lambda: book.extend("AAAA-BBBB-CCCC-DDDD", None)):
        with pytest.raises(LicenseUnknown):
            change()


@pytest.mark.parametrize(
    ("what", "asked", "status", "code"),
    [
        ("activations", None, 400, "malformed"),
        ("activations", {"license_key": 7}, 400, "malformed"),
        ("activations", question("AAAA-BBBB-CCCC-DDDD", nonce=""), 400, "malformed"),
        ("activations", question("' OR 1=1 --"), 404, "unknown_key"),
        ("keys", question("AAAA-BBBB-CCCC-DDDD"), 404, "not_found"),
    ],
    ids=["nothing", "no texts", "no nonce", "no key", "another thing"],
)
def test_a_question_that_makes_no_sense_is_refused(book, what, asked, status, code):
    answer = book.answer(what, asked)

    assert (answer[0], answer[1]["error"]["code"]) == (status, code)


def test_a_change_that_fails_changes_nothing(book, file):
    key = book.issue("paid", seats=1)
    with sqlite3.connect(file) as opened:
        opened.execute("CREATE TRIGGER broken BEFORE INSERT ON seats BEGIN SELECT RAISE(ABORT, 'disk'); END")

    with pytest.raises(sqlite3.IntegrityError):
        book.answer("activations", question(key))

    assert book.everything()[0].seats_used == 0


# The commands


def test_a_vendor_issues_lists_extends_and_revokes(streamspace, file):
    where = ("--book", str(file))
    issued = streamspace("license", "issue", "paid", "--type", "professional", "--features", "a, b", "--expires", "2030-01-01", *where)
    key = issued.stdout.strip()

    listed = json.loads(streamspace("license", "list", "--json", *where).stdout)

    assert [one | {"id": None, "issued_at": None} for one in listed] == [
        {
            "id": None, "license_key": f"****-****-****-{key[-4:]}", "plugin": "paid", "type": "professional", "features": ["a", "b"],
            "issued_at": None, "expires_at": "2030-01-01T00:00:00Z", "seats": 1, "seats_used": 0, "revoked_at": None,
        }
    ]  # fmt: skip
    assert "ends: never" in streamspace("license", "extend", key, "--expires", "never", *where).stdout
    assert "is revoked" in streamspace("license", "revoke", key.lower(), *where).stdout
    assert key not in streamspace("license", "list", *where).stdout
    unknown = streamspace("license", "revoke", "AAAA-BBBB-CCCC-DDDD", *where)
    assert (unknown.exit_code, unknown.stderr.partition(":")[0]) == (1, "LICENSE_UNKNOWN")


def test_without_number_means_any_number_and_json_says_all(streamspace, file):
    issued = json.loads(streamspace("license", "issue", "paid", "--seats", "0", "--json", "--book", str(file)).stdout)

    assert (issued["plugin"], issued["seats"], issued["expires_at"]) == ("paid", None, None)


@pytest.mark.parametrize(
    "words",
    [("issue",), ("issue", "paid", "--expires", "soon"), ("issue", "paid", "--seats", "-1"), ("extend", "AAAA-BBBB-CCCC-DDDD")],
    ids=["no plugin", "no day", "no number", "no end"],
)
def test_a_command_that_makes_no_sense_ends_with_2(streamspace, file, words):
    assert streamspace("license", *words, "--book", str(file)).exit_code == 2


def test_without_a_stack_it_says_what_to_give(streamspace):
    result = streamspace("license", "list")

    assert (result.exit_code, result.stderr.partition(":")[0]) == (1, "NO_STACK")


LICENSE = "/admin/plugins/paid/license"
GOOD = {"status": "active", "type": "professional", "features": ["a"], "expires_at": None}


def test_an_administrator_activates_verifies_renews_and_deactivates(streamspace, platform):
    platform.answers(f"POST {LICENSE}/activate", GOOD)
    platform.answers(f"GET {LICENSE}/verify", {**GOOD, "license_key": "****-****-****-DDDD", "is_confirmed": False})
    platform.answers(f"POST {LICENSE}/renew", GOOD)
    platform.answers(f"POST {LICENSE}/deactivate", {"status": "inactive", "slug": "paid", "plugin_status": "inactive"})

    given = streamspace("plugins", "license", "paid", "activate", "AAAA-BBBB-CCCC-DDDD")
    asked = streamspace("plugins", "license", "paid", "activate", typed="AAAA-BBBB-CCCC-EEEE\n")
    verified = streamspace("plugins", "license", "paid", "verify")
    renewed = streamspace("plugins", "license", "paid", "renew", "--json")
    gone = streamspace("plugins", "license", "paid", "deactivate")

    assert [one.body for one in platform.received[:2]] == [
        {"license_key": "AAAA-BBBB-CCCC-DDDD"}, {"license_key": "AAAA-BBBB-CCCC-EEEE"}
    ]  # fmt: skip
    assert [one.exit_code for one in (given, asked, verified, renewed, gone)] == [0] * 5, gone.output
    assert re.search(r"is confirmed +no", verified.stdout)
    assert json.loads(renewed.stdout) == GOOD
    assert gone.stdout == "paid has no licence any more; its status is inactive\n"


def test_only_activating_takes_a_key(streamspace, platform):
    assert streamspace("plugins", "license", "paid", "verify", "AAAA-BBBB-CCCC-DDDD").exit_code == 2
    assert platform.received == []


def test_what_the_platform_refuses_is_shown_with_its_reason(streamspace, platform):
    error = {"code": "LICENSE_INVALID", "message": "'paid': The licence was revoked", "details": {"reason": "revoked", "slug": "paid"}}
    platform.answers(f"POST {LICENSE}/renew", status=403, success=False, error=error)

    result = streamspace("plugins", "license", "paid", "renew")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[:2] == ["LICENSE_INVALID: 'paid': The licence was revoked", "  reason: revoked"]
