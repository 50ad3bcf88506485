"""The command behind scripts/bench."""

import argparse
from collections.abc import Callable, Iterable
import sys

from tests.lab import requirements
from tests.lab.network import Network

from . import (
    against_router,
    clients,
    codec,
    importing,
    memory,
    quiet_hour,
    recovery,
    report,
    scale,
    searching,
    simulation,
)
from .machine import Machine
from .result import Result

# What stands alone, by name; each gets whether it is to be quick.
ALONE: dict[str, Callable[[bool], Iterable[Result]]] = {
    "quiet-hour": lambda _: quiet_hour.measure(),
    "idle": lambda _: scale.idle(),
    "import": lambda quick: importing.measure(5 if quick else 15),
    "memory": lambda _: memory.measure(),
    "search": lambda quick: searching.measure(3 if quick else 9),
    "set-up": lambda _: scale.set_up(),
    "simulation": lambda _: simulation.measure(),
    "codec": lambda quick: codec.measure(5 if quick else 25),
}
NAMES = ("add", "remake", "recovery", "clients", *ALONE, "crowd")


def main() -> int:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--write", action="store_true", help="docs/performance.md")
    arguments = parser.parse_args()
    names = set(arguments.names or NAMES)
    if unknown := names - set(NAMES):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    machine = Machine()
    results: list[Result] = []
    times: list[clients.Times] = []
    crowds: list[scale.Crowd] = []
    if names & {"add", "remake"}:
        results += _told(against_router.measure(names, quick=arguments.quick))
    if names & {"recovery", "clients"} and not requirements.missing():
        with Network() as network:
            if "recovery" in names:
                recoveries = recovery.measure(network, quick=arguments.quick)
                results += _told(recovery.results(recoveries))
            if "clients" in names and not clients.missing():
                rounds, reboots = (5, 1) if arguments.quick else (15, 3)
                times = clients.measure(network, rounds=rounds, reboots=reboots)
                _tell_clients(times)
    if "recovery" in names:
        results += _told([recovery.silent_reset()])
    for name, measure in ALONE.items():
        if name in names:
            results += _told(measure(arguments.quick))
    if "crowd" in names:
        crowds = scale.crowds()
        results += _told(scale.hold_ups(crowds))
    machine.end()
    sys.stdout.write(f"{machine}\n")
    if arguments.write:
        report.write(results, times, crowds, machine, quick=arguments.quick)
    return 0 if all(result.kept for result in results) else 1


def _told(results: Iterable[Result]) -> list[Result]:
    """Print results as they come, and return them."""
    told = []
    for result in results:
        sys.stdout.write(
            f"{'kept  ' if result.kept else 'BROKEN'} {result.name:10}"
            f" {result.measured:10.3g} of at most {result.limit:g} {result.unit}"
            f" ({result.detail})\n"
        )
        sys.stdout.flush()
        told.append(result)
    return told


def _tell_clients(times: list[clients.Times]) -> None:
    for it in times:
        shown = ", ".join(f"{act} {it.median(act) * 1e3:.2f}" for act in it.seconds)
        sys.stdout.write(f"       clients    {it.name}: {shown} ms\n")


if __name__ == "__main__":
    sys.exit(main())
