"""Is it still PCP? What makes us doubt it, who is believed, and what a forger reaches."""

import pytest

from custom_components.pcp.client.codec import (
    ExternalAddressRequest,
    MapRequest,
    NatPmpMapRequest,
)
from custom_components.pcp.client.events import ProtocolChanged, ServerProtocol
from custom_components.pcp.client.mapping import LeaseState
from custom_components.pcp.client.timing import CHECK_INTERVAL
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started
from .scripted_server import (
    CLIENT6,
    EXTERNAL,
    LIFETIME,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    SERVER6,
    START,
    key_of,
    pcp_version_answer,
    version_answer,
    wish_of,
)

PCP, NAT_PMP = ServerProtocol.PCP, ServerProtocol.NAT_PMP


def protocol(world: World) -> ServerProtocol | None:
    """Return the protocol as the keeper knows it."""
    return world.keeper.server_view().protocol


def doubting() -> World:
    """Return a world in which a version answer has just come, a minute after the start."""
    world = started(wish_of())
    world.run_for(60.0)
    world.renew_all()
    world.receive(world.answer_to(world.sent[-1].message))
    world.run_for(0.1)
    world.new()
    world.events.clear()
    world.receive(version_answer())
    return world


def downgrade(world: World) -> None:
    """Let a server that has spoken PCP answer in NAT-PMP for good."""
    world.run_for(60.0)
    world.want(wish_of(7))
    world.receive(version_answer())
    world.run_for(3.0)
    world.receive(world.nat_pmp_address())
    world.run_for(1.0)
    assert protocol(world) is NAT_PMP


def test_downgrade_is_verified() -> None:
    """9: a server that has spoken PCP is asked again: in PCP, then in NAT-PMP, too.

    It is taken to speak NAT-PMP when that is answered, and PCP is not.
    """
    world = doubting()
    begin = world.now
    (check,) = world.new()
    assert isinstance(check.message, MapRequest)
    world.receive(version_answer())
    world.run_until(begin + 3.0)
    kinds = [type(sent.message) for sent in world.new() if sent.is_check]
    assert kinds == [MapRequest, ExternalAddressRequest]
    world.receive(version_answer())
    world.receive(world.nat_pmp_address())
    world.run_until(begin + 3.999)
    assert protocol(world) is PCP
    world.new()
    world.run_until(begin + 4.0)
    assert protocol(world) is NAT_PMP
    assert world.events == [ProtocolChanged(NAT_PMP)]
    assert {type(sent.message) for sent in world.new()} == {
        NatPmpMapRequest,
        MapRequest,
        ExternalAddressRequest,
    }


def test_answer_in_nat_pmp_after_a_loss() -> None:
    """9: an answer to the last repetition tells as much, and is waited for no longer."""
    world = doubting()
    world.run_for(9.0)
    world.receive(world.nat_pmp_address())
    assert protocol(world) is NAT_PMP


def test_version_answers_are_no_proof() -> None:
    """9: however many there are; who speaks NAT-PMP can be heard to."""
    world = doubting()
    for _ in range(200):
        world.receive(version_answer())
        world.run_for(1.0)
    assert protocol(world) is PCP
    assert world.new_events(ProtocolChanged) == []


def test_nat_pmp_answers_without_a_doubt() -> None:
    """9: an answer that comes long after the doubt is a reason for another, and no more."""
    world = doubting()
    world.run_for(12.0)
    world.receive(world.nat_pmp_address(external_address=OTHER_EXTERNAL))
    assert protocol(world) is PCP
    assert world.keeper.server_view().external_address == EXTERNAL
    assert world.drops == {}


def test_nat_pmp_answer_that_was_not_asked_for() -> None:
    """8.3: PCP alone is asked for at first: a server that answers in it costs no more."""
    world = doubting()
    world.receive(world.nat_pmp_address())
    world.run_for(20.0)
    assert protocol(world) is PCP
    assert world.drops == {"unasked": 1}


@pytest.mark.parametrize("seconds", [0.01, 3.9])
def test_downgrade_is_called_off(seconds: float) -> None:
    """9: one answer in PCP within the four seconds, and the server is PCP's."""
    world = started(wish_of())
    world.run_for(60.0)
    world.renew_all()
    request = world.new_maps()[0]
    world.receive(version_answer())
    world.run_for(seconds)
    world.receive(world.nat_pmp_address())
    world.receive(world.success(request))
    world.run_for(60.0)
    assert protocol(world) is PCP
    assert world.state() is LeaseState.GRANTED


