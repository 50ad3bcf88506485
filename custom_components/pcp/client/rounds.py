"""Renewing everything because it may be lost, as soon as the network may see it.

A reason for it may be forged, so that only a few rounds go out at once. After these
everything is renewed one by one, what was asked for longest ago first: a mapping every
few seconds, and each once in four minutes at most.
"""

from .leases import Leases
from .pace import RoundPace
from .timing import CHECK_INTERVAL

# Seconds between two: a mapping alone is renewed every 4 s at most. RFC 6887 11.2.1
SINGLE_INTERVAL = 5.0
# Of many the next one comes sooner: all are back in less than five minutes.
LAP = CHECK_INTERVAL


class Rounds:
    """The rounds of renewals on one server. All times are monotonic seconds."""

    def __init__(self, leases: Leases) -> None:
        """Begin with nothing owed."""
        self._leases = leases
        self._pace = RoundPace()
        self._since = float("-inf")
        self._all_at: float | None = None
        self._one_at: float | None = None
        self._last_one_at = float("-inf")

    def next_at(self) -> float | None:
        """Return when `handle_timer` has something to do."""
        times = (self._all_at, self._one_at)
        return min((at for at in times if at is not None), default=None)

    def begin(self, *, since: float, now: float) -> None:
        """Renew what was asked for before `since`, at once if that may be."""
        self._since = since
        self._all_at = self._pace.next_at(now)
        if self._all_at is None:
            self._one_at = None
            self._leases.renew_granted(at=now, now=now, asked_before=since)
        else:
            self._one_at = max(now, self._last_one_at + self._gap())
            self._renew_one(now=now)

    def handle_timer(self, *, now: float) -> None:
        """Do what is due."""
        if self._all_at is not None and now >= self._all_at:
            self.begin(since=self._since, now=now)
        self._renew_one(now=now)

    def end(self) -> None:
        """Owe nothing more, for everything is made again."""
        self._all_at = self._one_at = None

    def _renew_one(self, *, now: float) -> None:
        if self._one_at is None or now < self._one_at:
            return
        self._one_at = None
        if self._leases.renew_oldest(now=now, asked_before=self._since):
            self._last_one_at = now
            self._one_at = now + self._gap()

    def _gap(self) -> float:
        return min(SINGLE_INTERVAL, LAP / max(1, len(self._leases.table)))
