"""Doors while the network around Home Assistant changes: they follow, and none is left.

Nothing is looked at more often than it is in earnest: what comes within seconds was
noticed when it happened.
"""

from collections.abc import Iterator

import pytest

from tests.real_ha.client import FlowKind

from .home import Home
from .ipv6 import change_address
from .network import (
    LAN_ADDRESS,
    LAN_ADDRESS_V6,
    ROUTER_ADDRESS,
    ROUTER_LINK_LOCAL,
    Network,
)
from .router import Router
from .second_router import SecondRouter
from .waiting import wait_until
from .watching import MapRequests

SERVICE = 8443
# Where a mapping is left for as long as its lease lasts, each test has its own.
MOVED_SERVICE = 8445
OTHER_ADDRESS = "192.168.77.12"
OTHER_ADDRESS_V6 = "2001:db8:77::12"
OTHER_ROUTER_ADDRESS = "192.168.77.254"
TUNNEL_ADDRESS = "10.8.0.2"
ANYCAST = "192.0.0.9"
# Longer than a change takes to be noticed, and shorter than the look of every minute.
SOON = 20.0

# For a door that has to be waited for, with the start of a Home Assistant in it.
pytestmark = pytest.mark.timeout(600)


def run(network: Network, *lines: str) -> None:
    """Run lines of `ip` in lan."""
    network.run("lan", "ip", "-batch", "-", stdin="\n".join(lines) + "\n")


def internal_addresses(router: Router) -> set[str]:
    """Return for whom something is open."""
    return {mapping.internal_address for mapping in router.mappings()}


def wait_for_internal(router: Router, *addresses: str) -> None:
    """Wait until something is open for these, and for nobody else."""
    wait_until(
        lambda: internal_addresses(router) == set(addresses),
        f"mappings for {addresses}",
        timeout=SOON,
    )


@pytest.fixture
def world(network: Network) -> Iterator[Network]:
    """A network that is put back as it was."""
    yield network
    network.run("lan", "ip", "rule", "del", "pref", "100", check=False)
    network.run("lan", "ip", "link", "del", "tun0", check=False)
    restore_interface(network)
    network.run("lan", "ip", "route", "replace", "default", "via", ROUTER_ADDRESS)


def lose_interface(network: Network) -> None:
    """Take lan's only interface out, as an adapter on USB is."""
    network.run("lan", "ip", "link", "del", "eth0")


def restore_interface(network: Network) -> None:
    """Put it in again, unless it is there."""
    if network.run("lan", "ip", "link", "show", "eth0", check=False).returncode == 0:
        return
    lan = network.namespace("lan")
    network.run(
        *("router", "ip", "link", "add", "lan0", "type", "veth"),
        *("peer", "name", "eth0", "netns", lan),
    )
    network.run("router", "ip", "link", "set", "lan0", "master", "br0", "up")
    run(
        network,
        "link set eth0 up",
        f"address add {LAN_ADDRESS}/24 dev eth0",
        f"address add {LAN_ADDRESS_V6}/64 dev eth0 nodad",
        f"route add default via {ROUTER_ADDRESS}",
        f"route add ::/0 via {ROUTER_LINK_LOCAL} dev eth0",
    )


def tunnel(network: Network) -> None:
    """Bring up a VPN that takes every way there is, and at whose end nobody answers."""
    run(
        network,
        "link add tun0 type veth peer name tun1",
        "link set tun1 up",
        f"address add {TUNNEL_ADDRESS}/24 dev tun0",
        "link set tun0 up",
        "route add default dev tun0 table 52",
        "rule add pref 100 lookup 52",
    )


@pytest.fixture
def changing_home(world: Network, home: Home) -> Home:
    """A Home Assistant whose network is put back before its doors are closed."""
    return home


def test_another_address(home: Home, router: Router) -> None:
    """11.5: another address besides and then instead: the door leads there."""
    network = home.network
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    # Whoever has both deletes what the old one had.
    run(
        network,
        f"address add {OTHER_ADDRESS}/24 dev eth0",
        f"route change 192.168.77.0/24 dev eth0 src {OTHER_ADDRESS}",
    )
    wait_for_internal(router, OTHER_ADDRESS)
    door.wait_for("open", switch="on")
    home.wait_until_passes(door.external_port)
    # Which is why nothing is left when it goes.
    network.set_address("lan", OTHER_ADDRESS)
    door.turn("off")
    assert not home.passes(SERVICE)
    assert (door.status, router.mappings()) == ("closed", [])


