"""When each lease next needs attention."""

from heapq import heapify, heappop, heappush
from itertools import count

from .lease import Lease

# So many alarms that were set anew may lie about before they are cleared away.
_CLUTTER = 64


class Alarms:
    """One time for each lease, monotonic seconds; the earliest is found at once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._times: dict[Lease, float] = {}
        self._heap: list[tuple[float, int, Lease]] = []
        self._numbers = count()

    def set(self, lease: Lease, at: float | None) -> None:
        """Set a lease's alarm in place of the one before; None for no alarm."""
        if at == self._times.get(lease):
            return
        if at is None:
            del self._times[lease]
            return
        self._times[lease] = at
        heappush(self._heap, (at, next(self._numbers), lease))
        if len(self._heap) > 2 * len(self._times) + _CLUTTER:
            self._heap = [alarm for alarm in self._heap if self._is_set(alarm)]
            heapify(self._heap)

    def next_at(self) -> float | None:
        """Return the time of the earliest alarm."""
        while self._heap and not self._is_set(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, *, now: float) -> Lease | None:
        """Return a lease whose alarm has come, and let go of the alarm."""
        at = self.next_at()
        if at is None or at > now:
            return None
        _, _, lease = heappop(self._heap)
        del self._times[lease]
        return lease

    def _is_set(self, alarm: tuple[float, int, Lease]) -> bool:
        at, _, lease = alarm
        return self._times.get(lease) == at
