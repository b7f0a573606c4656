"""What the platform believes of a licence service, and what not; however it misbehaves."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib import licensing
from chalicelib.core import clock
from chalicelib.core.errors import ValidationError
from chalicelib.licensing import (
    License,
    LicenseExpired,
    LicenseInvalid,
    LicenseServiceUnavailable,
    SealedKey,
    client,
    installation,
    returns,
)
from cli.license_book import TYPE

SLUG = "paid"


@pytest.fixture(autouse=True)
def _secrets_key(aws, monkeypatch):
    monkeypatch.setenv("STREAMSPACE_SECRETS_KEY_ID", aws.client("kms").create_key()["KeyMetadata"]["KeyId"])


def b64(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def claims_for(question, **changes):
    now = int(clock.timestamp())
    claims = {
        "jti": "lic_1",
        "sub": question["plugin"],
        "aud": question["installation_id"],
        "iat": now,
        "exp": now + 86400,
        "nonce": question.get("nonce"),
        "license": {"type": "professional", "features": ["a"], "seats": 1, "seats_used": 1},
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def answers_with(office, make_token):
    office.misbehaves = lambda _what, question: (200, json.dumps({"license": make_token(question)}).encode())


def test_a_key_of_the_vendors_gives_a_licence_for_this_plugin_and_this_installation(office):
    key = office.issue(days=30, seats=3)

    confirmation = client.activation(SLUG, key)

    terms = confirmation.terms
    assert (terms.type, terms.features, terms.seats, terms.seats_used) == ("professional", ("advanced_reports", "api_access"), 3, 1)
    assert terms.expires_at is not None
    ((what, question),) = office.asked
    assert what == "activations"
    assert question["installation_id"] == installation.id_of_this()
    assert key in question["license_key"]


def test_activating_twice_takes_one_seat_and_the_installation_keeps_its_id(office):
    key = office.issue()

    client.activation(SLUG, key)
    client.activation(SLUG, key)

    assert office.seats_used() == 1
    assert len({question["installation_id"] for _, question in office.asked}) == 1


@pytest.mark.parametrize(
    ("prepare", "error", "reason", "details"),
    [
        (lambda office: "AAAA-BBBB-CCCC-DDDD", LicenseInvalid, "unknown_key", {}),
        (lambda office: office.issue("other"), LicenseInvalid, "wrong_plugin", {"licensed_plugin": "other"}),
        (lambda office: revoked(office), LicenseInvalid, "revoked", {}),
        (lambda office: crowded(office), LicenseInvalid, "seats_used", {"seats": 1, "seats_used": 1}),
        (lambda office: office.issue(days=-1), LicenseExpired, "expired", {}),
    ],
    ids=["unknown", "wrong plugin", "revoked", "seats used", "expired"],
)
def test_what_is_refused_says_which_refusal_it_is(office, prepare, error, reason, details):
    key = prepare(office)
    taken = office.seats_used()

    with pytest.raises(error) as refused:
        client.activation(SLUG, key)

    assert refused.value.status == 403
    assert refused.value.details.items() >= {"reason": reason, "slug": SLUG, **details}.items()
    assert office.seats_used() == taken


def revoked(office):
    key = office.issue()
    office.book.revoke(key)
    return key


def crowded(office):
    key = office.issue(seats=1)
    office.take_seat_elsewhere(key)
    return key


def test_a_renewal_takes_no_seat(office):
    key = office.issue()

    with pytest.raises(LicenseInvalid) as refused:
        client.renewal(SLUG, key)

    assert refused.value.details["reason"] == "no_seat"
    assert office.seats_used() == 0


def test_giving_a_seat_back_twice_or_for_a_key_that_is_unknown_is_fine(office):
    key = office.issue()
    client.activation(SLUG, key)

    client.deactivation(SLUG, key)
    client.deactivation(SLUG, key)
    client.deactivation(SLUG, "AAAA-BBBB-CCCC-DDDD")

    assert office.seats_used() == 0


# ── A service that cannot be believed ──────────────────────────────────────────────────────────────────────────────────────────────


def stranger(question):
    return jwt.encode(claims_for(question), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"typ": TYPE})


def unsigned(question):
    return f"{b64({'alg': 'none', 'typ': TYPE})}.{b64(claims_for(question))}."


def hmac_with_the_public_key(office):
    """The classic confusion: the verifier's public key, which everybody has, used as the secret of another algorithm."""

    def token(question):
        signed = f"{b64({'alg': 'HS256', 'typ': TYPE})}.{b64(claims_for(question))}"
        secrets = (office.public_key.encode(), office.key.public_key().public_bytes_raw())
        return f"{signed}.{b64(hmac.new(secrets[len(office.asked) % 2], signed.encode(), hashlib.sha256).digest())}"

    return token


def signed(office, typ=TYPE, **changes):
    return lambda question: jwt.encode(claims_for(question, **changes), office.key, algorithm="EdDSA", headers={"typ": typ})


