"""The search: in which order, how long, and what is asked of whom."""

import asyncio
from collections.abc import Callable, Iterable
from ipaddress import ip_address

import pytest

from custom_components.pcp.client import search
from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.dhcp import ToldServer
from custom_components.pcp.client.interview import ProbeOutcome
from custom_components.pcp.client.probing import ProbeResult
from custom_components.pcp.client.routes import Gateway
from custom_components.pcp.client.search import Search, ServerSource

from .sockets import PATIENCE

ROUTER, OTHER, THIRD = "192.0.2.1", "192.0.2.2", "192.0.2.3"
LINK_LOCAL = "fe80::1%eth0"
ANYCAST, ANYCAST_V6 = "192.0.0.9", "2001:1::1"
AN_HOUR = 3600.0
GRACE = search._GRACE


class World:
    """What the probes and the DHCP servers say; who is not named is silent for ever."""

    def __init__(self) -> None:
        """Let everybody be silent, and no DHCP server tell anything."""
        self.outcomes: dict[str, ProbeOutcome] = {}
        self.turns: dict[str, int] = {}
        self.told: list[ToldServer] = []
        self.probed: list[str] = []
        self.somebody_was_probed = asyncio.Event()
        self.waits: dict[str, float] = {}
        self.nonces: dict[str, bytes | None] = {}
        self.interfaces: dict[str, str] = {}
        self.given_up: set[str] = set()
        self.dhcp_asked_on: list[str] | None = None
        self.dhcp_answers_all = True

    async def probe(
        self,
        server: IPAddress,
        *,
        wait: float,
        nonce: bytes | None = None,
        interface: str = "",
    ) -> ProbeResult:
        """Stand for the real one; silence that is waited for takes no time here."""
        name = str(server)
        self.probed.append(name)
        self.somebody_was_probed.set()
        self.waits[name] = wait
        self.nonces[name] = nonce
        self.interfaces[name] = interface
        for _ in range(self.turns.get(name, 0)):
            await asyncio.sleep(0)
        if name not in self.outcomes:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.given_up.add(name)
                raise
        return ProbeResult(outcome=self.outcomes[name], server=server)

    async def ask_for_servers(
        self, interfaces: Iterable[str], *, tell: Callable[[ToldServer], None]
    ) -> None:
        """Stand for the real one."""
        self.dhcp_asked_on = list(interfaces)
        await asyncio.sleep(0)
        for server in self.told:
            tell(server)
        if not self.dhcp_answers_all:
            await asyncio.Event().wait()

    async def ask(
        self, *gateways: Gateway, dhcp: bool = True, wait: float = AN_HOUR
    ) -> Search:
        """Search among default routers; without an end by itself it fails."""
        asking = Search(wait)
        async with asyncio.timeout(PATIENCE):
            await asking.ask_routers(gateways, dhcp=dhcp)
        return asking

    async def ask_anycast(self) -> Search:
        """Search among the anycast addresses."""
        asking = Search(AN_HOUR)
        async with asyncio.timeout(PATIENCE):
            await asking.ask_anycast()
        return asking


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Put a scripted world in the place of the network; its grace has no end."""
    world = World()
    monkeypatch.setattr(search, "probe", world.probe)
    monkeypatch.setattr(search, "ask_for_servers", world.ask_for_servers)
    monkeypatch.setattr(search, "by_preference", sorted)
    monkeypatch.setattr(search, "_GRACE", AN_HOUR)
    return world


@pytest.fixture
def no_grace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first server end the search."""
    monkeypatch.setattr(search, "_GRACE", 0.0)


def gateway(address: str, interface: str = "eth0") -> Gateway:
    """Return a default router."""
    return Gateway(
        address=ip_address(address),
        interface=interface,
        interface_index=2 if interface == "eth0" else 3,
        metric=0,
    )


def told(*addresses: str, interface: str = "eth0") -> ToldServer:
    """Return a server that DHCP named."""
    return ToldServer(
        addresses=tuple(map(ip_address, addresses)),
        interface=interface,
        interface_index=2 if interface == "eth0" else 3,
    )


def offered(*searches: Search) -> list[str]:
    """Return the servers, best first."""
    answers = [answer for one in searches for answer in one.answers]
    return [
        str(one.gateway.address) for one in sorted(answers, key=search.Answer.order)
    ]


async def test_answer(world: World) -> None:
    """8.1: a default router that answered, and how it is known."""
    world.outcomes = {ROUTER: ProbeOutcome.PCP}
    [answer] = (await world.ask(gateway(ROUTER))).answers
    assert answer.gateway == gateway(ROUTER)
    assert answer.source is ServerSource.DEFAULT_ROUTER
    assert answer.result == ProbeResult(
        outcome=ProbeOutcome.PCP, server=ip_address(ROUTER)
    )


