"""Doors that come back by themselves after what happens to the router."""

from .home import Home
from .network import EXTERNAL_ADDRESS, Network
from .router import PRIVATE_ADDRESS, Router
from .waiting import wait_until
from .watching import let_pass

SERVICE = 8443
OTHER_ADDRESS = "23.0.113.9"
# A refusal that is to last for 30 s, and what else it takes.
AFTER_HOLD = 60.0


def test_reboot(home: Home, router: Router) -> None:
    """All mappings lost, the epoch begun anew: the door is open again, and it is told."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    started = home.router_state("sensor", "router_started")
    let_pass(router)
    with home.router_events() as events:
        router.reboot()
        assert router.mappings() == []
        events.wait_for("restarted")
        restored = events.wait_for("forward_restored")
    assert (restored["forward_id"], restored["name"]) == (door.forward_id, "Web")
    home.wait_until_passes(SERVICE)
    assert (door.switch, door.status) == ("on", "open")
    assert home.router_state("sensor", "router_started") > started


def test_reboot_upon_reboot(home: Home, router: Router) -> None:
    """14.1.3: again and again, before what the one before has made is of any use."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    let_pass(router)
    for _ in range(3):
        router.reboot()
    assert router.mappings() == []
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")
    assert len(router.mappings()) == 1


def test_reboot_with_the_epoch_kept(home: Home, router: Router) -> None:
    """The same where the epoch is the machine's uptime: the ANNOUNCE alone tells it."""
    router.configure(system_uptime=True)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.reboot()
    assert router.mappings() == []
    home.wait_until_passes(SERVICE)
    assert (door.switch, door.status) == ("on", "open")


def test_reboot_with_an_outage(home: Home, router: Router) -> None:
    """A router that is away for a while: the switch stays on, the door comes back."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    let_pass(router)
    router.silence()
    router.restart(down_for=6)
    assert door.switch == "on"
    router.unsilence()
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")
    home.wait_for_router("binary_sensor", "reachable", "on")


def test_reboot_with_many_doors(home: Home, router: Router) -> None:
    """A hundred mappings are made again, and no storm is needed for it."""
    home.listen(9000)
    home.listen(9199)
    first = home.add("First", 9000, port_count=60)
    second = home.add("Second", 9160, port_count=40)
    assert len(router.mappings()) == 100
    let_pass(router)
    router.reboot()
    wait_until(
        lambda: len(router.mappings()) == 100, "a hundred mappings", timeout=30.0
    )
    assert home.passes(9000)
    assert home.passes(9199)
    first.wait_for("open", switch="on")
    second.wait_for("open", switch="on")


def test_reboot_leaves_closed_doors_closed(home: Home, router: Router) -> None:
    """What is switched off stays off."""
    home.listen(SERVICE)
    home.listen(8444)
    closed = home.add("Closed", SERVICE)
    closed.turn("off")
    home.add("Open", 8444)
    router.reboot()
    home.wait_until_passes(8444)
    assert not home.passes(SERVICE)
    assert (closed.switch, closed.status) == ("off", "closed")


def test_restart_with_lease_files(home: Home, router: Router) -> None:
    """Mappings that survive are taken up with the nonce they were made with."""
    router.configure(lease_files=True)
    home.listen(SERVICE)
    home.listen(8444)
    web = home.add("Web", SERVICE)
    exact = home.add("Exact", 8444, external_port=40444, exact_external_port=True)
    before = nonces(home.network)
    assert len(before) == 2
    let_pass(router)
    with home.router_events() as events:
        router.restart(lose_mappings=False)
        assert len(router.mappings()) == 2
        events.wait_for("restarted")
    for door in (web, exact):
        door.wait_for("open", switch="on")
    assert home.passes(SERVICE)
    assert home.passes(40444)
    assert nonces(home.network) == before
    assert len(router.mappings()) == 2
    exact.turn("off")
    web.turn("off")
    assert router.mappings() == []


def test_power_cut_of_the_router(home: Home, router: Router) -> None:
    """A daemon that was killed and lost its rules."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.restart(hard=True)
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")


def test_refused_after_reboot(home: Home, router: Router) -> None:
    """A router that now refuses: the wish stays, a repair issue tells it."""
    door = home.add("Web", SERVICE)
    let_pass(router)
    router.configure(permissions=["deny 0-65535 0.0.0.0/0 0-65535"])
    door.wait_for("refused", switch="on")
    wait_until(
        lambda: [issue for issue in home.api.issues() if issue["domain"] == "pcp"],
        "a repair issue",
    )
    door.turn("off")
    assert door.status == "closed"
    wait_until(
        lambda: not [i for i in home.api.issues() if i["domain"] == "pcp"],
        "no repair issue",
    )


def test_external_address_changes(home: Home, router: Router) -> None:
    """Sensors and an event tell the new address, where the door is open."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    assert home.router_state("sensor", "external_ipv4") == EXTERNAL_ADDRESS
    with home.router_events() as events:
        router.change_external_address(OTHER_ADDRESS)
        told = events.wait_for("external_address_changed")
    assert (told["old_address"], told["new_address"]) == (
        EXTERNAL_ADDRESS,
        OTHER_ADDRESS,
    )
    home.wait_for_router("sensor", "external_ipv4", OTHER_ADDRESS)
    home.wait_until_passes(SERVICE, address=OTHER_ADDRESS)
    door.wait_for("open", switch="on")
    home.api.wait_for_state(
        door.entity_id("external_address"), f"{OTHER_ADDRESS}:{SERVICE}"
    )


def test_private_external_address(home: Home, router: Router) -> None:
    """Behind another NAT nothing is granted; it is told, and mended by itself."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    assert home.router_state("binary_sensor", "double_nat") == "off"
    let_pass(router)
    router.private_external_address()
    home.wait_for_router("binary_sensor", "double_nat", "on")
    home.wait_for_router("sensor", "external_ipv4", PRIVATE_ADDRESS)
    door.wait_for("refused", switch="on")
    router.change_external_address(EXTERNAL_ADDRESS)
    home.wait_until_passes(SERVICE, timeout=AFTER_HOLD)
    door.wait_for("open", switch="on")
    home.wait_for_router("binary_sensor", "double_nat", "off")


def nonces(network: Network) -> set[tuple[str, str]]:
    """Return external port and nonce of each line in the router's lease file."""
    lines = (network.folder / "leases").read_text().splitlines()
    return {(line.split(":")[1], line.rpartition(" ")[2]) for line in lines}
