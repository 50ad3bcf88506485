"""The shortest script that still fails: events are taken out while it does."""

from collections.abc import Callable
from dataclasses import replace

from .script import Event, Script


def shrunk(script: Script, fails: Callable[[Script], bool]) -> Script:
    """Return a script with as few events as possible that fails in the same way.

    First what is taken out is large, then ever smaller; in the end each event that is
    left is needed.
    """
    events = script.events
    size = max(1, len(events) // 2)
    while True:
        rest = _without_chunks(events, size, script, fails)
        if size == 1 and len(rest) == len(events):
            return replace(script, events=rest)
        events = rest
        size = max(1, size // 2)


def _without_chunks(
    events: tuple[Event, ...],
    size: int,
    script: Script,
    fails: Callable[[Script], bool],
) -> tuple[Event, ...]:
    begin = 0
    while begin < len(events):
        fewer = events[:begin] + events[begin + size :]
        if fails(replace(script, events=fewer)):
            events = fewer
        else:
            begin += size
    return events
