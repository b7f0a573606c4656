"""Guessing passwords is made slow, and no guesser can make signing in impossible for somebody else.

Wrong passwords are counted in *buckets*. Who comes with a device, or from an address, that the user has signed in from before has a bucket
for that alone, so whatever strangers do, it is open. Strangers have one for their address, and all strangers together one for the user,
which is far larger: guessing from a thousand addresses fills it, guessing from one does not.

    who                        buckets                                    shut after
    known device               {user}, that device                        10 wrong passwords
    known address              {user}, that address                       10
    a stranger                 {user}, that address; {user}, strangers    10; 100

A shut bucket opens after a minute, and after twice as long with each wrong password more, up to an hour. A right password empties it.
Names that nobody has are counted as names are, so that nobody learns which is which.

Source of the idea: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import UpdateError

from chalicelib.accounts import allowed, token_text
from chalicelib.accounts.errors import SignInLocked
from chalicelib.core import clock
from chalicelib.core.tables import Row, TableMeta, condition_failed, table

_AT_ONE, _AT_STRANGERS = 10, 100
_SHORTEST_S, _LONGEST_S = 60, 3600
# So long after the last wrong password, none was given.
_FORGOTTEN_AFTER_S = 24 * 3600
KNOWN_FOR_S = 90 * 24 * 3600


class _GuessRow(Row):
    """A bucket: pk GUESSES#{user}, sk the bucket; or what is known: pk KNOWN#{user}, sk DEVICE#{hash} or ADDRESS#{hash}."""

    class Meta(TableMeta):
        table_name = table("ACCOUNTS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    failures = NumberAttribute(default=0)
    last_at = NumberAttribute(default=0)
    expires_at = NumberAttribute(default=0)


@dataclass(frozen=True)
class Attempt:
    """One try to sign in: which buckets it counts in. ``name`` is what tries a minute are counted under."""

    username: str
    address: str
    buckets: tuple[tuple[str, int], ...]
    is_known_device: bool

    @property
    def name(self) -> str:
        return f"{self.username}#{self.buckets[0][0]}"

    def failed(self) -> None:
        """Count a wrong password. One UpdateItem for each bucket; one more where what was counted is forgotten by now."""
        now = int(clock.timestamp())
        for bucket, _ in self.buckets:
            row = _GuessRow(f"GUESSES#{self.username}", bucket)
            noted = [_GuessRow.last_at.set(now), _GuessRow.expires_at.set(now + _FORGOTTEN_AFTER_S)]
            # The table drops what has expired some day, and not at once.
            counts = _GuessRow.expires_at.does_not_exist() | (_GuessRow.expires_at > now)
            try:
                row.update([*noted, _GuessRow.failures.add(1)], condition=counts)
            except UpdateError as error:
                if not condition_failed(error):
                    raise
                row.update([*noted, _GuessRow.failures.set(1)])

    def succeeded(self, *, is_browser: bool) -> str | None:
        """Empty the bucket and remember the address; for a browser also the device, whose new secret is returned. One BatchWriteItem."""
        device = token_text.fresh() if is_browser and not self.is_known_device else None
        until = int(clock.timestamp()) + KNOWN_FOR_S
        known = f"KNOWN#{self.username}"
        with _GuessRow.batch_write() as batch:
            batch.delete(_GuessRow(f"GUESSES#{self.username}", self.buckets[0][0]))
            batch.save(_GuessRow(known, _hashed("ADDRESS", self.address), expires_at=until))
            if device:
                batch.save(_GuessRow(known, _hashed("DEVICE", device), expires_at=until))
        return device


def begin(username: str, source_ip: str, device: str | None) -> Attempt:
    """Which buckets a try counts in. One BatchGetItem, along with what is allowed.

    Raises: SignInLocked when one of them is shut.
    """
    address = _network(source_ip)
    of_device = _hashed("DEVICE", device) if device and token_text.is_well_formed(device) else None
    of_address = _hashed("ADDRESS", address)
    known, guesses = f"KNOWN#{username}", f"GUESSES#{username}"
    wanted = [(known, of_address), (guesses, of_address), (guesses, "STRANGERS")]
    if of_device:
        wanted += [(known, of_device), (guesses, of_device)]
    rows = {key: _GuessRow.from_raw_data(item) for key, item in allowed.read_many_along(wanted).items()}

    def lives(pk: str, sk: str) -> bool:
        row = rows.get((pk, sk))
        return row is not None and row.expires_at > clock.timestamp()

    is_known_device = of_device is not None and lives(known, of_device)
    buckets: tuple[tuple[str, int], ...]
    if is_known_device:
        buckets = ((str(of_device), _AT_ONE),)
    elif lives(known, of_address):
        buckets = ((of_address, _AT_ONE),)
    else:
        buckets = ((of_address, _AT_ONE), ("STRANGERS", _AT_STRANGERS))
    for bucket, most in buckets:
        if lives(guesses, bucket):
            _refuse_if_shut(rows[guesses, bucket], most)
    return Attempt(username, address, buckets, is_known_device)


def _refuse_if_shut(row: _GuessRow, most: int) -> None:
    over = int(row.failures) - most
    if over < 0:
        return
    opens_at = float(row.last_at) + min(_SHORTEST_S * 2 ** min(over, 10), _LONGEST_S)
    if opens_at > clock.timestamp():
        raise SignInLocked(max(1, round(opens_at - clock.timestamp())))


def _network(source_ip: str) -> str:
    """The address; of IPv6 the half that one customer has as a whole."""
    try:
        address = ipaddress.ip_address(source_ip)
    except ValueError:
        return source_ip
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if address.version == 6 else str(address)


def _hashed(kind: str, text: str) -> str:
    return f"{kind}#{hashlib.sha256(text.encode()).hexdigest()[:32]}"
