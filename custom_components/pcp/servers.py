"""Where a router is asked: its addresses of both IP versions, or one beyond it."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv6Address, ip_address
import socket

from .client.codec import IPAddress
from .client.discovery import ProbeOutcome, other_family_server, probe
from .client.probing import FOUR_ROUNDS, new_nonce
from .client.routes import Gateway, default_gateways, neighbours
from .client.search import ANYCAST_ADDRESSES
from .host import async_resolve

# Seconds. A name that cannot be looked up must not keep an entry from loading.
RESOLVE_WAIT = 3.0

# A missing IP version is looked for so seldom: for that, strangers have to be asked.
_LOOKS_FOR_MISSING = 10
# The other addresses of a silent server are tried so seldom. RFC 7488 3: 15 minutes.
_LOOKS_FOR_ANSWERING = 15

_SERVING = (ProbeOutcome.PCP, ProbeOutcome.NAT_PMP)
# Seconds in which a router on the link is known by its MAC address.
_KNOCK_WAIT = 1.0


class Whereabouts:
    """Where to look for a router's servers, and when to look again."""

    def __init__(self, host: str, *, anycast: bool) -> None:
        """Begin with the router itself.

        `anycast` is whether a silent router may be passed over for the nearest server
        beyond it. RFC 7723.
        """
        self.host = host
        self.anycast = anycast
        self.is_beyond = False
        """Whether a server beyond the router is asked in its place."""

        self._is_found = False
        self._looks = 0
        self._addresses: tuple[IPAddress, ...] = ()
        self._nonce = new_nonce()
        self._tried: tuple[IPAddress, ...] = ()
        self._tries_again_at = 0
        self._gateways: list[Gateway] | None = None

    def move_to(self, host: str) -> None:
        """Look for the router elsewhere from now on."""
        self.host = host
        self.is_beyond = False
        self._addresses = self._tried = ()
        self._nonce = new_nonce()

    def is_one(self, server: IPAddress, other: IPAddress) -> bool:
        """Tell whether two addresses are of one server: of one name. RFC 7488 3."""
        return {server, other} <= {*self._addresses}

    async def async_follow_network(self) -> None:
        """Look for what is missing at the next look, if the routers are others now."""
        gateways = await asyncio.to_thread(default_gateways)
        if gateways != self._gateways:
            self._gateways = gateways
            self._looks = self._tries_again_at = 0

    def must_look(self, missing: Collection[int], *, reachable: bool) -> bool:
        """Tell whether to look again; to be asked every minute.

        `missing` are IP versions that are needed.
        """
        self._looks += 1
        if self.is_beyond:
            return not (reachable and self.anycast)
        if not self._is_found:
            return True
        if missing and self._looks % _LOOKS_FOR_MISSING == 1:
            return True
        # A name follows the router.
        return not reachable and (self.anycast or not _is_address(self.host))

    async def async_find(
        self,
        needed: Collection[int],
        *,
        silent: bool,
        known: Mapping[int, IPAddress] | None = None,
    ) -> dict[int, IPAddress]:
        """Return the servers by IP version, as far as they can be told now.

        `known` are those that were found last, `silent` whether they do not answer.
        """
        if self.is_beyond and self.anycast and not silent:
            return {}
        if silent and self.anycast and not self.is_beyond:
            beyond = await _async_find_beyond()
            if beyond:
                self.is_beyond = True
                return beyond
        self.is_beyond = False
        addresses = await _async_look_up(self.host)
        if addresses:
            self._addresses = addresses
        found = await async_find_servers(addresses, needed, known=known or {})
        self._is_found = bool(found)
        if silent and (answering := await self._async_find_answering(found)):
            found[answering.version] = answering
        return found

    async def _async_find_answering(
        self, silent: Mapping[int, IPAddress]
    ) -> IPAddress | None:
        """Return the first other address of the server that answers. RFC 7488 3."""
        others = [it for it in self._addresses if silent.get(it.version) != it]
        if self._tried == self._addresses and self._looks < self._tries_again_at:
            return None
        self._tried = self._addresses
        self._tries_again_at = self._looks + _LOOKS_FOR_ANSWERING
        for address in others:
            result = await probe(address, wait=FOUR_ROUNDS, nonce=self._nonce)
            if result.outcome in _SERVING:
                return address
        return None


async def _async_look_up(host: str) -> tuple[IPAddress, ...]:
    try:
        async with asyncio.timeout(RESOLVE_WAIT):
            return await async_resolve(host)
    except TimeoutError, ValueError:
        return ()


async def async_find_servers(
    addresses: Iterable[IPAddress],
    needed: Collection[int],
    *,
    known: Mapping[int, IPAddress],
) -> dict[int, IPAddress]:
    """Return a router's addresses by IP version, as far as they can be told.

    Of several addresses the `known` one stays. An address tells its own version only.
    The other one, if it is among the `needed`, is the default router that is the same
    device, else the other address of a name.
    """
    found: dict[int, IPAddress] = {}
    for address in addresses:
        if address == known.get(address.version):
            found[address.version] = address
        found.setdefault(address.version, address)
    if not found:
        return {}
    first = found[min(found)]
    if 10 - first.version in needed:
        other = await other_family_server(first, names=list(found.values()))
        if other is not None:
            found[other.version] = other
    return found


async def async_find_aliases(server: IPAddress) -> frozenset[IPAddress]:
    """Return the link-local addresses that a server announces itself from.

    They are those of the same device, as far as it has been talked to.
    """
    if server.version == 4 or server.is_link_local:
        return frozenset()
    aliases = await asyncio.to_thread(_link_local_addresses, server)
    if not aliases and (unknown := await asyncio.to_thread(_unknown_gateways, server)):
        # To be asked something, they have to tell the kernel who they are.
        await asyncio.gather(*(probe(it, wait=_KNOCK_WAIT) for it in unknown))
        aliases = await asyncio.to_thread(_link_local_addresses, server)
    return aliases


def _unknown_gateways(server: IPAddress) -> list[IPAddress]:
    """Return the default routers on a server's link whose MAC address is not known."""
    known = neighbours()
    links = {it.interface_index for it in known if it.has(server)}
    return [
        gateway.address
        for gateway in default_gateways()
        if gateway.interface_index in links
        and gateway.address.version == 6
        and not any(it.has(gateway.address, gateway.interface_index) for it in known)
    ]


def _link_local_addresses(server: IPAddress) -> frozenset[IPAddress]:
    known = neighbours()
    macs = {
        (neighbour.mac, neighbour.interface_index)
        for neighbour in known
        if neighbour.has(server)
    }
    return frozenset(
        IPv6Address(f"{it.address}%{socket.if_indextoname(it.interface_index)}")
        for it in known
        if (it.mac, it.interface_index) in macs
        and it.address.version == 6
        and it.address.is_link_local
    )


async def _async_find_beyond() -> dict[int, IPAddress]:
    """Return the anycast addresses at which a server answers."""
    results = await asyncio.gather(*(probe(server) for server in ANYCAST_ADDRESSES))
    return {
        result.server.version: result.server
        for result in results
        if result.outcome in _SERVING
    }


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
