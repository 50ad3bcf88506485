"""How often everything may be asked again at most, whatever the network says."""

from collections import deque

from .timing import CHECK_INTERVAL, VERIFICATION_INTERVAL

# Announcements that show no reset may be a router that keeps its uptime as epoch, or a
# forger: so many rounds of renewals are free in so many seconds, the next one waits.
FREE_ROUNDS = 3
ROUND_PERIOD = 900.0

# A server whose epoch is reset again and again is believed so often in an hour.
FREE_LOSSES = 20
LOSS_PERIOD = 3600.0


class RoundPace:
    """The pace of renewing everything for an announcement."""

    def __init__(self) -> None:
        """Begin with all rounds free."""
        self._rounds: deque[float] = deque(maxlen=FREE_ROUNDS)

    def next_at(self, now: float) -> float | None:
        """Return when a round may begin, None and count it when it may begin now."""
        if len(self._rounds) == FREE_ROUNDS and now < self._rounds[0] + ROUND_PERIOD:
            return self._rounds[0] + ROUND_PERIOD
        self._rounds.append(now)
        return None


class LossPace:
    """The pace of making everything again for a new epoch."""

    def __init__(self) -> None:
        """Begin with no loss."""
        self._losses: deque[float] = deque(maxlen=FREE_LOSSES)

    def next_at(self, now: float) -> float:
        """Count a loss; return when everything may be asked for, at best `now`.

        Losses that come before that time are one with it.
        """
        at = now
        if self._losses:
            if now < self._losses[-1]:
                return self._losses[-1]
            is_full = len(self._losses) == FREE_LOSSES
            often = is_full and now < self._losses[0] + LOSS_PERIOD
            gap = CHECK_INTERVAL if often else VERIFICATION_INTERVAL
            at = max(now, self._losses[-1] + gap)
        self._losses.append(at)
        return at
