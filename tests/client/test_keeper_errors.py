"""Refusals: what they hold up, and for how long."""

import pytest

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.events import LeaseGranted, LeaseRefused
from custom_components.pcp.client.mapping import LeaseState, RefusalReason

from .keeper_world import World, started
from .scripted_server import LIFETIME, START, key_of, wish_of


def refused(code: ResultCode | int, *, lifetime: int = 0) -> World:
    """Return a world with a lease that was refused just now."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.error(request, code, lifetime=lifetime))
    return world


def test_refusal_is_told() -> None:
    """7.4: the code, its meaning, and when it is asked for again."""
    world = refused(ResultCode.NOT_AUTHORIZED)
    (event,) = world.new_events(LeaseRefused)
    assert event.key == key_of()
    assert event.refusal.reason is RefusalReason.NOT_AUTHORIZED
    assert event.refusal.result_code == ResultCode.NOT_AUTHORIZED
    assert event.refusal.retry_at == START + 1800.0
    view = world.lease()
    assert view is not None
    assert (view.state, view.refusal) == (LeaseState.REFUSED, event.refusal)
    assert view.open_until is None


@pytest.mark.parametrize(
    ("code", "lifetime", "hold"),
    [
        (ResultCode.NETWORK_FAILURE, 0, 30.0),
        (ResultCode.NO_RESOURCES, 5, 30.0),
        (ResultCode.USER_EX_QUOTA, 3000, 3000.0),
        (ResultCode.CANNOT_PROVIDE_EXTERNAL, 30, 300.0),
        (ResultCode.NOT_AUTHORIZED, 30, 1800.0),
        (ResultCode.MALFORMED_OPTION, 0, 1800.0),
        (24, 0, 1800.0),
        (200, 0xFFFFFFFF, 86_400.0),
    ],
)
def test_hold(code: ResultCode | int, lifetime: int, hold: float) -> None:
    """8.3: the same request is not sent before its hold ends, and then it is."""
    world = refused(code, lifetime=lifetime)
    world.run_until(START + hold - 0.001)
    assert world.new_maps() == []
    assert world.state() is LeaseState.REFUSED
    world.run_until(START + hold)
    (request,) = world.new_maps()
    assert request.lifetime == LIFETIME
    world.receive(world.success(request))
    assert world.state() is LeaseState.GRANTED


def test_person_passes_a_hold() -> None:
    """A wish of a person is asked for at once, hold or not."""
    world = refused(ResultCode.NOT_AUTHORIZED)
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request))
    assert len(world.new_events(LeaseGranted)) == 1


def test_button_passes_all_holds() -> None:
    """The button asks for everything again, the server's hold included."""
    world = refused(ResultCode.NO_RESOURCES, lifetime=3000)
    world.want(wish_of(2), urgent=False)
    assert world.new_maps() == []
    world.renew_all()
    assert {request.internal_port for request in world.new_maps()} == {2, 8123}


def test_no_resources_holds_new_mappings() -> None:
    """11.4: no new mappings are asked for until it ends; it is told as refused."""
    world = started()
    world.want(wish_of(1))
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.NO_RESOURCES, lifetime=600))
    world.new_events(LeaseRefused)
    world.want(wish_of(2), urgent=False)
    assert world.new_maps() == []
    (event,) = world.new_events(LeaseRefused)
    assert event.key == key_of(2)
    assert event.refusal.reason is RefusalReason.NO_RESOURCES
    world.run_until(START + 599.0)
    assert world.new_maps() == []
    world.run_until(START + 600.0)
    assert {request.internal_port for request in world.new_maps()} == {1, 2}


def test_no_resources_does_not_hold_renewals() -> None:
    """11.4: what is granted is renewed all the same."""
    world = started(wish_of(1), jitter=0.0)
    world.run_until(START + 1700.0)
    world.want(wish_of(2))
    request = world.new_maps()[-1]
    world.receive(world.error(request, ResultCode.NO_RESOURCES, lifetime=3000))
    world.run_until(START + 1800.0)
    (renewal,) = world.new_maps()
    assert renewal.internal_port == 1


