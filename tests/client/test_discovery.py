"""Which servers there are, each router once, and which serves the other IP version."""

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from custom_components.pcp.client import discovery
from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    IPAddress,
    MapRequest,
    MapResponse,
    decode_request,
    encode,
)
from custom_components.pcp.client.discovery import (
    FoundServer,
    ProbeOutcome,
    ProbeResult,
    ServerSource,
    find_servers,
    other_family_server,
)
from custom_components.pcp.client.routes import Gateway, Neighbour
from custom_components.pcp.client.search import Answer

from .sockets import LoopbackServer, loopback_address

HOME, OTHER_LINK = 1, 7
ROUTER, LINK_LOCAL = "192.0.2.1", "fe80::1%lo"
GLOBAL = "2001:db8::1"
SECOND, SECOND_LINK_LOCAL = "192.0.2.2", "fe80::2%lo"
ANYCAST = "192.0.0.9"
MAC, SECOND_MAC = "02:00:5e:00:77:01", "02:00:5e:00:77:02"


def gateway(address: str, index: int = HOME) -> Gateway:
    """Return a default router."""
    return Gateway(
        address=ip_address(address), interface="lo", interface_index=index, metric=100
    )


def neighbour(address: str, mac: str = MAC, index: int = HOME) -> Neighbour:
    """Return a neighbour."""
    unscoped = ip_address(address.partition("%")[0])
    return Neighbour(address=unscoped, interface_index=index, mac=mac)


class Kernel:
    """What the kernel knows, and what a search among it finds."""

    def __init__(self) -> None:
        """Know nothing, find nothing."""
        self.gateways: list[Gateway] = []
        self.neighbours: list[Neighbour] = []
        self.neighbours_asked = 0
        self.near: list[Answer] = []
        self.far: list[Answer] = []
        self.asked: list[str] = []
        self.waits: list[float] = []
        self.dhcp: bool | None = None
        self.knocked: list[str] = []
        self.knock_waits: set[float] = set()
        self.revealed: list[Neighbour] = []

    def default_gateways(self) -> list[Gateway]:
        """Stand for the real one."""
        return self.gateways

    def known_neighbours(self) -> list[Neighbour]:
        """Stand for the real one."""
        self.neighbours_asked += 1
        return self.neighbours

    async def probe(self, server: IPAddress, *, wait: float) -> ProbeResult:
        """Let the kernel learn who somebody is."""
        self.knocked.append(str(server))
        self.knock_waits.add(wait)
        self.neighbours = self.neighbours + self.revealed
        return ProbeResult(outcome=ProbeOutcome.SILENT, server=server)

    def answer(
        self,
        address: str,
        source: ServerSource = ServerSource.DEFAULT_ROUTER,
        *,
        outcome: ProbeOutcome = ProbeOutcome.PCP,
        index: int = HOME,
    ) -> Answer:
        """Return what a search finds."""
        return Answer(
            source=source,
            rank=(0,),
            gateway=gateway(address, index),
            result=ProbeResult(outcome=outcome, server=ip_address(address)),
        )


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Put a scripted kernel and search in the place of the real ones."""
    kernel = Kernel()

    class Search:
        def __init__(self, wait: float) -> None:
            kernel.waits.append(wait)
            self.answers: list[Answer] = []

        @property
        def is_served(self) -> bool:
            serving = {ProbeOutcome.PCP, ProbeOutcome.NAT_PMP}
            return any(answer.result.outcome in serving for answer in self.answers)

        async def ask_routers(self, gateways: list[Gateway], *, dhcp: bool) -> None:
            assert gateways is kernel.gateways
            kernel.asked.append("near")
            kernel.dhcp = dhcp
            self.answers = kernel.near

        async def ask_anycast(self) -> None:
            kernel.asked.append("far")
            self.answers = kernel.far

    monkeypatch.setattr(discovery, "Search", Search)
    monkeypatch.setattr(discovery, "default_gateways", kernel.default_gateways)
    monkeypatch.setattr(discovery, "neighbours", kernel.known_neighbours)
    monkeypatch.setattr(discovery, "probe", kernel.probe)
    return kernel


def addresses(found: list[FoundServer]) -> list[str]:
    """Return the servers' addresses."""
    return [str(server.gateway.address) for server in found]


