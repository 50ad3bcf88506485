"""What is to happen in one run, told before it begins: a seed makes a script.

A run is played from its script alone, so that a script with events taken out can be
played, too: that is how a failing one is made short.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, override

from custom_components.pcp.forward import Forward


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens."""

    at: float
    """Seconds since the beginning."""

    kind: str
    """The method of `Deeds` that does it."""

    args: Mapping[str, Any] = field(default_factory=dict)

    @override
    def __str__(self) -> str:
        args = ", ".join(f"{key}={value}" for key, value in self.args.items())
        return f"{clock(self.at)}  {self.kind}({args})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A whole run."""

    seed: int
    """Of what the network and the nonces draw."""

    personality: str
    other_personality: str
    """Of the router that the entry may be moved to."""

    third_party: bool
    """Whether the options permit forwards to other hosts at first."""

    days: float
    lease_time: int
    forwards: tuple[Forward, ...]
    """What may be defined, by slot."""

    events: tuple[Event, ...]

    @override
    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.personality}, {self.days:g} days,"
            f" lease {self.lease_time} s, {len(self.events)} events"
        )


def clock(seconds: float) -> str:
    """Return a time of the run for people: days and the clock."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{days:.0f}d {hours:02.0f}:{minutes:02.0f}:{rest:06.3f}"
