"""The ledger of one router: what is wanted, what was granted, what is still owed.

It decides; whoever owns it saves `snapshot` and then carries out the orders that the
deciding method returned. That sequence is a promise: a nonce is on disk before its
first request is sent, and an off wish is on disk before its delete is.

Every change ends in the settlement. Times are monotonic seconds; the snapshot holds the
wall clock's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import batched

from .client.codec import IPAddress
from .client.events import Event
from .client.mapping import MappingKey
from .forward import Forward
from .leases import Lease, Leases, maybe_renewed, place_of, taken_up
from .news import News, Watch
from .orders import Ask, Order
from .settlement import Settlement
from .snapshot import Snapshot, StoredLease
from .standing import Reachable, Standing, standing_of
from .wishes import Wish, Wishes

# So many are taken up at a time: a millisecond or two.
_AT_ONCE = 64


class Ledger:
    """The wishes and leases of one router."""

    def __init__(
        self,
        *,
        nonce: Callable[[], bytes],
        lease_time: int,
        third_party: bool = False,
    ) -> None:
        """Begin with nothing. `nonce` returns 12 unpredictable octets."""
        self._third_party = third_party
        self._wishes = Wishes()
        self._leases = Leases()
        self._watch = Watch()
        self._settlement = Settlement(
            self._wishes, self._leases, self._watch, nonce=nonce, lease_time=lease_time
        )

    # Definitions and circumstances.

    @property
    def forwards(self) -> Mapping[str, Forward]:
        """Return the defined forwards by their ids."""
        return self._wishes.forwards

    @property
    def third_party(self) -> bool:
        """Tell whether forwards to other hosts are permitted."""
        return self._third_party

    @property
    def internal_addresses(self) -> Mapping[int, IPAddress]:
        """Return our own addresses towards the router, by IP version."""
        return self._settlement.addresses

    def define(self, forwards: Mapping[str, Forward]) -> list[Order]:
        """Take all forwards as they are defined now.

        One that is new and was tried just before is wanted; any other new one is off.
        One that is gone is closed, and what it is owed stays.
        """
        for forward_id in self.forwards.keys() - forwards.keys():
            self._watch.forget(forward_id)
        places = self._wishes.define(forwards)
        if not self._third_party:
            # One that is wanted may have been changed to another host.
            places += self._wishes.stop_third_parties()
        return self._settlement.settle(places)

    def set_options(self, *, lease_time: int, third_party: bool) -> list[Order]:
        """Take new options; a longer lease time counts from each next renewal on.

        For a shorter one everything is renewed soon: so long may a door stay open.
        Without `third_party` all forwards to other hosts are off from now on, and
        those that are tried are given up.
        """
        if (lease_time, third_party) == (
            self._settlement.lease_time,
            self._third_party,
        ):
            return []
        self._settlement.lease_time = lease_time
        self._third_party = third_party
        if not third_party:
            self._wishes.stop_third_parties()
        return self._settlement.settle(self._settlement.all_places(), urgent=False)

    def set_internal_address(self, address: IPAddress) -> list[Order]:
        """Take our own address towards the router: its mappings are asked for anew."""
        self._settlement.addresses[address.version] = address
        return self._settlement.settle(self._settlement.all_places(), urgent=False)

    # Wishes.

    def wish(self, forward_id: str) -> Wish:
        """Return what the user wants of a forward."""
        return self._wishes.by_forward[forward_id]

    def open(self, forward_id: str, *, closes_at: float | None = None) -> list[Order]:
        """Want a forward; the mappings that are not granted are asked for at once.

        Also those that were refused. Without `closes_at` a forward that is wanted
        already keeps its own.
        """
        wish = self.wish(forward_id)
        if closes_at is None and wish.wanted:
            closes_at = wish.closes_at
        orders = self.set_wish(forward_id, Wish(wanted=True, closes_at=closes_at))
        asked = {order.key for order in orders if isinstance(order, Ask)}
        for lease in self._leases.of(self.forwards[forward_id]):
            if lease.wanted and lease.grant is None:
                lease.refusal = None
                if lease.key not in asked:
                    orders.append(Ask(lease.key, urgent=True))
        return orders

    def close(self, forward_id: str) -> list[Order]:
        """Stop wanting a forward."""
        return self.set_wish(forward_id, Wish())

    def set_wish(self, forward_id: str, wish: Wish) -> list[Order]:
        """Set what is wanted of a forward; what was asked for is not asked for again."""
        self._watch.forget(forward_id)
        return self._settlement.settle(self._wishes.set_wish(forward_id, wish))

    def close_all(self) -> list[Order]:
        """Stop wanting anything."""
        self._wishes.stop_all()
        return self._settlement.settle(self._settlement.all_places())

    def finished(self, forward_ids: Iterable[str], reachable: Reachable) -> list[str]:
        """Return which are temporary and closed, and so are to be removed.

        Also those that the router does not close now: that is owed without them.
        """

        def is_being_closed(lease: Lease) -> bool:
            answers = reachable.get(lease.key.internal_address.version)
            return answers is True and not lease.is_kept

        return [
            forward_id
            for forward_id in self._wishes.finished(forward_ids)
            if not any(map(is_being_closed, self._leases.of(self.forwards[forward_id])))
        ]

    # What is asked for, or not, while a form is still open.

    @property
    def tried(self) -> list[Forward]:
        """Return the forwards that are asked for and not defined yet."""
        return self._wishes.tried

    def begin_trial(self, forward: Forward, *, ends_at: float) -> list[Order]:
        """Ask for a forward that is not defined yet; `define` takes it over.

        It is given up when nobody has defined it by `ends_at`.
        """
        self._wishes.begin_trial(forward, ends_at=ends_at)
        return self._settlement.settle(forward.places())

    def end_trial(self, forward: Forward) -> list[Order]:
        """Give up a forward that was tried; a late grant is given back."""
        self._wishes.end_trial(forward)
        return self._settlement.settle(forward.places())

    def trial_standing(self, forward: Forward, reachable: Reachable) -> Standing:
        """Return how a forward stands that is tried."""
        leases = [lease for lease in self._leases.of(forward) if lease.wanted]
        addresses = self.internal_addresses
        return standing_of(forward, Wish(wanted=True), leases, reachable, addresses)

    def begin_change(self, forward_id: str, *, ends_at: float) -> list[Order]:
        """Close a forward to make way for its change; the wish stays what it is.

        It is asked for again, as it is defined then, when `define` brings the change,
        at `end_change`, or at `ends_at`.
        """
        self._watch.forget(forward_id)
        self._wishes.begin_change(forward_id, ends_at=ends_at)
        return self._settlement.settle(self.forwards[forward_id].places())

    def end_change(self, forward_id: str) -> list[Order]:
        """Ask again for a forward that was to be changed."""
        self._wishes.end_change(forward_id)
        return self._settlement.settle(self.forwards[forward_id].places())

    # Time.

    def next_wakeup(self) -> float | None:
        """Return when `handle_timer` has something to do."""
        return self._wishes.next_end()

    def handle_timer(self, *, now: float) -> list[Order]:
        """Close what has run its time, and end what was left undone."""
        return self._settlement.settle(self._wishes.end(now=now))

    # What the router says.

    def handle_event(self, event: Event) -> None:
        """Take the keeper's news."""
        if (key := self._leases.handle_event(event)) is not None:
            self._settlement.look_at([place_of(key)])

    def set_open_until(self, key: MappingKey, open_until: float | None) -> None:
        """Take from the keeper until when a mapping may exist."""
        if lease := self._leases.get(key):
            lease.open_until = open_until
            self._settlement.look_at([place_of(key)])

    def note_under_way(self, keys: Iterable[MappingKey]) -> None:
        """Take from the keeper, before it goes, what it has just asked for."""
        for key in keys:
            if lease := self._leases.get(key):
                lease.is_under_way = True

    # What there is to see.

    @property
    def leases(self) -> Mapping[MappingKey, Lease]:
        """Return all that is known of mappings, wanted or owed a deletion."""
        return self._leases.by_key

    def standing(self, forward_id: str, reachable: Reachable) -> Standing:
        """Return a forward as it stands."""
        forward = self.forwards[forward_id]
        leases = sorted(self._leases.of(forward), key=lambda lease: lease.key.order)
        wish, addresses = self.wish(forward_id), self.internal_addresses
        return standing_of(forward, wish, leases, reachable, addresses)

    def touch(self, *forward_ids: str) -> None:
        """Note that something has changed for some forwards, or for all."""
        for forward_id in forward_ids or self.forwards:
            self._wishes.touch(forward_id)

    def take_touched(self) -> set[str]:
        """Return the forwards that may stand otherwise than at the last call."""
        return self._wishes.take_touched()

    def take_news(self) -> list[News]:
        """Return what happened to forwards by itself since the last call."""
        return self._watch.take_news()

    # Storage.

    def snapshot(self) -> Snapshot:
        """Return all that must survive."""
        return Snapshot(
            internal_addresses=tuple(self._settlement.addresses.values()),
            wishes={
                forward_id: (wish.wanted, wish.closes_at)
                for forward_id, wish in self._wishes.by_forward.items()
            },
            leases=tuple(
                StoredLease(
                    wish=lease.wish,
                    grant=lease.grant,
                    open_until=lease.open_until,
                    is_asked_for=lease.is_asked_for,
                    is_under_way=lease.is_under_way,
                )
                for lease in self._leases
            ),
        )

    def restore(
        self, snapshot: Snapshot, forwards: Mapping[str, Forward], *, now: float
    ) -> None:
        """Take up what an earlier run left, of the forwards that are still defined.

        Durations that ran out meanwhile are closed; what lives of the rest is open.
        Nothing is asked for yet: `resume` returns the orders.
        """
        for _ in self.restore_in_steps(snapshot, forwards, now=now):
            pass

    def restore_in_steps(
        self, snapshot: Snapshot, forwards: Mapping[str, Forward], *, now: float
    ) -> Iterator[None]:
        """Do as `restore`, some at a time; nothing else may be done before the end."""
        for address in snapshot.internal_addresses:
            self._settlement.addresses[address.version] = address
        self._wishes.define(forwards)
        for forward_id, (wanted, closes_at) in snapshot.wishes.items():
            if forward_id in forwards:
                self._wishes.set_wish(
                    forward_id,
                    Wish(wanted=wanted, closes_at=closes_at if wanted else None),
                )
        self._wishes.end(now=now)
        if not self._third_party:
            self._wishes.stop_third_parties()
        for some in batched(snapshot.leases, _AT_ONCE, strict=False):
            yield
            self.adopt(map(maybe_renewed, some), now=now)
            self._settlement.recognise((it.wish.key for it in some), now=now)

    def adopt(self, leases: Iterable[StoredLease], *, now: float) -> None:
        """Take up leases as far as their mappings are not known; `resume` follows."""
        for stored in leases:
            if stored.wish.key not in self._leases.by_key:
                self._leases.keep(taken_up(stored, now=now))

    def resume(
        self, version: int, internal_address: IPAddress | None, *, now: float
    ) -> list[Order]:
        """Return the orders that hand the mappings of an IP version to a new keeper.

        Everything known is taken up again, and what nobody wants of it is closed. An
        own address that is not known yet is taken to be what it was.
        """
        steps = self.resume_in_steps(version, internal_address, now=now)
        return [order for orders in steps for order in orders]

    def resume_in_steps(
        self, version: int, internal_address: IPAddress | None, *, now: float
    ) -> Iterator[list[Order]]:
        """Do as `resume`, some at a time; acts may come in between.

        None of the orders, nor those of such acts, may be carried out before the end;
        then those of the acts come last.
        """
        if internal_address is not None:
            self._settlement.addresses[version] = internal_address
        for places in batched(self._leases.places(), _AT_ONCE, strict=False):
            yield self._settlement.take_up(places, version, now=now)
        all_places = dict.fromkeys(self._settlement.all_places())
        for places in batched(all_places, _AT_ONCE, strict=False):
            yield self._settlement.settle(places, urgent=False)

    def forget_leases(self, version: int) -> list[StoredLease]:
        """Forget the leases of an IP version, for its server is another; return them.

        The wishes stay: `resume` asks the new server for what is wanted.
        """
        forgotten = [
            stored
            for stored in self.snapshot().leases
            if stored.wish.key.internal_address.version == version
        ]
        for stored in forgotten:
            self._leases.forget(stored.wish.key)
        self._settlement.addresses.pop(version, None)
        for forward_id in self.forwards:
            self._watch.forget(forward_id)
        self.touch()
        return forgotten
