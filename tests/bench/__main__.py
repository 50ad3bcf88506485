"""The command behind scripts/bench."""

import argparse
import sys

from . import against_router, importing, memory, quiet_hour
from .result import Result

NAMES = ("add", "remake", "quiet-hour", "import", "memory")


def main() -> int:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    arguments = parser.parse_args()
    names = set(arguments.names or NAMES)
    if unknown := names - set(NAMES):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    results: list[Result] = []
    if names & {"add", "remake"}:
        results += against_router.measure(names, quick=arguments.quick)
    if "quiet-hour" in names:
        results += quiet_hour.measure()
    if "import" in names:
        results += importing.measure(5 if arguments.quick else 15)
    if "memory" in names:
        results += memory.measure()
    for result in results:
        sys.stdout.write(
            f"{'kept  ' if result.kept else 'BROKEN'} {result.name:10}"
            f" {result.measured:10.2f} of at most {result.limit:g} {result.unit}"
            f" ({result.detail})\n"
        )
    return 0 if all(result.kept for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
