"""The router without sockets: datagrams and a time in, datagrams out.

Its owner passes `now` (any monotonic seconds) to everything and asks, after anything
it did and at `next_wakeup`, for `announcements` and `updates`. There is no randomness
and no clock in here, so that years of it can be simulated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from custom_components.pcp.client.codec import NAT_PMP_VERSION

from .nat_pmp_service import NatPmpService
from .pcp_service import PcpService
from .personality import AddressChange, EpochSource, Personality
from .state import LocalNetwork, RouterState
from .table import RouterMapping, Source

# RFC 6887 14.1.3, 14.2: seconds before the first repetition; each next one doubles.
_FIRST_REPETITION = 0.25
# RFC 6887 14.2: a Mapping Update is sent three times.
_UPDATE_COUNT = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """A datagram to send from the server's port."""

    data: bytes
    destination: Source
    from_other_address: bool = False
    """It leaves from an address that the client did not ask."""


class RouterCore:
    """One simulated router."""

    def __init__(
        self,
        personality: Personality,
        *,
        external_address: IPv4Address | None,
        now: float,
        epoch_time: int = 0,
        local_networks: Sequence[LocalNetwork] = (),
    ) -> None:
        """Start the router at `now` with an epoch; announcements are due at once."""
        self._state = RouterState(
            personality=personality,
            real_external_address=external_address,
            epoch_from=now - epoch_time,
            local_networks=local_networks,
        )
        self._pcp = PcpService(self._state)
        self._nat_pmp = NatPmpService(self._state)
        self._announce_at: list[float] = []
        self._notices_at: list[float] = []
        self._ready_notices: list[bytes] = []
        self._updates_at: list[float] = []
        self.silenced = False
        """Set by tests: hears and says nothing, whatever the personality."""
        self._schedule_announcements(now)

    @property
    def personality(self) -> Personality:
        """How it behaves now."""
        return self._state.personality

    @personality.setter
    def personality(self, personality: Personality) -> None:
        """Behave otherwise from now on; mappings and epoch stay."""
        self._state.personality = personality

    @property
    def external_address(self) -> IPv4Address | None:
        """The WAN address as the router believes it to be."""
        return self._state.external_address

    @property
    def mappings(self) -> tuple[RouterMapping, ...]:
        """What it holds, in the order in which it was made, as of the last `tick`."""
        return tuple(self._state.table)

    @property
    def listens(self) -> bool:
        """Tell whether anything is bound to the port; else ICMP refuses."""
        return self.personality.listens

    @property
    def silent(self) -> bool:
        """Tell whether nothing is ever said."""
        return self.silenced or self.personality.silent or not self.listens

    def epoch_time(self, now: float) -> int:
        """Return the epoch as it stands in answers."""
        return self._state.epoch_time(now)

    def receive(self, data: bytes, source: Source, *, now: float) -> list[Reply]:
        """Take a datagram that came to the server's port; return the answers."""
        self.tick(now=now)
        if self.silent or not self._state.is_local(source[0]):
            return []
        answer = self._answer(data, source, now)
        if answer is None:
            return []
        return [Reply(answer, source, self.personality.answers_from_other_address)]

    def tick(self, *, now: float) -> None:
        """End the mappings that have run out."""
        self._state.table.expire(now)

    def announcements(self, *, now: float) -> list[bytes]:
        """Return the multicast datagrams that are due."""
        due = self._ready_notices
        self._ready_notices = []
        due.extend(self._nat_pmp.notice(now) for _ in _take_due(self._notices_at, now))
        due.extend(
            self._pcp.announcement(now) for _ in _take_due(self._announce_at, now)
        )
        return [] if self.silent else due

    def updates(self, *, now: float) -> list[Reply]:
        """Return the Mapping Updates that are due. RFC 6887 14.2."""
        due = _take_due(self._updates_at, now)
        if not due or self.silent:
            return []
        return [
            Reply(self._pcp.mapping_update(mapping, now), mapping.client)
            for mapping in self._state.table
            if not mapping.pinhole
            and not mapping.nat_pmp
            and mapping.port_set in (0, mapping.internal_port)
        ]

    def next_wakeup(self) -> float | None:
        """Return when something is due or runs out, None while nothing is."""
        times = [*self._announce_at, *self._notices_at, *self._updates_at]
        expiry = self._state.table.next_expiry()
        if expiry is not None:
            times.append(expiry)
        return min(times, default=None)

    def reboot(self, *, now: float, lose_mappings: bool = True) -> None:
        """Start again: epoch, announcements, and mostly the mappings gone.

        With EpochSource.UPTIME it is the service that restarts, and the epoch stays.
        """
        if lose_mappings:
            self._state.table.clear()
        if self.personality.epoch_source is EpochSource.START:
            self._state.epoch_from = now
        self._updates_at.clear()
        self._ready_notices.clear()
        self._schedule_announcements(now)

    def lose_mappings(self) -> None:
        """Forget the mappings without a sign: no new epoch, no announcement."""
        self._state.table.clear()

    def change_external_address(
        self, external_address: IPv4Address | None, *, now: float
    ) -> None:
        """Get another WAN address, or none; mappings move to it."""
        self._state.real_external_address = external_address
        told = self._state.external_address
        if told is not None:
            for mapping in self.mappings:
                if not mapping.pinhole:
                    self._state.table.put(replace(mapping, external_address=told))
        match self.personality.address_change:
            case AddressChange.MAPPING_UPDATES:
                if told is not None:
                    self._updates_at = _repeated(now, _UPDATE_COUNT)
            case AddressChange.NEW_EPOCH:
                if self.personality.pcp:
                    self._ready_notices.append(self._nat_pmp.notice(now))
                self._state.epoch_from = now
                self._schedule_announcements(now)
            case AddressChange.SILENT:
                return

    def _answer(self, data: bytes, source: Source, now: float) -> bytes | None:
        """Give a datagram to the protocol it is of."""
        if not data:
            return None
        is_nat_pmp = data[0] == NAT_PMP_VERSION and source[0].version == 4
        if self.personality.ignores_pcp and not is_nat_pmp:
            return None
        if self.personality.nat_pmp and (is_nat_pmp or not self.personality.pcp):
            return self._nat_pmp.answer(data, source, now)
        if self.personality.pcp:
            return self._pcp.answer(data, source, now)
        return None

    def _schedule_announcements(self, now: float) -> None:
        personality = self.personality
        if personality.pcp:
            self._announce_at = _repeated(now, personality.announce_count)
        self._notices_at = _repeated(now, personality.nat_pmp_announce_count)


def _repeated(now: float, count: int) -> list[float]:
    """Return `count` times: at once, after the first pause, and doubling pauses."""
    times = []
    at, pause = now, _FIRST_REPETITION
    for _ in range(count):
        times.append(at)
        at, pause = at + pause, pause * 2
    return times


def _take_due(times: list[float], now: float) -> list[float]:
    """Remove and return the times that have come; several missed ones count once."""
    due = [at for at in times if at <= now]
    times[:] = [at for at in times if at > now]
    return due[-1:]
