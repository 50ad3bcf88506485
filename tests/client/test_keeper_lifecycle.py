"""From a wish to its grant, and the terms that were granted."""

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
    LeaseReleased,
    ProtocolChanged,
    ServerProtocol,
    ServerReachable,
)
from custom_components.pcp.client.mapping import Grant, LeaseState, Protocol

from .keeper_world import World, started
from .scripted_server import (
    CLIENT,
    CLIENT6,
    EXTERNAL,
    LIFETIME,
    OTHER_CLIENT,
    SERVER,
    SERVER6,
    START,
    key_of,
    nonce_of,
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


def test_sending_does_not_depend_on_who_asks_for_news() -> None:
    """What is due leaves in the first call of the two; the other has the rest."""
    for first in ("news", "datagrams"):
        world = World()
        world.keeper.want(wish_of(), now=world.now)
        if first == "news":
            assert world.keeper.next_event() is None
        assert len(world.keeper.datagrams_to_send(now=world.now)) == 2
        assert world.keeper.datagrams_to_send(now=world.now) == []
