"""Many mappings, and servers that are slow, silent or full."""

from ipaddress import IPv4Address
from random import Random
import tracemalloc

import pytest

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.events import LeaseLost
from custom_components.pcp.client.mapping import LeaseState, Protocol
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started
from .scripted_server import EXTERNAL, START, key_of, wish_of

PUBLIC = IPv4Address("11.22.33.44")


def test_window() -> None:
    """Eight requests may be unanswered; each answer lets the next one go."""
    world = started()
    for port in range(1, 21):
        world.want(wish_of(port), urgent=False)
    requests = world.new_maps()
    assert [request.internal_port for request in requests] == list(range(1, 9))
    world.receive(world.success(requests[0]))
    (request,) = world.new_maps()
    assert request.internal_port == 9
    waiting = [*requests[1:], request]
    while waiting:
        assert len(waiting) <= 8
        world.receive(world.success(waiting.pop(0)))
        waiting += world.new_maps()
    assert len(world.keeper.leases()) == 20
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())


def test_refusals_let_the_next_one_go() -> None:
    """A refusal is an answer, too."""
    world = started()
    for port in range(1, 11):
        world.want(wish_of(port), urgent=False)
    first = world.new_maps()[0]
    world.receive(world.error(first, ResultCode.NOT_AUTHORIZED))
    assert [request.internal_port for request in world.new_maps()] == [9]


def test_person_does_not_wait_in_line() -> None:
    """A wish of a person leaves at once, before a hundred others."""
    world = started()
    for port in range(1, 101):
        world.want(wish_of(port), urgent=False)
    world.new()
    world.want(wish_of(9000))
    (request,) = world.new_maps()
    assert request.internal_port == 9000


def test_silent_server_is_asked_for_few() -> None:
    """Of a hundred mappings only eight are asked for while the server is silent."""
    world = World()
    for port in range(1, 101):
        world.want(wish_of(port), urgent=False)
    world.run_for(4 * 3600.0)
    ports = {request.internal_port for request in world.new_maps()}
    assert ports == set(range(1, 9))


def test_silent_nat_pmp_server_is_asked_for_one() -> None:
    """RFC 6886 3.1: one at a time, and nine times each."""
    router = RouterCore(PERSONALITIES["nat_pmp_only"], external_address=PUBLIC, now=0.0)
    world = World(router=router)
    world.run_for(1.0)
    router.silenced = True
    world.new()
    for port in range(1, 101):
        world.want(wish_of(port), urgent=False)
    world.run_for(3600.0)
    assert len(world.new_maps()) <= 9 * (3600.0 / 303.75 + 1)


@pytest.mark.parametrize("name", ["rfc", "miniupnpd_2_3_1", "nat_pmp_only"])
def test_hundred_leases_are_made_again(name: str) -> None:
    """After a reboot each is asked for once, as fast as the server answers."""
    router = RouterCore(
        PERSONALITIES[name], external_address=PUBLIC, now=START, epoch_time=80_000
    )
    world = World(router=router, latency=0.02, jitter=Random(11).random)
    for port in range(1, 101):
        world.want(wish_of(port, lifetime=7200), urgent=False)
    world.run_for(1800.0)
    assert len(router.mappings) == 100
    world.new()
    router.reboot(now=world.now)
    world.run_for(10.0)
    assert len(router.mappings) == 100
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())
    assert sorted(request.internal_port for request in world.new_maps()) == list(
        range(1, 101)
    )


def test_reboot_through_loss() -> None:
    """With a fifth of all datagrams lost they are all back within a few minutes."""
    random = Random(12)
    router = RouterCore(PERSONALITIES["rfc"], external_address=PUBLIC, now=START)
    world = World(router=router, latency=0.02, jitter=random.random)
    for port in range(1, 101):
        world.want(wish_of(port, lifetime=7200), urgent=False)
    world.run_for(1800.0)
    world.loses = lambda: random.random() < 0.2
    router.reboot(now=world.now)
    world.run_for(600.0)
    assert len(router.mappings) == 100
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())


def test_slow_server() -> None:
    """A server that takes half a second each is not asked faster than it answers."""
    world = started()
    for port in range(1, 31):
        world.want(wish_of(port), urgent=False)
    waiting = world.new_maps()
    while waiting:
        world.run_for(0.3)
        world.receive(world.success(waiting.pop(0)))
        waiting += world.new_maps()
        assert len(waiting) <= 8
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())
    assert len([sent for sent in world.sent if sent.is_map]) == 30


