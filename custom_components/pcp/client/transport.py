"""The thin asyncio shell around a keeper: one socket, one timer, one pump.

Each input (datagram, announcement, refusal, timer, wish) changes the keeper's state;
then the pump tells its events, sends its datagrams and sets the timer anew. Nothing
waits and no task is made. All of it belongs to the event loop's thread.
"""

import asyncio
from collections.abc import Callable
import errno
import logging

from .codec import IPAddress
from .events import Event
from .keeper import Keeper
from .udp import ServerSocket

_LOGGER = logging.getLogger(__name__)

# Seconds between attempts to open the socket while the network is not there.
_RETRY_INTERVAL = 15.0
# Without these there is no new socket, whatever the network.
_SHORT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# Rounds, events and datagrams in one pump, about; the rest waits for the loop's turn.
_MAX_ROUNDS = 16
_MAX_EVENTS = 64
_MAX_DATAGRAMS = 32


class Transport:
    """Run one keeper on the network; to be made inside the running event loop.

    `on_event` gets every event of the keeper in order, `on_pumped` is called after
    each pump. Both may call `pump` again. `source` is the address of ours to ask from,
    and no other; without it the transport follows the kernel's choice.
    """

    def __init__(
        self,
        keeper: Keeper,
        *,
        on_event: Callable[[Event], None],
        on_pumped: Callable[[], None] | None = None,
        source: IPAddress | None = None,
    ) -> None:
        self._keeper = keeper
        self._source = source
        self._on_event = on_event
        self._on_pumped = on_pumped
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time()
        self._running = False
        self._socket: ServerSocket | None = None
        self._wakeup_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.Handle | None = None
        self._pumping = False
        self._again = False
        self._refused = False
        self._stale = False

    async def start(self) -> None:
        """Open the socket and pump; where there is no network yet, keep trying."""
        self._running = True
        self.pump()

    def close(self) -> None:
        """Close the socket and forget the timers; again is harmless."""
        self._running = False
        for handle in (self._timer, self._retry):
            if handle is not None:
                handle.cancel()
        self._timer = self._retry = self._wakeup_at = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def now(self) -> float:
        """Return the loop's time in monotonic seconds, never less than before."""
        self._now = max(self._now, self._loop.time())
        return self._now

    def pump(self) -> None:
        """Tell the keeper's events, send its datagrams, set the timer.

        To be called after every wish. Called from within itself it goes round again.
        """
        if not self._running:
            return
        if self._pumping:
            self._again = True
            return
        self._pumping = True
        try:
            if self._socket is None:
                self._find_way()
            self._exchange()
            if self._stale:
                self._stale = False
                if self._find_way():
                    self._exchange()
            self._arm()
            if self._on_pumped is not None:
                self._call(self._on_pumped)
        finally:
            self._pumping = False
        if self._again:
            self._tick_later(0)

    def refresh_local_address(self) -> None:
        """Move to a new socket where the kernel now chooses another source address.

        RFC 6887 11.5. The transport looks by itself whenever the keeper wakes up and
        when sending fails; to be called where a change is known earlier.
        """
        if self._running:
            self._find_way()
            self.pump()

    def feed_announcement(
        self, data: bytes, source: IPAddress, source_port: int
    ) -> None:
        """Give the keeper a datagram seen on the announcement port."""
        if self._running:
            self._input(
                lambda: self._keeper.receive_announcement(
                    data, source, source_port, now=self.now()
                )
            )

    def _on_datagram(self, data: bytes) -> None:
        self._input(lambda: self._keeper.receive_datagram(data, now=self.now()))

    def _on_error(self, err: OSError) -> None:
        if isinstance(err, ConnectionRefusedError):
            self._input(lambda: self._keeper.connection_refused(now=self.now()))
        else:
            _LOGGER.debug("Receiving from the server failed: %s", err)

    def _on_timer(self, deadline: float) -> None:
        self._timer = self._wakeup_at = None
        # The loop may wake a little early: the keeper must not find itself too early,
        # ask for the same moment again and spin.
        self._now = max(self._now, deadline)
        self._input(self._wake)

    def _wake(self) -> None:
        self._find_way()
        self._keeper.handle_timer(now=self.now())

    def _on_tick(self) -> None:
        self._retry = None
        self._input(lambda: None)

    def _input(self, feed: Callable[[], None]) -> None:
        if not (self._call(feed) and self._call(self.pump)):
            # The timer may not have been set: lest the leases run out unnoticed.
            self._tick_later(_RETRY_INTERVAL)

    def _call[*Ts](self, function: Callable[[*Ts], None], *args: *Ts) -> bool:
        """Call what may fail; keep its exceptions from the event loop."""
        try:
            function(*args)
        except Exception:
            _LOGGER.exception("Unexpected error in the client")
            return False
        return True

    def _exchange(self) -> None:
        """Tell and send, in turns, until there is no more of either or it is enough.

        What happened is told before anything more is sent.
        """
        told, sent = self._tell(_MAX_EVENTS), 0
        for _ in range(_MAX_ROUNDS):
            self._again = False
            if told >= _MAX_EVENTS or sent >= _MAX_DATAGRAMS:
                break
            just_sent, just_told = self._send(), self._tell(_MAX_EVENTS - told)
            if not (just_sent or just_told or self._again):
                return
            sent += just_sent
            told += just_told
        self._again = True

    def _tell(self, most: int) -> int:
        """Tell events, so many at most; return how many."""
        told = 0
        while (
            told < most
            and self._running
            and (event := self._keeper.next_event()) is not None
        ):
            told += 1
            self._call(self._on_event, event)
        return told

    def _send(self) -> int:
        """Send what there is; return how many, a refusal included."""
        if not self._running:
            return 0
        datagrams = self._keeper.datagrams_to_send(now=self.now())
        for data in datagrams:
            if self._socket is not None:
                self._send_one(self._socket, data)
        if self._refused:
            self._refused = False
            self._keeper.connection_refused(now=self.now())
            return len(datagrams) + 1
        return len(datagrams)

    def _send_one(self, sock: ServerSocket, data: bytes) -> None:
        try:
            sock.send(data)
        except ConnectionRefusedError:
            self._refused = True
        except OSError as err:
            # As good as lost on the way; perhaps our address is no longer ours.
            _LOGGER.debug("Sending to the server failed: %s", err)
            self._stale = True

    def _find_way(self) -> bool:
        """Look how to reach the server now; return whether that is news."""
        current = self._socket
        try:
            fresh = ServerSocket(
                self._keeper.server,
                on_datagram=self._on_datagram,
                on_error=self._on_error,
                source=self._source,
            )
        except OSError as err:
            _LOGGER.debug("No way to the server: %s", err)
            if current is not None and err.errno in _SHORT_OF:
                # That says nothing of the way: what is there may do.
                return False
            self._use(None)
            self._tick_later(_RETRY_INTERVAL)
            return current is not None
        if current is not None and fresh.path == current.path:
            fresh.close()
            return False
        self._use(fresh)
        return True

    def _use(self, fresh: ServerSocket | None) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = fresh
        address = None if fresh is None else fresh.local_address
        self._keeper.set_client_address(address, now=self.now())

    def _arm(self) -> None:
        deadline = self._keeper.next_wakeup() if self._running else None
        if deadline == self._wakeup_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakeup_at = deadline
        self._timer = (
            None
            if deadline is None
            else self._loop.call_at(deadline, self._on_timer, deadline)
        )

    def _tick_later(self, delay: float) -> None:
        if self._retry is not None:
            self._retry.cancel()
        if self._running:
            self._retry = self._loop.call_later(delay, self._on_tick)
