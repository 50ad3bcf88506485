"""The server's clock, and what is done when it shows that mappings are lost."""

from random import Random

import pytest

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.events import LeaseGranted, LeaseLost, ServerRestarted
from custom_components.pcp.client.mapping import LeaseState
from tests.simulated_router import PERSONALITIES, RouterCore
from tests.simulated_router.state import RouterState

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import EXTERNAL, LIFETIME, START, key_of, nonce_of, wish_of


def last_map(world: World, port: int = 8123) -> MapRequest:
    """Return the last request for a mapping."""
    return next(
        sent.message
        for sent in reversed(world.sent)
        if isinstance(sent.message, MapRequest) and sent.message.internal_port == port
    )


@pytest.mark.parametrize("epoch_time", [0, 5000, 0xFFFFFFFF])
def test_first_epoch_is_valid(epoch_time: int) -> None:
    """8.5: the first answer's epoch is valid, whatever it is."""
    world = World()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request, epoch_time=epoch_time))
    assert world.state() is LeaseState.GRANTED
    assert world.new_events(ServerRestarted) == []
    assert world.keeper.server_view().started_at == START - epoch_time


def test_epoch_of_an_earlier_life_is_not_known() -> None:
    """8.5: after a restart of ours the first epoch is valid again."""
    world = World()
    world.restore(open_until=START + 60.0)
    (request,) = world.new_maps()
    world.receive(world.success(request, epoch_time=3))
    assert world.new_events(ServerRestarted) == []


@pytest.mark.parametrize(("back", "is_valid"), [(1, True), (2, False)])
def test_epoch_goes_back(back: int, *, is_valid: bool) -> None:
    """8.5: a second back is a matter of order, more is a loss."""
    world = started(wish_of())
    request = last_map(world)
    world.receive(world.success(request, epoch_time=world.epoch() - back))
    assert bool(world.new_events(ServerRestarted)) != is_valid


def test_every_epoch_is_recorded() -> None:
    """8.5: valid or not, each epoch is what the next one is compared with."""
    world = started(wish_of())
    request = last_map(world)
    world.receive(world.success(request, epoch_time=7000))
    assert len(world.new_events(ServerRestarted)) == 1
    world.run_for(20.0)
    world.receive(world.success(request, epoch_time=7020))
    assert world.new_events(ServerRestarted) == []
    assert world.keeper.server_view().epoch_time == 7020


def test_start_of_the_server_does_not_jitter() -> None:
    """Its beginning is told once, and changes only when the epoch is reset."""
    world = started(wish_of())
    before = world.keeper.server_view().started_at
    for _ in range(20):
        world.boot_at += 0.9
        world.run_for(60.0)
        world.answer_all()
    assert world.keeper.server_view().started_at == before
    assert world.new_events(ServerRestarted) == []


def test_loss_is_seen_to_at_once() -> None:
    """8.5, 16.3.1: all mappings are made again promptly, with what was assigned."""
    world = started(wish_of(1), wish_of(2), wish_of(3))
    world.run_for(600.0)
    world.answer_all()
    world.new_events(LeaseLost)
    world.reboot()
    world.run_for(1.0)
    at = world.now
    world.receive(world.success(last_map(world, 2)))
    assert world.new_events(ServerRestarted) == [ServerRestarted(at - 1.0)]
    requests = world.new_maps()
    assert [request.internal_port for request in requests] == [1, 3]
    assert {request.suggested_external_address for request in requests} == {EXTERNAL}
    assert world.sent[-1].at == at
    assert world.state(key_of(2)) is LeaseState.GRANTED
    assert world.state(key_of(1)) is LeaseState.REQUESTING


def test_loss_is_told_for_each_lease() -> None:
    """Every live mapping is told as lost, and then as granted anew."""
    world = started(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.reboot()
    world.new_events(LeaseLost)
    world.receive(world.success(last_map(world, 2)))
    new = world.events[-4:]
    assert [type(event) for event in new] == [
        ServerRestarted,
        LeaseLost,
        LeaseLost,
        LeaseGranted,
    ]
    assert isinstance(new[-1], LeaseGranted)
    assert new[-1].previous is None


def test_nonce_survives_a_loss() -> None:
    """11.2: a strict server that kept the mapping refuses any other nonce."""
    world = started(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.reboot()
    world.receive(world.success(last_map(world, 2)))
    (request,) = world.new_maps()
    assert request.nonce == nonce_of(key_of(1))


def test_refused_renewal_can_show_a_loss() -> None:
    """8.5: any answer counts, also an error."""
    world = started(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.reboot()
    world.receive(world.error(last_map(world, 2), ResultCode.NETWORK_FAILURE))
    assert len(world.new_events(ServerRestarted)) == 1
    assert [request.internal_port for request in world.new_maps()] == [1]
    assert world.state(key_of(2)) is LeaseState.REFUSED


def test_loss_ends_holds() -> None:
    """8.3: who told the hold is no more; after a reboot the answer may be another."""
    world = started()
    world.want(wish_of(1))
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.NO_RESOURCES, lifetime=3000))
    world.want(wish_of(2))
    world.answer_all()
    world.run_for(60.0)
    world.answer_all()
    world.reboot()
    world.receive(world.success(last_map(world, 2)))
    assert [request.internal_port for request in world.new_maps()] == [1]


def test_what_is_under_way_is_not_asked_twice() -> None:
    """16.3.1: requests that left in the last second are about to be answered."""
    world = started(*(wish_of(port) for port in range(1, 6)))
    world.run_for(60.0)
    world.new()
    world.reboot()
    world.renew_all()
    requests = world.new_maps()
    assert len(requests) == 5
    for request in requests:
        world.receive(world.success(request))
    assert world.new_maps() == []
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())


