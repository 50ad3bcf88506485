"""Whose turn it is to send.

What a person waits for is sent at once. All else waits in line, and of what left the
line only so many requests may be unanswered: a hundred mappings are made again as fast
as the server answers, and a silent server is asked for a few of them only.
"""

from collections import OrderedDict

from .lease import Lease


class Turns:
    """The leases that wait to be sent, and those that hold a place in the window."""

    def __init__(self) -> None:
        """Begin with nobody in line."""
        self._urgent: OrderedDict[Lease, None] = OrderedDict()
        self._line: OrderedDict[Lease, None] = OrderedDict()
        self._unanswered: set[Lease] = set()

    def wait(self, lease: Lease, *, urgent: bool = False) -> None:
        """Let a lease wait for its turn; it gives up its place in the window."""
        urgent = urgent or lease in self._urgent
        self.leave(lease)
        (self._urgent if urgent else self._line)[lease] = None

    def is_anyone_next(self, *, window: int) -> bool:
        """Tell whether somebody may send now."""
        return bool(self._urgent or (self._line and len(self._unanswered) < window))

    def take(self, *, window: int) -> tuple[Lease, bool] | None:
        """Return who sends next, and whether urgently; None when all must wait."""
        if self._urgent:
            return self._urgent.popitem(last=False)[0], True
        if self._line and len(self._unanswered) < window:
            return self._line.popitem(last=False)[0], False
        return None

    def take_place(self, lease: Lease) -> None:
        """Count a lease as unanswered, until it leaves."""
        self._unanswered.add(lease)

    def has_place(self, lease: Lease) -> bool:
        """Tell whether a lease counts as unanswered."""
        return lease in self._unanswered

    def leave_place(self, lease: Lease) -> None:
        """Let another one have the place in the window."""
        self._unanswered.discard(lease)

    def leave(self, lease: Lease) -> None:
        """Take a lease out of the line and the window."""
        self._urgent.pop(lease, None)
        self._line.pop(lease, None)
        self._unanswered.discard(lease)
