"""A vendor's book of licences: what was issued, to whom which seat is given, what was taken back. One SQLite file.

Several processes may write at once: each change is one transaction that begins by locking the file, so two installations never take the
last seat together. Keys are kept as their hashes: who steals the book has no key. The protocol that it answers is docs/licences.md.
"""

import hashlib
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.errors import LicenseUnknown

TYPE = "streamspace-license+jwt"
# Without letters and digits that look alike; some 80 random bits.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_KEY = re.compile(r"[A-Z0-9]{4}(-[A-Z0-9]{4}){3}")
_LOCKED_FOR_S = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS licenses (
    fingerprint TEXT PRIMARY KEY, masked TEXT NOT NULL, id TEXT NOT NULL, plugin TEXT NOT NULL, type TEXT NOT NULL, features TEXT NOT NULL,
    issued_at INTEGER NOT NULL, expires_at INTEGER, seats INTEGER, revoked_at INTEGER
);
CREATE TABLE IF NOT EXISTS seats (
    fingerprint TEXT NOT NULL, installation_id TEXT NOT NULL, taken_at INTEGER NOT NULL, PRIMARY KEY (fingerprint, installation_id)
);
"""


@dataclass(frozen=True)
class Issued:
    """One licence of the book. Times are seconds since the epoch; ``expires_at`` and ``seats`` None: without end, without number."""

    id: str
    masked: str
    plugin: str
    type: str
    features: tuple[str, ...]
    issued_at: int
    expires_at: int | None
    seats: int | None
    seats_used: int
    revoked_at: int | None


class Refused(Exception):
    """The service's answer to a key that it gives no licence for."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details


class LicenseBook:
    def __init__(self, file: Path, private_key: bytes | None = None, *, now: Callable[[], float] = time.time) -> None:
        """``private_key``: Ed25519, 32 raw bytes; only answering needs it. The file is made when it is not there."""
        self._file = file
        self._key = Ed25519PrivateKey.from_private_bytes(private_key) if private_key else None
        self._now = now

    # What the vendor does

    def issue(
        self, plugin: str, *, type: str = "standard", features: tuple[str, ...] = (), expires_at: int | None = None, seats: int | None = 1
    ) -> str:
        """A new licence's key, which nobody can read again."""
        key = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
        row = (_fingerprint(key), f"****-****-****-{key[-4:]}", f"lic_{secrets.token_hex(8)}", plugin, type, json.dumps(features))
        with self._changing() as book:
            book.execute(
                "INSERT INTO licenses (fingerprint, masked, id, plugin, type, features, issued_at, expires_at, seats)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, int(self._now()), expires_at, seats),
            )
        return key

    def revoke(self, key: str) -> Issued:
        """Installations learn of it when they ask next: within a day. May be done twice. Raises: LicenseUnknown."""
        return self._change(key, "revoked_at = COALESCE(revoked_at, ?)", int(self._now()))

    def extend(self, key: str, expires_at: int | None) -> Issued:
        """Another end. Raises: LicenseUnknown."""
        return self._change(key, "expires_at = ?", expires_at)

    def everything(self) -> list[Issued]:
        """Oldest first."""
        with self._reading() as book:
            rows = book.execute("SELECT * FROM licenses ORDER BY issued_at, id").fetchall()
            return [_issued(book, row) for row in rows]

    def _change(self, key: str, change: str, value: int | None) -> Issued:
        with self._changing() as book:
            fingerprint = _fingerprint(key.strip().upper())
            book.execute(f"UPDATE licenses SET {change} WHERE fingerprint = ?", (value, fingerprint))  # noqa: S608 our own two texts
            row = book.execute("SELECT * FROM licenses WHERE fingerprint = ?", (fingerprint,)).fetchone()
            if row is None:
                raise LicenseUnknown("There is no licence with this key in the book")
            return _issued(book, row)

    # What installations ask. Source: docs/licences.md

    def answer(self, what: str, question: Any) -> tuple[int, dict[str, Any]]:
        """The status and the document for ``POST /v1/{what}``."""
        try:
            match what:
                case "activations":
                    return 200, self._activation(**_checked(question, needs_nonce=True))
                case "renewals":
                    return 200, self._renewal(**_checked(question, needs_nonce=True))
                case "deactivations":
                    return 200, self._deactivation(**_checked(question, needs_nonce=False))
            raise Refused(404, "not_found", "Ask for activations, renewals or deactivations")
        except Refused as refused:
            return refused.status, {"error": {"code": refused.code, "message": refused.message, "details": refused.details}}

    def _activation(self, key: str, plugin: str, installation_id: str, nonce: str) -> dict[str, Any]:
        with self._changing() as book:
            fingerprint, issued = self._valid(book, key, plugin)
            if not _has_seat(book, fingerprint, installation_id):
                if issued.seats is not None and issued.seats_used >= issued.seats:
                    raise Refused(409, "seats_used", "All seats are taken", seats=issued.seats, seats_used=issued.seats_used)
                book.execute("INSERT INTO seats VALUES (?, ?, ?)", (fingerprint, installation_id, int(self._now())))
            return self._signed(_issued_under(book, fingerprint), installation_id, nonce)

    def _renewal(self, key: str, plugin: str, installation_id: str, nonce: str) -> dict[str, Any]:
        with self._reading() as book:
            fingerprint, issued = self._valid(book, key, plugin)
            if not _has_seat(book, fingerprint, installation_id):
                raise Refused(409, "no_seat", "This installation has no seat")
            return self._signed(issued, installation_id, nonce)

    def _deactivation(self, key: str, plugin: str, installation_id: str) -> dict[str, Any]:
        with self._changing() as book:
            book.execute("DELETE FROM seats WHERE fingerprint = ? AND installation_id = ?", (_fingerprint(key), installation_id))
        return {}

    def _valid(self, book: sqlite3.Connection, key: str, plugin: str) -> tuple[str, Issued]:
        fingerprint = _fingerprint(key)
        row = book.execute("SELECT * FROM licenses WHERE fingerprint = ?", (fingerprint,)).fetchone()
        if row is None:
            raise Refused(404, "unknown_key", "There is no licence with this key")
        issued = _issued(book, row)
        if issued.plugin != plugin:
            raise Refused(403, "wrong_plugin", "The key is for another plugin", licensed_plugin=issued.plugin)
        if issued.revoked_at is not None:
            raise Refused(403, "revoked", "The licence was revoked")
        if issued.expires_at is not None and issued.expires_at <= self._now():
            ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued.expires_at))
            raise Refused(403, "expired", "The licence has expired", expires_at=ended)
        return fingerprint, issued

    def _signed(self, issued: Issued, installation_id: str, nonce: str) -> dict[str, Any]:
        if self._key is None:
            raise ValueError("a book that answers needs the private key")
        claims = {
            "jti": issued.id,
            "sub": issued.plugin,
            "aud": installation_id,
            "iat": int(self._now()),
            "nonce": nonce,
            **({"exp": issued.expires_at} if issued.expires_at is not None else {}),
            "license": {"type": issued.type, "features": list(issued.features), "seats": issued.seats, "seats_used": issued.seats_used},
        }
        return {"license": jwt.encode(claims, self._key, algorithm="EdDSA", headers={"typ": TYPE})}

    # The file

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as book:
            book.execute("BEGIN IMMEDIATE")
            try:
                yield book
            except BaseException:
                book.execute("ROLLBACK")
                raise
            book.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._file, timeout=_LOCKED_FOR_S, isolation_level=None)) as book:
            book.row_factory = sqlite3.Row
            book.executescript(_TABLES)
            yield book


