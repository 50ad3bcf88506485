"""Listeners and callers. Each opens its socket in the namespace of its caller."""

import contextlib
import select
import socket
import threading
from typing import Self, override

MAX_DATAGRAM = 65535
# For what the kernel tells of a datagram.
ANCILLARY_SIZE = 256


class Listener:
    """A thread that answers on one port, IPv4 and IPv6, until it is closed."""

    def __init__(self, kind: socket.SocketKind, port_number: int) -> None:
        """Open the port; the thread starts with the `with` block."""
        self.callers: list[str] = []
        """Who called, in order: the addresses as this host saw them."""
        self._socket = socket.socket(socket.AF_INET6, kind)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("::", port_number))
        self._closing, self._close_signal = socket.socketpair()
        self._thread = threading.Thread(
            target=self._serve, name=f"lab listener {port_number}", daemon=True
        )

    def __enter__(self) -> Self:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port."""
        self._close_signal.send(b"x")
        self._thread.join()
        for each in (self._socket, self._closing, self._close_signal):
            each.close()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._socket, self._closing], [], [])
            if self._closing in ready:
                return
            # The caller may be gone again, or unreachable.
            with contextlib.suppress(OSError):
                self._answer()

    def _answer(self) -> None:
        raise NotImplementedError

    def _note(self, source: tuple[str, int]) -> None:
        self.callers.append(source[0].removeprefix("::ffff:"))


class TcpListener(Listener):
    """Greets every connection and closes it."""

    def __init__(self, port_number: int, greeting: bytes) -> None:
        """Open the port; the thread starts with the `with` block."""
        super().__init__(socket.SOCK_STREAM, port_number)
        self._greeting = greeting
        self._socket.listen()

    @override
    def _answer(self) -> None:
        connection, source = self._socket.accept()
        with connection:
            self._note(source)
            connection.sendall(self._greeting)


class UdpListener(Listener):
    """Sends every datagram back, from the address that it was sent to."""

    def __init__(self, port_number: int) -> None:
        """Open the port; the thread starts with the `with` block."""
        super().__init__(socket.SOCK_DGRAM, port_number)
        # Else a host with several addresses answers from one that was not asked.
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)

    @override
    def _answer(self) -> None:
        data, asked_at, _, source = self._socket.recvmsg(MAX_DATAGRAM, ANCILLARY_SIZE)
        self._note(source)
        self._socket.sendmsg([data], asked_at, 0, source)


def connect_tcp(address: str, port_number: int, timeout: float) -> bytes | None:
    """Return what the other side says before it closes, None where nothing does."""
    try:
        with socket.create_connection((address, port_number), timeout) as connection:
            return b"".join(iter(lambda: connection.recv(MAX_DATAGRAM), b""))
    except OSError:
        return None


def exchange_udp(
    address: str, port_number: int, data: bytes, timeout: float
) -> bytes | None:
    """Return the answer to one datagram, None where there is none."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(timeout)
        try:
            asking.connect((address, port_number))
            asking.send(data)
            return asking.recv(MAX_DATAGRAM)
        except OSError:
            return None
