"""The command behind scripts/bench."""

import argparse
import sys

from tests.lab import requirements
from tests.lab.network import Network

from . import (
    against_router,
    clients,
    codec,
    idle_cost,
    importing,
    memory,
    quiet_hour,
    recovery,
    report,
    scale,
    searching,
    simulation,
)
from .result import Result

NAMES = (
    *("add", "remake", "recovery", "clients", "quiet-hour", "idle", "import"),
    *("memory", "search", "set-up", "hold-up", "simulation", "codec"),
)


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
    results: list[Result] = []
    times: list[clients.Times] = []
    if names & {"add", "remake"}:
        results += against_router.measure(names, quick=arguments.quick)
    if names & {"recovery", "clients"} and not requirements.missing():
        with Network() as network:
            if "recovery" in names:
                rounds = 5 if arguments.quick else 9
                results += recovery.results(recovery.measure(network, rounds=rounds))
            if "clients" in names and not clients.missing():
                rounds = 5 if arguments.quick else 20
                times = clients.measure(network, rounds=rounds)
    if "recovery" in names:
        results.append(recovery.silent_reset())
    if "quiet-hour" in names:
        results += quiet_hour.measure()
    if "idle" in names:
        results += idle_cost.measure()
    if "import" in names:
        results += importing.measure(5 if arguments.quick else 15)
    if "memory" in names:
        results += memory.measure()
    if "search" in names:
        results += searching.measure(3 if arguments.quick else 9)
    if "set-up" in names:
        results += scale.set_up()
    if "hold-up" in names:
        results += scale.hold_ups()
    if "simulation" in names:
        results += simulation.measure()
    if "codec" in names:
        results += codec.measure(5 if arguments.quick else 25)
    for it in times:
        shown = ", ".join(f"{act} {it.median(act) * 1e3:.2f}" for act in clients.ACTS)
        sys.stdout.write(f"       clients    {it.name}: {shown} ms\n")
    for result in results:
        sys.stdout.write(
            f"{'kept  ' if result.kept else 'BROKEN'} {result.name:10}"
            f" {result.measured:10.2f} of at most {result.limit:g} {result.unit}"
            f" ({result.detail})\n"
        )
    if arguments.write:
        report.write(results, times, quick=arguments.quick)
    return 0 if all(result.kept for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
