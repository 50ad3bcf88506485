"""Doors when the network around them is not what it was, or not what it seems."""

import socket
import struct
import time

import pytest

from .home import QUICK_CHECK, QUICK_LOOK, Home
from .network import EXTERNAL_ADDRESS, LAN_ADDRESS, NAS_ADDRESS, ROUTER_ADDRESS, Network
from .router import Router
from .waiting import wait_until
from .watching import RequestCount, let_pass

SERVICE = 8443
# Its own, for nobody can delete a mapping of an address that is given up: until its
# lease ends a forward of that port is `closing`.
MOVED_SERVICE = 8445
NEW_LAN_ADDRESS = "192.168.77.12"
OTHER_ADDRESS = "23.0.113.9"
# RFC 6887 7.2: version 2, ANNOUNCE with bit 7, success, epoch 0.
ANNOUNCEMENT = bytes.fromhex("0280") + bytes(22)


@pytest.fixture(scope="module")
def quick() -> bool:
    """Look around often."""
    return True


def test_own_address_changes(home: Home, router: Router) -> None:
    """Another address for Home Assistant: the door leads there soon."""
    home.listen(MOVED_SERVICE)
    door = home.add("Web", MOVED_SERVICE)
    home.network.set_address("lan", NEW_LAN_ADDRESS)
    wait_until(
        lambda: NEW_LAN_ADDRESS in {m.internal_address for m in router.mappings()},
        "a mapping for the new address",
        timeout=QUICK_LOOK + 20,
    )
    door.wait_for("open", switch="on")
    (mapping,) = door.response()["mappings"]
    assert mapping["internal_address"] == NEW_LAN_ADDRESS
    wait_until(lambda: home.passes(door.external_port), "the door to pass")
    external_port = door.external_port
    door.turn("off")
    assert not home.passes(external_port)
    # The mapping for the old address is beyond our reach.
    assert (door.switch, door.status) == ("off", "closing")


def test_own_address_changes_and_back(home: Home, router: Router) -> None:
    """Back at the old address the old mapping is used again, or is gone."""
    home.listen(MOVED_SERVICE)
    door = home.add("Web", MOVED_SERVICE)
    for address in (NEW_LAN_ADDRESS, LAN_ADDRESS):
        home.network.set_address("lan", address)
        wait_until(
            lambda address=address: (  # type: ignore[misc]
                [m["internal_address"] for m in door.response()["mappings"]]
                == [address]
            ),
            f"the forward to be for {address}",
        )
        door.wait_for("open", switch="on")
    wait_until(lambda: home.passes(door.external_port), "the door to pass")
    door.turn("off")
    assert LAN_ADDRESS not in {m.internal_address for m in router.mappings()}


def test_nat_pmp(empty_home: Home, router: Router) -> None:
    """A router that knows NAT-PMP only: doors open, close and survive a reboot."""
    home = empty_home
    router.configure(nat_pmp_only=True)
    home.add_router()
    home.listen(SERVICE)
    home.listen(SERVICE, protocol="udp")
    door = home.add("Web", SERVICE, protocol="tcp_udp")
    assert home.router_state("sensor", "protocol") == "nat_pmp"
    assert home.router_state("sensor", "external_ipv4") == EXTERNAL_ADDRESS
    assert door.status == "open"
    assert door.external_address == f"{EXTERNAL_ADDRESS}:{SERVICE}"
    assert home.passes(SERVICE)
    assert home.passes(SERVICE, protocol="udp")

    let_pass(router)
    router.reboot()
    assert not home.passes(SERVICE)
    # Nothing announces it: the check finds it.
    home.wait_until_passes(SERVICE, timeout=QUICK_CHECK + 20)
    home.wait_until_passes(SERVICE, protocol="udp")
    door.wait_for("open", switch="on")

    door.turn("off")
    assert not home.passes(SERVICE)
    assert not home.passes(SERVICE, protocol="udp")
    assert (door.status, router.mappings()) == ("closed", [])
    door.turn("on")
    assert home.passes(SERVICE)