async def test_order_of_sources(world: World) -> None:
    """8.1, RFC 7723 2.1: DHCP before default routers before anycast addresses."""
    everybody = (ROUTER, OTHER, THIRD, ANYCAST, ANYCAST_V6)
    world.outcomes = dict.fromkeys(everybody, ProbeOutcome.PCP)
    world.told = [told(THIRD)]
    near = await world.ask(gateway(OTHER), gateway(ROUTER))
    far = await world.ask_anycast()
    assert offered(far, near) == [THIRD, OTHER, ROUTER, ANYCAST, ANYCAST_V6]
    assert {answer.source for answer in far.answers} == {ServerSource.ANYCAST}


async def test_usable_first(world: World) -> None:
    """A server that maps, whatever its source, before one that refuses."""
    world.outcomes = {
        THIRD: ProbeOutcome.NOT_AUTHORIZED,
        OTHER: ProbeOutcome.ADDRESS_MISMATCH,
        ROUTER: ProbeOutcome.NAT_PMP,
        LINK_LOCAL: ProbeOutcome.PCP,
    }
    world.told = [told(THIRD)]
    found = await world.ask(gateway(OTHER), gateway(ROUTER), gateway(LINK_LOCAL))
    assert offered(found) == [LINK_LOCAL, ROUTER, THIRD, OTHER]


@pytest.mark.parametrize(
    "outcome",
    [ProbeOutcome.SILENT, ProbeOutcome.NOT_SUPPORTED, ProbeOutcome.UNREACHABLE],
)
async def test_nothing_to_offer(world: World, outcome: ProbeOutcome) -> None:
    """A host that is no server for us is not offered."""
    world.outcomes = {ROUTER: outcome}
    found = await world.ask(gateway(ROUTER))
    assert found.answers == []
    assert not found.is_served


async def test_no_router(world: World) -> None:
    """A host without a default router asks nobody."""
    assert (await world.ask()).answers == []
    assert world.dhcp_asked_on == []


async def test_interfaces_of_dhcp(world: World) -> None:
    """RFC 7291 7: asked where a default router is, each interface once, best first."""
    world.outcomes = dict.fromkeys((ROUTER, OTHER, LINK_LOCAL), ProbeOutcome.SILENT)
    await world.ask(
        gateway(ROUTER, "wlan0"), gateway(OTHER), gateway(LINK_LOCAL, "wlan0")
    )
    assert world.dhcp_asked_on == ["wlan0", "eth0"]


async def test_without_dhcp(world: World) -> None:
    """DHCP is asked only where that is wanted."""
    world.outcomes = {ROUTER: ProbeOutcome.SILENT}
    await world.ask(gateway(ROUTER), dhcp=False)
    assert world.dhcp_asked_on is None


async def test_address_on_two_interfaces(world: World) -> None:
    """The kernel reaches it over one of them: the better one."""
    world.outcomes = {ROUTER: ProbeOutcome.PCP}
    found = await world.ask(gateway(ROUTER, "eth0"), gateway(ROUTER, "wlan0"))
    assert [answer.gateway.interface for answer in found.answers] == ["eth0"]
    assert world.probed == [ROUTER]


# What DHCP told.


async def test_told_router_is_probed_once(world: World) -> None:
    """One that is probed already is not asked again, and keeps its place of honour."""
    world.outcomes = {ROUTER: ProbeOutcome.PCP}
    world.turns = {ROUTER: 5}
    world.told = [told(ROUTER), told(ROUTER)]
    found = await world.ask(gateway(ROUTER))
    assert world.probed == [ROUTER]
    best = min(found.answers, key=search.Answer.order)
    assert best.source is ServerSource.DHCP


async def test_told_where(world: World) -> None:
    """RFC 7291 7: a server belongs to the interface where it was told."""
    world.outcomes = dict.fromkeys((ROUTER, LINK_LOCAL), ProbeOutcome.SILENT)
    world.outcomes[OTHER] = ProbeOutcome.PCP
    world.told = [told(OTHER, interface="wlan0")]
    found = await world.ask(gateway(ROUTER), gateway(LINK_LOCAL, "wlan0"))
    assert [answer.gateway for answer in found.answers] == [gateway(OTHER, "wlan0")]


async def test_told_server_is_asked_where_it_was_told(world: World) -> None:
    """RFC 7291 7: on that interface; a default router where the routes lead."""
    world.told = [told(OTHER, interface="eth1")]
    await world.ask(gateway(ROUTER), gateway(THIRD, "eth1"), wait=0.05)
    assert world.interfaces == {ROUTER: "", THIRD: "", OTHER: "eth1"}


