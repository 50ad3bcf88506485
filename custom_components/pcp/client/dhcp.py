"""Asking DHCP servers where PCP servers are. RFC 7291.

Only asks, once, while somebody waits: nothing of the host's configuration is taken or
changed. A DHCP client of the system that holds port 68 or 546 is left alone, for it
would lose its answers to us. Linux only; elsewhere nothing is asked.
"""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
import logging
import os
import secrets
import socket
import struct
import sys
from typing import Any, ClassVar, override

from .codec import IPAddress
from .dhcp_messages import (
    TRANSACTION_ID_LENGTH_V4,
    TRANSACTION_ID_LENGTH_V6,
    Servers,
    decode_inform_answer,
    decode_information_answer,
    encode_inform,
    encode_information_request,
)
from .udp import DatagramReader

_LOGGER = logging.getLogger(__name__)

# Seconds. A server on the link answers within some milliseconds; RFC 8415 15 repeats
# after one second. Its random delay before the first request (18.2.6) is for hosts that
# start all at once, not for a person who opens a form.
_ASK_AGAIN = 1
_WAIT = 1.5

# <linux/sockios.h>, <linux/if_arp.h>
_SIOCGIFADDR = 0x8915
_SIOCGIFHWADDR = 0x8927
_ARPHRD_ETHER = 1
# RFC 8415 7.1
_ALL_DHCP_SERVERS = "ff02::1:2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldServer:
    """A PCP server that DHCP named."""

    addresses: tuple[IPAddress, ...]
    """All of the one server; a link-local one is scoped by the interface's name."""

    interface: str
    """Where it was told. RFC 7291 7."""

    interface_index: int


