"""A keeper in a world of explicit time: scripted by hand, or joined to a router.

Nothing sleeps. Time jumps from one wake-up to the next and never past one; a world
that does not come to rest fails. What the keeper sends is kept decoded, with its time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any

from custom_components.pcp.client.codec import (
    NAT_PMP_VERSION,
    SERVER_PORT,
    ExternalAddressResponse,
    IPAddress,
    MapRequest,
    NatPmpErrorResponse,
    NatPmpMapResponse,
    Response,
    decode_nat_pmp_request,
    decode_request,
    encode,
    encode_nat_pmp,
)
from custom_components.pcp.client.codec.nat_pmp import NatPmpResponse
from custom_components.pcp.client.events import Event, ServerProtocol
from custom_components.pcp.client.keeper import Keeper
from custom_components.pcp.client.mapping import (
    Grant,
    LeaseState,
    LeaseView,
    MappingKey,
    MappingWish,
)
from tests.simulated_router.core import RouterCore

from .scripted_server import (
    CLIENT,
    SERVER,
    Message,
    ScriptedServer,
    Sent,
    key_of,
    version_answer,
    wish_of,
)


@dataclass(frozen=True, slots=True)
class Reset:
    """The keeper learnt that the server lost its state; it does not always tell."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A router's answer was delivered."""

    sent: Sent


# So often the keeper is woken for one and the same time: for two thousand leases.
MOST_BURSTS = 64


