"""What the ledger leaves behind, and its form in storage.

Inside all times are monotonic seconds; in storage they are seconds since 1970, for
monotonic time does not survive a restart. Version 1 of the storage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from .client.codec import NONCE_LENGTH, IPAddress
from .client.mapping import Grant, MappingKey, MappingWish, PortRange, Protocol

# Seconds since 1970; what is later is damage.
_END_OF_TIME = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLease:
    """A mapping that was asked for, and what is known of it.

    Its description is not stored: it is the name of the forward, if that is there.
    """

    wish: MappingWish
    grant: Grant | None
    open_until: float | None
    """Until when it may exist, as far as is known; None where nothing is known."""

    is_asked_for: bool = False
    """A request for it may be granted at any time, for as long as was asked for."""

    is_under_way: bool = False
    """Just before this was taken a request was sent that was not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that must survive a restart or a crash."""

    servers: tuple[IPAddress, ...] = ()
    """With whom the leases are, at most one of each IP version."""

    host: str | None = None
    """The router that they are of, as the entry names it; None where nobody knows."""

    pinhole_keepers: tuple[IPAddress, ...] = ()
    """Those of them that were seen failing to delete an IPv6 pinhole."""

    internal_addresses: tuple[IPAddress, ...] = ()
    wishes: Mapping[str, tuple[bool, float | None]] = field(default_factory=dict)
    """By forward id: whether it is wanted, and when it closes by itself."""

    leases: tuple[StoredLease, ...] = ()
    taken_at: float | None = field(default=None, compare=False)
    """When it was taken. The clock on the wall was never before that."""

    def as_json(self, *, wall_offset: float) -> dict[str, Any]:
        """Return the stored form.

        `wall_offset` is what to add to monotonic seconds to get seconds since 1970.
        """
        return {
            "servers": [str(address) for address in self.servers],
            **({} if self.host is None else {"host": self.host}),
            **_pinhole_keepers_as_json(self.pinhole_keepers),
            "internal_addresses": [str(address) for address in self.internal_addresses],
            "wishes": {
                forward_id: {
                    "wanted": wanted,
                    "closes_at": _wall(closes_at, wall_offset),
                }
                for forward_id, (wanted, closes_at) in self.wishes.items()
            },
            "leases": [_lease_as_json(lease, wall_offset) for lease in self.leases],
            **_saved_at(self.taken_at, wall_offset),
        }

    @classmethod
    def from_json(
        cls, data: object, *, wall_offset: float, now: float | None = None
    ) -> tuple[Snapshot, list[str]]:
        """Return what can be read of what `as_json` stored, and what cannot.

        With `now`, in monotonic seconds, a wall clock that was set back since is taken
        to be where it was then: nothing lasts longer because of it. Damage costs what is
        damaged: one wish, one lease, or what was known of a grant. It is told without any
        address or nonce, for the log.
        """
        damage: list[str] = []
        if now is not None:
            saved_at = _readable(damage, "saved_at", lambda: _read_saved_at(data))
            wall_offset = max(wall_offset, (saved_at or 0.0) - now)
        return _snapshot_from_json(data, wall_offset, damage), damage


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
        **_port_range_as_json(wish.port_range),
        "grant": grant
        and {
            "external_address": address and str(address),
            "external_port": grant.assigned_external_port,
            "lifetime": grant.lifetime,
            "expires_at": _wall(grant.expires_at, wall_offset),
            **_port_range_as_json(grant.port_range),
        },
        "open_until": _wall(lease.open_until, wall_offset),
        **({"asked_for": True} if lease.is_asked_for else {}),
        **({"under_way": True} if lease.is_under_way else {}),
    }


def _snapshot_from_json(
    data: object, wall_offset: float, damage: list[str]
) -> Snapshot:
    def member[ValueT](name: str, kind: type[ValueT]) -> ValueT:
        found = _readable(damage, name, lambda: _as(kind, _as(dict, data)[name]))
        return kind() if found is None else found

    def each[ValueT](
        name: str, read: Callable[[object], ValueT], *, optional: bool = False
    ) -> list[ValueT]:
        if optional and isinstance(data, dict) and name not in data:
            return []
        found = (
            _readable(damage, f"{name}[{number}]", partial(read, item))
            for number, item in enumerate(member(name, list))
        )
        return [item for item in found if item is not None]

    nonces: set[bytes] = set()

    def lease_of_its_own(item: object) -> StoredLease:
        lease = _lease_from_json(_as(dict, item), wall_offset, damage)
        if lease.wish.nonce in nonces:
            raise ValueError("a nonce is there twice")
        nonces.add(lease.wish.nonce)
        return lease

    wishes = {
        forward_id: _readable(
            damage, f"wishes[{number}]", partial(_wish_from_json, wish, wall_offset)
        )
        for number, (forward_id, wish) in enumerate(member("wishes", dict).items())
    }
    return Snapshot(
        servers=tuple(each("servers", _address)),
        host=_readable(damage, "host", lambda: _host(data)),
        pinhole_keepers=tuple(each("pinhole_keepers", _address, optional=True)),
        internal_addresses=tuple(each("internal_addresses", _address)),
        wishes={it: wish for it, wish in wishes.items() if wish is not None},
        leases=tuple(each("leases", lease_of_its_own)),
    )


def _readable[ValueT](
    damage: list[str], place: str, read: Callable[[], ValueT]
) -> ValueT | None:
    """Return what is read, None where it cannot be; that is noted."""
    try:
        return read()
    except (KeyError, TypeError, ValueError) as err:
        damage.append(f"{place}: {err!r}")
        return None


def _wish_from_json(data: object, wall_offset: float) -> tuple[bool, float | None]:
    wish = _as(dict, data)
    closes_at = _optional(_monotonic, wish["closes_at"], wall_offset)
    return _as(bool, wish["wanted"]), closes_at


def _lease_from_json(
    data: dict[str, Any], wall_offset: float, damage: list[str]
) -> StoredLease:
    """Read a lease; without what is known of its grant it can still be deleted."""
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
                _network(network) for network in _as(list, data["allowed_sources"])
            ),
            port_range=_readable(damage, "a range of ports", lambda: _port_range(data)),
        ),
        grant=_readable(
            damage,
            "a grant",
            lambda: _optional(_grant_from_json, data["grant"], wall_offset),
        ),
        open_until=_readable(
            damage,
            "the end of a lease",
            lambda: _optional(_monotonic, data["open_until"], wall_offset),
        ),
        is_asked_for=_as(bool, data.get("asked_for", False)),
        is_under_way=_as(bool, data.get("under_way", False)),
    )


def _grant_from_json(data: object, wall_offset: float) -> Grant:
    grant = _as(dict, data)
    return Grant(
        assigned_external_address=_optional(_address, grant["external_address"]),
        assigned_external_port=_number(grant["external_port"], 1, 65535),
        lifetime=_number(grant["lifetime"], 1),
        expires_at=_monotonic(grant["expires_at"], wall_offset),
        port_range=_port_range(grant),
    )


def _pinhole_keepers_as_json(servers: tuple[IPAddress, ...]) -> dict[str, list[str]]:
    """Most routers are none: their storage is as it was in the first release."""
    if not servers:
        return {}
    return {"pinhole_keepers": [str(address) for address in servers]}


def _port_range_as_json(ports: PortRange | None) -> dict[str, list[int]]:
    return {} if ports is None else {"port_range": [ports.first, ports.count]}


def _port_range(data: dict[str, Any]) -> PortRange | None:
    """Return the ports that go together; one port has none."""
    if (value := data.get("port_range")) is None:
        return None
    first, count = _as(list, value)
    return PortRange(first=_number(first, 1, 65535), count=_number(count, 2, 65535))


def _host(data: object) -> str | None:
    told = data.get("host") if isinstance(data, dict) else None
    return _optional(partial(_as, str), told)


def _saved_at(at: float | None, wall_offset: float) -> dict[str, float | None]:
    return {} if at is None else {"saved_at": _wall(at, wall_offset)}


def _read_saved_at(data: object) -> float | None:
    """Return the wall clock's time of what was stored, None where it is not told."""
    told = data.get("saved_at") if isinstance(data, dict) else None
    return _optional(_monotonic, told, 0.0)


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


def _address(value: object) -> IPAddress:
    try:
        return ip_address(_as(str, value))
    except ValueError:
        raise ValueError("no address") from None


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(_as(str, value))
    except ValueError:
        raise ValueError("no network") from None


def _as[ValueT](kind: type[ValueT], value: object) -> ValueT:
    """Return a value if it is of a kind; raises TypeError."""
    if not isinstance(value, kind):
        raise TypeError(f"no {kind.__name__}")
    return value


def _optional[*Ts, ValueT](
    read: Callable[[Any, *Ts], ValueT], value: object, *args: *Ts
) -> ValueT | None:
    return None if value is None else read(value, *args)
