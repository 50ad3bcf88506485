"""Where a router is asked: its addresses of both IP versions."""

import asyncio
from collections.abc import Collection

from .client.codec import IPAddress
from .client.routes import default_gateways, neighbour_mac
from .host import async_resolve

# Seconds. A name that cannot be looked up must not keep an entry from loading.
RESOLVE_WAIT = 3.0


async def async_find_servers(
    host: str, needed: Collection[int]
) -> dict[int, IPAddress]:
    """Return a router's addresses by IP version, as far as they can be told.

    An address tells its own version only. The other one, if it is among the `needed`, is
    the default router that has the same MAC address, else the other address of a name.
    """
    try:
        async with asyncio.timeout(RESOLVE_WAIT):
            found = {server.version: server for server in await async_resolve(host)}
    except TimeoutError, ValueError:
        return {}
    first = min(found)
    other = 10 - first
    if other in needed:
        sibling = await async_find_sibling(found[first])
        if sibling is not None:
            found[other] = sibling
    return found


async def async_find_sibling(address: IPAddress) -> IPAddress | None:
    """Return the default router of the other IP version that is the same device."""
    return await asyncio.to_thread(_sibling, address)


def _sibling(address: IPAddress) -> IPAddress | None:
    mac = neighbour_mac(address)
    if mac is None:
        return None
    gateways = default_gateways()
    interfaces = {it.interface for it in gateways if it.address == address}
    for gateway in gateways:
        if (
            gateway.address.version != address.version
            and (not interfaces or gateway.interface in interfaces)
            and neighbour_mac(gateway.address) == mac
        ):
            return gateway.address
    return None
