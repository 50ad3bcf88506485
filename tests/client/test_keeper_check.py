"""The cheap question every four minutes, and whether the server is there."""

from itertools import pairwise
from random import Random

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    ExternalAddressRequest,
    MapRequest,
    ResultCode,
)
from custom_components.pcp.client.events import (
    ExternalAddressChanged,
    LeaseLost,
    ServerProtocol,
    ServerReachable,
    ServerRestarted,
)
from custom_components.pcp.client.mapping import LeaseState
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    CLIENT6,
    EXTERNAL,
    OTHER_EXTERNAL,
    SERVER6,
    START,
    key_of,
    version_answer,
    wish_of,
)


def checks(world: World) -> list[object]:
    """Return the new requests that are no mapping's."""
    return [sent.message for sent in world.new() if sent.is_check]


def test_first_question() -> None:
    """11.6: a delete of what was never made opens nothing, and may tell the address."""
    world = World()
    assert world.keeper.next_wakeup() == START
    world.wake()
    (probe,) = checks(world)
    assert isinstance(probe, MapRequest)
    assert (probe.lifetime, probe.protocol, probe.internal_port) == (0, 17, 9)
    assert probe.suggested_external_port == 0
    assert probe.suggested_external_address.is_unspecified
    world.receive(world.success(probe, assigned_external_address=EXTERNAL))
    assert world.keeper.server_view().external_address == EXTERNAL
    world.receive(world.success(probe, assigned_external_address=OTHER_EXTERNAL))
    assert world.keeper.server_view().external_address == EXTERNAL
    assert world.drops == {"nonce": 1}


@pytest.mark.parametrize("code", [ResultCode.NO_RESOURCES, ResultCode.NOT_AUTHORIZED])
def test_refused_question_is_an_answer(code: ResultCode) -> None:
    """Miniupnpd refuses to delete nothing, and tells its address all the same."""
    world = World()
    world.wake()
    (probe,) = checks(world)
    assert isinstance(probe, MapRequest)
    world.receive(world.error(probe, code, assigned_external_address=EXTERNAL))
    view = world.keeper.server_view()
    assert (view.reachable, view.external_address) == (True, EXTERNAL)


def test_address_of_another_family() -> None:
    """5: an IPv4 address is no external address of an IPv6 server."""
    world = World(server=SERVER6, client=CLIENT6)
    world.wake()
    (probe,) = checks(world)
    assert isinstance(probe, MapRequest)
    world.receive(world.success(probe, assigned_external_address=EXTERNAL))
    assert world.keeper.server_view().external_address is None
    assert world.keeper.server_view().reachable is True


def test_every_probe_has_its_own_nonce() -> None:
    """11.2: what comes late for another probe is not believed."""
    world = started()
    (first,) = checks(world) or [world.sent[0].message]
    world.run_for(240.0)
    (second,) = checks(world)
    assert isinstance(first, MapRequest)
    assert isinstance(second, MapRequest)
    assert first.nonce != second.nonce
    world.receive(world.success(first))
    assert world.drops == {"nonce": 1}


def test_repeated_probe_has_the_same_nonce() -> None:
    """8.1.1: a repetition is the same question."""
    world = started()
    world.run_for(260.0)
    probes = [it for it in checks(world) if isinstance(it, MapRequest)]
    assert len(probes) == 3
    assert len({probe.nonce for probe in probes}) == 1


def test_interval() -> None:
    """Every four minutes when nothing else is said; ANNOUNCE while there are leases."""
    world = started(wish_of(lifetime=86_400))
    for number in range(1, 16):
        world.run_until(START + 240.0 * number - 0.001)
        assert world.new() == []
        world.run_until(START + 240.0 * number)
        (check,) = checks(world)
        assert isinstance(check, AnnounceRequest)
        assert check.lifetime == 0
        world.receive(world.announcement())


def test_other_answers_put_it_off() -> None:
    """Any answer of the server tells as much."""
    world = started(wish_of(lifetime=86_400))
    world.run_for(200.0)
    world.renew_all()
    world.answer_all()
    begin = world.now
    assert world.keeper.next_wakeup() == begin + 240.0


def test_answers_do_not_put_off_what_is_needed() -> None:
    """A question that an answer makes needed is asked, although something was heard."""
    world = World()
    world.want()
    world.new()
    world.receive(version_answer())
    assert checks(world) == [ExternalAddressRequest()]


def test_repetitions() -> None:
    """A check is sent three times, with a probe where ANNOUNCE was not answered.

    A silent server is asked in NAT-PMP, too.
    """
    world = started(wish_of(lifetime=86_400))
    world.run_until(START + 479.0)
    world.new_maps()
    times = [sent.at - START for sent in world.sent if sent.is_check]
    kinds = [type(sent.message) for sent in world.sent if sent.is_check]
    assert times == [0.0, 240.0, 243.0, 249.0, 249.0]
    assert kinds == [
        MapRequest,
        AnnounceRequest,
        MapRequest,
        MapRequest,
        ExternalAddressRequest,
    ]
    world.run_until(START + 480.0)
    assert len(checks(world)) == 1


