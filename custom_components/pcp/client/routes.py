"""Default gateways and neighbours, asked of the kernel over netlink.

pyroute2 is loaded when first needed and everything here blocks: call it in a thread.
Where there is no netlink the answers are empty.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
import logging
import socket
from typing import Any

from .codec import IPAddress
from .udp import scope_index

_LOGGER = logging.getLogger(__name__)

# <linux/rtnetlink.h>
_TABLE_MAIN = 254
_TYPE_UNICAST = 1
_HOP_UNUSABLE = 0x01 | 0x10  # dead, link down
# <linux/neighbour.h>
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
    for gateway in sorted(_gateways(_ask(_dump_routes)), key=_preference):
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
    return list(_neighbours(_ask(_dump_neighbours)))


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


def _ask(dump: Callable[[Any], Iterable[Any]]) -> list[Any]:
    try:
        from pyroute2 import IPRoute, NetlinkError  # type: ignore[import-untyped]
    except ImportError:
        return []
    try:
        with IPRoute() as netlink:
            return list(dump(netlink))
    except (OSError, NetlinkError) as err:
        _LOGGER.debug("The kernel's tables cannot be read: %s", err)
        return []


def _dump_routes(netlink: Any) -> Iterator[Any]:
    for family in (socket.AF_INET, socket.AF_INET6):
        yield from netlink.route("dump", family=family, table=_TABLE_MAIN)


def _dump_neighbours(netlink: Any) -> Iterator[Any]:
    for family in (socket.AF_INET, socket.AF_INET6):
        yield from netlink.neigh("dump", family=family)


def _neighbours(entries: Iterable[Any]) -> Iterator[Neighbour]:
    for entry in entries:
        attributes = dict(entry["attrs"])
        address = attributes.get("NDA_DST")
        mac = str(attributes.get("NDA_LLADDR", _NO_MAC)).lower()
        if address and mac != _NO_MAC and not entry["state"] & _NEIGHBOUR_UNUSABLE:
            yield Neighbour(
                address=ip_address(address), interface_index=entry["ifindex"], mac=mac
            )


def _gateways(routes: Iterable[Any]) -> Iterator[Gateway]:
    for route in routes:
        if route["dst_len"] or route["type"] != _TYPE_UNICAST:
            continue
        attributes = dict(route["attrs"])
        metric = attributes.get("RTA_PRIORITY", 0)
        yield from _hop(
            attributes.get("RTA_GATEWAY"),
            attributes.get("RTA_OIF"),
            route["flags"],
            metric,
        )
        for hop in attributes.get("RTA_MULTIPATH", ()):
            gateway = dict(hop["attrs"]).get("RTA_GATEWAY")
            yield from _hop(gateway, hop["oif"], hop["flags"], metric)


def _hop(
    gateway: str | None, index: int | None, flags: int, metric: int
) -> Iterator[Gateway]:
    """Yield the gateway, unless the route has none or the way there is down."""
    if gateway is None or index is None or flags & _HOP_UNUSABLE:
        return
    try:
        interface = socket.if_indextoname(index)
    except OSError:
        return
    address = ip_address(gateway)
    if isinstance(address, IPv6Address) and address.is_link_local:
        address = IPv6Address(f"{gateway}%{interface}")
    yield Gateway(
        address=address, interface=interface, interface_index=index, metric=metric
    )


def _preference(gateway: Gateway) -> tuple[int, int]:
    return gateway.metric, gateway.address.version
