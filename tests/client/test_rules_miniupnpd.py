"""Where miniupnpd 2.3.1 departs from the RFC, and what becomes of a mapping there.

The rows are those of the table in docs/conformance/routers.md.
"""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from custom_components.pcp.client.codec import (
    Filter,
    MapRequest,
    NatPmpMapRequest,
    encode_nat_pmp,
)
from custom_components.pcp.client.events import LeaseRefused
from custom_components.pcp.client.mapping import LeaseState, RefusalReason
from tests.simulated_router.personality import Renewal

from .keeper_world import World
from .scripted_server import CLIENT, LIFETIME, OTHER_CLIENT, key_of, wish_of
from .test_rules_routers import (
    HOUR,
    KEY6,
    PUBLIC,
    held,
    router_of,
    world6_with,
    world_with,
)

NAME = "miniupnpd_2_3_1"


def test_one_mapping_for_a_life() -> None:
    """5.3: another suggested port would add a mapping: the assigned one is suggested."""
    world = world_with(NAME)
    router = router_of(world)
    other = encode_nat_pmp(
        NatPmpMapRequest(
            protocol=6, internal_port=8123, suggested_external_port=8123, lifetime=600
        )
    )
    router.receive(other, (OTHER_CLIENT, 50_000), now=world.now)
    world.want()
    world.run_for(24 * HOUR)
    assert [mapping.external_port for mapping in router.mappings] == [8124]
    world.release()
    world.run_for(5.0)
    assert held(world) == []


def test_lost_answer_leaves_no_second_mapping() -> None:
    """5.3: a repeated request is answered with the port that was assigned before."""
    world = world_with(NAME)
    router = router_of(world)
    world.run_for(5.0)
    replies = iter([False, True])
    world.loses = lambda: next(replies, False)
    world.want(wish_of(suggested_external_port=80))
    assert len(router.mappings) == 1
    assert world.state() is LeaseState.REQUESTING
    world.run_for(10.0)
    assert world.state() is LeaseState.GRANTED
    assert [mapping.external_port for mapping in router.mappings] == [1024]


def test_second_life_goes_on_with_the_first_ones_mapping() -> None:
    """5.3: what is taken up again is the same mapping, not one beside it."""
    world = world_with(NAME)
    world.want(wish_of(suggested_external_port=80))
    world.run_for(60.0)
    view = world.lease()
    assert view is not None
    second = World(router=router_of(world), latency=0.02)
    second.now = world.now
    second.restore(wish_of(suggested_external_port=80), grant=view.grant)
    second.run_for(60.0)
    assert second.state() is LeaseState.GRANTED
    assert len(router_of(world).mappings) == 1


def test_port_that_another_host_has() -> None:
    """5.3: the next port is granted; exactly this one is refused and given back."""
    other = World(router=router_of(world_with(NAME)), client=OTHER_CLIENT, latency=0.02)
    other.want(wish_of(key=key_of(address=OTHER_CLIENT)))
    other.run_for(5.0)
    world = World(router=router_of(other), latency=0.02)
    world.now = other.now
    world.want()
    world.want(wish_of(1, suggested_external_port=8123, exact=True))
    world.run_for(5.0)
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.assigned_external_port == 8124
    (event,) = world.new_events(LeaseRefused)
    assert event.refusal.reason is RefusalReason.EXTERNAL_PORT_TAKEN
    there = {
        (one.internal_address, one.external_port) for one in router_of(world).mappings
    }
    assert there == {(OTHER_CLIENT, 8123), (CLIENT, 8124)}


def test_nothing_is_asked_that_it_does_not_do_as_it_should() -> None:
    """5.2, 5.3: version 2, whole words, one port, no PREFER_FAILURE, over a whole life."""
    world = world_with(NAME)
    world.want(wish_of(exact=True))
    world.run_for(6 * HOUR)
    world.release()
    world.run_for(HOUR)
    requests = [
        sent.message for sent in world.sent if isinstance(sent.message, MapRequest)
    ]
    assert {request.version for request in requests} == {2}
    assert all(
        request.internal_port and request.protocol in (6, 17) for request in requests
    )
    assert all(request.client_address == CLIENT for request in requests)
    assert not any(request.options for request in requests)


