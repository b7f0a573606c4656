"""Which addresses a webhook may send to: those that anybody on the Internet could reach, and no others.

A name is resolved once, every address that it has is looked at, and the connection goes to one that was looked at: a second resolution
could answer otherwise (DNS rebinding). Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(Exception):
    """The sentence says which and why."""


def faults_of(url: str, *, allows_loopback: bool) -> list[str]:
    """Why this cannot be a webhook's URL, without looking it up; empty when it can."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ["Must be a URL such as https://example.com/hook"]
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        return ["Must be a URL such as https://example.com/hook"]
    if parts.username is not None or parts.password is not None:
        return ["Must not carry a user name or password; the signature shows who sends"]
    if any(character.isspace() or not character.isprintable() for character in url):
        return ["Must not contain blanks or control characters"]
    if parts.scheme == "http" and not (allows_loopback and _is_loopback_name(parts)):
        return ["Must be https, so that nobody on the way can read or change what is sent"]
    try:
        literal = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return []
    reason = refusal(literal, allows_loopback=allows_loopback)
    return [reason] if reason else []


def resolve(host: str, port: int, *, allows_loopback: bool) -> list[str]:
    """The addresses of ``host``, all of which may be sent to. Raises AddressRefused for one that may not, and OSError for no such name."""
    found = list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    for address in found:
        reason = refusal(ipaddress.ip_address(address.partition("%")[0]), allows_loopback=allows_loopback)
        if reason:
            raise AddressRefused(reason if address == host else f"{host} is {address}. {reason}")
    return found


def refusal(address: _Address, *, allows_loopback: bool = False) -> str | None:
    """Why nothing is sent to ``address``; None when it may be. An IPv4 address in IPv6 clothes is judged as what it is."""
    inner = _inner(address)
    if inner.is_loopback and allows_loopback:
        return None
    if not inner.is_global or inner.is_multicast:
        return f"{inner} is not an address on the public Internet; webhooks are not sent to private, loopback or link-local ones"
    return None


def _inner(address: _Address) -> _Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    return address


def _is_loopback_name(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
