"""An OpenID provider on this machine: real keys, real signatures, and every way to be wrong.

``python -m tests.integration.accounts.oidc_provider`` runs one to try single sign-on with (docs/sign-in.md).
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import secrets
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from chalicelib.accounts.oidc import challenge_of


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public(name: str) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key(name).public_key(), as_dict=True), "kid": name, "use": "sig"}


class OidcProvider(ThreadingHTTPServer):
    """``claims`` and ``header`` override what the next token says; ``signed_by`` is its key, ``published`` what the provider shows."""

    client_id, client_secret = "streamspace", "s3cret & more"

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Answers)
        # Whoever comes to its page is signed in as this person, without being asked.
        self.person: dict[str, Any] = {}
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.published = ["one"]
        self.signed_by = "one"
        # What signs in the place of that key.
        self.secret: bytes | None = None
        self.header: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.token_status = 200
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def authorize(self, address: str, **who: Any) -> str:
        """What the person who ``who`` describes comes back with from ``address``: a code."""
        given = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert given["response_type"] == "code"
        assert given["client_id"] == self.client_id
        assert given["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self._codes[code] = {**given, "who": json.dumps(who)}
        return code

    def token_for(self, form: dict[str, str], authorization: str | None) -> dict[str, Any] | None:
        begun = self._codes.pop(form["code"], None)
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        if begun is None or authorization != f"Basic {base64.b64encode(pair.encode()).decode()}":
            return None
        if begun["redirect_uri"] != form["redirect_uri"] or begun["code_challenge"] != challenge_of(form["code_verifier"]):
            return None
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": begun["nonce"],
            **json.loads(begun["who"]),
        }
        said = {name: value for name, value in {**said, **self.claims}.items() if value is not None}
        header = {"alg": "RS256", "kid": self.signed_by, **self.header}
        if self.secret is not None:
            # By hand: no library would take a public key for a secret.
            signed = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, said))
            mark = base64.urlsafe_b64encode(hmac.digest(self.secret, signed, "sha256")).rstrip(b"=")
            return {"id_token": (signed + b"." + mark).decode(), "token_type": "Bearer"}
        signs = None if header["alg"] == "none" else key(self.signed_by)
        return {"id_token": jwt.encode(said, signs, algorithm=header.pop("alg"), headers=header), "token_type": "Bearer"}


class _Answers(BaseHTTPRequestHandler):
    server: OidcProvider

    def do_GET(self) -> None:
        provider = self.server
        provider.asked.append(self.path)
        if self.path.startswith("/authorize?"):
            code, back = provider.authorize(self.path, **provider.person), parse_qs(urlsplit(self.path).query)
            self.send_response(302)
            self.send_header("Location", f"{back['redirect_uri'][0]}?{urlencode({'code': code, 'state': back['state'][0]})}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/keys":
            self._say(200, {"keys": [{"kty": "unheard-of"}, *map(public, provider.published)]})
        else:
            document = {
                "issuer": provider.issuer,
                "authorization_endpoint": f"{provider.issuer}/authorize",
                "token_endpoint": f"{provider.issuer}/token",
                "jwks_uri": f"{provider.issuer}/keys",
            }
            self._say(200, {**document, **provider.document})

    def do_POST(self) -> None:
        provider = self.server
        provider.asked.append(self.path)
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()}
        answer = provider.token_for(form, self.headers.get("Authorization")) if provider.token_status == 200 else None
        if provider.token_status != 200:
            self._say(provider.token_status, {})
        else:
            self._say(200, answer) if answer else self._say(400, {"error": "invalid_grant"})

    def _say(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


def main() -> None:
    asked = argparse.ArgumentParser(description="An OpenID provider that signs everybody in as one person, to try single sign-on.")
    asked.add_argument("--port", type=int, default=9400)
    asked.add_argument("--username", default="jane.smith")
    asked.add_argument("--groups", nargs="*", default=[])
    given = asked.parse_args()
    provider = OidcProvider(given.port)
    name = given.username
    provider.person = {"sub": name, "preferred_username": name, "name": name, "email": f"{name}@example.com", "groups": given.groups}
    print(f"issuer {provider.issuer}, client id {provider.client_id}, client secret {provider.client_secret}", flush=True)
    provider.serve_forever()


if __name__ == "__main__":
    main()