def test_lost_deletion_is_repeated() -> None:
    """A delete that was sent to the old server is sent to the new one, too."""
    world = started(wish_of(1), wish_of(2))
    world.release(key_of(1))
    world.run_for(60.0)
    world.new()
    world.reboot()
    world.receive(world.success(last_map(world, 2)))
    assert [request.lifetime for request in world.new_maps()] == [0]


def test_second_loss_within_seconds() -> None:
    """A server that resets its epoch twice is asked for everything 10 s later again."""
    world = started(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.reboot()
    world.receive(world.success(last_map(world, 2)))
    world.answer_all()
    at = world.now
    world.run_for(5.0)
    world.reboot()
    world.new_events(LeaseLost)
    world.receive(world.success(last_map(world, 2)))
    assert world.new_maps() == []
    assert world.new_events(LeaseLost) == []
    world.run_until(at + 10.0)
    assert [request.internal_port for request in world.new_maps()] == [1, 2]


def test_second_loss_within_seconds_ends_holds() -> None:
    """8.3: who refused a mapping is no more; it is asked for again with the others."""
    world = started(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.reboot()
    world.receive(world.success(last_map(world, 2)))
    at = world.now
    for request in world.new_maps():
        world.receive(world.error(request, ResultCode.NOT_AUTHORIZED))
    view = world.keeper.lease(key_of(1))
    assert view is not None
    assert view.state is LeaseState.REFUSED
    world.run_for(5.0)
    world.reboot()
    world.receive(world.success(last_map(world, 2)))
    world.run_until(at + 10.0)
    assert 1 in [request.internal_port for request in world.new_maps()]


def test_server_with_a_senseless_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose every answer shows a loss is not asked at the speed of light."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=EXTERNAL, now=START)
    world = World(router=router, latency=0.01)
    random = Random(3)
    monkeypatch.setattr(
        RouterState, "epoch_time", lambda *_: random.randrange(1_000_000)
    )
    for port in range(1, 31):
        world.want(wish_of(port))
    world.run_for(3600.0)
    world.new()
    world.run_for(3600.0)
    assert len(world.new()) < 30 * 20
    views = world.keeper.leases()
    assert all(view.state is LeaseState.GRANTED for view in views)


def test_reboot_whose_announcement_was_lost() -> None:
    """16.3: it is found within five minutes, by the check."""
    router = RouterCore(
        PERSONALITIES["no_announce"], external_address=EXTERNAL, now=START
    )
    world = World(router=router, latency=0.05)
    for port in range(1, 11):
        world.want(wish_of(port, lifetime=86_400))
    world.run_for(2000.0)
    router.reboot(now=world.now)
    world.run_for(300.0)
    assert len(router.mappings) == 10


def test_reboot_that_took_hours() -> None:
    """Five minutes after the server answers again everything is open."""
    router = RouterCore(
        PERSONALITIES["no_announce"], external_address=EXTERNAL, now=START
    )
    world = World(router=router, latency=0.05, jitter=Random(4).random)
    for port in range(1, 21):
        world.want(wish_of(port, lifetime=LIFETIME))
    world.run_for(2000.0)
    router.silenced = True
    world.run_for(5 * 3600.0)
    router.reboot(now=world.now)
    router.silenced = False
    world.run_for(300.0)
    assert len(router.mappings) == 20
    assert all(v.state is LeaseState.GRANTED for v in world.keeper.leases())


def test_nat_pmp_loss() -> None:
    """RFC 6886 3.6, 3.7: a clock that lost its state, found by any answer."""
    world = started_nat_pmp(wish_of(1), wish_of(2))
    world.run_for(100.0)
    world.reboot()
    world.run_for(140.0)
    (check,) = world.new()
    world.receive(world.answer_to(check.message))
    assert len(world.new_events(ServerRestarted)) == 1
    # RFC 6886 3.1: one at a time.
    (first,) = world.new_maps()
    world.receive(world.nat_pmp_success(first))
    (second,) = world.new_maps()
    assert (first.internal_port, second.internal_port) == (1, 2)


def test_nat_pmp_after_we_were_suspended() -> None:
    """RFC 6886 3.6 sees no loss; but what seems to live has run out: it is renewed."""
    world = started_nat_pmp(wish_of(1), wish_of(2))
    world.run_for(100.0)
    # Our clock stands still for hours, the server's goes on.
    world.boot_at -= 8 * 3600.0
    world.run_for(140.0)
    (check,) = world.new()
    world.receive(world.answer_to(check.message))
    assert world.new_events(ServerRestarted) == []
    assert world.keeper.server_view().started_at == world.boot_at
    (first,) = world.new_maps()
    world.receive(world.nat_pmp_success(first))
    (second,) = world.new_maps()
    world.receive(world.nat_pmp_success(second))
    assert (first.internal_port, second.internal_port) == (1, 2)
    # Once: its clock goes on as ours does.
    world.wake()
    world.answer_all()
    assert world.now > START + 300.0
    assert len(world.times_of_maps(1)) == 2


def test_epochs_of_two_protocols_are_not_compared() -> None:
    """8.5: the first epoch in a protocol is valid, for the counts may differ."""
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.renew_all()
    world.new()
    nonce = nonce_of(key_of())
    request = MapRequest(
        client_address=world.source[0],
        lifetime=LIFETIME,
        nonce=nonce,
        protocol=6,
        internal_port=8123,
        suggested_external_port=8123,
        suggested_external_address=EXTERNAL,
    )
    world.receive(world.success(request, epoch_time=1))
    assert world.new_events(ServerRestarted) == []
