"""What the router told us, read from the wire by other code than the product's."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from custom_components.pcp.client.codec import IPAddress

DAY = 86_400
_MAP_ANSWER = 0x81
_UNSUPP_VERSION = 1
# By so many seconds answers may come too late: that is no loss of state.
OVERTAKEN = 10
# Ours: so many seconds later the router's epoch has been asked for.
CHECKED_WITHIN = 250.0


@dataclass(slots=True)
class Told:
    """The router's last word on one mapping."""

    at: float
    expires_at: float
    version: int
    """The IP version."""
    port: int
    address: IPAddress | None
    count: int = 1
    """Ports that were granted together, this one and the next ones. RFC 7753."""

    uncertain_until: float = float("-inf")
    """NAT-PMP has no nonces: this may have been taken for the copy of another answer."""

    lost_at: float | None = None
    """When an answer showed that the router had lost its state after this."""


type Name = bytes | tuple[int, int]
"""How an answer names a mapping: PCP's nonce, or NAT-PMP's protocol and port."""


_ANYBODY: Name = (0, 0)


class Answers:
    """All that was delivered to us of the router's answers."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self.told: dict[Name, Told] = {}
        self._heard_at: dict[IPAddress, float] = {}
        self._lifetimes: deque[tuple[float, int]] = deque(maxlen=1000)
        self._refused_at = float("-inf")
        self._restarted_at = float("-inf")
        self.changes = 0
        """How often there was something new here."""
        self.refused_until = float("-inf")
        """Until when the last refusals hold, by the rules of RFC 6887 8.3 and ours."""
        self.external_address: IPAddress | None = None
        """NAT-PMP's, which is told apart from the mappings."""
        self.external_address_at = float("-inf")
        self._overheard: IPAddress | None = None
        """The same, told to one who spoke PCP: it is not heard, or makes him change."""
        self._losses: dict[int, deque[float]] = {}
        """By IP version, when the epoch was not what RFC 6887 8.5 expects."""
        self._ended: dict[Name, tuple[float, Told]] = {}
        """When an answer told the end of a mapping, and what was told before."""
        self.life_began_at = float("-inf")
        self.stored_until = float("inf")
        """Since when the disk took nothing any more before that."""
        self.is_known: Callable[[Name], bool] = lambda _: True
        """Whether an answer is for a mapping that we have."""
        self.speaks_pcp: Callable[[], bool] = lambda: False
        """Whether what NAT-PMP says over IPv4 may not be heard: RFC 6887 9."""
        self._epochs: dict[int, tuple[int, int, float]] = {}
        """By IP version, the version that told the last one, that one, and when."""

    def begin_life(self, now: float, *, disk_is_behind_since: float | None) -> None:
        """Forget the epochs, as Home Assistant does when it starts.

        What it had is asked for again at once, and lives on until that is answered.
        What ended since the disk took nothing any more is on disk as it was before.
        """
        self.life_began_at = now
        self.stored_until = float("inf")
        if disk_is_behind_since is not None:
            self.stored_until = disk_is_behind_since
            for name, (at, told) in self._ended.items():
                if at >= disk_is_behind_since:
                    self.told.setdefault(name, told)
        self._ended.clear()
        self._epochs.clear()
        self._losses.clear()
        for told in self.told.values():
            told.lost_at = None

    def losses_of(self, version: int, *, since: float) -> int:
        """Return how often the router seemed to have lost its state."""
        losses = self._losses.get(version, deque())
        while losses and losses[0] < since:
            losses.popleft()
        return len(losses)

    def losses_lately(self, since: float) -> int:
        """Return how often the router seemed to have lost its state, in all."""
        return sum(self.losses_of(version, since=since) for version in (4, 6))

    def heard_at(self, server: IPAddress) -> float:
        """Return when an answer came from an address of the router."""
        return self._heard_at.get(server, float("-inf"))

    def lifetimes_since(self, since: float) -> set[int]:
        """Return for how many seconds it granted something lately."""
        return {lifetime for at, lifetime in self._lifetimes if at >= since}

    def is_refused_since(self, since: float) -> bool:
        """Tell whether it refused something lately, or told us to wait till then."""
        return max(self._refused_at, self.refused_until) >= since

    def take(
        self, data: bytes, *, own: IPAddress, server: IPAddress, now: float
    ) -> None:
        """Note an answer that was delivered."""
        self.changes += 1
        self._heard_at[server] = now
        if len(data) >= 60 and data[0] == 2 and data[1] == _MAP_ANSWER:
            self._take_pcp(data, own, now)
        elif len(data) == 12 and data[:2] == b"\x00\x80" and data[2:4] == b"\0\0":
            if self.speaks_pcp():
                self._overheard = ip_address(data[8:12])
            else:
                self.external_address = ip_address(data[8:12])
                self.external_address_at = now
            if self.is_known(_ANYBODY):
                self._take_epoch(int.from_bytes(data[4:8]), 0, own, now, ())
        elif len(data) == 16 and data[0] == 0 and data[1] in (0x81, 0x82):
            self._take_nat_pmp(data, own, now)
        elif len(data) >= 4 and (data[3] == 1 or (data[0] == 2 and data[3])):
            self._refuse(now, 1800)

    def about(
        self, nonce: bytes, version: int, protocol: int, port: int
    ) -> Told | None:
        """Return the last word on a mapping, in either protocol; NAT-PMP is of IPv4."""
        told = [self.told.get(nonce)]
        if version == 4:
            told.append(self.told.get((protocol, port)))
        return max(filter(None, told), key=lambda it: it.at, default=None)

    def addresses_of(self, told: Told) -> set[IPAddress | None]:
        """Return the external addresses that a mapping may be shown at."""
        apart = self.external_address
        is_older = told.version == 4 and self.external_address_at > told.at
        known = {told.address, apart} if is_older else {told.address or apart}
        if told.address is None:
            known.add(self._overheard)
        return known

    def _take_pcp(self, data: bytes, own: IPAddress, now: float) -> None:
        nonce = data[24:36]
        lifetime = min(int.from_bytes(data[4:8]), DAY)
        if data[3]:
            self._refuse(now, lifetime)
        elif lifetime == 0:
            self._end(nonce, now)
        elif port := int.from_bytes(data[42:44]):
            self._lifetimes.append((now, lifetime))
            address = IPv6Address(data[44:60])
            self.told[nonce] = Told(
                now,
                now + lifetime,
                own.version,
                port,
                address.ipv4_mapped or address,
                next((size for size, _ in _port_sets(data)), 1),
            )
        if data[3] != _UNSUPP_VERSION:
            self._take_epoch(int.from_bytes(data[8:12]), 2, own, now, (nonce,))

    def _take_nat_pmp(self, data: bytes, own: IPAddress, now: float) -> None:
        protocol = 17 if data[1] == _MAP_ANSWER else 6
        name = (protocol, int.from_bytes(data[8:10]))
        lifetime = min(int.from_bytes(data[12:16]), DAY)
        if data[2:4] != b"\0\0":
            self._refuse(now, 0)
        elif lifetime == 0:
            self._end(name, now)
        else:
            port = int.from_bytes(data[10:12])
            self._lifetimes.append((now, lifetime))
            self.told[name] = told = Told(now, now + lifetime, 4, port, None)
            _, before, _ = self._epochs.get(4, (0, 0, now))
            if int.from_bytes(data[4:8]) < before - OVERTAKEN:
                self._restarted_at = now
            if now < self._restarted_at + OVERTAKEN:
                told.uncertain_until = now + CHECKED_WITHIN
        self._take_epoch(int.from_bytes(data[4:8]), 0, own, now, (name,))

    def _end(self, name: Name, now: float) -> None:
        """Note the end of a mapping, unless a grant has overtaken that answer."""
        told = self.told.get(name)
        if told is not None and now - told.at > OVERTAKEN:
            self._ended[name] = now, self.told.pop(name)

    def _refuse(self, now: float, lifetime: int) -> None:
        self._refused_at = now
        until = now + max(1800, min(lifetime, DAY))
        self.refused_until = max(self.refused_until, until)

    def _take_epoch(
        self,
        epoch_time: int,
        version: int,
        own: IPAddress,
        now: float,
        fresh: tuple[Name, ...],
    ) -> None:
        """Note a clear loss of state: the epoch went back."""
        if not all(self.is_known(name) for name in fresh):
            return
        spoken, before, at = self._epochs.get(own.version, (version, epoch_time, now))
        self._epochs[own.version] = version, epoch_time, now
        if spoken != version:
            return
        if not _is_valid(epoch_time - before, int(now) - int(at)):
            losses = self._losses.setdefault(own.version, deque())
            # Of those in 10 s the second is seen to when they are over.
            if not losses or now >= losses[-1]:
                losses.append(max(now, losses[-1] + 10.0 if losses else now))
        if epoch_time < before - OVERTAKEN:
            for name, told in self.told.items():
                if (
                    name not in fresh
                    and told.version == own.version
                    and told.lost_at is None
                ):
                    told.lost_at = now


