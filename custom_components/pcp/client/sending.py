"""What is sent to a server, and when: turns, alarms, holds and the bytes.

Whoever changed a lease calls `plan`: what is due waits for its turn, the rest gets an
alarm. All that is sent leaves through `take_datagrams`.
"""

from collections.abc import Callable

from . import wire
from .alarms import Alarms
from .check import Check, Question
from .codec import IPAddress, ResultCode
from .events import Event, LeaseRefused, ServerProtocol
from .lease import Lease
from .map_options import deletion_options, mapping_options, without_optional
from .mapping import Refusal
from .refusals import refusal_of
from .server import Server
from .timing import (
    CHECK_INTERVAL,
    INITIAL_RETRANSMISSION,
    RENEWAL_RETRANSMISSION,
    Jitter,
    Retransmission,
    nat_pmp_retransmission,
    pcp_retransmission,
)
from .turns import Turns

# Enough to keep a server busy that answers one request at a time; few enough for the
# smallest socket buffer.
WINDOW = 8
# RFC 6886 3.1: one at a time.
NAT_PMP_WINDOW = 1
# So many requests are made at a time: a thousand that a person waits for would hold up
# the caller.
BURST = 32


class Sender:
    """Sends the requests of leases, each in its turn. All times are monotonic seconds."""

    def __init__(
        self, server: Server, *, jitter: Jitter, tell: Callable[[Event], None]
    ) -> None:
        """Begin with nothing to send, and no way to the server."""
        self.client_address: IPAddress | None = None
        """Our address towards the server, None while there is no way to it."""
        self.create_hold: Refusal | None = None
        """The last refusal that holds up new mappings, too."""
        self._server = server
        self._jitter = jitter
        self._tell = tell
        self._turns = Turns()
        self._alarms = Alarms()
        self._outbox: list[bytes] = []

    def next_at(self) -> float | None:
        """Return when the next alarm is due."""
        return self._alarms.next_at()

    def take_due(self, *, now: float) -> Lease | None:
        """Return a lease that needs attention now; the rest with the next burst."""
        return self._alarms.take_due(now=now) if len(self._outbox) < BURST else None

    def can_ask(self, lease: Lease) -> bool:
        """Tell whether a request may leave from our address. RFC 6887 8.1, 16.4."""
        return self.client_address is not None and (
            lease.wish.third_party or lease.key.internal_address == self.client_address
        )

    def may_create(self, *, now: float) -> bool:
        """Tell whether new mappings may be asked for. RFC 6887 11.4."""
        return self.create_hold is None or now >= self.create_hold.retry_at

    def plan(self, lease: Lease, *, now: float, urgent: bool = False) -> None:
        """Let a lease wait for its turn if it is due, and set its alarm."""
        if lease.action_at is not None and lease.action_at <= now:
            lease.action_at = None
            self._turns.wait(lease, urgent=urgent)
        elif lease.awaiting is None:
            self._turns.leave_place(lease)
        self._alarms.set(lease, lease.next_due())

    def settle(self, lease: Lease) -> None:
        """Take an answer: a lease neither waits nor holds up others any more."""
        self._turns.leave(lease)

    def forget(self, lease: Lease) -> None:
        """Let go of a lease that has ended."""
        self._turns.leave(lease)
        self._alarms.set(lease, None)

    @property
    def has_more(self) -> bool:
        """Tell whether there are more whose turn it is than were sent at a time."""
        return self._turns.is_anyone_next(window=self._window)

    def take_turns(self, *, now: float) -> None:
        """Send the requests of those whose turn it is, `BURST` of them at most."""
        while (
            len(self._outbox) < BURST
            and (turn := self._turns.take(window=self._window)) is not None
        ):
            lease, urgent = turn
            if urgent or not self._is_held(lease, now=now):
                self.send(lease, now=now)
                if not urgent and lease.awaiting is not None:
                    self._turns.take_place(lease)
            self._alarms.set(lease, lease.next_due())

    def take_datagrams(self) -> list[bytes]:
        """Return what was sent, in order, to be put on the wire."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def send(self, lease: Lease, *, now: float, single: bool = False) -> None:
        """Send what a lease has to send; `single` is the renewal packet of 11.2.1."""
        if not self.can_ask(lease):
            lease.pause()
            if self.client_address is None:
                self._server.expect_answer(since=now, now=now)
            return
        spoken = self._server.protocol or ServerProtocol.PCP
        if spoken is ServerProtocol.NAT_PMP and lease.wish.needs_pcp:
            self._refuse_in_nat_pmp(lease, now=now)
            return
        if lease.awaiting is None:
            self._begin_request(lease, spoken, now=now)
        self._post(self._request(lease, spoken))
        schedule = None if single else self._schedule(lease, spoken)
        lease.sent(schedule, now=now, jitter=self._jitter)
        if spoken is ServerProtocol.PCP and not lease.must_delete:
            lease.note_pcp()
        if lease.awaiting is not None:
            self._server.watch(lease.awaiting, now=now)

    def send_again(self, lease: Lease, *, now: float) -> None:
        """Send a request once more that was not answered. RFC 6887 8.1.1.

        A lease whose request was lost while others were answered holds up nobody.
        """
        if self._turns.has_place(lease):
            if self._is_held(lease, now=now):
                return
            if lease.awaiting and lease.awaiting.last_sent_at < self._server.heard_at:
                self._turns.leave_place(lease)
        self.send(lease, now=now)

    def send_check(self, check: Check, *, granted: bool, now: float) -> None:
        """Send the cheap question, or repeat it."""
        client_address = self.client_address
        if client_address is None:
            self._server.expect_answer(since=now, now=now)
            check.give_up(until=now + CHECK_INTERVAL)
            return
        questions = check.questions(
            self._server.protocol,
            over_ipv4=client_address.version == 4,
            granted=granted,
            silent=self._server.reachable is False,
            now=now,
        )
        for question in questions:
            match question:
                case Question.ANNOUNCE:
                    data = wire.announce_request(
                        client_address=client_address, prefix64=check.asks_prefix64
                    )
                case Question.PROBE:
                    data = wire.probe_request(
                        client_address=client_address,
                        nonce=check.nonce,
                        prefix64=check.asks_prefix64,
                    )
                case Question.EXTERNAL_ADDRESS:
                    data = wire.external_address_request()
            self._post(data)
        self._server.watch(check.sent(now=now), now=now)

    @property
    def _window(self) -> int:
        is_nat_pmp = self._server.protocol is ServerProtocol.NAT_PMP
        return NAT_PMP_WINDOW if is_nat_pmp else WINDOW

    def _begin_request(
        self, lease: Lease, spoken: ServerProtocol, *, now: float
    ) -> None:
        """Decide what a request asks for; its repetitions ask for the same."""
        is_nat_pmp = spoken is ServerProtocol.NAT_PMP
        lease.begin_request(may_be_set=not is_nat_pmp, now=now)
        if is_nat_pmp:
            lease.asked_options = ()
        elif lease.must_delete:
            lease.asked_options = deletion_options(
                lease.wish,
                client_address=self.client_address,
                port_count=lease.port_count_to_delete,
                manners=self._server.manners,
            )
        else:
            lease.asked_options = mapping_options(
                lease.wish,
                client_address=self.client_address,
                port_count=lease.port_count or 1,
                removes_filters=lease.removes_filters,
                manners=self._server.manners,
            )
        if lease.plain_options is not None:
            lease.asked_options = without_optional(lease.asked_options)

    def _request(self, lease: Lease, spoken: ServerProtocol) -> bytes:
        assert self.client_address is not None
        if lease.must_delete:
            return wire.delete_request(
                spoken,
                lease.wish,
                client_address=self.client_address,
                options=lease.asked_options,
            )
        return wire.map_request(
            spoken,
            lease.wish,
            client_address=self.client_address,
            lifetime=lease.requested_lifetime,
            suggested_external_port=lease.suggested_external_port,
            suggested_external_address=lease.suggested_external_address,
            options=lease.asked_options,
        )

    def _schedule(self, lease: Lease, spoken: ServerProtocol) -> Retransmission:
        if spoken is ServerProtocol.NAT_PMP:
            return nat_pmp_retransmission(self._jitter)
        renews = lease.grant is not None
        initial = RENEWAL_RETRANSMISSION if renews else INITIAL_RETRANSMISSION
        return pcp_retransmission(self._jitter, initial=initial)

    def _is_held(self, lease: Lease, *, now: float) -> bool:
        """Tell whether a new mapping may not be asked for, and let it wait then."""
        hold = self.create_hold
        if hold is None or self.may_create(now=now) or not lease.creates:
            return False
        lease.hold(hold)
        self._tell(LeaseRefused(lease.key, hold))
        return True

    def _refuse_in_nat_pmp(self, lease: Lease, *, now: float) -> None:
        """Refuse what NAT-PMP would make something else of, such as a wider door."""
        if lease.must_delete:
            lease.pause()
            return
        refusal = refusal_of(ResultCode.UNSUPP_OPTION, lifetime=0, now=now)
        lease.refused(refusal, jitter=self._jitter)
        self._tell(LeaseRefused(lease.key, refusal))

    def _post(self, data: bytes) -> None:
        self._server.requests += 1
        self._outbox.append(data)
