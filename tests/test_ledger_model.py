"""The ledger against a model: whatever is done, orders say all and nothing twice."""

from ipaddress import IPv4Address

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from custom_components.pcp.client.mapping import MappingKey
from custom_components.pcp.forward import Forward, ForwardStatus
from custom_components.pcp.news import ForwardLost
from custom_components.pcp.orders import Ask, Order, Release, Restore
from custom_components.pcp.snapshot import Snapshot

from .bookkeeping import ELSEWHERE, OWN, Bookkeeping, forward

IDS = ("a", "b", "c")
# So close together that they are in each other's place, over and over.
DEFINITIONS = [
    forward(),
    forward(external_port=8080),
    forward(80, protocol="tcp_udp"),
    forward(80, port_count=3),
    forward(82),
    forward(81, temporary=True),
    forward(80, target_host=str(ELSEWHERE)),
    forward(80, ip_version="both"),
]
definitions = st.sampled_from(DEFINITIONS)
ids = st.sampled_from(IDS)
seconds = st.integers(0, 50).map(float)


class LedgerMachine(RuleBasedStateMachine):
    """One ledger, and a keeper that only notes what it is told to keep."""

    def __init__(self) -> None:
        """Begin with nothing defined."""
        super().__init__()
        self.books = Bookkeeping(third_party=True)
        self.kept: dict[MappingKey, bytes] = {}
        self.nonces: dict[MappingKey, bytes] = {}
        self.lost: set[str] = set()

    @property
    def defined(self) -> dict[str, Forward]:
        """What is defined."""
        return dict(self.books.ledger.forwards)

    def carry_out(self, orders: list[Order]) -> None:
        """Do what the ledger says; it never says what is so already."""
        for order in orders:
            lease = self.books.ledger.leases[order.key]
            match order:
                case Release(key):
                    assert self.kept.pop(key)
                case Ask(key):
                    assert self.kept.get(key) in (None, lease.wish.nonce)
                    self.kept[key] = lease.wish.nonce
                case Restore(key) if lease.wanted:
                    self.kept[key] = lease.wish.nonce

    def fits(self, new: Forward, *, besides: str | None = None) -> bool:
        """Tell whether nothing is in the way of a definition."""
        others = [it for name, it in self.defined.items() if name != besides]
        return not any(
            new.overlaps(other) for other in (*others, *self.books.ledger.tried)
        )

    @initialize(first=definitions)
    def begin(self, first: Forward) -> None:
        """Begin with one that is open, so that there is something to do."""
        self.carry_out(self.books.define(a=first))
        self.carry_out(self.books.ledger.open("a"))

    @rule(name=ids, new=definitions)
    def define(self, name: str, new: Forward) -> None:
        """A definition comes or changes."""
        if self.fits(new, besides=name):
            self.carry_out(self.books.ledger.define(self.defined | {name: new}))

    @rule(name=ids)
    def remove(self, name: str) -> None:
        """A definition goes."""
        left = {it: value for it, value in self.defined.items() if it != name}
        self.carry_out(self.books.ledger.define(left))

    @rule(name=ids, duration=st.none() | seconds)
    def open(self, name: str, duration: float | None) -> None:
        """Somebody wants it."""
        if name in self.defined:
            closes_at = None if duration is None else self.books.now + duration
            self.carry_out(self.books.ledger.open(name, closes_at=closes_at))
            assert self.books.ledger.wish(name).wanted

    @rule(name=ids)
    def close(self, name: str) -> None:
        """Nobody wants it."""
        if name in self.defined:
            self.carry_out(self.books.ledger.close(name))

    @rule(new=definitions)
    def begin_trial(self, new: Forward) -> None:
        """A form is submitted."""
        if self.fits(new) and (
            new.target_host is None or self.books.ledger.third_party
        ):
            ends_at = self.books.now + 15
            self.carry_out(self.books.ledger.begin_trial(new, ends_at=ends_at))

    @rule(new=definitions)
    def end_trial(self, new: Forward) -> None:
        """The form's question was refused."""
        self.carry_out(self.books.ledger.end_trial(new))

    @rule(name=ids)
    def define_what_was_tried(self, name: str) -> None:
        """The form becomes a definition, and it is wanted."""
        tried = self.books.ledger.tried
        if name not in self.defined and tried:
            self.carry_out(self.books.ledger.define(self.defined | {name: tried[0]}))
            assert self.books.ledger.wish(name).wanted

    @rule(name=ids)
    def begin_change(self, name: str) -> None:
        """A form that changes it is submitted."""
        if name in self.defined:
            ends_at = self.books.now + 20
            self.carry_out(self.books.ledger.begin_change(name, ends_at=ends_at))

    @rule(name=ids)
    def end_change(self, name: str) -> None:
        """The change was refused."""
        if name in self.defined:
            self.carry_out(self.books.ledger.end_change(name))

    @rule(elapsed=seconds)
    def wait(self, elapsed: float) -> None:
        """Time passes."""
        end = self.books.now + elapsed
        while (at := self.books.ledger.next_wakeup()) is not None and at <= end:
            self.books.now = max(self.books.now, at)
            self.carry_out(self.books.ledger.handle_timer(now=self.books.now))
            following = self.books.ledger.next_wakeup()
            assert following is None or following > self.books.now
        self.books.now = end

    @rule(address=st.sampled_from([OWN, OWN + 1]))
    def move(self, address: IPv4Address) -> None:
        """Our own address is another."""
        self.carry_out(self.books.ledger.set_internal_address(address))

    @rule(allowed=st.booleans(), lease_time=st.sampled_from([3600, 7200]))
    def set_options(self, allowed: bool, lease_time: int) -> None:
        """The options change."""
        self.carry_out(
            self.books.ledger.set_options(lease_time=lease_time, third_party=allowed)
        )

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        """The router says something about a mapping that is kept."""
        key = data.draw(st.sampled_from(sorted(self.kept, key=lambda key: key.order)))
        what = data.draw(
            st.sampled_from([self.books.grant, self.books.refuse, self.books.lose])
        )
        what(key)

    @rule()
    def answer_deletions(self) -> None:
        """The router deletes what is not wanted."""
        for key in self.books.owed():
            self.books.release(key)
            self.nonces.pop(key)

    @rule(elapsed=seconds)
    def restart(self, elapsed: float) -> None:
        """All is stored, and taken up by a keeper that knows nothing."""
        stored = self.books.ledger.snapshot().as_json(wall_offset=1e9)
        snapshot, damage = Snapshot.from_json(stored, wall_offset=1e9)
        assert damage == []
        books = Bookkeeping(own=False, third_party=True)
        nonce = self.books.ledger._settlement._nonce
        books.ledger._settlement._nonce = nonce
        books.now = self.books.now + elapsed
        books.ledger.restore(snapshot, self.defined, now=books.now)
        self.books = books
        self.kept.clear()
        self.lost.clear()
        self.carry_out(books.resume(None))

    @invariant()
    def what_is_wanted_is_what_is_kept(self) -> None:
        """No order is missing, and none too many."""
        wanted = {
            key: lease.wish.nonce
            for key, lease in self.books.ledger.leases.items()
            if lease.wanted
        }
        assert wanted == self.kept

    @invariant()
    def what_is_wanted_is_what_the_wishes_need(self) -> None:
        """A settling of some places is worth one of all."""
        settlement = self.books.ledger._settlement
        assert settlement.settle(settlement.all_places()) == []

    @invariant()
    def a_mapping_keeps_its_nonce(self) -> None:
        """As long as anything of it may be left."""
        leases = self.books.ledger.leases
        for key, lease in leases.items():
            assert self.nonces.setdefault(key, lease.wish.nonce) == lease.wish.nonce
        assert len({lease.wish.nonce for lease in leases.values()}) == len(leases)

    @invariant()
    def a_status_is_true(self) -> None:
        """Open is granted in full; closed is nothing left."""
        for name, defined in self.defined.items():
            standing = self.books.standing(name)
            granted = [it for it in standing.leases if it.wanted and it.grant]
            match standing.status:
                case ForwardStatus.OPEN:
                    assert len(granted) == defined.mapping_count
                case ForwardStatus.CLOSED:
                    assert not standing.wish.wanted
                    assert not standing.leases
                case ForwardStatus.CLOSING:
                    assert not standing.wish.wanted
                case _:
                    assert standing.wish.wanted

    @invariant()
    def news_take_turns(self) -> None:
        """Restored is only what was lost, and lost only what was not."""
        for news in self.books.ledger.take_news():
            if isinstance(news, ForwardLost):
                self.lost.add(news.forward_id)
            else:
                self.lost.remove(news.forward_id)


TestLedgerModel = LedgerMachine.TestCase
TestLedgerModel.settings = settings(
    max_examples=100, stateful_step_count=50, deadline=None
)
