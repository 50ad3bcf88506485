"""What a router's two protocols share: table, external address, epoch, personality."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from custom_components.pcp.client.codec import IPAddress, ResultCode

from .personality import Personality
from .table import MappingTable

type LocalNetwork = IPv4Network | IPv6Network

_SHORT_ERRORS = frozenset(
    {
        ResultCode.NETWORK_FAILURE,
        ResultCode.NO_RESOURCES,
        ResultCode.USER_EX_QUOTA,
    }
)


class Refused(Exception):
    """A request is refused; nothing was changed."""

    def __init__(self, result_code: ResultCode, lifetime: int | None = None) -> None:
        """Keep the result; without a lifetime the personality's one is told."""
        super().__init__(result_code.name)
        self.result_code = result_code
        self.lifetime = lifetime


@dataclass(slots=True, kw_only=True)
class RouterState:
    """The state of one router."""

    personality: Personality
    real_external_address: IPv4Address | None
    """The WAN address, None while there is none."""
    epoch_from: float
    """When the epoch was 0."""
    local_networks: Sequence[LocalNetwork] = ()
    """Where clients and targets may be; empty is anywhere."""
    table: MappingTable = field(default_factory=MappingTable)

    @property
    def external_address(self) -> IPv4Address | None:
        """The WAN address as the router believes it to be."""
        return self.personality.external_address or self.real_external_address

    def epoch_time(self, now: float) -> int:
        """Return the epoch as it stands on the wire."""
        return int(now - self.epoch_from) & 0xFFFFFFFF

    def is_local(self, address: IPAddress) -> bool:
        """Tell whether an address is on the inside."""
        return not self.local_networks or any(
            address in network for network in self.local_networks
        )

    def error_lifetime(self, result_code: ResultCode) -> int:
        """Return the seconds an error holds. RFC 6887 7.4."""
        if result_code is ResultCode.CANNOT_PROVIDE_EXTERNAL:
            return self.personality.cannot_provide_lifetime
        if result_code in _SHORT_ERRORS:
            return self.personality.short_error_lifetime
        return self.personality.long_error_lifetime