def test_no_external_address() -> None:
    """5.3: NETWORK_FAILURE for 30 s: granted within half a minute of the address."""
    world = world_with(NAME)
    router = router_of(world)
    world.run_for(5.0)
    router.change_external_address(None, now=world.now)
    world.want()
    world.run_for(HOUR)
    (refusal, *_) = world.new_events(LeaseRefused)
    assert refusal.refusal.reason is RefusalReason.NETWORK_FAILURE
    router.change_external_address(PUBLIC, now=world.now)
    world.run_for(31.0)
    assert world.state() is LeaseState.GRANTED


def test_filter_that_is_echoed() -> None:
    """5.4: FILTER comes back and nothing is filtered: nothing of ours believes it."""
    world = world_with(NAME)
    source = IPv4Network("198.51.100.0/24")
    world.want(wish_of(allowed_sources=(source,)))
    world.run_for(5.0)
    (request,) = world.new_maps()
    assert request.options == (Filter.from_network(source),)
    (mapping,) = router_of(world).mappings
    assert mapping.filters == ()
    view = world.lease()
    assert view is not None
    assert view.state is LeaseState.GRANTED
    assert not hasattr(view.grant, "allowed_sources")


def test_pinhole_keeps_its_port() -> None:
    """5.5: a renewal that suggests no port would be answered with port 0."""
    world = world6_with(NAME)
    world.want(wish_of(key=KEY6))
    world.run_for(3 * HOUR)
    view = world.lease(KEY6)
    assert view is not None
    assert view.grant is not None
    assert view.grant.assigned_external_port == 8123
    suggested = {request.suggested_external_port for request in world.new_maps()}
    assert suggested == {8123}


def test_pinhole_that_was_renewed_and_is_closed() -> None:
    """5.5: told as open until its end; the next ones last ten minutes at most."""
    world = world6_with(NAME)
    world.want(wish_of(key=KEY6))
    world.run_for(HOUR)
    world.release(KEY6)
    world.run_for(5.0)
    router = router_of(world)
    view = world.lease(KEY6)
    assert view is not None
    assert view.open_until is not None
    assert view.open_until >= router.mappings[0].expires_at
    world.run_for(view.open_until - world.now + 1.0)
    assert world.lease(KEY6) is None
    assert held(world) == []
    world.want(wish_of(key=KEY6, nonce=b"another life"))
    world.run_for(5.0)
    assert [round(one.expires_at - world.now, -2) for one in held(world)] == [600]


@pytest.mark.parametrize("name", [NAME, "rfc", "nat_pmp_only"])
def test_lease_file(name: str) -> None:
    """5.6: the epoch begins anew though nothing is lost: the same nonces, no doubles."""
    world = world_with(name)
    for port in range(2001, 2021):
        world.want(wish_of(port))
    world.run_for(60.0)
    router = router_of(world)
    before = {
        (one.internal_port, one.external_port, one.nonce) for one in router.mappings
    }
    router.reboot(now=world.now, lose_mappings=False)
    world.run_for(60.0)
    after = {
        (one.internal_port, one.external_port, one.nonce) for one in router.mappings
    }
    assert after == before
    assert len(router.mappings) == 20
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())


def test_newer_one_that_keeps_its_port() -> None:
    """11.3: a server that does not add mappings grants the old port, which is taken."""
    world = world_with("miniupnpd_newer")
    router = router_of(world)
    router.personality = replace(router.personality, renewal=Renewal.KEEPS_PORT)
    world.want()
    world.run_for(6 * HOUR)
    assert [mapping.external_port for mapping in router.mappings] == [8123]


def test_stranger_with_another_nonce() -> None:
    """5.3: whoever asks for our mapping owns it there; our renewal takes it back."""
    world = world_with(NAME)
    world.want()
    world.run_for(5.0)
    stranger = World(router=router_of(world), latency=0.02)
    stranger.now = world.now
    stranger.want(wish_of(nonce=b"lease of his"))
    stranger.run_for(1.0)
    (mapping,) = router_of(world).mappings
    assert mapping.nonce == b"lease of his"
    world.run_for(HOUR * 5 / 8)
    (mapping,) = router_of(world).mappings
    assert mapping.nonce == wish_of().nonce
    assert mapping.external_address == IPv4Address(PUBLIC)


def test_newer_one_closes_pinholes() -> None:
    """5.8: a pinhole that was renewed is deleted, and leases stay as long as wished."""
    world = world6_with("miniupnpd_newer")
    world.want(wish_of(key=KEY6))
    world.run_for(HOUR)
    world.release(KEY6)
    world.run_for(5.0)
    assert held(world) == []
    world.want(wish_of(key=KEY6))
    world.run_for(5.0)
    assert [mapping.lifetime for mapping in held(world)] == [LIFETIME]
