"""From a wish to its grant, and the terms that were granted."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from custom_components.pcp.client.codec import (
    Filter,
    MapRequest,
    ResultCode,
    ThirdParty,
)
from custom_components.pcp.client.events import (
    ExternalAddressChanged,
    LeaseGranted,
    LeaseLost,
    LeaseRefused,
    LeaseReleased,
    ProtocolChanged,
    ServerProtocol,
    ServerReachable,
)
from custom_components.pcp.client.mapping import (
    Grant,
    LeaseState,
    Protocol,
    RefusalReason,
)

from .keeper_world import (
    CLIENT,
    CLIENT6,
    EXTERNAL,
    LIFETIME,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    SERVER,
    SERVER6,
    START,
    World,
    key_of,
    nonce_of,
    started,
    wish_of,
)


def test_request_for_a_mapping() -> None:
    """11.1, 16.4: the header has our own address; what is not known is all zeros."""
    world = World()
    world.want()
    (request,) = world.new_maps()
    assert request == MapRequest(
        client_address=CLIENT,
        lifetime=LIFETIME,
        nonce=nonce_of(key_of()),
        protocol=6,
        internal_port=8123,
        suggested_external_port=8123,
        suggested_external_address=IPv4Address(0),
    )
    assert world.state() is LeaseState.REQUESTING


def test_grant() -> None:
    """11.4: a success is told, with what was assigned and until when."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.run_for(0.2)
    world.receive(world.success(request, assigned_external_port=40000, lifetime=120))
    grant = Grant(
        assigned_external_address=EXTERNAL,
        assigned_external_port=40000,
        lifetime=120,
        expires_at=START + 0.2 + 120.0,
    )
    assert world.new_events(LeaseGranted) == [LeaseGranted(key_of(), grant, None)]
    view = world.lease()
    assert view is not None
    assert (view.state, view.grant) == (LeaseState.GRANTED, grant)
    assert view.open_until == grant.expires_at


def test_other_port_is_accepted() -> None:
    """11.2: never assume that the suggested port is granted."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_port=1))
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.assigned_external_port == 1
    assert world.new_maps() == []


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
    assert all(request.lifetime == 0 for request in world.new_maps())
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


def test_absurd_lifetime() -> None:
    """15: a lifetime of years is acted on as 24 hours."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request, lifetime=0xFFFFFFFF))
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.lifetime == 86_400
    assert view.grant.expires_at == START + 86_400.0


def test_third_party() -> None:
    """13.1: the option goes with every request, also with the delete."""
    world = started()
    key = key_of(address=OTHER_CLIENT)
    world.want(wish_of(key=key, third_party=True))
    (request,) = world.new_maps()
    option = ThirdParty(internal_address=OTHER_CLIENT)
    assert request.options == (option,)
    assert request.client_address == CLIENT
    world.receive(world.success(request))
    assert world.state(key) is LeaseState.GRANTED
    world.release(key)
    (delete,) = world.new_maps()
    assert delete.options == (option,)


def test_allowed_sources() -> None:
    """13.3: filters go with requests and renewals, and not with deletes."""
    network = IPv4Network("198.51.100.0/24")
    world = started()
    world.want(wish_of(allowed_sources=(network,)))
    (request,) = world.new_maps()
    assert request.options == (Filter.from_network(network),)
    world.receive(world.success(request))
    world.run_until(START + 2300.0)
    renewal = next(sent.message for sent in world.new() if sent.is_map)
    assert isinstance(renewal, MapRequest)
    assert renewal.options == request.options
    world.release()
    (delete,) = world.new_maps()
    assert delete.options == ()


def test_sources_of_another_family() -> None:
    """A source that the mapping cannot have must not be forgotten silently."""
    with pytest.raises(ValueError, match="another IP version"):
        wish_of(allowed_sources=(IPv6Network("2001:db8::/32"),))


def test_ipv6_pinhole() -> None:
    """11.1: over IPv6 the unknown address is ::, and the port is suggested."""
    world = World(server=SERVER6, client=CLIENT6)
    key = key_of(address=CLIENT6)
    world.want(wish_of(key=key))
    (request,) = world.new_maps()
    assert request.suggested_external_address == IPv6Address(0)
    assert request.suggested_external_port == 8123
    world.receive(world.success(request))
    assert world.state(key) is LeaseState.GRANTED


def test_first_answer() -> None:
    """9: the first answer tells the protocol, and that the server is there."""
    world = World()
    world.want()
    (request,) = world.new_maps()
    assert world.keeper.server_view().reachable is None
    world.receive(world.success(request))
    assert world.events[:3] == [
        ServerReachable(True),
        ProtocolChanged(ServerProtocol.PCP),
        ExternalAddressChanged(None, EXTERNAL),
    ]
    view = world.keeper.server_view()
    assert (view.protocol, view.reachable) == (ServerProtocol.PCP, True)
    assert view.external_address == EXTERNAL
    assert (view.epoch_time, view.started_at) == (5000, START - 5000.0)


def test_released_before_it_was_asked_for() -> None:
    """Nothing was sent, so nothing is."""
    world = World(client=None)
    world.keeper.want(wish_of(), now=world.now)
    world.keeper.release(key_of(), now=world.now)
    world.pump()
    assert world.events == [LeaseReleased(key_of())]
    assert world.sent == []
    assert world.lease() is None


