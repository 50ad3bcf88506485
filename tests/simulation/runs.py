"""Playing many seeds, on as many processors as asked for, and what came of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
import multiprocessing

from .chance import script_of
from .script import Script
from .shrink import shrunk
from .world import START, World

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one seed."""

    seed: int
    personality: str
    events: int
    steps: int
    requests: int
    """In the busiest hour."""

    nearest: float
    """How much of what is permitted in an hour was used, at most."""

    broken: int | None = None
    """The number of the invariant, None when all held."""

    what: str = ""


def play(seed: int, days: float = 7.0) -> Outcome:
    """Play one seed."""
    script = script_of(seed, days=days)
    world = World(script)
    broken = world.play()
    return Outcome(
        seed=seed,
        personality=script.personality,
        events=len(script.events),
        steps=world.time_line.steps,
        requests=world.invariants.traffic.most,
        nearest=world.invariants.traffic.nearest,
        broken=None if broken is None else broken.number,
        what="" if broken is None else str(broken),
    )


def play_all(seeds: Iterable[int], *, processes: int = 1) -> Iterator[Outcome]:
    """Play many seeds, in no order."""
    if processes == 1:
        yield from map(play, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(play, seeds, chunksize=4)


def first_failure(
    seeds: Iterable[int], number: int | None = None, *, days: float = 7.0
) -> Outcome | None:
    """Return the first seed that fails, or that breaks one invariant."""
    for seed in seeds:
        outcome = play(seed, days)
        if outcome.broken is not None and number in (None, outcome.broken):
            return outcome
    return None


def shortest_story(
    seed: int, tell: Callable[[str], None], *, shorten: bool = True
) -> Script:
    """Play a seed that fails; tell its shortest story."""
    script = script_of(seed)
    world = World(script)
    broken = world.play()
    if broken is None:
        tell(f"{script}: all is well")
        return script
    script = replace(script, days=(world.now - START + 1.0) / DAY)
    if shorten:
        kind = broken.kind

        def fails(shorter: Script) -> bool:
            found = World(shorter).play()
            return found is not None and found.kind == kind

        if fails(script):
            script = shrunk(script, fails)
    world = World(script, told=True)
    broken = world.play()
    tell(f"{script}")
    for slot, forward in enumerate(script.forwards):
        tell(f"  slot {slot}: {forward.as_data()}")
    story = world.story or []
    for number, line in enumerate(story):
        # Of what was said on the wire the end is enough.
        if number > len(story) - 40 or (
            "d  " not in line[:24] and "    " not in line[12:20]
        ):
            tell(line[:240])
    tell(f"{broken}")
    return script


def by_personality(outcomes: Iterable[Outcome]) -> Counter[str]:
    """Count the failures."""
    return Counter(
        f"{it.personality}: {it.broken}" for it in outcomes if it.broken is not None
    )
