"""Our own address: another one, none, and the same one again."""

from ipaddress import IPv4Address

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.events import (
    LeaseLost,
    LeaseReleased,
    ServerReachable,
)
from custom_components.pcp.client.mapping import LeaseState

from .keeper_world import World, started
from .scripted_server import CLIENT, LIFETIME, OTHER_CLIENT, START, key_of, wish_of

OTHER = IPv4Address("192.168.1.20")


def test_lease_of_an_address_that_is_not_ours() -> None:
    """8.1, 16.4: it is never asked for: the header would be a lie."""
    world = started()
    world.want(wish_of(key=key_of(address=OTHER)))
    world.renew_all()
    world.run_for(3600.0)
    assert world.new_maps() == []
    assert world.state(key_of(address=OTHER)) is LeaseState.REQUESTING


def test_no_way_yet() -> None:
    """What is wished for before the network is there is asked for when it is."""
    world = World(client=None)
    world.want()
    world.run_for(100.0)
    assert world.sent == []
    assert world.new_events(ServerReachable) == [ServerReachable(False)]
    world.move_to(CLIENT)
    assert len(world.new_maps()) == 1
    world.run_for(0.0)
    assert any(sent.is_check for sent in world.sent)


def test_new_address() -> None:
    """11.5: the old mapping is left to run out, the new one is asked for."""
    world = started(wish_of())
    world.run_for(60.0)
    world.new()
    world.move_to(OTHER)
    key = key_of(address=OTHER)
    world.want(wish_of(key=key, nonce=b"lease-other-"))
    (request,) = world.new_maps()
    assert request.client_address == OTHER
    world.receive(world.success(request))
    assert world.state(key) is LeaseState.GRANTED
    world.release()
    assert world.new_maps() == []
    assert world.state() is LeaseState.RELEASING
    world.run_until(START + LIFETIME)
    assert LeaseReleased(key_of()) in world.events


def test_old_leases_are_not_renewed() -> None:
    """11.5: renewals come from the same address, or not at all."""
    world = started(wish_of())
    world.move_to(OTHER)
    world.run_until(START + LIFETIME)
    assert world.new_maps() == []
    assert world.new_events(LeaseLost) == [LeaseLost(key_of())]
    world.run_for(7200.0)
    assert world.new_maps() == []


def test_back_at_the_old_address() -> None:
    """The mappings of an address that is ours again are asked for at once."""
    world = started(wish_of())
    world.move_to(OTHER)
    world.run_for(60.0)
    world.move_to(CLIENT)
    (request,) = world.new_maps()
    assert request.client_address == CLIENT


def test_back_with_a_deletion_owed() -> None:
    """A delete that could not be sent is sent when there is a way again."""
    world = started(wish_of())
    world.move_to(None)
    world.run_for(10.0)
    world.release()
    assert world.new_maps() == []
    world.run_for(60.0)
    world.move_to(CLIENT)
    (delete,) = world.new_maps()
    assert delete.lifetime == 0


def test_third_party_leases_go_on() -> None:
    """13.1: another host's mapping is asked for from whatever address we have."""
    key = key_of(address=OTHER_CLIENT)
    world = started(wish_of(key=key, third_party=True))
    world.run_for(60.0)
    world.new()
    world.move_to(OTHER)
    (request,) = world.new_maps()
    assert request.client_address == OTHER


def test_third_partys_mapping_whose_address_is_ours_now_is_deleted_as_our_own() -> None:
    """13.1: we MUST NOT name ourselves, and the server refuses that as malformed."""
    key = key_of(address=OTHER_CLIENT)
    world = started(wish_of(key=key, third_party=True))
    world.run_for(60.0)
    world.move_to(OTHER_CLIENT)
    world.new()
    world.release(key)
    (delete,) = world.new_maps()
    assert delete.lifetime == 0
    assert delete.options == ()


def test_new_address_ends_holds() -> None:
    """8.3: another client was refused, and another network is another server."""
    key = key_of(address=OTHER_CLIENT)
    world = started()
    world.want(wish_of(key=key, third_party=True))
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.ADDRESS_MISMATCH))
    world.move_to(OTHER)
    assert len(world.new_maps()) == 1


def test_flapping_network_does_not_end_holds() -> None:
    """8.3: the same address again is the same client."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.NOT_AUTHORIZED))
    for _ in range(5):
        world.move_to(None)
        world.run_for(1.0)
        world.move_to(CLIENT)
    assert world.new_maps() == []
    assert world.state() is LeaseState.REFUSED


def test_same_address_is_no_change() -> None:
    """The shell may tell an address again."""
    world = started(wish_of())
    world.run_for(60.0)
    world.new()
    world.move_to(CLIENT)
    world.run_for(1.0)
    assert world.new() == []


def test_renewals_while_there_is_no_way() -> None:
    """What was due without a network is asked for when it is back."""
    world = started(wish_of(), jitter=0.0)
    world.run_for(60.0)
    world.answer_all()
    world.move_to(None)
    world.run_until(START + 2000.0)
    world.new()
    world.move_to(CLIENT)
    (request,) = world.new_maps()
    assert isinstance(request, MapRequest)
    world.receive(world.success(request))
    assert world.state() is LeaseState.GRANTED
    assert world.new_events(LeaseLost) == []


def test_no_way_any_more() -> None:
    """A server that cannot be asked is not reachable; its leases live."""
    world = started(wish_of())
    world.run_for(60.0)
    world.new_events(ServerReachable)
    world.move_to(None)
    assert world.new_events(ServerReachable) == []
    world.run_for(10.0)
    assert world.new_events(ServerReachable) == [ServerReachable(False)]
    assert world.state() is LeaseState.GRANTED
    world.move_to(CLIENT)
    world.answer_all()
    assert world.new_events(ServerReachable) == [ServerReachable(True)]


def test_no_way_for_a_moment() -> None:
    """A way that is soon there again is no news."""
    world = started(wish_of())
    world.run_for(60.0)
    world.new_events(ServerReachable)
    world.move_to(None)
    world.run_for(1.0)
    world.move_to(CLIENT)
    world.answer_all()
    world.run_for(10.0)
    assert world.new_events(ServerReachable) == []


def test_heard_at_an_address() -> None:
    """Only what the server answers to this address counts."""
    world = started(wish_of())
    assert world.keeper.is_heard
    world.move_to(OTHER)
    assert not world.keeper.is_heard
    world.answer_all()
    assert world.keeper.is_heard


def test_lease_that_is_let_go() -> None:
    """Nothing more is said of it, and its name and nonce are free."""
    world = started(wish_of())
    world.run_for(1.0)
    world.new()
    world.keeper.let_go(key_of())
    world.keeper.let_go(key_of())
    world.run_for(2.0 * LIFETIME)
    assert world.new_maps() == []
    assert world.new_events(LeaseLost) == []
    assert world.keeper.leases() == ()
    world.want()
    assert len(world.new_maps()) == 1
