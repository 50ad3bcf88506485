"""The command behind scripts/bench."""

import argparse
from collections.abc import Callable, Iterable
from functools import partial
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
    readme,
    recovery,
    report,
    scale,
    searching,
    simulation,
)
from .result import Result
from .run import Run

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
    run = Run(quick=arguments.quick)
    if names & {"add", "remake"}:
        run.measure("add", lambda: against_router.measure(names, quick=run.quick))
    if names & {"recovery", "clients"} and not requirements.missing():
        with Network() as network:
            if "recovery" in names:
                run.measure("recovery", lambda: _recoveries(network, quick=run.quick))
            if "clients" in names and not clients.missing():
                run.measure("clients", lambda: _clients(network, run))
    if "recovery" in names:
        run.measure("recovery", lambda: [recovery.silent_reset()])
    for name, measure in ALONE.items():
        if name in names:
            run.measure(name, partial(measure, run.quick))
    if "crowd" in names:
        run.measure("crowd", lambda: _crowds(run))
    run.machine.end()
    sys.stdout.write(f"{run.machine}\n")
    if arguments.write:
        report.write(run)
        if not readme.write(run):
            sys.stdout.write("README.md stays: that takes a whole run\n")
    return 0 if not run.failed and all(it.kept for it in run.results) else 1


def _recoveries(network: Network, *, quick: bool) -> Iterable[Result]:
    return recovery.results(recovery.measure(network, quick=quick))


def _clients(network: Network, run: Run) -> Iterable[Result]:
    rounds, reboots = (3, 1) if run.quick else (12, 3)
    run.times = clients.measure(network, rounds=rounds, reboots=reboots)
    for it in run.times:
        shown = ", ".join(f"{act} {it.median(act) * 1e3:.2f}" for act in it.seconds)
        told = f"{it.name}: {shown} ms; after a reboot {it.recovered or '-'}"
        sys.stdout.write(f"       clients    {told}\n")
    return ()


def _crowds(run: Run) -> Iterable[Result]:
    run.crowds = scale.crowds()
    return scale.hold_ups(run.crowds)


if __name__ == "__main__":
    sys.exit(main())
