"""The router on real UDP, and doors that are real."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
import socket

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    Filter,
    MapRequest,
    MapResponse,
    Option,
    ResultCode,
    decode_response,
    encode,
)
from tests.simulated_router import SimulatedRouter

pytestmark = pytest.mark.usefixtures("loopback")

ROUTER = "127.0.77.81"
OTHER = "127.0.77.83"
EXTERNAL = "127.0.99.81"
NEW_EXTERNAL = "127.0.99.82"
INSIDE = "127.0.0.1"
NONCE = bytes(range(12))
TCP, UDP = 6, 17


class Network:
    """A router, a client of it, and servers inside."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.announced: list[bytes] = []
        self.router = SimulatedRouter(
            ROUTER,
            EXTERNAL,
            other_address=OTHER,
            announce=self.announced.append,
            mapping_log=self.lines.append,
        )
        self.client = _udp_socket()
        self.client.connect((ROUTER, 5351))

    async def ask(self, data: bytes, *, wait: float = 5) -> bytes:
        """Send a request and wait for the answer; raises TimeoutError."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.client, data)
        async with asyncio.timeout(wait):
            return await loop.sock_recv(self.client, 2000)

    async def map(
        self, *options: Option, protocol: int, internal_port: int, lifetime: int = 600
    ) -> MapResponse:
        """Ask for a mapping whose outside has the port of its inside."""
        address = ip_address(self.client.getsockname()[0])
        request = MapRequest(
            client_address=address,
            lifetime=lifetime,
            nonce=NONCE,
            protocol=protocol,
            internal_port=internal_port,
            suggested_external_address=ip_address("0.0.0.0"),
            options=options,
        )
        response = decode_response(await self.ask(encode(request)))
        assert isinstance(response, MapResponse)
        return response


def _udp_socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    return opened


ANNOUNCE = encode(AnnounceRequest(client_address=ip_address(INSIDE)))


@pytest.fixture(name="network")
async def _fixture_network(loopback: None) -> AsyncIterator[Network]:
    network = Network()
    await network.router.start()
    yield network
    network.client.close()
    await network.router.stop()


@pytest.fixture(name="echo_port")
async def _fixture_echo_port(loopback: None) -> AsyncIterator[int]:
    """Serve TCP inside: everything comes back in upper case."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data.upper())
        writer.close()

    server = await asyncio.start_server(echo, INSIDE, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    server.close_clients()
    await server.wait_closed()


async def _connect(
    port: int, address: str = EXTERNAL
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(5):
        return await asyncio.open_connection(address, port)


async def _say_hello(port: int, address: str = EXTERNAL) -> bytes:
    """Speak through a TCP door until the other side has said all."""
    reader, writer = await _connect(port, address)
    try:
        writer.write(b"hello")
        writer.write_eof()
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def test_tcp_door(network: Network, echo_port: int) -> None:
    """While the mapping lives TCP passes, both ways, up to its end."""
    with pytest.raises(ConnectionRefusedError):
        await _connect(echo_port)
    await network.map(protocol=TCP, internal_port=echo_port)
    assert await _say_hello(echo_port) == b"HELLO"
    await network.map(protocol=TCP, internal_port=echo_port, lifetime=0)
    with pytest.raises(ConnectionRefusedError):
        await _connect(echo_port)
    door = f"tcp {EXTERNAL}:{echo_port}"
    assert network.lines == [
        f"opened {door} -> {INSIDE}:{echo_port}",
        f"closed {door}",
    ]


async def test_connections_are_cut(network: Network, echo_port: int) -> None:
    """A delete cuts the connections that went through the door."""
    await network.map(protocol=TCP, internal_port=echo_port)
    reader, writer = await _connect(echo_port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"HELLO"
    await network.map(protocol=TCP, internal_port=echo_port, lifetime=0)
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionResetError):
            await reader.read()
    writer.close()


async def test_nobody_inside(network: Network) -> None:
    """A door to where nobody listens lets in and cuts at once."""
    await network.map(protocol=TCP, internal_port=9)
    network.router.set_personality("rfc")
    reader, writer = await _connect(9)
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionResetError):
            await reader.read()
    writer.close()


async def test_udp_door(network: Network) -> None:
    """While the mapping lives UDP passes, and every peer gets its own answers."""
    loop = asyncio.get_running_loop()
    inside = _udp_socket()
    inside.bind((INSIDE, 0))
    port = inside.getsockname()[1]
    await network.map(protocol=UDP, internal_port=port)
    peers = [_udp_socket(), _udp_socket()]
    for number, peer in enumerate(peers):
        peer.connect((EXTERNAL, port))
        peer.send(bytes([number]))
        async with asyncio.timeout(5):
            data, source = await loop.sock_recvfrom(inside, 100)
        await loop.sock_sendto(inside, data + b"!", source)
    for number, peer in enumerate(peers):
        async with asyncio.timeout(5):
            assert await loop.sock_recv(peer, 100) == bytes([number]) + b"!"
    await network.map(protocol=UDP, internal_port=port, lifetime=0)
    peers[0].send(b"late")
    with pytest.raises(ConnectionRefusedError):
        peers[0].send(b"later")
    for opened in (inside, *peers):
        opened.close()


@pytest.mark.parametrize(
    ("personality", "passes"), [("rfc", False), ("miniupnpd_2_3_1", True)]
)
async def test_filter(
    network: Network, echo_port: int, personality: str, passes: bool
) -> None:
    """13.3: FILTER keeps others out where it is enforced, and only there."""
    network.router.set_personality(personality)
    option = Filter.from_network(ip_network("198.51.100.0/24"))
    await network.map(option, protocol=TCP, internal_port=echo_port)
    try:
        said = await _say_hello(echo_port)
    except OSError:
        said = b""
    assert (said == b"HELLO") is passes


async def test_filter_admits(network: Network, echo_port: int) -> None:
    """13.3: who is named by a FILTER comes in."""
    option = Filter.from_network(ip_network("127.0.0.0/8"))
    await network.map(option, protocol=TCP, internal_port=echo_port)
    assert await _say_hello(echo_port) == b"HELLO"


async def test_reboot_closes_doors(network: Network, echo_port: int) -> None:
    """A reboot announces itself, and no door is left."""
    await network.map(protocol=TCP, internal_port=echo_port)
    network.announced.clear()
    network.router.reboot()
    assert network.router.mappings() == ()
    with pytest.raises(ConnectionRefusedError):
        await _connect(echo_port)
    assert [decode_response(data) for data in network.announced] == [
        AnnounceResponse(result_code=ResultCode.SUCCESS, epoch_time=0)
    ]


async def test_doors_move_to_a_new_address(network: Network, echo_port: int) -> None:
    """14.2: a new external address has the doors, and the client is told."""
    await network.map(protocol=TCP, internal_port=echo_port)
    network.router.change_external_address(NEW_EXTERNAL)
    assert await _say_hello(echo_port, NEW_EXTERNAL) == b"HELLO"
    with pytest.raises(ConnectionRefusedError):
        await _connect(echo_port)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        update = decode_response(await loop.sock_recv(network.client, 2000))
    assert isinstance(update, MapResponse)
    assert str(update.assigned_external_address) == NEW_EXTERNAL


async def test_port_of_somebody_else(network: Network, echo_port: int) -> None:
    """A door that the machine does not allow is told once, and nothing breaks."""
    occupied = socket.socket()
    occupied.bind((EXTERNAL, echo_port))
    occupied.listen()
    for _ in range(2):
        response = await network.map(protocol=TCP, internal_port=echo_port)
        assert response.result_code is ResultCode.SUCCESS
    occupied.close()
    assert len(network.lines) == 1
    assert network.lines[0].startswith("no door")


async def test_silence(network: Network) -> None:
    """A silenced router hears and does not answer; then it answers again."""
    network.router.silence()
    with pytest.raises(TimeoutError):
        await network.ask(ANNOUNCE, wait=0.05)
    network.router.unsilence()
    response = decode_response(await network.ask(ANNOUNCE))
    assert response.result_code is ResultCode.SUCCESS
    with pytest.raises(BlockingIOError):
        network.client.recv(2000)
    assert [seen.request for seen in network.router.requests] == [
        AnnounceRequest(client_address=ip_address(INSIDE))
    ] * 2


async def test_closed_port(network: Network) -> None:
    """A router that does not listen is refused by ICMP, and may come back."""
    network.router.set_personality("closed")
    network.client.send(ANNOUNCE)
    with pytest.raises(ConnectionRefusedError):
        network.client.send(ANNOUNCE)
    network.router.set_personality("rfc")
    response = decode_response(await network.ask(ANNOUNCE))
    assert response.result_code is ResultCode.SUCCESS


async def test_other_address(network: Network) -> None:
    """The answer really comes from the other address."""
    network.router.set_personality("other_address")
    loop = asyncio.get_running_loop()
    anywhere = _udp_socket()
    anywhere.bind((INSIDE, 0))
    await loop.sock_sendto(anywhere, ANNOUNCE, (ROUTER, 5351))
    async with asyncio.timeout(5):
        _, source = await loop.sock_recvfrom(anywhere, 2000)
    assert source == (OTHER, 5351)
    anywhere.close()


async def test_ipv6(loopback: None) -> None:
    """A router may be asked over IPv6 too; pinholes need no doors."""
    router = SimulatedRouter(ROUTER, EXTERNAL, ipv6_address="::1")
    await router.start()
    client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    client.setblocking(False)
    client.connect(("::1", 5351))
    request = MapRequest(
        client_address=ip_address("::1"),
        lifetime=600,
        nonce=NONCE,
        protocol=TCP,
        internal_port=8123,
        suggested_external_address=ip_address("::"),
    )
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, encode(request))
    async with asyncio.timeout(5):
        response = decode_response(await loop.sock_recv(client, 2000))
    assert isinstance(response, MapResponse)
    assert str(response.assigned_external_address) == "::1"
    (mapping,) = router.mappings()
    assert mapping.pinhole
    client.close()
    await router.stop()


async def test_stop_and_start(network: Network, echo_port: int) -> None:
    """Stopped, the port and the doors are closed; started again, all is new."""
    await network.map(protocol=TCP, internal_port=echo_port)
    await network.router.stop()
    with pytest.raises(ConnectionRefusedError):
        await _connect(echo_port)
    await network.router.start()
    assert network.router.mappings() == ()
    response = decode_response(await network.ask(ANNOUNCE))
    assert response.result_code is ResultCode.SUCCESS
