"""Which addresses this server calls on a user's word.

A webhook's host is looked up when the webhook is written and again for every message, and the socket goes to the very
address that was looked at: a name that answers differently the second time reaches nothing inside. Loopback, private and
link-local addresses are refused in each of their spellings, those inside IPv6 included.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from treadle.systems.train.webhooks.errors import AddressRefused

Resolve = Callable[[str, int], list[str]]
"""The addresses of a host, as texts. Raises OSError."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_INSIDE = tuple(ipaddress.IPv6Network(each) for each in ("::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "fec0::/10"))
"""Compatible, translated and locally translated IPv4, and what was site-local: never of the internet at large."""
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Policy:
    """allows_private: addresses of this host and of private networks. allows_http: calls without TLS."""

    allows_private: bool = False
    allows_http: bool = False

    @property
    def schemes(self) -> tuple[str, ...]:
        """What an address may begin with."""
        return ("http", "https") if self.allows_http else ("https",)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes: `address` is the one that was checked, `host` the name for TLS and for the request."""

    scheme: str
    host: str
    port: int
    address: str
    path: str


def resolved(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked(url: str, policy: Policy, resolve: Resolve = resolved) -> Target:
    """Where a URL leads, all of whose addresses may be called. Raises AddressRefused."""
    parts, port = _parts(url, policy)
    host = parts.hostname or ""
    try:
        found = resolve(host, port)
    except (OSError, UnicodeError, ValueError) as error:
        raise AddressRefused(f"Cannot resolve Webhook URL hostname {host!r}: {error}") from error
    if not found:
        raise AddressRefused(f"Cannot resolve Webhook URL hostname {host!r}: it has no address")
    for address in found:
        if not policy.allows_private and not is_public(address):
            raise AddressRefused(
                f"Webhook URL must not resolve to a non-public IP address. {host!r} resolves to {address}."
            )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, address=found[0], path=path)


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet at large, whichever way it is written."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if any(found in network for network in _INSIDE):
            return False
    return found.is_global and not found.is_multicast


def _parts(url: str, policy: Policy) -> tuple[SplitResult, int]:
    if not url.strip():
        raise AddressRefused(f"Webhook URL cannot be empty or just whitespace: {url!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"Invalid webhook URL {url!r}: {error!r}") from error
    if parts.scheme not in policy.schemes:
        raise AddressRefused(
            f"Invalid webhook URL scheme: {parts.scheme!r}. Allowed schemes are: {', '.join(policy.schemes)}."
        )
    if not parts.hostname:
        raise AddressRefused(f"Webhook URL must include a hostname: {url!r}")
    if parts.username is not None or any(not "!" <= letter <= "~" or letter == "\\" for letter in url):
        raise AddressRefused(
            "A webhook's URL has no user, no blanks, no control characters and only ASCII letters in it: "
            "write others as %XX in the path, as xn--… in the name."
        )
    return parts, port or _PORTS[parts.scheme]
