"""Doors of a router that does not answer, with a Home Assistant that checks often."""

import time

import pytest

from .home import QUICK_CHECK, Home
from .router import Router
from .watching import RequestCount, let_pass

SERVICE = 8443
# A silent router is found by three unanswered transmissions at the most.
SILENCE_SEEN = 40.0


@pytest.fixture(scope="module")
def quick() -> bool:
    """Check the router often."""
    return True


def test_lost_announcement(home: Home, router: Router) -> None:
    """A reboot whose ANNOUNCE was lost is found by the check."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.drop_announcements()
    let_pass(router)
    router.reboot()
    assert not home.passes(SERVICE)
    home.wait_until_passes(SERVICE, timeout=QUICK_CHECK + 20)
    door.wait_for("open", switch="on")


def test_nothing_tells_the_loss(home: Home, router: Router) -> None:
    """No ANNOUNCE and no new epoch: found at the next renewal."""
    router.configure(system_uptime=True, min_lifetime=1, max_lifetime=16)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.drop_announcements()
    router.reboot()
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")


def test_silence_is_told(home: Home, router: Router) -> None:
    """While its lease lives a door stays open; `reachable` tells the silence."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.silence()
    home.wait_for_router("binary_sensor", "reachable", "off", timeout=SILENCE_SEEN)
    assert (door.switch, door.status) == ("on", "open")
    assert home.passes(SERVICE)
    assert home.router_state("sensor", "protocol") == "unavailable"
    router.unsilence()
    home.wait_for_router("binary_sensor", "reachable", "on")
    assert (door.switch, door.status) == ("on", "open")
    warnings = [
        line
        for line in home.log().splitlines()
        if "answer" in line
        if "WARNING" in line
    ]
    assert len(warnings) == 2, warnings


def test_refusal_is_told(home: Home, router: Router) -> None:
    """A router that answers by ICMP is not reachable, and one again when it starts."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.refuse()
    home.wait_for_router("binary_sensor", "reachable", "off", timeout=SILENCE_SEEN)
    router.start()
    home.wait_for_router("binary_sensor", "reachable", "on")
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")


def test_lease_runs_out_in_silence(home: Home, router: Router) -> None:
    """The door closes at the end of its lease, and opens when the router is back."""
    router.configure(min_lifetime=1, max_lifetime=12)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    assert door.expires_in < 13
    router.silence()
    door.wait_for("unreachable", switch="on")
    home.wait_until_shut(SERVICE)
    router.unsilence()
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")


def test_short_leases_are_kept(home: Home, router: Router) -> None:
    """Renewals keep a door open beyond its lease."""
    router.configure(min_lifetime=1, max_lifetime=12)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    until = time.monotonic() + 18
    while time.monotonic() < until:
        # A slow machine is no closed door.
        assert home.passes(SERVICE, timeout=2.0)
        assert door.status == "open"


def test_switched_off_in_silence(home: Home, router: Router) -> None:
    """Switched off while nobody answers: closing, until it is known to be closed."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.silence()
    door.turn("off")
    assert (door.switch, door.status) == ("off", "closing")
    assert 3000 < door.expires_in < 3602
    assert home.passes(SERVICE)
    router.unsilence()
    door.wait_for("closed", switch="off")
    assert not home.passes(SERVICE)
    assert router.mappings() == []


def test_switched_off_until_the_lease_ends(home: Home, router: Router) -> None:
    """A router that never answers again: closed when the lease has run out."""
    router.configure(min_lifetime=1, max_lifetime=12)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.silence()
    door.turn("off")
    assert door.status == "closing"
    door.wait_for("closed", switch="off")
    home.wait_until_shut(SERVICE, timeout=10)
    assert router.mappings() == []


def test_switched_on_in_silence(home: Home, router: Router) -> None:
    """Switched on while nobody answers: no error, and open when the router is back."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    door.turn("off")
    router.silence()
    door.turn("on")
    assert door.switch == "on"
    door.wait_for("unreachable", switch="on", timeout=SILENCE_SEEN)
    router.unsilence()
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")


def test_toggled_in_silence(home: Home, router: Router) -> None:
    """The last wish counts, and nothing of the others is left."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.silence()
    for switch in ("off", "on", "off"):
        door.turn(switch)
    assert door.status == "closing"
    router.unsilence()
    door.wait_for("closed", switch="off")
    assert router.mappings() == []
    assert not home.passes(SERVICE)


