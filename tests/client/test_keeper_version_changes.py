"""Routers that speak another protocol than before: how soon it is noticed."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from custom_components.pcp.client.codec import (
    ExternalAddressRequest,
    MapRequest,
    NatPmpMapRequest,
)
from custom_components.pcp.client.events import (
    LeaseRefused,
    ProtocolChanged,
    ServerProtocol,
    ServerReachable,
)
from custom_components.pcp.client.hearsay import Hearsay
from custom_components.pcp.client.mapping import LeaseState
from custom_components.pcp.client.timing import CHECK_INTERVAL
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    EXTERNAL,
    START,
    key_of,
    pcp_version_answer,
    version_answer,
    wish_of,
)

PCP, NAT_PMP = ServerProtocol.PCP, ServerProtocol.NAT_PMP
# RFC 6887 14.1.3: the wait after an announcement; and how long PCP may be silent.
NOTICED_WITHIN = 5.0 + 4.0 + 0.5


def joined(name: str, *, seed: int = 0) -> tuple[World, RouterCore]:
    """Return a world with a router of some kind, an hour old, with three leases."""
    router = RouterCore(PERSONALITIES[name], external_address=EXTERNAL, now=START)
    world = World(router=router, latency=0.02, jitter=Random(seed).random)
    for port in (1, 2, 3):
        world.want(wish_of(port))
    world.run_for(3600.0)
    world.events.clear()
    world.new()
    return world, router


@pytest.mark.parametrize("seed", range(5))
def test_router_that_comes_back_without_pcp(seed: int) -> None:
    """9: its notice, one question, its answer, four seconds: then NAT-PMP is spoken."""
    world, router = joined("rfc", seed=seed)
    router.personality = PERSONALITIES["nat_pmp_only"]
    router.reboot(now=world.now)
    world.run_for(NOTICED_WITHIN)
    assert [type(event) for event in world.events].count(ProtocolChanged) == 1
    assert world.keeper.server_view().protocol is NAT_PMP
    world.run_for(5.0)
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())
    assert len(router.mappings) == 3


def test_announcements_wait_for_a_doubt_that_did_not() -> None:
    """9, 14.1.3: on average one verification in ten seconds, whatever is forged."""
    world = started(wish_of(lifetime=86_400))
    world.run_for(60.0)
    world.new()
    begin = world.now
    for _ in range(1200):
        world.announce(world.announcement(epoch_time=7))
        world.want(wish_of(9))
        world.receive(version_answer())
        world.release(key_of(9))
        world.run_for(0.1)
        for sent in world.new():
            world.receive(world.answer_to(sent.message))
    asked = [sent for sent in world.sent if sent.at > begin and sent.is_check]
    verified = [at for at in world.times_of_maps() if at > begin]
    assert len(asked) + len(verified) <= 120 / 10 + 1
    assert world.keeper.server_view().protocol is PCP


def test_doubt_is_paid_for_by_the_next_announcement() -> None:
    """9, 14.1.3: two questions at once, and then none for twice as long."""
    hearsay = Hearsay(lambda: 0.0)
    hearsay.announcement(repeats=False, now=100.0)
    assert hearsay.take_verification(now=100.0)
    assert hearsay.doubt(now=100.1)
    hearsay.pcp_answer()
    hearsay.announcement(repeats=False, now=101.0)
    assert not hearsay.take_verification(now=119.9)
    assert hearsay.take_verification(now=120.0)


def test_forged_version_answers_only() -> None:
    """9: one verification in ten seconds, and none for nothing between."""
    world = started(wish_of(lifetime=86_400))
    world.run_for(60.0)
    begin = world.now
    for _ in range(300):
        world.want(wish_of(9))
        world.receive(version_answer())
        world.release(key_of(9))
        world.run_for(0.1)
        for sent in world.new():
            world.receive(world.answer_to(sent.message))
    checks = [sent.at for sent in world.sent if sent.is_check and sent.at >= begin]
    assert len(checks) == 3
    assert min(late - early for early, late in pairwise(checks)) >= 10.0


def test_renew_asks_in_pcp_again() -> None:
    """9: the button is a reason to see at once whether a router has learnt PCP."""
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.new()
    world.renew_all()
    messages = [sent.message for sent in world.new()]
    assert [type(message) for message in messages] == [
        NatPmpMapRequest,
        MapRequest,
        ExternalAddressRequest,
    ]
    world.receive(world.answer_to(messages[1]))
    assert world.keeper.server_view().protocol is PCP
    world.run_for(4.0)
    assert isinstance(world.new_maps()[-1], MapRequest)


def test_router_that_was_not_heard_in_pcp() -> None:
    """9, A: with the next check, for that may have got lost: what it speaks is not known."""
    world = World()
    world.wake()
    world.run_for(3.0)
    world.receive(world.nat_pmp_address())
    assert world.keeper.server_view().protocol is NAT_PMP
    world.run_for(1.0)
    world.receive(world.nat_pmp_address())
    world.new()
    world.run_for(CHECK_INTERVAL)
    world.receive(world.answer_to(world.new_probe()))
    assert world.keeper.server_view().protocol is PCP


def test_router_that_is_not_heard_in_pcp_until_it_declines() -> None:
    """9: it is asked every four minutes for so long, and then every half an hour."""
    world = World()
    world.wake()
    world.run_for(3.0)
    world.receive(world.nat_pmp_address())
    asked = []
    for number in range(24):
        world.new()
        world.run_for(CHECK_INTERVAL)
        if any(isinstance(sent.message, MapRequest) for sent in world.new()):
            asked.append(number)
            if number > 2:
                world.receive(version_answer())
        world.receive(world.nat_pmp_address())
    assert asked[:4] == [0, 1, 2, 3]
    assert len(asked) <= 4 + 24 * CHECK_INTERVAL / 1800


def test_renew_of_a_nat_pmp_server() -> None:
    """9: one that declines stays what it is, and reachable."""
    world, _ = joined("nat_pmp_only")
    world.renew_all()
    world.run_for(60.0)
    assert world.new_events(ProtocolChanged) == []
    assert world.keeper.server_view().reachable is True
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())


def test_router_that_comes_back_with_pcp_unnoticed() -> None:
    """9: the check finds that it was restarted: it may have been for new firmware."""
    world, router = joined("nat_pmp_only")
    # It was just asked whether it has learnt PCP.
    world.run_for(180.0)
    router.personality = replace(PERSONALITIES["rfc"], announce_count=0)
    router.reboot(now=world.now)
    world.run_for(CHECK_INTERVAL + 5.0)
    assert world.keeper.server_view().protocol is PCP
    assert len(router.mappings) == 3


@pytest.mark.parametrize("seed", range(3))
def test_router_that_comes_back_with_pcp(seed: int) -> None:
    """9, 14.1.3: the announcement of PCP is a reason to ask in it."""
    world, router = joined("nat_pmp_only", seed=seed)
    router.personality = PERSONALITIES["rfc"]
    router.reboot(now=world.now)
    world.run_for(NOTICED_WITHIN)
    assert world.keeper.server_view().protocol is PCP
    world.run_for(5.0)
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())


@pytest.mark.parametrize(
    ("lifetime", "wait"),
    [(0, 1800.0), (1, 30.0), (600, 600.0), (1800, 1800.0), (0xFFFFFFFF, 1800.0)],
)
@pytest.mark.parametrize("version", [1, 3, 255])
def test_server_of_another_version(version: int, lifetime: int, wait: float) -> None:
    """9: ours is the lowest: tried again after the answer's lifetime, 30 min at most.

    A lifetime of 0 says nothing, and no server is asked twice in 30 s.
    """
    world = World()
    world.want()
    world.new()
    answer = pcp_version_answer(version)
    world.receive(
        type(answer)(opcode=1, result_code=1, version=version, lifetime=lifetime)
    )
    (refused,) = world.new_events(LeaseRefused)
    assert refused.refusal.retry_at == world.now + wait
    world.run_for(wait - 0.5)
    assert world.new() == []
    world.run_for(0.5)
    assert len(world.new_maps()) == 1


@pytest.mark.parametrize("seed", range(4))
def test_deletions_on_a_server_that_does_not_speak_pcp_any_more(seed: int) -> None:
    """9, 8.1.1: its no is no silence after which all is asked anew every few seconds."""
    world, router = joined("rfc", seed=seed)
    router.personality = PERSONALITIES["version_3_only"]
    world.run_for(CHECK_INTERVAL)
    # Who is refused gives up, so that nothing can be verified just then.
    world.want(wish_of(4))
    world.run_for(4.1)
    world.new()
    for port in (1, 2, 3, 4):
        world.release(key_of(port))
    world.run_for(60.0)
    world.new_events(ServerReachable)
    world.run_for(1800.0)
    assert world.new_events(ServerReachable) == []
    # 8.1.1: after 3, 6, 12 s and so on, or a tenth less.
    assert len(world.new_maps()) <= 4 * 11
    router.personality = PERSONALITIES["rfc"]
    world.run_for(CHECK_INTERVAL + 10.0)
    assert router.mappings == ()
