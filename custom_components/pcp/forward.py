"""What the user asked for: a forward, checked, and the mappings it needs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from .client.codec import IPAddress
from .client.mapping import MappingKey, PortRange, Protocol
from .fields import (
    CONF_ALLOWED_SOURCES,
    CONF_EXACT_EXTERNAL_PORT,
    CONF_EXTERNAL_PORT,
    CONF_INTERNAL_PORT,
    CONF_IP_VERSION,
    CONF_NAME,
    CONF_PORT_COUNT,
    CONF_PROTOCOL,
    CONF_TARGET_HOST,
    CONF_TEMPORARY,
    ForwardError,
    ForwardProtocol,
    IPNetwork,
    IPVersion,
    parse_allowed_sources,
    parse_exact_external_port,
    parse_external_port,
    parse_ip_version,
    parse_name,
    parse_port,
    parse_port_count,
    parse_protocol,
    parse_target_host,
)

__all__ = [
    "CONF_ALLOWED_SOURCES",
    "CONF_EXACT_EXTERNAL_PORT",
    "CONF_EXTERNAL_PORT",
    "CONF_INTERNAL_PORT",
    "CONF_IP_VERSION",
    "CONF_NAME",
    "CONF_PORT_COUNT",
    "CONF_PROTOCOL",
    "CONF_TARGET_HOST",
    "CONF_TEMPORARY",
    "Forward",
    "ForwardError",
    "ForwardProtocol",
    "ForwardStatus",
    "IPVersion",
    "Place",
    "WantedMapping",
    "check_overlap",
]

type Place = tuple[Protocol, int]
"""Protocol and internal port: what a forward and its mappings have in common."""

# RFC 6887 19.1: the protocol's own ports are never given to anybody outside.
RESERVED_EXTERNAL_PORTS = range(5350, 5352)


class ForwardStatus(StrEnum):
    """What the router has granted of a forward."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    PARTLY_OPEN = "partly_open"
    CLOSING = "closing"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedMapping:
    """One mapping that a forward needs, and the terms to ask for it on."""

    key: MappingKey
    suggested_external_port: int
    exact: bool
    third_party: bool
    allowed_sources: tuple[IPNetwork, ...]
    """Of the mapping's IP version; empty: anyone."""

    description: str
    port_range: PortRange | None
    """The ports that may be asked for together. RFC 7753."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A forward as the user defined it."""

    name: str
    protocol: ForwardProtocol = ForwardProtocol.TCP
    internal_port: int
    external_port: int | None = None
    """None suggests the internal port."""

    exact_external_port: bool = False
    target_host: IPAddress | None = None
    """None is this Home Assistant."""

    ip_version: IPVersion = IPVersion.IPV4
    port_count: int = 1
    """That many consecutive ports, from `internal_port` on."""

    allowed_sources: tuple[IPNetwork, ...] = ()
    """Empty: anyone."""

    temporary: bool = False
    """Removes itself when it is closed."""

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Check what a form, an action or the storage holds.

        Missing and None fields take their defaults. Raises ForwardError with the
        first field that is wrong.
        """
        target_host = parse_target_host(data.get(CONF_TARGET_HOST))
        forward = cls(
            name=parse_name(data.get(CONF_NAME)),
            protocol=parse_protocol(data.get(CONF_PROTOCOL)),
            internal_port=parse_port(data.get(CONF_INTERNAL_PORT), CONF_INTERNAL_PORT),
            external_port=parse_external_port(data.get(CONF_EXTERNAL_PORT)),
            exact_external_port=parse_exact_external_port(
                data.get(CONF_EXACT_EXTERNAL_PORT)
            ),
            target_host=target_host,
            ip_version=parse_ip_version(data.get(CONF_IP_VERSION), target_host),
            port_count=parse_port_count(data.get(CONF_PORT_COUNT)),
            allowed_sources=parse_allowed_sources(data.get(CONF_ALLOWED_SOURCES)),
            temporary=data.get(CONF_TEMPORARY) is True,
        )
        forward._check_ranges()
        forward._check_sources()
        return forward

    def as_data(self) -> dict[str, Any]:
        """Return what a subentry stores; the name is the subentry's title.

        Fields that have their default are left out.
        """
        data: dict[str, Any] = {CONF_INTERNAL_PORT: self.internal_port}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in (CONF_NAME, CONF_INTERNAL_PORT) or value == field.default:
                continue
            match value:
                case tuple():
                    data[field.name] = [str(network) for network in value]
                case bool() | int():
                    data[field.name] = value
                case _:
                    data[field.name] = str(value)
        return data

    @property
    def summary(self) -> str:
        """Return what is opened in short, such as `TCP+UDP 2456-2457 → 192.168.1.20`."""
        ports = str(self.internal_port)
        if self.port_count > 1:
            ports += f"-{self.internal_port + self.port_count - 1}"
        summary = f"{self.protocol.replace('_', '+').upper()} {ports}"
        if self.target_host is not None:
            return f"{summary} → {self.target_host}"
        if self.ip_version is IPVersion.IPV4:
            return summary
        return f"{summary} ({'+'.join(f'IPv{it}' for it in self.ip_version.versions)})"

    def mappings_at(
        self, place: Place, internal_addresses: Mapping[int, IPAddress]
    ) -> tuple[WantedMapping, ...]:
        """Return the mappings needed at one place, IPv4 before IPv6.

        `internal_addresses` are Home Assistant's own, by IP version (4, 6). A
        version without an address yields nothing, nor does another host whose address
        is our own now.
        """
        if not self.is_at(place):
            return ()
        return tuple(
            self._mapping(internal_address, place)
            for internal_address in self._addresses(internal_addresses)
        )

    @property
    def mapping_count(self) -> int:
        """Return how many mappings make the forward complete."""
        return (
            len(self.ip_version.versions)
            * len(self.protocol.protocols)
            * self.port_count
        )

    def places(self) -> Iterator[Place]:
        """Yield where the mappings are, TCP before UDP, low ports first."""
        for protocol in self.protocol.protocols:
            for offset in range(self.port_count):
                yield protocol, self.internal_port + offset

    def is_at(self, place: Place) -> bool:
        """Tell whether the forward has a mapping at a place."""
        protocol, internal_port = place
        return (
            protocol in self.protocol.protocols
            and 0 <= internal_port - self.internal_port < self.port_count
        )

    def is_to_ourselves(self, internal_addresses: Mapping[int, IPAddress]) -> bool:
        """Tell whether the other host that it is for has our own address now.

        It was meant for somebody else: our port is not opened in its name.
        """
        return self.target_host in internal_addresses.values()

    @property
    def first_external_port(self) -> int:
        """Return the first external port to suggest."""
        return self.external_port or self.internal_port

    def covers(self, key: MappingKey, *, third_party: bool) -> bool:
        """Tell whether a mapping is one of this forward, at whatever own address."""
        return (
            third_party == (self.target_host is not None)
            and (not third_party or key.internal_address == self.target_host)
            and key.internal_address.version in self.ip_version.versions
            and self.is_at((key.protocol, key.internal_port))
        )

    def overlaps(self, other: Forward) -> bool:
        """Tell whether both need a mapping of the same host, protocol and port."""
        return (
            self.target_host == other.target_host
            and bool(set(self.ip_version.versions) & set(other.ip_version.versions))
            and bool(set(self.protocol.protocols) & set(other.protocol.protocols))
            and self.internal_port < other.internal_port + other.port_count
            and other.internal_port < self.internal_port + self.port_count
        )

    def _addresses(
        self, internal_addresses: Mapping[int, IPAddress]
    ) -> Iterator[IPAddress]:
        if self.is_to_ourselves(internal_addresses):
            return
        for version in self.ip_version.versions:
            address = self.target_host or internal_addresses.get(version)
            if address is not None:
                yield address

    def _mapping(self, internal_address: IPAddress, place: Place) -> WantedMapping:
        protocol, internal_port = place
        offset = internal_port - self.internal_port
        return WantedMapping(
            key=MappingKey(
                internal_address=internal_address,
                protocol=protocol,
                internal_port=internal_port,
            ),
            suggested_external_port=self.first_external_port + offset,
            exact=self.exact_external_port,
            third_party=self.target_host is not None,
            allowed_sources=tuple(
                network
                for network in self.allowed_sources
                if network.version == internal_address.version
            ),
            description=self.name,
            port_range=self._port_range,
        )

    @property
    def _port_range(self) -> PortRange | None:
        """Return the ports that may come out elsewhere as long as they stay together.

        Each exact port is looked at by itself. RFC 7753 4.1 rules out PREFER_FAILURE.
        """
        if self.port_count == 1 or self.exact_external_port:
            return None
        return PortRange(first=self.internal_port, count=self.port_count)

    def _check_sources(self) -> None:
        """Refuse sources that leave a mapping without any: it would admit everybody."""
        versions = {network.version for network in self.allowed_sources}
        if versions and not versions.issuperset(self.ip_version.versions):
            raise ForwardError("family_mismatch", CONF_ALLOWED_SOURCES)

    def _check_ranges(self) -> None:
        """Refuse ranges that leave the port space or take the protocol's own ports."""
        if self.internal_port + self.port_count > 65536:
            raise ForwardError("port_range", CONF_PORT_COUNT)
        external_ports = range(
            self.first_external_port, self.first_external_port + self.port_count
        )
        if external_ports.stop > 65536:
            raise ForwardError("port_range", CONF_EXTERNAL_PORT)
        if any(port in external_ports for port in RESERVED_EXTERNAL_PORTS):
            raise ForwardError("invalid_external_port", CONF_EXTERNAL_PORT)


def check_overlap(forward: Forward, others: Iterable[Forward]) -> None:
    """Raise ForwardError when the forward needs a mapping that another one has."""
    for other in filter(forward.overlaps, others):
        raise ForwardError("overlap", CONF_INTERNAL_PORT, forward=other.name)
