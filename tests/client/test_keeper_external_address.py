"""The external address, as leases tell it."""

from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

import pytest

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.events import ExternalAddressChanged
from custom_components.pcp.client.mapping import LeaseState

from .keeper_world import World, started
from .scripted_server import (
    CLIENT,
    CLIENT6,
    EXTERNAL,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    SERVER6,
    key_of,
    wish_of,
)


def test_external_address_follows_the_leases() -> None:
    """16.3.2: another assigned address is news of the server, told once for all."""
    world = started(wish_of(1), wish_of(2))
    world.new_events(ExternalAddressChanged)
    world.run_for(60.0)
    first = world.sent[-2].message
    assert isinstance(first, MapRequest)
    world.receive(world.success(first, assigned_external_address=OTHER_EXTERNAL))
    changes = world.new_events(ExternalAddressChanged)
    assert changes == [ExternalAddressChanged(EXTERNAL, OTHER_EXTERNAL)]
    (request,) = world.new_maps()
    assert request.internal_port == 2
    world.receive(world.success(request, assigned_external_address=OTHER_EXTERNAL))
    assert world.new_events(ExternalAddressChanged) == []
    grants = [view.grant for view in world.keeper.leases()]
    assert all(g and g.assigned_external_address == OTHER_EXTERNAL for g in grants)


def test_external_address_that_changes_all_the_time() -> None:
    """Three rounds of renewals in 15 min, then one mapping every five seconds."""
    world = started(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.new()
    for number in range(20):
        world.run_for(10.0)
        first = next(sent.message for sent in world.sent if sent.is_map)
        assert isinstance(first, MapRequest)
        address = IPv4Address(f"203.0.113.{number + 10}")
        world.receive(world.success(first, assigned_external_address=address))
        for request in world.new_maps():
            world.receive(world.success(request, assigned_external_address=address))
    times = world.times_of_maps(2)
    assert 1 + 3 < len(times) <= 1 + 3 + 200.0 / 5.0
    assert min(late - early for early, late in pairwise(times)) >= 4.0


def test_new_lease_on_another_address() -> None:
    """11.6: a server may have a pool of addresses, or a new one: the others are asked."""
    world = started(wish_of(1))
    world.run_for(60.0)
    world.want(wish_of(2))
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_address=OTHER_EXTERNAL))
    assert world.keeper.server_view().external_address == EXTERNAL
    (renewal,) = world.new_maps()
    assert renewal.internal_port == 1
    world.receive(world.success(renewal, assigned_external_address=OTHER_EXTERNAL))
    assert world.keeper.server_view().external_address == OTHER_EXTERNAL


def test_address_of_another_host_is_not_the_servers() -> None:
    """A pinhole's external address is the internal one, of whomever it is for."""
    world = started(server=SERVER6, client=CLIENT6)
    other = IPv6Address("2001:db8::99")
    key = key_of(address=other)
    world.want(wish_of(key=key, third_party=True))
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_address=other))
    assert world.state(key) is LeaseState.GRANTED
    assert world.keeper.server_view().external_address != other


def test_server_that_was_behind_another_nat() -> None:
    """11.6: a mapping at its old address, which is public, tells that it is no more."""
    public, private = IPv4Address("22.0.113.1"), IPv4Address("10.0.0.1")
    world = World()
    world.want(wish_of(1))
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_address=public))
    world.renew_all()
    world.run_for(10.0)
    request = world.new_maps()[0]
    world.receive(
        world.error(request, ResultCode.NO_RESOURCES, assigned_external_address=private)
    )
    assert world.keeper.server_view().external_address == private
    world.renew_all()
    world.run_for(10.0)
    request = world.new_maps()[0]
    world.receive(world.success(request, assigned_external_address=public))
    assert world.keeper.server_view().external_address == public


def test_address_of_a_refusal() -> None:
    """8.3: but for NO_RESOURCES, an error's address is no news of the server."""
    world = started(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.new()
    request = first_map(world)
    world.receive(
        world.error(
            request, ResultCode.NOT_AUTHORIZED, assigned_external_address=OTHER_EXTERNAL
        )
    )
    assert world.keeper.server_view().external_address == EXTERNAL
    assert world.new_maps() == []


def test_address_of_a_delete() -> None:
    """15.1: miniupnpd tells its address in the answer to a delete, too."""
    world = started(wish_of(1))
    world.release(key_of(1))
    (delete,) = world.new_maps()
    world.receive(world.success(delete, assigned_external_address=OTHER_EXTERNAL))
    assert world.keeper.server_view().external_address == OTHER_EXTERNAL


@pytest.mark.parametrize("third_party", [False, True])
def test_first_address_by_a_lease(*, third_party: bool) -> None:
    """Any mapping over IPv4 tells the address of the server, whoever it is for."""
    world = World()
    address = OTHER_CLIENT if third_party else CLIENT
    world.want(wish_of(key=key_of(address=address), third_party=third_party))
    (request,) = world.new_maps()
    world.receive(world.success(request))
    assert world.keeper.server_view().external_address == EXTERNAL


def test_first_address_by_a_pinhole() -> None:
    """A pinhole for ourselves tells the address that we have outside."""
    world = World(server=SERVER6, client=CLIENT6)
    world.want(wish_of(key=key_of(address=CLIENT6)))
    (request,) = world.new_maps()
    world.receive(world.success(request))
    assert world.keeper.server_view().external_address == CLIENT6


def first_map(world: World) -> MapRequest:
    """Return the first request for a mapping."""
    return next(
        sent.message
        for sent in world.sent
        if sent.is_map and isinstance(sent.message, MapRequest)
    )
