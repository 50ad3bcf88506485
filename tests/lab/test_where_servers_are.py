"""Where a server may be, asked in lan of a real router and a real DHCP server."""

import asyncio
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
import socket

import pytest

from custom_components.pcp.client import search
from custom_components.pcp.client.dhcp import ToldServer, ask_for_servers
from custom_components.pcp.client.discovery import (
    FoundServer,
    ProbeOutcome,
    ServerSource,
    find_servers,
    other_family_server,
    probe,
)
from custom_components.pcp.client.watch import NetworkWatch

from .dhcp import DhcpServer
from .network import (
    LAN_ADDRESS,
    NAS_ADDRESS,
    ROUTER_ADDRESS,
    ROUTER_ADDRESS_V6,
    ROUTER_LINK_LOCAL,
    ROUTER_MAC,
    Network,
)
from .router import Router

# A net against hangs, seconds.
PATIENCE = 20.0
SCOPED_LINK_LOCAL = f"{ROUTER_LINK_LOCAL}%eth0"
VIA_ROUTER = ("via", ROUTER_LINK_LOCAL, "dev", "eth0")
ANYCAST = "192.0.0.9"
ANYCAST_RULES = f"""
    table ip lab_anycast {{
        chain requests {{
            type nat hook prerouting priority -110;
            ip daddr {ANYCAST} udp dport 5351 dnat to {ROUTER_ADDRESS}
        }}
    }}
"""
ROUTER_V4, ROUTER_V6 = IPv4Address(ROUTER_ADDRESS), IPv6Address(ROUTER_ADDRESS_V6)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for all who answer: a slow machine is no fault."""
    monkeypatch.setattr(search, "_GRACE", PATIENCE)


@pytest.fixture
def dhcp(router: Router) -> Iterator[DhcpServer]:
    """A DHCP server in the router, off."""
    server = DhcpServer(router.network)
    server.stop()
    yield server
    server.stop()


def ask_dhcp(network: Network) -> list[ToldServer]:
    """Ask in lan; without an end by itself it fails."""
    told: list[ToldServer] = []

    async def ask() -> None:
        async with asyncio.timeout(PATIENCE):
            await ask_for_servers(["lo", "eth0"], tell=told.append, wait=2 * PATIENCE)

    network.call("lan", asyncio.run, ask())
    return sorted(told, key=lambda server: server.addresses[0].version)


def find(
    network: Network, *, anycast: bool = False, dhcp: bool = True
) -> list[FoundServer]:
    """Search in lan."""
    return network.call("lan", asyncio.run, find_servers(anycast=anycast, dhcp=dhcp))


def repair(network: Network) -> None:
    """Give lan back what a test took from it."""
    network.run("lan", "ip", "link", "set", "eth0", "up")
    network.run(
        "lan", "ip", "-6", "addr", "replace", "2001:db8:77::2/64", "dev", "eth0"
    )
    network.run("lan", "ip", "-6", "route", "replace", "default", *VIA_ROUTER)
    network.run("lan", "ip", "route", "replace", "default", "via", ROUTER_ADDRESS)


def forget_neighbours(network: Network) -> None:
    """Let lan know nobody's MAC address."""
    network.run("lan", "ip", "neigh", "flush", "all")


def test_dhcp_tells(network: Network, dhcp: DhcpServer) -> None:
    """RFC 7291: options 158 and 86 of a real DHCP server, asked for once each."""
    dhcp.start()
    told = ask_dhcp(network)
    assert [server.addresses for server in told] == [(ROUTER_V4,), (ROUTER_V6,)]
    assert {server.interface for server in told} == {"eth0"}
    assert sorted(dhcp.requests()) == ["DHCPINFORM", "DHCPINFORMATION-REQUEST"]


def test_dhcp_tells_several_servers(network: Network, dhcp: DhcpServer) -> None:
    """RFC 7291 3, 4: each list is a server with all its addresses, of any kind."""
    dhcp.start(
        servers=[[ROUTER_ADDRESS, NAS_ADDRESS], [NAS_ADDRESS]],
        server_v6=[ROUTER_ADDRESS_V6, f"::ffff:{NAS_ADDRESS}", ROUTER_LINK_LOCAL],
    )
    nas = IPv4Address(NAS_ADDRESS)
    assert [server.addresses for server in ask_dhcp(network)] == [
        (ROUTER_V4, nas),
        (nas,),
        (ROUTER_V6, nas, IPv6Address(SCOPED_LINK_LOCAL)),
    ]


def test_dhcp_tells_a_long_list(network: Network, dhcp: DhcpServer) -> None:
    """RFC 7291 4.1: as many as one option of dnsmasq's holds."""
    servers = [f"192.168.77.{number}" for number in range(1, 51)]
    dhcp.start(servers=[[server] for server in servers], server_v6=[])
    told = [str(*server.addresses) for server in ask_dhcp(network)]
    assert told == servers


def test_dhcp_tells_nothing(network: Network, dhcp: DhcpServer) -> None:
    """A DHCP server that knows no PCP server ends the question all the same."""
    dhcp.start(servers=[], server_v6=[])
    assert ask_dhcp(network) == []
    assert sorted(dhcp.requests()) == ["DHCPINFORM", "DHCPINFORMATION-REQUEST"]


