"""How much a router is asked in an hour in which nothing happens. Simulated time."""

from .household import Household
from .result import Result

HOUR = 3600.0
DAYS = 3
PER_ROUTER = 15
PER_MAPPING = 2


def measure() -> list[Result]:
    """Count the requests of the busiest of many quiet hours, for 1 and 100 mappings."""
    results = []
    for mappings in (1, 100):
        household = Household(lease_time=3600)
        household.define(mappings)
        household.exchange()
        busiest = 0
        for hour in range(1, 24 * DAYS):
            household.run_until(hour * HOUR)
            before = household.sent
            household.run_until((hour + 1) * HOUR)
            busiest = max(busiest, household.sent - before)
        results.append(
            Result(
                name="quiet hour",
                measured=busiest,
                limit=PER_ROUTER + PER_MAPPING * mappings,
                unit="requests",
                detail=f"{mappings} mappings, lease 3600 s, the busiest hour of {DAYS} days",
            )
        )
    return results
