"""Datagrams that are not what they seem: nothing changes, and they are counted."""

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.pcp.client.codec import (
    MapRequest,
    MapResponse,
    PeerResponse,
    ResultCode,
    ThirdParty,
    encode,
)
from custom_components.pcp.client.events import LeaseGranted, ServerRestarted
from custom_components.pcp.client.mapping import LeaseState

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    CLIENT,
    CLIENT6,
    EXTERNAL,
    LIFETIME,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    key_of,
    wish_of,
)


def granted_answer(world: World) -> MapResponse:
    """Return the answer that granted the last lease, as it would come now."""
    request = world.sent[-1].message
    assert isinstance(request, MapRequest)
    return world.success(request)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nonce": bytes(12)}, "nonce"),
        ({"protocol": 17}, "mapping"),
        ({"internal_port": 8124}, "mapping"),
        ({"assigned_external_address": CLIENT6}, "address"),
        ({"version": 1}, "version"),
        ({"version": 3}, "version"),
    ],
)
def test_answers_that_match_nothing(changes: dict[str, Any], reason: str) -> None:
    """11.4: nonce, protocol and internal port are compared; the epoch is not looked at."""
    world = started(wish_of())
    before = world.lease(), world.keeper.server_view().epoch_time
    answer = replace(
        granted_answer(world), epoch_time=1, assigned_external_port=1, **changes
    )
    world.receive(answer)
    assert (world.lease(), world.keeper.server_view().epoch_time) == before
    assert world.drops == {reason: 1}
    assert world.new_maps() == []
    assert world.new_events(ServerRestarted) == []


@pytest.mark.parametrize("result_code", [ResultCode.SUCCESS, ResultCode.NO_RESOURCES])
@pytest.mark.parametrize("third_party", [True, False])
def test_answer_for_another_host(*, third_party: bool, result_code: ResultCode) -> None:
    """11.4, 13.1: THIRD_PARTY in an answer is the internal address, and compared."""
    world = started()
    address = OTHER_CLIENT if third_party else CLIENT
    key = key_of(address=address)
    world.want(wish_of(key=key, third_party=third_party))
    (request,) = world.new_maps()
    other = ThirdParty(internal_address=CLIENT if third_party else OTHER_CLIENT)
    answer = world.success(request, result_code=result_code, options=(other,))
    world.receive(answer)
    assert world.state(key) is LeaseState.REQUESTING
    assert world.drops == {"mapping": 1}
    same = ThirdParty(internal_address=address)
    world.receive(world.success(request, options=(same,)))
    assert world.state(key) is LeaseState.GRANTED


def test_answer_without_third_party() -> None:
    """13.1: some servers do not return it; the nonce tells which mapping is meant."""
    world = started()
    key = key_of(address=OTHER_CLIENT)
    world.want(wish_of(key=key, third_party=True))
    (request,) = world.new_maps()
    world.receive(world.success(request, options=()))
    assert world.state(key) is LeaseState.GRANTED


def test_late_grant_for_another_host() -> None:
    """11.4, 13.1: what ended is not given back for an answer that names another host."""
    world = started(wish_of())
    answer = granted_answer(world)
    world.release()
    world.answer_all()
    other = ThirdParty(internal_address=OTHER_CLIENT)
    world.receive(replace(answer, options=(other,)))
    assert world.keeper.leases() == ()
    world.receive(answer)
    assert len(world.keeper.leases()) == 1


def test_mapping_update() -> None:
    """14.2: an answer that nobody asked for is believed when its nonce is right."""
    world = started(wish_of())
    world.run_for(600.0)
    world.answer_all()
    world.new_events(LeaseGranted)
    for _ in range(3):
        world.receive(
            world.success(
                wish_request(),
                lifetime=3000,
                assigned_external_port=40000,
                assigned_external_address=OTHER_EXTERNAL,
            )
        )
        world.run_for(0.5)
    (granted,) = world.new_events(LeaseGranted)
    assert granted.grant.assigned_external_port == 40000
    assert granted.grant.lifetime == 3000
    assert granted.previous is not None
    assert world.new_maps() == []


def wish_request() -> MapRequest:
    """Return the request for the usual mapping."""
    wish = wish_of()
    return MapRequest(
        client_address=EXTERNAL,
        lifetime=LIFETIME,
        nonce=wish.nonce,
        protocol=6,
        internal_port=8123,
        suggested_external_port=8123,
        suggested_external_address=EXTERNAL,
    )


def test_error_with_a_strange_address() -> None:
    """8.3: in an error the address means nothing, so it is no reason to drop it."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(
        world.error(
            request, ResultCode.NOT_AUTHORIZED, assigned_external_address=CLIENT6
        )
    )
    assert world.state() is LeaseState.REFUSED


def test_answer_to_another_opcode() -> None:
    """8.3, 12.4: an answer to PEER is none to MAP, whatever its nonce."""
    world = started(wish_of())
    world.receive(
        PeerResponse(
            result_code=0,
            lifetime=60,
            epoch_time=0,
            nonce=wish_of().nonce,
            protocol=6,
            internal_port=8123,
            assigned_external_port=1,
            assigned_external_address=EXTERNAL,
            remote_port=1,
            remote_address=EXTERNAL,
        )
    )
    assert world.drops == {"mapping": 1}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "length"),
        (b"\x02\x81\x00", "length"),
        (b"\x02\x01\x00\x00" + bytes(56), "response_bit"),
        (b"\x02\x81\x00\x00" + bytes(55), "length"),
        (b"\x02\x81\x00\x00" + bytes(1100), "length"),
        (b"\x02\xe0\x00\x00" + bytes(20), "opcode"),
        (b"\x00\x85\x00\x00" + bytes(8), "opcode"),
    ],
)
def test_garbage(data: bytes, reason: str) -> None:
    """8.3: what is no answer is dropped, and counted by reason."""
    world = started(wish_of())
    before = world.lease()
    world.receive(data)
    assert world.lease() == before
    assert world.drops == {reason: 1}


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=128)
    | st.binary(min_size=56, max_size=56).map(b"\x02\x81\0\0".__add__)
)
def test_any_octets(data: bytes) -> None:
    """Whatever arrives: no exception, and no lease is another one than before."""
    for world in (started(wish_of()), started_nat_pmp(wish_of())):
        before = world.lease()
        world.receive(data)
        world.announce(data)
        world.run_for(1.0)
        assert world.lease() == before


def test_mutated_answers() -> None:
    """One octet changed in a right answer: no exception, and no other mapping touched."""
    random = Random(10)
    for _ in range(300):
        world = started(wish_of(1))
        world.want(wish_of(2))
        (request,) = world.new_maps()
        data = bytearray(encode(world.success(request)))
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        before = world.lease(key_of(1))
        world.receive(bytes(data))
        after = world.lease(key_of(1))
        assert before is not None
        assert after is not None
        if not world.new_events(ServerRestarted):
            assert after == before
        world.receive(world.success(request))
        assert world.state(key_of(2)) in {LeaseState.GRANTED, LeaseState.REFUSED}


def test_answers_without_a_way() -> None:
    """16.4: without an address of our own there is nothing that was asked."""
    world = started(wish_of())
    answer = granted_answer(world)
    world.move_to(None)
    world.receive(answer)
    assert world.drops == {"unasked": 1}
