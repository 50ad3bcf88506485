"""Taking up what an earlier life of ours had."""

import pytest

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.events import LeaseGranted, LeaseLost, LeaseReleased
from custom_components.pcp.client.mapping import Grant, LeaseState
from custom_components.pcp.client.timing import LINGER, SHORT_HOLD
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World
from .scripted_server import EXTERNAL, LIFETIME, START, key_of, nonce_of, wish_of


def grant(seconds: float = 600.0) -> Grant:
    """Return a grant that lives so long."""
    return Grant(
        assigned_external_address=EXTERNAL,
        assigned_external_port=40000,
        lifetime=LIFETIME,
        expires_at=START + seconds,
    )


def test_granted_lease() -> None:
    """A lease that lives is granted, and renewed at once with the same nonce."""
    world = World()
    world.restore(grant=grant())
    assert world.state() is LeaseState.GRANTED
    (request,) = world.new_maps()
    assert isinstance(request, MapRequest)
    assert request.nonce == nonce_of(key_of())
    assert request.suggested_external_port == 40000
    assert request.suggested_external_address == EXTERNAL
    world.receive(world.success(request))
    (event,) = world.new_events(LeaseGranted)
    assert event.previous == grant()
    assert world.keeper.server_view().external_address == EXTERNAL


def test_renewal_that_is_not_answered() -> None:
    """The taking up is repeated until it is answered, and lost when it runs out."""
    world = World()
    world.restore(grant=grant())
    world.run_until(START + 599.0)
    assert len(world.new_maps()) > 5
    assert world.state() is LeaseState.GRANTED
    world.run_until(START + 600.0)
    assert world.new_events(LeaseLost) == [LeaseLost(key_of())]


def test_lease_that_ran_out() -> None:
    """What ran out meanwhile is asked for with what was assigned."""
    world = World()
    world.restore(grant=grant(0.0))
    assert world.state() is LeaseState.REQUESTING
    (request,) = world.new_maps()
    assert request.suggested_external_port == 40000
    view = world.lease()
    assert view is not None
    assert view.open_until == START + LIFETIME


def test_lease_that_was_never_answered() -> None:
    """It may be open for as long as it may have been granted."""
    world = World()
    world.restore(wish_of(lifetime=60), open_until=START + 500.0)
    view = world.lease()
    assert view is not None
    assert (view.state, view.open_until) == (LeaseState.REQUESTING, START + 500.0)


def test_deletion_owed() -> None:
    """What is not wanted any more is deleted, with the nonce that it was made with."""
    world = World()
    world.restore(wanted=False, grant=grant())
    view = world.lease()
    assert view is not None
    assert (view.state, view.grant) == (LeaseState.RELEASING, None)
    (delete,) = world.new_maps()
    assert (delete.lifetime, delete.nonce) == (0, nonce_of(key_of()))
    world.receive(world.success(delete))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_deletion_with_a_request_under_way() -> None:
    """15.1: the earlier life's last request must not have the last word."""
    world = World()
    world.restore(wanted=False, grant=grant(), is_under_way=True)
    assert world.keeper.under_way(now=world.now) == [key_of()]
    (delete,) = world.new_maps()
    world.receive(world.success(delete))
    assert world.new_events(LeaseReleased) == []
    world.run_until(START + LINGER - 0.1)
    assert world.new_maps() == []
    world.run_until(START + LINGER)
    (delete,) = world.new_maps()
    world.receive(world.success(delete))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_what_is_under_way_when_a_life_ends() -> None:
    """A request is for ten seconds, if it is not answered; a delete is not."""
    world = World()
    world.want()
    (request,) = world.new_maps()
    assert world.keeper.under_way(now=world.now + LINGER - 0.1) == [key_of()]
    assert world.keeper.under_way(now=world.now + LINGER) == []
    world.receive(world.success(request))
    assert world.keeper.under_way(now=world.now) == []
    world.release()
    assert world.keeper.under_way(now=world.now) == []


def test_copy_that_is_under_way_when_a_life_ends() -> None:
    """8.1.1: of two that were sent one was answered."""
    world = World()
    world.want()
    world.run_for(3.0)
    first, _ = world.new_maps()
    world.receive(world.success(first))
    assert world.keeper.under_way(now=world.now + LINGER - 0.1) == [key_of()]
    assert world.keeper.under_way(now=world.now + LINGER) == []


@pytest.mark.parametrize("open_until", [None, START - 1.0, START])
def test_deletion_that_is_not_owed(open_until: float | None) -> None:
    """Nothing can be left: it is told as released, and nothing is sent."""
    world = World()
    world.restore(wanted=False, open_until=open_until)
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]
    assert world.new_maps() == []
    assert world.lease() is None


def test_deletion_until_the_end() -> None:
    """The deletion is repeated until it is answered or the mapping has run out."""
    world = World()
    world.restore(wanted=False, open_until=START + 300.0)
    world.run_until(START + 300.0)
    assert len(world.new_maps()) > 5
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_many() -> None:
    """A hundred are taken up as fast as the server answers."""
    world = World()
    for port in range(1, 101):
        world.keeper.restore(
            wish_of(port),
            wanted=port % 2 == 0,
            grant=grant(),
            open_until=None,
            now=world.now,
        )
    world.pump()
    assert len(world.new_maps()) == 8


def test_known_mapping() -> None:
    """Taking up what is there already is our own mistake; nothing happens."""
    world = World()
    world.want()
    before = world.lease()
    with pytest.raises(ValueError, match="already"):
        world.restore(grant=grant())
    assert world.lease() == before


def test_life_goes_on() -> None:
    """A strict server grants the second life what the first one had."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=EXTERNAL, now=START)
    first = World(router=router)
    first.want(wish_of(suggested_external_port=40000))
    first.run_for(600.0)
    view = first.lease()
    assert view is not None
    second = World(router=router)
    second.now = first.now
    second.restore(wish_of(suggested_external_port=1), grant=view.grant)
    second.run_for(1.0)
    after = second.lease()
    assert after is not None
    assert after.grant is not None
    assert after.grant.assigned_external_port == 40000
    assert len(router.mappings) == 1


def test_loss_during_our_own_restart() -> None:
    """A server that lost everything meanwhile is reminded of what it had assigned."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=EXTERNAL, now=START)
    world = World(router=router)
    world.restore(grant=grant())
    world.run_for(1.0)
    (mapping,) = router.mappings
    assert mapping.external_port == 40000


def test_renewal_that_is_refused() -> None:
    """11.4: the mapping may have been lost while we were away, so the hold is waited for."""
    world = World()
    world.restore(grant=grant())
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.NETWORK_FAILURE))
    assert world.state() is LeaseState.GRANTED
    world.run_for(SHORT_HOLD - 1.0)
    assert world.new_maps() == []
    world.run_for(1.0)
    (request,) = world.new_maps()
    world.receive(world.success(request))
    world.run_for(LIFETIME / 2 - 1.0)
    assert world.new_maps() == []
