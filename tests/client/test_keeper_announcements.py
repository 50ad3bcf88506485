"""Announcements: what is done about them, and what a forger can reach."""

from ipaddress import IPv4Address, IPv6Address
from random import Random

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    ExternalAddressRequest,
    MapRequest,
    ResultCode,
)
from custom_components.pcp.client.events import LeaseLost, ServerRestarted
from custom_components.pcp.client.mapping import LeaseState
from custom_components.pcp.client.timing import ANNOUNCE_WAIT
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    CLIENT6,
    EXTERNAL,
    OTHER_EXTERNAL,
    SERVER,
    SERVER6,
    START,
    wish_of,
)


def settled(*ports: int, jitter: float = 0.5) -> World:
    """Return a world with granted leases, a minute old."""
    wishes = (wish_of(port, lifetime=86_400) for port in ports or (1, 2, 3))
    world = started(*wishes, jitter=jitter)
    world.run_for(60.0)
    world.new()
    world.events.clear()
    return world


def test_wait() -> None:
    """14.1.3: the reaction comes after a random wait of at most 5 s."""
    world = settled(jitter=0.5)
    begin = world.now
    world.announce()
    assert world.new() == []
    assert world.keeper.next_wakeup() == begin + 2.5
    world.run_for(2.5)
    assert len(world.new_maps()) == 1


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.0), (0.999, 4.995)])
def test_bounds_of_the_wait(jitter: float, wait: float) -> None:
    """14.1.3: between 0 and 5 s."""
    world = settled(jitter=jitter)
    begin = world.now
    world.announce()
    assert world.keeper.next_wakeup() == pytest.approx(begin + wait)


def test_restart() -> None:
    """14.1.3: one request shows the loss, then everything is made again."""
    world = settled()
    world.reboot()
    world.announce()
    world.run_for(5.0)
    (first,) = world.new_maps()
    assert world.events == []
    world.receive(world.success(first))
    assert len(world.new_events(ServerRestarted)) == 1
    assert [request.internal_port for request in world.new_maps()] == [2, 3]


def test_restart_that_does_not_show() -> None:
    """A router that counts on from its uptime: every announcement renews everything."""
    world = settled()
    world.announce()
    world.run_for(5.0)
    (first,) = world.new_maps()
    world.receive(world.success(first))
    assert [request.internal_port for request in world.new_maps()] == [2, 3]
    assert world.new_events(LeaseLost) == []


def test_router_with_uptime_as_epoch() -> None:
    """Miniupnpd with system_uptime=yes loses all mappings, and they come back."""
    router = RouterCore(
        PERSONALITIES["miniupnpd_uptime"],
        external_address=IPv4Address("11.22.33.44"),
        now=START,
        epoch_time=80_000,
    )
    world = World(router=router, latency=0.02, jitter=Random(5).random)
    for port in range(1, 31):
        world.want(wish_of(port, lifetime=86_400))
    world.run_for(3600.0)
    assert len(router.mappings) == 30
    router.reboot(now=world.now)
    assert len(router.mappings) == 0
    world.run_for(7.0)
    assert len(router.mappings) == 30