async def test_told_on_the_better_interface(world: World) -> None:
    """Of two servers that are as good, the one told on the preferred interface."""
    world.outcomes = {
        ROUTER: ProbeOutcome.SILENT,
        LINK_LOCAL: ProbeOutcome.SILENT,
        OTHER: ProbeOutcome.PCP,
        THIRD: ProbeOutcome.PCP,
    }
    world.told = [told(THIRD, interface="eth0"), told(OTHER, interface="wlan0")]
    found = await world.ask(gateway(ROUTER, "wlan0"), gateway(LINK_LOCAL, "eth0"))
    assert offered(found) == [OTHER, THIRD]


@pytest.mark.parametrize(
    "outcome",
    [ProbeOutcome.SILENT, ProbeOutcome.NOT_SUPPORTED, ProbeOutcome.UNREACHABLE],
)
async def test_next_address(world: World, outcome: ProbeOutcome) -> None:
    """RFC 7488 3: silence or a hard ICMP error, and the next address has its turn."""
    world.outcomes = {
        ROUTER: ProbeOutcome.SILENT,
        OTHER: outcome,
        THIRD: ProbeOutcome.PCP,
    }
    world.told = [told(OTHER, THIRD)]
    found = await world.ask(gateway(ROUTER))
    assert offered(found) == [THIRD]
    assert world.probed == [ROUTER, OTHER, THIRD]


@pytest.mark.parametrize(
    "outcome", [ProbeOutcome.PCP, ProbeOutcome.NAT_PMP, ProbeOutcome.NOT_AUTHORIZED]
)
async def test_first_address_that_answers(world: World, outcome: ProbeOutcome) -> None:
    """RFC 7488 3: the preferred address that answers is the one, yes or no."""
    world.outcomes = {
        ROUTER: ProbeOutcome.SILENT,
        OTHER: outcome,
        THIRD: ProbeOutcome.PCP,
    }
    world.told = [told(THIRD, OTHER)]
    found = await world.ask(gateway(ROUTER))
    assert offered(found) == [OTHER]
    assert THIRD not in world.probed


async def test_nonces(world: World) -> None:
    """RFC 7488 3, 4: one nonce for a server's addresses, another for another server."""
    addresses = [f"198.51.100.{number}" for number in range(1, 5)]
    world.outcomes = dict.fromkeys((ROUTER, *addresses), ProbeOutcome.SILENT)
    world.told = [told(*addresses[:2]), told(*addresses[2:])]
    await world.ask(gateway(ROUTER))
    first, second, third, fourth = (world.nonces[address] for address in addresses)
    assert first == second
    assert third == fourth
    assert first != third
    assert first is not None and len(first) == 12


@pytest.mark.usefixtures("no_grace")
async def test_servers_side_by_side(world: World) -> None:
    """RFC 7488 4: no server waits for another one's addresses."""
    world.outcomes = {ROUTER: ProbeOutcome.SILENT, THIRD: ProbeOutcome.PCP}
    world.told = [told(OTHER), told(THIRD)]
    assert offered(await world.ask(gateway(ROUTER))) == [THIRD]


@pytest.mark.parametrize(
    ("count", "wait", "turn"),
    [(1, AN_HOUR, 2.0), (2, 4.0, 2.0), (4, 4.0, 1.0)],
)
async def test_turns_fit_into_the_time(
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    count: int,
    wait: float,
    turn: float,
) -> None:
    """RFC 7488 3: as long as four transmissions take, or the share of what is left."""
    addresses = [f"198.51.100.{number}" for number in range(1, count + 1)]
    world.outcomes = dict.fromkeys(addresses, ProbeOutcome.SILENT)
    world.told = [told(*addresses)]
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    world.outcomes[ROUTER] = ProbeOutcome.SILENT
    await world.ask(gateway(ROUTER), wait=wait)
    assert [world.waits[address] for address in addresses] == pytest.approx(
        [turn] * count
    )


