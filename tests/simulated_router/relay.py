"""Doors that are real: TCP and UDP from an external address to an inside.

Every socket is opened and closed in `sync` itself, so that a door is there when the
answer that grants it is sent, and gone when the one that ends it is.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, ip_address

from custom_components.pcp.client.codec import IPAddress

from .doors import Door, TcpDoor, UdpDoor
from .table import RouterMapping

_DOORS: dict[int, type[Door]] = {6: TcpDoor, 17: UdpDoor}
_NAMES = {6: "tcp", 17: "udp"}


class Relay:
    """The doors of one router. Pinholes need none: nothing is translated there."""

    def __init__(
        self, door_address: IPv4Address | None, log: Callable[[str], None]
    ) -> None:
        """Open doors on one address, or on each mapping's own external one."""
        self._door_address = door_address
        self._log = log
        self._doors: dict[tuple[int, IPAddress, int], Door | None] = {}
        # None where the port could not be opened.

    def sync(self, mappings: Iterable[RouterMapping], *, enforce_filters: bool) -> None:
        """Open, change and close doors until they are as the mappings are."""
        wanted = {
            (mapping.protocol, self._address(mapping), mapping.external_port): mapping
            for mapping in mappings
            if not mapping.pinhole
            and mapping.protocol in _DOORS
            and mapping.internal_port != 0
        }
        for key, door in [*self._doors.items()]:
            mapping = wanted.get(key)
            if mapping is not None and (door is None or door.leads_to(mapping)):
                continue
            del self._doors[key]
            if door is not None:
                door.close()
                self._log(f"closed {_name(*key)}")
        for key, mapping in wanted.items():
            if key not in self._doors:
                self._doors[key] = self._open(key, mapping)
            if (opened := self._doors[key]) is not None:
                opened.filters = mapping.filters if enforce_filters else ()

    async def close(self) -> None:
        """Close all doors, and wait until their connections have ended."""
        doors = [door for door in self._doors.values() if door is not None]
        self._doors.clear()
        for door in doors:
            door.close()
        for door in doors:
            await door.wait_closed()

    def _address(self, mapping: RouterMapping) -> IPAddress:
        return self._door_address or mapping.external_address

    def _open(
        self, key: tuple[int, IPAddress, int], mapping: RouterMapping
    ) -> Door | None:
        """Open a door; None where the machine does not allow it."""
        protocol, address, port = key
        inside = f"{mapping.internal_address}:{mapping.internal_port}"
        try:
            door = _DOORS[protocol](address, port, mapping)
        except OSError as err:
            self._log(f"no door {_name(*key)} -> {inside}: {err.strerror}")
            return None
        self._log(f"opened {_name(*key)} -> {inside}")
        return door


def _name(protocol: int, address: IPAddress, port: int) -> str:
    return f"{_NAMES[protocol]} {ip_address(address)}:{port}"
