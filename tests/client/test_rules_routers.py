"""Routers with habits of their own: what becomes of a mapping on each of them.

The numbers are those of the table in docs/conformance/routers.md.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from custom_components.pcp.client.codec import (
    NatPmpMapRequest,
    ResultCode,
    encode_nat_pmp,
)
from custom_components.pcp.client.events import (
    ExternalAddressChanged,
    LeaseGranted,
    LeaseLost,
    LeaseRefused,
    LeaseReleased,
    ServerReachable,
)
from custom_components.pcp.client.mapping import (
    LeaseState,
    MappingKey,
    Protocol,
    RefusalReason,
)
from tests.simulated_router import PERSONALITIES, RouterCore, RouterMapping

from .keeper_world import World
from .scripted_server import CLIENT, CLIENT6, LIFETIME, SERVER6, START, key_of, wish_of

PUBLIC = IPv4Address("11.22.33.44")
OTHER_PUBLIC = IPv4Address("55.66.77.88")
HOUR = 3600.0
KEY6 = key_of(address=CLIENT6)


def world_with(name: str, **options: Any) -> World:
    """Return a keeper and a router of some kind that has been up for a while."""
    networks = options.pop("local_networks", ())
    router = RouterCore(
        PERSONALITIES[name],
        external_address=PUBLIC,
        now=START - 5000.0,
        epoch_time=45_000,
        local_networks=networks,
    )
    router.announcements(now=START)
    return World(router=router, latency=0.02, jitter=Random(4).random, **options)


def world6_with(name: str, **options: Any) -> World:
    """Return the same over IPv6."""
    return world_with(name, server=SERVER6, client=CLIENT6, **options)


def router_of(world: World) -> RouterCore:
    """Return the router of a world."""
    assert world.router is not None
    return world.router


def held(world: World) -> list[RouterMapping]:
    """Return what the router has now."""
    router = router_of(world)
    router.tick(now=world.now)
    return list(router.mappings)


def longest_gap(world: World, seconds: float, *, port: int = 8123) -> float:
    """Return for how long the router had no mapping at a stretch, of some time."""
    router = router_of(world)
    gap = longest = 0.0
    for _ in range(int(seconds)):
        world.run_for(1.0)
        router.tick(now=world.now)
        is_there = any(one.internal_port == port for one in router.mappings)
        gap = 0.0 if is_there else gap + 1.0
        longest = max(longest, gap)
    return longest


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("refuses_all", RefusalReason.NOT_AUTHORIZED),
        ("fritzbox_locked", RefusalReason.NOT_AUTHORIZED),
        ("bridged_docker", RefusalReason.ADDRESS_MISMATCH),
        ("wants_authentication", RefusalReason.AUTHENTICATION_REQUIRED),
    ],
)
def test_router_that_refuses(name: str, reason: RefusalReason) -> None:
    """Q1, Q2, Q29: told once each time, asked twice an hour, and never called silent."""
    world = world_with(name)
    world.want()
    world.run_for(6 * HOUR)
    assert world.state() is LeaseState.REFUSED
    refusals = world.new_events(LeaseRefused)
    assert {event.refusal.reason for event in refusals} == {reason}
    assert len(world.new_maps()) == len(refusals) <= 13
    assert ServerReachable(False) not in world.events


def test_router_that_is_permitted_later() -> None:
    """Q2: once the device is permitted in the router, a person need not do more."""
    world = world_with("fritzbox_locked")
    world.want()
    world.run_for(HOUR)
    router_of(world).personality = PERSONALITIES["fritzbox"]
    world.run_for(HOUR / 2)
    assert world.state() is LeaseState.GRANTED


def test_lease_of_thirteen_seconds() -> None:
    """Q2: kept open, with requests that are 4 s apart at least, answered or not."""
    world = world_with("fritzbox")
    world.want()
    assert longest_gap(world, 600.0) <= 1.0
    for _ in range(10):
        world.new_events(LeaseGranted)
        world.run_for(13.0)
        router_of(world).silenced = True
        grant = world.new_events(LeaseGranted)[-1].grant
        world.run_until(grant.expires_at - 0.001)
        times = world.times_of_maps()[-3:]
        assert times[-1] > grant.expires_at - grant.lifetime
        assert all(later - at > 3.999 for at, later in pairwise(times))
        router_of(world).silenced = False
        world.run_for(60.0)


def test_router_without_an_ipv4_address() -> None:
    """Q3: DS-Lite: IPv4 is refused in words, the pinhole is open."""
    world = world_with("ds_lite")
    world.want()
    world.run_for(10.0)
    (event,) = world.new_events(LeaseRefused)
    assert event.refusal.reason is RefusalReason.NETWORK_FAILURE
    world = world6_with("ds_lite")
    world.want(wish_of(key=KEY6))
    world.run_for(10.0)
    assert world.state(KEY6) is LeaseState.GRANTED


def test_pinhole_that_cannot_be_renewed() -> None:
    """Q6: refused renewals; it is open until its end, and made anew soon after it."""
    world = world6_with("opnsense_pf")
    world.want(wish_of(key=KEY6))
    assert longest_gap(world, 4 * HOUR) <= 31.0
    assert len(world.new_events(LeaseLost)) in (3, 4)


@pytest.mark.parametrize("name", ["tomato", "miniupnpd_cleaning"])
def test_mapping_that_goes_before_its_time(name: str) -> None:
    """Q7, Q26: nothing tells it; found at the next renewal, at most 5/8 of the lease."""
    world = world_with(name)
    world.want()
    world.run_for(1.0)
    assert 0 < longest_gap(world, 6 * HOUR) <= LIFETIME * 5 / 8
    assert world.state() is LeaseState.GRANTED


def test_ports_cut_to_eight_bits() -> None:
    """Q8: an answer about another internal port is not for us."""
    world = world_with("nat_pmp_truncating")
    world.want()
    world.run_for(HOUR)
    assert world.state() is not LeaseState.GRANTED
    assert world.drops["mapping"] > 0


def test_router_that_mixes_up_protocols() -> None:
    """Q9: nothing in the answers tells it, so all is as if it were well."""
    world = world_with("openwrt_mixed_up")
    key = key_of(protocol=Protocol.UDP)
    world.want(wish_of(key=key))
    world.run_for(10.0)
    assert world.state(key) is LeaseState.GRANTED
    world.release(key)
    world.run_for(10.0)
    assert world.lease(key) is None


def test_router_that_ignores_our_address() -> None:
    """Q11: a request from outside its LAN is met with silence, and told as that."""
    world = world6_with("rfc", local_networks=[IPv6Network("fd00::/8")])
    world.want(wish_of(key=KEY6))
    world.run_for(60.0)
    assert world.state(KEY6) is LeaseState.REQUESTING
    assert world.new_events(ServerReachable) == [ServerReachable(False)]


def test_router_that_wants_a_port_suggested() -> None:
    """Q15: the wish suggests the internal port unless another one is wished for."""
    world = world_with("mikrotik")
    world.want()
    world.run_for(3 * HOUR)
    assert world.state() is LeaseState.GRANTED
    assert world.new_events(LeaseRefused) == []


@pytest.mark.parametrize("name", ["cgnat", "double_nat"])
def test_router_behind_another(name: str) -> None:
    """Q17: what it grants is kept, and its address is told for others to judge."""
    world = world_with(name)
    world.want()
    world.run_for(10.0)
    assert world.state() is LeaseState.GRANTED
    told = world.keeper.server_view().external_address
    assert told == PERSONALITIES[name].external_address


def test_vpn_gateway() -> None:
    """Q19: 60 s always, ports of its own choice: renewed in time, and all is shown."""
    world = world_with("proton_vpn")
    keys = [key_of(), key_of(protocol=Protocol.UDP)]
    for key in keys:
        world.want(wish_of(key=key))
    world.run_for(10.0)
    world.events.clear()
    assert longest_gap(world, HOUR) == 0.0
    assert world.new_events(LeaseLost) == []
    grants = [view.grant for view in world.keeper.leases()]
    assert [grant and grant.assigned_external_port for grant in grants] == [
        40006,
        40017,
    ]
    assert max(_pauses(world, keys[0])) <= 45.0


def _pauses(world: World, key: MappingKey) -> list[float]:
    times = [
        sent.at
        for sent in world.sent
        if isinstance(sent.message, NatPmpMapRequest)
        and sent.message.protocol == key.protocol
    ]
    return [later - at for at, later in pairwise(times)]


def test_low_port_is_refused() -> None:
    """Q20: that port is refused in words, and others are not held up by it."""
    world = world_with("low_ports_refused")
    world.want(wish_of(80))
    world.want(wish_of(8123))
    world.run_for(10.0)
    assert world.state(key_of(80)) is LeaseState.REFUSED
    assert world.state(key_of(8123)) is LeaseState.GRANTED


def test_address_changes_in_silence() -> None:
    """Q27: no announcement, no new epoch: the next renewal tells the new address."""
    world = world_with("miniupnpd_quiet")
    world.want()
    world.run_for(60.0)
    world.events.clear()
    router_of(world).change_external_address(OTHER_PUBLIC, now=world.now)
    world.run_for(LIFETIME * 5 / 8)
    assert ExternalAddressChanged(PUBLIC, OTHER_PUBLIC) in world.events
    grant = world.new_events(LeaseGranted)[-1].grant
    assert grant.assigned_external_address == OTHER_PUBLIC


def test_address_change_that_is_announced() -> None:
    """Q27: a router that resets its epoch for it is asked for everything at once."""
    world = world_with("miniupnpd_2_3_1")
    world.want()
    world.run_for(60.0)
    world.events.clear()
    router_of(world).change_external_address(OTHER_PUBLIC, now=world.now)
    world.run_for(6.0)
    assert ExternalAddressChanged(PUBLIC, OTHER_PUBLIC) in world.events


def test_mapping_that_another_program_took_over() -> None:
    """Q28: one table for both protocols: taken back at the renewal, and deleted."""
    world = world_with("miniupnpd_2_3_1")
    world.want()
    world.run_for(10.0)
    router = router_of(world)
    stranger = encode_nat_pmp(
        NatPmpMapRequest(
            protocol=6, internal_port=8123, suggested_external_port=8123, lifetime=7200
        )
    )
    router.receive(stranger, (CLIENT, 50_000), now=world.now)
    assert [mapping.nat_pmp for mapping in router.mappings] == [True]
    world.run_for(LIFETIME * 5 / 8)
    assert [mapping.nat_pmp for mapping in router.mappings] == [False]
    world.release()
    world.run_for(5.0)
    assert held(world) == []
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


@pytest.mark.parametrize("name", ["quota", "full_table"])
def test_router_that_is_full(name: str) -> None:
    """7.4: two are granted, the others are told as refused, and asked for seldom."""
    world = world_with(name)
    for port in range(1, 6):
        world.want(wish_of(port))
    world.run_for(HOUR)
    states = [view.state for view in world.keeper.leases()]
    assert states.count(LeaseState.GRANTED) == 2
    assert states.count(LeaseState.REFUSED) == 3
    assert len(world.new_maps()) <= 2 * 2 + 3 * (HOUR / 30.0 + 2)
    world.release(key_of(1))
    world.run_for(60.0)
    states = [view.state for view in world.keeper.leases()]
    assert states.count(LeaseState.GRANTED) == 2


@pytest.mark.parametrize("name", ["endless_leases", "endless_refusal"])
def test_absurd_lifetimes(name: str) -> None:
    """15: whatever a router says, within a day and a bit it is asked again."""
    world = world_with(name)
    world.want()
    world.run_for(10.0)
    before = len(world.times_of_maps())
    world.run_for(86_401.0)
    assert len(world.times_of_maps()) > before


@pytest.mark.parametrize("name", ["no_options", "rfc"])
def test_router_without_options(name: str) -> None:
    """13: without options of ours nothing that a router need not know is asked."""
    world = world_with(name)
    world.want()
    world.run_for(10.0)
    assert world.state() is LeaseState.GRANTED
    options = [option for request in world.new_maps() for option in request.options]
    assert options == []


def test_sources_that_a_router_cannot_filter() -> None:
    """13.3: where FILTER is not known the port is refused, not opened for anyone."""
    world = world_with("no_options")
    world.want(wish_of(allowed_sources=(IPv4Network("198.51.100.0/24"),)))
    world.run_for(10.0)
    (event,) = world.new_events(LeaseRefused)
    assert event.refusal.result_code is ResultCode.UNSUPP_OPTION
    assert held(world) == []
