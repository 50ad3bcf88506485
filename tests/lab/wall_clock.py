"""A wall clock of one process's own, that can be set: Debian's libfaketime.

The monotonic clock is left alone, and so are the times of files: Python would compile
every module again whose file seemed to be of another time.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

_LIBRARIES = Path("/usr/lib")
# So long what is told is remembered, or each look at the clock would read a file.
_MEMORY = timedelta(seconds=1)


class WallClock:
    """What processes with its `environment` take for the wall clock. Not set at first."""

    def __init__(self, file: Path) -> None:
        """Tell the time in `file`."""
        self._file = file
        self.set(timedelta(0))

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see it."""
        (library,) = _LIBRARIES.glob("*/faketime/libfaketimeMT.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(_MEMORY.seconds),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Or Python's threads wait for each other without waiting: their lock has a
            # timeout by the monotonic clock, which would be read off the other one.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset: timedelta) -> None:
        """Step to so much after the machine's own; it is seen within a second."""
        self._offset = offset
        # Whoever reads it just now must not find half of it.
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset.total_seconds():+.0f}\n")
        new.rename(self._file)

    def now(self) -> datetime:
        """Return the time on it."""
        return datetime.now(UTC) + self._offset


def forget(pid: int) -> None:
    """Remove what libfaketime leaves of a process that was killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        Path("/dev/shm", name).unlink(missing_ok=True)
