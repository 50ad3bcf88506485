"""A router that comes back without PCP, and does not even say so. RFC 6887 appendix A."""

from dataclasses import replace
from random import Random

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    ExternalAddressRequest,
    MapRequest,
)
from custom_components.pcp.client.events import ProtocolChanged, ServerProtocol
from custom_components.pcp.client.mapping import LeaseState
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started
from .scripted_server import CLIENT6, EXTERNAL, SERVER6, START, key_of, wish_of

PCP, NAT_PMP = ServerProtocol.PCP, ServerProtocol.NAT_PMP
DEAF = replace(PERSONALITIES["nat_pmp_only"], ignores_pcp=True)
WAN = type(EXTERNAL)("11.22.33.44")


def protocol(world: World) -> ServerProtocol | None:
    """Return the protocol as the keeper knows it."""
    return world.keeper.server_view().protocol


def joined(name: str = "rfc", *, seed: int = 0) -> tuple[World, RouterCore]:
    """Return a world with a router of some kind, an hour old, with three leases."""
    router = RouterCore(PERSONALITIES[name], external_address=WAN, now=START)
    world = World(router=router, latency=0.02, jitter=Random(seed).random)
    for port in (1, 2, 3):
        world.want(wish_of(port, lifetime=86_400))
    world.run_for(3600.0)
    world.events.clear()
    world.new()
    return world, router


def silent() -> World:
    """Return a world whose server is silent, which was asked in both protocols."""
    world = started(wish_of(lifetime=86_400))
    world.run_for(250.0)
    assert world.keeper.server_view().reachable is False
    kinds = [type(sent.message) for sent in world.sent[-4:]]
    # The first two are alone: it is called silent after four seconds.
    assert kinds == [AnnounceRequest, MapRequest, MapRequest, ExternalAddressRequest]
    world.new()
    world.new_events(ProtocolChanged)
    return world


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("is_heard", [True, False])
def test_router_that_comes_back_deaf_to_pcp(seed: int, *, is_heard: bool) -> None:
    """9: promise 2: all is open within five minutes, whether it was announced or not."""
    world, router = joined(seed=seed)
    router.personality = DEAF
    router.reboot(now=world.now)
    if not is_heard:
        router._announce_at.clear()
        router._notices_at.clear()
    world.run_for(300.0)
    assert [type(event) for event in world.events].count(ProtocolChanged) == 1
    assert protocol(world) is NAT_PMP
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())
    assert len(router.mappings) == 3


def test_router_that_learns_pcp_again() -> None:
    """9: it is asked in PCP every four minutes, as after any change from PCP."""
    world, router = joined()
    router.personality = DEAF
    router.reboot(now=world.now)
    world.run_for(300.0)
    router.personality = PERSONALITIES["rfc"]
    world.run_for(250.0)
    assert protocol(world) is PCP
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())


def test_one_that_answers_is_not_asked_in_nat_pmp() -> None:
    """9: nobody is there to be heard in it, and no request is wasted."""
    world, _ = joined("miniupnpd_2_3_1")
    world.run_for(86_400.0)
    assert not [
        it for it in world.sent if isinstance(it.message, ExternalAddressRequest)
    ]


def test_no_nat_pmp_over_ipv6() -> None:
    """RFC 6886 is of IPv4."""
    key = key_of(address=CLIENT6)
    world = started(wish_of(key=key, lifetime=86_400), server=SERVER6, client=CLIENT6)
    world.run_for(1000.0)
    assert world.keeper.server_view().reachable is False
    assert not [
        it for it in world.sent if isinstance(it.message, ExternalAddressRequest)
    ]


def test_silence_is_verified() -> None:
    """9: an answer in NAT-PMP is a reason to ask afresh: in PCP, then in both."""
    world = silent()
    begin = world.now
    world.receive(world.nat_pmp_address())
    (probe,) = world.new()
    assert isinstance(probe.message, MapRequest)
    assert protocol(world) is PCP
    world.run_for(4.0)
    world.receive(world.nat_pmp_address())
    world.run_for(4.0)
    assert protocol(world) is PCP
    world.run_until(begin + 10.0)
    world.receive(world.nat_pmp_address())
    assert protocol(world) is NAT_PMP


@pytest.mark.parametrize("seconds", [0.1, 3.5, 9.9])
def test_answer_in_pcp_ends_it(seconds: float) -> None:
    """9: whatever else is heard, a server that answers in PCP speaks it."""
    world = silent()
    world.receive(world.nat_pmp_address())
    probe = world.new_probe()
    world.run_for(seconds)
    world.receive(world.nat_pmp_address())
    world.receive(world.answer_to(probe))
    world.receive(world.nat_pmp_address())
    world.run_for(20.0)
    assert protocol(world) is PCP
    assert world.new_events(ProtocolChanged) == []


def test_forged_answers_to_a_silent_server_are_few_questions() -> None:
    """9: one doubt in ten seconds, whatever comes."""
    world = silent()
    world.release()
    world.new()
    nonces: set[bytes] = set()
    for _ in range(1200):
        world.announce(world.announcement(epoch_time=7))
        asked = world.new()
        if asked and isinstance(asked[-1].message, ExternalAddressRequest):
            world.receive(world.nat_pmp_address())
        # Who asks because of that is answered, and then nobody is there again.
        for sent in [*asked, *(doubts := world.new())]:
            if isinstance(sent.message, MapRequest):
                nonces.add(sent.message.nonce)
        for sent in doubts:
            world.receive(world.answer_to(sent.message))
            world.refuse_connection()
        world.run_for(0.1)
    assert 8 < len(nonces) <= 120 / 10 + 1
    assert protocol(world) is PCP


@pytest.mark.parametrize("seed", range(3))
def test_loss_is_no_deafness(seed: int) -> None:
    """9: of three questions in ten that are lost none makes it another protocol."""
    world, _ = joined("miniupnpd_2_3_1", seed=seed)
    random = Random(seed)
    world.loses = lambda: random.random() < 0.3 / 2
    world.run_for(86_400.0)
    assert world.new_events(ProtocolChanged) == []