def test_released_what_is_not_there() -> None:
    """A release of something unknown, or a second one, is nothing."""
    world = started()
    world.release(key_of(1))
    assert world.new_maps() == []
    world = started(wish_of())
    world.release()
    assert len(world.new_maps()) == 1
    world.release()
    assert world.new_maps() == []


def test_views_are_in_order() -> None:
    """IPv4 before IPv6, TCP before UDP, low ports first."""
    keys = [
        key_of(2),
        key_of(80, protocol=Protocol.UDP),
        key_of(1, protocol=Protocol.UDP),
        key_of(1),
    ]
    world = started(*(wish_of(key=key) for key in keys))
    assert [view.key for view in world.keeper.leases()] == [
        keys[3],
        keys[0],
        keys[2],
        keys[1],
    ]
    assert world.lease(key_of(3)) is None


def test_nonce_of_a_mapping_does_not_change() -> None:
    """11.2: another nonce for a known mapping is our own mistake; nothing happens."""
    world = started(wish_of())
    before = world.lease()
    with pytest.raises(ValueError, match="nonce"):
        world.want(replace(wish_of(), nonce=bytes(12)))
    assert world.lease() == before
    assert world.new_maps() == []


def test_nonce_is_of_one_mapping() -> None:
    """11.2: answers are told apart by their nonces, so two cannot have the same."""
    world = started(wish_of())
    with pytest.raises(ValueError, match="already"):
        world.want(replace(wish_of(9000), nonce=nonce_of(key_of())))
    assert world.lease(key_of(9000)) is None


def test_new_nonce_while_the_old_mapping_is_released() -> None:
    """11.3: another nonce is refused while the mapping exists: first the delete."""
    world = started(wish_of())
    world.release()
    (delete,) = world.new_maps()
    wish = replace(wish_of(), nonce=b"lease-new---")
    world.want(wish)
    assert world.new_maps() == []
    assert world.state() is LeaseState.RELEASING
    world.receive(world.success(delete))
    (request,) = world.new_maps()
    assert request.nonce == wish.nonce
    world.receive(world.success(request))
    assert world.state() is LeaseState.GRANTED


def test_new_nonce_that_is_not_wanted_any_more() -> None:
    """A successor that was released, or was never the last word, does not come."""
    for take_back in (
        lambda world: world.release(),
        lambda world: (world.want(), world.release()),
    ):
        world = started(wish_of())
        world.release()
        world.want(replace(wish_of(), nonce=b"lease-new---"))
        take_back(world)
        for delete in world.new_maps():
            world.receive(world.success(delete))
        world.run_for(60.0)
        assert world.lease() is None or world.state() is LeaseState.RELEASING


def test_wanted_again_while_it_is_released() -> None:
    """The same nonce asks again at once, for what was assigned."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_port=40000))
    world.release()
    world.want()
    delete, request = world.new_maps()
    assert (delete.lifetime, request.lifetime) == (0, LIFETIME)
    assert request.suggested_external_port == 40000
    world.receive(world.success(delete))
    assert world.state() is LeaseState.REQUESTING
    assert world.drops == {"stale": 1}
    world.receive(world.success(request, assigned_external_port=40000))
    assert world.state() is LeaseState.GRANTED


def test_mapping_that_is_gone_is_looked_at() -> None:
    """8: a success with lifetime 0 for a granted mapping means that it may be gone."""
    world = started(wish_of())
    request = world.sent[-1].message
    assert isinstance(request, MapRequest)
    world.run_for(10.0)
    world.receive(world.success(request, lifetime=0))
    (renewal,) = world.new_maps()
    assert (renewal.lifetime, renewal.nonce) == (LIFETIME, request.nonce)
    assert world.state() is LeaseState.GRANTED


def test_changed_terms_of_a_granted_lease() -> None:
    """A new lifetime counts from the next renewal on; nothing is sent for it."""
    world = started(wish_of())
    world.want(wish_of(lifetime=7200), urgent=False)
    assert world.new_maps() == []
    world.run_until(START + 2300.0)
    assert world.new_maps()[0].lifetime == 7200


def test_changed_terms_do_not_end_a_hold() -> None:
    """8.3: only a person passes a hold."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.NOT_AUTHORIZED))
    world.want(wish_of(lifetime=7200), urgent=False)
    assert world.new_maps() == []
    assert world.state() is LeaseState.REFUSED
    world.want(wish_of(lifetime=7200))
    assert world.new_maps()[0].lifetime == 7200


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


def test_time_does_not_go_back() -> None:
    """8.5: our clock must never go backwards."""
    world = started()
    keeper, early = world.keeper, world.now - 0.001
    for act in (
        lambda: keeper.want(wish_of(), now=early),
        lambda: keeper.release(key_of(), now=early),
        lambda: keeper.renew_all(now=early),
        lambda: keeper.handle_timer(now=early),
        lambda: keeper.receive_datagram(b"", now=early),
        lambda: keeper.receive_announcement(b"", SERVER, 5351, now=early),
        lambda: keeper.connection_refused(now=early),
        lambda: keeper.set_client_address(CLIENT, now=early),
        lambda: keeper.datagrams_to_send(now=early),
        lambda: keeper.restore(
            wish_of(), wanted=True, grant=None, open_until=None, now=early
        ),
    ):
        with pytest.raises(ValueError, match="back"):
            act()
    assert world.keeper.leases() == ()


def test_names_of_the_keeper() -> None:
    """The transport asks for the server's address and for our own."""
    world = World()
    assert world.keeper.server == SERVER
    assert world.keeper.client_address == CLIENT
    assert World(client=None).keeper.client_address is None
