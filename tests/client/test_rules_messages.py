"""Small rules of the RFCs about what is asked, and what in an answer means nothing."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import pairwise

import pytest

from custom_components.pcp.client import wire
from custom_components.pcp.client.codec import (
    MAX_DATAGRAM,
    AnnounceRequest,
    AnnounceResponse,
    Description,
    ExternalAddressRequest,
    Filter,
    MapRequest,
    MapResponse,
    NatPmpMapRequest,
    NatPmpResult,
    Prefix64,
    ThirdParty,
    UnknownOption,
    decode_request,
    decode_response,
    encode,
)
from custom_components.pcp.client.events import LeaseGranted, LeaseRefused
from custom_components.pcp.client.mapping import LeaseState
from custom_components.pcp.link import new_nonce
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    CLIENT,
    CLIENT6,
    OTHER_CLIENT,
    SERVER6,
    START,
    key_of,
    wish_of,
)
from .test_keeper_peer import peer_key, peer_wish

# What no client knows: one to be ignored, one that a server would have to know.
STRANGE_OPTIONS = (
    UnknownOption(code=200, data=b"12345"),
    UnknownOption(code=100, data=bytes(16)),
    UnknownOption(code=1, data=b"too short to be THIRD_PARTY"),
)


def test_fullest_request_leaves_room_for_its_answer() -> None:
    """7.3: all that a forward may ask for fits, and so does an answer with all of it."""
    world = World(server=SERVER6, client=CLIENT6)
    key = key_of(address=IPv6Address("2001:db8::77"))
    networks = tuple(IPv6Network((0x20010DB8 << 96 | i << 64, 64)) for i in range(32))
    world.want(
        wish_of(
            key=key,
            third_party=True,
            allowed_sources=networks,
            description=100 * "Tür ",
        )
    )
    (request,) = world.new_maps()
    kinds = [type(option) for option in request.options]
    assert kinds[0] is ThirdParty
    assert kinds.count(Filter) >= 32
    assert kinds[-1] is Description
    # Beside them there is room for the PORT_SET of a range, and what goes with it.
    assert len(encode(request)) <= MAX_DATAGRAM - 16


def test_options_that_we_do_not_know_in_a_grant() -> None:
    """7.3: they are ignored, those that a server must know and malformed ones, too."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request, options=STRANGE_OPTIONS))
    assert world.state() is LeaseState.GRANTED
    assert world.drops == {}


def test_options_that_we_do_not_know_in_an_announcement() -> None:
    """14.1.1: an announcement may have options, and a lifetime that means nothing."""
    world = started(wish_of(), jitter=0.0)
    world.run_for(60.0)
    world.new()
    world.announce(world.announcement(options=STRANGE_OPTIONS, lifetime=77))
    world.run_for(0.1)
    assert len(world.new_maps()) == 1
    assert world.drops == {}


def test_ipv4_prefix_that_is_none() -> None:
    """RFC 7225 4.3: such a one is passed over, the others and the NAT64 prefix are used."""
    nat64 = bytes.fromhex("0064ff9b0000000000000000")
    entries = bytes.fromhex("0028 c0000200 0018 c0000201 0018 c6336400")
    data = b"\0\x0c" + nat64 + b"\0\x03" + entries
    octets = encode(
        AnnounceResponse(
            result_code=0, epoch_time=1, options=(UnknownOption(code=129, data=data),)
        )
    )
    response = decode_response(octets)
    assert isinstance(response, AnnounceResponse)
    assert response.options == (
        Prefix64(prefix=nat64, ipv4_prefixes=(IPv4Network("198.51.100.0/24"),)),
    )


def test_announce_asks_for_nothing() -> None:
    """14.1.2: the lifetime in ANNOUNCE is zero, and nothing follows the header."""
    octets = wire.announce_request(client_address=CLIENT)
    assert decode_request(octets) == AnnounceRequest(client_address=CLIENT, lifetime=0)
    assert len(octets) == 24


def test_prefer_failure_is_never_asked_for() -> None:
    """13.2: an exact port is checked by ourselves; the option is for other clients."""
    world = started()
    world.want(wish_of(exact=True))
    (request,) = world.new_maps()
    assert request.options == ()


@pytest.mark.parametrize("lifetime", [0, 3600])
def test_own_address_is_no_third_party(lifetime: int) -> None:
    """13.1: the option never names the address that asks, not even one that we got."""
    wish = wish_of(key=key_of(address=OTHER_CLIENT), third_party=True)
    world = started(wish)
    assert world.sent[-1].message.options  # type: ignore[union-attr]
    world.new()
    world.move_to(OTHER_CLIENT)
    if not lifetime:
        world.release(wish.key)
    world.run_for(5.0)
    requests = world.new_maps()
    assert [request.options for request in requests] == [()] * len(requests)
    assert lifetime in {request.lifetime for request in requests}


def test_nonces_cannot_be_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """11.2, RFC 4086: 12 octets from the system's generator, never the same twice."""
    nonces = {new_nonce() for _ in range(1000)}
    assert len(nonces) == 1000
    assert {len(nonce) for nonce in nonces} == {12}
    monkeypatch.setattr("secrets.token_bytes", lambda count: b"x" * count)
    assert new_nonce() == b"x" * 12


