"""Where a router is asked: its addresses of both IP versions, or one beyond it."""

import asyncio
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
import socket

from .client.codec import IPAddress
from .client.discovery import ProbeOutcome, other_family_server, probe
from .client.routes import neighbours
from .client.search import ANYCAST_ADDRESSES
from .host import async_resolve

# Seconds. A name that cannot be looked up must not keep an entry from loading.
RESOLVE_WAIT = 3.0

# A missing IP version is looked for so seldom: for that, strangers have to be asked.
_LOOKS_FOR_MISSING = 10


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

    def move_to(self, host: str) -> None:
        """Look for the router elsewhere from now on."""
        self.host = host
        self.is_beyond = False

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
        self, needed: Collection[int], *, silent: bool
    ) -> dict[int, IPAddress]:
        """Return the servers by IP version, as far as they can be told now.

        `silent` is whether those that were found last do not answer.
        """
        if self.is_beyond and self.anycast and not silent:
            return {}
        if silent and self.anycast and not self.is_beyond:
            beyond = await _async_find_beyond()
            if beyond:
                self.is_beyond = True
                return beyond
        self.is_beyond = False
        found = await async_find_servers(self.host, needed)
        self._is_found = bool(found)
        return found


async def async_find_servers(
    host: str, needed: Collection[int]
) -> dict[int, IPAddress]:
    """Return a router's addresses by IP version, as far as they can be told.

    An address tells its own version only. The other one, if it is among the `needed`, is
    the default router that is the same device, else the other address of a name.
    """
    try:
        async with asyncio.timeout(RESOLVE_WAIT):
            names = await async_resolve(host)
    except TimeoutError, ValueError:
        return {}
    found = {server.version: server for server in names}
    first, *_ = names
    if 10 - first.version in needed:
        other = await other_family_server(first, names=names)
        if other is not None:
            found[other.version] = other
    return found


async def async_find_aliases(server: IPAddress) -> frozenset[IPAddress]:
    """Return the link-local addresses that a server announces itself from.

    They are those of the same device, as far as it has been talked to.
    """
    if server.version == 4 or server.is_link_local:
        return frozenset()
    return await asyncio.to_thread(_link_local_addresses, server)


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
        if result.outcome in (ProbeOutcome.PCP, ProbeOutcome.NAT_PMP)
    }


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
