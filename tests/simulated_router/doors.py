"""One open port each: what comes to it is carried inside, and answers back."""

from abc import ABC, abstractmethod
import asyncio
from contextlib import suppress
from ipaddress import ip_address
import socket
from struct import Struct
from typing import Any, override

from custom_components.pcp.client.codec import Filter, IPAddress

from .table import RouterMapping

_CHUNK = 65536
# struct linger: on, and for 0 seconds.
_LINGER = Struct("ii")
_MAX_UDP_PEERS = 256


class Door(ABC):
    """An external port and the inside it leads to. Opens at once or raises OSError."""

    _kind: socket.SocketKind

    def __init__(self, address: IPAddress, port: int, mapping: RouterMapping) -> None:
        self._loop = asyncio.get_running_loop()
        self._inside = (str(mapping.internal_address), mapping.internal_port)
        self.filters: tuple[Filter, ...] = ()
        """Who may come in; nobody named is anybody."""
        self._socket = _new_socket(address, self._kind)
        try:
            self._socket.bind((str(address), port))
            self._listen()
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._on_readable)

    def leads_to(self, mapping: RouterMapping) -> bool:
        """Tell whether this is the door of a mapping."""
        return self._inside == (str(mapping.internal_address), mapping.internal_port)

    def close(self) -> None:
        """Close the port and cut what goes through it."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    @abstractmethod
    async def wait_closed(self) -> None:
        """Wait until nothing of it is left."""

    @abstractmethod
    def _listen(self) -> None:
        """Make the bound socket ready."""

    @abstractmethod
    def _on_readable(self) -> None:
        """Take what is there."""

    def _admits(self, name: tuple[Any, ...]) -> bool:
        """Tell whether a peer may come in. RFC 6887 13.3."""
        address = ip_address(name[0])
        return not self.filters or any(
            allowed.remote_port in {0, name[1]}
            and allowed.network is not None
            and address in allowed.network
            for allowed in self.filters
        )


class TcpDoor(Door):
    """Accepts connections and carries each of them inside."""

    _kind = socket.SOCK_STREAM

    def __init__(self, address: IPAddress, port: int, mapping: RouterMapping) -> None:
        self._connections: set[asyncio.Task[None]] = set()
        super().__init__(address, port, mapping)

    @override
    def close(self) -> None:
        super().close()
        for connection in self._connections:
            connection.cancel()

    @override
    async def wait_closed(self) -> None:
        await asyncio.gather(*self._connections, return_exceptions=True)

    @override
    def _listen(self) -> None:
        self._socket.listen()

    @override
    def _on_readable(self) -> None:
        try:
            accepted, name = self._socket.accept()
        except OSError:
            return
        accepted.setblocking(False)
        if not self._admits(name):
            _reset_on_close(accepted)
            accepted.close()
            return
        connection = self._loop.create_task(self._carry(accepted))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _carry(self, accepted: socket.socket) -> None:
        """Carry one connection until both sides have said all."""
        writers: list[asyncio.StreamWriter] = []
        try:
            outer_reader, outer = await asyncio.open_connection(sock=accepted)
            writers.append(outer)
            inner_reader, inner = await asyncio.open_connection(*self._inside)
            writers.append(inner)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pour(outer_reader, inner))
                both.create_task(_pour(inner_reader, outer))
            for writer in writers:
                writer.close()
        except* OSError, asyncio.CancelledError:
            for writer in writers:
                _reset_on_close(writer.get_extra_info("socket"))
                writer.transport.abort()
            if not writers:
                accepted.close()
        for writer in writers:
            with suppress(OSError):
                await writer.wait_closed()


class UdpDoor(Door):
    """Gives every peer outside a socket of its own inside."""

    _kind = socket.SOCK_DGRAM

    def __init__(self, address: IPAddress, port: int, mapping: RouterMapping) -> None:
        self._peers: dict[tuple[Any, ...], socket.socket] = {}
        super().__init__(address, port, mapping)

    @override
    def close(self) -> None:
        super().close()
        for name in [*self._peers]:
            self._drop(name)

    @override
    async def wait_closed(self) -> None:
        """Nothing outlives `close`."""

    @override
    def _listen(self) -> None:
        """A bound UDP socket is ready."""

    @override
    def _on_readable(self) -> None:
        try:
            data, name = self._socket.recvfrom(_CHUNK)
            if self._admits(name):
                self._inner(name).send(data)
        except OSError:
            # What cannot be delivered is lost, as on any network.
            return

    def _inner(self, name: tuple[Any, ...]) -> socket.socket:
        """Return the socket that speaks for a peer."""
        if name in self._peers:
            return self._peers[name]
        if len(self._peers) >= _MAX_UDP_PEERS:
            self._drop(next(iter(self._peers)))
        inner = _new_socket(ip_address(self._inside[0]), self._kind)
        try:
            inner.connect(self._inside)
        except OSError:
            inner.close()
            raise
        self._peers[name] = inner
        self._loop.add_reader(inner, self._on_answer, inner, name)
        return inner

    def _on_answer(self, inner: socket.socket, name: tuple[Any, ...]) -> None:
        with suppress(OSError):
            self._socket.sendto(inner.recv(_CHUNK), name)

    def _drop(self, name: tuple[Any, ...]) -> None:
        inner = self._peers.pop(name)
        self._loop.remove_reader(inner)
        inner.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on everything from one side to the other, and then its end."""
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _reset_on_close(opened: socket.socket) -> None:
    """Let a close say that the connection was cut, not that all was said."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(1, 0))


def _new_socket(address: IPAddress, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, kind)
    opened.setblocking(False)
    if kind is socket.SOCK_STREAM:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return opened
