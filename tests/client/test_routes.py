"""Default gateways and neighbours, from netlink messages and from a real kernel."""

from ipaddress import IPv4Address, IPv6Address, ip_address
import struct
import sys
from typing import Any

import pytest

from custom_components.pcp.client import netlink as real_netlink
from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.routes import (
    Gateway,
    Neighbour,
    default_gateways,
    gateway_of_other_family,
    neighbour_mac,
    neighbours,
    unknown_gateways,
)

from .sockets import ip

LO = 1


def attribute(kind: int, value: object) -> bytes:
    """Encode an attribute of <linux/rtnetlink.h>; None is none."""
    match value:
        case None:
            return b""
        case int():
            octets = struct.pack("=I", value)
        case str() if value.count(":") == 5 and "::" not in value:
            octets = bytes.fromhex(value.replace(":", ""))
        case str():
            octets = ip_address(value).packed
        case _:
            assert isinstance(value, bytes)
            octets = value
    padding = bytes(-len(octets) % 4)
    return struct.pack("=HH", 4 + len(octets), kind) + octets + padding


class FakeNetlink:
    """What the kernel answers, in octets."""

    def __init__(self) -> None:
        """Know nothing."""
        self.messages: dict[tuple[int, int], list[bytes]] = {}
        self.error: Exception | None = None

    def exchange(self, request: bytes) -> list[bytes]:
        """Dump a table of one family."""
        if self.error is not None:
            raise self.error
        length, kind, flags = struct.unpack_from("=IHH", request)
        assert (length, flags) == (len(request), 0x301)
        return self.messages.get((kind, request[16]), [])

    def add(self, kind: int, body: bytes) -> None:
        """Add an entry of the family that its first octet tells."""
        header = struct.pack("=IHHII", 16 + len(body), kind - 2, 2, 1, 0)
        self.messages.setdefault((kind, body[0]), []).append(header + body)

    def add_route(
        self,
        *,
        family: int = 2,
        dst_len: int = 0,
        type: int = 1,
        flags: int = 0,
        table: int = 254,
        metric: int | None = 100,
        gateway: str | None = "192.0.2.1",
        oif: int | None = LO,
        hops: bytes | None = None,
    ) -> None:
        """Add a default route over IPv4, but for what is told otherwise."""
        self.add(
            26,
            struct.pack("=BBBBBBBBI", family, dst_len, 0, 0, 254, 3, 0, type, flags)
            + attribute(15, table)
            + attribute(6, metric)
            + attribute(5, gateway)
            + attribute(4, oif)
            + attribute(9, hops),
        )

    def add_neighbour(
        self,
        address: str,
        mac: str | None,
        *,
        ifindex: int = LO,
        state: int = 2,
    ) -> None:
        """Add a neighbour, reachable unless told otherwise."""
        self.add(
            30,
            struct.pack("=BxxxiHBB", 10 if ":" in address else 2, ifindex, state, 0, 1)
            + attribute(1, address)
            + attribute(2, mac),
        )


@pytest.fixture
def netlink(monkeypatch: pytest.MonkeyPatch) -> FakeNetlink:
    """Put a fake kernel in the place of the real one."""
    fake = FakeNetlink()
    monkeypatch.setattr(real_netlink, "_exchange", fake.exchange)
    return fake


def addresses() -> list[str]:
    """Return the default gateways' addresses."""
    return [str(gateway.address) for gateway in default_gateways()]


def test_gateway(netlink: FakeNetlink) -> None:
    """8.1: a default router, with what is needed to tell it from others."""
    netlink.add_route()
    assert default_gateways() == [
        Gateway(
            address=IPv4Address("192.0.2.1"),
            interface="lo",
            interface_index=LO,
            metric=100,
        )
    ]


def test_best_first(netlink: FakeNetlink) -> None:
    """8.1: in the kernel's order of preference; IPv4 first where that is equal."""
    netlink.add_route(gateway="192.0.2.1", metric=200)
    netlink.add_route(gateway="192.0.2.2", metric=100)
    netlink.add_route(gateway="192.0.2.3", metric=None)
    netlink.add_route(gateway="2001:db8::1", metric=100, family=10)
    assert addresses() == ["192.0.2.3", "192.0.2.2", "2001:db8::1", "192.0.2.1"]


def test_same_gateway_twice(netlink: FakeNetlink) -> None:
    """A router with two routes is one router; the better route counts."""
    netlink.add_route(metric=300)
    netlink.add_route(metric=50)
    assert [gateway.metric for gateway in default_gateways()] == [50]


