"""The network between Home Assistant and its router, and what goes wrong on it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from custom_components.pcp.client.codec import SERVER_PORT, IPAddress
from tests.simulated_router.core import RouterCore

from .time_line import TimeLine

LATENCY = 0.002
# The longest time that a datagram is under way, seconds. It is less than the keeper's
# LINGER: a copy that comes later than that is beyond what it promises to catch.
LONGEST_DELAY = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bad the network is."""

    loss_up: float = 0.0
    loss_down: float = 0.0
    loss_of_announcements: float = 0.0
    duplicates: float = 0.0
    delay: float = 0.0
    """Up to so many seconds more: datagrams overtake each other."""
    corrupted: float = 0.0

    @property
    def is_fine(self) -> bool:
        """Tell whether nothing is wrong but with announcements."""
        return not (
            self.loss_up
            or self.loss_down
            or self.duplicates
            or self.delay
            or self.corrupted
        )


FINE = Weather()


class Socket:
    """What the transport has in place of a socket: the network's end at our side."""

    def __init__(
        self,
        server: IPAddress,
        *,
        on_datagram: Callable[[bytes], None],
        on_error: Callable[[OSError], None],
        source: IPAddress | None = None,
    ) -> None:
        """Find the way to the server; raises OSError where there is none."""
        network = Network.current
        assert network is not None
        self.network = network
        address = network.addresses.get(server.version)
        if address is None or source not in (None, address):
            raise OSError("Network is unreachable")
        self.local_address = address
        self.server = server
        self.path = (address, server)
        self.on_datagram = on_datagram
        self.on_error = on_error
        self.port = network.next_port()
        self.is_open = True
        self.life = network.life

    def send(self, data: bytes) -> None:
        """Send a datagram."""
        if self.network.life is self.life and self.is_open:
            self.network.send(self, data)

    def close(self) -> None:
        """Hear no more."""
        self.is_open = False


class Network:
    """Carries datagrams, or not."""

    current: Network | None = None
    """The one that new sockets are on."""

    def __init__(
        self,
        time_line: TimeLine,
        routers: dict[IPAddress, RouterCore],
        random: Random,
        addresses: dict[int, IPAddress],
    ) -> None:
        """Begin in fine weather."""
        self.time_line = time_line
        self.routers = routers
        """By the addresses at which they are asked."""
        self.random = random
        self.addresses = addresses
        """Our own, by IP version."""
        self.weather = FINE
        self.life: object = None
        """Whose sockets are alive."""
        self.on_sent: Callable[[bytes, IPAddress], None] = lambda *_: None
        self.on_router_heard: Callable[[IPAddress], None] = lambda _: None
        self.on_deliver: Callable[[bytes, Socket], None] = lambda *_: None
        self.on_corrupted: Callable[[bytes, Socket], None] = lambda *_: None
        self.hear_announcement: Callable[[bytes, IPAddress, int], None] | None = None
        self.sockets: dict[tuple[IPAddress, int], Socket] = {}
        self._ports = 40000

    def is_ours(self, address: IPAddress) -> bool:
        """Tell whether an address is our own now."""
        return address in self.addresses.values()

    def next_port(self) -> int:
        """Return a port that was never used."""
        self._ports += 1
        return self._ports

    # From us to the router.

    def send(self, socket: Socket, data: bytes) -> None:
        """Carry a request."""
        source = (socket.local_address, socket.port)
        self.sockets[source] = socket
        self.on_sent(data, socket.server)
        for at in self._arrivals(self.weather.loss_up):
            self.time_line.call_at(at, self._reach_router, data, socket)

    def _reach_router(self, data: bytes, socket: Socket) -> None:
        now = self.time_line.now
        if self.weather.corrupted and self.random.random() < self.weather.corrupted:
            data = corrupt(data, self.random)
        router = self.routers[socket.server]
        if not router.listens and not router.silenced:
            self.time_line.call_at(now + LATENCY, self._refuse, socket)
            return
        source = (socket.local_address, socket.port)
        replies = router.receive(data, source, now=now)
        self.on_router_heard(socket.server)
        for reply in replies:
            if not reply.from_other_address:
                self.reply(reply.data, reply.destination)

    def _refuse(self, socket: Socket) -> None:
        if socket.is_open and self.life is socket.life:
            socket.on_error(ConnectionRefusedError())

    # From the router to us.

    def reply(self, data: bytes, destination: tuple[IPAddress, int]) -> None:
        """Carry an answer."""
        for at in self._arrivals(self.weather.loss_down):
            self.time_line.call_at(at, self._reach_us, data, destination)

    def _reach_us(self, data: bytes, destination: tuple[IPAddress, int]) -> None:
        socket = self.sockets.get(destination)
        if socket is None or not socket.is_open or socket.life is not self.life:
            return
        if self.weather.corrupted and self.random.random() < self.weather.corrupted:
            self.on_corrupted(corrupt(data, self.random), socket)
        else:
            self.on_deliver(data, socket)

    def announce(self, data: bytes, server: IPAddress) -> None:
        """Carry a multicast of the router."""
        for at in self._arrivals(self.weather.loss_of_announcements):
            self.time_line.call_at(at, self._announced, data, server)

    def _announced(self, data: bytes, server: IPAddress) -> None:
        if self.hear_announcement is not None:
            self.hear_announcement(data, server, SERVER_PORT)

    def hearers(self) -> list[Callable[[bytes], None]]:
        """Return who hears a datagram that seems to come from the server."""
        return [
            socket.on_datagram
            for socket in list(self.sockets.values())
            if socket.is_open and socket.life is self.life
        ]

    def _arrivals(self, loss: float) -> list[float]:
        """Return when the copies of a datagram arrive."""
        weather, random = self.weather, self.random
        if loss and random.random() < loss:
            return []
        arrivals = [self.time_line.now + LATENCY + weather.delay * random.random()]
        if weather.duplicates and random.random() < weather.duplicates:
            delay = max(weather.delay, 1.0) * random.random()
            arrivals.append(self.time_line.now + LATENCY + delay)
        return arrivals


def corrupt(data: bytes, random: Random) -> bytes:
    """Return a datagram that no reader may believe.

    UDP's checksum catches a flipped bit; what is left is what is cut, made longer, of
    another version, or for somebody else.
    """
    if data[3:4] == b"\x01":
        # That the version is refused is told in any version, and of any length.
        return data[: random.randrange(4)]
    match random.randrange(5):
        case 0:
            return data[: random.randrange(4)]
        case 1:
            return data[:-1]
        case 2:
            return bytes([data[0] ^ 0x40]) + data[1:]
        case 3:
            return data + bytes(max(1, 1101 - len(data)))
        case _:
            return bytes([data[0], data[1] ^ 0x80]) + data[2:]
