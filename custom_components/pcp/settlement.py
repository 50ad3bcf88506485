"""The one place of the ledger that decides: what is wanted against what is asked for.

It looks at places (protocol and internal port), so that an act on one of a thousand
forwards costs no more than that forward. Times are monotonic seconds.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from .client.codec import IPAddress
from .client.mapping import MappingKey, MappingWish
from .forward import Place, WantedMapping
from .leases import Lease, Leases, place_of
from .news import Watch
from .orders import Ask, Order, Release, Restore
from .standing import is_complete
from .wishes import Wishes


class Settlement:
    """Makes what is asked for the same as what is wanted."""

    def __init__(
        self,
        wishes: Wishes,
        leases: Leases,
        watch: Watch,
        *,
        nonce: Callable[[], bytes],
        lease_time: int,
    ) -> None:
        """Begin without an address. `nonce` returns 12 unpredictable octets."""
        self._wishes = wishes
        self._leases = leases
        self._watch = watch
        self._nonce = nonce
        self.lease_time = lease_time
        """Seconds to ask for."""
        self.addresses: dict[int, IPAddress] = {}
        """Our own towards the router, by IP version."""

    def recognise(self, keys: Iterable[MappingKey], *, now: float) -> None:
        """Note of leases that an earlier run left which are wanted, and live."""
        keys = list(keys)
        wanted = self._wanted_mappings(dict.fromkeys(map(place_of, keys)))
        for key in keys:
            lease = self._leases.get(key)
            if key in wanted and lease and lease.grant:
                lease.wanted = lease.grant.expires_at > now

    def take_up(
        self, places: Iterable[Place], version: int, *, now: float
    ) -> list[Order]:
        """Return the orders that hand over the leases at some places."""
        wanted = self._wanted_mappings(places)
        orders: list[Order] = []
        for lease in (it for place in places for it in self._leases.at(place)):
            key, grant = lease.key, lease.grant
            if key.internal_address.version != version:
                continue
            orders.append(Restore(key, grant))
            if mapping := wanted.get(key):
                lease.wish = self._mapping_wish(mapping, lease)
                lease.wanted = True
                lease.grant = grant if grant and grant.expires_at > now else None
            else:
                lease.unwant()
        return orders

    def settle(self, places: Iterable[Place], *, urgent: bool = True) -> list[Order]:
        """Compare what is wanted with what is asked for, and order the difference."""
        places = dict.fromkeys(places)
        wanted = self._wanted_mappings(places)
        releases: list[Order] = []
        for place in places:
            for lease in self._leases.at(place):
                if lease.wanted and lease.key not in wanted:
                    lease.unwant()
                    releases.append(Release(lease.key))
        asks: list[Order] = []
        for key, mapping in wanted.items():
            known = self._leases.get(key)
            wish = self._mapping_wish(mapping, known)
            if known is None:
                self._leases.keep(Lease(wish=wish, wanted=True))
            elif not known.wanted:
                known.wish = wish
                known.wanted = True
            elif known.wish != wish:
                # The server is told of another name at the next renewal. RFC 7220.
                is_renamed = known.wish == replace(
                    wish, description=known.wish.description
                )
                known.wish = wish
                asks.append(Ask(key, urgent and not is_renamed))
                continue
            else:
                continue
            asks.append(Ask(key, urgent))
        self.look_at(places)
        return releases + asks

    def all_places(self) -> list[Place]:
        """Return where anything is wanted, asked for or owed."""
        return [*self._wishes.places(), *self._leases.places()]

    def look_at(self, places: Iterable[Place]) -> None:
        """Note which forwards may stand otherwise, and which were lost."""
        ids = (id_ for place in places for id_ in self._wishes.ids_at(place))
        for forward_id in dict.fromkeys(ids):
            self._wishes.touch(forward_id)
            if self._wishes.is_asked_for(forward_id):
                forward = self._wishes.forwards[forward_id]
                is_open = is_complete(forward, self._leases.of(forward))
                self._watch.look(forward_id, is_open=is_open)

    def _wanted_mappings(
        self, places: Iterable[Place]
    ) -> dict[MappingKey, WantedMapping]:
        return {
            mapping.key: mapping
            for place in places
            for forward in self._wishes.wanted_at(place)
            for mapping in forward.mappings_at(place, self.addresses)
        }

    def _mapping_wish(self, mapping: WantedMapping, known: Lease | None) -> MappingWish:
        """Return the wish for a mapping; a known one keeps its nonce."""
        return MappingWish(
            key=mapping.key,
            nonce=known.wish.nonce if known else self._nonce(),
            lifetime=self.lease_time,
            suggested_external_port=mapping.suggested_external_port,
            exact=mapping.exact,
            third_party=mapping.third_party,
            allowed_sources=mapping.allowed_sources,
            description=mapping.description,
            port_range=mapping.port_range,
        )
