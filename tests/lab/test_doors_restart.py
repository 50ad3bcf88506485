"""Doors and the comings and goings of Home Assistant itself."""

import time

from .home import Home
from .network import ROUTER_ADDRESS, Network
from .router import Router
from .waiting import wait_until

SERVICE = 8443
# Seconds; the daemon wants more than min_lifetime.
SHORT_LEASE = 14


def test_stopped_and_started(home: Home, router: Router) -> None:
    """Stopping leaves a door open; starting takes its lease up again."""
    router.configure(lease_files=True)
    home.listen(SERVICE)
    home.listen(8444)
    door = home.add("Web", SERVICE)
    exact = home.add("Exact", 8444, external_port=40444, exact_external_port=True)
    before = lease_file(home.network)
    home.stop()
    assert home.passes(SERVICE)
    assert home.passes(40444)
    home.start()
    door.wait_for("open", switch="on")
    exact.wait_for("open", switch="on")
    assert home.passes(SERVICE)
    assert home.passes(40444)
    assert lease_file(home.network) == before
    assert len(router.mappings()) == 2
    door.turn("off")
    assert not home.passes(SERVICE)
    assert home.passes(40444)


def test_killed_and_started_within_the_lease(home: Home, router: Router) -> None:
    """A power cut changes nothing: the same mapping, the same nonce."""
    router.configure(lease_files=True)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    before = lease_file(home.network)
    home.wait_until_saved()
    home.kill()
    assert home.passes(SERVICE)
    home.start()
    door.wait_for("open", switch="on")
    assert lease_file(home.network) == before
    assert len(router.mappings()) == 1
    door.turn("off")
    assert router.mappings() == []


def test_killed_beyond_the_lease(home: Home, router: Router) -> None:
    """The lease ends, and with it the door; started, it is open again."""
    router.configure(min_lifetime=1, max_lifetime=SHORT_LEASE)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    home.wait_until_saved()
    home.kill()
    home.wait_until_shut(SERVICE, timeout=SHORT_LEASE + 20)
    home.start()
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")


def test_killed_right_after_the_switch(home: Home, router: Router) -> None:
    """A wish is on disk when its action returns."""
    home.listen(SERVICE)
    home.listen(8444)
    closed = home.add("Closed", SERVICE)
    opened = home.add("Opened", 8444)
    home.wait_until_saved()
    opened.turn("off")
    opened.turn("on")
    closed.turn("off")
    home.kill()
    home.start()
    opened.wait_for("open", switch="on")
    assert (closed.switch, closed.status) == ("off", "closed")
    assert home.passes(8444)
    assert not home.passes(SERVICE)
    assert len(router.mappings()) == 1


def test_killed_before_it_was_defined(home: Home, router: Router) -> None:
    """A forward that was lost with the power: its lease is on disk, and closed."""
    home.listen(SERVICE)
    home.add("Other", 8444)
    home.wait_until_saved()
    home.add("Web", SERVICE)
    home.kill()
    assert home.passes(SERVICE)
    home.start()
    assert [each["name"] for each in home.doors()] == ["Other"]
    home.wait_until_shut(SERVICE)
    assert len(router.mappings()) == 1


