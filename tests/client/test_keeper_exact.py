"""The exact external port, or none."""

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.events import LeaseGranted, LeaseLost, LeaseRefused
from custom_components.pcp.client.mapping import LeaseState, RefusalReason

from .keeper_world import started
from .scripted_server import LIFETIME, START, wish_of


def test_exact_port_that_is_not_granted_is_given_back() -> None:
    """13.2: the assigned port is checked; another one is deleted and told as refused."""
    world = started()
    world.want(wish_of(exact=True))
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_port=40000))
    (delete,) = world.new_maps()
    assert (delete.lifetime, delete.nonce) == (0, request.nonce)
    (refused,) = world.new_events(LeaseRefused)
    assert refused.refusal.reason is RefusalReason.EXTERNAL_PORT_TAKEN
    assert refused.refusal.result_code == ResultCode.SUCCESS
    view = world.lease()
    assert view is not None
    assert view.state is LeaseState.REFUSED
    assert view.open_until == START + LIFETIME
    world.receive(world.success(delete))
    view = world.lease()
    assert view is not None
    assert (view.state, view.open_until) == (LeaseState.REFUSED, None)


def test_exact_port_is_tried_again() -> None:
    """A taken port may be free after five minutes; it is the wished one that is asked."""
    world = started()
    world.want(wish_of(exact=True))
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_port=40000))
    world.answer_all()
    world.run_for(299.0)
    assert world.new_maps() == []
    world.run_for(1.0)
    (request,) = world.new_maps()
    assert (request.lifetime, request.suggested_external_port) == (LIFETIME, 8123)
    world.receive(world.success(request))
    assert world.state() is LeaseState.GRANTED


def test_exact_port_that_is_taken_away() -> None:
    """14.2: an update to another port is not acceptable either, and the lease lost."""
    world = started(wish_of(exact=True))
    request = world.sent[-1].message
    assert isinstance(request, MapRequest)
    world.new_events(LeaseGranted)
    world.receive(world.success(request, assigned_external_port=40000))
    assert [type(event) for event in world.events[-2:]] == [LeaseLost, LeaseRefused]
    (delete,) = world.new_maps()
    assert delete.lifetime == 0


def test_giving_back_that_is_not_answered() -> None:
    """What was not given back is gone when it has run out; then it is asked for."""
    world = started()
    world.want(wish_of(exact=True, lifetime=120))
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_port=40000))
    world.run_for(119.0)
    deletes = world.new_maps()
    assert len(deletes) > 3
    assert all(request.lifetime == 0 for request in deletes)
    world.run_for(180.0)
    assert world.new_maps() == []
    world.run_for(1.0)
    (request,) = world.new_maps()
    assert request.lifetime == 120


def test_giving_back_that_is_refused() -> None:
    """A delete that is refused is not repeated before its hold ends."""
    world = started()
    world.want(wish_of(exact=True))
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_port=40000))
    (delete,) = world.new_maps()
    world.receive(world.error(delete, ResultCode.NOT_AUTHORIZED))
    world.run_for(1799.0)
    assert world.new_maps() == []
    world.run_for(1.0)
    assert [request.lifetime for request in world.new_maps()] == [0]
