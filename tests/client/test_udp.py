"""The sockets: what they hand over, when they pause, which source they choose."""

import asyncio
from ipaddress import IPv4Address, IPv6Address
import logging
import socket
from typing import Any

import pytest

from custom_components.pcp.client import udp
from custom_components.pcp.client.udp import DatagramReader, ServerSocket, scope_index

from .sockets import (
    PATIENCE,
    LoopbackServer,
    ip,
    loopback_address,
    set_ipv6,
    temporary_address,
    udp_socket,
)


class _Sink:
    """Keep what a socket hands over."""

    def __init__(self) -> None:
        self.datagrams: asyncio.Queue[bytes] = asyncio.Queue()
        self.errors: asyncio.Queue[OSError] = asyncio.Queue()

    def connect(self, server: IPv4Address | IPv6Address) -> ServerSocket:
        return ServerSocket(
            server,
            on_datagram=self.datagrams.put_nowait,
            on_error=self.errors.put_nowait,
        )

    async def datagram(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.datagrams.get()

    async def error(self) -> OSError:
        async with asyncio.timeout(PATIENCE):
            return await self.errors.get()


@pytest.mark.usefixtures("loopback")
async def test_source_port_is_random() -> None:
    """8.1: the source port is not the server's, and is another one each time."""
    sink = _Sink()
    with LoopbackServer() as server:
        ports = set()
        sockets = [sink.connect(server.address) for _ in range(4)]
        for sock in sockets:
            sock.send(b"ask")
            await server.request()
            ports.add(server.client[1])
            sock.close()
    assert len(ports) == 4
    assert 5351 not in ports


@pytest.mark.usefixtures("loopback")
async def test_only_the_server_is_heard() -> None:
    """8.3: a datagram from another address or port of the server's is dropped."""
    sink = _Sink()
    with LoopbackServer() as server, LoopbackServer() as stranger:
        sock = sink.connect(server.address)
        sock.send(b"ask")
        await server.request()
        stranger._client = server.client
        stranger.send(b"from another address")
        with udp_socket() as other_port:
            other_port.bind((str(server.address), 0))
            other_port.sendto(b"from another port", server.client)
        server.send(b"answer")
        assert await sink.datagram() == b"answer"
        assert sink.datagrams.empty()
        sock.close()


@pytest.mark.usefixtures("loopback")
async def test_local_address_is_the_one_the_server_sees() -> None:
    """16.4: the client address of the header is the source of the datagram."""
    sink = _Sink()
    with LoopbackServer() as server:
        sock = sink.connect(server.address)
        sock.send(b"ask")
        await server.request()
        assert str(sock.local_address) == server.client[0]
        sock.close()


@pytest.mark.usefixtures("loopback")
async def test_icmp_refusal_is_an_error() -> None:
    """RFC 6886 3.1: ICMP port unreachable tells that there is no server."""
    sink = _Sink()
    sock = sink.connect(loopback_address())
    sock.send(b"ask")
    assert isinstance(await sink.error(), ConnectionRefusedError)
    sock.close()


@pytest.mark.usefixtures("loopback")
async def test_refusal_shows_in_the_next_send() -> None:
    """An ICMP refusal that nobody has read yet is raised by the next send."""
    sock = _Sink().connect(loopback_address())
    sock.send(b"ask")
    with pytest.raises(ConnectionRefusedError):
        sock.send(b"ask")
    sock.close()


@pytest.mark.usefixtures("loopback")
async def test_closed_socket_is_let_go() -> None:
    """Closing twice is harmless, and nothing of the socket stays in the loop."""
    sock = _Sink().connect(loopback_address())
    descriptor = sock._sock.fileno()
    sock.close()
    sock.close()
    assert not asyncio.get_running_loop().remove_reader(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.send(b"ask")


@pytest.mark.usefixtures("loopback")
async def test_what_a_callback_raises_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bug in a callback neither reaches the loop's handler nor stops the reading."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    def on_datagram(data: bytes) -> None:
        heard.put_nowait(data)
        raise ZeroDivisionError

    handled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: handled.append(c))
    with LoopbackServer(lambda data: [data, data]) as server:
        sock = ServerSocket(server.address, on_datagram=on_datagram, on_error=print)
        sock.send(b"ask")
        async with asyncio.timeout(PATIENCE):
            assert [await heard.get(), await heard.get()] == [b"ask", b"ask"]
        sock.close()
    assert handled == []
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


@pytest.mark.usefixtures("loopback")
async def test_flood_leaves_the_loop_its_turns() -> None:
    """One datagram is read in a turn of the loop, whatever else is waiting."""
    read: list[int] = []
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        if len(read) < 100:
            loop.call_soon(turn)

    loop = asyncio.get_running_loop()
    address = str(loopback_address())
    sock = udp_socket()
    sock.bind((address, 0))
    with udp_socket() as sender:
        for _ in range(100):
            sender.sendto(b"flood", sock.getsockname())
    done = asyncio.Event()

    def on_datagram(_: bytes, __: object) -> None:
        read.append(turns)
        if len(read) == 100:
            done.set()

    reader = DatagramReader(sock, on_datagram=on_datagram, on_error=print)
    loop.call_soon(turn)
    async with asyncio.timeout(PATIENCE):
        await done.wait()
    reader.close()
    assert len(set(read)) == 100


@pytest.mark.usefixtures("loopback")
async def test_flood_pauses_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a burst nothing is read for the rest of the interval, then it goes on."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    sock = udp_socket()
    sock.bind((str(loopback_address()), 0))
    read: list[bytes] = []
    reader = DatagramReader(
        sock, on_datagram=lambda data, _: read.append(data), on_error=print
    )
    monkeypatch.setattr(reader, "_loop", _ClockedLoop(loop, now))
    with udp_socket() as sender:
        for _ in range(udp._BURST + 2):
            sender.sendto(b"flood", sock.getsockname())
            if reader._pause is None:
                reader._on_readable()
    assert len(read) == udp._BURST
    assert reader._pause is not None
    assert reader._pause.when() == now + udp._BURST_INTERVAL
    assert not loop.remove_reader(sock)
    # The pause ends: reading goes on where it stopped, with a new allowance.
    reader._loop.now = now + udp._BURST_INTERVAL  # type: ignore[attr-defined]
    reader._pause.cancel()
    reader._resume()
    reader._on_readable()
    assert len(read) == udp._BURST + 1
    assert reader._pause is None
    assert loop.remove_reader(sock)
    reader.close()


@pytest.mark.usefixtures("loopback")
async def test_closing_ends_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed while paused, a reader leaves no timer behind."""
    monkeypatch.setattr(udp, "_BURST", 1)
    sock = udp_socket()
    sock.bind((str(loopback_address()), 0))
    reader = DatagramReader(sock, on_datagram=print, on_error=print)
    # Nothing to read: also that counts, lest a broken socket spins the loop.
    reader._on_readable()
    assert reader._pause is not None
    reader.close()
    assert reader._pause.cancelled()


@pytest.mark.parametrize(
    ("address", "index"),
    [
        (IPv4Address("192.0.2.1"), 0),
        (IPv6Address("2001:db8::1"), 0),
        (IPv6Address("fe80::1%7"), 7),
        (IPv6Address("fe80::1%lo"), socket.if_nametoindex("lo")),
    ],
)
def test_scope(address: IPv4Address | IPv6Address, index: int) -> None:
    """A scope is an interface's name or its number."""
    assert scope_index(address) == index


def test_scope_of_no_interface() -> None:
    """An interface that is gone is an OSError, as a network that is gone."""
    with pytest.raises(OSError, match="No such device"):
        scope_index(IPv6Address("fe80::1%gone"))


@pytest.mark.usefixtures("loopback")
async def test_no_way_leaves_no_socket() -> None:
    """Where there is no way to the server, OSError is raised and nothing leaks."""
    with pytest.raises(OSError, match="No such device"):
        _Sink().connect(IPv6Address("fe80::1%gone"))


@pytest.mark.parametrize(
    ("server", "internet", "source"),
    [
        ("2001:db8::1", "::1", None),
        ("fe80::1%lo", "::1", "::1"),
        ("fd00::1", "::1", "::1"),
        ("fe80::1%lo", "127.0.0.1", None),
    ],
)
@pytest.mark.usefixtures("loopback")
def test_global_source(
    monkeypatch: pytest.MonkeyPatch, server: str, internet: str, source: str | None
) -> None:
    """8.4: for a local server the source that the kernel chooses to the Internet."""
    monkeypatch.setattr(udp, "_INTERNET", internet)
    address = IPv6Address(server)
    chosen = udp._global_source(address, scope_index(address))
    assert (None if chosen is None else str(chosen)) == source


@pytest.mark.usefixtures("loopback")
async def test_ipv6_server() -> None:
    """16.4: over IPv6 too the keeper learns the address that the kernel chose."""
    sock = _Sink().connect(IPv6Address("::1"))
    assert sock.local_address == IPv6Address("::1")
    sock.close()


@pytest.mark.usefixtures("loopback")
async def test_unusable_socket_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is not ours is an OSError, and the socket is closed."""
    monkeypatch.setattr(udp, "_global_source", lambda *_: "2001:db8::99")
    with pytest.raises(OSError, match="assign"):
        _Sink().connect(IPv6Address("::1"))


class _ClockedLoop:
    """The running loop with a clock of the test's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        self._loop = loop
        self.now = now

    def time(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


TWO_UPLINKS = (
    "link set lo up",
    "link add up0 type veth peer name far0",
    "link add up1 type veth peer name far1",
    *(f"link set {name} addrgenmode none" for name in ("up0", "up1", "far0", "far1")),
    *(f"link set {name} up" for name in ("up0", "up1", "far0", "far1")),
    "addr add fe80::2/64 dev up0 nodad",
    "addr add fe80::2/64 dev up1 nodad",
)


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_link_local_server_is_asked_from_the_global_address() -> None:
    """8.4: asked from a link-local address, a server would open a useless pinhole.

    Of two interfaces it is the address of the server's.
    """
    ip(
        *TWO_UPLINKS,
        "addr add 2001:db8:a::2/64 dev up0 nodad",
        "addr add 2001:db8:b::2/64 dev up1 nodad",
        "route add ::/0 via fe80::1 dev up0 metric 100",
        "route add ::/0 via fe80::1 dev up1 metric 200",
    )
    for interface, source in (("up0", "2001:db8:a::2"), ("up1", "2001:db8:b::2")):
        sock = _Sink().connect(IPv6Address(f"fe80::1%{interface}"))
        assert sock.local_address == IPv6Address(source)
        sock.close()


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_link_local_server_without_a_global_address() -> None:
    """Where there is no global address the kernel's choice stands, without a scope."""
    ip(*TWO_UPLINKS, "route add ::/0 via fe80::1 dev up1")
    sock = _Sink().connect(IPv6Address("fe80::1%up1"))
    assert sock.local_address == IPv6Address("fe80::2")
    sock.close()


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_unique_local_server_is_asked_from_the_global_address() -> None:
    """8.4: the global address rather than a unique local one."""
    ip(
        *TWO_UPLINKS,
        "addr add fd00::2/64 dev up0 nodad",
        "addr add 2001:db8:a::2/64 dev up0 nodad",
        "route add ::/0 via fe80::1 dev up0",
    )
    sock = _Sink().connect(IPv6Address("fd00::1"))
    assert sock.local_address == IPv6Address("2001:db8:a::2")
    sock.close()


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_only_local_addresses() -> None:
    """A unique local address is better than none."""
    ip(
        *TWO_UPLINKS,
        "addr add fd00::2/64 dev up0 nodad",
        "route add ::/0 via fe80::1 dev up0",
    )
    sock = _Sink().connect(IPv6Address("fd00::1"))
    assert sock.local_address == IPv6Address("fd00::2")
    sock.close()


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_lasting_address_is_preferred_to_a_temporary_one() -> None:
    """8.4: a port is opened for the address that stays."""
    set_ipv6("accept_dad", 0)
    set_ipv6("use_tempaddr", 2)
    ip(*TWO_UPLINKS, "addr add 2001:db8:a::2/64 dev up0 nodad mngtmpaddr")
    temporary = await temporary_address("up0")
    with udp_socket(socket.AF_INET6) as ordinary:
        ordinary.connect(("2001:db8:a::1", 5351))
        assert ordinary.getsockname()[0] == temporary
    sock = _Sink().connect(IPv6Address("2001:db8:a::1"))
    assert sock.local_address == IPv6Address("2001:db8:a::2")
    sock.close()


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_no_route() -> None:
    """A network that is not there is an OSError at once."""
    with pytest.raises(OSError, match="unreachable"):
        _Sink().connect(IPv4Address("192.0.2.1"))
