"""Plays seeds; or one, with its story. See README.md here."""

import argparse
import sys
import time

from .runs import Outcome, by_personality, play_all, shortest_story


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one and tell the story")
    parser.add_argument("--whole", action="store_true", help="do not shorten it")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="measure the ratio")
    arguments = parser.parse_args()
    if arguments.profile:
        from tests.bench.simulation import measure

        for result in measure():
            _write(f"{result.name}: {result.measured:.2f} ({result.detail})")
        return 0
    if arguments.seed is not None:
        shortest_story(arguments.seed, _write, shorten=not arguments.whole)
        return 0
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    begun = time.perf_counter()
    outcomes: list[Outcome] = []
    for outcome in play_all(seeds, processes=arguments.processes):
        outcomes.append(outcome)
        if outcome.broken is not None:
            _write(f"seed {outcome.seed} ({outcome.personality}): {outcome.what}")
    failed = [it for it in outcomes if it.broken is not None]
    _write(
        f"{len(outcomes)} seeds, {len(failed)} failed,"
        f" {sum(it.events for it in outcomes)} events,"
        f" {sum(it.steps for it in outcomes)} steps, at most"
        f" {max((it.requests for it in outcomes), default=0)} requests in an hour,"
        f" {max((it.nearest for it in outcomes), default=0.0):.0%} of what is permitted,"
        f" {time.perf_counter() - begun:.0f} s"
    )
    for name, count in by_personality(outcomes).most_common():
        _write(f"  {name}  {count}")
    return 1 if failed else 0


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
