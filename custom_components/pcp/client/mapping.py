"""The words of the client: mappings, wishes, grants and refusals.

A *mapping* is what a server holds for one internal address, protocol and port.
Keeper, ledger and everything above speak of mappings in these frozen values.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from ipaddress import IPv4Network, IPv6Network

from .codec import IPAddress, ResultCode

# Seconds. RFC 6887 15: longer lifetimes are acted on as 24 hours.
MAXIMUM_LIFETIME = 86_400


class Protocol(IntEnum):
    """The transport protocols we map, as IANA protocol numbers."""

    TCP = 6
    UDP = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingKey:
    """What names a mapping on one server. RFC 6887 11.3."""

    internal_address: IPAddress
    protocol: Protocol
    internal_port: int
    """1 to 65535."""

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Sort IPv4 before IPv6, TCP before UDP, low ports first."""
        return (
            self.internal_address.version,
            self.protocol,
            self.internal_port,
            int(self.internal_address),
        )

    @property
    def remote(self) -> tuple[IPAddress, int] | None:
        """Return the only remote host and port it is for, None when for anyone."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRange:
    """Consecutive ports that one mapping may be for. RFC 7753."""

    first: int
    count: int
    """2 at least."""

    def __post_init__(self) -> None:
        """Refuse what is no range; raises ValueError."""
        if not (self.count >= 2 and 0 < self.first <= 65536 - self.count):
            raise ValueError("no range of ports")

    def __contains__(self, port: int) -> bool:
        return 0 <= port - self.first < self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingWish:
    """A mapping that is to be asked for, and what to ask."""

    key: MappingKey
    nonce: bytes
    """12 octets, the same for the life of the mapping. RFC 6887 11.2."""

    lifetime: int
    """Requested lifetime in seconds."""

    suggested_external_port: int
    """0 leaves the choice to the server."""

    suggested_external_address: IPAddress | None = None
    """None leaves the choice to the server."""

    exact: bool = False
    """Give the mapping back unless the suggested external port is assigned."""

    third_party: bool = False
    """The internal address is another host's. RFC 6887 13.1."""

    allowed_sources: tuple[IPv4Network | IPv6Network, ...] = ()
    """Who may come in, of the mapping's IP version; empty is anyone. RFC 6887 13.3."""

    description: str = ""
    """What the server may show of it, of any length. RFC 7220."""

    port_range: PortRange | None = None
    """The internal ports that may be asked for together with it. RFC 7753.

    Each of them has a wish of its own; the first one's request may be for all.
    """

    def __post_init__(self) -> None:
        """Refuse what cannot be asked for; raises ValueError.

        Sources that were left out would be a wider door.
        """
        version = self.key.internal_address.version
        if any(network.version != version for network in self.allowed_sources):
            raise ValueError("allowed sources of another IP version")
        if self.port_range and (
            self.exact or self.key.internal_port not in self.port_range
        ):
            raise ValueError("a range that its ports cannot share")

    @property
    def needs_pcp(self) -> bool:
        """Tell whether NAT-PMP cannot express it and would open something else."""
        return self.third_party or bool(self.allowed_sources)

    @property
    def ends_by_itself(self) -> bool:
        """Tell whether it cannot be deleted but only runs out."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What the server granted, from its last successful answer."""

    assigned_external_address: IPAddress | None
    """None until known: NAT-PMP tells it in an answer of its own."""

    assigned_external_port: int
    lifetime: int
    """Granted seconds, capped at 24 hours. RFC 6887 15."""

    expires_at: float
    """Monotonic seconds."""

    port_range: PortRange | None = None
    """The internal ports that it is for, where it is for more than one. RFC 7753.

    All are renewed and deleted by the first one's requests.
    """


class RefusalReason(StrEnum):
    """Why a mapping is not to be had, in the words the user's texts are keyed by."""

    NOT_AUTHORIZED = "not_authorized"
    UNSUPPORTED_PROTOCOL = "unsupported_protocol"
    UNSUPPORTED_OPTION = "unsupported_option"
    NO_RESOURCES = "no_resources"
    QUOTA_EXCEEDED = "quota_exceeded"
    CANNOT_PROVIDE_EXTERNAL = "cannot_provide_external"
    EXTERNAL_PORT_TAKEN = "external_port_taken"
    NETWORK_FAILURE = "network_failure"
    ADDRESS_MISMATCH = "address_mismatch"
    AUTHENTICATION_REQUIRED = "authentication_required"
    THIRD_PARTY_ID = "third_party_id"
    OWN_ADDRESS = "own_address"
    """Our own no: another host was meant, and the address is ours. RFC 6887 13.1."""

    ROUTER_REFUSED = "router_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The server's no to a mapping."""

    reason: RefusalReason
    result_code: ResultCode | int
    """The code on the wire; SUCCESS when the no is our own."""

    retry_at: float
    """When the mapping is asked for again, monotonic seconds. RFC 6887 8.3."""


class LeaseState(StrEnum):
    """Where a lease stands; the keeper's theory is in lease.py."""

    REQUESTING = "requesting"
    GRANTED = "granted"
    REFUSED = "refused"
    RELEASING = "releasing"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """A lease as it is now, for those who show it."""

    key: MappingKey
    state: LeaseState
    grant: Grant | None
    """The live grant, None when there is none or it is known to be lost."""

    refusal: Refusal | None
    open_until: float | None
    """Until when the mapping may exist on the server, monotonic seconds.

    None when it cannot. Later than `grant` tells while a request is unanswered.
    """

    filter_echoed: bool | None = None
    """Whether the last grant's answer had the FILTER asked for, which proves nothing.

    None where none was asked for, or nothing granted; the same for DESCRIPTION.
    """

    description_echoed: bool | None = None