def _is_valid(server: int, client: int) -> bool:
    """Tell whether the router's seconds went by as ours. RFC 6887 8.5, RFC 6886 3.6."""
    return (
        server >= -1
        and client + 2 >= server - server / 16
        and server + 2 >= client - client / 16
    )


type Place = tuple[IPAddress | None, int, int]
"""For which other host, protocol and internal port a mapping is asked."""


def maps_asked_for(data: bytes) -> Iterator[Place]:
    """Yield what a datagram asks to be opened."""
    if len(data) >= 60 and data[0] == 2 and data[1] == 1 and any(data[4:8]):
        host = next(_third_parties(data), None)
        first = int.from_bytes(data[40:42])
        count = next((size for size, _ in _port_sets(data)), 1)
        for port in range(first, first + count):
            yield host, data[36], port
    elif len(data) == 12 and data[0] == 0 and data[1] in (1, 2) and any(data[8:12]):
        yield None, 17 if data[1] == 1 else 6, int.from_bytes(data[4:6])


def mapping_of(data: bytes) -> Name | None:
    """Return what names the mapping that a request is for; None for a mere question."""
    if len(data) >= 60 and data[0] == 2 and data[1] == 1:
        is_probe = data[36:38] == b"\x11\0" and data[40:42] == b"\0\x09"
        return None if is_probe and not any(data[4:8]) else data[24:36]
    if len(data) == 12 and data[0] == 0 and data[1] in (1, 2):
        return 17 if data[1] == 1 else 6, int.from_bytes(data[4:6])
    return None


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the options of a MAP datagram: code and data. RFC 6887 7.3."""
    at = 60
    while at + 4 <= len(data):
        length = int.from_bytes(data[at + 2 : at + 4])
        yield data[at], data[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def _port_sets(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield size and first internal port of a PORT_SET. RFC 7753 4.1."""
    for code, value in _options(data):
        if code == 130 and len(value) >= 4:
            yield int.from_bytes(value[:2]), int.from_bytes(value[2:4])


def _third_parties(data: bytes) -> Iterator[IPAddress]:
    """Yield whom a THIRD_PARTY names. RFC 6887 13.1."""
    for code, value in _options(data):
        if code == 1 and len(value) == 16:
            address = IPv6Address(value)
            yield address.ipv4_mapped or address