def test_strict_router_announces_ten_times() -> None:
    """14.1.3: repetitions of an announcement that was seen to cost nothing."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=EXTERNAL, now=START)
    world = World(router=router, latency=0.02, jitter=Random(6).random)
    for port in range(1, 31):
        world.want(wish_of(port, lifetime=86_400))
    world.run_for(3600.0)
    world.new()
    router.reboot(now=world.now)
    world.run_for(200.0)
    assert len(router.mappings) == 30
    assert len(world.new_maps()) == 30


def test_second_restart_during_the_repetitions() -> None:
    """14.1.3: another reset is not taken for a repetition."""
    router = RouterCore(PERSONALITIES["rfc"], external_address=EXTERNAL, now=START)
    world = World(router=router, latency=0.02)
    for port in range(1, 6):
        world.want(wish_of(port, lifetime=86_400))
    world.run_for(3600.0)
    router.reboot(now=world.now)
    world.run_for(40.0)
    router.reboot(now=world.now)
    world.run_for(15.0)
    assert len(router.mappings) == 5


@pytest.mark.parametrize("gap", [0.3, 0.6, 0.9, 1.5, 2.0, 2.5, 2.9, 4.0])
@pytest.mark.parametrize("wait", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("personality", ["rfc", "miniupnpd_2_3_1"])
def test_second_restart_within_seconds(
    personality: str, wait: float, gap: float
) -> None:
    """14.1.3: nor one whose epoch 8.5 would let pass, for a daemon restarts fast."""
    router = RouterCore(
        PERSONALITIES[personality],
        external_address=IPv4Address("78.47.11.5"),
        now=START,
    )
    world = World(router=router, latency=0.02, jitter=wait / ANNOUNCE_WAIT)
    for port in range(1, 6):
        world.want(wish_of(port, lifetime=86_400))
    world.run_for(3600.0)
    router.reboot(now=world.now)
    world.run_for(gap)
    router.reboot(now=world.now)
    world.run_for(15.0)
    assert len(router.mappings) == 5


@pytest.mark.parametrize("uptime", [0.0, 31.0])
@pytest.mark.parametrize("gap", [10.0, 20.0, 40.0, 90.0, 120.0])
def test_daemon_restarts_after_the_machine(gap: float, uptime: float) -> None:
    """14.1.3: its epoch is the machine's and counts on; it comes at no repetition's time."""
    router = RouterCore(
        PERSONALITIES["miniupnpd_uptime"],
        external_address=IPv4Address("78.47.11.5"),
        now=START,
    )
    world = World(router=router, latency=0.02)
    world.want(wish_of(1))
    world.run_for(3000.0)
    router._state.epoch_from = world.now - uptime
    router.reboot(now=world.now)
    world.run_for(gap)
    router.reboot(now=world.now)
    world.run_for(30.0)
    assert len(router.mappings) == 1


@pytest.mark.parametrize(
    ("source", "source_port"),
    [
        (IPv4Address("192.168.1.2"), 5351),
        (SERVER, 5350),
        (IPv6Address("fe80::1"), 5351),
    ],
)
def test_wrong_source(source: IPv4Address, source_port: int) -> None:
    """14.1.3: the source address and port are the server's, or it is dropped."""
    world = settled()
    world.reboot()
    world.announce(source=source, source_port=source_port)
    world.run_for(30.0)
    assert world.new() == []
    assert world.drops == {"source": 1}


def test_aliases() -> None:
    """Miniupnpd announces from its link-local address: one that we know to be its."""
    alias = IPv6Address("fe80::1%2")
    world = started(server=SERVER6, client=CLIENT6)
    world.run_for(60.0)
    world.new()
    world.keeper.set_aliases(frozenset({alias}))
    world.announce(source=IPv6Address("fe80::1%3"))
    assert world.drops == {"source": 1}
    world.announce(source=alias)
    world.run_for(5.0)
    assert len(world.new()) == 1


def test_forged_announcement_changes_nothing() -> None:
    """A wrong epoch is not believed: one renewal, and everything is as it was."""
    world = settled()
    before = [view.grant and view.grant.expires_at for view in world.keeper.leases()]
    world.announce(world.announcement(epoch_time=0))
    world.run_for(5.0)
    (request,) = world.new_maps()
    view = world.keeper.server_view()
    assert view.epoch_time == 5000
    world.receive(world.success(request))
    world.answer_all()
    assert world.new_events(ServerRestarted) == []
    assert world.new_events(LeaseLost) == []
    after = [view.grant and view.grant.expires_at for view in world.keeper.leases()]
    assert len(after) == len(before)
    assert all(view.state is LeaseState.GRANTED for view in world.keeper.leases())
    assert world.keeper.server_view().started_at == view.started_at


def test_verification_passes_the_line() -> None:
    """A window full of unanswered requests does not hold up the question."""
    world = settled(9000)
    for port in range(1, 21):
        world.want(wish_of(port), urgent=False)
    world.new()
    world.announce()
    world.run_for(2.5)
    assert 9000 in {request.internal_port for request in world.new_maps()}