def test_no_resources_does_not_hold_deletes() -> None:
    """11.4: what is unwanted is deleted all the same."""
    world = started(wish_of(1))
    world.want(wish_of(2))
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.NO_RESOURCES, lifetime=3000))
    world.release(key_of(1))
    assert [delete.lifetime for delete in world.new_maps()] == [0]


def test_no_resources_for_a_renewal() -> None:
    """11.4: it holds new mappings, too, and the renewal itself."""
    world = started(wish_of(1), jitter=0.0)
    world.run_until(START + 1800.0)
    (renewal,) = world.new_maps()
    world.receive(world.error(renewal, ResultCode.NO_RESOURCES, lifetime=600))
    world.want(wish_of(2), urgent=False)
    world.run_until(START + 2399.0)
    assert world.new_maps() == []
    assert world.state(key_of(1)) is LeaseState.GRANTED


def test_no_resources_for_a_delete() -> None:
    """Q5: miniupnpd says so where there is nothing to delete; it holds nothing."""
    world = started(wish_of(1))
    world.release(key_of(1))
    (delete,) = world.new_maps()
    world.receive(world.error(delete, ResultCode.NO_RESOURCES, lifetime=30))
    world.want(wish_of(2), urgent=False)
    assert [request.internal_port for request in world.new_maps()] == [2]


def test_no_resources_for_a_probe() -> None:
    """Q5: nor does the answer to a question that deletes nothing."""
    world = World()
    world.wake()
    (probe,) = world.new()
    assert isinstance(probe.message, MapRequest)
    world.receive(world.error(probe.message, ResultCode.NO_RESOURCES, lifetime=30))
    world.want(urgent=False)
    assert len(world.new_maps()) == 1


def test_hold_reaches_requests_that_wait_for_an_answer() -> None:
    """11.4: a new mapping that was not answered is not asked for again in the hold."""
    world = started()
    for port in (1, 2):
        world.want(wish_of(port), urgent=False)
    first, _ = world.new_maps()
    world.run_for(1.0)
    world.receive(world.error(first, ResultCode.NO_RESOURCES, lifetime=600))
    world.new_events(LeaseRefused)
    world.run_for(599.0)
    assert world.new_maps() == []
    assert [event.key for event in world.new_events(LeaseRefused)] == [key_of(2)]


def test_hold_does_not_reach_what_a_person_waits_for() -> None:
    """A person's request is repeated in the hold, too, until it is answered."""
    world = started()
    world.want(wish_of(1), urgent=False)
    world.want(wish_of(2))
    first, _ = world.new_maps()
    world.receive(world.error(first, ResultCode.NO_RESOURCES, lifetime=600))
    world.run_for(3.0)
    assert [request.internal_port for request in world.new_maps()] == [2]


def test_late_grant_after_a_refusal() -> None:
    """8: the answer to another copy of the request is believed."""
    world = started()
    world.want()
    world.run_for(3.0)
    first, second = world.new_maps()
    world.receive(world.error(first, ResultCode.NETWORK_FAILURE))
    assert world.state() is LeaseState.REFUSED
    world.receive(world.success(second))
    assert world.state() is LeaseState.GRANTED


def test_refusal_that_nobody_asked_for() -> None:
    """8.3: a server may take back what it granted; the mapping runs out."""
    world = started(wish_of())
    request = world.sent[-1].message
    assert isinstance(request, MapRequest)
    world.receive(world.error(request, ResultCode.NOT_AUTHORIZED))
    (event,) = world.new_events(LeaseRefused)
    assert event.refusal.reason is RefusalReason.NOT_AUTHORIZED
    assert world.state() is LeaseState.GRANTED


def test_address_mismatch() -> None:
    """8.2: another NAT between us and the server: nothing to be asked fast."""
    world = refused(ResultCode.ADDRESS_MISMATCH)
    (event,) = world.new_events(LeaseRefused)
    assert event.refusal.reason is RefusalReason.ADDRESS_MISMATCH
    world.run_for(1799.0)
    assert world.new_maps() == []


def test_refusal_is_an_answer() -> None:
    """A server that refuses is there."""
    world = refused(ResultCode.NOT_AUTHORIZED)
    assert world.keeper.server_view().reachable is True