def test_lease_that_is_never_answered_holds_up_nobody() -> None:
    """Eight requests that a server ignores do not keep the others from being asked."""
    world = started()
    for port in range(1, 31):
        world.want(wish_of(port), urgent=False)
    for _ in range(120):
        for sent in world.new():
            message = sent.message
            if not sent.is_map or message.internal_port > 8:  # type: ignore[union-attr]
                world.receive(world.answer_to(message))
        world.run_for(5.0)
    granted = [
        view.key.internal_port
        for view in world.keeper.leases()
        if view.state is LeaseState.GRANTED
    ]
    assert granted == list(range(9, 31))


def test_place_of_a_lease_that_cannot_be_asked() -> None:
    """11.5: leases of an address that is ours no more leave the window."""
    world = started()
    for port in range(1, 9):
        world.want(wish_of(port), urgent=False)
    world.run_for(1.0)
    other = IPv4Address("192.168.1.20")
    world.move_to(other)
    key = key_of(9000, address=other)
    world.want(wish_of(key=key), urgent=False)
    world.run_for(3.0)
    ports = [request.internal_port for request in world.new_maps()]
    assert ports[-1] == 9000


def test_full_server() -> None:
    """11.4: a server that is full is asked for a few in each hold, not for all."""
    router = RouterCore(PERSONALITIES["full_table"], external_address=PUBLIC, now=START)
    world = World(router=router, latency=0.02)
    for port in range(1, 101):
        world.want(wish_of(port), urgent=False)
    world.run_for(60.0)
    world.new()
    world.run_for(3000.0)
    assert len(router.mappings) == 2
    creates = [r for r in world.new_maps() if r.internal_port > 2]
    assert len(creates) <= 8 * (3000.0 / 30.0 + 1)


def test_hundred_renewals_are_spread() -> None:
    """11.2.1: leases that were granted together are not renewed together."""
    router = RouterCore(
        PERSONALITIES["no_announce"], external_address=PUBLIC, now=START
    )
    world = World(router=router, latency=0.02, jitter=Random(13).random)
    for port in range(1, 101):
        world.want(wish_of(port), urgent=False)
    world.run_until(START + 2300.0)
    times = sorted(sent.at for sent in world.sent if sent.is_map)[100:]
    assert len(times) == 100
    assert times[-1] - times[0] > 300.0
    assert max(sum(at <= t < at + 10.0 for t in times) for at in times) < 12


def test_many_short_leases_on_a_silent_server() -> None:
    """Renewals of short leases do not keep the check from finding the silence."""
    router = RouterCore(PERSONALITIES["fritzbox"], external_address=PUBLIC, now=START)
    world = World(router=router, latency=0.02, jitter=Random(14).random)
    for port in range(1, 61):
        world.want(wish_of(port), urgent=False)
    world.run_for(120.0)
    assert world.new_events(LeaseLost) == []
    router.silenced = True
    world.run_for(9.0)
    assert world.keeper.server_view().reachable is False
    world.run_for(60.0)
    world.new()
    world.run_for(3600.0)
    assert len(world.new()) < 200


def test_year() -> None:
    """A year of one mapping: never lost, and nothing piles up."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=PUBLIC, now=START)
    world = World(router=router, latency=0.02, jitter=Random(15).random)
    world.want(wish_of(lifetime=86_400))
    world.run_until(START + 30 * 86_400.0)
    assert world.new_events(LeaseLost) == []
    assert world.state() is LeaseState.GRANTED
    assert len(world.keeper._sender._alarms._heap) < 100


def test_memory_of_a_lease() -> None:
    """One more lease costs a few kilobytes, whatever has happened to it."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=PUBLIC, now=START)
    world = World(router=router, latency=0.02, jitter=Random(16).random)
    world.want(wish_of(1))
    world.run_for(60.0)
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        for port in range(2, 502):
            world.keeper.want(wish_of(port), now=world.now, urgent=False)
        world.pump()
        world.run_for(3600.0)
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    ours = tracemalloc.Filter(True, "*/pcp/client/*")
    growth = sum(
        difference.size_diff
        for difference in after.filter_traces([ours]).compare_to(
            before.filter_traces([ours]), "filename"
        )
    )
    assert growth / 500 < 4096


def test_both_protocols_of_one_port() -> None:
    """A port of TCP and of UDP are two mappings, with their own nonces."""
    world = started()
    keys = [key_of(53), key_of(53, protocol=Protocol.UDP)]
    for key in keys:
        world.want(wish_of(key=key))
    tcp, udp = world.new_maps()
    assert isinstance(tcp, MapRequest)
    assert (tcp.protocol, udp.protocol) == (6, 17)
    assert tcp.nonce != udp.nonce
    world.receive(world.success(udp, assigned_external_address=EXTERNAL))
    assert world.state(keys[0]) is LeaseState.REQUESTING
    assert world.state(keys[1]) is LeaseState.GRANTED