def test_useless_addresses_are_discarded(network: Network, dhcp: DhcpServer) -> None:
    """RFC 7291 3.2, 4.2: multicast and loopback ones."""
    dhcp.start(
        servers=[["127.0.0.1", "224.0.0.1", ROUTER_ADDRESS], ["127.0.0.1"]],
        server_v6=["::1", "ff02::1", ROUTER_ADDRESS_V6],
    )
    told = [server.addresses for server in ask_dhcp(network)]
    assert told == [(ROUTER_V4,), (ROUTER_V6,)]


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize(
    ("family", "host", "port", "asked"),
    [
        (socket.AF_INET, "", 68, ["DHCPINFORMATION-REQUEST"]),
        (socket.AF_INET, LAN_ADDRESS, 68, ["DHCPINFORMATION-REQUEST"]),
        (socket.AF_INET6, "", 546, ["DHCPINFORM"]),
    ],
)
def test_port_of_another_client(
    network: Network,
    dhcp: DhcpServer,
    family: socket.AddressFamily,
    host: str,
    port: int,
    asked: list[str],
    is_shared: bool,
) -> None:
    """A DHCP client of the system keeps its port, and nothing is asked from it."""
    dhcp.start()
    with network.inside("lan"):
        other = socket.socket(family, socket.SOCK_DGRAM)
    with other:
        if family == socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, is_shared)
        other.bind((host, port))
        ask_dhcp(network)
        assert dhcp.requests() == asked


def test_router_is_found_once(network: Network, dhcp: DhcpServer) -> None:
    """8.1: over both IP versions and by DHCP it is one router."""
    dhcp.start()
    forget_neighbours(network)
    [found] = find(network)
    assert found.result.outcome is ProbeOutcome.PCP
    assert found.gateway.address == ROUTER_V4
    assert found.gateway.interface == "eth0"
    assert found.mac == ROUTER_MAC
    assert found.source is ServerSource.DHCP
    assert found.other_family is not None
    assert str(found.other_family.address) == SCOPED_LINK_LOCAL


@pytest.mark.usefixtures("router")
def test_router_without_dhcp(network: Network) -> None:
    """8.1: the default router, by both its addresses."""
    forget_neighbours(network)
    [found] = find(network, dhcp=False)
    assert found.gateway.address == ROUTER_V4
    assert found.source is ServerSource.DEFAULT_ROUTER
    assert found.other_family is not None


def test_next_address_of_a_server(network: Network, dhcp: DhcpServer) -> None:
    """RFC 7488 3: the first address refuses by ICMP or is nobody's; the next answers."""
    dhcp.start(servers=[[NAS_ADDRESS, "192.168.77.99", ROUTER_ADDRESS]], server_v6=[])
    [found] = find(network)
    assert found.gateway.address == ROUTER_V4
    assert found.source is ServerSource.DHCP


def test_told_server_that_refuses(network: Network, dhcp: DhcpServer) -> None:
    """8.1: where no server is at the address that DHCP told, the router stays."""
    dhcp.start(servers=[[NAS_ADDRESS]], server_v6=[])
    [found] = find(network)
    assert found.gateway.address == ROUTER_V4
    assert found.source is ServerSource.DEFAULT_ROUTER


@pytest.fixture
def far_server(network: Network, router: Router) -> Iterator[None]:
    """A default router that is no server, and one behind it that has the address."""
    network.run("lan", "ip", "route", "replace", "default", "via", NAS_ADDRESS)
    network.run("lan", "ip", "-6", "route", "del", "default")
    network.run("lan", "ip", "route", "add", ANYCAST, "via", ROUTER_ADDRESS)
    network.run("router", "nft", "-f", "-", stdin=ANYCAST_RULES)
    yield
    network.run("lan", "ip", "route", "del", ANYCAST)
    repair(network)


@pytest.mark.usefixtures("far_server")
def test_anycast(network: Network) -> None:
    """RFC 7723: asked only where that is allowed, and found."""
    assert find(network, dhcp=False) == []
    [found] = find(network, anycast=True, dhcp=False)
    assert found.gateway.address == IPv4Address(ANYCAST)
    assert found.result.outcome is ProbeOutcome.PCP
    assert found.source is ServerSource.ANYCAST
    assert found.mac is None


@pytest.mark.parametrize(
    ("server", "other"),
    [
        (ROUTER_ADDRESS, SCOPED_LINK_LOCAL),
        (SCOPED_LINK_LOCAL, ROUTER_ADDRESS),
        (ROUTER_ADDRESS_V6, ROUTER_ADDRESS),
    ],
)
@pytest.mark.usefixtures("router")
def test_other_family(network: Network, server: str, other: str) -> None:
    """8.1: by the MAC address, which the kernel knows of whom it talked to."""
    address = ip_address(server)

    async def ask() -> None:
        assert await other_family_server(address) is None
        await probe(address)
        assert await other_family_server(address) == ip_address(other)

    forget_neighbours(network)
    network.call("lan", asyncio.run, ask())


@pytest.mark.usefixtures("router")
def test_no_other_family(network: Network) -> None:
    """A host that is not the default router has its name, or nothing."""
    nas = IPv4Address(NAS_ADDRESS)

    async def ask() -> None:
        await probe(nas)
        assert await other_family_server(nas) is None
        assert await other_family_server(nas, names=[nas, ROUTER_V6]) == ROUTER_V6

    network.call("lan", asyncio.run, ask())


@pytest.mark.parametrize(
    "change",
    [
        lambda network: network.set_address("lan", "192.168.77.12"),
        lambda network: network.run("lan", "ip", "link", "set", "eth0", "down"),
        lambda network: network.run("lan", "ip", "-6", "route", "del", "default"),
    ],
    ids=["address", "link", "route"],
)
def test_changes_are_noticed(
    network: Network, router: Router, change: Callable[[Network], object]
) -> None:
    """Another address of ours, a cable pulled, a route gone."""

    async def watch() -> None:
        changed = asyncio.Event()
        watching = NetworkWatch(changed.set)
        watching.start()
        assert watching.watching
        await asyncio.to_thread(change, network)
        async with asyncio.timeout(PATIENCE):
            await changed.wait()
        watching.close()

    try:
        network.call("lan", asyncio.run, watch())
    finally:
        repair(network)
