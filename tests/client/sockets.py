"""A host on loopback for tests of the sockets, and networks in a namespace."""

import asyncio
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from pathlib import Path
import secrets
import socket
import subprocess
from typing import Self

from custom_components.pcp.client.codec import SERVER_PORT

# A net against hangs, seconds.
PATIENCE = 10.0

type Answer = Callable[[bytes], Iterable[bytes]]


def loopback_address() -> IPv4Address:
    """Return an address of this host that nobody else uses, several runs at a time."""
    octets = secrets.token_bytes(3)
    return IPv4Address(
        bytes((127, 64 | octets[0] & 63, octets[1], 1 + octets[2] % 254))
    )


class LoopbackServer:
    """A host with a UDP socket on port 5351 that answers as it is told."""

    def __init__(self, answer: Answer = lambda _: ()) -> None:
        """Bind to an address of its own."""
        self.address = loopback_address()
        self.answer = answer
        self.requests: asyncio.Queue[bytes] = asyncio.Queue()
        self._client: tuple[str, int] | None = None
        self._socket = udp_socket()
        self._socket.bind((str(self.address), SERVER_PORT))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._on_readable)

    def __enter__(self) -> Self:
        """Listen."""
        return self

    def __exit__(self, *_: object) -> None:
        """Vanish: from now on requests are refused by ICMP."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    @property
    def client(self) -> tuple[str, int]:
        """Where the last request came from."""
        assert self._client is not None
        return self._client

    async def request(self) -> bytes:
        """Wait for the next request."""
        async with asyncio.timeout(PATIENCE):
            return await self.requests.get()

    def send(self, data: bytes) -> None:
        """Send to where the last request came from."""
        self._socket.sendto(data, self.client)

    def _on_readable(self) -> None:
        data, self._client = self._socket.recvfrom(2048)
        self.requests.put_nowait(data)
        for answer in self.answer(data):
            self.send(answer)


def udp_socket(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    """Return a socket that does not block."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    return sock


def ip(*lines: str) -> None:
    """Run lines of `ip` in the namespace this thread is in."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


async def temporary_address(device: str) -> str:
    """Wait for the temporary IPv6 address that the kernel makes for a device."""
    shown = ("ip", "-o", "-6", "address", "show", "dev", device, "temporary")
    async with asyncio.timeout(PATIENCE):
        while True:
            lines = await asyncio.to_thread(subprocess.check_output, shown, text=True)
            match lines.split():
                case [_, _, _, network, *flags] if "tentative" not in flags:
                    return str(network.partition("/")[0])
            await asyncio.sleep(0.01)


def set_ipv6(name: str, value: int) -> None:
    """Set what holds for interfaces made from now on in this thread's namespace."""
    Path("/proc/sys/net/ipv6/conf/default", name).write_text(str(value))