async def test_same_router_over_both_versions(kernel: Kernel) -> None:
    """8.1: one MAC address on one interface is one router, found once."""
    kernel.gateways = [gateway(ROUTER), gateway(LINK_LOCAL)]
    kernel.near = [kernel.answer(ROUTER), kernel.answer(LINK_LOCAL)]
    kernel.neighbours = [neighbour(ROUTER), neighbour(LINK_LOCAL)]
    [found] = await find_servers()
    assert found == FoundServer(
        gateway=gateway(ROUTER),
        mac=MAC,
        result=kernel.near[0].result,
        source=ServerSource.DEFAULT_ROUTER,
        other_family=gateway(LINK_LOCAL),
    )


async def test_best_answer_of_a_router(kernel: Kernel) -> None:
    """Of one router the best answer counts, and its other address is told all the same.

    Whether it answered there is not asked.
    """
    kernel.gateways = [gateway(ROUTER), gateway(LINK_LOCAL)]
    kernel.near = [
        kernel.answer(ROUTER, outcome=ProbeOutcome.NOT_AUTHORIZED),
        kernel.answer(LINK_LOCAL),
    ]
    kernel.neighbours = [neighbour(ROUTER), neighbour(LINK_LOCAL)]
    [found] = await find_servers()
    assert found.gateway == gateway(LINK_LOCAL)
    assert found.other_family == gateway(ROUTER)
    kernel.near = kernel.near[1:]
    assert await find_servers() == [found]


@pytest.mark.parametrize(
    "neighbours",
    [
        [neighbour(ROUTER), neighbour(LINK_LOCAL, SECOND_MAC)],
        [neighbour(ROUTER), neighbour(LINK_LOCAL, MAC, OTHER_LINK)],
        [neighbour(ROUTER)],
        [],
    ],
)
async def test_different_routers(kernel: Kernel, neighbours: list[Neighbour]) -> None:
    """Another MAC address, another interface, or unknown: two routers."""
    kernel.gateways = [gateway(ROUTER), gateway(LINK_LOCAL)]
    kernel.near = [kernel.answer(ROUTER), kernel.answer(LINK_LOCAL)]
    kernel.neighbours = neighbours
    found = await find_servers()
    assert addresses(found) == [ROUTER, LINK_LOCAL]
    assert [server.other_family for server in found] == [None, None]
    assert found[0].mac == (MAC if neighbours else None)


async def test_same_mac_on_two_interfaces(kernel: Kernel) -> None:
    """One MAC address may stand for two routers where there are two links (VRRP)."""
    kernel.near = [kernel.answer(ROUTER), kernel.answer(SECOND, index=OTHER_LINK)]
    kernel.neighbours = [neighbour(ROUTER), neighbour(SECOND, MAC, OTHER_LINK)]
    assert addresses(await find_servers()) == [ROUTER, SECOND]


async def test_told_address_of_a_router(kernel: Kernel) -> None:
    """RFC 7291: what DHCP told comes first, and is not one more router beside itself."""
    kernel.gateways = [gateway(ROUTER), gateway(LINK_LOCAL)]
    kernel.near = [
        kernel.answer(ROUTER),
        kernel.answer(LINK_LOCAL),
        kernel.answer(ROUTER, ServerSource.DHCP),
        kernel.answer(GLOBAL, ServerSource.DHCP),
    ]
    kernel.neighbours = [neighbour(one) for one in (ROUTER, LINK_LOCAL, GLOBAL)]
    [found] = await find_servers()
    assert found.gateway == gateway(ROUTER)
    assert found.source is ServerSource.DHCP
    assert found.other_family == gateway(LINK_LOCAL)


async def test_router_is_shown_by_its_ipv4_address(kernel: Kernel) -> None:
    """A person knows it by that, though DHCP told only the other one."""
    kernel.gateways = [gateway(SECOND), gateway(ROUTER), gateway(LINK_LOCAL)]
    kernel.near = [
        kernel.answer(SECOND),
        kernel.answer(ROUTER),
        kernel.answer(LINK_LOCAL),
        kernel.answer(GLOBAL, ServerSource.DHCP),
    ]
    kernel.neighbours = [
        neighbour(SECOND, SECOND_MAC),
        *(neighbour(one) for one in (ROUTER, LINK_LOCAL, GLOBAL)),
    ]
    found = await find_servers()
    # Its place in the list is what DHCP made of it.
    assert addresses(found) == [ROUTER, SECOND]
    assert found[0].other_family == gateway(LINK_LOCAL)


