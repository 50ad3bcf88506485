"""The multicast listener, with real announcements."""

import asyncio
from ipaddress import IPv4Address, IPv6Address
import logging
from pathlib import Path
import secrets
import socket

import pytest

from custom_components.pcp.client import announcements
from custom_components.pcp.client.announcements import AnnouncementListener
from custom_components.pcp.client.codec import ANNOUNCE_PORT, IPAddress

from .sockets import PATIENCE, ip, udp_socket

TWO_LINKS = (
    "link set lo up",
    "link add home type veth peer name router",
    "link add guest type veth peer name other",
    *(f"link set {name} addrgenmode none" for name in ("home", "router")),
    *(f"link set {name} addrgenmode none" for name in ("guest", "other")),
    *(f"link set {name} up" for name in ("home", "router", "guest", "other")),
    "addr add 192.0.2.2/24 dev home",
    "addr add 192.0.2.1/24 dev router",
    "addr add 198.51.100.2/24 dev guest",
    "addr add fe80::2/64 dev home nodad",
    "addr add fe80::1/64 dev router nodad",
    "addr add fe80::3/64 dev guest nodad",
)


class Heard:
    """Keep what a subscriber is called with; others may announce meanwhile."""

    def __init__(self) -> None:
        """Expect nothing yet."""
        self.datagrams: asyncio.Queue[tuple[bytes, IPAddress, int]] = asyncio.Queue()

    def __call__(self, data: bytes, source: IPAddress, source_port: int) -> None:
        """Be the callback."""
        self.datagrams.put_nowait((data, source, source_port))

    async def next(self, data: bytes) -> tuple[IPAddress, int]:
        """Wait for a datagram; return who sent it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                heard, source, source_port = await self.datagrams.get()
                if heard == data:
                    return source, source_port


def announce(address: str) -> tuple[bytes, int]:
    """Announce something over IPv4; return what, and the source port."""
    data = secrets.token_bytes(24)
    with udp_socket() as sender:
        sender.bind((address, 0))
        interface = socket.inet_aton(address)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        sender.sendto(data, ("224.0.0.1", ANNOUNCE_PORT))
        return data, sender.getsockname()[1]


def announce_v6(interface: str) -> tuple[bytes, int]:
    """Announce something over IPv6; return what, and the source port."""
    data = secrets.token_bytes(24)
    index = socket.if_nametoindex(interface)
    with udp_socket(socket.AF_INET6) as sender:
        # Only what went over the wire is to come back.
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        sender.sendto(data, ("ff02::1", ANNOUNCE_PORT, 0, index))
        return data, sender.getsockname()[1]


def users_of_the_groups() -> list[int]:
    """Return how many have joined 224.0.0.1 and ff02::1 on each interface."""
    users = []
    for line in Path("/proc/net/igmp").read_text().splitlines():
        match line.split():
            case ["010000E0", count, *_]:
                users.append(int(count))
    for line in Path("/proc/net/igmp6").read_text().splitlines():
        match line.split():
            case [_, _, "ff020000000000000000000000000001", count, *_]:
                users.append(int(count))
    return users


@pytest.mark.usefixtures("loopback")
async def test_every_subscriber_is_told() -> None:
    """14.1.3: an announcement to 224.0.0.1 reaches all, with its source."""
    listener = AnnouncementListener()
    subscribers = [Heard(), Heard()]
    for subscriber in subscribers:
        listener.subscribe(subscriber)
    await listener.start()
    assert listener.listening
    data, source_port = announce("127.0.0.1")
    for subscriber in subscribers:
        assert await subscriber.next(data) == (IPv4Address("127.0.0.1"), source_port)
    listener.close()


@pytest.mark.usefixtures("loopback")
async def test_end_of_a_subscription() -> None:
    """Who has unsubscribed is told nothing; again is harmless."""
    listener = AnnouncementListener()
    here, gone = Heard(), Heard()
    unsubscribe = listener.subscribe(gone)
    listener.subscribe(here)
    await listener.start()
    unsubscribe()
    unsubscribe()
    data, _ = announce("127.0.0.1")
    await here.next(data)
    assert gone.datagrams.empty()
    listener.close()


@pytest.mark.usefixtures("loopback")
async def test_one_callable_subscribed_twice() -> None:
    """Each subscription is its own, also of the same callable."""
    listener = AnnouncementListener()
    heard = Heard()
    unsubscribe = listener.subscribe(heard)
    listener.subscribe(heard)
    unsubscribe()
    unsubscribe()
    await listener.start()
    data, _ = announce("127.0.0.1")
    await heard.next(data)
    assert heard.datagrams.empty()
    listener.close()


@pytest.mark.usefixtures("loopback")
async def test_subscriber_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in one subscriber is logged and keeps nothing from the others."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    listener = AnnouncementListener()
    listener.subscribe(fail)
    heard = Heard()
    listener.subscribe(heard)
    await listener.start()
    data, _ = announce("127.0.0.1")
    await heard.next(data)
    listener.close()
    assert logging.ERROR in {record.levelno for record in caplog.records}


@pytest.mark.usefixtures("loopback")
async def test_close_and_start_again() -> None:
    """Closed it leaves nothing in the loop; subscriptions outlive it."""
    listener = AnnouncementListener()
    heard = Heard()
    listener.subscribe(heard)
    await listener.start()
    readers = list(listener._readers)
    await listener.start()
    assert listener._readers == readers
    descriptors = [reader._sock.fileno() for reader in listener._readers]
    listener.close()
    listener.close()
    assert not listener.listening
    loop = asyncio.get_running_loop()
    assert not any(map(loop.remove_reader, descriptors))
    await listener.start()
    data, _ = announce("127.0.0.1")
    await heard.next(data)
    assert heard.datagrams.empty()
    listener.close()


@pytest.mark.usefixtures("loopback")
async def test_port_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the port there is one debug line for each IP version, and no error."""
    caplog.set_level(logging.DEBUG, announcements.__name__)
    listener = AnnouncementListener()
    with udp_socket(socket.AF_INET6) as selfish:
        selfish.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        selfish.bind(("::", 0))
        monkeypatch.setattr(announcements, "ANNOUNCE_PORT", selfish.getsockname()[1])
        await listener.start()
    assert not listener.listening
    assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 2
    listener.close()


