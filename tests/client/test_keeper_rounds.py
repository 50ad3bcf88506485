"""Everything is renewed for a reason that may be forged: how often, and in which order."""

from ipaddress import IPv4Address
from itertools import pairwise
from random import Random

import pytest

from custom_components.pcp.client.codec import PeerRequest, ResultCode
from custom_components.pcp.client.events import LeaseLost
from custom_components.pcp.client.mapping import PortRange
from custom_components.pcp.client.peer import PeerKey, PeerWish
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started
from .scripted_server import CLIENT, START, wish_of

WAN = IPv4Address("11.22.33.44")
DAY = 86_400


def settled(*ports: int) -> World:
    """Return a world with granted leases, a minute old."""
    world = started(*(wish_of(port, lifetime=DAY) for port in ports))
    world.run_for(60.0)
    world.new()
    world.events.clear()
    return world


def forge(world: World, *, seconds: float, every: float = 1.0) -> None:
    """Let announcements come for a while; the server answers everything at once."""
    for _ in range(int(seconds / every)):
        world.announce()
        world.run_for(every)
        world.answer_all()


def exhausted(*ports: int) -> World:
    """Return a world in which three forged announcements had their rounds."""
    world = settled(*ports)
    for _ in range(3):
        world.announce()
        world.run_for(20.0)
        world.answer_all()
    world.run_for(1.0)
    world.new()
    return world


def renewals(world: World, *ports: int, since: float) -> list[tuple[float, int]]:
    """Return which mappings were asked for since then, and when."""
    return sorted(
        (at, port) for port in ports for at in world.times_of_maps(port) if at >= since
    )


def test_round_that_is_not_free() -> None:
    """The fourth in 15 min: one mapping every 5 s, by turns, and then nothing more."""
    ports = range(1, 8)
    world = exhausted(*ports)
    begin = world.now
    world.announce()
    for _ in range(2000):
        world.run_for(1.0)
        for sent in world.new():
            world.receive(world.answer_to(sent.message))
    asked = renewals(world, *ports, since=begin)
    assert [port for _, port in asked] == list(ports)
    (verified, _), *singles = asked
    assert verified == begin + 2.5
    gaps = [late - early for (early, _), (late, _) in pairwise(singles)]
    assert gaps == [5.0] * (len(ports) - 2)


def test_one_that_was_asked_longest_ago() -> None:
    """Who is the question is who was asked for longest ago, whatever his port."""
    world = started()
    for port in (3, 1, 2):
        world.want(wish_of(port, lifetime=DAY))
        world.answer_all()
        world.run_for(5.0)
    world.announce()
    world.run_for(2.5)
    assert [request.internal_port for request in world.new_maps()] == [3]


def test_verification_is_not_repeated_by_its_round() -> None:
    """The mapping that was the question was renewed by it."""
    world = settled(1, 2, 3)
    begin = world.now
    world.announce()
    world.run_for(60.0)
    world.answer_all()
    world.run_for(60.0)
    world.answer_all()
    assert len(renewals(world, 1, since=begin)) == 2 + 2
    assert {port for _, port in renewals(world, 2, 3, since=begin)} == {2, 3}


@pytest.mark.parametrize("count", [1, 10, 40, 100])
def test_restart_after_forged_announcements(count: int) -> None:
    """A router whose epoch counts on is made whole again all the same.

    Five seconds a mapping, less than five minutes in all, while the forger goes on.
    """
    router = RouterCore(
        PERSONALITIES["miniupnpd_uptime"],
        external_address=WAN,
        now=START,
        epoch_time=80_000,
    )
    world = World(router=router, latency=0.02, jitter=Random(5).random)
    for port in range(1, count + 1):
        world.want(wish_of(port, lifetime=DAY))
    world.run_for(3600.0)

    def forge(seconds: float) -> None:
        for _ in range(int(seconds)):
            world.announce()
            world.run_for(1.0)

    forge(120.0)
    router.reboot(now=world.now)
    assert len(router.mappings) == 0
    forge(min(15.0 + 5.0 * count, 300.0))
    assert len(router.mappings) == count
    assert world.new_events(LeaseLost) == []


