"""What a router holds: mappings, in the order in which they were made."""

from collections.abc import Iterator
from dataclasses import dataclass

from custom_components.pcp.client.codec import Filter, IPAddress

type Source = tuple[IPAddress, int]
"""Where a datagram came from: address and UDP port."""

type _Key = tuple[int, IPAddress | None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterMapping:
    """One mapping; times are seconds of the clock that the core is given."""

    protocol: int
    """IANA protocol number; 0 is all."""
    internal_address: IPAddress
    internal_port: int
    """0 is all."""
    external_address: IPAddress
    external_port: int
    nonce: bytes | None
    """None where nobody owns it: NAT-PMP's, or the owner was lost."""
    lifetime: int
    """As it was granted."""
    expires_at: float
    client: Source
    """Who asked last, and where a Mapping Update goes. RFC 6887 14.2."""
    filters: tuple[Filter, ...] = ()
    third_party: bool = False
    description: str = ""
    port_set: int = 0
    """The first internal port of the set that it is part of; 0 is none. RFC 7753."""
    nat_pmp: bool = False

    @property
    def pinhole(self) -> bool:
        """Tell whether it opens an IPv6 firewall, with nothing translated."""
        return self.internal_address.version == 6

    @property
    def key(self) -> _Key:
        """What there is only one of: a NAT's external port, a pinhole's inside."""
        if self.pinhole:
            return self.protocol, self.internal_address, self.internal_port
        return self.protocol, None, self.external_port


class MappingTable:
    """The mappings of one router."""

    def __init__(self) -> None:
        self._mappings: dict[_Key, RouterMapping] = {}

    def __iter__(self) -> Iterator[RouterMapping]:
        return iter(self._mappings.values())

    def __len__(self) -> int:
        return len(self._mappings)

    def put(self, mapping: RouterMapping) -> None:
        """Add a mapping, or replace the one in its place."""
        self._mappings[mapping.key] = mapping

    def remove(self, mapping: RouterMapping) -> None:
        """Remove a mapping that is there."""
        del self._mappings[mapping.key]

    def clear(self) -> None:
        """Forget everything."""
        self._mappings.clear()

    def holder(self, protocol: int, external_port: int) -> RouterMapping | None:
        """Return who has an external IPv4 port."""
        return self._mappings.get((protocol, None, external_port))

    def of_internal(
        self, protocol: int, internal_address: IPAddress, internal_port: int | None
    ) -> list[RouterMapping]:
        """Return the mappings towards an inside, oldest first; None is any port."""
        return [
            mapping
            for mapping in self._mappings.values()
            if mapping.protocol == protocol
            and mapping.internal_address == internal_address
            and internal_port in (None, mapping.internal_port)
        ]

    def of_client(self, internal_address: IPAddress) -> int:
        """Count the mappings of one inside address."""
        return sum(
            mapping.internal_address == internal_address
            for mapping in self._mappings.values()
        )

    def expire(self, now: float) -> None:
        """Remove what has run out."""
        ended = [m for m in self._mappings.values() if m.expires_at <= now]
        for mapping in ended:
            self.remove(mapping)

    def next_expiry(self) -> float | None:
        """Return when the next mapping runs out."""
        return min((m.expires_at for m in self._mappings.values()), default=None)
