"""Requests that are not answered."""

import pytest

from custom_components.pcp.client.events import LeaseGranted
from custom_components.pcp.client.mapping import LeaseState

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import START, key_of, nonce_of, wish_of


def test_pcp_schedule() -> None:
    """8.1.1: 3 s, doubling, at most 1024 s, for ever."""
    world = World()
    world.want()
    world.run_for(6000.0)
    times = [at - START for at in world.times_of_maps()]
    assert times[:9] == [0.0, 3.0, 9.0, 21.0, 45.0, 93.0, 189.0, 381.0, 765.0]
    assert times[9:13] == [1533.0, 2557.0, 3581.0, 4605.0]
    world.run_for(86_400.0)
    later = world.times_of_maps()
    assert later[-1] - later[-2] == 1024.0


def test_pcp_schedule_is_spread() -> None:
    """8.1.1: each wait is up to a tenth longer or shorter."""
    world = World(jitter=0.0)
    world.want()
    world.run_for(10.0)
    times = [at - START for at in world.times_of_maps()]
    assert times == pytest.approx([0.0, 2.7, 2.7 + 2.7 * 1.8])


def test_deadline_is_told() -> None:
    """8.1.1: the keeper wants to be woken for the next transmission, not before."""
    world = started()
    world.want()
    assert world.keeper.next_wakeup() == START + 3.0


def test_same_nonce() -> None:
    """8.1.1: retransmissions must use the same nonce, and ask the same."""
    world = World()
    world.want()
    world.run_for(4000.0)
    requests = world.new_maps()
    assert len(requests) > 5
    assert {request.nonce for request in requests} == {nonce_of(key_of())}
    assert len(set(map(repr, requests))) == 1


def test_late_answer() -> None:
    """8: the answer to any of the transmissions counts, whenever it comes."""
    world = started()
    world.want()
    request = world.new_maps()[0]
    world.run_for(500.0)
    world.receive(world.success(request))
    assert world.state() is LeaseState.GRANTED
    world.new()
    world.run_for(100.0)
    assert world.new_maps() == []


def test_second_answer_changes_nothing() -> None:
    """8: a copy of an answer must not make the mapping seem to live longer."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request))
    before = world.lease()
    world.new_events(LeaseGranted)
    world.run_for(0.5)
    world.receive(world.success(request))
    assert world.lease() == before
    assert world.new_events(LeaseGranted) == []


def test_different_later_answer() -> None:
    """8: another answer to the same request is believed: the server changed its mind."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request))
    world.run_for(0.5)
    world.receive(world.success(request, assigned_external_port=40000))
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.assigned_external_port == 40000


def test_wanted_again_while_waiting() -> None:
    """A person who asks again is heard at once, and the waits begin anew."""
    world = started()
    world.want()
    world.run_for(100.0)
    world.new()
    world.want()
    world.run_for(3.0)
    assert len(world.new_maps()) == 2


def test_nat_pmp_schedule() -> None:
    """RFC 6886 3.1: 250 ms, doubling, nine times; then it rests for four minutes."""
    world = started_nat_pmp()
    begin = world.now
    world.want()
    world.run_for(64.0)
    times = [at - begin for at in world.times_of_maps()]
    assert times == [0.0, 0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75, 63.75]
    world.run_for(239.0)
    assert len(world.times_of_maps()) == 9
    world.run_for(1.0)
    assert world.times_of_maps()[9] - begin == 63.75 + 240.0


def test_nat_pmp_answer_after_giving_up() -> None:
    """RFC 6886 3.1: an answer still counts while it rests."""
    world = started_nat_pmp()
    world.want()
    request = world.new_maps()[0]
    world.run_for(100.0)
    world.receive(world.nat_pmp_success(request))
    assert world.state() is LeaseState.GRANTED


def test_pending_requests_are_sent_when_the_server_is_heard_again() -> None:
    """8.1.1: after a long silence nobody waits for the rest of 1024 s."""
    world = World()
    world.want(wish_of(1))
    world.want(wish_of(2))
    world.run_for(7200.0)
    assert world.keeper.server_view().reachable is False
    request = world.new_maps()[0]
    assert request.internal_port == 1
    world.run_for(10.0)
    world.receive(world.success(request))
    assert world.state(key_of(1)) is LeaseState.GRANTED
    assert [request.internal_port for request in world.new_maps()] == [2]


def test_no_request_is_made_twice_when_it_was_just_sent() -> None:
    """What was sent within the last second may be about to be answered."""
    world = World()
    world.want(wish_of(1))
    world.want(wish_of(2))
    first, second = world.new_maps()
    world.run_for(0.5)
    world.receive(world.success(first))
    assert world.new_maps() == []
    world.receive(world.success(second))
    assert world.state(key_of(2)) is LeaseState.GRANTED
