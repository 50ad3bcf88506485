"""UDP sockets read by the running event loop: no task, no buffer, nothing to wait for.

A reader takes one datagram per turn of the loop, so that a flood leaves the loop its
other work, and pauses while the flood goes on. No protocol rules here.
"""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
import logging
import os
import socket
import struct
import sys
from typing import Any

from .codec import SERVER_PORT, IPAddress
from .ways import interfaces_to

_LOGGER = logging.getLogger(__name__)

# Longer than any PCP message may be (RFC 6887 7: 1100 octets), so that a datagram cut
# off here is still recognised as too long.
_RECEIVE_SIZE = 2048
# More datagrams than honest servers send, and little enough work for the loop.
_BURST = 256
# Seconds.
_BURST_INTERVAL = 0.25

_UNIQUE_LOCAL = IPv6Network("fc00::/7")
# RFC 7723: a destination in the Internet. Nothing is sent there: connecting a UDP
# socket only makes the kernel choose a source address.
_INTERNET = "2001:1::1"
# <linux/in6.h>; the socket module does not name them.
_IPV6_ADDR_PREFERENCES = 72
_IPV6_PREFER_SRC_PUBLIC = 2
_IPV6_UNICAST_IF = 76


class DatagramReader:
    """Hand over what arrives on a non-blocking UDP socket, until closed.

    `on_datagram` gets the octets and the socket address of the sender, `on_error` the
    error of a failed read, for instance ConnectionRefusedError after an ICMP refusal.
    What they raise is logged and goes no further. Owns the socket.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_datagram: Callable[[bytes, Any], None],
        on_error: Callable[[OSError], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._on_datagram = on_datagram
        self._on_error = on_error
        self._burst_ends_at = 0.0
        self._burst = 0
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock, self._on_readable)

    def close(self) -> None:
        """Stop reading and close the socket; again is harmless."""
        if self._pause is not None:
            self._pause.cancel()
        if self._sock.fileno() != -1:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _on_readable(self) -> None:
        self._count()
        try:
            data, source = self._sock.recvfrom(_RECEIVE_SIZE)
        except BlockingIOError, InterruptedError:
            return
        except OSError as err:
            self._hand_over(self._on_error, err)
        else:
            self._hand_over(self._on_datagram, data, source)

    def _hand_over[*Ts](self, callback: Callable[[*Ts], None], *args: *Ts) -> None:
        try:
            callback(*args)
        except Exception:
            _LOGGER.exception("Unexpected error while handling a datagram")

    def _count(self) -> None:
        now = self._loop.time()
        if now >= self._burst_ends_at:
            self._burst_ends_at = now + _BURST_INTERVAL
            self._burst = 0
        self._burst += 1
        if self._burst == _BURST:
            # The kernel's buffer takes what it can until then, and drops the rest.
            self._loop.remove_reader(self._sock)
            self._pause = self._loop.call_at(self._burst_ends_at, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock, self._on_readable)


class ServerSocket:
    """A UDP socket connected to a server's port 5351, from a random port of ours.

    Being connected, it takes datagrams from that address and port only (RFC 6887 8.3)
    and learns of ICMP refusals. `source` is the address of ours to ask from, and
    `interface` the one to ask on; without them as `ways` and the kernel choose. Raises
    OSError where there is no way to the server.
    """

    local_address: IPAddress
    """Our source address towards the server, without a scope. RFC 6887 16.4."""

    def __init__(
        self,
        server: IPAddress,
        *,
        on_datagram: Callable[[bytes], None],
        on_error: Callable[[OSError], None],
        source: IPAddress | None = None,
        interface: str = "",
    ) -> None:
        self._sock, interface = _connect(server, source, interface)
        name = self._sock.getsockname()
        self.local_address = type(server)(name[0])
        # A link-local server is another one when its interface came back anew.
        self.path = (self.local_address, interface, self._sock.getpeername())
        self._reader = DatagramReader(
            self._sock,
            on_datagram=lambda data, _: on_datagram(data),
            on_error=on_error,
        )

    def send(self, data: bytes) -> None:
        """Send one datagram now.

        Raises OSError; ConnectionRefusedError tells that an earlier one was refused.
        """
        self._sock.send(data)

    def close(self) -> None:
        """Stop reading and close the socket; again is harmless."""
        self._reader.close()


def scope_index(address: IPAddress) -> int:
    """Return the interface index an address is scoped to, 0 where it has no scope.

    Raises OSError when there is no such interface.
    """
    scope = address.scope_id if isinstance(address, IPv6Address) else None
    if scope is None:
        return 0
    return int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)


def _connect(
    server: IPAddress, source: IPAddress | None = None, interface: str = ""
) -> tuple[socket.socket, str]:
    """Return a socket, and the interface that it is bound to."""
    interfaces = [interface] if interface else interfaces_to(server, source)
    if len(interfaces) > 1:
        # The kernel's routes tell which of them is the better one.
        interfaces.sort(key=lambda it: it not in _chosen_interfaces(server))
    error = OSError("no interface")
    for name in interfaces or [""]:
        try:
            return _connect_on(name, server, source), name
        except OSError as err:
            error = err
    raise error


def _chosen_interfaces(server: IPAddress) -> list[str]:
    try:
        with _connect_on("", server, None) as sock:
            chosen = type(server)(sock.getsockname()[0])
    except OSError:
        return []
    return interfaces_to(server, chosen)


def _connect_on(
    interface: str, server: IPAddress, source: IPAddress | None
) -> socket.socket:
    if isinstance(server, IPv4Address):
        index = 0
        sock = _datagram_socket(socket.AF_INET)
        peer: tuple[Any, ...] = (str(server), SERVER_PORT)
    else:
        index = scope_index(server)
        sock = _datagram_socket(socket.AF_INET6)
        peer = (str(IPv6Address(int(server))), SERVER_PORT, 0, index)
        if source is None:
            index = index or (socket.if_nametoindex(interface) if interface else 0)
            source = _global_source(server, index)
    try:
        if interface:
            _bind_to(sock, interface)
        if source is not None:
            sock.bind((str(source), 0))
        sock.connect(peer)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_to(sock: socket.socket, interface: str) -> None:
    try:
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(interface)
        )
    except PermissionError:
        # Linux before 5.7 lets root only; then the routes decide.
        _LOGGER.debug("Not bound to the interface %s", interface)


def _datagram_socket(family: socket.AddressFamily) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if family == socket.AF_INET6 and sys.platform == "linux":
        # A port is opened for an address that lasts. RFC 6887 8.4 allows privacy
        # addresses; a mapping would have to follow them every day.
        sock.setsockopt(
            socket.IPPROTO_IPV6, _IPV6_ADDR_PREFERENCES, _IPV6_PREFER_SRC_PUBLIC
        )
    return sock


def _global_source(server: IPv6Address, index: int) -> IPv6Address | None:
    """Return the global address to ask a local server from. RFC 6887 8.4.

    Asked from a link-local or unique local address, it would open a useless pinhole.
    """
    if not _is_local(server):
        return None
    with _datagram_socket(socket.AF_INET6) as sock:
        try:
            if index and sys.platform == "linux":
                sock.setsockopt(
                    socket.IPPROTO_IPV6, _IPV6_UNICAST_IF, struct.pack("!I", index)
                )
            sock.connect((_INTERNET, SERVER_PORT))
        except OSError:
            return None
        source = IPv6Address(sock.getsockname()[0])
    return None if _is_local(source) else source


def _is_local(address: IPv6Address) -> bool:
    return address.is_link_local or address in _UNIQUE_LOCAL
