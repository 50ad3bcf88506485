"""On what it was measured, and what else that had to do."""

import os
import platform
import time
from typing import override


class Machine:
    """A machine, from the beginning to the end of a run."""

    def __init__(self) -> None:
        """Begin."""
        self._began_at = time.monotonic()
        self._own = _own_seconds()
        self._busy = _busy_seconds()
        self.others = 0.0
        """The share of the cores that others had, miniupnpd among them."""
        self.minutes = 0.0

    def end(self) -> None:
        """See what the run has taken, and what all has taken."""
        seconds = time.monotonic() - self._began_at
        others = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        self.others = max(others, 0.0) / seconds / (os.cpu_count() or 1)
        self.minutes = seconds / 60

    @override
    def __str__(self) -> str:
        return (
            f"{os.cpu_count()} cores ({platform.machine()}), Python"
            f" {platform.python_version()}, {self.minutes:.0f} minutes; what else"
            f" ran, the routers among it, had {self.others:.0%} of the cores"
        )


def _own_seconds() -> float:
    """Return what this process and those that it has started and waited for took."""
    return sum(os.times()[:4])


def _busy_seconds() -> float:
    """Return what all processors together have worked since the machine started."""
    with open("/proc/stat", encoding="ascii") as stat:  # noqa: PTH123 - not a file
        user, nice, system = (int(it) for it in stat.readline().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")