def test_link_local_gateway_is_scoped(netlink: FakeNetlink) -> None:
    """8.1: a link-local router is nothing without its interface."""
    netlink.add_route(gateway="fe80::1", family=10)
    assert addresses() == ["fe80::1%lo"]


def test_several_hops(netlink: FakeNetlink) -> None:
    """A route over several routers tells all of them, less those whose link is down."""
    netlink.add_route(
        gateway=None,
        oif=None,
        family=10,
        hops=b"".join(
            struct.pack("=HBBi", 8 + len(via), flags, 0, LO) + via
            for via, flags in (
                (attribute(5, "fe80::1"), 0),
                (attribute(5, "fe80::2"), 16),
                (b"", 0),
            )
        ),
    )
    assert addresses() == ["fe80::1%lo"]


@pytest.mark.parametrize(
    "values",
    [
        {"dst_len": 24},
        {"type": 7},
        {"flags": 1},
        {"flags": 16},
        {"gateway": None},
        {"oif": None},
        {"oif": 999_999},
        {"table": 52},
    ],
    ids=str,
)
def test_no_gateway(netlink: FakeNetlink, values: dict[str, Any]) -> None:
    """A network route, an unreachable one, a dead one, one without a router."""
    netlink.add_route(**values)
    assert default_gateways() == []


@pytest.mark.parametrize(
    ("address", "mac"),
    [
        (IPv4Address("192.0.2.1"), "02:00:5e:00:77:01"),
        (IPv6Address("2001:db8::1"), "02:00:5e:00:77:02"),
        (IPv6Address("fe80::1%lo"), "02:00:5e:00:77:03"),
        (IPv6Address("fe80::1"), "02:00:5e:00:77:04"),
        (IPv4Address("192.0.2.9"), None),
        (IPv6Address("fe80::1%gone"), None),
    ],
)
def test_neighbour(netlink: FakeNetlink, address: IPAddress, mac: str | None) -> None:
    """A neighbour's MAC address in lower case, on its interface where it has one."""
    netlink.add_neighbour("192.0.2.1", "02:00:5E:00:77:01")
    netlink.add_neighbour("2001:db8::1", "02:00:5e:00:77:02")
    netlink.add_neighbour("fe80::1", "02:00:5e:00:77:04", ifindex=7)
    netlink.add_neighbour("fe80::1", "02:00:5e:00:77:03")
    assert neighbour_mac(address) == mac


@pytest.mark.parametrize(
    ("mac", "state"),
    [
        (None, 2),
        ("00:00:00:00:00:00", 0x40),
        ("02:00:5e:00:77:01", 0x20),
        (None, 0x01),
    ],
)
def test_useless_neighbour(netlink: FakeNetlink, mac: str | None, state: int) -> None:
    """One whose MAC address is not known, no more known, or none."""
    netlink.add_neighbour("192.0.2.1", mac, state=state)
    assert neighbour_mac(IPv4Address("192.0.2.1")) is None


def test_neighbours(netlink: FakeNetlink) -> None:
    """All whose MAC address is known, of both IP versions, on all interfaces."""
    netlink.add_neighbour("192.0.2.1", "02:00:5E:00:77:01")
    netlink.add_neighbour("192.0.2.2", None)
    netlink.add_neighbour("fe80::1", "02:00:5e:00:77:01", ifindex=7)
    assert neighbours() == [
        Neighbour(
            address=IPv4Address("192.0.2.1"),
            interface_index=LO,
            mac="02:00:5e:00:77:01",
        ),
        Neighbour(
            address=IPv6Address("fe80::1"), interface_index=7, mac="02:00:5e:00:77:01"
        ),
    ]


HOME, OTHER = 2, 3


def gateway(address: str, index: int = HOME) -> Gateway:
    """Return a default router."""
    return Gateway(
        address=IPv6Address(address) if ":" in address else IPv4Address(address),
        interface=f"eth{index}",
        interface_index=index,
        metric=0,
    )


def neighbour(address: str, number: int, index: int = HOME) -> Neighbour:
    """Return a neighbour with a MAC address that ends with a number."""
    return Neighbour(
        address=gateway(address).address,
        interface_index=index,
        mac=f"02:00:5e:00:77:{number:02}",
    )


GATEWAYS = [gateway("192.0.2.1"), gateway("fe80::2%eth2"), gateway("fe80::1%eth2")]


