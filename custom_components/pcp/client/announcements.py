"""The multicast listener: what servers announce to everybody on port 5350.

One socket per IP version, because a dual-stack one loses the announcements to
224.0.0.1. Who sent a datagram and what it is worth is the keeper's to judge.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
import logging
import socket
import struct
from typing import Any

from .codec import ANNOUNCE_PORT, IPAddress
from .udp import DatagramReader

type AnnouncementCallback = Callable[[bytes, IPAddress, int], None]

_LOGGER = logging.getLogger(__name__)

# RFC 6887 14.1.3: the groups of all hosts on a link.
_GROUP_V4 = "224.0.0.1"
_GROUP_V6 = "ff02::1"


class AnnouncementListener:
    """Receive announcements for the whole process. RFC 6887 14.1.3, RFC 6886 3.2.1.

    Every subscriber gets every datagram: octets, source address and source port. The
    source of a link-local announcement is scoped by the interface's name.
    """

    def __init__(self) -> None:
        self._readers: list[DatagramReader] = []
        self._callbacks: list[AnnouncementCallback] = []

    @property
    def listening(self) -> bool:
        """Tell whether announcements of at least one IP version are heard."""
        return bool(self._readers)

    async def start(self) -> None:
        """Listen where the port can be had; without it leases are kept all the same."""
        if self._readers:
            return
        for open_socket in (_open_v4, _open_v6):
            try:
                sock = open_socket()
            except OSError as err:
                _LOGGER.debug("Not listening for announcements: %s", err)
            else:
                self._readers.append(
                    DatagramReader(
                        sock, on_datagram=self._on_datagram, on_error=_on_error
                    )
                )

    def close(self) -> None:
        """Stop listening; subscriptions stay for another start."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()

    def subscribe(self, callback: AnnouncementCallback) -> Callable[[], None]:
        """Call back for every datagram; returns what ends the subscription."""

        # Wrapped, so that the same callable may subscribe twice.
        def subscription(data: bytes, source: IPAddress, source_port: int) -> None:
            callback(data, source, source_port)

        self._callbacks.append(subscription)

        def unsubscribe() -> None:
            if subscription in self._callbacks:
                self._callbacks.remove(subscription)

        return unsubscribe

    def _on_datagram(self, data: bytes, source: Any) -> None:
        address = _source_address(source)
        for callback in self._callbacks.copy():
            try:
                callback(data, address, source[1])
            except Exception:
                _LOGGER.exception("Unexpected error while handling an announcement")


def _on_error(err: OSError) -> None:
    _LOGGER.debug("Receiving announcements failed: %s", err)


def _source_address(source: Any) -> IPAddress:
    if len(source) == 2:
        return IPv4Address(source[0])
    host, _, _, index = source
    return IPv6Address(f"{host}%{_interface_name(index)}" if index else host)


def _interface_name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return str(index)


def _open_v4() -> socket.socket:
    sock = _shared_socket(socket.AF_INET)
    try:
        # RFC 6886 3.2.1: not the wildcard address, so that a unicast datagram to the
        # port goes to another program that waits for it.
        sock.bind((_GROUP_V4, ANNOUNCE_PORT))
        group = socket.inet_aton(_GROUP_V4)
        for index, _ in socket.if_nameindex():
            request = struct.pack("=4s4si", group, bytes(4), index)
            _join(sock, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    except OSError:
        sock.close()
        raise
    return sock


def _open_v6() -> socket.socket:
    sock = _shared_socket(socket.AF_INET6)
    try:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::", ANNOUNCE_PORT))
        group = socket.inet_pton(socket.AF_INET6, _GROUP_V6)
        for index, _ in socket.if_nameindex():
            request = struct.pack("=16si", group, index)
            _join(sock, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    except OSError:
        sock.close()
        raise
    return sock


def _shared_socket(family: socket.AddressFamily) -> socket.socket:
    """Return a socket that shares its port with programs that set either option."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return sock


def _join(sock: socket.socket, level: int, option: int, request: bytes) -> None:
    """Become a member on one interface.

    An interface that refuses, or comes later, is no loss on Linux: it is a member of
    these two groups by itself and hands their datagrams to every socket bound so.
    """
    try:
        sock.setsockopt(level, option, request)
    except OSError as err:
        _LOGGER.debug("Not a member on an interface: %s", err)