def _checked(question: Any, *, needs_nonce: bool) -> dict[str, str]:
    names = {"license_key": "key", "plugin": "plugin", "installation_id": "installation_id", **({"nonce": "nonce"} if needs_nonce else {})}
    if not isinstance(question, dict):
        raise Refused(400, "malformed", "The body must be a JSON object")
    missing = [name for name in names if not isinstance(question.get(name), str) or not 0 < len(question[name]) <= 200]
    if missing:
        raise Refused(400, "malformed", f"These must be texts: {', '.join(missing)}")
    asked = {ours: question[name] for name, ours in names.items()}
    asked["key"] = asked["key"].strip().upper()
    if not _KEY.fullmatch(asked["key"]):
        raise Refused(404, "unknown_key", "There is no licence with this key")
    return asked


def _has_seat(book: sqlite3.Connection, fingerprint: str, installation_id: str) -> bool:
    found = book.execute("SELECT 1 FROM seats WHERE fingerprint = ? AND installation_id = ?", (fingerprint, installation_id))
    return found.fetchone() is not None


def _issued_under(book: sqlite3.Connection, fingerprint: str) -> Issued:
    return _issued(book, book.execute("SELECT * FROM licenses WHERE fingerprint = ?", (fingerprint,)).fetchone())


def _issued(book: sqlite3.Connection, row: sqlite3.Row) -> Issued:
    (used,) = book.execute("SELECT COUNT(*) FROM seats WHERE fingerprint = ?", (row["fingerprint"],)).fetchone()
    values = {name: row[name] for name in ("id", "masked", "plugin", "type", "issued_at", "expires_at", "seats", "revoked_at")}
    return Issued(**values, features=tuple(json.loads(row["features"])), seats_used=used)


def _fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
