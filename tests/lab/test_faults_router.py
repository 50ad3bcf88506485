"""What a router and its network may do while forwards are toggled."""

import socket
import time

import pytest

from .faults import SETTLED, Doors, rounds
from .home import QUICK_CHECK, Home
from .hostile import Hostile
from .network import Network
from .router import Router
from .watching import RequestCount, let_pass

pytestmark = pytest.mark.timeout(1200 + 15 * rounds(0))


@pytest.fixture(scope="module")
def quick() -> bool:
    """Check the router often."""
    return True


def test_lossy_network(home: Home, router: Router) -> None:
    """Three of ten datagrams are lost, each way; the last wish is carried out."""
    doors = Doors.added(home, router)
    router.loss(30)
    for _ in range(rounds(4)):
        doors.toggle()
    doors.wait_until_right(timeout=2 * SETTLED)
    router.loss(0)
    doors.close_all()


def test_daemon_killed(home: Home, router: Router) -> None:
    """Again and again; with what it knew, or without."""
    router.configure(lease_files=True)
    doors = Doors.added(home, router)
    for _ in range(rounds(6)):
        doors.toggle()
        time.sleep(doors.random.uniform(0, 5))
        router.restart(
            hard=True,
            lose_mappings=doors.random.random() < 0.5,
            down_for=doors.random.choice([0, 0.2, 1.0]),
        )
    doors.wait_until_right()
    doors.close_all()


def test_port_of_announcements_taken(
    empty_home: Home, router: Router, network: Network
) -> None:
    """Another program has it for itself: a reboot is found by the check then."""
    with network.inside("lan"):
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with network.inside("lan"):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with taken, listener:
        taken.bind(("0.0.0.0", 5350))
        # Nobody hears what is announced, not even with all options for sharing.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            listener.bind(("224.0.0.1", 5350))
        empty_home.add_router()
        doors = Doors.added(empty_home, router, 2)
        let_pass(router)
        router.reboot()
        doors.wait_until_right(timeout=QUICK_CHECK + 20)
        doors.close_all()


def test_hostile_neighbour(home: Home, router: Router, network: Network) -> None:
    """A thousand forged and senseless datagrams a second from another host."""
    doors = Doors.added(home, router)
    with Hostile(network, doors.random) as hostile:
        requests = RequestCount(network)
        begin = time.monotonic()
        for _ in range(rounds(5)):
            doors.toggle()
            time.sleep(2)
        # A toggled door costs one request, a forged word one verification in 10 s,
        # a round of renewals at most three times in 15 min, a check every 8 s.
        took = time.monotonic() - begin
        assert requests.value < 2 * rounds(5) + 3 * 4 + 3 * (took / 8 + 2), took
        doors.wait_until_right()
    assert hostile.sent > 500 * took
    assert home.router_state("binary_sensor", "reachable") == "on"
    assert home.router_state("sensor", "protocol") == "pcp"
    doors.close_all()


@pytest.mark.parametrize("nat_pmp", [False, True])
def test_hostile_neighbour_of_a_restarting_router(
    home: Home, router: Router, network: Network, *, nat_pmp: bool
) -> None:
    """Who is silent cannot deny what is said in his name: that ends with his first word.

    The 12 s are longer than any doubt lasts. Version answers and announcements alone
    change nothing; forged answers in NAT-PMP, too, may for as long as he is silent.
    """
    doors = Doors.added(home, router)
    with Hostile(network, doors.random, nat_pmp=nat_pmp) as hostile:
        for down_for in (0.0, 12.0, 12.0, 0.0):
            router.restart(hard=True, down_for=down_for)
            # A wrong change would last until the router is asked the next time.
            assert nat_pmp or spoken(home) == "pcp"
            # The check that would find it takes 8 s here, not 4 minutes.
            doors.wait_until_right(timeout=5 + QUICK_CHECK + 20)
            home.wait_for_router("sensor", "protocol", "pcp", timeout=QUICK_CHECK + 20)
    assert hostile.sent > 10_000
    doors.close_all()


def spoken(home: Home) -> str:
    """Return the protocol that is spoken, whether the router is silent or not."""
    (server,) = home.api.diagnostics(home.entry_id)["data"]["client"]["servers"]
    return str(server["protocol"])
