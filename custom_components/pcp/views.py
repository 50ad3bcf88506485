"""What there is to see: the router and its forwards, as entities and actions show them.

Frozen values with wall-clock times, made from the ledger's standings.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from .client.codec import IPAddress
from .client.mapping import Grant, LeaseView, Refusal
from .clock import Clock
from .forward import ForwardStatus
from .leases import Lease
from .link import Link
from .links import Links
from .standing import Standing

# An external address out of these is another router's inside,
_PRIVATE = tuple(
    IPv4Network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # RFC 3927: nobody gave it an address
    )
)
# and out of these the provider's.
_SHARED = tuple(
    IPv4Network(network)
    for network in (
        "100.64.0.0/10",  # RFC 6598: carrier-grade NAT
        "192.0.0.0/29",  # RFC 7335: the inside of DS-Lite
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingView:
    """One mapping that is granted, or asked for."""

    protocol: str
    ip_version: str
    internal_address: str
    internal_port: int
    external_address: str | None
    external_port: int | None
    lifetime: int | None
    """Granted seconds."""

    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardView:
    """A forward as it is now."""

    forward_id: str
    name: str
    wanted: bool
    status: ForwardStatus
    external_address: str | None
    """Of the first mapping that is granted, likewise the port."""

    external_port: int | None
    closes_at: datetime | None
    expires_at: datetime | None
    mappings: tuple[MappingView, ...]
    refusal: Refusal | None

    @property
    def endpoint(self) -> str | None:
        """The address to connect to from outside, an IPv6 address in brackets."""
        address, port = self.external_address, self.external_port
        if address is None or port is None:
            return None
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """A router as it is now."""

    protocol: str | None = None
    external_ipv4: str | None = None
    external_ipv6: str | None = None
    started_at: datetime | None = None
    reachable: bool = False
    double_nat: bool | None = None
    """Whether the external IPv4 address is no public one; None while unknown."""

    carrier_grade_nat: bool | None = None
    """Whether it is one that a provider shares among customers; likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PcpData:
    """All there is to see of one router."""

    router: RouterView
    forwards: Mapping[str, ForwardView]
    """By forward id."""


def router_view(links: Links, clock: Clock) -> RouterView:
    """Return a router as it is shown."""
    views = links.views()
    if not views:
        return RouterView()
    first = views[min(views)]
    addresses = {version: view.external_address for version, view in views.items()}
    return RouterView(
        protocol=first.protocol,
        external_ipv4=_text(addresses.get(4)),
        external_ipv6=_text(addresses.get(6)),
        started_at=clock.wall(first.started_at),
        reachable=any(view.reachable for view in views.values()),
        double_nat=is_double_nat(addresses.get(4)),
        carrier_grade_nat=is_carrier_grade_nat(addresses.get(4)),
    )


def is_double_nat(address: IPAddress | None) -> bool | None:
    """Tell whether an external address is another NAT's inside; None while unknown."""
    return _is_in(address, _PRIVATE + _SHARED)


def is_carrier_grade_nat(address: IPAddress | None) -> bool | None:
    """Tell whether that other NAT is the provider's; None while unknown."""
    return _is_in(address, _SHARED)


def _is_in(address: IPAddress | None, networks: tuple[IPv4Network, ...]) -> bool | None:
    if not isinstance(address, IPv4Address):
        return None
    return any(address in network for network in networks)


def forward_view(forward_id: str, standing: Standing, clock: Clock) -> ForwardView:
    """Return a standing as it is shown."""
    mappings = tuple(
        _mapping_view(lease, clock) for lease in standing.leases if lease.wanted
    )
    first = next((mapping for mapping in mappings if mapping.expires_at), None)
    return ForwardView(
        forward_id=forward_id,
        name=standing.forward.name,
        wanted=standing.wish.wanted,
        status=standing.status,
        external_address=first.external_address if first else None,
        external_port=first.external_port if first else None,
        closes_at=clock.wall(standing.wish.closes_at),
        expires_at=clock.wall(standing.expires_at),
        mappings=mappings,
        refusal=standing.refusal,
    )


def forward_response(
    view: ForwardView, *, entry_id: str, entity_id: str | None
) -> dict[str, Any]:
    """Return a forward as actions answer with it; times are ISO 8601 in UTC."""
    return {
        "forward_id": view.forward_id,
        "config_entry_id": entry_id,
        "entity_id": entity_id,
        "name": view.name,
        "wanted": view.wanted,
        "status": view.status.value,
        "external_address": view.external_address,
        "external_port": view.external_port,
        "closes_at": view.closes_at and view.closes_at.isoformat(),
        "mappings": [
            {
                "protocol": mapping.protocol,
                "ip_version": mapping.ip_version,
                "internal_address": mapping.internal_address,
                "internal_port": mapping.internal_port,
                "external_address": mapping.external_address,
                "external_port": mapping.external_port,
                "lifetime": mapping.lifetime,
                "expires_at": mapping.expires_at and mapping.expires_at.isoformat(),
            }
            for mapping in view.mappings
        ],
    }


def _mapping_view(lease: Lease, clock: Clock) -> MappingView:
    key, grant = lease.key, lease.grant
    return MappingView(
        protocol=key.protocol.name.lower(),
        ip_version=f"ipv{key.internal_address.version}",
        internal_address=str(key.internal_address),
        internal_port=key.internal_port,
        external_address=_text(grant.assigned_external_address) if grant else None,
        external_port=grant.assigned_external_port if grant else None,
        lifetime=grant.lifetime if grant else None,
        expires_at=clock.wall(grant.expires_at) if grant else None,
    )


def link_diagnostics(link: Link, *, now: float) -> dict[str, Any]:
    """Return what helps to find a fault with one server; times are seconds from now."""

    def seconds(at: float | None) -> int | None:
        return None if at is None else round(at - now)

    keeper = link.keeper
    view = keeper.server_view()
    return {
        "ip_version": link.server.version,
        "server": str(link.server),
        "client_address": _text(keeper.client_address),
        **asdict(view),
        "nat64_prefixes": [
            {
                "network": str(prefix.network),
                "ipv4_networks": [str(network) for network in prefix.ipv4_networks],
            }
            for prefix in view.nat64_prefixes
        ],
        "leases": [_lease_diagnostics(lease, seconds) for lease in keeper.leases()],
        "peers": [_lease_diagnostics(lease, seconds) for lease in keeper.peers()],
    }


def _lease_diagnostics(
    lease: LeaseView, seconds: Callable[[float | None], int | None]
) -> dict[str, Any]:
    return {
        "protocol": lease.key.protocol.name.lower(),
        "internal_port": lease.key.internal_port,
        "state": lease.state.value,
        "expires_in": seconds(lease.grant.expires_at if lease.grant else None),
        "open_for": seconds(lease.open_until),
        "filter_echoed": lease.filter_echoed,
        "description_echoed": lease.description_echoed,
        "ports_together": _ports_together(lease.grant),
        "refusal": lease.refusal and lease.refusal.reason.value,
        "retry_in": seconds(lease.refusal.retry_at if lease.refusal else None),
    }


def _ports_together(grant: Grant | None) -> list[int] | None:
    """Return the first and the last port of the set that a mapping is part of."""
    ports = grant.port_range if grant else None
    return None if ports is None else [ports.first, ports.first + ports.count - 1]


def _text(address: IPAddress | None) -> str | None:
    return None if address is None else str(address)
