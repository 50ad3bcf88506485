"""Which protocol a server speaks: found out, changed, and not to be forged."""

from random import Random

import pytest

from custom_components.pcp.client.codec import (
    AnnounceResponse,
    ExternalAddressRequest,
    MapRequest,
    NatPmpMapRequest,
    ResultCode,
    UnknownResponse,
)
from custom_components.pcp.client.events import (
    LeaseRefused,
    ProtocolChanged,
    ServerProtocol,
    ServerReachable,
    ServerRestarted,
)
from custom_components.pcp.client.mapping import LeaseState, RefusalReason
from custom_components.pcp.client.timing import SHORT_HOLD
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    EXTERNAL,
    LIFETIME,
    OTHER_EXTERNAL,
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


def test_version_answer_that_nobody_asked_for() -> None:
    """8.3: with no PCP question open it is dropped."""
    world = started(wish_of())
    world.receive(version_answer())
    world.run_for(10.0)
    assert world.drops == {"unasked": 1}
    assert protocol(world) is PCP


def test_nat_pmp_answers_of_a_pcp_server() -> None:
    """9: an answer in NAT-PMP changes nothing for a server that speaks PCP."""
    world = started(wish_of())
    request = NatPmpMapRequest(protocol=6, internal_port=8123, lifetime=LIFETIME)
    before = world.lease()
    world.receive(world.nat_pmp_success(request, assigned_external_port=1))
    world.receive(world.nat_pmp_address(external_address=OTHER_EXTERNAL))
    assert world.lease() == before
    assert world.keeper.server_view().external_address == EXTERNAL
    assert world.drops == {"version": 1, "unasked": 1}


def test_upgrade() -> None:
    """9: a NAT-PMP server is asked in PCP every half an hour: it may have learnt it."""
    world = started_nat_pmp(wish_of())
    for _ in range(7):
        world.run_for(239.0)
        world.answer_all()
        world.run_for(1.0)
        (check,) = world.new()
        assert isinstance(check.message, ExternalAddressRequest)
        world.receive(world.nat_pmp_address())
        world.answer_all()
    world.run_until(START + 1799.0)
    world.answer_all()
    world.run_until(START + 1800.0)
    messages = [sent.message for sent in world.new() if sent.is_check]
    assert [type(message) for message in messages] == [
        MapRequest,
        ExternalAddressRequest,
    ]
    world.receive(world.answer_to(messages[0]))
    assert protocol(world) is PCP
    (request,) = world.new_maps()
    assert isinstance(request, MapRequest)
    world.receive(world.success(request))
    assert world.state() is LeaseState.GRANTED


def test_upgrade_that_is_refused() -> None:
    """11.4: it may be another router, so what the old one granted is asked for soon."""
    world = started_nat_pmp(wish_of())
    world.renew_all()
    world.receive(world.answer_to(world.new_probe()))
    assert protocol(world) is PCP
    world.run_for(5.0)
    request = [it for it in world.new_maps() if isinstance(it, MapRequest)][-1]
    world.receive(world.error(request, ResultCode.NETWORK_FAILURE))
    assert world.state() is LeaseState.GRANTED
    world.run_for(SHORT_HOLD + 1.0)
    assert [it.internal_port for it in world.new_maps()] == [8123]


def test_upgrade_that_is_declined() -> None:
    """9: the answer in version 0 is the answer; nothing is made again."""
    router = RouterCore(
        PERSONALITIES["nat_pmp_only"], external_address=EXTERNAL, now=0.0
    )
    world = World(router=router, latency=0.01)
    world.want()
    world.run_for(10.0)
    world.events.clear()
    world.run_for(7200.0)
    assert world.new_events(ProtocolChanged) == []
    assert world.new_events(ServerReachable) == []
    assert protocol(world) is NAT_PMP


def test_announcement_of_pcp_by_a_nat_pmp_server() -> None:
    """14.1.3: a router that got PCP with an update announces it: asked at once."""
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.new()
    world.announce()
    world.run_for(5.0)
    world.receive(world.answer_to(world.new_probe()))
    assert protocol(world) is PCP


def test_server_that_speaks_pcp_alone_by_now() -> None:
    """9: version 2 as the answer to NAT-PMP: it is asked in PCP soon."""
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.renew_all()
    world.new()
    world.receive(pcp_version_answer(2))
    world.run_for(2.5)
    world.receive(world.answer_to(world.new_probe()))
    assert protocol(world) is PCP


def test_our_own_version_in_a_version_answer() -> None:
    """9: of a server that speaks version 2 it is no reason to speak another one."""
    world = World()
    world.want()
    world.receive(pcp_version_answer(2))
    assert world.state() is LeaseState.REQUESTING
    assert world.drops == {"version": 1}
    assert protocol(world) is None