def test_nat_pmp_external_address_changes(empty_home: Home, router: Router) -> None:
    """RFC 6886 3.2.1: the new address is told, the door opens there."""
    home = empty_home
    router.configure(nat_pmp_only=True)
    home.add_router()
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.change_external_address(OTHER_ADDRESS)
    home.wait_until_passes(SERVICE, address=OTHER_ADDRESS)
    home.wait_for_router("sensor", "external_ipv4", OTHER_ADDRESS)
    home.api.wait_for_state(
        door.entity_id("external_address"), f"{OTHER_ADDRESS}:{SERVICE}"
    )


def test_nat_pmp_refuses_third_party(empty_home: Home, router: Router) -> None:
    """NAT-PMP has no other hosts: refused in words."""
    home = empty_home
    router.configure(nat_pmp_only=True)
    home.add_router(third_party=True)
    key = home.refusal("NAS", SERVICE, target_host=NAS_ADDRESS)
    assert key is not None
    assert home.doors() == []
    assert router.mappings() == []


def test_nat_pmp_learns_pcp(empty_home: Home, router: Router) -> None:
    """A router that has learnt PCP and says so is spoken to in PCP; the door stays."""
    home = empty_home
    router.configure(nat_pmp_only=True)
    home.add_router()
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    assert home.router_state("sensor", "protocol") == "nat_pmp"
    router.nat_pmp_only(False)
    router.restart(lose_mappings=False)
    home.wait_for_router("sensor", "protocol", "pcp")
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")
    door.turn("off")
    assert not home.passes(SERVICE)


def test_foreign_announcements(home: Home, router: Router) -> None:
    """8.3: what comes from another host's address asks nothing of the router."""
    home.add("Web", SERVICE)
    requests = RequestCount(home.network)
    announce_from_nas(home.network, NAS_ADDRESS, times=50)
    time.sleep(3)
    # One check may be due meanwhile.
    assert requests.value <= 2
    assert home.doors()[0]["status"] == "open"
    assert len(router.mappings()) == 1


def test_forged_announcements(home: Home, router: Router) -> None:
    """A forged ANNOUNCE costs a verification in 10 s, and takes nothing away."""
    home.add("Web", SERVICE)
    home.add("Range", 9000, port_count=20)
    before = router.mappings()
    with home.conversation(SERVICE) as conversation:
        requests = RequestCount(home.network)
        for _ in range(12):
            announce_from_nas(home.network, ROUTER_ADDRESS, times=50)
            time.sleep(1)
            assert {each["status"] for each in home.doors()} == {"open"}
        # Two verifications, two checks, and what is renewed for the first of them.
        assert requests.value <= 2 + 2 + 2 * 21
        assert conversation.goes_on()
    assert router.mappings() == before
    assert home.router_state("binary_sensor", "reachable") == "on"


def test_garbage(home: Home, router: Router) -> None:
    """9: bad datagrams from the router's own address and port change nothing."""
    home.add("Web", SERVICE)
    before = router.mappings()
    for data in (
        b"",
        b"\x02",
        b"\x02\x80",
        bytes(1100),
        b"\xff" * 60,
        ANNOUNCEMENT * 3,
    ):
        multicast(home.network, ROUTER_ADDRESS, data, times=5)
    time.sleep(1)
    assert home.doors()[0]["status"] == "open"
    assert router.mappings() == before


def announce_from_nas(network: Network, source: str, *, times: int) -> None:
    """Multicast an ANNOUNCE of a server that has just lost everything."""
    multicast(network, source, ANNOUNCEMENT, times=times)


def multicast(network: Network, source: str, data: bytes, *, times: int) -> None:
    """Send from `nas` to 224.0.0.1:5350, from port 5351 of whatever address."""
    # No UDP checksum: RFC 768 allows 0.
    datagram = struct.pack("!HHHH", 5351, 5350, 8 + len(data), 0) + data
    header = struct.pack(
        *("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 1, socket.IPPROTO_UDP, 0),
        *(socket.inet_aton(source), socket.inet_aton("224.0.0.1")),
    )
    with network.inside("nas"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        raw.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(NAS_ADDRESS)
        )
        for _ in range(times):
            raw.sendto(header + datagram, ("224.0.0.1", 0))
