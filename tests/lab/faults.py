"""Doors that are toggled at random while something goes wrong, and what must be in the end.

`PCP_FAULT_ROUNDS=100` makes the long run of it, `PCP_FAULT_SEED` repeats one.
"""

from dataclasses import dataclass, field
import logging
import os
import random
import secrets

from .door import Door
from .home import Home
from .router import Router
from .waiting import wait_until

_LOGGER = logging.getLogger(__name__)

FIRST_PORT = 8441
# An act waits for at most 5 s; the rest is for what has to be found out first.
SETTLED = 60.0


def rounds(in_short: int) -> int:
    """Return how often to do it: so often, or as often as the long run is to."""
    return int(os.environ.get("PCP_FAULT_ROUNDS", in_short))


def chance() -> random.Random:
    """Return chances; the seed is told, to have them again."""
    seed = int(os.environ.get("PCP_FAULT_SEED", secrets.randbits(32)))
    _LOGGER.warning("PCP_FAULT_SEED=%s", seed)
    return random.Random(seed)


@dataclass(slots=True)
class Doors:
    """Some forwards of which each is wanted, or not."""

    home: Home
    router: Router
    random: random.Random
    wanted: dict[int, bool] = field(default_factory=dict)
    """By port; what was said last."""
    doors: dict[int, Door] = field(default_factory=dict)

    @classmethod
    def added(cls, home: Home, router: Router, number: int = 4) -> Doors:
        """Add them and listen behind them; all are open."""
        doors = cls(home, router, chance())
        for port in range(FIRST_PORT, FIRST_PORT + number):
            home.listen(port)
            doors.doors[port] = home.add(f"Door {port}", port)
            doors.wanted[port] = True
        home.wait_until_saved()
        return doors

    def toggle(self, number: int = 2) -> None:
        """Switch some, all of a kind in one call."""
        switched = self.random.sample(sorted(self.doors), number)
        for port in switched:
            self.wanted[port] = not self.wanted[port]
        for action in ("turn_on", "turn_off"):
            targets = [
                self.doors[port].entity_id("forward")
                for port in switched
                if self.wanted[port] is (action == "turn_on")
            ]
            if targets:
                self.home.api.call_service(
                    "switch", action, target={"entity_id": targets}
                )

    def wait_until_right(self, *, timeout: float = SETTLED) -> None:
        """Wait until what is wanted is open; what is not is closed, or said to close."""
        for port, wanted in self.wanted.items():
            wait_until(
                lambda port=port: self.is_right(port),  # type: ignore[misc]
                f"{port}, {'' if wanted else 'not '}wanted, to be right",
                timeout=timeout,
            )

    def is_right(self, port: int) -> bool:
        """Tell whether a door is as it is wanted, and shown as it is."""
        door, passes = self.doors[port], self.home.passes(port)
        if door.switch != ("on" if self.wanted[port] else "off"):
            return False
        if self.wanted[port]:
            return passes and door.status == "open"
        return door.status == "closing" or (door.status == "closed" and not passes)

    def close_all(self) -> None:
        """Switch all off, and see them shut, without anything left on the router."""
        for port, door in self.doors.items():
            if self.wanted[port]:
                self.wanted[port] = False
                door.turn("off")
        for port, door in self.doors.items():
            door.wait_for("closed", switch="off", timeout=SETTLED)
            assert not self.home.passes(port)
        assert self.router.mappings() == []