def test_router_rebooted_while_away(home: Home, router: Router) -> None:
    """What the router lost while Home Assistant was away is made again."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    home.stop()
    router.reboot()
    assert not home.passes(SERVICE)
    home.start()
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")


def test_duration_runs_out_while_away(home: Home, router: Router) -> None:
    """What was to close while Home Assistant was away is closed when it starts."""
    home.listen(SERVICE)
    home.listen(8444)
    door = home.add("Web", SERVICE)
    door.turn("off")
    door.open_for(10)
    opened_at = time.monotonic()
    home.add("Guest", 8444, duration=10)
    home.wait_until_saved()
    home.kill()
    assert home.passes(SERVICE)
    time.sleep(opened_at + 11 - time.monotonic())
    home.start()
    door.wait_for("closed", switch="off")
    home.wait_until_shut(SERVICE)
    wait_until(lambda: len(home.doors()) == 1, "the temporary forward to be removed")
    assert not home.passes(8444)
    assert router.mappings() == []


def test_reload(home: Home, router: Router) -> None:
    """Reloading the entry disturbs nothing: not even a connection through the door."""
    home.add("Web", SERVICE)
    with home.conversation(SERVICE) as conversation:
        home.api.reload_entry(home.entry_id)
        assert conversation.goes_on()
        assert len(router.mappings()) == 1
    assert home.doors()[0]["status"] == "open"
    home.wait_for_router("binary_sensor", "reachable", "on")


def test_removing_the_router(home: Home, router: Router) -> None:
    """Removing the entry closes all, and another one of it opens nothing."""
    home.listen(SERVICE)
    home.add("Web", SERVICE, protocol="tcp_udp")
    home.add("Other", 8444)
    home.api.delete_entry(home.entry_id)
    assert not home.passes(SERVICE)
    assert router.mappings() == []
    home.add_router()
    assert home.doors() == []
    assert router.mappings() == []


def test_disabling_the_router(home: Home, router: Router) -> None:
    """Disabling the entry closes all; enabling it leaves all off."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    home.api.set_entry_enabled(home.entry_id, enabled=False)
    assert not home.passes(SERVICE)
    assert router.mappings() == []
    home.api.set_entry_enabled(home.entry_id, enabled=True)
    door.wait_for("closed", switch="off")
    assert not home.passes(SERVICE)
    door.turn("on")
    assert home.passes(SERVICE)


def test_disabling_a_switch(home: Home, router: Router) -> None:
    """A forward whose switch is disabled is closed; the others stay as they are."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    home.add("Other", 8444)
    with home.conversation(8444) as conversation:
        home.api.set_entity_enabled(door.entity_id("forward"), enabled=False)
        home.wait_until_shut(SERVICE)
        assert len(router.mappings()) == 1
        door.wait_for("closed")
        assert conversation.goes_on()


def test_removing_a_forward(home: Home, router: Router) -> None:
    """Only that one is closed: a connection through another one stays."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    other = home.add("Other", 8444)
    with home.conversation(8444) as conversation:
        door.remove()
        assert not home.passes(SERVICE)
        assert conversation.goes_on()
    assert [each["name"] for each in home.doors()] == ["Other"]
    assert (other.switch, other.status) == ("on", "open")
    assert len(router.mappings()) == 1


def test_bad_hosts(empty_home: Home, router: Router) -> None:
    """What is no router is told in the form, and makes no entry."""
    home = empty_home
    # A host without PCP: refused by ICMP.
    assert home.router_error("192.168.77.3") == {"base": "not_supported"}
    # Nobody there.
    assert home.router_error("192.168.77.99") == {"base": "cannot_connect"}
    assert home.router_error("no-such-router.invalid") == {"host": "invalid_host"}
    for text in ("", "192.168.77", "224.0.0.1", "fe80::1", "http://192.168.77.1"):
        assert home.router_error(text) == {"host": "invalid_host"}, text
    router.silence()
    assert home.router_error(ROUTER_ADDRESS) == {"base": "cannot_connect"}
    router.unsilence()
    router.stop()
    assert home.router_error(ROUTER_ADDRESS) == {"base": "not_supported"}
    assert home.api.entries("pcp") == []
    assert router.mappings() == []


def test_the_same_router_twice(home: Home) -> None:
    """A router is added once, by whatever name."""
    result = home.try_router(f" {ROUTER_ADDRESS} ")
    assert (result["type"], result["reason"]) == ("abort", "already_configured")
    result = home.try_router("2001:db8:77::1")
    assert (result["type"], result["reason"]) == ("abort", "already_configured")


def test_adding_opens_nothing(empty_home: Home, router: Router) -> None:
    """Neither the form's search and probe nor the set-up leaves a mapping."""
    empty_home.add_router()
    assert empty_home.router_state("sensor", "protocol") == "pcp"
    assert router.mappings() == []


def lease_file(network: Network) -> list[tuple[str, str, str]]:
    """Return protocol, external port and nonce of each line of the lease file."""
    lines = (network.folder / "leases").read_text().splitlines()
    return sorted(
        (line.split(":")[0], line.split(":")[1], line.rpartition(" ")[2])
        for line in lines
    )