def test_removed_in_silence(home: Home, router: Router) -> None:
    """A forward removed while nobody answers is deleted when the router is back."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.silence()
    door.remove()
    assert home.doors() == []
    router.unsilence()
    home.wait_until_shut(SERVICE)
    assert router.mappings() == []


def test_router_removed_in_silence(home: Home, router: Router) -> None:
    """Nothing is left of the entry, and yet its door is shut when the router is back."""
    home.listen(SERVICE)
    home.add("Web", SERVICE)
    router.silence()
    home.api.delete_entry(home.entry_id)
    assert home.api.entries("pcp") == []
    assert home.passes(SERVICE)
    router.unsilence()
    home.wait_until_shut(SERVICE, timeout=SILENCE_SEEN)
    assert router.mappings() == []


@pytest.mark.parametrize("enabled_in_silence", [False, True])
def test_router_disabled_in_silence(
    home: Home, router: Router, enabled_in_silence: bool
) -> None:
    """Shut when the router is back; whoever is enabled meanwhile goes on with that."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.silence()
    home.api.set_entry_enabled(home.entry_id, enabled=False)
    assert home.passes(SERVICE)
    if enabled_in_silence:
        home.api.set_entry_enabled(home.entry_id, enabled=True)
        door.wait_for("closing", switch="off")
    router.unsilence()
    home.wait_until_shut(SERVICE, timeout=SILENCE_SEEN)
    assert router.mappings() == []
    if not enabled_in_silence:
        home.api.set_entry_enabled(home.entry_id, enabled=True)
    door.wait_for("closed", switch="off")
    assert router.mappings() == []


def test_silent_router_is_asked_seldom(home: Home, router: Router) -> None:
    """Twenty mappings and a silent router: no storm, neither before nor after."""
    home.add("Range", 9000, port_count=20)
    router.silence()
    requests = RequestCount(home.network)
    time.sleep(10)
    assert requests.value < 12
    router.unsilence()
    home.wait_for_router("binary_sensor", "reachable", "on")
    time.sleep(5)
    assert requests.value < 40


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_restart_closes_what_was_owed(home: Home, router: Router, end: str) -> None:
    """Switched off in silence, then stopped: the deletion is still owed, and done."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.silence()
    home.wait_until_saved()
    door.turn("off")
    (home.stop if end == "stop" else home.kill)()
    home.start()
    assert (door.switch, door.status) == ("off", "closing")
    assert home.passes(SERVICE)
    router.unsilence()
    home.wait_until_shut(SERVICE)
    door.wait_for("closed", switch="off")
    assert router.mappings() == []


def test_start_with_a_silent_router(home: Home, router: Router) -> None:
    """The switches are there, take wishes, and the doors follow when it is back."""
    home.listen(SERVICE)
    home.listen(8444)
    opened = home.add("To be opened", SERVICE)
    opened.turn("off")
    closed = home.add("To be closed", 8444)
    home.stop()
    router.silence()
    router.reboot()
    home.start()
    assert [entry["state"] for entry in home.api.entries("pcp")] == ["loaded"]
    assert (opened.switch, closed.switch) == ("off", "on")
    opened.turn("on")
    closed.turn("off")
    assert (opened.switch, closed.switch) == ("on", "off")
    router.unsilence()
    home.wait_until_passes(SERVICE)
    opened.wait_for("open", switch="on")
    closed.wait_for("closed", switch="off")
    assert not home.passes(8444)


def test_packet_loss(home: Home, router: Router) -> None:
    """Many datagrams are lost, and nothing of it is to be seen in the end."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    let_pass(router)
    router.loss(30)
    router.reboot()
    home.wait_until_passes(SERVICE, timeout=90.0)
    door.wait_for("open", switch="on", timeout=60.0)
    router.loss(0)
    door.turn("off")
    assert not home.passes(SERVICE)
