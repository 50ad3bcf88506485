"""One server and all our leases on it, sans-io.

Datagrams, wishes and the time go in; datagrams, news and the next wake-up come out.
The keeper has no socket, no clock and no randomness of its own. After any input its
caller drains `next_event`, sends `datagrams_to_send` and wakes it at `next_wakeup`.

The leases' own matters are in `leases` and `answers`, whether the server answers and
in which protocol in `contact`; what its datagrams tell is in `reception`.
"""

from collections import deque
from collections.abc import Callable

from . import wire
from .answers import Answers
from .check import Check
from .codec import SERVER_PORT, DecodeError, IPAddress, ResultCode
from .contact import Contact
from .events import Event
from .hearsay import Hearsay
from .leases import Leases
from .mapping import Grant, LeaseView, MappingKey, MappingWish
from .reception import Reception
from .rounds import Rounds
from .sending import Sender
from .server import Server, ServerView
from .timing import ROUND_TRIP, Jitter


class Keeper:
    """The leases on one server. All times are monotonic seconds, and never go back."""

    def __init__(
        self,
        server: IPAddress,
        *,
        nonce: Callable[[], bytes],
        jitter: Jitter,
        now: float,
    ) -> None:
        """Begin with nothing known.

        `nonce` returns 12 unpredictable octets, `jitter` a number in [0, 1).
        """
        self._now = now
        self._events: deque[Event] = deque()
        tell = self._events.append
        self._server = Server(address=server)
        self._sender = Sender(self._server, jitter=jitter, tell=tell)
        self._leases = Leases(self._server, self._sender, jitter=jitter, tell=tell)
        answers = Answers(
            self._server, self._sender, self._leases, jitter=jitter, tell=tell
        )
        self._check = Check(
            jitter=jitter, new_nonce=nonce, due_at=now, retry_pcp_at=now
        )
        self._hearsay = Hearsay(jitter)
        self._rounds = Rounds(self._leases)
        self._contact = Contact(
            self._server, self._leases, self._check, self._hearsay, tell=tell
        )
        self._reception = Reception(
            self._server,
            self._leases,
            answers,
            self._check,
            self._hearsay,
            self._contact,
            self._rounds,
            tell=tell,
        )
        self._aliases: frozenset[IPAddress] = frozenset()
        self._last_client_address: IPAddress | None = None

    # What the caller may see.

    @property
    def server(self) -> IPAddress:
        """Return the server's address; its port is always 5351."""
        return self._server.address

    @property
    def client_address(self) -> IPAddress | None:
        """Return our address towards the server, None while there is no way to it."""
        return self._sender.client_address

    @property
    def is_heard(self) -> bool:
        """Tell whether the server has answered since we have our address."""
        return self._contact.is_heard

    def server_view(self) -> ServerView:
        """Return the server as it is now."""
        return self._server.view()

    def lease(self, key: MappingKey) -> LeaseView | None:
        """Return one lease as it is now, None when there is none."""
        lease = self._leases.table.get(key)
        return None if lease is None else lease.view(now=self._now)

    def leases(self) -> tuple[LeaseView, ...]:
        """Return all leases as they are now, in the order of their mappings."""
        return self._views(peers=False)

    def peers(self) -> tuple[LeaseView, ...]:
        """Return the leases on outgoing flows as they are now. RFC 6887 12."""
        return self._views(peers=True)

    def under_way(self, *, now: float) -> list[MappingKey]:
        """Return for which mappings a request may still come to the server."""
        return [it.key for it in self._leases.table if it.is_under_way(now=now)]

    def next_event(self) -> Event | None:
        """Return the next piece of news, None when all is told."""
        if not self._events:
            # Who comes to his turn may be held: that is news, too.
            self._send_due()
        return self._events.popleft() if self._events else None

    def next_wakeup(self) -> float | None:
        """Return when `handle_timer` is to be called, monotonic seconds.

        At once, where there is more to send than was returned at a time.
        """
        if self._sender.has_more:
            return self._now
        times = (
            self._check.due_at,
            self._server.silent_at,
            self._hearsay.next_at(),
            self._rounds.next_at(),
            self._sender.next_at(),
        )
        return min((at for at in times if at is not None), default=None)

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """Return what is to be sent to the server now, in order.

        Of a great many the first few dozen: again until there are none, or at
        `next_wakeup`.
        """
        self._advance(now)
        self._send_due()
        return self._sender.take_datagrams()

    # Wishes.

    def want(self, wish: MappingWish, *, now: float, urgent: bool = True) -> None:
        """Ask for a mapping and keep it; of a known one only the terms are renewed.

        A PeerWish is for an outgoing flow, which is kept alive so without any traffic.
        `urgent` when a person waits for it: it passes all holds and the queue. Raises
        ValueError, and changes nothing, when the nonce is not the known mapping's; one
        that is still being released is asked for with its new nonce after that.
        """
        self._advance(now)
        self._leases.want(wish, now=now, urgent=urgent)

    def release(self, key: MappingKey, *, now: float) -> None:
        """Delete a mapping; LeaseReleased tells when nothing of it is left.

        An outgoing flow's cannot be deleted: it runs out. RFC 6887 12.1.
        """
        self._advance(now)
        self._leases.release(key, now=now)

    def let_go(self, key: MappingKey) -> None:
        """Forget a lease without a word to the server: somebody else sees to it."""
        self._leases.let_go(key)

    def restore(
        self,
        wish: MappingWish,
        *,
        wanted: bool,
        grant: Grant | None,
        open_until: float | None,
        now: float,
        is_under_way: bool = False,
    ) -> None:
        """Take up a lease that an earlier life of ours had, and ask for it again.

        `open_until` is until when the mapping may exist though no grant is known;
        `is_under_way` when that life sent a request just before that was not answered.
        Raises ValueError, and changes nothing, when the mapping is known.
        """
        self._advance(now)
        self._leases.restore(
            wish,
            wanted=wanted,
            grant=grant,
            open_until=open_until,
            is_under_way=is_under_way,
            now=now,
        )

    def limit_pinholes(self) -> None:
        """Ask for no IPv6 pinhole for long: an earlier life of ours saw it kept."""
        self._leases.limit_pinholes()

    def renew_all(self, *, now: float) -> None:
        """Ask for everything again, holds or not, because a person says so.

        A server that speaks NAT-PMP is asked in PCP, too. RFC 6887 9.
        """
        self._advance(now)
        self._check.retry_pcp_at = now
        self._check.allow_prefix64()
        self._leases.ask_all(now=now, forced=True)
        self._check.restart(now=now)

    # Inputs.

    def set_client_address(self, address: IPAddress | None, *, now: float) -> None:
        """Take our own address towards the server, None when there is no way to it.

        Another one than before makes us another client, to whom no hold was told.
        """
        self._advance(now)
        if address == self._sender.client_address:
            return
        self._sender.client_address = address
        if address is None:
            # Whom we cannot ask we do not hear, unless the way is soon there again.
            self._server.expect_answer(since=now, now=now)
        else:
            is_new = address != self._last_client_address
            self._last_client_address = address
            self._contact.is_heard = False
            self._reception.forget_prefixes()
            self._leases.ask_all(now=now, forced=is_new)
            self._check.restart(now=now)

    def set_aliases(self, aliases: frozenset[IPAddress]) -> None:
        """Take the other addresses that announcements of this server come from."""
        self._aliases = aliases

    def connection_refused(self, *, now: float) -> None:
        """Take the ICMP message that nobody listens on the server's port."""
        self._advance(now)
        self._contact.fall_silent()

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """Take a datagram from the server's address and port. RFC 6887 8.3."""
        self._advance(now)
        if (answer := self._read(data)) is not None:
            self._reception.take(answer, now=now)

    def receive_announcement(
        self, data: bytes, source: IPAddress, source_port: int, *, now: float
    ) -> None:
        """Take a multicast datagram; a server that announces itself is verified.

        Nothing in it is believed, for anybody on the LAN can send one. After a random
        wait one request tells whether the server lost its state. RFC 6887 14.1.3.
        """
        self._advance(now)
        if source_port != SERVER_PORT or source not in {self.server, *self._aliases}:
            self._server.drop("source")
            return
        match self._read(data):
            case wire.StatusAnswer(result_code=ResultCode.SUCCESS) as answer:
                self._reception.take_announcement(answer, now=now)
            case wire.MapAnswer() | wire.StatusAnswer() | wire.VersionAnswer():
                self._server.drop("opcode")

    def handle_timer(self, *, now: float) -> None:
        """Do what is due."""
        self._advance(now)
        self._contact.handle_timer(now=now)
        self._reception.handle_timer(now=now)
        if self._leases.handle_timer(now=now):
            self._check.begin_by(now + ROUND_TRIP)
        if self._server.silent_at is not None:
            # It may be one request only that it does not answer.
            self._check.begin_by(self._server.silent_at - ROUND_TRIP)

    def _send_due(self) -> None:
        """Send what is due: the requests whose turn it is, and the check."""
        self._sender.take_turns(now=self._now)
        if self._now >= self._check.due_at:
            granted = any(lease.grant for lease in self._leases.table)
            self._sender.send_check(self._check, granted=granted, now=self._now)

    # Small things.

    def _views(self, *, peers: bool) -> tuple[LeaseView, ...]:
        return tuple(
            lease.view(now=self._now)
            for lease in self._leases.table
            if (lease.key.remote is not None) is peers
        )

    def _advance(self, now: float) -> None:
        if now < self._now:
            raise ValueError(f"time went back from {self._now} to {now}")
        self._now = now

    def _read(self, data: bytes) -> wire.Answer | None:
        try:
            return wire.read(data)
        except DecodeError as err:
            self._server.drop(err.reason)
            return None