@pytest.mark.parametrize(
    ("server", "index", "known", "expected"),
    [
        # The one with the same MAC address, whatever comes before it.
        (
            "192.0.2.1",
            0,
            [
                neighbour("192.0.2.1", 1),
                neighbour("fe80::2", 2),
                neighbour("fe80::1", 1),
            ],
            "fe80::1%eth2",
        ),
        (
            "fe80::1%eth2",
            HOME,
            [neighbour("192.0.2.1", 1), neighbour("fe80::1", 1)],
            "192.0.2.1",
        ),
        # A server that is no default router itself.
        (
            "2001:db8::1",
            0,
            [neighbour("192.0.2.1", 1), neighbour("2001:db8::1", 1)],
            "192.0.2.1",
        ),
        # Another MAC address, another interface, and what is not known.
        ("192.0.2.1", 0, [neighbour("192.0.2.1", 1), neighbour("fe80::1", 2)], None),
        (
            "192.0.2.1",
            0,
            [neighbour("192.0.2.1", 1), neighbour("fe80::1", 1, OTHER)],
            None,
        ),
        (
            "fe80::1%eth2",
            HOME,
            [neighbour("192.0.2.1", 1), neighbour("fe80::1", 1, OTHER)],
            None,
        ),
        ("192.0.2.1", 0, [neighbour("fe80::1", 1)], None),
        ("192.0.2.1", 0, [neighbour("192.0.2.1", 1)], None),
        ("192.0.2.1", 0, [], None),
    ],
)
def test_gateway_of_other_family(
    server: str, index: int, known: list[Neighbour], expected: str | None
) -> None:
    """8.1: the same router is the one with the same MAC address on the same link."""
    found = gateway_of_other_family(gateway(server).address, index, GATEWAYS, known)
    assert (None if found is None else str(found.address)) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([neighbour("192.0.2.1", 1)], ["fe80::2%eth2", "fe80::1%eth2"]),
        ([neighbour("192.0.2.1", 1), neighbour("fe80::2", 9)], ["fe80::1%eth2"]),
        ([neighbour("192.0.2.1", 1, OTHER)], []),
        ([neighbour("fe80::2", 1)], []),
        ([], []),
    ],
)
def test_unknown_gateways(known: list[Neighbour], expected: list[str]) -> None:
    """Those of the other IP version on the server's link, where that is known."""
    unknown = unknown_gateways(IPv4Address("192.0.2.1"), 0, GATEWAYS, known)
    assert [str(one.address) for one in unknown] == expected


def test_no_netlink(netlink: FakeNetlink) -> None:
    """Where the kernel does not answer, nothing is known."""
    netlink.error = OSError("No netlink")
    assert default_gateways() == []
    assert neighbours() == []
    assert neighbour_mac(IPv4Address("192.0.2.1")) is None


def test_no_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no netlink, nothing is known."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_gateways() == []


def test_nonsense(netlink: FakeNetlink) -> None:
    """What cannot be read is not read, and nobody waits for its end."""
    netlink.add(26, bytes((2, 0, 0)))
    netlink.add(26, struct.pack("=BBBBBBBBI", 10, 0, 0, 0, 254, 3, 0, 1, 0) + bytes(8))
    netlink.add_route(family=10, gateway=None, oif=None, hops=bytes(16))
    assert default_gateways() == []


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
def test_real_kernel() -> None:
    """8.1: the same from a real kernel."""
    ip(
        "link set lo up",
        "link add home type veth peer name router",
        "link set home up",
        "link set router up",
        "addr add 192.0.2.2/24 dev home",
        "route add default via 192.0.2.1 dev home metric 100",
        "route add unreachable default metric 9999",
        "route add ::/0 metric 1024 nexthop via fe80::1 dev home"
        " nexthop via fe80::2 dev home",
        "neigh add 192.0.2.1 lladdr 02:00:5E:00:77:01 dev home",
        "neigh add fe80::1 lladdr 02:00:5e:00:77:02 dev home",
    )
    gateways = default_gateways()
    assert [(str(gateway.address), gateway.metric) for gateway in gateways] == [
        ("192.0.2.1", 100),
        ("fe80::1%home", 1024),
        ("fe80::2%home", 1024),
    ]
    assert {gateway.interface for gateway in gateways} == {"home"}
    assert [neighbour_mac(gateway.address) for gateway in gateways] == [
        "02:00:5e:00:77:01",
        "02:00:5e:00:77:02",
        None,
    ]


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
def test_real_kernel_without_a_network() -> None:
    """A host without any network has no gateway."""
    assert default_gateways() == []
