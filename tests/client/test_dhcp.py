"""Asking DHCP servers, over real sockets on loopback; the real ports are the lab's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Address, IPv6Address
import socket
import struct
import sys

import pytest

from custom_components.pcp.client import dhcp
from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.dhcp import ToldServer, ask_for_servers

from .sockets import PATIENCE, ip, udp_socket

MAC = bytes.fromhex("02005e007702")
LO = 1
LINK = dhcp._Link(
    name="lo", index=LO, hardware_address=MAC, address=IPv4Address("127.0.0.1")
)
ROUTER = IPv4Address("192.168.77.1")
ROUTER_V6 = IPv6Address("2001:db8:77::1")
LINK_LOCAL = IPv6Address("fe80::1")


class DhcpServer:
    """Both DHCP servers of a network, on loopback, that answer as they are told."""

    def __init__(self) -> None:
        """Listen on ports of their own, for clients on other such ports."""
        self.requests: asyncio.Queue[tuple[int, bytes, int]] = asyncio.Queue()
        self.answer_v4: Callable[[bytes], list[bytes]] = lambda _: []
        self.answer_v6: Callable[[bytes], list[bytes]] = lambda _: []
        self._sockets = {4: udp_socket(), 6: udp_socket(socket.AF_INET6)}
        self._sockets[4].bind(("127.0.0.1", 0))
        self._sockets[6].bind(("::1", 0))
        loop = asyncio.get_running_loop()
        for version, sock in self._sockets.items():
            loop.add_reader(sock, self._on_readable, version)

    def address(self, version: int) -> tuple[str, int]:
        """Return where one of them listens."""
        host, port, *_ = self._sockets[version].getsockname()
        return host, port

    async def request(self) -> tuple[int, bytes, int]:
        """Wait for the next request: its IP version, the octets, the source port."""
        async with asyncio.timeout(PATIENCE):
            return await self.requests.get()

    def close(self) -> None:
        """Vanish."""
        for sock in self._sockets.values():
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()

    def _on_readable(self, version: int) -> None:
        data, source = self._sockets[version].recvfrom(2048)
        self.requests.put_nowait((version, data, source[1]))
        for answer in (self.answer_v4 if version == 4 else self.answer_v6)(data):
            self._sockets[version].sendto(answer, source)


@pytest.fixture
async def server(
    monkeypatch: pytest.MonkeyPatch, loopback: None
) -> AsyncIterator[DhcpServer]:
    """Put DHCP servers on loopback in the place of those of the network."""
    server = DhcpServer()
    monkeypatch.setattr(dhcp, "_link", {"lo": LINK, "nothing": None}.__getitem__)
    for version, kind in ((4, dhcp._Inform), (6, dhcp._InformationRequest)):
        monkeypatch.setattr(kind, "destination", server.address(version))
        monkeypatch.setattr(kind, "port", free_port(kind.family))
    yield server
    server.close()


def free_port(family: socket.AddressFamily) -> int:
    """Return a port that nobody has."""
    with udp_socket(family) as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


def ack(request: bytes, *lists: list[IPv4Address], **changes: bytes) -> bytes:
    """Return a DHCPACK that names servers, each by a list of its addresses."""
    value = b"".join(
        bytes((4 * len(addresses),)) + b"".join(one.packed for one in addresses)
        for addresses in lists
    )
    xid = changes.get("xid", request[4:8])
    return (
        b"\x02\x01\x06\x00"
        + xid
        + request[8:236]
        + bytes.fromhex("63825363 350105")
        + bytes((158, len(value)))
        + value
    )


def reply(request: bytes, *lists: list[IPv6Address], **changes: bytes) -> bytes:
    """Return a DHCPv6 Reply that names servers, each by a list of its addresses."""
    message = b"\x07" + changes.get("xid", request[1:4])
    message += request[4:18] + bytes.fromhex("0002 0003 000000")
    for addresses in lists:
        packed = b"".join(address.packed for address in addresses)
        message += struct.pack("!HH", 86, len(packed)) + packed
    return message


async def ask(*interfaces: str, wait: float = 3600) -> list[ToldServer]:
    """Ask; without an end by itself it fails."""
    told: list[ToldServer] = []
    async with asyncio.timeout(PATIENCE):
        await ask_for_servers(interfaces or ["lo"], tell=told.append, wait=wait)
    return told


def named(*addresses: IPAddress) -> ToldServer:
    """Return a server that was told on loopback."""
    return ToldServer(addresses=addresses, interface="lo", interface_index=LO)


async def test_both_versions(server: DhcpServer) -> None:
    """RFC 7291: asked at once over DHCPv4 and DHCPv6, over when both have answered."""
    other = IPv4Address("198.51.100.1")
    server.answer_v4 = lambda data: [ack(data, [ROUTER, other], [other])]
    server.answer_v6 = lambda data: [reply(data, [ROUTER_V6])]
    told = await ask()
    assert sorted(told, key=lambda one: one.addresses[0].version) == [
        named(ROUTER, other),
        named(other),
        named(ROUTER_V6),
    ]
    requests = [await server.request() for _ in range(2)]
    assert {version for version, _, _ in requests} == {4, 6}
    assert server.requests.empty()


async def test_source_ports(server: DhcpServer) -> None:
    """RFC 2131 4.1, RFC 8415 7.2: a DHCP client has a port of its own."""
    await ask(wait=0.01)
    requests = [await server.request() for _ in range(2)]
    assert {version: port for version, _, port in requests} == {
        4: dhcp._Inform.port,
        6: dhcp._InformationRequest.port,
    }


async def test_transaction_id_is_random(server: DhcpServer) -> None:
    """RFC 2131 4.1, RFC 8415 16.1: another one for every question."""
    ids = set()
    for _ in range(2):
        await ask(wait=0.01)
        for _ in range(2):
            version, data, _ = await server.request()
            ids.add(data[4:8] if version == 4 else data[1:4])
    assert len(ids) == 4


async def test_request_tells_who_asks(server: DhcpServer) -> None:
    """RFC 2131 4.4.3, RFC 8415 21.2: our address, and the interface's."""
    await ask(wait=0.01)
    for _ in range(2):
        version, data, _ = await server.request()
        if version == 4:
            assert data[12:16] == LINK.address.packed  # type: ignore[union-attr]
            assert data[28:34] == MAC
        else:
            assert data[8:18] == bytes.fromhex("00030001") + MAC


