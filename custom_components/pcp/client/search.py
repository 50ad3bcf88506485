"""Probes of all the addresses where a server may be, at once.

RFC 6887 8.1: what DHCP tells, then the default routers; RFC 7723: then the anycast
addresses. RFC 7488: the addresses of one server in turn, several servers side by side.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from .codec import IPAddress
from .dhcp import ToldServer, ask_for_servers
from .interview import ProbeOutcome
from .preference import by_preference
from .probing import FOUR_ROUNDS, ProbeResult, new_nonce, probe
from .routes import Gateway

# RFC 7723 4
ANYCAST_ADDRESSES: tuple[IPAddress, ...] = (
    IPv4Address("192.0.0.9"),
    IPv6Address("2001:1::1"),
)

# Seconds.
_PROBE_WAIT = 3.0
# How much longer the others have when one serves us: answers come within milliseconds,
# and a person waits.
_GRACE = 0.25
# A DHCP server could name hundreds of hosts; we are not to be used against them.
_MAX_TOLD_SERVERS = 8
_MAX_TOLD_ADDRESSES = 4

# The outcomes that make a router worth offering, best first.
_WORTH_OFFERING = (
    ProbeOutcome.PCP,
    ProbeOutcome.NAT_PMP,
    ProbeOutcome.NOT_AUTHORIZED,
    ProbeOutcome.ADDRESS_MISMATCH,
)
_SERVING = _WORTH_OFFERING[:2]


class ServerSource(StrEnum):
    """How a server's address is known, in the order of RFC 6887 8.1."""

    DHCP = "dhcp"
    """RFC 7291."""

    DEFAULT_ROUTER = "default_router"
    ANYCAST = "anycast"
    """RFC 7723."""


_SOURCES = tuple(ServerSource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of a probe that is worth offering."""

    source: ServerSource
    rank: tuple[int, ...]
    """Of two answers of one source that are as good, the lower one is preferred."""

    gateway: Gateway
    result: ProbeResult

    def order(self) -> tuple[int, int, tuple[int, ...]]:
        """Return what compares smaller for what is to be offered first."""
        return (
            _WORTH_OFFERING.index(self.result.outcome),
            _SOURCES.index(self.source),
            self.rank,
        )


class Search:
    """One search, over after `wait` seconds, or soon after a server that serves us.

    To be used once, for one kind of address.
    """

    def __init__(self, wait: float) -> None:
        self.answers: list[Answer] = []
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + wait
        self._limit = asyncio.timeout_at(self._ends_at)
        self._tasks = asyncio.TaskGroup()
        self._probes: dict[IPAddress, asyncio.Task[ProbeResult]] = {}
        self._interfaces: list[str] = []
        self._told = 0

    @property
    def is_served(self) -> bool:
        """Tell whether one of them makes mappings for us."""
        return any(answer.result.outcome in _SERVING for answer in self.answers)

    async def ask_routers(self, gateways: Iterable[Gateway], *, dhcp: bool) -> None:
        """Probe the default routers, and what the DHCP servers on their links name."""
        # An address is reached over one interface, whatever others lead there.
        routers: dict[IPAddress, Gateway] = {}
        for gateway in gateways:
            routers.setdefault(gateway.address, gateway)
        self._interfaces = list(dict.fromkeys(one.interface for one in gateways))
        with suppress(TimeoutError):
            async with self._limit, self._tasks:
                for rank, gateway in enumerate(routers.values()):
                    self._ask(ServerSource.DEFAULT_ROUTER, rank, gateway)
                if dhcp:
                    await ask_for_servers(self._interfaces, tell=self._on_told)

    async def ask_anycast(self) -> None:
        """Probe the anycast addresses, wherever the routes lead."""
        with suppress(TimeoutError):
            async with self._limit, self._tasks:
                for rank, address in enumerate(ANYCAST_ADDRESSES):
                    gateway = Gateway(
                        address=address, interface="", interface_index=0, metric=0
                    )
                    self._ask(ServerSource.ANYCAST, rank, gateway)

    def _ask(self, source: ServerSource, rank: int, gateway: Gateway) -> None:
        wait = min(_PROBE_WAIT, self._time_left())
        self._probes[gateway.address] = self._tasks.create_task(
            probe(gateway.address, wait=wait)
        )
        self._tasks.create_task(self._ask_one(source, rank, gateway))

    async def _ask_one(self, source: ServerSource, rank: int, gateway: Gateway) -> None:
        result = await self._probes[gateway.address]
        self._take(source, (rank,), gateway, result)

    def _on_told(self, told: ToldServer) -> None:
        if self._told < _MAX_TOLD_SERVERS:
            self._told += 1
            rank = (self._interfaces.index(told.interface), self._told)
            self._tasks.create_task(self._ask_in_turn(told, rank))

    async def _ask_in_turn(self, told: ToldServer, rank: tuple[int, ...]) -> None:
        """Probe the addresses of one server until one answers. RFC 7488 3."""
        addresses = by_preference(told.addresses[:_MAX_TOLD_ADDRESSES])
        turn = min(FOUR_ROUNDS, self._time_left() / len(addresses))
        nonce = new_nonce()
        for address in addresses:
            gateway = Gateway(
                address=address,
                interface=told.interface,
                interface_index=told.interface_index,
                metric=0,
            )
            result = await self._probe_told(
                address, wait=turn, nonce=nonce, interface=told.interface
            )
            if self._take(ServerSource.DHCP, rank, gateway, result):
                return

    async def _probe_told(
        self, address: IPAddress, *, wait: float, nonce: bytes, interface: str
    ) -> ProbeResult:
        """Probe an address, unless that is being done or has been done."""
        running = self._probes.get(address)
        if running is None:
            task = self._tasks.create_task(
                probe(address, wait=wait, nonce=nonce, interface=interface)
            )
            self._probes[address] = task
            return await task
        await asyncio.wait([running], timeout=wait)
        if running.done():
            return running.result()
        return ProbeResult(outcome=ProbeOutcome.SILENT, server=address)

    def _take(
        self,
        source: ServerSource,
        rank: tuple[int, ...],
        gateway: Gateway,
        result: ProbeResult,
    ) -> bool:
        """Keep a result that is worth it; tell whether it was."""
        if result.outcome not in _WORTH_OFFERING:
            return False
        self.answers.append(
            Answer(source=source, rank=rank, gateway=gateway, result=result)
        )
        if self.is_served and not self._limit.expired():
            self._ends_at = min(self._ends_at, self._loop.time() + _GRACE)
            self._limit.reschedule(self._ends_at)
        return True

    def _time_left(self) -> float:
        return max(self._ends_at - self._loop.time(), 0.0)
