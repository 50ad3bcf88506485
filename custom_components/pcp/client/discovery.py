"""Which servers there are, and which address serves the other IP version.

Nothing here opens anything on a router. Failures are outcomes, never exceptions.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .codec import IPAddress
from .interview import ProbeOutcome
from .probing import ProbeResult, probe
from .routes import (
    Gateway,
    Neighbour,
    default_gateways,
    gateway_of_other_family,
    neighbours,
    unknown_gateways,
)
from .search import Answer, Search, ServerSource
from .udp import scope_index

__all__ = [
    "FoundServer",
    "ProbeOutcome",
    "ProbeResult",
    "ServerSource",
    "find_servers",
    "other_family_server",
    "probe",
]

# Seconds. A search must be over within 5 s.
_SEARCH_TIME = 4.5
_SEARCH_MINIMUM = 1.0
# What of it is kept for the anycast addresses, which come after the others.
_ANYCAST_TIME = 1.5
# Seconds in which a router on the link answers, or is known by its MAC address at least.
_KNOCK_WAIT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundServer:
    """A server that answered."""

    gateway: Gateway
    """Its address, and the interface: the default router's, or the one on which DHCP
    told it; an anycast address has none ("", 0)."""

    mac: str | None
    """As aa:bb:cc:dd:ee:ff, None if unknown or no neighbour."""

    result: ProbeResult
    source: ServerSource = ServerSource.DEFAULT_ROUTER
    other_family: Gateway | None = None
    """The same router, as the default router of the other IP version."""


async def find_servers(
    *, anycast: bool = False, dhcp: bool = True
) -> list[FoundServer]:
    """Return the servers that answer, best first, each router once.

    Takes less than 5 s; where one serves us, the others have no more than a moment.
    Anycast addresses are asked only where no other one serves us (RFC 7723 1).
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + _SEARCH_TIME - (_ANYCAST_TIME if anycast else 0.0)
    gateways = await asyncio.to_thread(default_gateways)
    near = Search(max(ends_at - loop.time(), _SEARCH_MINIMUM))
    await near.ask_routers(gateways, dhcp=dhcp)
    answers = near.answers
    if anycast and not near.is_served:
        far = Search(_ANYCAST_TIME)
        await far.ask_anycast()
        answers += far.answers
    if not answers:
        return []
    return list(_routers(answers, gateways, await asyncio.to_thread(neighbours)))


async def other_family_server(
    server: IPAddress, *, names: Sequence[IPAddress] = ()
) -> IPAddress | None:
    """Return the address over which the same router serves the other IP version.

    The default router with the same MAC address on the same interface (a link-local
    address is scoped), else the first of `names`, the addresses of the server's name,
    that is of the other version, else None. For the kernel to know the server's MAC
    address, the server must have been asked something. Takes little more than 1 s.
    """
    try:
        index = scope_index(server)
    except OSError:
        return _other_name(server, names)
    gateways = await asyncio.to_thread(default_gateways)
    known = await asyncio.to_thread(neighbours)
    gateway = gateway_of_other_family(server, index, gateways, known)
    unknown = unknown_gateways(server, index, gateways, known)
    if gateway is None and unknown:
        # To be asked something, they have to tell the kernel who they are.
        await asyncio.gather(*(probe(one.address, wait=_KNOCK_WAIT) for one in unknown))
        known = await asyncio.to_thread(neighbours)
        gateway = gateway_of_other_family(server, index, gateways, known)
    return _other_name(server, names) if gateway is None else gateway.address


def _other_name(server: IPAddress, names: Iterable[IPAddress]) -> IPAddress | None:
    return next((name for name in names if name.version != server.version), None)


def _routers(
    answers: Iterable[Answer], gateways: list[Gateway], known: list[Neighbour]
) -> Iterator[FoundServer]:
    """Yield each router once, in the order of the best answer of each."""
    routers: dict[object, list[Answer]] = {}
    for answer in sorted(answers, key=Answer.order):
        place = answer.gateway
        mac = _mac(place, known)
        router = place.address if mac is None else (mac, place.interface_index)
        routers.setdefault(router, []).append(answer)
    for of_one in routers.values():
        answer = min(of_one, key=_representation)
        yield FoundServer(
            gateway=answer.gateway,
            mac=_mac(answer.gateway, known),
            result=answer.result,
            source=answer.source,
            other_family=gateway_of_other_family(
                answer.gateway.address, answer.gateway.interface_index, gateways, known
            ),
        )


def _representation(answer: Answer) -> tuple[object, ...]:
    """Return what compares smaller for the address by which a router is shown.

    Of answers that are as good, an IPv4 address: people know their router by it.
    """
    outcome, *rest = answer.order()
    return (outcome, answer.gateway.address.version, *rest)


def _mac(gateway: Gateway, known: Iterable[Neighbour]) -> str | None:
    place = gateway.address, gateway.interface_index
    return next((one.mac for one in known if one.has(*place)), None)
