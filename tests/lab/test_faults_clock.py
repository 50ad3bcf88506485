"""The wall clock stepped forth and back under Home Assistant."""

from collections.abc import Callable
from datetime import datetime, timedelta
import time

import pytest

from tests.real_ha.client import Json

from .faults import Doors
from .home import Home
from .router import Router
from .waiting import wait_until
from .wall_clock import WallClock

pytestmark = pytest.mark.timeout(1200)

HOUR = timedelta(hours=1)
FORTH, BACK, DAY, RIGHT = 2 * HOUR, -3 * HOUR, 24 * HOUR, 0 * HOUR
# Seconds; the daemon wants more than min_lifetime.
SHORT_LEASE = 14
SHORTLY = 10
A_WHILE = 1800
# A step is of hours: what is shown is wrong by more than a slow machine takes.
TOLERANCE = timedelta(minutes=10)
# A net against hangs: it is looked at the clock every 3 s.
NOTICED = 90.0


@pytest.fixture(scope="module")
def quick() -> bool:
    """Look at the clock often."""
    return True


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> WallClock:
    """Give Home Assistant a wall clock of its own."""
    return WallClock(tmp_path_factory.mktemp("clock") / "offset")


def step(home: Home, clock: WallClock, offset: timedelta) -> None:
    """Set the clock, and see that Home Assistant has it."""
    clock.set(offset)

    def is_seen() -> bool:
        told = home.api.post("template", {"template": "{{ utcnow().isoformat() }}"})
        return abs(datetime.fromisoformat(told) - clock.now()) < TOLERANCE

    wait_until(is_seen, f"{offset} to be seen", timeout=NOTICED)


def in_about(clock: WallClock, seconds: float) -> Callable[[Json], bool]:
    """Tell of a state whether it is a time in so many seconds, on the new clock."""

    def is_it(state: Json) -> bool:
        shown = datetime.fromisoformat(state["state"])
        return abs(shown - clock.now() - timedelta(seconds=seconds)) < TOLERANCE

    return is_it


def test_stepped(home: Home, router: Router, clock: WallClock) -> None:
    """Leases go on, a duration is what has passed, and all is shown by the new time."""
    router.configure(min_lifetime=1, max_lifetime=SHORT_LEASE)
    doors = Doors.added(home, router)
    kept, timed, off, short = doors.doors
    doors.doors[off].turn("off")
    doors.doors[timed].open_for(A_WHILE)
    closes_at = time.monotonic() + A_WHILE
    doors.wanted = {kept: True, timed: True, off: False}
    for offset in (FORTH, BACK, DAY, RIGHT):
        opened_at = time.monotonic()
        doors.doors[short].open_for(SHORTLY)
        step(home, clock, offset)
        for port, key, seconds in (
            (kept, "expires_at", SHORT_LEASE),
            (timed, "closes_at", closes_at - time.monotonic()),
        ):
            home.api.wait_for_state(
                doors.doors[port].entity_id(key),
                in_about(clock, seconds),
                timeout=NOTICED,
            )
        doors.wait_until_right()
        doors.doors[short].wait_for("closed", switch="off", timeout=NOTICED)
        assert not home.passes(short)
        assert time.monotonic() >= opened_at + SHORTLY
        # As before, on leases that were renewed since.
        doors.wait_until_right()
    doors.wanted[short] = False
    doors.close_all()


def test_stepped_before_a_power_cut(
    home: Home, router: Router, clock: WallClock
) -> None:
    """What is on disk is by the old time: what is owed is closed, nothing stays longer."""
    doors = Doors.added(home, router)
    kept, timed, off, owed = doors.doors
    doors.doors[off].turn("off")
    for offset, is_back in ((DAY, False), (BACK, True)):
        for port in (timed, owed):
            doors.doors[port].turn("on")
            doors.doors[port].wait_for("open")
        doors.doors[timed].open_for(A_WHILE)
        router.silence()
        doors.doors[owed].turn("off")
        clock.set(offset)
        home.kill()
        router.unsilence()
        home.start()
        home.wait_until_shut(owed, timeout=NOTICED)
        # By the wall clock across restarts.
        doors.wanted = {kept: True, timed: is_back, off: False, owed: False}
        doors.wait_until_right()
        if is_back:
            home.api.wait_for_state(
                doors.doors[timed].entity_id("closes_at"),
                in_about(clock, A_WHILE),
            )
    doors.close_all()