def test_round_leaves_alone_what_is_under_way() -> None:
    """11.2.1: a renewal that waits for its answer keeps its schedule."""
    world = settled()
    world.renew_all()
    begin = world.now
    request = next(request for request in world.new_maps())
    world.receive(world.success(request, assigned_external_address=OTHER_EXTERNAL))
    world.run_until(begin + 4.499)
    assert world.new_maps() == []
    world.run_until(begin + 4.5)
    assert {request.internal_port for request in world.new_maps()} == {2, 3}


def test_verification_that_is_lost() -> None:
    """14.1.3: the question is repeated until it is answered, then comes the round."""
    world = settled()
    world.announce()
    world.run_for(20.0)
    requests = world.new_maps()
    assert len(requests) == 3
    assert {request.internal_port for request in requests} == {1}
    world.receive(world.success(requests[0]))
    assert {request.internal_port for request in world.new_maps()} == {2, 3}


def test_nothing_granted_to_be_renewed() -> None:
    """Without a mapping the question is one that opens nothing, and has a nonce."""
    world = started()
    world.run_for(60.0)
    world.new()
    world.announce(world.announcement(epoch_time=0))
    world.run_for(5.0)
    (probe,) = world.new()
    assert isinstance(probe.message, MapRequest)
    assert (probe.message.lifetime, probe.message.internal_port) == (0, 9)


def test_verification_does_not_break_a_hold() -> None:
    """8.3: a mapping whose renewal was refused is not asked for by a forger's will."""
    world = started(wish_of(lifetime=86_400))
    world.run_for(60.0)
    world.renew_all()
    request = world.new_maps()[-1]
    world.receive(world.error(request, ResultCode.NOT_AUTHORIZED))
    world.new()
    for _ in range(10):
        world.announce(world.announcement(epoch_time=0))
        world.run_for(20.0)
        for sent in world.new():
            assert sent.is_check
            world.receive(world.answer_to(sent.message))


def test_verification_does_not_repeat_deletes() -> None:
    """8.3: nor is a delete that was refused."""
    world = started(wish_of())
    world.release()
    (delete,) = world.new_maps()
    world.receive(world.error(delete, ResultCode.NOT_AUTHORIZED))
    world.announce(world.announcement(epoch_time=0))
    world.run_for(10.0)
    assert world.new_maps() == []


def test_mapping_that_is_asked_for_serves_as_the_question() -> None:
    """A request that waits for its answer is repeated; no other one is needed."""
    world = started()
    world.want()
    world.run_for(60.0)
    world.new()
    world.announce()
    world.run_for(2.5)
    (sent,) = world.new()
    assert sent.is_map


def test_verification_does_not_break_the_hold_of_new_mappings() -> None:
    """11.4: a new mapping that waits for its answer is no question during a hold."""
    world = started()
    for port in (1, 2):
        world.want(wish_of(port), urgent=False)
    request = world.new_maps()[0]
    world.receive(world.error(request, ResultCode.NO_RESOURCES, lifetime=600))
    world.announce()
    world.run_for(2.5)
    (probe,) = world.new()
    assert probe.is_check


def test_unicast_announcement() -> None:
    """14.1.3: a server that remembers us may announce its restart by unicast."""
    world = settled()
    world.reboot()
    world.receive(world.announcement())
    assert world.new() == []
    world.run_for(5.0)
    (request,) = world.new_maps()
    world.receive(world.success(request))
    assert len(world.new_events(ServerRestarted)) == 1


def test_unasked_answers_of_the_server() -> None:
    """8.3: what shows nothing new is ignored, as is an error, and all of NAT-PMP."""
    world = settled()
    world.receive(world.announcement())
    world.receive(
        world.announcement(result_code=ResultCode.NOT_AUTHORIZED, epoch_time=0)
    )
    world.run_for(30.0)
    assert world.new() == []
    assert world.drops == {"unasked": 2}
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.new()
    world.receive(world.nat_pmp_address(epoch_time=0))
    world.run_for(30.0)
    assert world.new() == []
    assert world.drops == {"unasked": 1}


def test_check_that_shows_a_reset_is_verified() -> None:
    """8.5: the answer to ANNOUNCE has no nonce: a request that has one must agree."""
    world = settled()
    world.run_until(START + 240.0)
    (check,) = world.new()
    assert isinstance(check.message, AnnounceRequest)
    world.receive(world.announcement(epoch_time=3))
    assert world.new_events(ServerRestarted) == []
    (request,) = world.new_maps()
    world.receive(world.success(request))
    assert world.new_events(ServerRestarted) == []
    assert world.new_maps() == []
    world.run_for(239.0)
    assert world.new() == []


