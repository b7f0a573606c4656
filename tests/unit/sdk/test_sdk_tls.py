"""The platform over HTTPS, as it is on AWS: both SDKs keep a connection, and talk to nobody whose certificate they cannot check."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_sdk_javascript import NODE_SDK, PYTHON_SDK, needs_node

_JAVASCRIPT = """
const { request } = require(process.argv[1] + '/http');
const ask = () => request('c', 'GET', 'things', { deadline: Date.now() + 20_000 });
ask().then(ask).then(ask).then(JSON.stringify, ({ name, message }) => `${name}: ${message}`).then(console.log);
"""
_PYTHON = """
import json, sys
sys.path.insert(0, sys.argv[1])
from streamspace import client, errors
try:
    for _ in range(3):
        answer = client.request("c", "GET", "things", deadline=sys.float_info.max)
    print(json.dumps(answer, separators=(",", ":")))
except errors.StreamSpaceError as error:
    print(f"{type(error).__name__}: {error}")
"""
SDKS = [
    pytest.param(["node", "-e", _JAVASCRIPT, str(NODE_SDK)], id="js", marks=needs_node),
    pytest.param([sys.executable, "-c", _PYTHON, str(PYTHON_SDK.parent)], id="py"),
]


@dataclass
class Secure:
    url: str
    certificate: Path
    connections: int = 0
    requests: int = 0


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Secure]:
    """A server with a certificate of its own making for 127.0.0.1."""
    found = Secure("", tmp_path / "certificate.pem")
    _certify(found.certificate, tmp_path / "key.pem")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            found.connections += 1
            super().setup()

        def do_GET(self) -> None:
            found.requests += 1
            body = b'{"success": true, "data": {"n": 1}}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found.certificate, tmp_path / "key.pem")
    # A handshake in the thread that serves the connection, so that one which fails stops nobody.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    found.url = f"https://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


def _certify(certificate: Path, key: Path) -> None:
    private, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def _said(command: list[str], url: str, **more: str) -> str:
    environment = {**os.environ, "STREAMSPACE_API_URL": url, "STREAMSPACE_TOKEN": "ss_plugin", **more}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("command", SDKS)
def test_requests_share_a_connection(secure: Secure, command: list[str]) -> None:
    trusted = {name: str(secure.certificate) for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")}

    assert json.loads(_said(command, secure.url, **trusted)) == {"n": 1}
    assert (secure.connections, secure.requests) == (1, 3)


@pytest.mark.parametrize("command", SDKS)
def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_token_is_sent(secure: Secure, command: list[str]) -> None:
    said = _said(command, secure.url)

    assert said.startswith("PlatformUnreachableError: c: the platform could not be reached: ")
    assert "certificate" in said.lower() or "CERT" in said
    assert secure.requests == 0
