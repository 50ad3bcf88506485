"""What must be true at every moment, whatever happens.

The numbers are those of the README: 1 wanted is open, 2 unwanted is closed, 3 shown is
true, 4 nothing twice and nothing forgotten, 5 no storm, 6 nothing unasked, 7 a bad
datagram changes nothing, and a forged one costs little. 0 is what nobody may ever see: a
stack trace.
"""

from typing import TYPE_CHECKING

from .bounds import Bounds
from .broken import Broken
from .doors import Doors
from .home import Home
from .shown import Displays
from .traffic import Traffic

if TYPE_CHECKING:
    from .world import World


class Invariants:
    """Looks at a world after every step."""

    def __init__(self, world: World) -> None:
        """Look at a world."""
        self.world = world
        self.bounds = Bounds(world)
        self.traffic = Traffic(world)
        self._doors = Doors(world, self.bounds)
        self._displays = Displays(world, self.bounds, self._doors)

    def note_fall(self) -> None:
        """Note that Home Assistant ends just now."""
        self._doors.note_fall()

    def after_start(self, home: Home) -> None:
        """See that what was settled before a restart still holds."""
        world = self.world
        for forward_id, intent in list(world.intents):
            if forward_id not in home.ledger.forwards:
                continue
            wish = home.ledger.wish(forward_id)
            if intent.want is None or intent.closes_at is not None:
                world.intents.settle(forward_id, wish.wanted, wish.closes_at)
            elif wish.wanted is not intent.want:
                raise Broken(
                    1 if intent.want else 2,
                    f"{forward_id} is {'on' if wish.wanted else 'off'} after a restart,"
                    f" and was {'on' if intent.want else 'off'}",
                )

    def look(self) -> None:
        """Look at the routers, the switches and the disk, when all is done."""
        self._doors.look()
        self._displays.look()