def test_late_answer_to_a_check() -> None:
    """An answer still counts when the question was given up."""
    world = started(wish_of(lifetime=86_400))
    world.run_until(START + 300.0)
    assert world.keeper.server_view().reachable is False
    world.receive(world.announcement())
    assert world.keeper.server_view().reachable is True
    assert world.drops == {}


def test_server_that_does_not_know_announce() -> None:
    """Where ANNOUNCE was in vain twice the probe is the first question."""
    world = started(wish_of(lifetime=86_400))
    for number in range(1, 4):
        world.run_until(START + 243.0 * number)
        probe = checks(world)[-1]
        assert isinstance(probe, MapRequest)
        world.receive(world.success(probe))
    world.run_until(world.now + 240.0)
    (first,) = checks(world)
    assert isinstance(first, MapRequest)


def test_announce_that_is_answered_again() -> None:
    """One lost ANNOUNCE is no reason to give it up."""
    world = started(wish_of(lifetime=86_400))
    world.run_until(START + 243.0)
    probe = checks(world)[-1]
    assert isinstance(probe, MapRequest)
    world.receive(world.success(probe))
    for _ in range(3):
        world.run_for(240.0)
        (check,) = checks(world)
        assert isinstance(check, AnnounceRequest)
        world.receive(world.announcement())


def test_nat_pmp_check() -> None:
    """RFC 6886 3.2: the external address, six times within 16 s."""
    world = started_nat_pmp(wish_of(lifetime=86_400))
    begin = world.now
    world.run_until(begin + 479.0)
    times = [sent.at - begin for sent in world.sent if sent.is_check][2:]
    assert times == [240.0, 240.25, 240.75, 241.75, 243.75, 247.75]
    assert all(
        isinstance(sent.message, ExternalAddressRequest)
        for sent in world.sent[-6:]
        if sent.is_check
    )


def test_lost_renewal_brings_the_check_forward() -> None:
    """Silence is found soon after a renewal that was not answered."""
    world = started(wish_of(), jitter=0.5)
    for _ in range(8):
        world.run_for(240.0)
        world.answer_all()
    world.run_until(START + 2025.0)
    assert len(world.new_maps()) == 1
    world.run_for(1.0)
    assert len(checks(world)) == 1
    world.run_for(5.0)
    assert world.keeper.server_view().reachable is False


def test_external_address_that_changed_silently() -> None:
    """Miniupnpd without UPnP tells nobody: the probe does, while nothing is open."""
    world = started()
    world.receive(world.error(last_probe(world), 8, assigned_external_address=EXTERNAL))
    world.run_for(240.0)
    world.receive(
        world.success(last_probe(world), assigned_external_address=OTHER_EXTERNAL)
    )
    assert world.keeper.server_view().external_address == OTHER_EXTERNAL


def last_probe(world: World) -> MapRequest:
    """Return the last question in PCP, which is a probe."""
    asked = [it.message for it in world.sent if it.is_check]
    probe = next(
        it for it in reversed(asked) if not isinstance(it, ExternalAddressRequest)
    )
    assert isinstance(probe, MapRequest)
    return probe


def test_silence() -> None:
    """A request and its repetition unanswered: after four seconds it is told, once."""
    world = started()
    world.want()
    world.events.clear()
    world.run_until(START + 3.999)
    assert world.keeper.server_view().reachable is True
    world.run_until(START + 4.0)
    assert world.events == [ServerReachable(False)]
    world.run_for(7200.0)
    assert world.events == [ServerReachable(False)]


def test_silence_of_an_unknown_server() -> None:
    """A server that never answered is told as silent, too, once."""
    world = World()
    world.run_for(3.999)
    assert world.keeper.server_view().reachable is None
    world.run_for(3600.0)
    assert world.events == [ServerReachable(False)]


def test_up_again() -> None:
    """The first answer after a silence is told, once."""
    world = started()
    world.want()
    world.run_for(100.0)
    request = world.new_maps()[0]
    world.events.clear()
    world.receive(world.success(request))
    world.receive(world.success(request))
    told = [event for event in world.events if isinstance(event, ServerReachable)]
    assert told == [ServerReachable(True)]


def test_one_lost_packet_is_no_silence() -> None:
    """8.1.1: the repetition was answered: nothing is told."""
    world = started()
    world.want()
    world.events.clear()
    world.run_for(3.0)
    world.answer_all()
    world.run_for(10.0)
    world.answer_all()
    assert world.new_events(ServerReachable) == []


def test_request_that_is_not_answered_is_no_silence() -> None:
    """A server that ignores one request and answers the next one is there."""
    world = started()
    world.want()
    world.events.clear()
    for _ in range(30):
        world.run_for(1.0)
        for sent in world.new():
            if sent.is_check:
                world.receive(world.answer_to(sent.message))
    assert world.new_events(ServerReachable) == []