def test_check_that_shows_a_reset_during_a_hold() -> None:
    """With no mapping to be asked for, the probe settles it, once."""
    world = started(wish_of())
    world.run_for(60.0)
    world.renew_all()
    request = world.new_maps()[-1]
    world.receive(world.error(request, ResultCode.NOT_AUTHORIZED))
    world.answer_all()
    world.run_for(239.0)
    world.new()
    world.run_for(1.0)
    (check,) = world.new()
    assert isinstance(check.message, AnnounceRequest)
    world.reboot()
    world.receive(world.announcement())
    (probe,) = world.new()
    assert isinstance(probe.message, MapRequest)
    world.receive(world.success(probe.message))
    assert len(world.new_events(ServerRestarted)) == 1
    world.answer_all()
    world.run_for(240.0)
    (check,) = world.new()
    assert isinstance(check.message, AnnounceRequest)


def test_nat_pmp_notice_of_a_pcp_server() -> None:
    """RFC 6886 3.2.1: it may have lost its PCP, or moved: asked once, in PCP."""
    world = settled()
    before = world.keeper.server_view()
    world.announce(world.nat_pmp_address(epoch_time=0))
    world.announce(world.nat_pmp_address(epoch_time=0))
    world.run_for(5.0)
    (request,) = world.new_maps()
    assert isinstance(request, MapRequest)
    world.receive(world.success(request))
    assert world.new_events(ServerRestarted) == []
    view = world.keeper.server_view()
    assert (view.protocol, view.started_at) == (before.protocol, before.started_at)


def test_nat_pmp_notices_beside_announcements() -> None:
    """Miniupnpd sends both for one change: after the loss they cost nothing."""
    world = settled()
    world.announce(world.nat_pmp_address())
    world.reboot()
    world.announce()
    world.run_for(5.0)
    world.answer_all()
    for _ in range(3):
        world.announce(world.nat_pmp_address())
        world.run_for(15.0)
    assert world.new() == []


def test_nat_pmp_notice() -> None:
    """RFC 6886 3.2.1: of a NAT-PMP server it is verified by the cheap question.

    In PCP, too: a router that announces itself may have learnt it.
    """
    world = started_nat_pmp(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.new()
    world.reboot()
    world.announce(world.nat_pmp_address())
    assert world.new() == []
    world.run_for(2.5)
    in_pcp, check = world.new()
    assert in_pcp.is_check
    assert isinstance(check.message, ExternalAddressRequest)
    world.receive(world.answer_to(check.message))
    assert len(world.new_events(ServerRestarted)) == 1
    assert len(world.new_maps()) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "length"),
        (b"\x02", "length"),
        (b"\x02\x80\x00\x00" + bytes(19), "length"),
        (b"\x02\x00\x00\x00" + bytes(20), "response_bit"),
        (b"\x03\x80\x00\x00" + bytes(20), "version"),
        (b"\x02\x80\x00\x02" + bytes(20), "opcode"),
        (b"\x02\x81\x00\x00" + bytes(56), "opcode"),
        (b"\x02\x80\x00\x01" + bytes(20), "opcode"),
    ],
)
def test_garbage(data: bytes, reason: str) -> None:
    """14.1.3: what is no announcement is dropped and counted."""
    world = settled()
    world.announce(data)
    world.run_for(30.0)
    assert world.new() == []
    assert world.drops == {reason: 1}


def test_announcement_while_there_is_no_way() -> None:
    """Without an address of our own nothing is sent, and the round is owed."""
    world = settled()
    world.move_to(None)
    world.announce()
    world.run_for(100.0)
    assert world.new() == []
    world.move_to(world.source[0])
    assert {request.internal_port for request in world.new_maps()} == {1, 2, 3}


def test_announcement_of_an_unknown_server() -> None:
    """A server that was silent so far is asked when it announces itself."""
    world = World()
    world.run_for(100.0)
    world.new()
    world.announce()
    world.run_for(5.0)
    (probe,) = world.new()
    assert isinstance(probe.message, MapRequest)
