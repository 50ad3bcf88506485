"""What is known of one mapping, and what follows from it.

The state of a lease is not stored but follows from three facts, so that they cannot
contradict each other:

    wanted    grant    refusal     state
    no        -        -           RELEASING    until nothing of it can be left
    yes       live     any         GRANTED      renewed on the schedule of 11.2.1
    yes       none     some        REFUSED      asked again at refusal.retry_at
    yes       none     none        REQUESTING   asked again on the schedule of 8.1.1

`open_until` is the other half of honesty: until then the mapping may exist on the
server, for a request may have been granted by an answer that was lost.

Nothing is changed here: that is what `lease` does.
"""

from typing import Self

from .codec import Option, OptionCode
from .map_options import codes_of, has_optional
from .mapping import Grant, LeaseState, LeaseView, MappingKey, MappingWish, Refusal
from .timing import LINGER, MINIMUM_RENEWAL_GAP, ROUND_TRIP, Retransmission


class LeaseFacts:
    """One mapping: what is wanted, what was granted, and when to act.

    All times are monotonic seconds.
    """

    __slots__ = (
        "_asked_sources",
        "_asked_until",
        "_copied_at",
        "_copies",
        "_deleted_at",
        "_granted_at",
        "_granted_lifetime",
        "_granted_until",
        "_held_until",
        "_last_sent_at",
        "_made_since_sent",
        "_renewals",
        "_unanswered_at",
        "action_at",
        "asked_options",
        "asks_singly",
        "awaiting",
        "echoed_options",
        "followers",
        "giving_back",
        "grant",
        "is_attested",
        "is_doubtful",
        "is_urgent",
        "leader",
        "lifetime_limit",
        "pcp_until",
        "plain_options",
        "port_count",
        "refusal",
        "removes_filters",
        "suggested_external_address",
        "suggested_external_port",
        "wanted",
        "wish",
    )

    def __init__(self, wish: MappingWish) -> None:
        """Begin with a wish that nobody was asked for yet."""
        self.wish = wish
        self.wanted = True
        self.grant: Grant | None = None
        self.refusal: Refusal | None = None
        self.giving_back = False
        """What was granted is not acceptable and has to be deleted first."""
        self.suggested_external_port = wish.suggested_external_port
        self.suggested_external_address = wish.suggested_external_address
        self.lifetime_limit: int | None = None
        """Seconds that are asked for at most, whatever the wish."""
        self.leader: Self | None = None
        """Whose requests are for this mapping, too: it asks for nothing itself."""
        self.followers: list[Self] = []
        """Those that this one leads. RFC 7753."""
        self.port_count: int | None = None
        """Ports that the last request was for, or that were granted; None at first."""
        self.asks_singly = False
        """It was answered as a mapping of one port, and leads and follows nobody."""
        self.is_doubtful = False
        """Its grant is from before a restart or in another protocol: may be lost."""
        self.is_attested = False
        """The server has told that it is there, and nothing else since."""
        self.pcp_until = float("-inf")
        """Until when one may exist that was made in PCP, of which NAT-PMP tells nothing."""
        self.is_urgent = False
        """A person waits, should it have to ask itself."""
        self.asked_options: tuple[Option, ...] = ()
        """Those of the last request; a repetition has the same."""
        self.plain_options: tuple[Option, ...] | None = None
        """What is left of those that were refused; not None: the others are left out."""
        self.echoed_options: frozenset[int] = frozenset()
        """The codes of those that came back with the last grant. It proves nothing."""
        self.removes_filters = False
        """The server may have other filters than are wished for. RFC 6887 13.3."""
        self.action_at: float | None = None
        """When the next request is due, monotonic seconds."""
        self.awaiting: Retransmission | None = None
        """The schedule of the request that is repeated until it is answered."""
        self._granted_at = 0.0
        self._granted_lifetime = 0
        """Seconds of the last grant, if the server gave more than was asked for."""
        self._renewals = 0
        """Single packets of 11.2.1 since it was granted."""
        self._last_sent_at = float("-inf")
        self._held_until = float("-inf")
        self._copies = 0
        """Map requests since the last answer."""
        self._deleted_at = float("-inf")
        """When a delete was last sent; each of its copies may be answered."""
        self._unanswered_at: float | None = None
        """When the last request for it was sent, until it is answered."""
        self._copied_at: float | None = None
        """When the last of several was sent: one of them was answered."""
        self._asked_until: float | None = None
        """Until when it may exist if an unanswered request was granted."""
        self._granted_until: float | None = None
        """Until when it may exist by what the server has told."""
        self._made_since_sent = False
        """A grant was heard after the last delete was sent."""
        self._asked_sources = wish.allowed_sources

    # What it is.

    @property
    def key(self) -> MappingKey:
        """Return what names the mapping."""
        return self.wish.key

    @property
    def requested_lifetime(self) -> int:
        """Return the seconds to ask for."""
        if self.lifetime_limit is None:
            return self.wish.lifetime
        return min(self.wish.lifetime, self.lifetime_limit)

    @property
    def expected_lifetime(self) -> int:
        """Return the seconds that a request may be granted: the last one was."""
        return max(self.requested_lifetime, self._granted_lifetime)

    def _beyond_request(self, grant: Grant) -> int:
        """Return the seconds of a grant of more than was asked for, 0 of any other."""
        return grant.lifetime if grant.lifetime > self.requested_lifetime else 0

    @property
    def state(self) -> LeaseState:
        """Return where the lease stands."""
        if not self.wanted:
            return LeaseState.RELEASING
        if self.grant is not None:
            return LeaseState.GRANTED
        return LeaseState.REQUESTING if self.refusal is None else LeaseState.REFUSED

    @property
    def must_delete(self) -> bool:
        """Tell whether the next request is a delete: unwanted, or given back."""
        return not self.wanted or self.giving_back

    @property
    def creates(self) -> bool:
        """Tell whether the next request is for a new mapping."""
        return self.grant is None and not self.must_delete

    @property
    def open_until(self) -> float | None:
        """Return until when the mapping may exist on the server, monotonic seconds."""
        times = [self._granted_until, self._asked_until]
        if self.leader is not None:
            times.append(self.leader.open_until)
        return max((at for at in times if at is not None), default=None)

    @property
    def asked_at(self) -> float:
        """Return when anything was last asked about it, monotonic seconds."""
        return self._last_sent_at

    @property
    def has_asked(self) -> bool:
        """Tell whether anything was asked about it in this life."""
        return self._last_sent_at > float("-inf")

    @property
    def unanswered_since(self) -> float | None:
        """Return when the request was last sent that is not answered yet, if any."""
        return self.awaiting.last_sent_at if self.awaiting else self._unanswered_at

    @property
    def is_unanswered(self) -> bool:
        """Tell whether an answer is still to be expected."""
        return self.unanswered_since is not None

    def is_under_way(self, *, now: float) -> bool:
        """Tell whether a request for the mapping may still come to the server."""
        times = (self._unanswered_at, self._copied_at)
        return any(at is not None and now < at + LINGER for at in times)

    def may_precede_request(self, expires_at: float) -> bool:
        """Tell whether a grant may be of before the request that it seems to answer.

        It ends when it was known to end: a Mapping Update has what is left of the
        lifetime, and the request may prolong that yet. RFC 6887 14.2.
        """
        known = self._granted_until
        return known is not None and expires_at <= known + ROUND_TRIP

    @property
    def may_be_granted_yet(self) -> bool:
        """Tell whether a refusal may not be of the last request for the mapping.

        It may be of another copy, or of a delete that was sent shortly before.
        """
        return self._copies > 1 or self._last_sent_at < self._deleted_at + LINGER

    def may_renew(self, *, now: float) -> bool:
        """Tell whether it is granted and neither a hold nor 11.2.1 forbids to ask."""
        return (
            self.state is LeaseState.GRANTED
            and self.leader is None
            and max(self._held_until, self._last_sent_at + MINIMUM_RENEWAL_GAP) <= now
        )

    def is_held(self, *, now: float) -> bool:
        """Tell whether a refusal forbids to ask for it now. RFC 6887 8.3."""
        return now < self._held_until

    def is_open(self, *, now: float) -> bool:
        """Tell whether the mapping may exist on the server."""
        return self.open_until is not None and now < self.open_until

    def may_be_gone(self, *, now: float) -> bool:
        """Tell whether a server that finds nothing to delete is to be believed.

        Not the first time if it should be there, nor a copy of that answer; but at once
        of a port that may have been deleted with others. RFC 7753.
        """
        is_alone = self.wish.port_range is None
        return not (is_alone and (self.is_attested or self.is_held(now=now)))

    def is_over(self, *, now: float) -> bool:
        """Tell whether nothing of an unwanted mapping can be left on the server."""
        return not self.wanted and not self.is_open(now=now)

    def next_due(self) -> float | None:
        """Return when the lease needs attention, monotonic seconds, or None."""
        ends_at = None
        if self.grant is not None:
            ends_at = self.grant.expires_at
        elif self.must_delete:
            ends_at = self.open_until
        times = [at for at in (self.action_at, ends_at) if at is not None]
        return min(times, default=None)

    def view(self, *, now: float) -> LeaseView:
        """Return the lease as it is now."""
        return LeaseView(
            key=self.key,
            state=self.state,
            grant=self.grant,
            refusal=self.refusal,
            open_until=self.open_until if self.is_open(now=now) else None,
            filter_echoed=self._is_echoed(OptionCode.FILTER),
            description_echoed=self._is_echoed(OptionCode.DESCRIPTION),
        )

    def accepts(self, assigned_external_port: int) -> bool:
        """Tell whether the wish is content with a port."""
        return not self.wish.exact or (
            assigned_external_port == self.wish.suggested_external_port
        )

    # Several ports at once. RFC 7753.

    @property
    def leads(self) -> bool:
        """Tell whether its requests may be for the ports that follow, too."""
        ports = self.wish.port_range
        return ports is not None and ports.first == self.key.internal_port

    @property
    def port_count_to_delete(self) -> int:
        """Return for how many ports it may be on the server."""
        ports = self.wish.port_range
        most = ports.count if ports is not None and self.leads else 1
        return self.port_count or most

    def reaches(self, lease: LeaseFacts) -> bool:
        """Tell whether the last request, or what it made, is for another's port, too."""
        offset = lease.key.internal_port - self.key.internal_port
        return 0 < offset < self.port_count_to_delete

    def has_granted(self, lease: LeaseFacts) -> bool:
        """Tell whether another's port was granted to it, now or in an earlier life."""
        is_known = self.grant is not None or not self.has_asked
        return is_known and self.port_count is not None and self.reaches(lease)

    def _wanted_count(self) -> int:
        ports = {it.key.internal_port for it in self.followers if it.wanted}
        count = 1
        while self.key.internal_port + count in ports:
            count += 1
        return count

    # What the server makes of options. RFC 6887 7.3.

    @property
    def asked_optional(self) -> bool:
        """Tell whether the last request had options that a server may ignore."""
        return has_optional(codes_of(self.asked_options))

    def _is_echoed(self, code: OptionCode) -> bool | None:
        answered = self.leader or self
        if answered.grant is None or code not in codes_of(answered.asked_options):
            return None
        return code in answered.echoed_options
