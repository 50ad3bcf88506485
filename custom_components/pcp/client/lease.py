"""The life of one mapping, from wanted to released.

A lease is our side of a mapping: what may happen to it in each state (`lease_facts`
tells how that follows from what is known), and what becomes of it:

    input       REQUESTING   GRANTED          REFUSED      RELEASING
    granted     GRANTED      GRANTED          GRANTED      -, deleted again
    give_back   REFUSED      REFUSED          REFUSED
    refused     REFUSED      GRANTED (*)      REFUSED      -, tried again
    deleted                                   -, gone      over, or once more
    lost        -            REQUESTING       REQUESTING   -
    ran_out                  REQUESTING (*)
    want        -            -                REQUESTING   REQUESTING
    release     RELEASING    RELEASING        RELEASING    -

(*) A refused renewal leaves the mapping alone; when it runs out before the hold ends
it is REFUSED. A lease that was never asked for is over as soon as it is released.

What was granted on terms we do not accept is *given back*: deleted while it is still
wanted.

A lease sends nothing and knows no server. Its keeper looks at `action_at`, sends a
delete or a map request as `must_delete` says, and tells `sent`.
"""

from dataclasses import replace

from .codec import IPAddress, ResultCode
from .lease_in_set import LeaseInSet
from .mapping import Grant, LeaseState, MappingWish, Refusal
from .timing import (
    CHECK_INTERVAL,
    LINGER,
    MINIMUM_RENEWAL_GAP,
    Jitter,
    Retransmission,
    renewal_at,
)