def test_server_of_a_version_to_come() -> None:
    """9: no version of ours: everything is refused, and asked again in half an hour."""
    world = World()
    world.want(wish_of(1))
    world.want(wish_of(2))
    world.new()
    world.receive(pcp_version_answer(3))
    reasons = {event.refusal.reason for event in world.new_events(LeaseRefused)}
    assert reasons == {RefusalReason.ROUTER_REFUSED}
    assert world.state(key_of(2)) is LeaseState.REFUSED
    world.run_for(1799.0)
    assert world.new() == []
    world.run_for(1.0)
    assert len(world.new_maps()) == 2


def test_server_that_has_learnt_our_version() -> None:
    """9: the first answer in PCP ends the holds of the other version."""
    world = World()
    world.want(wish_of(1))
    world.want(wish_of(2))
    request = world.new_maps()[0]
    world.receive(pcp_version_answer(3))
    world.receive(world.success(request))
    assert world.state(key_of(1)) is LeaseState.GRANTED
    assert [request.internal_port for request in world.new_maps()] == [2]


def test_first_answer_does_not_end_other_holds() -> None:
    """8.3: a refusal that was no matter of versions holds on."""
    world = World()
    world.want(wish_of(1))
    world.want(wish_of(2))
    first, second = world.new_maps()
    world.receive(pcp_version_answer(3))
    world.want(wish_of(1))
    world.new()
    world.receive(world.error(first, ResultCode.NOT_AUTHORIZED))
    assert [request.internal_port for request in world.new_maps()] == [2]
    world.receive(world.success(second))
    assert world.state(key_of(1)) is LeaseState.REFUSED


def test_answer_that_is_no_answer_of_ours() -> None:
    """8.3: an opcode that was never asked for is dropped."""
    world = started(wish_of())
    world.receive(
        UnknownResponse(opcode=96, result_code=ResultCode.UNSUPP_OPCODE, epoch_time=0)
    )
    world.receive(AnnounceResponse(result_code=0, epoch_time=world.epoch()))
    assert world.drops == {"opcode": 1, "unasked": 1}


@pytest.mark.parametrize("name", ["airport", "no_announce", "nat_pmp_sparse"])
def test_odd_servers_stay_reachable(name: str) -> None:
    """Q12, Q13: odd answers to ANNOUNCE and to versions are no silence."""
    router = RouterCore(PERSONALITIES[name], external_address=EXTERNAL, now=0.0)
    world = World(router=router, latency=0.01, jitter=Random(9).random)
    world.want()
    world.run_for(10.0)
    assert world.state() is LeaseState.GRANTED
    world.events.clear()
    world.new()
    world.run_for(6 * 3600.0)
    assert world.new_events(ServerReachable) == []
    assert world.state() is LeaseState.GRANTED
    assert len([sent for sent in world.new() if sent.is_check]) <= 6 * (15 + 2 * 2)


def test_version_answer_of_a_nat_pmp_server() -> None:
    """9: it answers the question whether it has learnt PCP, and nothing else."""
    world = started_nat_pmp()
    world.want()
    world.receive(version_answer())
    assert world.drops == {"unasked": 1}
    world = World(protocol=NAT_PMP)
    world.wake()
    world.receive(version_answer())
    assert world.keeper.server_view().reachable is True
    assert protocol(world) is NAT_PMP


def test_version_answer_without_a_way() -> None:
    """9: an answer that comes when our network is gone is an answer all the same."""
    world = World()
    world.want()
    world.move_to(None)
    world.receive(version_answer())
    assert protocol(world) is NAT_PMP
    assert world.state() is LeaseState.REQUESTING


def test_another_protocol_ends_holds() -> None:
    """8.3: what was refused in one protocol may be granted in the other."""
    world = started_nat_pmp()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.nat_pmp_success(request, result_code=2))
    world.announce()
    world.run_for(2.5)
    world.receive(world.answer_to(world.new_probe()))
    assert protocol(world) is PCP
    assert len(world.new_maps()) == 1


def test_server_that_speaks_pcp_alone_after_its_restart() -> None:
    """9: that is no repetition of what was announced."""
    world = started_nat_pmp(wish_of())
    world.run_for(239.0)
    world.answer_all()
    world.reboot()
    world.run_for(1.0)
    world.receive(world.nat_pmp_address())
    assert len(world.new_events(ServerRestarted)) == 1
    world.receive(pcp_version_answer(2))
    world.run_for(5.0)
    world.receive(world.answer_to(world.new_probe()))
    assert protocol(world) is PCP