@pytest.mark.parametrize("count", [1, 2, 3, 20, 60])
def test_requests_of_an_hour_of_forgery(count: int) -> None:
    """One verification in 10 s, one mapping in 5 s, three rounds in 15 min, no more.

    11.2.1: and none more often than every 4 s.
    """
    ports = range(1, count + 1)
    world = settled(*ports)
    begin = world.now
    forge(world, seconds=3600.0, every=0.5)
    asked = renewals(world, *ports, since=begin)
    gap = min(5.0, 240.0 / count)
    assert len(asked) <= 3600.0 / 10.0 + 3600.0 / gap + 3 * 4 * count + 2
    for port in ports:
        times = world.times_of_maps(port)
        assert min(late - early for early, late in pairwise(times)) >= 4.0
        assert all(
            late - early <= 300.0 for early, late in pairwise(times) if early > begin
        )


def test_forged_announcements_and_wrong_epochs() -> None:
    """However wrong the epoch is: one request in 10 s beside what is renewed by turns."""
    world = settled(1, 2, 3)
    begin = world.now
    for _ in range(1200):
        world.announce(world.announcement(epoch_time=7))
        world.run_for(0.1)
        world.answer_all()
    asked = renewals(world, 1, 2, 3, since=begin)
    assert len(asked) <= 120 / 10 + 120 / 5 + 3 * 3 + 1
    assert world.new_events(LeaseLost) == []


def test_round_does_not_break_a_hold() -> None:
    """8.3: what was refused is asked for when that is over, and holds up nobody."""
    ports = (1, 2, 3, 4)
    world = exhausted(*ports)
    world.run_for(5.0)
    world.renew_all()
    for request in world.new_maps():
        held = request.internal_port == 2
        answer = world.error(request, ResultCode.NETWORK_FAILURE, lifetime=600)
        world.receive(answer if held else world.success(request))
    begin = world.now
    world.run_for(60.0)
    world.new()
    for _ in range(53):
        world.announce()
        for _ in range(10):
            world.run_for(1.0)
            for sent in world.new():
                world.receive(world.answer_to(sent.message))
    asked = [port for at, port in renewals(world, *ports, since=begin + 60.0)]
    assert set(asked) == {1, 3, 4}
    assert min(map(asked.count, (1, 3, 4))) > 40
    world.run_until(begin + 600.0)
    assert 2 in [request.internal_port for request in world.new_maps()]


def test_outgoing_flows_wait_for_the_round() -> None:
    """Miniupnpd adds a rule for every PEER: with the next round only."""
    world = exhausted(1, 2)
    key = PeerKey(
        internal_address=CLIENT,
        protocol=wish_of().key.protocol,
        internal_port=40000,
        remote_address=IPv4Address("198.51.100.7"),
        remote_port=443,
    )
    world.want(
        PeerWish(
            key=key, nonce=b"peerpeerpeer", lifetime=DAY, suggested_external_port=0
        )
    )
    (request,) = (sent.message for sent in world.new())
    assert isinstance(request, PeerRequest)
    world.receive(world.peer_success(request))
    world.run_for(10.0)
    world.announce()
    peers = 0
    for _ in range(800):
        world.run_for(1.0)
        for sent in world.new():
            if isinstance(sent.message, PeerRequest):
                peers += 1
                world.receive(world.peer_success(sent.message))
            else:
                world.receive(world.answer_to(sent.message))
    assert peers == 0
    world.run_for(100.0)
    assert any(isinstance(sent.message, PeerRequest) for sent in world.new())


def test_set_is_renewed_by_its_first_port() -> None:
    """RFC 7753 6.4: the others have nothing to ask."""
    router = RouterCore(PERSONALITIES["port_sets"], external_address=WAN, now=START)
    world = World(router=router, latency=0.02)
    for port in range(1, 5):
        ports = PortRange(first=1, count=4)
        world.keeper.want(
            wish_of(port, lifetime=DAY, port_range=ports), now=world.now, urgent=False
        )
    world.pump()
    world.run_for(600.0)
    begin = world.now
    for _ in range(600):
        world.announce()
        world.run_for(1.0)
    assert {port for _, port in renewals(world, 1, 2, 3, 4, since=begin)} == {1}


def test_loss_settles_what_is_owed() -> None:
    """After a loss everything was made again: the round that was owed is done."""
    world = exhausted(1, 2, 3)
    begin = world.now
    world.announce()
    world.run_for(3.0)
    world.reboot()
    world.answer_all()
    world.new()
    for turn in range(6):
        world.run_until(begin + 200.0 * (turn + 1))
        assert world.new_maps() == []
        world.answer_all()
        world.new()
