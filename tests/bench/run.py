"""One run of the benchmark, and all that it has measured."""

from collections.abc import Callable, Iterable
import sys
import traceback

from .clients import Times
from .machine import Machine
from .result import Result
from .scale import Crowd


class Run:
    """What is measured in one go, on one machine."""

    def __init__(self, *, quick: bool) -> None:
        """Begin; `quick` is with fewer rounds."""
        self.quick = quick
        self.machine = Machine()
        self.results: list[Result] = []
        self.times: list[Times] = []
        self.crowds: list[Crowd] = []
        self.failed: list[str] = []
        """What could not be measured."""

    def measure(self, name: str, function: Callable[[], Iterable[Result]]) -> None:
        """Measure something, and print it as it comes; what fails stops nothing else."""
        try:
            for result in function():
                self.results.append(result)
                sys.stdout.write(
                    f"{'kept  ' if result.kept else 'BROKEN'} {result.name:10}"
                    f" {result.measured:10.3g} of at most {result.limit:g} {result.unit}"
                    f" ({result.detail})\n"
                )
                sys.stdout.flush()
        except Exception:  # noqa: BLE001 - the others are to be measured
            traceback.print_exc()
            sys.stdout.write(f"FAILED {name}\n")
            self.failed.append(name)
