"""What one more forward costs in ledger and keeper."""

import tracemalloc

from .household import Household
from .result import Result

FORWARDS = 1000
LIMIT = 10_000


def measure() -> list[Result]:
    """Measure ledger and keeper together, all leases granted."""
    tracemalloc.start()
    household = Household()
    household.exchange()
    before, _ = tracemalloc.get_traced_memory()
    household.define(FORWARDS)
    household.exchange()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    granted = sum(lease.grant is not None for lease in household.ledger.leases.values())
    assert granted == FORWARDS
    return [
        Result(
            name="memory",
            measured=(after - before) / FORWARDS,
            limit=LIMIT,
            unit="octets for one more forward",
            detail=f"ledger and keeper, of {FORWARDS} forwards",
        )
    ]
