"""A ledger in driven time, and a router that says what it is told to say."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from typing import Any

from custom_components.pcp.client.events import (
    Event,
    LeaseGranted,
    LeaseLost,
    LeaseRefused,
    LeaseReleased,
)
from custom_components.pcp.client.mapping import (
    Grant,
    MappingKey,
    Protocol,
    Refusal,
    RefusalReason,
)
from custom_components.pcp.forward import Forward, ForwardStatus
from custom_components.pcp.ledger import Ledger
from custom_components.pcp.orders import Ask, Order, Release
from custom_components.pcp.snapshot import Snapshot
from custom_components.pcp.standing import Standing

LEASE_TIME = 3600
OWN = IPv4Address("192.0.2.2")
OWN_6 = IPv6Address("2001:db8::2")
ELSEWHERE = IPv4Address("192.0.2.77")
EXTERNAL = IPv4Address("203.0.113.5")

REFUSAL = Refusal(reason=RefusalReason.NOT_AUTHORIZED, result_code=2, retry_at=1800.0)


def forward(internal_port: int = 80, **data: Any) -> Forward:
    """Return a forward; only the port has to be told."""
    return Forward.parse({"name": "Game", "internal_port": internal_port} | data)


def key(
    internal_port: int = 80,
    protocol: Protocol = Protocol.TCP,
    address: IPv4Address | IPv6Address = OWN,
) -> MappingKey:
    """Return the name of a mapping, of ours and TCP if nothing else is told."""
    return MappingKey(
        internal_address=address, protocol=protocol, internal_port=internal_port
    )


class Bookkeeping:
    """A ledger with the router's answers at hand. Times are seconds from 0."""

    def __init__(self, *, own: bool = True, **options: Any) -> None:
        """Begin with our IPv4 address known, unless told otherwise."""
        numbers = count(1)
        self.now = 0.0
        self.ledger = Ledger(
            nonce=lambda: next(numbers).to_bytes(12),
            **{"lease_time": LEASE_TIME} | options,
        )
        if own:
            self.ledger.set_internal_address(OWN)

    def define(self, **forwards: Forward) -> list[Order]:
        """Define forwards by their ids."""
        return self.ledger.define(forwards)

    def standing(self, forward_id: str = "a", **reachable: bool | None) -> Standing:
        """Return how a forward stands, with a router that answers over IPv4."""
        return self.ledger.standing(
            forward_id, {4: True} | {int(v[-1]): it for v, it in reachable.items()}
        )

    def status(self, forward_id: str = "a", **reachable: bool | None) -> ForwardStatus:
        """Return the status of a forward."""
        return self.standing(forward_id, **reachable).status

    def tell(self, *events: Event) -> None:
        """Let the router's news come."""
        for event in events:
            self.ledger.handle_event(event)

    def grant(self, *keys: MappingKey, lifetime: int = LEASE_TIME) -> None:
        """Let the router grant mappings."""
        for name in keys or self.wanted():
            self.tell(LeaseGranted(name, self.granted(name, lifetime=lifetime), None))

    def granted(self, name: MappingKey, *, lifetime: int = LEASE_TIME) -> Grant:
        """Return what is granted now: the port that was asked for."""
        return Grant(
            assigned_external_address=EXTERNAL,
            assigned_external_port=name.internal_port,
            lifetime=lifetime,
            expires_at=self.now + lifetime,
        )

    def refuse(self, *keys: MappingKey) -> None:
        """Let the router refuse mappings."""
        self.tell(*(LeaseRefused(name, REFUSAL) for name in keys or self.wanted()))

    def lose(self, *keys: MappingKey) -> None:
        """Let the router lose mappings."""
        self.tell(*(LeaseLost(name) for name in keys or self.wanted()))

    def release(self, *keys: MappingKey) -> None:
        """Let the router answer for deletions."""
        self.tell(*(LeaseReleased(name) for name in keys or self.owed()))

    def wanted(self) -> list[MappingKey]:
        """Return the mappings that are wanted."""
        return [name for name, lease in self.ledger.leases.items() if lease.wanted]

    def owed(self) -> list[MappingKey]:
        """Return the mappings that are to be deleted."""
        return [name for name, lease in self.ledger.leases.items() if not lease.wanted]

    def nonce(self, name: MappingKey | None = None) -> bytes:
        """Return the nonce of a mapping."""
        return self.ledger.leases[name or key()].wish.nonce

    def reopened(self, *, later: float = 0.0, **forwards: Forward) -> Bookkeeping:
        """Return the ledger of a next run that begins later, nothing resumed yet."""
        after = Bookkeeping(own=False)
        after.now = self.now + later
        after.ledger.restore(self.ledger.snapshot(), forwards, now=after.now)
        return after

    def resume(self, address: IPv4Address | None = OWN) -> list[Order]:
        """Hand everything to a new keeper."""
        return self.ledger.resume(4, address, now=self.now)


def opened(**data: Any) -> Bookkeeping:
    """Return a ledger with one forward "a" that is open."""
    books = Bookkeeping()
    books.define(a=forward(**data))
    books.ledger.open("a")
    books.grant()
    return books


def asked(orders: Iterable[Order]) -> list[MappingKey]:
    """Return what is asked for."""
    return [order.key for order in orders if isinstance(order, Ask)]


def released(orders: Iterable[Order]) -> list[MappingKey]:
    """Return what is deleted."""
    return [order.key for order in orders if isinstance(order, Release)]


def leases_of(snapshot: Snapshot) -> dict[MappingKey, bytes]:
    """Return the nonces that are stored, by mapping."""
    return {lease.wish.key: lease.wish.nonce for lease in snapshot.leases}
