"""What is known of one server: its protocol, epoch, address and whether it answers."""

from collections import Counter
from dataclasses import dataclass, field

from .codec import IPAddress
from .epoch import (
    is_same_count,
    is_time_of_repetition,
    nat_pmp_epoch_is_valid,
    nat_pmp_epoch_runs_ahead,
    pcp_epoch_is_valid,
)
from .events import ServerProtocol
from .map_options import OptionManners
from .nat64 import Nat64Prefix
from .timing import ROUND_TRIP, SILENCE, Retransmission


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """A server as it is now, for those who show it."""

    protocol: ServerProtocol | None
    """None until it has answered."""

    reachable: bool | None
    """None until it has answered, or not."""

    external_address: IPAddress | None
    started_at: float | None
    """When its epoch began, monotonic seconds; the same until it is reset."""

    epoch_time: int | None
    """As in its last answer, its own seconds."""

    drops: dict[str, int]
    """Datagrams that were not believed, by reason."""

    requests: int
    """Datagrams sent."""

    nat64_prefixes: tuple[Nat64Prefix, ...]
    """How hosts behind it reach IPv4 over IPv6, where it tells. RFC 7225."""

    keeps_pinholes: bool
    """It was seen failing to delete an IPv6 pinhole: these are asked for ten minutes."""


@dataclass(slots=True, kw_only=True)
class Server:
    """The state of one server, as far as answers have told it."""

    address: IPAddress
    protocol: ServerProtocol | None = None
    protocol_since: float = float("-inf")
    """When it was first heard in that protocol, monotonic seconds."""

    declines_pcp: bool = False
    """It has said that it does not speak PCP, and not answered in it since."""

    reachable: bool | None = None
    external_address: IPAddress | None = None
    started_at: float | None = None
    epoch_time: int | None = None
    drops: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    manners: OptionManners = field(default_factory=OptionManners)
    nat64_prefixes: tuple[Nat64Prefix, ...] = ()
    keeps_pinholes: bool = False
    heard_at: float = float("-inf")
    """When it last answered, monotonic seconds."""

    silent_at: float | None = None
    """When it is to be called silent unless it answers, monotonic seconds."""

    _epoch_protocol: ServerProtocol | None = None
    _epoch_client_time: float = 0.0

    def drop(self, reason: str) -> None:
        """Count a datagram that is not believed."""
        self.drops[reason] += 1

    def hear(self, *, now: float) -> bool:
        """Note an answer; tell whether it is news that the server is there."""
        self.heard_at = now
        self.silent_at = None
        was_reachable, self.reachable = self.reachable, True
        return not was_reachable

    def fall_silent(self) -> bool:
        """Note that it does not answer; tell whether that is news. RFC 7225 4.3."""
        self.silent_at = None
        self.nat64_prefixes = ()
        was_reachable, self.reachable = self.reachable, False
        return was_reachable is not False

    def expect_answer(self, *, since: float, now: float) -> None:
        """Plan to call it silent unless it answers a question asked at `since`."""
        if self.silent_at is None and self.reachable is not False:
            self.silent_at = max(now + ROUND_TRIP, since + SILENCE)

    def watch(self, request: Retransmission, *, now: float) -> None:
        """Plan to call it silent when a repeated request stays unanswered, too."""
        if request.transmissions > 1 and self.heard_at <= request.first_sent_at:
            self.expect_answer(since=request.first_sent_at, now=now)

    def epoch_is_valid(
        self, epoch_time: int, spoken: ServerProtocol, *, now: float
    ) -> bool:
        """Tell whether an answer's epoch time shows an unbroken state. RFC 6887 8.5.

        The first one in a protocol is valid. Records nothing.
        """
        if self.epoch_time is None or self._epoch_protocol is not spoken:
            return True
        check = (
            pcp_epoch_is_valid
            if spoken is ServerProtocol.PCP
            else nat_pmp_epoch_is_valid
        )
        return check(
            previous_epoch_time=self.epoch_time,
            previous_client_time=int(self._epoch_client_time),
            epoch_time=epoch_time,
            client_time=int(now),
        )

    def runs_ahead(
        self, epoch_time: int, spoken: ServerProtocol, *, now: float
    ) -> bool:
        """Tell whether an answer's epoch time shows that we have lost time.

        That of PCP is not valid then. Records nothing.
        """
        return (
            spoken is ServerProtocol.NAT_PMP
            and self.epoch_time is not None
            and self._epoch_protocol is spoken
            and nat_pmp_epoch_runs_ahead(
                previous_epoch_time=self.epoch_time,
                previous_client_time=int(self._epoch_client_time),
                epoch_time=epoch_time,
                client_time=int(now),
            )
        )

    def is_repeating(
        self, epoch_time: int, spoken: ServerProtocol, *, now: float
    ) -> bool:
        """Tell whether an announcement is likely one that was seen to. RFC 6887 14.1.3.

        Its epoch time goes on from the last answer's to the second, and it comes when a
        repetition is due. A daemon that restarts beside a machine that runs on, whose
        uptime it counts, comes at any other time.
        """
        if self.epoch_time is None or self._epoch_protocol is not spoken:
            return True
        return is_time_of_repetition(epoch_time) and is_same_count(
            previous_epoch_time=self.epoch_time,
            previous_client_time=self._epoch_client_time,
            epoch_time=epoch_time,
            client_time=now,
        )

    def take_epoch(
        self, epoch_time: int, spoken: ServerProtocol, *, now: float
    ) -> bool:
        """Record an answer's epoch time, valid or not; tell which. RFC 6887 8.5."""
        is_valid = self.epoch_is_valid(epoch_time, spoken, now=now)
        is_ahead = self.runs_ahead(epoch_time, spoken, now=now)
        if not is_valid:
            self.manners.forget()
        if self.started_at is None or not is_valid or is_ahead:
            self.started_at = now - epoch_time
        self.epoch_time = epoch_time
        self._epoch_protocol = spoken
        self._epoch_client_time = now
        return is_valid

    def view(self) -> ServerView:
        """Return the server as it is now."""
        return ServerView(
            protocol=self.protocol,
            reachable=self.reachable,
            external_address=self.external_address,
            started_at=self.started_at,
            epoch_time=self.epoch_time,
            drops=dict(self.drops),
            requests=self.requests,
            nat64_prefixes=self.nat64_prefixes,
            keeps_pinholes=self.keeps_pinholes,
        )
