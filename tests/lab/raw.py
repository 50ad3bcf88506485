"""PCP by hand: octets and sockets, no code of the project.

What the lab says of itself must not depend on the client it is to judge.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
import socket
import struct
import time
from typing import Self

from .network import LAN_ADDRESS, ROUTER_ADDRESS, Network, Place

PORT = 5351
ANNOUNCEMENT_PORT = 5350
TCP, UDP = 6, 17
SUCCESS, NOT_AUTHORIZED, UNSUPP_OPTION, NO_RESOURCES = 0, 2, 5, 8
NONCE = bytes(range(1, 13))


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAnswer:
    """The answer to a MAP request. RFC 6887 11.1, figure 9 and 10."""

    result_code: int
    lifetime: int
    epoch_time: int
    nonce: bytes
    protocol: int
    internal_port: int
    assigned_external_port: int
    assigned_external_address: str


def announce_request(client_address: str = LAN_ADDRESS) -> bytes:
    """RFC 6887 7.1: version 2, opcode 0, lifetime 0, the client's address."""
    return struct.pack("!BBHI", 2, 0, 0, 0) + _octets(client_address)


def map_request(
    internal_port: int,
    *,
    lifetime: int,
    protocol: int = TCP,
    nonce: bytes = NONCE,
    client_address: str = LAN_ADDRESS,
    suggested_external_port: int = 0,
    third_party: str | None = None,
) -> bytes:
    """RFC 6887 11.1; lifetime 0 deletes. THIRD_PARTY is option 1, 13.1."""
    no_address = "::" if ":" in (third_party or client_address) else "0.0.0.0"
    request = (
        struct.pack("!BBHI", 2, 1, 0, lifetime)
        + _octets(client_address)
        + nonce
        + struct.pack("!B3xHH", protocol, internal_port, suggested_external_port)
        + _octets(no_address)
    )
    if third_party is not None:
        request += struct.pack("!BBH", 1, 0, 16) + _octets(third_party)
    return request


def read_map_answer(data: bytes) -> MapAnswer:
    """Read an answer of at least 60 octets."""
    version, opcode, result_code, lifetime, epoch_time = struct.unpack_from(
        "!BBxBII", data
    )
    assert (version, opcode) == (2, 0x81), data.hex()
    protocol, internal_port, external_port = struct.unpack_from("!B3xHH", data, 36)
    address = IPv6Address(data[44:60])
    return MapAnswer(
        result_code=result_code,
        lifetime=lifetime,
        epoch_time=epoch_time,
        nonce=data[24:36],
        protocol=protocol,
        internal_port=internal_port,
        assigned_external_port=external_port,
        assigned_external_address=str(address.ipv4_mapped or address),
    )


@contextmanager
def connection(
    network: Network,
    place: Place = "lan",
    server: str = ROUTER_ADDRESS,
    *,
    timeout: float = 2.0,
) -> Iterator[socket.socket]:
    """Open a UDP socket connected to the server's PCP port."""
    with network.inside(place):
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        asking = socket.socket(family, socket.SOCK_DGRAM)
    with asking:
        asking.settimeout(timeout)
        with network.inside(place):
            asking.connect((server, PORT))
        yield asking


def ask(
    network: Network,
    request: bytes,
    *,
    place: Place = "lan",
    server: str = ROUTER_ADDRESS,
    timeout: float = 2.0,
) -> bytes:
    """Send one request; raise TimeoutError at silence, ConnectionRefusedError at ICMP."""
    with connection(network, place, server, timeout=timeout) as asking:
        asking.send(request)
        return asking.recv(1100)


class Ear:
    """Hears what is multicast to port 5350 of a host, IPv4 or IPv6."""

    def __init__(self, network: Network, place: Place, *, ip_version: int = 4) -> None:
        """Open the port; 224.0.0.1 and ff02::1 need no joining."""
        family, anything = {
            4: (socket.AF_INET, "0.0.0.0"),
            6: (socket.AF_INET6, "::"),
        }[ip_version]
        with network.inside(place):
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
        if ip_version == 6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((anything, ANNOUNCEMENT_PORT))

    def __enter__(self) -> Self:
        """Listen."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port."""
        self._socket.close()

    def hear(self, *, timeout: float = 5.0) -> tuple[bytes, str, int]:
        """Return the next datagram, its source address and source port."""
        self._socket.settimeout(timeout)
        data, source = self._socket.recvfrom(2048)
        return data, source[0].partition("%")[0], source[1]

    def hear_pcp(self, *, timeout: float = 5.0) -> tuple[bytes, str, int]:
        """Return the next datagram of version 2, as `hear` does."""
        deadline = time.monotonic() + timeout
        while True:
            heard = self.hear(timeout=max(0.001, deadline - time.monotonic()))
            if heard[0][0] == 2:
                return heard


def _octets(address: str) -> bytes:
    match ip_address(address):
        case IPv4Address() as ipv4:
            return bytes(10) + b"\xff\xff" + ipv4.packed
        case IPv6Address() as ipv6:
            return ipv6.packed