def test_flow_is_never_deleted() -> None:
    """12.1: nothing can end it but its lifetime, so nothing is sent about it any more."""
    world = started(peer_wish())
    world.new()
    world.release(peer_key())
    world.run_for(3600.0)
    others = [
        sent.message
        for sent in world.new()
        if not isinstance(sent.message, AnnounceRequest | ExternalAddressRequest)
    ]
    # The question for the external address, which deletes what was never made.
    assert all(
        isinstance(message, MapRequest) and message.internal_port == 9
        for message in others
    )


def test_mapping_on_terms_of_the_server() -> None:
    """15: a server may grant more or less than was asked; its lifetime is what counts."""
    for lifetime in (120, 7200):
        world = started(jitter=0.0)
        world.want()
        (request,) = world.new_maps()
        world.receive(world.success(request, lifetime=lifetime))
        world.run_until(START + lifetime / 2 - 0.01)
        assert world.new_maps() == []
        world.run_until(START + lifetime / 2)
        assert len(world.new_maps()) == 1


def test_no_preference() -> None:
    """11.1: no external port preferred is 0; NAT-PMP servers that refuse that exist."""
    world = started()
    world.want(wish_of(suggested_external_port=0))
    (request,) = world.new_maps()
    assert request.suggested_external_port == 0
    world = started_nat_pmp()
    world.want(wish_of(suggested_external_port=0))
    (request,) = world.new_maps()
    assert request.suggested_external_port == request.internal_port


def test_assigned_address_of_a_stranger_in_an_error() -> None:
    """11.1: an error copies what was suggested; nothing of it is taken for granted."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    strange = IPv4Address("198.51.100.99")
    world.receive(world.error(request, 2, assigned_external_address=strange))
    view = world.lease()
    assert view is not None
    assert view.grant is None
    assert world.keeper.server_view().external_address != strange


def test_every_answer_is_an_answer_of_the_mapping() -> None:
    """6, 8.3: a grant without a request of this life: what is wanted takes it."""
    world = started(wish_of())
    world.run_for(100.0)
    world.events.clear()
    update = MapResponse(
        result_code=0,
        lifetime=1800,
        epoch_time=world.epoch(),
        nonce=wish_of().nonce,
        protocol=6,
        internal_port=8123,
        assigned_external_port=9000,
        assigned_external_address=IPv4Address("203.0.113.5"),
    )
    world.receive(update)
    (event,) = world.new_events(LeaseGranted)
    assert event.grant.assigned_external_port == 9000
    assert event.grant.lifetime == 1800


def test_nat_pmp_result_that_nobody_defined() -> None:
    """RFC 6886 3.5: an unknown result code ends the request, in words and with a hold."""
    world = started_nat_pmp()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.nat_pmp_success(request, result_code=0x42, lifetime=0))
    (event,) = world.new_events(LeaseRefused)
    assert event.refusal.result_code == 0x10042
    world.run_for(1799.0)
    assert world.new_maps() == []


def test_nat_pmp_error_that_tells_an_address() -> None:
    """RFC 6886 3.2: the address in an error is not looked at."""
    world = started_nat_pmp()
    known = world.keeper.server_view().external_address
    world.run_for(240.0)
    world.receive(
        world.nat_pmp_address(
            result_code=NatPmpResult.NETWORK_FAILURE,
            external_address=IPv4Address("198.51.100.99"),
        )
    )
    assert world.keeper.server_view().external_address == known


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.99])
def test_nat_pmp_reboot_that_is_announced(chance: float) -> None:
    """RFC 6886 3.7: first a random wait of up to 5 s, then one mapping after the other."""
    router = RouterCore(
        PERSONALITIES["nat_pmp_only"],
        external_address=IPv4Address("11.22.33.44"),
        now=START,
        epoch_time=50_000,
    )
    router.announcements(now=START)
    world = World(router=router, latency=0.05, jitter=chance)
    for port in range(1, 6):
        world.want(wish_of(port))
    world.run_for(120.0)
    world.new()
    begin = world.now
    router.reboot(now=begin)
    world.run_for(6.0)
    first, *others = world.new()
    assert first.at == pytest.approx(begin + 5.0 * chance)
    maps = [sent.at for sent in others if isinstance(sent.message, NatPmpMapRequest)]
    assert len(maps) == 5
    # Each waits for the answer to the one before.
    assert all(later - at >= 0.05 - 1e-6 for at, later in pairwise([first.at, *maps]))
    assert len(router.mappings) == 5


def test_nat_pmp_suggests_what_was_mapped() -> None:
    """RFC 6886 3.3: a renewal suggests the port that was mapped, not the one wished for."""
    world = started_nat_pmp(jitter=0.0)
    world.want(wish_of(suggested_external_port=80))
    (request,) = world.new_maps()
    world.receive(world.nat_pmp_success(request, assigned_external_port=4711))
    world.run_for(1800.0)
    (renewal,) = world.new_maps()
    assert renewal.suggested_external_port == 4711