def test_another_address_at_once(home: Home, router: Router) -> None:
    """8.1: what an address has that is gone ends by itself, or when it is back."""
    network = home.network
    home.listen(MOVED_SERVICE)
    door = home.add("Web", MOVED_SERVICE)
    network.set_address("lan", OTHER_ADDRESS)
    wait_for_internal(router, LAN_ADDRESS, OTHER_ADDRESS)
    door.wait_for("open", switch="on")
    home.wait_until_passes(door.external_port)
    door.turn("off")
    assert (door.switch, door.status) == ("off", "closing")
    network.set_address("lan", LAN_ADDRESS)
    door.wait_for("closed", switch="off", timeout=SOON)
    assert router.mappings() == []


def test_interface_goes_and_comes(changing_home: Home, router: Router) -> None:
    """The door is open again as soon as there is a way, whatever was lost meanwhile."""
    home = changing_home
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    lose_interface(home.network)
    home.wait_for_router("binary_sensor", "reachable", "off", timeout=SOON)
    # The router may keep it yet.
    assert (door.switch, door.status) == ("on", "open")
    router.reboot()
    assert router.mappings() == []
    restore_interface(home.network)
    home.wait_until_passes(SERVICE, timeout=SOON)
    door.wait_for("open", switch="on")
    home.wait_for_router("binary_sensor", "reachable", "on")
    assert internal_addresses(router) == {LAN_ADDRESS}
    door.turn("off")
    assert (door.status, router.mappings()) == ("closed", [])


def test_tunnel_takes_every_way(changing_home: Home, router: Router) -> None:
    """A router on our own link is asked there, whatever a VPN wants."""
    home = changing_home
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    tunnel(home.network)
    other = home.add("Other", SERVICE + 1)
    assert internal_addresses(router) == {LAN_ADDRESS}
    assert home.router_state("binary_sensor", "reachable") == "on"
    assert (door.status, other.status) == ("open", "open")
    other.turn("off")
    assert other.status == "closed"
    home.network.run("lan", "ip", "rule", "del", "pref", "100")
    home.wait_until_passes(SERVICE, timeout=SOON)
    door.turn("off")
    assert router.mappings() == []


@pytest.fixture
def beyond(router: Router) -> str:
    """An address of the router that is in no network of lan's."""
    rules = f"""
        table ip lab_anycast {{
            chain requests {{
                type nat hook prerouting priority -110;
                ip daddr {ANYCAST} udp dport 5351 dnat to {ROUTER_ADDRESS}
            }}
        }}
    """
    router.network.run("router", "nft", "-f", "-", stdin=rules)
    return ANYCAST


def test_tunnel_takes_the_way_to_a_distant_server(
    empty_home: Home, router: Router, beyond: str, world: Network
) -> None:
    """Nothing is given up for a way that leads nowhere; and the way back is noticed."""
    home = empty_home
    home.add_router(beyond)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    tunnel(world)
    home.wait_for_router("binary_sensor", "reachable", "off", timeout=SOON)
    assert (door.switch, door.status) == ("on", "open")
    assert internal_addresses(router) == {LAN_ADDRESS}
    world.run("lan", "ip", "rule", "del", "pref", "100")
    home.wait_for_router("binary_sensor", "reachable", "on", timeout=SOON)
    home.wait_until_passes(SERVICE)
    door.turn("off")
    assert (door.status, router.mappings()) == ("closed", [])


