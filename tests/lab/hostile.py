"""Another host of the LAN that forges whatever can be forged, as fast as it can.

It writes the router's address as the source of its datagrams, and knows everything but
the nonces.
"""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
import random
import socket
import struct
import threading
import time
from typing import Self

from .network import LAN_ADDRESS, NAS_ADDRESS, ROUTER_ADDRESS, Network

# Datagrams a second, a few at a time.
RATE = 1000
BURST = 20
ALL_HOSTS = "224.0.0.1"
PCP_PORT, ANNOUNCEMENT_PORT = 5351, 5350


class Hostile:
    """Sends to Home Assistant's ports until the block ends."""

    def __init__(
        self, network: Network, random_: random.Random, *, nat_pmp: bool = True
    ) -> None:
        """Begin with the `with` block; the host is `nas`.

        Without `nat_pmp` it does not forge the answers of a NAT-PMP server.
        """
        self.sent = 0
        self._nat_pmp = nat_pmp
        self._network = network
        self._random = random_
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        with network.inside("nas"):
            self._socket = socket.socket(
                socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW
            )

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._end.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        kinds: list[Callable[[], bytes]] = [
            self._announcement,
            self._version_answer,
            self._map_answer,
            self._garbage,
        ]
        if self._nat_pmp:
            kinds.append(self._nat_pmp_answer)
        looked_at = 0.0
        targets: list[tuple[str, int]] = []
        begin = time.monotonic()
        while not self._end.is_set():
            now = time.monotonic()
            if now > looked_at + 1:
                looked_at = now
                ports = client_ports(self._network)
                targets = [
                    (ALL_HOSTS, ANNOUNCEMENT_PORT),
                    (LAN_ADDRESS, ANNOUNCEMENT_PORT),
                    *((LAN_ADDRESS, port) for port in ports),
                ]
            for _ in range(BURST):
                source = self._random.choice([ROUTER_ADDRESS] * 3 + [NAS_ADDRESS])
                target, port = self._random.choice(targets)
                data = self._random.choice(kinds)()
                try:
                    self._socket.sendto(_ip(source, target, port, data), (target, 0))
                    self.sent += 1
                except OSError:
                    # The queue is full.
                    break
            wait = begin + self.sent / RATE - time.monotonic()
            self._end.wait(max(0.0, wait))

    def _epoch_time(self) -> int:
        return self._random.choice([0, 1, 10, 100, self._random.getrandbits(32)])

    def _announcement(self) -> bytes:
        """RFC 6887 14.1: an ANNOUNCE response."""
        return struct.pack("!BBBBII12x", 2, 0x80, 0, 0, 0, self._epoch_time())

    def _version_answer(self) -> bytes:
        """RFC 6887 9: UNSUPP_VERSION of PCP; RFC 6886 3.5: that of NAT-PMP."""
        if self._random.random() < 0.5:
            return struct.pack("!BBHI", 0, 0x80, 1, self._epoch_time())
        version = self._random.choice([1, 2, 3])
        return struct.pack("!BBBBII12x", version, 0x81, 0, 1, 30, self._epoch_time())

    def _map_answer(self) -> bytes:
        """RFC 6887 11.1, with a nonce that is guessed."""
        lifetime = self._random.choice([0, 30, 3600, 2**32 - 1])
        result = self._random.choice([0, 0, 2, 8, 11])
        internal_port = self._random.randint(8441, 8445)
        return (
            struct.pack("!BBBBII12x", 2, 0x81, 0, result, lifetime, self._epoch_time())
            + self._random.randbytes(12)
            + struct.pack("!B3xHH", 6, internal_port, self._random.getrandbits(16))
            + bytes(10)
            + b"\xff\xff"
            + IPv4Address("198.51.100.66").packed
        )

    def _nat_pmp_answer(self) -> bytes:
        """RFC 6886 3.2 and 3.3."""
        if self._random.random() < 0.5:
            address = IPv4Address("198.51.100.66").packed
            return struct.pack("!BBHI", 0, 128, 0, self._epoch_time()) + address
        return struct.pack("!BBHIHHI", 0, 130, 0, self._epoch_time(), 8441, 8441, 0)

    def _garbage(self) -> bytes:
        return self._random.randbytes(
            self._random.choice([0, 1, 2, 24, 60, 1100, 1101])
        )


def client_ports(network: Network) -> list[int]:
    """Return the ports of `lan` from which the router is asked."""
    server = IPv4Address(ROUTER_ADDRESS).packed[::-1].hex().upper()
    with network.inside("lan"):
        lines = Path("/proc/thread-self/net/udp").read_text().splitlines()[1:]
    return [
        int(local.rpartition(":")[2], 16)
        for _, local, remote, *_ in map(str.split, lines)
        if remote == f"{server}:{PCP_PORT:04X}"
    ]


def _ip(source: str, target: str, port: int, data: bytes) -> bytes:
    """Return an IPv4 datagram from the router's PCP port; the kernel adds the checksum.

    A checksum of zero means none in UDP over IPv4.
    """
    length = 8 + len(data)
    return (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 255, socket.IPPROTO_UDP, 0)
        + IPv4Address(source).packed
        + IPv4Address(target).packed
        + struct.pack("!HHHH", PCP_PORT, port, length, 0)
        + data
    )
