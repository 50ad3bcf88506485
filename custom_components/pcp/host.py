"""From what somebody typed to the addresses of a host."""

import asyncio
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
import re
import socket
from typing import Any

from .client.codec import IPAddress
from .client.udp import scope_index

# A name could lead to hundreds; we are not to be used against them.
_MAX_ADDRESSES = 4
# What a resolver is asked for. RFC 1035 2.3.4, with the letters of all languages.
_MAX_NAME_LENGTH = 253
_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")
_LIMITED_BROADCAST = IPv4Address("255.255.255.255")
_UNIQUE_LOCAL = IPv6Network("fc00::/7")


def normal_host(text: str) -> str:
    """Return a host in the form in which it can be compared."""
    host = text.strip().removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(host))
    except ValueError:
        return host.lower()


def can_be_opened(address: IPAddress) -> bool:
    """Tell whether a mapping for an address of ours is of use. RFC 6887 8.4.

    Behind a router's firewall only a global IPv6 address is reached; NAT takes any.
    """
    return address.version == 4 or not (
        address.is_link_local or address in _UNIQUE_LOCAL
    )


async def async_resolve(host: str) -> tuple[IPAddress, ...]:
    """Return the first few IPv4 and IPv6 addresses of a host, IPv4 first.

    Of each IP version in the order in which they are to be tried: as the resolver sorts
    them (RFC 6724). The host is an address, a link-local IPv6 one with its %scope, or a
    name. Raises ValueError for what is neither, for names that lead nowhere and for
    addresses that no router has.
    """
    try:
        addresses = [ip_address(host)]
    except ValueError:
        addresses = await _async_look_up(host)
    usable = list(dict.fromkeys(filter(_is_usable, addresses)))
    if not usable:
        raise ValueError(f"No usable address: {host!r}")
    by_version = ([it for it in usable if it.version == version] for version in (4, 6))
    return tuple(it for addresses in by_version for it in addresses[:_MAX_ADDRESSES])


async def _async_look_up(name: str) -> list[IPAddress]:
    # The resolver takes 10.1 for 10.0.0.1, which nobody means.
    is_name = len(name) <= _MAX_NAME_LENGTH and _NAME.fullmatch(name)
    if not is_name or not any(letter.isalpha() for letter in name):
        raise ValueError(f"Not an address: {name!r}")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            name, None, type=socket.SOCK_DGRAM
        )
    except (OSError, UnicodeError) as err:
        raise ValueError(f"Unknown host: {name!r}") from err
    return [_address(sockaddr) for *_, sockaddr in found]


def _address(sockaddr: tuple[Any, ...]) -> IPAddress:
    """Return the address of a socket address, a link-local one with its scope."""
    address = ip_address(sockaddr[0].partition("%")[0])
    if isinstance(address, IPv6Address) and (index := sockaddr[3]):
        return IPv6Address(f"{address}%{socket.if_indextoname(index)}")
    return address


def _is_usable(address: IPAddress) -> bool:
    if address.is_multicast or address.is_unspecified or address == _LIMITED_BROADCAST:
        return False
    if isinstance(address, IPv6Address) and address.is_link_local:
        return _has_scope(address)
    return True


def _has_scope(address: IPv6Address) -> bool:
    """Tell whether a link-local address says on which interface, and it exists."""
    try:
        return scope_index(address) > 0
    except OSError:
        return False
