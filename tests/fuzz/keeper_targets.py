"""The keeper under any datagrams, in the states in which it can be.

An input is up to four datagrams. Before each stand one octet that says how it comes and
how much time passes before, and one with its length; 255 is all the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from custom_components.pcp.client.codec import SERVER_PORT, IPAddress
from custom_components.pcp.client.events import ServerProtocol
from custom_components.pcp.client.mapping import (
    Grant,
    MappingKey,
    MappingWish,
    Protocol,
)
from tests.client.keeper_world import World, started, started_nat_pmp
from tests.client.scripted_server import key_of, wish_of

ALIAS = IPv4Address("192.168.1.254")
STRANGER = IPv6Address("fe80::bad")
# Those of the recorded exchanges, so that their answers are for these mappings.
NONCES = (
    bytes.fromhex("0102030405060708090a0b0c"),
    bytes.fromhex("2122232425262728292a2b2c"),
)
MOST_DATAGRAMS = 4
ALL_THE_REST = 255
# Seconds that pass before a datagram.
PAUSES = (0.0, 0.0, 4.0, 300.0)
# More than the largest burst that three leases and a check can be a reason for.
MOST_REQUESTS = 50


def wishes() -> tuple[MappingWish, ...]:
    """Return what is wanted: two mappings that were recorded, and one for another."""
    return (
        wish_of(8123, nonce=NONCES[0]),
        wish_of(key=key_of(51820, protocol=Protocol.UDP), nonce=NONCES[1]),
        wish_of(8081),
    )


def fresh() -> World:
    """Return a keeper that has asked everything, and nothing was answered."""
    world = World()
    world.wake()
    for wish in wishes():
        world.want(wish)
    return world


def granted() -> World:
    """Return a keeper with leases."""
    return started(*wishes())


def releasing() -> World:
    """Return a keeper whose deletions are not answered; one ended a while ago."""
    world = started(*wishes())
    for wish in wishes():
        world.release(wish.key)
    *_, last = world.new()
    world.receive(world.answer_to(last.message))
    return world


def nat_pmp() -> World:
    """Return a keeper with leases of NAT-PMP, one of them being renewed."""
    world = started_nat_pmp(*wishes())
    world.want(wishes()[0])
    return world


# Of the leases, and what the checks of a `World` begin with.
SECRETS = (*(wish.nonce for wish in wishes()), b"check")

STATES: dict[str, Callable[[], World]] = {
    "keeper-fresh": fresh,
    "keeper-granted": granted,
    "keeper-releasing": releasing,
    "keeper-nat-pmp": nat_pmp,
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram, and how it comes."""

    pause: float
    entry: int
    data: bytes

    def reach(self, world: World) -> None:
        """Let it come: by unicast, or by multicast from somebody."""
        source: tuple[IPAddress, int] | None = {
            4: (world.keeper.server, SERVER_PORT),
            5: (ALIAS, SERVER_PORT),
            6: (STRANGER, SERVER_PORT),
            7: (world.keeper.server, SERVER_PORT + 1),
        }.get(self.entry)
        if source is None:
            world.keeper.receive_datagram(self.data, now=world.now)
        else:
            world.keeper.receive_announcement(self.data, *source, now=world.now)


def arrivals(data: bytes) -> Iterator[Arrival]:
    """Yield what an input stands for."""
    for _ in range(MOST_DATAGRAMS):
        if len(data) < 2:
            return
        how, length = data[0], data[1]
        end = len(data) if length == ALL_THE_REST else 2 + length
        yield Arrival(PAUSES[how >> 3 & 3], how & 7, data[2:end])
        data = data[end:]


def arrival(data: bytes, *, entry: int = 0, pause: int = 0) -> bytes:
    """Return the octets of one datagram in an input, at most 254 long or the last."""
    length = min(ALL_THE_REST, len(data))
    return bytes((pause << 3 | entry, length)) + data


class KeeperTarget:
    """A keeper in one state; it is made anew when an input has changed it."""

    def __init__(self, make: Callable[[], World]) -> None:
        """Make the first one."""
        self._make = make
        self._world: World | None = self._begin()

    def __call__(self, data: bytes) -> None:
        """Let the datagrams of an input come, and look after each."""
        world, self._world = self._world or self._begin(), None
        changed = False
        for it in arrivals(data):
            if it.pause:
                changed = True
                world.run_for(it.pause)
                # What ends just now has ended: that is not the datagram's doing.
                world.pump()
            changed |= self._take(world, it)
        if not changed:
            self._world = world

    def _begin(self) -> World:
        world = self._make()
        world.keeper.set_aliases(frozenset((ALIAS,)))
        return world

    def _take(self, world: World, it: Arrival) -> bool:
        """Let one datagram come; tell whether anything is other than before."""
        keeper = world.keeper
        before, drops, requests = state_of(world), world.drops, len(world.sent)
        is_nat_pmp = keeper.server_view().protocol is ServerProtocol.NAT_PMP
        grants = grants_of(world)
        it.reach(world)
        world.pump()
        after = state_of(world)
        reasons = Counter(world.drops) - Counter(drops)
        assert reasons.total() <= 1, reasons
        assert len(world.sent) - requests <= MOST_REQUESTS
        wakeup = keeper.next_wakeup()
        assert wakeup is None or wakeup >= world.now
        if reasons and not is_news(reasons, is_nat_pmp=is_nat_pmp):
            assert after == before, reasons
        if not is_nat_pmp and not knows_nonce(it.data):
            assert grants_of(world) == grants
        return after != before


def is_news(reasons: Counter[str], *, is_nat_pmp: bool) -> bool:
    """Tell whether what is not believed is yet a reason to ask.

    `stale` and `damaged` are answers with our nonce, to what is not wanted now, or to what
    came damaged: the server is there. One that was asked in NAT-PMP and answers in PCP
    may have learnt it.
    """
    is_ours = not reasons.keys().isdisjoint({"stale", "damaged"})
    return is_ours or (is_nat_pmp and "version" in reasons)


def knows_nonce(data: bytes) -> bool:
    """Tell whether whoever made a datagram can have seen one of our requests."""
    return any(secret in data for secret in SECRETS)


def state_of(world: World) -> tuple[Any, ...]:
    """Return all that can be seen of a keeper, but for what it counts."""
    keeper = world.keeper
    return (
        replace(keeper.server_view(), drops={}),
        keeper.leases(),
        keeper.next_wakeup(),
        len(world.sent),
        len(world.events),
    )


def grants_of(world: World) -> dict[MappingKey, Grant | None]:
    """Return what is granted."""
    return {lease.key: lease.grant for lease in world.keeper.leases()}
