"""The leases on one server: what becomes of them by wishes, answers and time.

Each change of a lease is followed by `Sender.plan`, and its news is told. What an
answer says of the server itself is the keeper's matter.
"""

from collections.abc import Callable

from .codec import IPAddress, ResultCode
from .events import (
    Event,
    LeaseGranted,
    LeaseKept,
    LeaseLost,
    LeaseReappeared,
    LeaseRefused,
    LeaseReleased,
    ServerProtocol,
)
from .lease import Lease
from .map_options import CANARY, codes_of, granted_set, has_optional
from .mapping import Grant, LeaseState, MappingKey, MappingWish, Refusal
from .port_sets import PortSets, is_part, part_of
from .refusals import port_taken, refusal_of
from .sending import Sender
from .server import Server
from .table import Table
from .timing import MAXIMUM_LIFETIME, ROUND_TRIP, Jitter
from .wire import MapAnswer

# Some servers do not delete an IPv6 pinhole that was renewed (miniupnpd 2.3.1): where
# that was seen, a door that cannot be closed does not stay open for longer.
PINHOLE_LIFETIME = 600

_OPTION_ERRORS = (ResultCode.UNSUPP_OPTION, ResultCode.MALFORMED_OPTION)


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
        self._server = server
        self._sender = sender
        self._jitter = jitter
        self._tell = tell
        self._sets = PortSets(self.table, server)
        self._successors: dict[MappingKey, MappingWish] = {}
        self._keeps_pinholes = False

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
                self._remake(lease.leader or lease, now=now)
        elif lease.wanted:
            raise ValueError("the nonce of a mapping does not change")
        else:
            self._successors[wish.key] = wish
            return
        lease.is_urgent = urgent
        self._place(lease, now=now)
        self._plan(lease, now=now, urgent=urgent)

    def release(self, key: MappingKey, *, now: float) -> None:
        """Stop wanting a mapping."""
        self._successors.pop(key, None)
        lease = self.table.get(key)
        if lease is None or not lease.wanted:
            return
        lease.release(now=now)
        if lease.leader is not None and lease.leader.wanted:
            self._remake(lease.leader, now=now)
        if lease.wish.ends_by_itself:
            self._sender.settle(lease)
        self._plan(lease, now=now, urgent=True)

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
        now: float,
    ) -> None:
        """Take up a lease of an earlier life; raises ValueError when it is known."""
        lease = self._begin(wish)
        lease.restore(wanted=wanted, grant=grant, open_until=open_until, now=now)
        self._place(lease, now=now)
        self._plan(lease, now=now)

    # Answers.

    def of_answer(self, answer: MapAnswer, *, now: float) -> Lease | None:
        """Return the lease that an answer is for, or None and count why not."""
        client_address = self._sender.client_address
        is_nat_pmp = answer.spoken is ServerProtocol.NAT_PMP
        if client_address is None:
            self._server.drop("unasked")
            return None
        if is_nat_pmp and self._server.protocol is not ServerProtocol.NAT_PMP:
            self._server.drop("version")
            return None
        address = answer.assigned_external_address
        if (
            answer.result_code == ResultCode.SUCCESS
            and address is not None
            and address.version != client_address.version
            # RFC 6887 12.4: behind a NAT64 the two may differ.
            and answer.remote is None
        ):
            self._server.drop("address")
            return None
        if lease := self.table.of_answer(answer, client_address):
            return lease
        if lease := self.table.revived_by(answer, client_address, now=now):
            self._tell(LeaseReappeared(lease.wish, now + _lifetime(answer)))
            return lease
        is_known = is_nat_pmp or self.table.knows_nonce(answer.nonce)
        self._server.drop("mapping" if is_known else "nonce")
        return None

    def take_answer(self, lease: Lease, answer: MapAnswer, *, now: float) -> None:
        """Take what the server says of a mapping. RFC 6887 11.4, RFC 6886 3.3."""
        if lease.leader is not None and lease.wanted:
            # It had asked for itself before.
            lease.leave(now=now)
        if answer.result_code != ResultCode.SUCCESS:
            self._on_error(lease, answer, now=now)
        elif lease.must_delete:
            self._on_success_unwanted(lease, answer, now=now)
        elif answer.lifetime and answer.assigned_external_port:
            self._on_success(lease, answer, now=now)
        else:
            # The late answer to a delete of what is wanted again, or it is gone.
            self._server.drop("stale")
            if lease.grant is not None:
                lease.ask_again(now=now)
        self._plan(lease, now=now)

    def refuse_unanswered(self, refusal: Refusal, *, now: float) -> None:
        """Take a refusal of all that is being asked for."""
        for lease in self.table:
            if lease.is_unanswered and not lease.must_delete:
                self._refuse(lease, refusal)
                self._plan(lease, now=now)

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
            elif lease.state is LeaseState.GRANTED:
                self._sender.send(lease, now=now, single=True)
                has_renewed = True
            elif not lease.is_over(now=now):
                lease.ask_afresh(now=now)
            self._plan(lease, now=now)
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

    def renew_granted(self, *, at: float, now: float) -> None:
        """Renew every mapping, at `at`, that is not being renewed anyway."""
        for lease in self.table:
            if lease.state is LeaseState.GRANTED and lease.awaiting is None:
                lease.ask_again(now=at)
                self._plan(lease, now=now)

    def renew_one(self, *, now: float) -> bool:
        """Renew one mapping at once, or repeat a request for one; tell if there is one."""
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
        lease = next(granted, None) or next(requested, None)
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
            self._plan(lease, now=now)

    def end_holds(self, *, at: float, now: float) -> None:
        """Ask at `at` for all that was refused: who refused it is no more."""
        self._sender.create_hold = None
        for lease in self.table:
            if lease.state is not LeaseState.GRANTED and lease.awaiting is None:
                lease.ask_again(now=at, forced=True)
                self._plan(lease, now=now)

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

    def _limit(self, lease: Lease) -> None:
        if self._keeps_pinholes and lease.key.internal_address.version == 6:
            lease.lifetime_limit = PINHOLE_LIFETIME

    def _on_success(self, lease: Lease, answer: MapAnswer, *, now: float) -> None:
        if CANARY in answer.options:
            self._server.manners.echoes = True
        previous = lease.grant
        grant = self._grant(lease, answer, now=now)
        if not lease.accepts(grant.assigned_external_port):
            self._give_back(lease, grant, now=now)
        elif previous is None or lease.is_unanswered or _differ(grant, previous):
            self._sender.settle(lease)
            lease.granted(grant, now=now, jitter=self._jitter)
            lease.echoed_options = codes_of(answer.options)
            self._tell(LeaseGranted(lease.key, grant, previous))
            self._share(lease, grant, now=now)
        # Else a copy, which must not make it seem to live longer. RFC 6887 8, 14.2.

    def _grant(self, lease: Lease, answer: MapAnswer, *, now: float) -> Grant:
        address = answer.assigned_external_address
        if answer.spoken is ServerProtocol.NAT_PMP:
            address = self._server.external_address
        port_range, before = granted_set(
            lease.asked_options,
            answer.options,
            internal_port=lease.key.internal_port,
        )
        return Grant(
            assigned_external_address=address,
            assigned_external_port=answer.assigned_external_port + before,
            lifetime=_lifetime(answer),
            expires_at=now + _lifetime(answer),
            port_range=port_range,
        )

    def _share(self, leader: Lease, grant: Grant, *, now: float) -> None:
        """Let others have their part of a grant, or ask themselves. RFC 7753 4.2, 6.4.

        A set with a port that is not wanted any more is deleted, and made anew.
        """
        followers = sorted(leader.followers, key=lambda lease: lease.key.order)
        parts = [lease for lease in followers if is_part(lease, grant) and lease.wanted]
        if grant.port_range and len(parts) + 1 < grant.port_range.count:
            self._remake(leader, now=now)
            return
        for lease in followers:
            if lease in parts:
                previous, part = lease.grant, part_of(grant, lease)
                lease.granted_along(part)
                self._tell(LeaseGranted(lease.key, part, previous))
            else:
                self._lose(lease)

    def _remake(self, leader: Lease, *, now: float) -> None:
        """Delete a set, if it is one, and ask again for what is wanted of it."""
        if leader.grant is None or leader.grant.port_range is None:
            return
        self._lose(leader)
        for lease in leader.followers:
            self._lose(lease)
        leader.remake(now=now)
        self._plan(leader, now=now, urgent=True)

    def _lose(self, lease: Lease) -> None:
        if lease.grant is not None:
            lease.grant = None
            self._tell(LeaseLost(lease.key))

    def _give_back(self, lease: Lease, grant: Grant, *, now: float) -> None:
        refusal = port_taken(now=now)
        if lease.grant is not None:
            self._tell(LeaseLost(lease.key))
        lease.give_back(refusal, expires_at=grant.expires_at, now=now)
        self._tell(LeaseRefused(lease.key, refusal))

    def _on_success_unwanted(
        self, lease: Lease, answer: MapAnswer, *, now: float
    ) -> None:
        """Take the answer to a delete, or a grant that came too late. RFC 6887 15.1."""
        self._sender.settle(lease)
        expires_at = now + _lifetime(answer)
        if answer.lifetime == 0:
            lease.deleted(now=now)
        elif answer.assigned_external_port:
            lease.granted_unwanted(expires_at=expires_at, now=now)
        else:
            # The seconds that are left may have been cut to whole ones.
            lease.deletion_lasts(expires_at=expires_at + 1.0)
            self._tell(LeaseKept(lease.key))

    def _on_error(self, lease: Lease, answer: MapAnswer, *, now: float) -> None:
        """Take a refusal. RFC 6887 8.3, 11.4.

        miniupnpd says NO_RESOURCES where there is nothing to delete; the hold of 11.4
        would punish the next wish for it.
        """
        if answer.result_code in _OPTION_ERRORS and (
            self._was_about_options(lease, answer, now=now)
        ):
            return
        is_full = answer.result_code == ResultCode.NO_RESOURCES
        refusal = refusal_of(answer.result_code, lifetime=answer.lifetime, now=now)
        if not lease.must_delete:
            if is_full:
                self._sender.create_hold = refusal
            if not self._asks_otherwise(lease, answer, now=now):
                self._refuse(lease, refusal)
            return
        self._sender.settle(lease)
        if lease.wish.ends_by_itself:
            return
        if is_full:
            lease.deleted(now=now)
            return
        lease.deletion_refused(refusal)
        self._tell(LeaseKept(lease.key))
        if answer.result_code == ResultCode.NOT_AUTHORIZED:
            self._keeps_pinholes = True
            for other in self.table:
                self._limit(other)

    def _asks_otherwise(self, lease: Lease, answer: MapAnswer, *, now: float) -> bool:
        """Ask for any address and port where PEER cannot have the ones it had.

        It implies PREFER_FAILURE; what it answers so was lost. RFC 6887 12.1, 12.3.
        """
        if not (
            answer.remote is not None
            and answer.result_code == ResultCode.CANNOT_PROVIDE_EXTERNAL
            and lease.forget_assigned()
        ):
            return False
        self._sender.settle(lease)
        if lease.grant is not None:
            self._tell(LeaseLost(lease.key))
        lease.lost()
        lease.ask_again(now=now)
        return True

    def _was_about_options(
        self, lease: Lease, answer: MapAnswer, *, now: float
    ) -> bool:
        """Ask again, once, without the options that a server may ignore.

        From then on they are left out. Late copies of such a refusal, which have the
        options that it was about (RFC 6887 7.3), mean nothing more.
        """
        if not lease.asked_optional:
            is_copy = has_optional(codes_of(answer.options))
            if is_copy:
                self._server.drop("stale")
            return is_copy
        self._server.manners.refuses = True
        self._sender.settle(lease)
        lease.ask_otherwise(now=now)
        return True

    def _refuse(self, lease: Lease, refusal: Refusal) -> None:
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
        self._plan(lease, now=now, urgent=urgent)

    def _plan(self, lease: Lease, *, now: float, urgent: bool = False) -> None:
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
            self._plan(follower, now=now)

    def _end(self, lease: Lease, *, now: float) -> None:
        for follower in lease.followers:
            self._lose(follower)
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
                self._plan(member, now=now)

    def _place_all(self, *, now: float) -> None:
        for lease in self.table:
            if self._sets.place(lease, now=now):
                self._plan(lease, now=now)

    def _take_part(self, lease: Lease) -> None:
        """Take what the one that a lease follows was granted before."""
        grant = lease.leader.grant if lease.leader else None
        if grant is not None and lease.wanted and is_part(lease, grant):
            previous, part = lease.grant, part_of(grant, lease)
            lease.granted_along(part)
            if part != previous:
                self._tell(LeaseGranted(lease.key, part, previous))


def _lifetime(answer: MapAnswer) -> int:
    """Return a lifetime as we act on it. RFC 6887 15."""
    return min(answer.lifetime, MAXIMUM_LIFETIME)


def _differ(grant: Grant, other: Grant) -> bool:
    """Tell whether two grants are more than two copies of one answer."""
    return (
        grant.assigned_external_port,
        grant.assigned_external_address,
        grant.lifetime,
    ) != (
        other.assigned_external_port,
        other.assigned_external_address,
        other.lifetime,
    )