def tampered(office):
    def token(question):
        header, _, signature = signed(office)(question).split(".")
        return f"{header}.{b64(claims_for(question, exp=int(clock.timestamp()) + 10**9))}.{signature}"

    return token


@pytest.mark.parametrize(
    "forge",
    [
        lambda office: stranger,
        lambda office: unsigned,
        hmac_with_the_public_key,
        tampered,
        lambda office: signed(office, typ="JWT"),
        lambda office: signed(office, nonce="of another question"),
        lambda office: signed(office, iat=int(clock.timestamp()) + 3600),
        lambda office: signed(office, iat="now"),
        lambda office: signed(office, exp=10**300),
        lambda office: signed(office, license="all"),
        lambda office: signed(office, license={"type": "<script>"}),
        lambda office: signed(office, license={"type": "x", "features": [1]}),
        lambda office: signed(office, license={"type": "x", "seats": -1}),
        lambda office: signed(office, jti=""),
        lambda office: lambda question: "x" * 20_000,
        lambda office: lambda question: "a.b.c",
        lambda office: lambda question: None,
        lambda office: lambda question: {"alg": "EdDSA"},
    ],
    ids=[
        "another key", "alg none", "HS256 with the public key", "changed claims", "another type of token", "an old answer",
        "from the future", "a time that is none", "an end beyond time", "no terms", "a type that is none",
        "features that are none", "seats that are none", "without an id", "huge", "garbage", "no licence", "an object",
    ],
)  # fmt: skip
def test_a_licence_that_the_pinned_key_did_not_sign_for_this_question_is_none(office, forge):
    answers_with(office, forge(office))

    for _ in range(2):
        with pytest.raises(LicenseServiceUnavailable):
            client.activation(SLUG, "AAAA-BBBB-CCCC-DDDD")


def test_a_genuine_licence_of_another_installation_is_refused_also_with_our_nonce(office):
    answers_with(office, signed(office, aud="ins_other"))

    with pytest.raises(LicenseInvalid) as refused:
        client.activation(SLUG, "AAAA-BBBB-CCCC-DDDD")

    assert refused.value.details["reason"] == "wrong_installation"


def test_an_answer_that_was_given_before_is_not_taken_again(office):
    """A proxy that goes on handing out what the service said before it revoked the licence."""
    key = office.issue()
    before = client.activation(SLUG, key).token
    office.book.revoke(key)
    answers_with(office, lambda question: before)

    with pytest.raises(LicenseServiceUnavailable, match="another question"):
        client.renewal(SLUG, key)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"oops"), (502, b"<html>Bad Gateway</html>"), (503, b"{}"), (429, b'{"error": {"code": "revoked"}}'), (200, b"<html>"),
        (200, b"[]"), (200, b"{}"), (200, b"{" + b" " * 70_000 + b"}"), (200, b"[" * 60_000), (302, b""), (403, b"<html>Forbidden</html>"),
        (403, b'{"error": {"code": "blocked by the firewall"}}'), (403, b'{"error": "revoked"}'), (500, b'{"error": {"code": "revoked"}}'),
    ],
)  # fmt: skip
def test_only_the_services_own_refusal_counts_all_else_means_that_it_is_away(office, status, body):
    office.misbehaves = lambda *_: (status, body)

    with pytest.raises(LicenseServiceUnavailable) as away:
        client.activation(SLUG, "AAAA-BBBB-CCCC-DDDD")

    assert (away.value.code, away.value.status) == ("LICENSE_SERVICE_UNAVAILABLE", 503)