async def ask_for_servers(
    interfaces: Iterable[str],
    *,
    tell: Callable[[ToldServer], None],
    wait: float = _WAIT,
) -> None:
    """Ask on all interfaces at once, over DHCPv4 and DHCPv6; tell what is answered.

    Over when all were answered once, or after `wait` seconds.
    """
    links = [link for link in map(_link, interfaces) if link is not None]
    with ExitStack() as stack:
        questions = [
            stack.enter_context(closing(question))
            for kind in (_Inform, _InformationRequest)
            for question in _ask(kind, links, tell)
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                for question in questions:
                    await question.answered.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """An interface, as far as DHCP wants to know it."""

    name: str
    index: int
    hardware_address: bytes
    address: IPv4Address | None


class _Question(ABC):
    """One question on one link; raises OSError where the port cannot be had."""

    family: ClassVar[socket.AddressFamily]
    port: ClassVar[int]
    destination: ClassVar[tuple[str, int]]
    transaction_id_length: ClassVar[int]

    def __init__(self, link: _Link, tell: Callable[[ToldServer], None]) -> None:
        self.answered = asyncio.Event()
        self._link = link
        self._tell = tell
        self._transaction_id = secrets.token_bytes(self.transaction_id_length)
        self._sock = _open(self.family, self.port, interface=link.name)
        self._reader = DatagramReader(
            self._sock, on_datagram=self._on_datagram, on_error=_on_error
        )
        loop = asyncio.get_running_loop()
        self._again = loop.call_later(_ASK_AGAIN, self._ask, _ASK_AGAIN)
        self._ask(0)

    def close(self) -> None:
        self._again.cancel()
        self._reader.close()

    @staticmethod
    @abstractmethod
    def is_possible(link: _Link) -> bool:
        """Tell whether it can be asked on a link."""

    @abstractmethod
    def _encode(self, seconds: int) -> bytes:
        """Return the request."""

    @abstractmethod
    def _decode(self, data: bytes) -> Servers | None:
        """Return what an answer names, None if it is no answer to this question."""

    def _ask(self, seconds: int) -> None:
        try:
            self._sock.sendto(self._encode(seconds), self.destination)
        except OSError as err:
            _LOGGER.debug("DHCP cannot be asked on %s: %s", self._link.name, err)
            self.answered.set()

    def _on_datagram(self, data: bytes, _: Any) -> None:
        servers = self._decode(data)
        if servers is None:
            return
        self._again.cancel()
        self.answered.set()
        for addresses in servers:
            self._tell(
                ToldServer(
                    addresses=tuple(self._scoped(address) for address in addresses),
                    interface=self._link.name,
                    interface_index=self._link.index,
                )
            )

    def _scoped(self, address: IPAddress) -> IPAddress:
        if isinstance(address, IPv6Address) and address.is_link_local:
            return IPv6Address(f"{address}%{self._link.name}")
        return address


class _Inform(_Question):
    """RFC 7291 4.2, over DHCPv4."""

    family = socket.AF_INET
    port = 68
    destination = ("255.255.255.255", 67)
    transaction_id_length = TRANSACTION_ID_LENGTH_V4

    @staticmethod
    @override
    def is_possible(link: _Link) -> bool:
        return link.address is not None

    @override
    def _encode(self, seconds: int) -> bytes:
        assert self._link.address is not None
        return encode_inform(
            transaction_id=self._transaction_id,
            client_address=self._link.address,
            hardware_address=self._link.hardware_address,
            seconds=seconds,
        )

    @override
    def _decode(self, data: bytes) -> Servers | None:
        return decode_inform_answer(
            data,
            transaction_id=self._transaction_id,
            hardware_address=self._link.hardware_address,
        )


class _InformationRequest(_Question):
    """RFC 7291 3.2, over DHCPv6."""

    family = socket.AF_INET6
    port = 546
    destination = (_ALL_DHCP_SERVERS, 547)
    transaction_id_length = TRANSACTION_ID_LENGTH_V6

    @staticmethod
    @override
    def is_possible(link: _Link) -> bool:
        return True

    @override
    def _encode(self, seconds: int) -> bytes:
        return encode_information_request(
            transaction_id=self._transaction_id,
            hardware_address=self._link.hardware_address,
            seconds=seconds,
        )

    @override
    def _decode(self, data: bytes) -> Servers | None:
        return decode_information_answer(
            data,
            transaction_id=self._transaction_id,
            hardware_address=self._link.hardware_address,
        )


def _ask(
    kind: type[_Question], links: list[_Link], tell: Callable[[ToldServer], None]
) -> Iterator[_Question]:
    """Ask on every link, unless somebody has the port on any interface."""
    try:
        _open(kind.family, kind.port).close()
    except OSError as err:
        _LOGGER.debug("DHCP is not asked from port %s: %s", kind.port, err)
        return
    for link in links:
        if kind.is_possible(link):
            # An interface may be gone by now.
            with suppress(OSError):
                yield kind(link, tell)


def _open(
    family: socket.AddressFamily, port: int, *, interface: str | None = None
) -> socket.socket:
    """Return a socket that has the port to itself, on one interface or on all."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if interface is not None:
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(interface)
            )
        sock.bind(("", port))
    except OSError:
        sock.close()
        raise
    return sock


def _link(name: str) -> _Link | None:
    """Return what is known of an interface, None where DHCP has no use on it."""
    if sys.platform != "linux":
        return None
    from fcntl import ioctl

    # struct ifreq: the name, then a socket address.
    request = struct.pack("16s24x", os.fsencode(name))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            index = socket.if_nametoindex(name)
            answer = ioctl(sock, _SIOCGIFHWADDR, request)
        except OSError:
            return None
        kind, hardware_address = struct.unpack_from("=H6s", answer, 16)
        if kind != _ARPHRD_ETHER:
            return None
        try:
            answer = ioctl(sock, _SIOCGIFADDR, request)
        except OSError:
            address = None
        else:
            address = IPv4Address(answer[20:24])
    return _Link(
        name=name, index=index, hardware_address=hardware_address, address=address
    )


def _on_error(err: OSError) -> None:
    _LOGGER.debug("Receiving from a DHCP server failed: %s", err)
