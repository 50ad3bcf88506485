"""What the ledger knows of mappings, found by name or by place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .client.events import (
    Event,
    LeaseGranted,
    LeaseKept,
    LeaseLost,
    LeaseReappeared,
    LeaseRefused,
    LeaseReleased,
)
from .client.mapping import MAXIMUM_LIFETIME, Grant, MappingKey, MappingWish, Refusal
from .forward import Forward, Place
from .snapshot import StoredLease

# Seconds for which a mapping is deleted that has run out by a clock that may be wrong.
_LAST_DELETIONS = 60.0


@dataclass(slots=True, kw_only=True)
class Lease:
    """What the ledger knows of one mapping. Times are monotonic seconds."""

    wish: MappingWish
    wanted: bool
    grant: Grant | None = None
    refusal: Refusal | None = None
    open_until: float | None = None
    """Until when it may exist on the router though it is not wanted or not granted.

    None while it has not been asked for, or when that is not known.
    """

    is_under_way: bool = False
    """A request for it may still come to the router, from before a move or a stop."""

    is_kept: bool = False
    """The router does not delete it now: it may stay until it has run out."""

    @property
    def key(self) -> MappingKey:
        """Return what names the mapping."""
        return self.wish.key

    @property
    def is_asked_for(self) -> bool:
        """Tell whether a request for it may be granted at any time."""
        return self.wanted and self.grant is None

    def unwant(self) -> None:
        """Stop wanting it; what it is owed stays."""
        self.wanted = False
        self.grant = None
        self.refusal = None
        self.is_kept = False


class Leases:
    """The leases of one router."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_key: dict[MappingKey, Lease] = {}
        self._by_place: dict[Place, dict[MappingKey, Lease]] = {}

    @property
    def by_key(self) -> Mapping[MappingKey, Lease]:
        """Return all leases by the names of their mappings."""
        return self._by_key

    def __iter__(self) -> Iterator[Lease]:
        return iter(self._by_key.values())

    def get(self, key: MappingKey) -> Lease | None:
        """Return the lease of a mapping, None where there is none."""
        return self._by_key.get(key)

    def at(self, place: Place) -> list[Lease]:
        """Return the leases at a place."""
        return list(self._by_place.get(place, {}).values())

    def of(self, forward: Forward) -> Iterator[Lease]:
        """Yield the leases of a forward, at whatever own address."""
        for place in forward.places():
            for lease in self._by_place.get(place, {}).values():
                if forward.covers(lease.key, third_party=lease.wish.third_party):
                    yield lease

    def places(self) -> list[Place]:
        """Return where there are leases."""
        return list(self._by_place)

    def keep(self, lease: Lease) -> None:
        """Add a lease."""
        key = lease.key
        self._by_key[key] = lease
        self._by_place.setdefault(place_of(key), {})[key] = lease

    def handle_event(self, event: Event) -> MappingKey | None:
        """Take the keeper's news; return the mapping that it was about, if any."""
        match event:
            case LeaseGranted(key, grant):
                if lease := self._by_key.get(key):
                    lease.open_until = grant.expires_at
                    lease.is_under_way = False
                    if lease.wanted:
                        lease.grant = grant
                        lease.refusal = None
            case LeaseRefused(key, refusal):
                lease = self._by_key.get(key)
                if lease is not None and lease.wanted:
                    lease.refusal = refusal
            case LeaseLost(key):
                if lease := self._by_key.get(key):
                    lease.grant = None
            case LeaseReleased(key):
                lease = self._by_key.get(key)
                if lease is not None and not lease.wanted:
                    self.forget(key)
            case LeaseKept(key):
                lease = self._by_key.get(key)
                if lease is not None and not lease.wanted:
                    lease.is_kept = True
            case LeaseReappeared(wish, open_until):
                key = wish.key
                if lease := self._by_key.get(key):
                    # Wanted again, and not asked for yet: it is the same mapping.
                    lease.wish = replace(lease.wish, nonce=wish.nonce)
                else:
                    self.keep(Lease(wish=wish, wanted=False, open_until=open_until))
            case _:
                return None
        return key

    def forget(self, key: MappingKey) -> None:
        """Remove the lease of a mapping."""
        place = place_of(key)
        del self._by_key[key]
        del self._by_place[place][key]
        if not self._by_place[place]:
            del self._by_place[place]


def place_of(key: MappingKey) -> Place:
    """Return where a mapping is."""
    return key.protocol, key.internal_port


def taken_up(stored: StoredLease, *, now: float) -> Lease:
    """Return a stored lease; the wall clock may have been set since.

    A mapping lives no longer than its lifetime, from now on; where no grant is known,
    than any may be. Where nothing is known, it was asked for and nobody knows the answer.
    What seems to have run out is taken to live for as long as it takes to be deleted.
    """
    grant, open_until = stored.grant, stored.open_until
    longest = asked_until = now + stored.wish.lifetime
    if grant is not None:
        end = now + grant.lifetime
        grant = replace(grant, expires_at=min(grant.expires_at, end))
        longest = asked_until = max(longest, end)
    elif open_until is not None:
        longest = now + MAXIMUM_LIFETIME
    if open_until is None:
        open_until = longest
    elif open_until <= now:
        open_until = now + _LAST_DELETIONS
    if stored.is_asked_for or stored.is_under_way:
        open_until = max(open_until, asked_until)
    return Lease(
        wish=stored.wish,
        wanted=False,
        grant=grant,
        open_until=min(open_until, longest),
        is_under_way=stored.is_under_way,
    )


def maybe_renewed(stored: StoredLease) -> StoredLease:
    """Return a lease from disk as it may be on the router.

    Renewals are stored some seconds later, and a crash may have come between.
    """
    grant, open_until = stored.grant, stored.open_until
    if grant is None or open_until is None:
        return stored
    lifetime = max(stored.wish.lifetime, grant.lifetime)
    return replace(stored, open_until=open_until + lifetime)