def test_a_service_that_sends_a_byte_now_and_then_is_given_up_in_time(office, monkeypatch):
    monkeypatch.setattr(client, "DEADLINE_S", 0.6)
    listening = socket.create_server(("127.0.0.1", 0))

    def dribble():
        connection, _ = listening.accept()
        with connection:
            try:
                for _ in range(100):
                    connection.sendall(b"H")
                    time.sleep(0.05)
            except OSError:
                return

    threading.Thread(target=dribble, daemon=True).start()
    monkeypatch.setenv("STREAMSPACE_LICENSE_SERVICE_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
    began = time.monotonic()

    with pytest.raises(LicenseServiceUnavailable):
        client.activation(SLUG, "AAAA-BBBB-CCCC-DDDD")

    assert time.monotonic() - began < 3
    listening.close()


def test_without_an_address_a_key_or_tls_nothing_is_asked(office, monkeypatch):
    for name, value, words in (
        ("ENVIRONMENT", "aws", "https://"),
        ("LICENSE_PUBLIC_KEY", "no key", "32 bytes"),
        ("LICENSE_PUBLIC_KEY", "", "no public key"),
        ("LICENSE_SERVICE_URL", "", "none is configured"),
    ):
        with monkeypatch.context() as changed, pytest.raises(LicenseServiceUnavailable, match=words):
            changed.setenv(f"STREAMSPACE_{name}", value)
            client.activation(SLUG, office.issue())


def test_while_the_vendor_changes_its_key_both_are_trusted(office, monkeypatch):
    other = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    monkeypatch.setenv("STREAMSPACE_LICENSE_PUBLIC_KEY", f"{other}, {office.public_key}")

    assert client.activation(SLUG, office.issue()).terms.type == "professional"


@pytest.mark.parametrize(("apart_s", "is_taken"), [(240, True), (-3600, True), (3600, False)])
def test_clocks_may_be_some_minutes_apart_and_ours_decides_when_a_licence_ends(office, apart_s, is_taken):
    """A service whose clock is slow is no harm: the nonce says that its answer is fresh."""
    theirs = int(clock.timestamp()) + apart_s
    answers_with(office, signed(office, iat=theirs, nbf=theirs))

    if is_taken:
        assert client.activation(SLUG, "AAAA-BBBB-CCCC-DDDD").terms.id == "lic_1"
    else:
        with pytest.raises(LicenseServiceUnavailable):
            client.activation(SLUG, "AAAA-BBBB-CCCC-DDDD")


def test_a_licence_that_begins_later_says_when(office):
    answers_with(office, signed(office, nbf=int(clock.timestamp()) + 86400))

    with pytest.raises(LicenseInvalid) as refused:
        client.activation(SLUG, "AAAA-BBBB-CCCC-DDDD")

    assert refused.value.details["reason"] == "not_yet_valid"
    assert refused.value.details["starts_at"].endswith("Z")


# ── Without the service ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def licensed(office, **terms):
    key = licensing.sealed(office.issue(**terms), SLUG)
    return License.fresh(key, licensing.activate(SLUG, key), clock.now())


def test_a_stored_licence_is_checked_offline(office, aws_calls):
    license = licensed(office)
    office.asked.clear()
    aws_calls.clear()

    licensing.require(SLUG, license)

    assert office.asked == []
    assert aws_calls == ["GetItem"]


def test_offline_it_must_be_for_this_plugin_this_installation_and_under_the_pinned_key(office, monkeypatch):
    license = licensed(office)
    with pytest.raises(LicenseInvalid) as wrong_plugin:
        licensing.require("other", license)
    installation.InstallationRow(id="ins_moved").save()
    with pytest.raises(LicenseInvalid) as wrong_installation:
        licensing.require(SLUG, license)
    monkeypatch.setenv(
        "STREAMSPACE_LICENSE_PUBLIC_KEY", base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    )
    with pytest.raises(LicenseInvalid) as wrong_key:
        licensing.require(SLUG, license)

    reasons = [error.value.details["reason"] for error in (wrong_plugin, wrong_installation, wrong_key)]
    assert reasons == ["wrong_plugin", "wrong_installation", "signature"]


def test_offline_it_ends_with_its_date_and_else_with_the_grace(office, monkeypatch):
    monkeypatch.setenv("STREAMSPACE_LICENSE_GRACE_DAYS", "7")
    soon, endless = licensed(office, days=2), licensed(office, days=None)

    with clock.travel(3 * 86400):
        licensing.require(SLUG, endless)
        with pytest.raises(LicenseExpired) as by_date:
            licensing.require(SLUG, soon)
    with clock.travel(8 * 86400), pytest.raises(LicenseExpired) as by_grace:
        licensing.require(SLUG, endless)

    assert [error.value.details["reason"] for error in (by_date, by_grace)] == ["expired", "unconfirmed"]


# ── Keys and seats ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_is_encrypted_masked_and_opens_for_its_plugin_only(office, aws):
    key = licensing.sealed(" abcd-1234-efgh-5678 ", SLUG)

    assert key.masked == "****-****-****-5678"
    assert key.opened(SLUG) == "ABCD-1234-EFGH-5678"
    assert "1234" not in repr(key)
    with pytest.raises(aws.client("kms").exceptions.ClientError):
        key.opened("other")


@pytest.mark.parametrize(
    "text", ["", "K", "ABCD-1234-EFGH", "ABCD-1234-EFGH-567", "ABCD-1234-EFGH-56781", "ABCD12345678EFGH", "ÀBCD-1234-EFGH-5678"]
)
def test_what_is_no_key_names_its_field(office, text):
    with pytest.raises(ValidationError) as refused:
        licensing.sealed(text, SLUG)

    assert set(refused.value.details) == {"license_key"}


def test_a_seat_that_is_to_be_given_back_waits_for_the_service(office):
    text = office.issue()
    key = licensing.sealed(text, SLUG)
    client.activation(SLUG, text)
    returns.claim(SLUG, key)
    office.is_away()

    assert returns.due() == [], "whoever took it may still be at work"
    with clock.travel(3600):
        assert returns.due() == [SLUG]
        with pytest.raises(LicenseServiceUnavailable):
            returns.give_back(SLUG, *returns.of(SLUG))
        office.is_back()
        (again,) = returns.of(SLUG)
        returns.give_back(SLUG, again)

    assert again == SealedKey(key.ciphertext, key.masked, key.fingerprint)
    assert (office.seats_used(), returns.of(SLUG)) == (0, [])
