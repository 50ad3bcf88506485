"""The leases on one server: what becomes of them by wishes and time.

Each change of a lease is followed by `Sender.plan`, and its news is told. What
answers make of them is in `answers`.
"""

from collections.abc import Callable

from .codec import IPAddress, ResultCode
from .events import Event, LeaseGranted, LeaseLost, LeaseRefused, LeaseReleased
from .lease import Lease
from .mapping import Grant, LeaseState, MappingKey, MappingWish, Refusal
from .port_sets import PortSets, is_part, part_of
from .sending import Sender
from .server import Server
from .table import Table
from .timing import ROUND_TRIP, Jitter

# Some servers do not delete an IPv6 pinhole that was renewed (miniupnpd 2.3.1): where
# that was seen, a door that cannot be closed does not stay open for longer.
PINHOLE_LIFETIME = 600


class Leases:
    """All leases on one server. All times are monotonic seconds."""

    def __init__(
        self,
        server: Server,
        sender: Sender,
        *,
        jitter: Jitter,
        tell: Callable[[Event], None],
    ) -> None:
        """Begin with none."""
        self.table = Table()
        self._sender = sender
        self._jitter = jitter
        self._tell = tell
        self._sets = PortSets(self.table, server)
        self._successors: dict[MappingKey, MappingWish] = {}
        self._server = server

    # Wishes.

    def want(self, wish: MappingWish, *, now: float, urgent: bool) -> None:
        """Take a wish; raises ValueError when the nonce is another than before."""
        self._successors.pop(wish.key, None)
        lease = self.table.get(wish.key)
        if lease is None:
            lease = self._begin(wish)
            lease.ask_again(now=now)
        elif lease.wish.nonce == wish.nonce:
            had_ports = lease.wish.port_range
            lease.want(wish, now=now, urgent=urgent)
            if wish.port_range != had_ports:
                self.remake(lease.leader or lease, now=now)
        elif lease.wanted:
            raise ValueError("the nonce of a mapping does not change")
        else:
            self._successors[wish.key] = wish
            return
        lease.is_urgent = urgent
        self._place(lease, now=now)
        self.plan(lease, now=now, urgent=urgent)

    def release(self, key: MappingKey, *, now: float) -> None:
        """Stop wanting a mapping."""
        self._successors.pop(key, None)
        lease = self.table.get(key)
        if lease is None or not lease.wanted:
            return
        lease.release(now=now)
        if lease.leader is not None and lease.leader.wanted:
            self.remake(lease.leader, now=now)
        if lease.wish.ends_by_itself:
            self._sender.settle(lease)
        self.plan(lease, now=now, urgent=True)

    def let_go(self, key: MappingKey) -> None:
        """Forget a lease; it is neither deleted nor remembered."""
        self._successors.pop(key, None)
        if (lease := self.table.remove(key)) is not None:
            self._sender.forget(lease)
            for it in [lease, *lease.followers]:
                it.separate()

    def restore(
        self,
        wish: MappingWish,
        *,
        wanted: bool,
        grant: Grant | None,
        open_until: float | None,
        is_under_way: bool,
        now: float,
    ) -> None:
        """Take up a lease of an earlier life; raises ValueError when it is known."""
        lease = self._begin(wish)
        lease.restore(
            wanted=wanted,
            grant=grant,
            open_until=open_until,
            is_under_way=is_under_way,
            now=now,
        )
        self._place(lease, now=now)
        self.plan(lease, now=now)

    # Time.

    def handle_timer(self, *, now: float) -> bool:
        """Do what is due; tell whether a renewal was sent that is not repeated."""
        has_renewed = False
        while (lease := self._sender.take_due(now=now)) is not None:
            if lease.grant is not None and now >= lease.grant.expires_at:
                lease.ran_out(now=now)
                self._tell(LeaseLost(lease.key))
            elif lease.giving_back and not lease.is_open(now=now):
                lease.gone(now=now)
            elif lease.awaiting is not None and not lease.awaiting.is_exhausted:
                self._sender.send_again(lease, now=now)
            elif lease.state is LeaseState.GRANTED and not lease.is_doubtful:
                self._sender.send(lease, now=now, single=True)
                has_renewed = True
            elif not lease.is_over(now=now):
                lease.ask_afresh(now=now)
            self.plan(lease, now=now)
        return has_renewed

    # All of them.

    def ask_all(self, *, now: float, forced: bool) -> None:
        """Ask for everything again; `forced` before the end of holds, too."""
        if forced:
            self._sender.create_hold = None
        self._place_all(now=now)
        for lease in self.table:
            if self._sender.can_ask(lease):
                self._ask_again(lease, now=now, forced=forced)

    def doubt_all(self) -> None:
        """Let what was granted not be trusted before it is granted again."""
        for lease in self.table:
            lease.is_doubtful = True

    def delete_again(self, *, now: float) -> None:
        """Delete what may have been made in PCP: NAT-PMP's word is enough for it now."""
        for lease in self.table:
            may_be_pcp = now < lease.pcp_until
            if lease.must_delete and may_be_pcp and lease.awaiting is None:
                self._ask_again(lease, now=now, forced=True)

    def ask_unanswered(self, *, now: float) -> None:
        """Ask again for what was asked while the server was silent."""
        for lease in self.table:
            sent_at = lease.unanswered_since
            if sent_at is not None and sent_at + ROUND_TRIP < now:
                self._ask_again(lease, now=now)

    def ask_refused_in_pcp(self, *, now: float) -> None:
        """Ask again for what was refused because PCP seemed not to be spoken."""
        for lease in self.table:
            refusal = lease.refusal
            if refusal and refusal.result_code == ResultCode.UNSUPP_VERSION:
                self._ask_again(lease, now=now, forced=True)

    def renew_granted(
        self, *, at: float, now: float, asked_before: float = float("inf")
    ) -> None:
        """Renew every mapping, at `at`, that is not being renewed anyway.

        And was not since `asked_before`.
        """
        for lease in self.table:
            if lease.asked_at < asked_before and self._is_at_rest(lease):
                lease.ask_again(now=at)
                self.plan(lease, now=now)

    def renew_oldest(self, *, now: float, asked_before: float) -> bool:
        """Renew the mapping that was asked for longest ago; tell if there is one.

        One that waits for a hold to end is asked for then.
        """
        candidates = []
        for lease in self.table:
            if lease.asked_at >= asked_before or not self._is_at_rest(lease):
                continue
            if lease.is_held(now=now):
                lease.ask_again(now=now)
                self.plan(lease, now=now)
            # miniupnpd adds a rule for every PEER.
            elif lease.leader is None and not lease.wish.ends_by_itself:
                candidates.append(lease)
        if not candidates:
            return False
        self._ask_again(min(candidates, key=_age), now=now)
        return True

    @staticmethod
    def _is_at_rest(lease: Lease) -> bool:
        """Tell whether it is granted and no answer is waited for."""
        return lease.state is LeaseState.GRANTED and lease.awaiting is None

    def renew_one(self, *, now: float) -> bool:
        """Renew one mapping at once, or repeat a request for one; tell if there is one.

        The one that was asked for longest ago: what was lost is made again by turns.
        """
        # miniupnpd adds a rule for every PEER: it is no cheap question.
        candidates = [
            lease
            for lease in self.table
            if self._sender.can_ask(lease) and not lease.wish.ends_by_itself
        ]
        granted = (lease for lease in candidates if lease.may_renew(now=now))
        requested = (
            lease
            for lease in candidates
            if lease.creates and lease.awaiting and self._sender.may_create(now=now)
        )
        lease = min(granted, key=_age, default=None) or next(requested, None)
        if lease is None:
            return False
        self._ask_again(lease, now=now, urgent=True)
        return True

    def lose_all(self, *, now: float) -> None:
        """Make every mapping again. RFC 6887 8.5, 16.3.1.

        What is under way is left alone; holds end, for who told them is no more.
        """
        self._sender.create_hold = None
        for lease in self.table:
            if lease.state is LeaseState.GRANTED:
                self._tell(LeaseLost(lease.key))
            lease.lost()
        self._place_all(now=now)
        for lease in self.table:
            request = lease.awaiting
            if request is None or request.last_sent_at + ROUND_TRIP <= now:
                lease.ask_again(now=now)
            self.plan(lease, now=now)

    def end_holds(self, *, at: float, now: float) -> None:
        """Ask at `at` for all that was refused: who refused it is no more."""
        self._sender.create_hold = None
        for lease in self.table:
            if lease.state is not LeaseState.GRANTED and lease.awaiting is None:
                lease.ask_again(now=at, forced=True)
                self.plan(lease, now=now)

    def refuse_unanswered(self, refusal: Refusal, *, now: float) -> None:
        """Take a refusal of all that is being asked for."""
        for lease in self.table:
            if lease.is_unanswered and not lease.must_delete:
                self.refuse(lease, refusal)
                self.plan(lease, now=now)

    def tell_address(self, address: IPAddress) -> None:
        """Note the external address that NAT-PMP tells apart from the mappings."""
        for lease in self.table:
            if lease.grant is not None:
                previous = lease.grant
                lease.reassigned(address)
                self._tell(LeaseGranted(lease.key, lease.grant, previous))

    # One of them.

    def _begin(self, wish: MappingWish) -> Lease:
        lease = self.table.add(wish)
        self._limit(lease)
        return lease

    def limit_pinholes(self) -> None:
        """Ask for no IPv6 pinhole for long: the server does not delete them."""
        self._server.keeps_pinholes = True
        for lease in self.table:
            self._limit(lease)

    def _limit(self, lease: Lease) -> None:
        if self._server.keeps_pinholes and lease.key.internal_address.version == 6:
            lease.lifetime_limit = PINHOLE_LIFETIME

    def remake(self, leader: Lease, *, now: float) -> None:
        """Delete a set, if it is one, and ask again for what is wanted of it."""
        if leader.grant is None or leader.grant.port_range is None:
            return
        self.lose(leader)
        for lease in leader.followers:
            self.lose(lease)
        leader.remake(now=now)
        self.plan(leader, now=now, urgent=True)

    def lose(self, lease: Lease) -> None:
        """Tell that a mapping is gone, if it was there."""
        if lease.grant is not None:
            lease.grant = None
            self._tell(LeaseLost(lease.key))

    def refuse(self, lease: Lease, refusal: Refusal) -> None:
        """Take a refusal of one that is being asked for. RFC 6887 8.3."""
        if lease.followers and lease.grant is None:
            # The other ports may be had one by one.
            lease.asks_singly = True
        self._sender.settle(lease)
        lease.refused(refusal, jitter=self._jitter)
        self._tell(LeaseRefused(lease.key, refusal))

    def _ask_again(
        self, lease: Lease, *, now: float, forced: bool = False, urgent: bool = False
    ) -> None:
        lease.ask_again(now=now, forced=forced)
        self.plan(lease, now=now, urgent=urgent)

    def plan(self, lease: Lease, *, now: float, urgent: bool = False) -> None:
        """Let a lease be sent when it is due, or go when nothing of it is left.

        Those that follow it are planned, too.
        """
        if lease.leader is None and lease.is_urgent:
            urgent, lease.is_urgent = True, False
        if not lease.is_over(now=now):
            if lease.leader is not None:
                self._sender.settle(lease)
            self._sender.plan(lease, now=now, urgent=urgent)
        else:
            self._end(lease, now=now)
        for follower in sorted(lease.followers, key=lambda it: it.key.order):
            self._sets.place(follower, now=now)
            self.plan(follower, now=now)

    def _end(self, lease: Lease, *, now: float) -> None:
        for follower in lease.followers:
            self.lose(follower)
        if lease.leader is not None:
            lease.leave(now=now)
        self.table.end(lease, now=now)
        self._sender.forget(lease)
        self._tell(LeaseReleased(lease.key))
        if (wish := self._successors.pop(lease.key, None)) is not None:
            self.want(wish, now=now, urgent=True)

    def _place(self, lease: Lease, *, now: float) -> None:
        """Find out who asks for a new lease, and for those that it can lead."""
        self._sets.place(lease, now=now)
        self._take_part(lease)
        for member in self._sets.members(lease):
            if self._sets.place(member, now=now):
                self._take_part(member)
                self.plan(member, now=now)

    def _place_all(self, *, now: float) -> None:
        for lease in self.table:
            if self._sets.place(lease, now=now):
                self.plan(lease, now=now)

    def _take_part(self, lease: Lease) -> None:
        """Take what the one that a lease follows was granted before."""
        grant = lease.leader.grant if lease.leader else None
        if grant is not None and lease.wanted and is_part(lease, grant):
            previous, part = lease.grant, part_of(grant, lease)
            lease.granted_along(part)
            if part != previous:
                self._tell(LeaseGranted(lease.key, part, previous))


def _age(lease: Lease) -> float:
    return lease.asked_at