async def test_same_address_without_a_mac(kernel: Kernel) -> None:
    """An address is one server, however often it answered."""
    kernel.near = [
        kernel.answer("198.51.100.1", ServerSource.DHCP),
        kernel.answer("198.51.100.1", ServerSource.DHCP),
    ]
    assert addresses(await find_servers()) == ["198.51.100.1"]


async def test_nothing_found(kernel: Kernel) -> None:
    """Where nothing answers the neighbours are not even looked at."""
    assert await find_servers() == []
    assert kernel.neighbours_asked == 0


@pytest.mark.parametrize("dhcp", [True, False])
async def test_dhcp_is_a_choice(kernel: Kernel, dhcp: bool) -> None:
    """DHCP is asked unless that is not wanted."""
    await find_servers(dhcp=dhcp)
    assert kernel.dhcp is dhcp
    await find_servers()
    assert kernel.dhcp is True


@pytest.mark.parametrize(
    ("anycast", "outcome", "asked"),
    [
        (False, None, ["near"]),
        (True, None, ["near", "far"]),
        (True, ProbeOutcome.NOT_AUTHORIZED, ["near", "far"]),
        (True, ProbeOutcome.NAT_PMP, ["near"]),
        (True, ProbeOutcome.PCP, ["near"]),
    ],
)
async def test_anycast_is_the_last_resort(
    kernel: Kernel, anycast: bool, outcome: ProbeOutcome | None, asked: list[str]
) -> None:
    """RFC 7723 1: only where it is allowed and no other server serves us."""
    if outcome is not None:
        kernel.near = [kernel.answer(ROUTER, outcome=outcome)]
    kernel.far = [kernel.answer(ANYCAST, ServerSource.ANYCAST, index=0)]
    found = await find_servers(anycast=anycast)
    assert kernel.asked == asked
    assert (ANYCAST in addresses(found)) is ("far" in asked)
    assert [server.source for server in found if server.mac] == []


@pytest.mark.parametrize(
    ("spent", "anycast", "waits"),
    [
        (0.0, False, [4.5]),
        (2.5, False, [2.0]),
        (9.0, False, [1.0]),
        (0.0, True, [3.0, 1.5]),
        (0.5, True, [2.5, 1.5]),
    ],
)
async def test_search_fits_into_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
    kernel: Kernel,
    spent: float,
    anycast: bool,
    waits: list[float],
) -> None:
    """What the gateways took to be found is taken off the search."""
    loop = asyncio.get_running_loop()
    begin = now = loop.time()

    def slowly() -> list[Gateway]:
        nonlocal now
        now = begin + spent
        return kernel.gateways

    monkeypatch.setattr(discovery, "default_gateways", slowly)
    # Debug mode tells of slow callbacks by the same clock.
    monkeypatch.setattr(loop, "slow_callback_duration", 3600)
    monkeypatch.setattr(loop, "time", lambda: now)
    await find_servers(anycast=anycast)
    assert kernel.waits == pytest.approx(waits)


def pcp(data: bytes) -> list[bytes]:
    """Answer as a PCP server does."""
    match decode_request(data):
        case AnnounceRequest():
            return [encode(AnnounceResponse(result_code=0, epoch_time=77))]
        case MapRequest() as request:
            return [
                encode(
                    MapResponse(
                        result_code=0,
                        lifetime=0,
                        epoch_time=78,
                        nonce=request.nonce,
                        protocol=request.protocol,
                        internal_port=request.internal_port,
                        assigned_external_port=0,
                        assigned_external_address=IPv4Address("22.0.113.1"),
                    )
                )
            ]
        case _:
            return []


@pytest.mark.usefixtures("loopback")
async def test_real_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """8.1: of the default routers those that answer, over real sockets."""
    with LoopbackServer(pcp) as server:
        gateways = [gateway(str(loopback_address())), gateway(str(server.address))]
        monkeypatch.setattr(discovery, "default_gateways", lambda: gateways)
        monkeypatch.setattr(discovery, "neighbours", list)
        assert await find_servers() == [
            FoundServer(
                gateway=gateways[1],
                mac=None,
                result=ProbeResult(
                    outcome=ProbeOutcome.PCP,
                    server=server.address,
                    client_address=IPv4Address("127.0.0.1"),
                    external_address=IPv4Address("22.0.113.1"),
                    epoch_time=78,
                ),
            )
        ]