def test_silent_router_is_passed_over(
    empty_home: Home, router: Router, beyond: str, world: Network
) -> None:
    """RFC 7723: with the option on, the nearest server beyond a silent router."""
    home = empty_home
    home.add_router(ROUTER_ADDRESS, anycast=True)
    rules = f"""
        table ip lab_near {{
            chain requests {{
                type filter hook prerouting priority -200;
                ip daddr {ROUTER_ADDRESS} udp dport 5351 drop
            }}
        }}
    """
    world.run("router", "nft", "-f", "-", stdin=rules)
    home.listen(SERVICE)
    try:
        home.api.call_service(
            "button",
            "press",
            target={"entity_id": home.router_entity("button", "renew")},
        )
        home.wait_for_router("binary_sensor", "reachable", "off", timeout=SOON)
        # Any change of the network is a reason to look.
        run(world, "address add 192.0.2.7/32 dev lo")
        home.wait_for_router("binary_sensor", "reachable", "on", timeout=SOON)
        home.add("Web", SERVICE)
        assert home.passes(SERVICE)
    finally:
        world.run("lan", "ip", "address", "del", "192.0.2.7/32", "dev", "lo")
        world.run("router", "nft", "delete", "table", "ip", "lab_near")


def test_another_prefix(home: Home, router: Router) -> None:
    """8.4: a new IPv6 prefix comes and the old one is let go: so are its pinholes."""
    network = home.network
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, ip_version="ipv6")
    assert internal_addresses(router) == {LAN_ADDRESS_V6}
    run(
        network,
        f"address add {OTHER_ADDRESS_V6}/64 dev eth0 nodad",
        f"address change {LAN_ADDRESS_V6}/64 dev eth0 preferred_lft 0",
    )
    wait_for_internal(router, OTHER_ADDRESS_V6)
    door.wait_for("open", switch="on")
    assert home.passes(SERVICE, address=OTHER_ADDRESS_V6)
    assert not home.passes(SERVICE, address=LAN_ADDRESS_V6)
    assert door.external_address == f"[{OTHER_ADDRESS_V6}]:{SERVICE}"


def test_another_prefix_at_once(home: Home, router: Router) -> None:
    """The old address vanishes: the new one has its pinhole within seconds."""
    home.listen(MOVED_SERVICE)
    door = home.add("Web", MOVED_SERVICE, ip_version="ipv6")
    change_address(home.network, OTHER_ADDRESS_V6)
    home.wait_until_passes(MOVED_SERVICE, address=OTHER_ADDRESS_V6, timeout=SOON)
    door.wait_for("open", switch="on")


def reconfigure(home: Home, host: str) -> None:
    """Say where the router is now."""
    flow = home.api.start_flow("pcp", entry_id=home.entry_id)
    result = home.api.configure(FlowKind.CONFIG, flow["flow_id"], {"host": host})
    assert result["reason"] == "reconfigure_successful"


def test_another_router(home: Home, router: Router) -> None:
    """Closed on the old one before anything is asked of the new one; and back again."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    with SecondRouter(home.network) as other:
        for new, new_address, old, old_address in (
            (other, other.address, router, ROUTER_ADDRESS),
            (router, ROUTER_ADDRESS, other, other.address),
        ):
            with MapRequests(home.network) as requests:
                reconfigure(home, new_address)
                wait_until(new.mappings, f"a mapping on {new_address}", timeout=SOON)
                door.wait_for("open", switch="on")
                asked = list(dict.fromkeys(requests.about(SERVICE)))
            assert asked == [(old_address, True), (new_address, False)]
            assert old.mappings() == []
            assert home.servers() == {4: new_address}
    assert home.passes(SERVICE)


def test_router_moves(changing_home: Home, router: Router) -> None:
    """The user says where the router is now; the door opens there."""
    home = changing_home
    network = home.network
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.stop()
    for change, address in (("del", ROUTER_ADDRESS), ("add", OTHER_ROUTER_ADDRESS)):
        network.run("router", "ip", "address", change, f"{address}/24", "dev", "br0")
    try:
        router.reboot()
        network.run(
            *("lan", "ip", "route", "replace", "default"),
            *("via", OTHER_ROUTER_ADDRESS),
        )
        reconfigure(home, OTHER_ROUTER_ADDRESS)
        home.wait_until_passes(SERVICE)
        door.wait_for("open", switch="on")
        assert home.servers() == {4: OTHER_ROUTER_ADDRESS}
        home.end()
        assert router.mappings() == []
    finally:
        router.stop()
        for change, address in (
            ("del", OTHER_ROUTER_ADDRESS),
            ("add", ROUTER_ADDRESS),
        ):
            network.run(
                "router", "ip", "address", change, f"{address}/24", "dev", "br0"
            )
