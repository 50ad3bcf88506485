"""Outgoing flows that are kept without keep-alive traffic: PEER. RFC 6887 12.

A peer mapping is what a NAT or firewall holds for one flow to one remote host. It is
asked for, renewed and remade like any other mapping, but cannot be deleted: what is
not wanted any more just runs out.
"""

from dataclasses import dataclass
from typing import override

from .codec import IPAddress
from .mapping import MappingKey, MappingWish


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerKey(MappingKey):
    """What names a peer mapping on one server: the five-tuple. RFC 6887 12.3."""

    remote_address: IPAddress
    """As we see it, and so of our own IP version, whatever is translated on the way."""

    remote_port: int
    """1 to 65535."""

    def __post_init__(self) -> None:
        """Refuse what RFC 6887 12.1 forbids; raises ValueError."""
        if not (0 < self.internal_port < 0x10000 and 0 < self.remote_port < 0x10000):
            raise ValueError("a flow has two ports, neither of them 0")
        if self.remote_address.version != self.internal_address.version:
            raise ValueError("a flow between two IP versions")

    @property
    @override
    def remote(self) -> tuple[IPAddress, int]:
        """Return the other end's address and port."""
        return self.remote_address, self.remote_port


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerWish(MappingWish):
    """A flow that is to be kept. RFC 6887 12.2."""

    key: PeerKey
    suggested_external_port: int = 0
    """As in MappingWish; 0 for a flow that was never mapped before."""

    @override
    def __post_init__(self) -> None:
        """Refuse what PEER cannot express; raises ValueError."""
        if self.exact or self.allowed_sources or self.port_range:
            raise ValueError("PEER has no PREFER_FAILURE, no FILTER and no PORT_SET")

    @property
    @override
    def needs_pcp(self) -> bool:
        """NAT-PMP has nothing of the kind."""
        return True

    @property
    @override
    def ends_by_itself(self) -> bool:
        """Tell that it cannot be deleted, nor made shorter. RFC 6887 12.1."""
        return True
