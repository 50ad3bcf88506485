"""What the ledger leaves behind, and its form in storage.

Inside all times are monotonic seconds; in storage they are seconds since 1970, for
monotonic time does not survive a restart. Version 1 of the storage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from .client.codec import NONCE_LENGTH, IPAddress
from .client.mapping import Grant, MappingKey, MappingWish, Protocol

# Seconds since 1970; what is later is damage.
_END_OF_TIME = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLease:
    """A mapping that was asked for, and what is known of it."""

    wish: MappingWish
    grant: Grant | None
    open_until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that must survive a restart or a crash."""

    servers: tuple[IPAddress, ...] = ()
    """With whom the leases are, at most one of each IP version."""

    internal_addresses: tuple[IPAddress, ...] = ()
    wishes: Mapping[str, tuple[bool, float | None]] = field(default_factory=dict)
    """By forward id: whether it is wanted, and when it closes by itself."""

    leases: tuple[StoredLease, ...] = ()

    def as_json(self, *, wall_offset: float) -> dict[str, Any]:
        """Return the stored form.

        `wall_offset` is what to add to monotonic seconds to get seconds since 1970.
        """
        return {
            "servers": [str(address) for address in self.servers],
            "internal_addresses": [str(address) for address in self.internal_addresses],
            "wishes": {
                forward_id: {
                    "wanted": wanted,
                    "closes_at": _wall(closes_at, wall_offset),
                }
                for forward_id, (wanted, closes_at) in self.wishes.items()
            },
            "leases": [_lease_as_json(lease, wall_offset) for lease in self.leases],
        }

    @classmethod
    def from_json(cls, data: object, *, wall_offset: float) -> Snapshot:
        """Return what `as_json` stored; raises ValueError when it is damaged."""
        try:
            return _snapshot_from_json(_as(dict, data), wall_offset)
        except (KeyError, TypeError, ValueError) as err:
            raise ValueError(f"damaged storage: {err!r}") from err


def _lease_as_json(lease: StoredLease, wall_offset: float) -> dict[str, Any]:
    wish, grant = lease.wish, lease.grant
    address = grant.assigned_external_address if grant else None
    return {
        "internal_address": str(wish.key.internal_address),
        "protocol": wish.key.protocol.name.lower(),
        "internal_port": wish.key.internal_port,
        "nonce": wish.nonce.hex(),
        "lifetime": wish.lifetime,
        "suggested_external_port": wish.suggested_external_port,
        "exact": wish.exact,
        "third_party": wish.third_party,
        "allowed_sources": [str(network) for network in wish.allowed_sources],
        "grant": grant
        and {
            "external_address": address and str(address),
            "external_port": grant.assigned_external_port,
            "lifetime": grant.lifetime,
            "expires_at": _wall(grant.expires_at, wall_offset),
        },
        "open_until": _wall(lease.open_until, wall_offset),
    }


def _snapshot_from_json(data: dict[str, Any], wall_offset: float) -> Snapshot:
    wishes = {
        forward_id: _as(dict, wish)
        for forward_id, wish in _as(dict, data["wishes"]).items()
    }
    snapshot = Snapshot(
        servers=_addresses(data["servers"]),
        internal_addresses=_addresses(data["internal_addresses"]),
        wishes={
            forward_id: (
                _as(bool, wish["wanted"]),
                _optional(_monotonic, wish["closes_at"], wall_offset),
            )
            for forward_id, wish in wishes.items()
        },
        leases=tuple(
            _lease_from_json(_as(dict, lease), wall_offset)
            for lease in _as(list, data["leases"])
        ),
    )
    if len({lease.wish.nonce for lease in snapshot.leases}) < len(snapshot.leases):
        raise ValueError("a nonce is there twice")
    return snapshot


def _lease_from_json(data: dict[str, Any], wall_offset: float) -> StoredLease:
    nonce = bytes.fromhex(data["nonce"])
    if len(nonce) != NONCE_LENGTH:
        raise ValueError("a nonce has 12 octets")
    return StoredLease(
        wish=MappingWish(
            key=MappingKey(
                internal_address=_address(data["internal_address"]),
                protocol=Protocol[_as(str, data["protocol"]).upper()],
                internal_port=_number(data["internal_port"], 1, 65535),
            ),
            nonce=nonce,
            lifetime=_number(data["lifetime"], 1),
            suggested_external_port=_number(data["suggested_external_port"], 0, 65535),
            exact=_as(bool, data["exact"]),
            third_party=_as(bool, data["third_party"]),
            allowed_sources=tuple(
                ip_network(_as(str, network))
                for network in _as(list, data["allowed_sources"])
            ),
        ),
        grant=_optional(_grant_from_json, data["grant"], wall_offset),
        open_until=_optional(_monotonic, data["open_until"], wall_offset),
    )


def _grant_from_json(data: object, wall_offset: float) -> Grant:
    grant = _as(dict, data)
    return Grant(
        assigned_external_address=_optional(_address, grant["external_address"]),
        assigned_external_port=_number(grant["external_port"], 1, 65535),
        lifetime=_number(grant["lifetime"], 1),
        expires_at=_monotonic(grant["expires_at"], wall_offset),
    )


def _wall(at: float | None, wall_offset: float) -> float | None:
    return None if at is None else round(at + wall_offset, 3)


def _monotonic(value: object, wall_offset: float) -> float:
    at = value if isinstance(value, int) else _as(float, value)
    if not abs(at) < _END_OF_TIME:
        raise ValueError("no time")
    return at - wall_offset


def _number(value: object, low: int, high: int = 0xFFFFFFFF) -> int:
    number = _as(int, value)
    if isinstance(value, bool) or not low <= number <= high:
        raise ValueError(f"no number from {low} to {high}")
    return number


def _addresses(value: object) -> tuple[IPAddress, ...]:
    return tuple(_address(text) for text in _as(list, value))


def _address(value: object) -> IPAddress:
    return ip_address(_as(str, value))


def _as[ValueT](kind: type[ValueT], value: object) -> ValueT:
    """Return a value if it is of a kind; raises TypeError."""
    if not isinstance(value, kind):
        raise TypeError(f"no {kind.__name__}")
    return value


def _optional[*Ts, ValueT](
    read: Callable[[Any, *Ts], ValueT], value: object, *args: *Ts
) -> ValueT | None:
    return None if value is None else read(value, *args)