@pytest.mark.usefixtures("loopback")
async def test_unicast_is_left_to_others() -> None:
    """RFC 6886 3.2.1: a unicast datagram to the port is another program's."""
    listener = AnnouncementListener()
    heard = Heard()
    listener.subscribe(heard)
    await listener.start()
    with udp_socket() as sender:
        sender.sendto(b"unicast", ("127.0.0.1", ANNOUNCE_PORT))
    data, _ = announce("127.0.0.1")
    async with asyncio.timeout(PATIENCE):
        seen = [await heard.datagrams.get()]
        while seen[-1][0] != data:
            seen.append(await heard.datagrams.get())
    assert b"unicast" not in [datagram for datagram, _, _ in seen]
    listener.close()


@pytest.mark.usefixtures("loopback")
async def test_failed_read(caplog: pytest.LogCaptureFixture) -> None:
    """An error of the network is no more than a debug line."""
    caplog.set_level(logging.DEBUG, announcements.__name__)
    listener = AnnouncementListener()
    await listener.start()
    for reader in listener._readers:
        reader._on_error(OSError("Network is down"))
    listener.close()
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


@pytest.mark.usefixtures("loopback")
async def test_interface_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interface on which there is no membership to be had does not matter."""
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(999_999, "gone")])
    listener = AnnouncementListener()
    heard = Heard()
    listener.subscribe(heard)
    await listener.start()
    data, _ = announce("127.0.0.1")
    await heard.next(data)
    listener.close()


@pytest.mark.parametrize(
    ("source", "address"),
    [
        (("192.0.2.1", 5351), IPv4Address("192.0.2.1")),
        (("2001:db8::1", 5351, 0, 0), IPv6Address("2001:db8::1")),
        (("fe80::1", 5351, 0, 1), IPv6Address("fe80::1%lo")),
        (("fe80::1", 5351, 0, 999_999), IPv6Address("fe80::1%999999")),
    ],
)
async def test_source_address(source: tuple[str, int], address: IPAddress) -> None:
    """14.1.3: a link-local source is scoped by the interface, gone or not."""
    listener = AnnouncementListener()
    heard = Heard()
    listener.subscribe(heard)
    listener._on_datagram(b"announced", source)
    assert await heard.next(b"announced") == (address, 5351)


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_both_ip_versions() -> None:
    """14.1.3: 224.0.0.1 and ff02::1 are both heard, and from which interface."""
    ip(*TWO_LINKS)
    listener = AnnouncementListener()
    heard = Heard()
    listener.subscribe(heard)
    await listener.start()
    assert len(listener._readers) == 2
    data, source_port = announce("192.0.2.1")
    assert await heard.next(data) == (IPv4Address("192.0.2.1"), source_port)
    data, source_port = announce_v6("router")
    assert await heard.next(data) == (IPv6Address("fe80::1%home"), source_port)
    listener.close()


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_membership_on_every_interface() -> None:
    """14.1.3: the listener is a member of both groups on all interfaces."""
    ip(*TWO_LINKS)
    listener = AnnouncementListener()
    before = users_of_the_groups()
    await listener.start()
    assert len(before) == 10
    assert users_of_the_groups() == [users + 1 for users in before]
    listener.close()
    assert users_of_the_groups() == before


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_interface_that_comes_later() -> None:
    """An interface that was not there at the start is heard as well."""
    ip("link set lo up")
    listener = AnnouncementListener()
    heard = Heard()
    listener.subscribe(heard)
    await listener.start()
    ip(*TWO_LINKS)
    data, source_port = announce("192.0.2.1")
    assert await heard.next(data) == (IPv4Address("192.0.2.1"), source_port)
    data, source_port = announce_v6("router")
    assert await heard.next(data) == (IPv6Address("fe80::1%home"), source_port)
    listener.close()


@pytest.mark.lab
@pytest.mark.parametrize("option", [socket.SO_REUSEADDR, socket.SO_REUSEPORT])
@pytest.mark.parametrize("comes_first", [True, False])
@pytest.mark.usefixtures("namespace")
async def test_port_is_shared(option: int, comes_first: bool) -> None:
    """RFC 6886 3.2.1: another client on this host, and both hear everything."""
    ip(*TWO_LINKS)
    listener = AnnouncementListener()
    heard = Heard()
    listener.subscribe(heard)
    if comes_first:
        await listener.start()
    with udp_socket() as other:
        other.setsockopt(socket.SOL_SOCKET, option, 1)
        other.bind(("", ANNOUNCE_PORT))
        if not comes_first:
            await listener.start()
        data, _ = announce("192.0.2.1")
        await heard.next(data)
        assert other.recv(100) == data
    listener.close()


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_port_is_not_shared_with_us() -> None:
    """A program that keeps the IPv4 port to itself leaves us the IPv6 one."""
    ip(*TWO_LINKS)
    listener = AnnouncementListener()
    heard = Heard()
    listener.subscribe(heard)
    with udp_socket() as other:
        other.bind(("", ANNOUNCE_PORT))
        await listener.start()
        assert listener.listening
        data, _ = announce_v6("router")
        await heard.next(data)
    listener.close()