@pytest.mark.usefixtures("no_grace")
async def test_turn_at_a_probe_that_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an address that is probed for another reason, no more than the turn is taken.

    The default router is silent for ever; the server's other address has its turn.
    """
    monkeypatch.setattr(search, "FOUR_ROUNDS", 0.0)
    world.outcomes = {OTHER: ProbeOutcome.PCP}
    world.told = [told(ROUTER, OTHER)]
    found = await world.ask(gateway(ROUTER))
    assert world.probed == [ROUTER, OTHER]
    assert offered(found) == [OTHER]


async def test_caps_on_what_is_told(world: World) -> None:
    """A DHCP server cannot make us ask half the Internet."""
    world.outcomes = {ROUTER: ProbeOutcome.SILENT}
    for server in range(100):
        addresses = [f"198.51.{server}.{number}" for number in range(1, 11)]
        world.told.append(told(*addresses))
        world.outcomes |= dict.fromkeys(addresses, ProbeOutcome.SILENT)
    await world.ask(gateway(ROUTER))
    assert len(world.probed) == 1 + 8 * 4


# How long it takes.


@pytest.mark.parametrize("outcome", [ProbeOutcome.PCP, ProbeOutcome.NAT_PMP])
@pytest.mark.usefixtures("no_grace")
async def test_server_ends_the_wait(world: World, outcome: ProbeOutcome) -> None:
    """Nobody waits an hour for a silent router or DHCP server when another serves."""
    world.outcomes = {ROUTER: outcome}
    world.dhcp_answers_all = False
    found = await world.ask(gateway(OTHER), gateway(ROUTER))
    assert offered(found) == [ROUTER]
    assert found.is_served
    assert world.given_up == {OTHER}


async def test_grace(world: World) -> None:
    """The others have a moment to answer, so short that a search takes half a second."""
    assert 0.0 < GRACE < 0.5
    world.outcomes = {ROUTER: ProbeOutcome.PCP, OTHER: ProbeOutcome.PCP}
    world.turns = {OTHER: 50}
    found = await world.ask(gateway(ROUTER), gateway(OTHER))
    assert offered(found) == [ROUTER, OTHER]


async def test_grace_is_not_prolonged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins with the first server and is not begun anew by the next one."""
    monkeypatch.setattr(search, "_GRACE", 100.0)
    loop = asyncio.get_running_loop()
    begin = now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    asking = Search(1000.0)
    result = ProbeResult(outcome=ProbeOutcome.PCP, server=ip_address(ROUTER))
    async with asking._limit:
        for seconds in (10.0, 60.0):
            now = begin + seconds
            asking._take(ServerSource.DHCP, (0,), gateway(ROUTER), result)
            assert asking._limit.when() == pytest.approx(begin + 110.0)
    assert asking._time_left() == pytest.approx(50.0)


@pytest.mark.parametrize(
    "outcome", [ProbeOutcome.NOT_AUTHORIZED, ProbeOutcome.ADDRESS_MISMATCH]
)
@pytest.mark.usefixtures("no_grace")
async def test_refusal_does_not_end_the_wait(
    world: World, outcome: ProbeOutcome
) -> None:
    """Another one may still be better than a router that refuses."""
    world.outcomes = {ROUTER: outcome, OTHER: ProbeOutcome.PCP}
    world.turns = {OTHER: 50}
    found = await world.ask(gateway(ROUTER), gateway(OTHER))
    assert offered(found) == [OTHER, ROUTER]


async def test_time_is_over(world: World) -> None:
    """Where nobody answers the time ends it."""
    world.dhcp_answers_all = False
    found = await world.ask(gateway(ROUTER), wait=0.01)
    assert found.answers == []
    assert world.given_up == {ROUTER}


async def test_no_time_left(world: World) -> None:
    """An answer in the very moment in which the time is over is still one."""
    asking = await world.ask(gateway(ROUTER), wait=0.0)
    result = ProbeResult(outcome=ProbeOutcome.PCP, server=ip_address(ROUTER))
    assert asking._take(ServerSource.DHCP, (0,), gateway(ROUTER), result)
    assert asking._time_left() == 0.0


async def test_cancelled(world: World) -> None:
    """A form that is closed ends the probes."""
    asking = asyncio.create_task(world.ask(gateway(ROUTER)))
    async with asyncio.timeout(PATIENCE):
        await world.somebody_was_probed.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert world.given_up == {ROUTER}


async def test_probe_wait(world: World) -> None:
    """A router has 3 s, or what is left."""
    world.outcomes = {ROUTER: ProbeOutcome.SILENT}
    await world.ask(gateway(ROUTER))
    assert world.waits[ROUTER] == 3.0


@pytest.mark.usefixtures("no_grace")
async def test_anycast(world: World) -> None:
    """RFC 7723 4: both addresses, wherever the routes lead."""
    world.outcomes = {ANYCAST_V6: ProbeOutcome.PCP}
    [answer] = (await world.ask_anycast()).answers
    assert answer.gateway == Gateway(
        address=ip_address(ANYCAST_V6), interface="", interface_index=0, metric=0
    )
    assert answer.source is ServerSource.ANYCAST
    assert world.probed == [ANYCAST, ANYCAST_V6]