def test_nat_pmp_silence() -> None:
    """RFC 6886 3.1: the waits are shorter, the patience is the same."""
    world = started_nat_pmp()
    begin = world.now
    world.want()
    world.events.clear()
    world.run_until(begin + 3.999)
    assert world.events == []
    world.run_until(begin + 4.0)
    assert world.events == [ServerReachable(False)]


def test_refused_connection() -> None:
    """RFC 6886 3.1: ICMP says at once that nobody listens; asking goes on slowly."""
    world = started(wish_of(lifetime=86_400))
    world.run_for(60.0)
    world.renew_all()
    world.events.clear()
    world.refuse_connection()
    world.refuse_connection()
    assert world.events == [ServerReachable(False)]
    assert world.state() is LeaseState.GRANTED
    world.run_for(600.0)
    assert len(world.new()) < 25
    world.receive(world.announcement())
    assert world.events == [ServerReachable(False), ServerReachable(True)]


@pytest.mark.parametrize("has_lease", [True, False])
@pytest.mark.parametrize("protocol", [None, *ServerProtocol])
def test_pace_of_asking_a_silent_server(
    protocol: ServerProtocol | None, *, has_lease: bool
) -> None:
    """RFC 7488 3: a server that does not answer is tried again every 15 min at least."""
    world = World(protocol=protocol)
    if has_lease:
        world.want()
    world.run_for(24 * 3600.0)
    times = [START, *(sent.at for sent in world.sent), world.now]
    assert max(late - early for early, late in pairwise(times)) <= 900.0


def test_silence_and_leases() -> None:
    """Leases that live are granted while the server is silent, and lost at their end."""
    world = started(wish_of())
    world.run_for(3599.0)
    assert world.keeper.server_view().reachable is False
    assert world.state() is LeaseState.GRANTED
    world.run_for(1.0)
    assert world.new_events(LeaseLost) == [LeaseLost(key_of())]


@pytest.mark.parametrize("name", ["no_announce", "nat_pmp_only", "miniupnpd_uptime"])
@pytest.mark.parametrize("seed", range(3))
def test_found_within_five_minutes(name: str, seed: int) -> None:
    """Lost announcement, reset epoch: everything is back 5 min after it answers again."""
    random = Random(seed)
    router = RouterCore(
        PERSONALITIES[name],
        external_address=type(EXTERNAL)("11.22.33.44"),
        now=START,
        epoch_time=50_000,
    )
    world = World(router=router, latency=0.05, jitter=random.random)
    for port in range(1, 6):
        world.want(wish_of(port, lifetime=86_400))
    world.run_for(random.uniform(600.0, 7200.0))
    router.silenced = True
    world.run_for(random.uniform(1.0, 4 * 3600.0))
    router.reboot(now=world.now)
    if name == "miniupnpd_uptime":
        router._state.epoch_from = world.now
    router._announce_at.clear()
    router._notices_at.clear()
    world.run_for(1.0)
    router.silenced = False
    world.run_for(300.0)
    assert len(router.mappings) == 5
    assert world.new_events(ServerRestarted)
    assert world.new_events(ExternalAddressChanged) == []


def test_counts_for_diagnostics() -> None:
    """Sent and dropped datagrams are counted, in a copy that does not change."""
    world = started(wish_of())
    view = world.keeper.server_view()
    assert view.requests == len(world.sent) == 2
    world.receive(b"garbage")
    assert view.drops == {}
    assert sum(world.drops.values()) == 1


def test_address_for_which_nothing_is_mapped() -> None:
    """A miniupnpd on a private WAN address refuses, and tells the address it has."""
    world = started(wish_of(1))
    world.want(wish_of(2))
    request = world.sent[-1].message
    assert isinstance(request, MapRequest)
    private = type(EXTERNAL)("10.0.0.1")
    world.receive(
        world.error(request, ResultCode.NO_RESOURCES, assigned_external_address=private)
    )
    assert world.keeper.server_view().external_address == private


def test_address_of_a_refusal_that_is_our_own_suggestion() -> None:
    """11.1: an error copies what we suggested: that is no news."""
    world = started(wish_of(1))
    request = world.sent[-1].message
    assert isinstance(request, MapRequest)
    world.receive(world.success(request, assigned_external_address=OTHER_EXTERNAL))
    world.run_for(3600.0)
    world.new()
    world.run_for(4.0)
    suggested = next(sent.message for sent in world.new() if sent.is_map)
    assert isinstance(suggested, MapRequest)
    world.receive(world.error(last_probe(world), 8, assigned_external_address=EXTERNAL))
    world.receive(world.error(suggested, ResultCode.NO_RESOURCES))
    assert world.keeper.server_view().external_address == EXTERNAL


def test_reset_after_a_silence() -> None:
    """The answer to ANNOUNCE shows that the server is there, whatever its epoch."""
    world = started(wish_of(lifetime=86_400))
    world.run_for(300.0)
    assert world.keeper.server_view().reachable is False
    world.reboot()
    world.receive(world.announcement())
    assert world.keeper.server_view().reachable is True
