"""What the router told us, read from the wire by other code than the product's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from custom_components.pcp.client.codec import IPAddress

DAY = 86_400
_MAP_ANSWER = 0x81
_UNSUPP_VERSION = 1
# By so many seconds answers may come too late: that is no loss of state.
OVERTAKEN = 10


@dataclass(slots=True)
class Told:
    """The router's last word on one mapping."""

    at: float
    expires_at: float
    version: int
    """The IP version."""
    port: int
    address: IPAddress | None
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
        self.refused_until = float("-inf")
        """Until when the last refusals hold, by the rules of RFC 6887 8.3 and ours."""
        self.external_address: IPAddress | None = None
        """NAT-PMP's, which is told apart from the mappings."""
        self.external_address_at = float("-inf")
        self.losses: list[float] = []
        self.life_began_at = float("-inf")
        self.is_disk_behind = False
        """Whether this life began with what a full disk had kept of the last one."""
        self.is_known: Callable[[Name], bool] = lambda _: True
        """Whether an answer is for a mapping that we have."""
        self._epochs: dict[int, tuple[int, int]] = {}
        """By IP version, the last one and the version that told it."""

    def begin_life(self, now: float, *, is_disk_full: bool) -> None:
        """Forget the epochs, as Home Assistant does when it starts.

        What it had is asked for again at once, and lives on until that is answered.
        """
        self.life_began_at = now
        self.is_disk_behind = is_disk_full
        self._epochs.clear()
        self.losses.clear()
        for told in self.told.values():
            told.lost_at = None

    def take(self, data: bytes, *, own: IPAddress, now: float) -> None:
        """Note an answer that was delivered."""
        if len(data) >= 60 and data[0] == 2 and data[1] == _MAP_ANSWER:
            self._take_pcp(data, own, now)
        elif len(data) == 12 and data[:2] == b"\x00\x80" and data[2:4] == b"\0\0":
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
        if told.version == 4 and self.external_address_at > told.at:
            return {told.address, apart}
        return {told.address or apart}

    def _take_pcp(self, data: bytes, own: IPAddress, now: float) -> None:
        nonce = data[24:36]
        lifetime = min(int.from_bytes(data[4:8]), DAY)
        if data[3]:
            self._refuse(now, lifetime)
        elif lifetime == 0:
            self._end(nonce, now)
        elif port := int.from_bytes(data[42:44]):
            address = IPv6Address(data[44:60])
            self.told[nonce] = Told(
                now,
                now + lifetime,
                own.version,
                port,
                address.ipv4_mapped or address,
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
            self.told[name] = Told(now, now + lifetime, 4, port, None)
        self._take_epoch(int.from_bytes(data[4:8]), 0, own, now, (name,))

    def _end(self, name: Name, now: float) -> None:
        """Note the end of a mapping, unless a grant has overtaken that answer."""
        told = self.told.get(name)
        if told is None or now - told.at > OVERTAKEN:
            self.told.pop(name, None)

    def _refuse(self, now: float, lifetime: int) -> None:
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
        spoken, before = self._epochs.get(own.version, (version, epoch_time))
        self._epochs[own.version] = version, epoch_time
        if spoken == version and epoch_time < before - OVERTAKEN:
            self.losses.append(now)
            for name, told in self.told.items():
                if (
                    name not in fresh
                    and told.version == own.version
                    and told.lost_at is None
                ):
                    told.lost_at = now


def maps_asked_for(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield protocol and internal port if a datagram asks for a mapping."""
    if len(data) >= 60 and data[0] == 2 and data[1] == 1 and any(data[4:8]):
        yield data[36], int.from_bytes(data[40:42])
    elif len(data) == 12 and data[0] == 0 and data[1] in (1, 2) and any(data[8:12]):
        yield 17 if data[1] == 1 else 6, int.from_bytes(data[4:6])