async def test_answer_to_another_question(server: DhcpServer) -> None:
    """RFC 2131 4.4.1, RFC 8415 16.10: the transaction id has to be ours."""
    evil = IPv4Address("203.0.113.66")
    server.answer_v4 = lambda data: [
        ack(data, [evil], xid=b"else"),
        b"",
        b"noise",
        ack(data, [ROUTER]),
    ]
    server.answer_v6 = lambda data: [
        reply(data, [LINK_LOCAL], xid=b"old"),
        reply(data, [ROUTER_V6]),
    ]
    assert set(await ask()) == {named(ROUTER), named(ROUTER_V6)}


async def test_link_local_server_is_scoped(server: DhcpServer) -> None:
    """RFC 7291 7: such a server is nothing without the interface it was told on."""
    server.answer_v4 = lambda data: [ack(data)]
    server.answer_v6 = lambda data: [reply(data, [LINK_LOCAL, ROUTER_V6])]
    assert await ask() == [named(IPv6Address("fe80::1%lo"), ROUTER_V6)]


async def test_no_server_is_an_answer(server: DhcpServer) -> None:
    """Nobody waits for more when DHCP servers answer and know no PCP server."""
    server.answer_v4 = lambda data: [ack(data)]
    server.answer_v6 = lambda data: [reply(data)]
    assert await ask() == []


async def test_silence_ends(server: DhcpServer) -> None:
    """Where nobody answers it takes as long as it is given."""
    assert await ask(wait=0.01) == []


async def test_told_at_once(server: DhcpServer) -> None:
    """One DHCP server's answer is told while the other is still silent."""
    server.answer_v4 = lambda data: [ack(data, [ROUTER])]
    told: asyncio.Queue[ToldServer] = asyncio.Queue()
    asking = asyncio.create_task(
        ask_for_servers(["lo"], tell=told.put_nowait, wait=3600)
    )
    async with asyncio.timeout(PATIENCE):
        assert await told.get() == named(ROUTER)
    assert not asking.done()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert all(is_free(kind) for kind in (dhcp._Inform, dhcp._InformationRequest))


