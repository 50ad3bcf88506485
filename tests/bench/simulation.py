"""How much ledger and keeper spend on datagrams, as a multiple of the codec's own time.

Some days are lived three times over: once to note what the server answers and what the
codec makes of it, once with the codec, and once with its notes in its place. What the
two take apart is the codec's; the rest is keeper, ledger and this loop. So nothing is
wrapped while it is timed, and the caches are as warm as they are in use.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
import gc
import statistics
import time
from typing import Any
from unittest.mock import patch

from custom_components.pcp.client import wire

from .household import Household
from .result import Result

DAYS = 3
MAPPINGS = 20
ROUNDS = 9
LIMIT = 3.0

# From values to octets and back, in either protocol.
_CODEC = ("read", "map_request", "delete_request", "announce_request", "probe_request")


class _Notes:
    """What was answered, and what the codec returned, in order."""

    def __init__(self) -> None:
        """Live once, and note it."""
        self.answers: list[bytes] = []
        self.codec: dict[str, list[Any]] = {name: [] for name in _CODEC}
        household = _Replay(self.answers, is_first=True)
        with ExitStack() as stack:
            for name, results in self.codec.items():
                noted = _noting(getattr(wire, name), results)
                stack.enter_context(patch.object(wire, name, noted))
            household.live()
        self.requests = household.sent

    @contextmanager
    def in_place_of_the_codec(self) -> Iterator[None]:
        """Let the codec return what it has returned before."""
        with ExitStack() as stack:
            for name, results in self.codec.items():
                stack.enter_context(patch.object(wire, name, _reading(results)))
            yield


class _Replay(Household):
    """A household whose server costs nothing: its answers are known."""

    def __init__(self, answers: list[bytes], *, is_first: bool = False) -> None:
        """Take the answers, or begin to note them."""
        super().__init__(lease_time=3600)
        decide = super()._answer
        self._answer = _noting(decide, answers) if is_first else _reading(answers)  # type: ignore[method-assign]

    def live(self) -> float:
        """Live for some days; return the processor time in seconds."""
        self.define(MAPPINGS)
        self.exchange()
        begun = time.thread_time()
        self.run_until(DAYS * 86_400.0)
        return time.thread_time() - begun


def measure() -> list[Result]:
    """Compare the medians of several rounds."""
    notes = _Notes()
    whole, own = [], []
    for _ in range(ROUNDS):
        gc.collect()
        whole.append(_Replay(notes.answers).live())
        with notes.in_place_of_the_codec():
            own.append(_Replay(notes.answers).live())
    spent = statistics.median(own)
    codec = statistics.median(whole) - spent
    return [
        Result(
            name="simulation",
            measured=spent / codec,
            limit=LIMIT,
            unit="x the codec",
            detail=f"{notes.requests} requests and answers,"
            f" {spent * 1e6 / notes.requests:.0f} us each in keeper and ledger,"
            f" {codec * 1e6 / notes.requests:.0f} us in the codec",
        )
    ]


def _noting[**P, R](function: Callable[P, R], results: list[R]) -> Callable[P, R]:
    def noted(*args: P.args, **kwargs: P.kwargs) -> R:
        results.append(function(*args, **kwargs))
        return results[-1]

    return noted


def _reading[R](results: Iterable[R]) -> Callable[..., R]:
    following = iter(results).__next__

    def read(*_: Any, **__: Any) -> R:
        return following()

    return read
