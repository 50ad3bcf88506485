"""How much ledger and keeper spend on datagrams, as a multiple of the codec's own time."""

from collections.abc import Callable
import time
from unittest.mock import patch

from custom_components.pcp.client import wire
from custom_components.pcp.client.keeper import Keeper
from custom_components.pcp.ledger import Ledger

from .household import Household
from .result import Result

DAYS = 3
MAPPINGS = 20
LIMIT = 3.0


class _Stopwatch:
    """Adds up the time spent in some functions, the outermost one only."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def around[**P, R](self, function: Callable[P, R]) -> Callable[P, R]:
        """Return a function that is timed."""

        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            self._depth += 1
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.perf_counter() - begun

        return timed


_CODEC = ("read", "map_request", "delete_request", "announce_request", "probe_request")
_KEEPER = (
    "next_event",
    "datagrams_to_send",
    "receive_datagram",
    "handle_timer",
    "next_wakeup",
)


def measure() -> list[Result]:
    """Live for some days, three times over; the median is the result."""
    results = [_measure_once() for _ in range(3)]
    return sorted(results, key=lambda result: result.measured)[1:2]


def _measure_once() -> Result:
    """Live for some days, and compare."""
    household = Household(lease_time=3600)
    household.define(MAPPINGS)
    household.exchange()
    whole, codec = _Stopwatch(), _Stopwatch()
    patches = [
        patch.object(wire, name, codec.around(getattr(wire, name))) for name in _CODEC
    ]
    patches += [
        patch.object(Keeper, name, whole.around(getattr(Keeper, name)))
        for name in _KEEPER
    ]
    patches.append(
        patch.object(Ledger, "handle_event", whole.around(Ledger.handle_event))
    )
    for it in patches:
        it.start()
    try:
        household.run_until(DAYS * 86_400.0)
    finally:
        for it in patches:
            it.stop()
    own = whole.seconds - codec.seconds
    return Result(
        name="simulation",
        measured=own / codec.seconds,
        limit=LIMIT,
        unit="x the codec",
        detail=f"{household.sent} requests, {own * 1e6 / household.sent:.0f} us"
        f" each in keeper and ledger, {codec.seconds * 1e6 / household.sent:.0f} us"
        " in the codec",
    )
