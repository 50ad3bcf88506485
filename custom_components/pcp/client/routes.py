"""Default gateways and neighbours, asked of the kernel over netlink.

There can be many: call it in a thread. Where there is no netlink the answers are empty.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
import socket

from .codec import IPAddress
from .netlink import Entry, Kind, dump, hops
from .udp import scope_index

# <linux/rtnetlink.h>
_RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_MULTIPATH, _RTA_TABLE = 4, 5, 6, 9, 15
_TABLE_MAIN = 254
_TYPE_UNICAST = 1
_HOP_UNUSABLE = 0x01 | 0x10  # dead, link down
# <linux/neighbour.h>
_NDA_DST, _NDA_LLADDR = 1, 2
_NEIGHBOUR_UNUSABLE = 0x01 | 0x20  # incomplete, failed
_NO_MAC = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A default router of this host."""

    address: IPAddress
    """A link-local address is scoped by the interface's name."""

    interface: str
    interface_index: int
    metric: int
    """The kernel prefers the lowest."""


def default_gateways() -> list[Gateway]:
    """Return the default routers of every interface and both IP versions, best first.

    Only of the main routing table: a VPN keeps its routes elsewhere, and it is the
    router at home that is wanted.
    """
    found: dict[tuple[IPAddress, int], Gateway] = {}
    for gateway in sorted(_gateways(dump(Kind.ROUTES)), key=_preference):
        found.setdefault((gateway.address, gateway.interface_index), gateway)
    return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A host on one of our links."""

    address: IPAddress
    """Without a scope."""

    interface_index: int
    mac: str
    """As aa:bb:cc:dd:ee:ff."""

    def has(self, address: IPAddress, interface_index: int = 0) -> bool:
        """Tell whether it has the address, on that interface or (0) on any."""
        is_there = interface_index in {0, self.interface_index}
        return is_there and self.address.packed == address.packed


def neighbours() -> list[Neighbour]:
    """Return the hosts whose MAC address the kernel knows: it has talked to them."""
    return list(_neighbours(dump(Kind.NEIGHBOURS)))


def neighbour_mac(address: IPAddress) -> str | None:
    """Return the MAC address of a neighbour as aa:bb:cc:dd:ee:ff, None if unknown."""
    try:
        index = scope_index(address)
    except OSError:
        return None
    return next((one.mac for one in neighbours() if one.has(address, index)), None)


def gateway_of_other_family(
    server: IPAddress,
    interface_index: int,
    gateways: Iterable[Gateway],
    known: Iterable[Neighbour],
) -> Gateway | None:
    """Return the default router of the other IP version that is the same router.

    That is the first one with the server's MAC address on the server's interface (0:
    wherever the server is a neighbour). Asks nobody.
    """
    known = list(known)
    server_is = _identities(server, interface_index, known)
    for gateway in gateways:
        is_other = gateway.address.version != server.version
        if is_other and server_is & _gateway_identities(gateway, known):
            return gateway
    return None


def unknown_gateways(
    server: IPAddress,
    interface_index: int,
    gateways: Iterable[Gateway],
    known: Iterable[Neighbour],
) -> list[Gateway]:
    """Return those default routers of which only their MAC address could tell.

    They are of the other IP version, and on the server's interface. Asks nobody.
    """
    known = list(known)
    links = {index for index, _ in _identities(server, interface_index, known)}
    return [
        gateway
        for gateway in gateways
        if gateway.address.version != server.version
        and gateway.interface_index in links
        and not _gateway_identities(gateway, known)
    ]


def _identities(
    address: IPAddress, interface_index: int, known: Iterable[Neighbour]
) -> set[tuple[int, str]]:
    return {
        (one.interface_index, one.mac)
        for one in known
        if one.has(address, interface_index)
    }


def _gateway_identities(
    gateway: Gateway, known: Iterable[Neighbour]
) -> set[tuple[int, str]]:
    return _identities(gateway.address, gateway.interface_index, known)


def _neighbours(entries: Iterable[Entry]) -> Iterator[Neighbour]:
    for entry in entries:
        _, index, state, *_ = entry.fields
        address = entry.address(_NDA_DST)
        mac = entry.attributes.get(_NDA_LLADDR, b"").hex(":")
        if address and mac and mac != _NO_MAC and not state & _NEIGHBOUR_UNUSABLE:
            yield Neighbour(address=address, interface_index=index, mac=mac)


def _gateways(routes: Iterable[Entry]) -> Iterator[Gateway]:
    for route in routes:
        _, length, _, _, table, _, _, kind, flags = route.fields
        table = route.number(_RTA_TABLE, table)
        if length or kind != _TYPE_UNICAST or table != _TABLE_MAIN:
            continue
        metric = route.number(_RTA_PRIORITY)
        yield from _hop(
            route.address(_RTA_GATEWAY), route.number(_RTA_OIF), flags, metric
        )
        for hop in hops(route.attributes.get(_RTA_MULTIPATH, b"")):
            flags, _, index = hop.fields
            yield from _hop(hop.address(_RTA_GATEWAY), index, flags, metric)


def _hop(
    address: IPAddress | None, index: int, flags: int, metric: int
) -> Iterator[Gateway]:
    """Yield the gateway, unless the route has none or the way there is down."""
    if address is None or flags & _HOP_UNUSABLE:
        return
    try:
        interface = socket.if_indextoname(index)
    except OSError:
        return
    if isinstance(address, IPv6Address) and address.is_link_local:
        address = IPv6Address(f"{address}%{interface}")
    yield Gateway(
        address=address, interface=interface, interface_index=index, metric=metric
    )


def _preference(gateway: Gateway) -> tuple[int, int]:
    return gateway.metric, gateway.address.version
