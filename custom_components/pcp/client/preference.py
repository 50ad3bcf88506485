"""In which order to try the addresses of one server. RFC 6724 6, RFC 7488 3.

As the system's resolver sorts the addresses of a name; what only the kernel knows of a
source (deprecated, home, native: rules 3, 4, 7) is left out.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
import socket
from typing import Any

from .codec import SERVER_PORT, IPAddress
from .udp import scope_index

# RFC 6724 2.1: prefix, precedence, label; the longest prefix counts.
_POLICIES = [
    (IPv6Network(prefix), precedence, label)
    for prefix, precedence, label in (
        ("::1/128", 50, 0),
        ("::ffff:0:0/96", 35, 4),
        ("::/96", 1, 3),
        ("2001::/32", 5, 5),
        ("2002::/16", 30, 2),
        ("3ffe::/16", 1, 12),
        ("fec0::/10", 1, 11),
        ("fc00::/7", 3, 13),
        ("::/0", 40, 1),
    )
]
# RFC 4007 5
_LINK_SCOPE, _SITE_SCOPE, _GLOBAL_SCOPE = 2, 5, 14
# The longest prefix that a source is taken to have. RFC 6724 2.2.
_PREFIX_LENGTH = 64


def by_preference(addresses: Iterable[IPAddress]) -> list[IPAddress]:
    """Return destinations sorted; the kernel is asked for the source to each."""
    return sorted(addresses, key=_rank)


def _rank(destination: IPAddress) -> tuple[int, ...]:
    """Return what compares smaller for what is preferred: rules 1, 2, 5, 6, 8, 9."""
    precedence, label = _policy(destination)
    scope = _scope(destination)
    source = _source(destination)
    if source is None:
        return (1, 0, 0, -precedence, scope, 0)
    return (
        0,
        scope != _scope(source),
        label != _policy(source)[1],
        -precedence,
        scope,
        -_common_prefix(destination, source),
    )


def _source(destination: IPAddress) -> IPAddress | None:
    """Return the source address that the kernel chooses; nothing is sent."""
    try:
        if isinstance(destination, IPv4Address):
            peer: tuple[Any, ...] = (str(destination), SERVER_PORT)
            family = socket.AF_INET
        else:
            index = scope_index(destination)
            peer = (str(IPv6Address(int(destination))), SERVER_PORT, 0, index)
            family = socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(peer)
            return type(destination)(sock.getsockname()[0])
    except OSError:
        return None


def _policy(address: IPAddress) -> tuple[int, int]:
    mapped = _as_ipv6(address)
    return next(
        (precedence, label)
        for prefix, precedence, label in _POLICIES
        if mapped in prefix
    )


def _scope(address: IPAddress) -> int:
    """RFC 6724 3.1, 3.2: private IPv4 addresses are global, loopback is link-local."""
    if address.is_link_local or address.is_loopback:
        return _LINK_SCOPE
    if isinstance(address, IPv6Address) and address.is_site_local:
        return _SITE_SCOPE
    return _GLOBAL_SCOPE


def _common_prefix(destination: IPAddress, source: IPAddress) -> int:
    """Return the bits in common; of IPv4 addresses, as the resolver does, none."""
    if isinstance(destination, IPv4Address):
        return 0
    return min(128 - (int(destination) ^ int(source)).bit_length(), _PREFIX_LENGTH)


def _as_ipv6(address: IPAddress) -> IPv6Address:
    if isinstance(address, IPv4Address):
        return IPv6Address(0xFFFF_0000_0000 | int(address))
    return IPv6Address(int(address))