class World(ScriptedServer):
    """A keeper, the time, and what came of them."""

    def __init__(
        self,
        *,
        server: IPAddress = SERVER,
        client: IPAddress | None = CLIENT,
        protocol: ServerProtocol | None = None,
        jitter: Callable[[], float] | float = 0.5,
        router: RouterCore | None = None,
        latency: float = 0.0,
    ) -> None:
        super().__init__()
        self.router = router
        self.latency = latency
        self.loses: Callable[[], bool] = lambda: False
        """Whether the next datagram is lost, either way."""
        self.source = (client or CLIENT, 40000)
        self.sent: list[Sent] = []
        self.events: list[Event] = []
        self.log: list[Event | Sent | Answered | Reset] = []
        """Requests, a joined router's answers, and news in the order in which they came."""
        self.after_step: Callable[[], None] = lambda: None
        self._started_at: float | None = None
        self._seen = 0
        self._events_seen = 0
        self._on_way: list[tuple[float, int, bytes, Sent | None]] = []
        self._numbers = count()
        numbers = count()
        self.keeper = Keeper(
            server,
            nonce=lambda: b"check" + next(numbers).to_bytes(7),
            jitter=jitter if callable(jitter) else lambda: jitter,
            now=self.now,
        )
        self.keeper._server.protocol = protocol
        if client is not None:
            self.keeper.set_client_address(client, now=self.now)

    # Acts.

    def want(self, wish: MappingWish | None = None, **options: Any) -> MappingWish:
        """Wish for a mapping."""
        wish = wish or wish_of()
        self.keeper.want(wish, now=self.now, **options)
        self.pump()
        return wish

    def release(self, key: MappingKey | None = None) -> None:
        """Wish a mapping away."""
        self.keeper.release(key or key_of(), now=self.now)
        self.pump()

    def restore(
        self,
        wish: MappingWish | None = None,
        *,
        wanted: bool = True,
        grant: Grant | None = None,
        open_until: float | None = None,
        is_under_way: bool = False,
    ) -> None:
        """Take up a lease of an earlier life."""
        self.keeper.restore(
            wish or wish_of(),
            wanted=wanted,
            grant=grant,
            open_until=open_until,
            is_under_way=is_under_way,
            now=self.now,
        )
        self.pump()

    def renew_all(self) -> None:
        """Press the button."""
        self.keeper.renew_all(now=self.now)
        self.pump()

    def move_to(self, address: IPAddress | None) -> None:
        """Get another address of our own."""
        self.keeper.set_client_address(address, now=self.now)
        if address is not None:
            self.source = (address, 40000)
        self.pump()

    def receive(self, answer: bytes | Response | NatPmpResponse) -> None:
        """Let a datagram come from the server."""
        self.keeper.receive_datagram(_encoded(answer), now=self.now)
        self.pump()

    def announce(
        self,
        answer: bytes | Response | NatPmpResponse | None = None,
        *,
        source: IPAddress | None = None,
        source_port: int = SERVER_PORT,
    ) -> None:
        """Let an announcement be heard: of our epoch, unless told otherwise."""
        data = _encoded(self.announcement() if answer is None else answer)
        self.keeper.receive_announcement(
            data, source or self.keeper.server, source_port, now=self.now
        )
        self.pump()

    def refuse_connection(self) -> None:
        """Let ICMP say that nobody listens."""
        self.keeper.connection_refused(now=self.now)
        self.pump()

    # Time.

    def pump(self) -> None:
        """Do what the shell does after every input; a router answers at once."""
        if self._started_at != (at := self.keeper.server_view().started_at):
            self._started_at = at
            self.log.append(Reset())
        for _ in range(1000):
            while (event := self.keeper.next_event()) is not None:
                self.events.append(event)
                self.log.append(event)
            datagrams = self.keeper.datagrams_to_send(now=self.now)
            if not datagrams:
                break
            for data in datagrams:
                self.sent.append(Sent(self.now, _decoded(data)))
                self.log.append(self.sent[-1])
                self._carry(data, self.sent[-1])
            self._deliver()
        else:
            raise AssertionError("the keeper does not come to rest")
        self.after_step()

    def wake(self) -> float:
        """Jump to the keeper's next wake-up; return it."""
        at = self.keeper.next_wakeup()
        assert at is not None
        self.run_until(at)
        return at

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.run_until(self.now + seconds)

    def run_until(self, end: float, *, rounds: int = 100_000) -> None:
        """Let time pass, from one wake-up to the next."""
        for _ in range(rounds):
            at = self._next_at()
            if at is None or at > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, at)
            self._hear_announcements()
            self._deliver()
            # Of a great many it sees to a few dozen at a time.
            for _ in range(MOST_BURSTS):
                wakeup = self.keeper.next_wakeup()
                if wakeup is None or wakeup > self.now:
                    break
                self.keeper.handle_timer(now=self.now)
                self.pump()
            else:
                raise AssertionError("it would spin")
        raise AssertionError(f"more than {rounds} rounds before {end}")

    def answer_all(self) -> None:
        """Answer every new request with a success, and what follows from that."""
        for _ in range(1000):
            new = self.new()
            if not new:
                return
            for sent in new:
                self.receive(self.answer_to(sent.message))
        raise AssertionError("the keeper does not come to rest")

    # What there is to see.

    def lease(self, key: MappingKey | None = None) -> LeaseView | None:
        """Return a lease as the keeper shows it."""
        return self.keeper.lease(key or key_of())

    def state(self, key: MappingKey | None = None) -> LeaseState | None:
        """Return a lease's state."""
        view = self.lease(key)
        return None if view is None else view.state

    def new(self) -> list[Sent]:
        """Return what was sent since the last call."""
        new = self.sent[self._seen :]
        self._seen = len(self.sent)
        return new

    def new_probe(self) -> MapRequest:
        """Return the last new question in PCP whose answer has a nonce."""
        return next(
            sent.message
            for sent in reversed(self.new())
            if isinstance(sent.message, MapRequest) and sent.is_check
        )

    def new_maps(self) -> list[Any]:
        """Return the requests about mappings of ours since the last call."""
        return [sent.message for sent in self.new() if sent.is_map]

    def new_events[EventT](self, kind: type[EventT]) -> list[EventT]:
        """Return the news of one kind since the last call; other news is passed over."""
        new = self.events[self._events_seen :]
        self._events_seen = len(self.events)
        return [event for event in new if isinstance(event, kind)]

    def times_of_maps(self, port: int = 8123) -> list[float]:
        """Return when a mapping was asked for, ever."""
        return [
            sent.at
            for sent in self.sent
            if sent.is_map and sent.message.internal_port == port  # type: ignore[union-attr]
        ]

    @property
    def drops(self) -> dict[str, int]:
        """The datagrams that were not believed."""
        return self.keeper.server_view().drops

    # A joined router.

    def _carry(self, data: bytes, sent: Sent) -> None:
        if self.router is None or self.loses():
            return
        for reply in self.router.receive(data, self.source, now=self.now):
            if not self.loses():
                self._put_on_way(reply.data, sent)

    def _put_on_way(self, data: bytes, sent: Sent | None = None) -> None:
        """Let a datagram come after the latency: the answer to what was `sent`, if any."""
        at = self.now + self.latency
        heappush(self._on_way, (at, next(self._numbers), data, sent))

    def _deliver(self) -> None:
        while self._on_way and self._on_way[0][0] <= self.now:
            _, _, data, sent = heappop(self._on_way)
            if sent is not None:
                self.log.append(Answered(sent))
            self.keeper.receive_datagram(data, now=self.now)
            if self.latency:
                self.pump()

    def _hear_announcements(self) -> None:
        if self.router is None:
            return
        self.router.tick(now=self.now)
        for reply in self.router.updates(now=self.now):
            self._put_on_way(reply.data)
        for data in self.router.announcements(now=self.now):
            if not self.loses():
                self.announce(data)

    def _next_at(self) -> float | None:
        times = [self.keeper.next_wakeup()]
        if self.router is not None:
            times.append(self.router.next_wakeup())
        if self._on_way:
            times.append(self._on_way[0][0])
        return min((at for at in times if at is not None), default=None)


def started(*wishes: MappingWish, **options: Any) -> World:
    """Return a world with a scripted PCP server that has answered everything so far."""
    world = World(**options)
    world.wake()
    world.answer_all()
    for wish in wishes:
        world.want(wish)
        world.answer_all()
    return world


def started_nat_pmp(*wishes: MappingWish, **options: Any) -> World:
    """Return a world with a scripted server that speaks NAT-PMP only."""
    world = World(**options)
    world.wake()
    world.new()
    world.receive(version_answer())
    world.answer_all()
    for wish in wishes:
        world.want(wish)
        world.answer_all()
    return world


def _decoded(data: bytes) -> Message:
    if data[0] == NAT_PMP_VERSION:
        return decode_nat_pmp_request(data)
    return decode_request(data)


def _encoded(answer: bytes | Response | NatPmpResponse) -> bytes:
    match answer:
        case bytes():
            return answer
        case ExternalAddressResponse() | NatPmpMapResponse() | NatPmpErrorResponse():
            return encode_nat_pmp(answer)
        case _:
            return encode(answer)
