"""A router that is silent cannot deny what is said in its name: how long that counts."""

from ipaddress import IPv4Network
from itertools import pairwise
from random import Random

import pytest

from custom_components.pcp.client.codec import ExternalAddressRequest, MapRequest
from custom_components.pcp.client.events import (
    ServerProtocol,
    ServerReachable,
    ServerRestarted,
)
from custom_components.pcp.client.mapping import LeaseState
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    EXTERNAL,
    START,
    pcp_version_answer,
    version_answer,
    wish_of,
)

PCP, NAT_PMP = ServerProtocol.PCP, ServerProtocol.NAT_PMP
# How long a forger works on a router that restarts, seconds.
OUTAGE = 60.0


def protocol(world: World) -> ServerProtocol | None:
    """Return the protocol as the keeper knows it."""
    return world.keeper.server_view().protocol


def attacked(router: RouterCore) -> World:
    """Return a world whose router restarts while somebody says that it speaks NAT-PMP."""
    world = World(router=router, latency=0.02, jitter=Random(4).random)
    world.want(wish_of(1))
    world.want(wish_of(2, allowed_sources=(IPv4Network("198.51.100.0/24"),)))
    world.run_for(3600.0)
    world.events.clear()
    router.silenced = True
    world.want(wish_of(3))
    for _ in range(int(OUTAGE / 0.25)):
        world.receive(version_answer())
        world.receive(world.nat_pmp_address(epoch_time=0))
        world.run_for(0.25)
    return world


def open_ports(router: RouterCore) -> set[int]:
    """Return the internal ports that the router has opened."""
    return {mapping.internal_port for mapping in router.mappings}


@pytest.mark.parametrize("is_heard", [True, False])
@pytest.mark.parametrize("name", ["rfc", "miniupnpd_2_3_1", "miniupnpd_uptime"])
def test_forged_downgrade_of_a_silent_router(name: str, *, is_heard: bool) -> None:
    """9: it ends with the first word of the router, and everything is open again."""
    router = RouterCore(
        PERSONALITIES[name],
        external_address=type(EXTERNAL)("11.22.33.44"),
        now=START,
        epoch_time=50_000,
    )
    world = attacked(router)
    assert protocol(world) is NAT_PMP
    router.reboot(now=world.now)
    if not is_heard:
        router._announce_at.clear()
        router._notices_at.clear()
    router.silenced = False
    world.run_for(10.0 if is_heard else 300.0)
    assert protocol(world) is PCP
    assert open_ports(router) == {1, 2, 3}
    assert all(lease.state is LeaseState.GRANTED for lease in world.keeper.leases())


def test_wrong_downgrade_ends_with_the_next_check() -> None:
    """9: also when the router was never silent for us: four minutes, not thirty."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=EXTERNAL, now=START)
    world = World(router=router, latency=0.02)
    for port in range(1, 20):
        world.want(wish_of(port, lifetime=120))
    world.run_for(3600.0)
    world.loses = lambda: True
    world.want(wish_of(99))
    world.receive(version_answer())
    world.run_for(3.5)
    world.receive(world.nat_pmp_address())
    world.run_for(1.0)
    assert protocol(world) is NAT_PMP
    world.loses = lambda: False
    world.run_for(240.0)
    assert protocol(world) is PCP


def test_doubts_of_a_silent_router_are_few() -> None:
    """9: one in ten seconds, and what is asked for at most a thousand times an hour."""
    world = started(wish_of(lifetime=86_400))
    world.run_for(300.0)
    world.new()
    world.want(wish_of(2))
    for _ in range(3600):
        world.receive(version_answer())
        world.run_for(1.0)
    probes = [sent for sent in world.new() if isinstance(sent.message, MapRequest)]
    doubts = {sent.message.nonce for sent in probes if sent.is_check}  # type: ignore[union-attr]
    assert 200 < len(doubts) <= 360
    assert len(probes) <= 1200


@pytest.mark.parametrize("version", [0, 3])
def test_forged_version_before_the_first_answer(version: int) -> None:
    """9: a router that is silent when we start is asked in both when it is heard."""
    router = RouterCore(
        PERSONALITIES["miniupnpd_2_3_1"],
        external_address=type(EXTERNAL)("11.22.33.44"),
        now=START,
    )
    router.silenced = True
    world = World(router=router, latency=0.02)
    world.want(wish_of(1))
    world.receive(version_answer() if version == 0 else pcp_version_answer(version))
    world.run_for(600.0)
    router.reboot(now=world.now)
    router.silenced = False
    world.run_for(10.0)
    assert protocol(world) is PCP
    assert open_ports(router) == {1}


def test_nat_pmp_server_is_asked_in_pcp_when_it_is_heard_again() -> None:
    """9: it may be another one by now."""
    world = started_nat_pmp(wish_of(lifetime=86_400))
    world.run_for(300.0)
    assert world.keeper.server_view().reachable is False
    world.new()
    world.receive(world.nat_pmp_address())
    kinds = [type(sent.message) for sent in world.new() if sent.is_check]
    assert kinds == [MapRequest, ExternalAddressRequest]
    world.receive(world.nat_pmp_address())
    world.run_for(239.0)
    assert not [sent for sent in world.new() if sent.is_check]


def test_busy_nat_pmp_server_is_asked_in_pcp() -> None:
    """9: answers to others put the cheap question off, but not the one about PCP."""
    router = RouterCore(
        PERSONALITIES["nat_pmp_only"], external_address=EXTERNAL, now=START
    )
    world = World(router=router, latency=0.02, jitter=Random(2).random)
    for port in range(1, 21):
        world.want(wish_of(port, lifetime=600))
    world.run_for(4 * 3600.0)
    probes = [sent.at for sent in world.sent if isinstance(sent.message, MapRequest)]
    later = [at for at in probes if at > START + 60.0]
    assert len(later) >= 7
    assert max(late - early for early, late in pairwise(later)) <= 1801.0


def test_upgrade_cannot_be_forged() -> None:
    """9: what says that PCP is spoken has a nonce, or is verified."""
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.renew_all()
    world.receive(world.announcement())
    world.receive(world.announcement(epoch_time=0))
    assert protocol(world) is NAT_PMP


def test_answer_in_pcp_that_is_overtaken() -> None:
    """9: asked in both, the one in PCP counts, whichever comes first."""
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.renew_all()
    probe = world.new_probe()
    world.receive(world.nat_pmp_address())
    world.receive(world.answer_to(probe))
    assert protocol(world) is PCP


def test_forged_answers_to_the_cheap_question() -> None:
    """14.1: ANNOUNCE has no nonce: they can only make it seem that somebody is there.

    For as long as the forger goes on; nothing else comes of it. When the router is
    back its own answer, too late for the question, shows that it has lost its state.
    """
    world = started(*(wish_of(port, lifetime=86_400) for port in (1, 2, 3)))
    world.run_for(300.0)
    world.new()
    world.new_events(ServerReachable)
    before = world.keeper.leases()
    for _ in range(3600):
        world.receive(world.announcement())
        world.run_for(1.0)
    assert world.new_events(ServerReachable) == [ServerReachable(True)]
    assert world.keeper.server_view().external_address == EXTERNAL
    assert world.keeper.leases() == before
    assert len(world.new()) <= 16 * 4
    world.reboot()
    world.receive(world.announcement())
    world.run_for(5.0)
    world.answer_all()
    assert len(world.new_events(ServerRestarted)) == 1
