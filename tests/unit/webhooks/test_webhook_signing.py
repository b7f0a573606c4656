"""A receiver can verify what it is sent, by either of the two ways."""

import base64
import hashlib
import hmac
import json
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.webhooks import signing

PAYLOAD = {"event": "plugin.installed", "timestamp": "2024-12-15T10:30:00Z", "data": {"plugin": {"slug": "x", "name": "Größe ✓"}}}


def test_the_bodys_signature_is_the_hmac_of_the_rest():
    body = json.loads(signing.body(PAYLOAD, "your_webhook_secret"))

    signature = body.pop("signature")

    unsigned = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    assert body == PAYLOAD
    assert signature == "sha256=" + hmac.new(b"your_webhook_secret", unsigned, hashlib.sha256).hexdigest()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_a_receiver_in_javascript_verifies_it_with_three_lines():
    script = """
      const {createHmac} = require('node:crypto');
      const {signature, ...rest} = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
      process.stdout.write(String(signature === 'sha256=' + createHmac('sha256', 's3cret').update(JSON.stringify(rest)).digest('hex')));
    """

    answer = subprocess.run(["node", "-e", script], input=signing.body(PAYLOAD, "s3cret"), capture_output=True, check=True, timeout=30)

    assert answer.stdout == b"true"


def test_the_headers_are_those_of_standard_webhooks():
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()

    headers = signing.headers("evt_1", 1_700_000_000, b'{"a":1}', [secret, "older"])

    fresh = hmac.new(b"0123456789abcdef01234567", b'evt_1.1700000000.{"a":1}', hashlib.sha256).digest()
    old = hmac.new(b"older", b'evt_1.1700000000.{"a":1}', hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": f"v1,{base64.b64encode(fresh).decode()} v1,{base64.b64encode(old).decode()}",
    }


@given(st.text(min_size=0, max_size=50))
def test_any_text_can_be_signed_and_read_back(text):
    body = json.loads(signing.body({"event": "e", "timestamp": "t", "data": {"text": text}}, "secret"))

    assert body["data"]["text"] == text


def test_half_a_surrogate_pair_does_not_stop_a_delivery():
    assert json.loads(signing.body({"event": "e", "data": "\ud800"}, "secret"))["event"] == "e"


def test_a_new_secret_can_sign():
    assert signing.is_usable(signing.new_secret())


@pytest.mark.parametrize(("secret", "usable"), [("x", True), ("", False), ("whsec_", False), ("whsec_!!", False)])
def test_which_secrets_can_sign(secret, usable):
    assert signing.is_usable(secret) is usable