class Lease(LeaseInSet):
    """One mapping, and what may happen to it. All times are monotonic seconds."""

    __slots__ = ()

    leader: Lease | None
    followers: list[Lease]

    # What is wished for.

    def want(self, wish: MappingWish, *, now: float, urgent: bool) -> None:
        """Take a wish, new or again; `urgent` ends all holds and asks at once.

        What is wanted for a shorter time than before is renewed soon.
        """
        lifetime = self.requested_lifetime
        if self.grant is None and (
            wish.suggested_external_port != self.wish.suggested_external_port
        ):
            self.suggested_external_port = wish.suggested_external_port
        self.wish = wish
        if not self.wanted or (self.grant is None and urgent):
            self.wanted = True
            self._free()
            self._ask_at(now)
        elif self.grant and not self.accepts(self.grant.assigned_external_port):
            self.grant = None
            self._ask_at(now)
        elif self.grant and self.requested_lifetime < lifetime:
            self.ask_again(now=now)

    def release(self, *, now: float) -> None:
        """Stop wanting the mapping; `is_over` tells when nothing of it is left."""
        self.wanted = False
        self.grant = None
        self.giving_back = False
        self._free()
        self._ask_at(now)

    def ask_again(self, *, now: float, forced: bool = False) -> None:
        """Let the request be sent afresh; `forced` before the end of its hold.

        Renewals keep their distance of 4 s in any case. RFC 6887 11.2.1.
        """
        if forced:
            self._free()
        elif self.state is LeaseState.REFUSED and not self.giving_back:
            return
        at = max(now, self._held_until)
        if self.grant is not None:
            at = max(at, self._last_sent_at + MINIMUM_RENEWAL_GAP)
        self._ask_at(at)

    # What happens to it.

    def sent(
        self, schedule: Retransmission | None, *, now: float, jitter: Jitter
    ) -> None:
        """Note that the request due was sent; `schedule` is used when it is a new one.

        None for `schedule` makes it a renewal of 11.2.1: a single packet.
        """
        self._last_sent_at = now
        self._made_since_sent = False
        if self.must_delete:
            self._deleted_at = now
        else:
            self._asked_sources = self.wish.allowed_sources
            self._copies += 1
            self._unanswered_at = now
            asked_until = now + self.expected_lifetime
            self._asked_until = max(self._asked_until or 0.0, asked_until)
        self.awaiting = self.awaiting or schedule
        if self.awaiting is None:
            self._renewals += 1
            self._plan_renewal(jitter)
            return
        self.action_at = self.awaiting.sent(now=now)
        if self.action_at is None:
            # NAT-PMP gives up here (RFC 6886 3.1); the wish stays, so begin anew.
            if self.grant is not None and not self.is_doubtful:
                self.awaiting = None
                self._plan_renewal(jitter)
            else:
                self.action_at = now + CHECK_INTERVAL

    def granted(self, grant: Grant, *, now: float, jitter: Jitter) -> None:
        """Take a successful answer to a wanted mapping. RFC 6887 11.4."""
        self._answered(grant.expires_at)
        self._free()
        self.grant = grant
        self.is_attested = True
        self.is_doubtful = False
        self.removes_filters = False
        self.port_count = grant.port_range.count if grant.port_range else 1
        self.asks_singly = grant.port_range is None
        self.suggested_external_port = grant.assigned_external_port
        self.suggested_external_address = grant.assigned_external_address
        self._granted_until = grant.expires_at
        self._granted_lifetime = self._beyond_request(grant)
        self._granted_at = now
        self._renewals = 0
        self._plan_renewal(jitter)

    def give_back(self, refusal: Refusal, *, expires_at: float, now: float) -> None:
        """Take a grant that is not acceptable: refused, and to be deleted."""
        self._answered(expires_at)
        self.grant = None
        self.refusal = refusal
        self.giving_back = True
        self.is_attested = True
        self._granted_until = expires_at
        self._ask_at(now)

    def granted_unwanted(self, *, expires_at: float, now: float) -> None:
        """Take a late grant of a mapping that is being deleted: delete it again.

        A delete that is under way is no proof any more, and goes on being repeated.
        """
        self.is_attested = True
        self._granted_until = max(self._granted_until or 0.0, expires_at)
        self._unanswered_at = None
        self._made_since_sent = True
        if self.awaiting is None:
            self._ask_at(max(now, self._held_until))

    def deletion_lasts(self, *, expires_at: float) -> None:
        """Take the answer that the mapping goes by itself, and when. RFC 6887 15."""
        self.pause()
        self._asked_until = None
        self._granted_until = expires_at

    def deleted(self, *, now: float) -> None:
        """Take the answer that nothing is left on the server.

        A request that was never answered may still be under way: then the delete is
        sent once more when that cannot be any longer.
        """
        if self._made_since_sent:
            return
        self.is_attested = False
        self.pause()
        sent_at = self._unanswered_at
        if sent_at is not None and now < sent_at + LINGER:
            self.action_at = sent_at + LINGER
        else:
            self.gone(now=now)

    def gone(self, *, now: float) -> None:
        """Note that nothing is left; what was only given back is asked for again."""
        self._answered()
        self._granted_until = None
        self.giving_back = False
        self.pcp_until = float("-inf")
        self.removes_filters = False
        if self.refusal is not None and now < self.refusal.retry_at:
            self.action_at = self.refusal.retry_at
        elif self.wanted:
            self.ask_afresh(now=now)

    def refused(self, refusal: Refusal, *, jitter: Jitter) -> None:
        """Take an error answer to a create or a renewal. RFC 6887 8.3."""
        if self.may_be_granted_yet:
            self._granted_until = self.open_until
        self._answered()
        self.refusal = refusal
        self._held_until = refusal.retry_at
        if self.grant is None or self.is_doubtful:
            self.action_at = refusal.retry_at
        else:
            self._plan_renewal(jitter)

    def forget_assigned(self) -> bool:
        """Suggest what the wish does again; tell whether that is something else."""
        wish = self.wish
        before = self.suggested_external_port, self.suggested_external_address
        after = wish.suggested_external_port, wish.suggested_external_address
        self.suggested_external_port, self.suggested_external_address = after
        return after != before

    def hold(self, refusal: Refusal) -> None:
        """Wait with a request for a new mapping: the server said no to another."""
        self.awaiting = None
        self.refusal = refusal
        self._held_until = self.action_at = refusal.retry_at

    def deletion_refused(self, refusal: Refusal) -> None:
        """Take an error answer to a delete: it is tried again until it has run out.

        One of a mapping that is not there may look the same: the next is proof of it.
        """
        if refusal.result_code == ResultCode.NO_RESOURCES:
            self.is_attested = False
        self.awaiting = None
        self._held_until = self.action_at = refusal.retry_at

    def lost(self) -> None:
        """Take the news that the mapping is gone; holds end, for it is a new server."""
        self.grant = None
        self.is_attested = False
        self.asks_singly = False
        self._free()

    def ran_out(self, *, now: float) -> None:
        """Let the grant go that has run out, and ask again unless there is a hold."""
        self.grant = None
        if now < self._held_until:
            # The other ports of a set may be had one by one.
            self.asks_singly = bool(self.followers)
            self._ask_at(self._held_until)
        else:
            self.refusal = None
            self._ask_at(max(now, self._last_sent_at + MINIMUM_RENEWAL_GAP))

    def reassigned(self, address: IPAddress) -> None:
        """Take an external address that was told apart from the mapping (NAT-PMP)."""
        if self.grant is not None:
            self.grant = replace(self.grant, assigned_external_address=address)
            self.suggested_external_address = address

    def restore(
        self,
        *,
        wanted: bool,
        grant: Grant | None,
        open_until: float | None,
        now: float,
        is_under_way: bool = False,
    ) -> None:
        """Take up a lease again that an earlier life of ours had.

        `is_under_way` when a request of it may still be: see `deleted`.
        """
        self.wanted = wanted
        self._unanswered_at = now if is_under_way else None
        self._granted_until = open_until
        self.is_attested = grant is not None
        if grant is not None:
            self.suggested_external_port = grant.assigned_external_port
            self.suggested_external_address = grant.assigned_external_address
            self._granted_until = max(grant.expires_at, open_until or 0.0)
            self._granted_lifetime = self._beyond_request(grant)
            if self.leads:
                self.port_count = grant.port_range.count if grant.port_range else 1
            if wanted and grant.expires_at > now:
                self.grant = grant
                self.is_doubtful = True
                self._granted_at = grant.expires_at - grant.lifetime
        self.note_pcp()
        self._ask_at(now)

    # What the server makes of options. RFC 6887 7.3.

    def ask_otherwise(self, *, now: float) -> None:
        """Ask at once without the options for which a request was refused.

        Whoever refuses the form of a request has refused each copy of it.
        """
        if not self.must_delete:
            self._answered()
        at = now
        if self.grant is not None:
            at = max(at, self._last_sent_at + MINIMUM_RENEWAL_GAP)
        self.is_urgent = True
        self._ask_at(at)

    # Small things.

    def note_pcp(self) -> None:
        """Note that all that may exist of it, and of what follows, was asked for in PCP."""
        for lease in (self, *self.followers):
            lease.pcp_until = lease.open_until or float("-inf")

    def _plan_renewal(self, jitter: Jitter) -> None:
        """Plan the next single packet of 11.2.1, not before a hold ends."""
        assert self.grant is not None
        self.action_at = renewal_at(
            granted_at=self._granted_at,
            expires_at=self.grant.expires_at,
            step=self._renewals,
            earliest=max(self._last_sent_at + MINIMUM_RENEWAL_GAP, self._held_until),
            jitter=jitter,
        )
