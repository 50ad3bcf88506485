"""What the kernel tells of its network: addresses, routes and neighbours, over netlink.

Own reading of <linux/netlink.h> and <linux/rtnetlink.h>: to load a library for it takes
longer than a whole search. A dump of our addresses takes a fraction of a millisecond;
routes and neighbours can be many. Where there is no netlink the answers are empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
import logging
import socket
from struct import Struct, error as StructError
import sys

from .codec import IPAddress

_LOGGER = logging.getLogger(__name__)

# <linux/netlink.h>
_HEADER = Struct("=IHHII")
_REQUEST_DUMP = 0x1 | 0x300
_ERROR = 2
_DONE = 3
_ATTRIBUTE = Struct("=HH")
_ATTRIBUTE_TYPE = 0x3FFF
_RECEIVE_SIZE = 65536
# Seconds; the kernel answers at once.
_WAIT = 2.0
# <linux/rtnetlink.h>: struct rtnexthop
_HOP = Struct("=HBBi")


class Kind(Enum):
    """What can be asked for: the request's type, and the header of each entry."""

    ADDRESSES = 22, Struct("=BBBBI")
    """Family, prefix length, flags, scope, interface."""
    ROUTES = 26, Struct("=BBBBBBBBI")
    """Family, destination and source length, tos, table, protocol, scope, type, flags."""
    NEIGHBOURS = 30, Struct("=BxxxiHBB")
    """Family, interface, state, flags, type."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a table."""

    fields: tuple[int, ...]
    attributes: dict[int, bytes]

    def number(self, attribute: int, default: int = 0) -> int:
        """Return an attribute that is a number."""
        octets = self.attributes.get(attribute)
        return default if octets is None else int.from_bytes(octets, sys.byteorder)

    def address(self, attribute: int) -> IPAddress | None:
        """Return an attribute that is an IP address."""
        octets = self.attributes.get(attribute)
        return None if octets is None else ip_address(octets)


def dump(kind: Kind) -> list[Entry]:
    """Return a table of both IP versions, IPv4 first."""
    entries: list[Entry] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            entries += _entries(kind, _exchange(_request(kind, family)))
        except (OSError, StructError, ValueError) as err:
            _LOGGER.debug("The kernel's %s cannot be read: %s", kind.name, err)
    return entries


def hops(octets: bytes) -> Iterator[Entry]:
    """Yield the hops of a route that has several: flags, weight and interface of each."""
    while octets:
        length, *fields = _HOP.unpack_from(octets)
        yield Entry(tuple(fields), dict(_attributes(octets[_HOP.size : length])))
        octets = octets[max(_aligned(length), _HOP.size) :]


def _request(kind: Kind, family: int) -> bytes:
    number, header = kind.value
    body = bytes((family,)) + bytes(header.size - 1)
    return _HEADER.pack(_HEADER.size + len(body), number, _REQUEST_DUMP, 1, 0) + body


def _exchange(request: bytes) -> list[bytes]:
    """Return the kernel's messages in answer to a request; raises OSError."""
    if sys.platform != "linux":
        return []
    messages: list[bytes] = []
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE
    ) as netlink:
        netlink.settimeout(_WAIT)
        netlink.bind((0, 0))
        netlink.send(request)
        while True:
            octets = netlink.recv(_RECEIVE_SIZE)
            while octets:
                length, kind, *_ = _HEADER.unpack_from(octets)
                if kind in (_DONE, _ERROR):
                    return messages
                messages.append(octets[:length])
                octets = octets[max(_aligned(length), _HEADER.size) :]


def _entries(kind: Kind, messages: list[bytes]) -> Iterator[Entry]:
    _, header = kind.value
    for message in messages:
        fields = header.unpack_from(message, _HEADER.size)
        yield Entry(fields, dict(_attributes(message[_HEADER.size + header.size :])))


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    while len(octets) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(octets)
        yield kind & _ATTRIBUTE_TYPE, octets[_ATTRIBUTE.size : length]
        octets = octets[max(_aligned(length), _ATTRIBUTE.size) :]


def _aligned(length: int) -> int:
    return length + 3 & ~3