# The server of the other IP version.


@pytest.mark.parametrize(
    ("server", "other"), [(ROUTER, LINK_LOCAL), (LINK_LOCAL, ROUTER), (GLOBAL, ROUTER)]
)
async def test_other_family(kernel: Kernel, server: str, other: str) -> None:
    """8.1: the default router with the same MAC address; nobody is asked for it."""
    kernel.gateways = [gateway(one) for one in (SECOND, ROUTER, LINK_LOCAL)]
    kernel.neighbours = [
        neighbour(SECOND, SECOND_MAC),
        *(neighbour(one) for one in (ROUTER, LINK_LOCAL, GLOBAL)),
    ]
    found = await other_family_server(ip_address(server))
    assert found == ip_address(other)
    assert kernel.knocked == []


async def test_link_local_server_on_another_link(kernel: Kernel) -> None:
    """The scope says which of two routers with that address is meant."""
    kernel.gateways = [gateway(ROUTER, OTHER_LINK), gateway(SECOND)]
    kernel.neighbours = [
        neighbour(ROUTER, MAC, OTHER_LINK),
        neighbour(LINK_LOCAL, MAC, OTHER_LINK),
        neighbour(LINK_LOCAL, SECOND_MAC, HOME),
        neighbour(SECOND, SECOND_MAC, HOME),
    ]
    assert await other_family_server(IPv6Address(LINK_LOCAL)) == ip_address(SECOND)


async def test_unknown_router_is_asked(kernel: Kernel) -> None:
    """A router that was never asked anything has no MAC address before it is."""
    kernel.gateways = [gateway(ROUTER), gateway(LINK_LOCAL), gateway(SECOND_LINK_LOCAL)]
    kernel.neighbours = [neighbour(ROUTER)]
    kernel.revealed = [
        neighbour(LINK_LOCAL, SECOND_MAC),
        neighbour(SECOND_LINK_LOCAL, MAC),
    ]
    found = await other_family_server(ip_address(ROUTER))
    assert found == ip_address(SECOND_LINK_LOCAL)
    assert kernel.knocked == [LINK_LOCAL, SECOND_LINK_LOCAL]
    assert kernel.knock_waits == {1.0}


async def test_no_need_to_ask(kernel: Kernel) -> None:
    """Where one is known to be it, others are not asked who they are."""
    kernel.gateways = [gateway(ROUTER), gateway(SECOND_LINK_LOCAL), gateway(LINK_LOCAL)]
    kernel.neighbours = [neighbour(ROUTER), neighbour(LINK_LOCAL)]
    assert await other_family_server(ip_address(ROUTER)) == ip_address(LINK_LOCAL)
    assert kernel.knocked == []


NAMES = [ip_address(one) for one in (ROUTER, GLOBAL, "2001:db8::2")]


@pytest.mark.parametrize(
    ("server", "names", "other"),
    [
        (ROUTER, NAMES, GLOBAL),
        (GLOBAL, NAMES, ROUTER),
        (ROUTER, NAMES[:1], None),
        (ROUTER, [], None),
        ("fe80::1%gone", NAMES, ROUTER),
        ("fe80::1%gone", [], None),
    ],
)
async def test_other_address_of_the_name(
    kernel: Kernel, server: str, names: list[IPAddress], other: str | None
) -> None:
    """Where no MAC address tells, the name's first address of the other version."""
    kernel.gateways = [gateway(SECOND_LINK_LOCAL), gateway(SECOND)]
    kernel.neighbours = [
        neighbour(SECOND, SECOND_MAC),
        neighbour(SECOND_LINK_LOCAL, SECOND_MAC),
    ]
    found = await other_family_server(ip_address(server), names=names)
    assert (None if found is None else str(found)) == other
    assert kernel.knocked == []


async def test_mac_before_name(kernel: Kernel) -> None:
    """A name may be of something else; the MAC address is the router's."""
    kernel.gateways = [gateway(ROUTER), gateway(LINK_LOCAL)]
    kernel.neighbours = [neighbour(ROUTER), neighbour(LINK_LOCAL)]
    found = await other_family_server(ip_address(ROUTER), names=NAMES)
    assert found == ip_address(LINK_LOCAL)