async def test_lost_request_is_sent_again(
    server: DhcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8415 15: once more, with the same transaction id."""
    monkeypatch.setattr(dhcp, "_ASK_AGAIN", 0)
    asked: list[bytes] = []

    def deaf_at_first(data: bytes) -> list[bytes]:
        asked.append(data)
        return [ack(data, [ROUTER])] if len(asked) == 2 else []

    server.answer_v4 = deaf_at_first
    server.answer_v6 = lambda data: [reply(data)]
    assert await ask() == [named(ROUTER)]
    assert asked[0] == asked[1]


def test_time_of_the_repetition() -> None:
    """RFC 8415 15: after a second, and before nobody listens any more."""
    assert dhcp._ASK_AGAIN == 1
    assert dhcp._ASK_AGAIN < dhcp._WAIT <= 1.5


async def test_repetition_says_how_long_it_has_taken(server: DhcpServer) -> None:
    """RFC 2131 2, RFC 8415 21.9: in seconds, and in hundredths of a second."""
    for kind in (dhcp._Inform, dhcp._InformationRequest):
        question = kind(LINK, print)
        question._ask(1)
        question.close()
    seconds: dict[int, list[int]] = {4: [], 6: []}
    for _ in range(4):
        version, data, _ = await server.request()
        at = 8 if version == 4 else 22
        seconds[version] += struct.unpack_from("!H", data, at)
    assert seconds == {4: [0, 1], 6: [0, 100]}


def is_free(kind: type[dhcp._Question]) -> bool:
    """Tell whether the client's port can be had by somebody else."""
    try:
        dhcp._open(kind.family, kind.port).close()
    except OSError:
        return False
    return True


async def test_ports_are_given_back(server: DhcpServer) -> None:
    """A DHCP client of the system that comes later finds its port free."""
    server.answer_v4 = lambda data: [ack(data)]
    server.answer_v6 = lambda data: [reply(data)]
    await ask()
    for kind in (dhcp._Inform, dhcp._InformationRequest):
        with udp_socket(kind.family) as other:
            other.bind(("", kind.port))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("is_shared", [False, True])
async def test_port_that_is_taken(
    server: DhcpServer, version: int, is_shared: bool
) -> None:
    """A DHCP client that has the port, and would even share it, keeps it to itself."""
    server.answer_v4 = lambda data: [ack(data, [ROUTER])]
    server.answer_v6 = lambda data: [reply(data, [ROUTER_V6])]
    kind, host = {
        4: (dhcp._Inform, "127.0.0.1"),
        6: (dhcp._InformationRequest, "::1"),
    }[version]
    with udp_socket(kind.family) as other:
        if is_shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, kind.port))
        assert await ask() == [named(ROUTER_V6 if version == 4 else ROUTER)]
    assert (await server.request())[0] != version
    assert server.requests.empty()


async def test_not_permitted(
    server: DhcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to such ports nothing is asked, and nobody waits."""

    def refuse(*_: object, **__: object) -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(dhcp, "_open", refuse)
    assert await ask() == []
    assert server.requests.empty()


async def test_interface_that_goes_away(
    server: DhcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is gone when it is asked on does not keep the others from it."""
    gone = dhcp._Link(
        name="gone", index=999_999, hardware_address=MAC, address=LINK.address
    )
    monkeypatch.setattr(dhcp, "_link", {"gone": gone, "lo": LINK}.__getitem__)
    server.answer_v4 = lambda data: [ack(data, [ROUTER])]
    server.answer_v6 = lambda data: [reply(data)]
    assert await ask("gone", "lo") == [named(ROUTER)]


async def test_interface_without_an_ipv4_address(
    server: DhcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 2131 4.4.3: a DHCPINFORM is for hosts that have an address."""
    link = dhcp._Link(name="lo", index=LO, hardware_address=MAC, address=None)
    monkeypatch.setattr(dhcp, "_link", lambda _: link)
    server.answer_v6 = lambda data: [reply(data, [ROUTER_V6])]
    assert await ask() == [named(ROUTER_V6)]
    assert (await server.request())[0] == 6
    assert server.requests.empty()


async def test_interface_without_dhcp(server: DhcpServer) -> None:
    """Where DHCP has no use nothing is asked."""
    assert await ask("nothing") == []
    assert server.requests.empty()


async def test_request_that_cannot_be_sent(
    server: DhcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the answer to what was not asked."""
    # No socket sends to an address of the other IP version.
    monkeypatch.setattr(dhcp._Inform, "destination", ("::1", 67))
    monkeypatch.setattr(dhcp._InformationRequest, "destination", ("127.0.0.1", 547))
    assert await ask() == []


@pytest.mark.usefixtures("loopback")
def test_loopback_has_no_dhcp() -> None:
    """Only on an Ethernet, or what looks like one, DHCP is spoken."""
    assert dhcp._link("lo") is None
    assert dhcp._link("gone") is None


def test_elsewhere_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interfaces are known on Linux only."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert dhcp._link("eth0") is None


def test_receiving_that_fails() -> None:
    """An error of the network is no answer, and no exception."""
    dhcp._on_error(OSError("Network is down"))


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_real_interfaces() -> None:
    """What is known of an Ethernet, with an address and without, up or down."""
    ip(
        "link set lo up",
        "link add home address 02:00:5e:00:77:02 type veth peer name router",
        "link set home up",
        "addr add 192.0.2.2/24 dev home",
    )
    assert dhcp._link("home") == dhcp._Link(
        name="home",
        index=socket.if_nametoindex("home"),
        hardware_address=MAC,
        address=IPv4Address("192.0.2.2"),
    )
    router = dhcp._link("router")
    assert router is not None
    assert router.address is None
    # Without a way for the requests nobody waits.
    assert await ask("router") == []


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_port_that_is_taken_on_another_interface() -> None:
    """A socket bound to its interface would not collide with that one; we care."""
    ip(
        "link set lo up",
        "link add home type veth peer name router",
        "link set home up",
        "link set router up",
        "addr add 192.0.2.2/24 dev home",
    )
    link = dhcp._link("home")
    assert link is not None
    [question] = dhcp._ask(dhcp._Inform, [link], print)
    question.close()
    with udp_socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"router")
        other.bind(("", 68))
        assert list(dhcp._ask(dhcp._Inform, [link], print)) == []
