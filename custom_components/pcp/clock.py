"""Between the two clocks: monotonic seconds inside, the wall clock outside."""

import asyncio
from datetime import datetime
import time

from homeassistant.util import dt as dt_util

# A wall clock that is slewed is followed in steps of this many seconds, so that what
# is shown does not flicker.
_TOLERANCE = 1.5


class Clock:
    """The loop's time, and what it means on the wall."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read both clocks."""
        self._loop = loop
        self._now = loop.time()
        self.wall_offset = time.time() - self._now

    def now(self, *, at_least: float = 0.0) -> float:
        """Return monotonic seconds, never less than before nor than `at_least`."""
        self._now = max(self._now, self._loop.time(), at_least)
        return self._now

    def follow(self) -> bool:
        """Take over a step of the wall clock; tell whether there was one."""
        offset = time.time() - self._loop.time()
        if abs(offset - self.wall_offset) <= _TOLERANCE:
            return False
        self.wall_offset = offset
        return True

    def wall(self, at: float | None) -> datetime | None:
        """Return the wall clock's time of a monotonic one, in whole seconds."""
        if at is None:
            return None
        return dt_util.utc_from_timestamp(round(at + self.wall_offset))
