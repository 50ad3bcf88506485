"""What a quiet hour costs a processor: CPU time of ledger and keeper, time driven.

Datagrams are answered by a server in the same process, whose time counts as ours; the
sockets, Home Assistant's loop and the coordinator are not in it. It is an hour of
renewals and checks for a hundred forwards, set against the hour's 3600 s.
"""

import time

from .household import Household
from .result import Result

FORWARDS = 100
LIMIT = 0.1


def measure() -> list[Result]:
    """Measure the mean of ten hours, after the first."""
    household = Household(lease_time=3600)
    household.define(FORWARDS)
    household.exchange()
    household.run_until(3600.0)
    before = time.process_time()
    household.run_until(11 * 3600.0)
    seconds = (time.process_time() - before) / 10
    return [
        Result(
            name="idle",
            measured=100 * seconds / 3600,
            limit=LIMIT,
            unit="percent of a core",
            detail=f"{seconds * 1e3:.0f} ms an hour for {FORWARDS} forwards, ledger and keeper",
        )
    ]