def test_flood_of_forged_version_answers() -> None:
    """However many come: one verification in ten seconds, and PCP stays."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=EXTERNAL, now=0.0)
    world = World(router=router, latency=0.05)
    world.want(wish_of(lifetime=86_400))
    world.run_for(300.0)
    world.new()
    for _ in range(600):
        world.want(wish_of(9))
        world.release(key_of(9))
        world.receive(version_answer())
        world.receive(world.nat_pmp_address())
        world.run_for(0.1)
    checks = [sent for sent in world.new() if sent.is_check]
    assert len(checks) <= 60.0 / 10.0 + 1
    assert protocol(world) is PCP
    assert world.state() is LeaseState.GRANTED


def test_doubt_right_after_a_verification() -> None:
    """9: a version answer to our own question is not put off for an announcement's sake."""
    world = started(wish_of())
    world.run_for(60.0)
    world.announce()
    world.run_for(2.5)
    world.receive(world.answer_to(world.new()[-1].message))
    world.run_for(4.0)
    world.want(wish_of(2))
    world.new()
    world.receive(version_answer())
    assert world.new_probe().lifetime == 0
    world.run_for(3.0)
    world.receive(world.nat_pmp_address())
    world.run_for(1.0)
    assert protocol(world) is NAT_PMP


# Versions of PCP to come.


def test_change_to_a_version_to_come_is_verified() -> None:
    """9: a forged version answer does not hold up a server that speaks PCP."""
    world = started(wish_of())
    world.want(wish_of(2))
    request = world.new_maps()[-1]
    world.receive(pcp_version_answer(3))
    world.receive(pcp_version_answer(3))
    world.run_for(3.0)
    assert world.state(key_of(2)) is LeaseState.REQUESTING
    world.receive(world.success(request))
    world.run_for(10.0)
    assert world.state(key_of(2)) is LeaseState.GRANTED


def test_one_version_to_come_is_no_proof() -> None:
    """9: without a second word nothing happens, though PCP is silent for a while."""
    world = started(wish_of())
    world.want(wish_of(2))
    world.receive(pcp_version_answer(3))
    world.run_for(20.0)
    assert world.state(key_of(2)) is LeaseState.REQUESTING


@pytest.mark.parametrize(
    ("server", "client", "answer"),
    [
        (None, None, pcp_version_answer(3)),
        (SERVER6, CLIENT6, version_answer()),
    ],
)
def test_change_to_a_version_to_come(
    server: object, client: object, answer: object
) -> None:
    """9: when PCP of our version stays silent, it is believed, but not for long.

    A silent server cannot deny it; it stays one of PCP, and is asked again.
    """
    options = {"server": server, "client": client} if server else {}
    key = key_of(2, address=client) if client else key_of(2)  # type: ignore[arg-type]
    first = key_of(address=client) if client else key_of()  # type: ignore[arg-type]
    world = started(wish_of(key=first), **options)
    world.want(wish_of(key=key))
    world.receive(answer)  # type: ignore[arg-type]
    world.run_for(1.0)
    world.receive(answer)  # type: ignore[arg-type]
    world.run_for(4.0)
    assert world.state(key) is LeaseState.REFUSED
    assert world.state(first) is LeaseState.GRANTED
    assert protocol(world) is PCP
    world.new()
    world.run_for(235.0)
    assert world.new() == []
    world.run_for(5.0)
    (request,) = world.new_maps()
    world.receive(world.success(request))
    assert world.state(key) is LeaseState.GRANTED


def test_silent_router_that_seems_to_be_of_a_version_to_come() -> None:
    """9: who goes on saying so makes it seem to be there; its own answer ends that."""
    world = started(wish_of())
    world.want(wish_of(2))
    for _ in range(6):
        world.receive(pcp_version_answer(3))
        world.run_for(1.0)
    assert world.state(key_of(2)) is LeaseState.REFUSED
    world.release(key_of(2))
    for _ in range(1200):
        world.run_for(1.0)
        world.receive(pcp_version_answer(3))
    assert world.keeper.server_view().reachable is True
    assert world.state() is LeaseState.GRANTED
    world.new()
    world.run_for(CHECK_INTERVAL)
    world.answer_all()
    assert world.lease(key_of(2)) is None


def test_answer_in_pcp_ends_what_a_version_answer_began() -> None:
    """9: what was refused because of it is asked for at once."""
    world = started(wish_of())
    world.want(wish_of(2))
    world.receive(pcp_version_answer(3))
    world.receive(pcp_version_answer(3))
    world.run_for(4.0)
    assert world.state(key_of(2)) is LeaseState.REFUSED
    world.want(wish_of(1))
    (request,) = [it for it in world.new_maps() if it.internal_port == 1]
    world.receive(world.success(request))
    assert [it.internal_port for it in world.new_maps()] == [2]


# What was made in PCP.


def test_third_party_that_was_made_in_pcp() -> None:
    """What NAT-PMP cannot delete ends by itself, and is shown until then."""
    key = key_of(address=OTHER_CLIENT)
    world = started(wish_of(key=key, third_party=True))
    downgrade(world)
    world.new()
    world.release(key)
    assert world.new_maps() == []
    assert world.state(key) is LeaseState.RELEASING
    world.run_until(START + LIFETIME)
    assert world.lease(key) is None
