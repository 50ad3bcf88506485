"""The product with its few ends to the outside tied to a simulation.

Sockets, the store's file, the wall clock, randomness, names and multicast are replaced;
nothing that decides is.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from random import Random
from types import SimpleNamespace
from typing import Any

from custom_components.pcp import acts, clock, link, links, lookout, servers
from custom_components.pcp.client import transport
from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.discovery import ProbeOutcome
from custom_components.pcp.client.probing import ProbeResult

from .box import Box
from .home import Hass
from .network import Network, Socket
from .time_line import TimeLine, Timer


class Outside:
    """What the product finds outside, in one simulation."""

    def __init__(self, time_line: TimeLine, network: Network, random: Random) -> None:
        """Begin with two clocks that differ by a constant."""
        self.time_line = time_line
        self.network = network
        self.random = random
        self.wall_offset = 1.7e9
        self.boxes: list[Box] = []
        """The routers that there are."""
        self.changes = 0
        """Of what the engine looks around for once a minute."""
        self._hearers: list[Callable[[bytes, IPAddress, int], None]] = []
        self._watchers: list[Callable[[], None]] = []
        network.hear_announcement = self._announce

    def _announce(self, data: bytes, source: IPAddress, port: int) -> None:
        for hear in list(self._hearers):
            hear(data, source, port)

    def subscribe(
        self, hear: Callable[[bytes, IPAddress, int], None]
    ) -> Callable[[], None]:
        """Listen to announcements."""
        self._hearers.append(hear)

        def unsubscribe() -> None:
            if hear in self._hearers:
                self._hearers.remove(hear)

        return unsubscribe

    def leave(self, *_: Any) -> None:
        """Listen to announcements no more."""
        self._hearers.clear()

    async def listener(self, *_: Any) -> Outside:
        """Return who is subscribed to."""
        return self

    def wall(self) -> float:
        """Return the wall clock's seconds since 1970."""
        return self.time_line.now + self.wall_offset

    def new_nonce(self) -> bytes:
        """Return a nonce for a check."""
        return self.random.randbytes(12)

    async def resolve(self, host: str) -> tuple[IPAddress, ...]:
        """Return the address of the router's name."""
        if not self.network.addresses:
            raise ValueError("no network")
        return (ip_address(host),)

    async def probe(self, server: IPAddress, **_: Any) -> ProbeResult:
        """Find nobody at the other addresses of a router: there are none."""
        return ProbeResult(outcome=ProbeOutcome.SILENT, server=server)

    async def other_family(
        self, server: IPAddress, *, names: Collection[IPAddress] = ()
    ) -> IPAddress | None:
        """Return the router's address of the other IP version."""
        for box in self.boxes:
            if server in box.servers.values():
                return box.servers.get(10 - server.version)
        return None

    async def aliases(self, server: IPAddress) -> frozenset[IPAddress]:
        """Return what else the router announces itself from."""
        return frozenset()

    def watch_network(
        self, hass: Hass, on_change: Callable[[], None]
    ) -> Callable[[], None]:
        """Call back when the kernel tells of a change."""
        self._watchers.append(on_change)
        return lambda: self._watchers.remove(on_change)

    def tell_network_change(self) -> None:
        """Let the kernel tell of a change of addresses."""
        for on_change in list(self._watchers):
            on_change()

    def look_around(
        self,
        hass: Hass,
        action: Callable[[datetime], Any],
        interval: timedelta,
        **_: Any,
    ) -> Callable[[], None]:
        """Call every minute, as long as there may be something new to see.

        The look of a minute in which nothing outside has changed, twice over, is
        passed over: it finds what the last ones found.
        """
        seconds = interval.total_seconds()
        seen, looks = -1, 0
        timer = Timer(0.0, None, ())

        def look() -> None:
            nonlocal timer, seen, looks
            timer = hass.loop.call_later(seconds, look)
            if seen != self.changes:
                seen, looks = self.changes, 0
            looks += 1
            if looks <= 2:
                hass.async_create_task(action(datetime.min))

        timer = hass.loop.call_later(seconds, look)

        def stop() -> None:
            timer.cancel()

        return stop


@contextmanager
def tied_to(outside: Outside) -> Iterator[None]:
    """Let the product run in a simulation."""
    network = outside.network
    ends: list[tuple[Any, str, Any]] = [
        (transport, "ServerSocket", Socket),
        (link, "random", outside.random),
        (link, "new_nonce", outside.new_nonce),
        (links, "async_get_listener", outside.listener),
        (links, "async_leave_listener", outside.leave),
        (lookout, "async_track_time_interval", outside.look_around),
        (lookout, "async_watch_network", outside.watch_network),
        (lookout, "async_find_aliases", outside.aliases),
        (link, "is_ours", network.is_ours),
        (acts, "is_ours", network.is_ours),
        (clock, "time", SimpleNamespace(time=outside.wall)),
        (servers, "async_resolve", outside.resolve),
        (servers, "default_gateways", list),
        (servers, "probe", outside.probe),
        (servers, "other_family_server", outside.other_family),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in ends]
    for module, name, end in ends:
        setattr(module, name, end)
    Network.current = outside.network
    try:
        yield
    finally:
        Network.current = None
        for module, name, old in before:
            setattr(module, name, old)
