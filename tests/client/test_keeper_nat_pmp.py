"""Servers that speak NAT-PMP: mappings, the address, and what it cannot do."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from random import Random

import pytest

from custom_components.pcp.client.codec import (
    ExternalAddressRequest,
    MapRequest,
    NatPmpErrorResponse,
    NatPmpMapRequest,
    NatPmpResult,
)
from custom_components.pcp.client.events import (
    ExternalAddressChanged,
    LeaseGranted,
    LeaseKept,
    LeaseRefused,
    LeaseReleased,
    ProtocolChanged,
    ServerProtocol,
    ServerReachable,
)
from custom_components.pcp.client.mapping import Grant, LeaseState, RefusalReason
from custom_components.pcp.client.timing import LINGER
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started_nat_pmp
from .scripted_server import (
    CLIENT6,
    EXTERNAL,
    LIFETIME,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    SERVER6,
    START,
    key_of,
    version_answer,
    wish_of,
)

PCP, NAT_PMP = ServerProtocol.PCP, ServerProtocol.NAT_PMP
DEAF = replace(PERSONALITIES["nat_pmp_only"], ignores_pcp=True)


def protocol(world: World) -> ServerProtocol | None:
    """Return the protocol as the keeper knows it."""
    return world.keeper.server_view().protocol


@pytest.mark.parametrize("opcode", [0, 0x81])
def test_nat_pmp_server(opcode: int) -> None:
    """9, RFC 6886 3.5: 8 octets with version 0: everything is asked for in NAT-PMP."""
    world = World()
    world.want()
    world.new()
    world.receive(version_answer(opcode))
    assert world.new_events(ProtocolChanged) == [ProtocolChanged(NAT_PMP)]
    messages = [sent.message for sent in world.new()]
    assert messages == [
        NatPmpMapRequest(
            protocol=6,
            internal_port=8123,
            suggested_external_port=8123,
            lifetime=LIFETIME,
        ),
        ExternalAddressRequest(),
    ]


def test_nat_pmp_grant() -> None:
    """RFC 6886 3.2, 3.3: the address is told apart, before the mapping or after it."""
    world = started_nat_pmp()
    world.want()
    (request,) = world.new_maps()
    world.receive(
        world.nat_pmp_success(request, assigned_external_port=40000, lifetime=120)
    )
    (granted,) = world.new_events(LeaseGranted)
    assert granted.grant.assigned_external_address == EXTERNAL
    assert granted.grant.assigned_external_port == 40000
    assert granted.grant.lifetime == 120


def test_nat_pmp_address_after_the_grant() -> None:
    """RFC 6886 3.2: an address that becomes known, or changes, is told for each lease."""
    world = World()
    world.want(wish_of(1))
    world.receive(version_answer())
    (request,) = (m for m in world.new_maps() if isinstance(m, NatPmpMapRequest))
    world.receive(world.nat_pmp_success(request))
    (granted,) = world.new_events(LeaseGranted)
    assert granted.grant.assigned_external_address is None
    world.want(wish_of(2))
    world.receive(world.nat_pmp_address())
    (again,) = world.new_events(LeaseGranted)
    assert again.previous == granted.grant
    assert again.grant.assigned_external_address == EXTERNAL
    world.run_for(300.0)
    world.receive(world.nat_pmp_address(external_address=OTHER_EXTERNAL))
    view = world.lease(key_of(1))
    assert view is not None
    assert view.grant is not None
    assert view.grant.assigned_external_address == OTHER_EXTERNAL


def test_nat_pmp_address_that_is_not_there() -> None:
    """RFC 6886 3.5: an error tells no address, but the server is there."""
    world = started_nat_pmp()
    world.run_for(240.0)
    world.new()
    world.receive(
        world.nat_pmp_address(
            result_code=NatPmpResult.NETWORK_FAILURE, external_address=OTHER_EXTERNAL
        )
    )
    assert world.new_events(ExternalAddressChanged)[1:] == []
    assert world.keeper.server_view().external_address == EXTERNAL


@pytest.mark.parametrize(
    ("result", "reason", "hold"),
    [
        (NatPmpResult.NOT_AUTHORIZED, RefusalReason.NOT_AUTHORIZED, 1800.0),
        (NatPmpResult.NETWORK_FAILURE, RefusalReason.NETWORK_FAILURE, 30.0),
        (NatPmpResult.OUT_OF_RESOURCES, RefusalReason.NO_RESOURCES, 30.0),
        (77, RefusalReason.ROUTER_REFUSED, 1800.0),
    ],
)
def test_nat_pmp_refusal(
    result: NatPmpResult | int, reason: RefusalReason, hold: float
) -> None:
    """RFC 6886 3.5: the same meanings; an error's lifetime means nothing."""
    world = started_nat_pmp()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.nat_pmp_success(request, result_code=result, lifetime=LIFETIME))
    (refused,) = world.new_events(LeaseRefused)
    assert refused.refusal.reason is reason
    assert refused.refusal.retry_at == world.now + hold


def test_nat_pmp_error_without_a_port() -> None:
    """Q13: an error that does not name the mapping is for the only one it can be."""
    world = started_nat_pmp()
    world.want(wish_of(1))
    (request,) = world.new_maps()
    world.receive(world.nat_pmp_success(request, result_code=2, internal_port=0))
    assert world.state(key_of(1)) is LeaseState.REFUSED


def test_nat_pmp_error_that_may_be_anybodys() -> None:
    """Q13: where two wait for an answer nobody is refused by it."""
    world = started_nat_pmp()
    for port in (1, 2):
        world.want(wish_of(port))
    request, _ = world.new_maps()
    world.receive(world.nat_pmp_success(request, result_code=2, internal_port=0))
    assert world.state(key_of(1)) is LeaseState.REQUESTING
    assert world.drops == {"mapping": 1}


def test_nat_pmp_error_without_a_port_after_silence() -> None:
    """Q13: of several that wait it is for the one that has just asked."""
    world = started_nat_pmp(wish_of(1), wish_of(2))
    world.run_for(LIFETIME + 30.0)
    world.new()
    while not (requests := world.new_maps()):
        world.wake()
    (request,) = requests
    world.receive(world.nat_pmp_success(request, result_code=3, internal_port=0))
    states = {world.state(key_of(1)), world.state(key_of(2))}
    assert states == {LeaseState.REQUESTING, LeaseState.REFUSED}
    assert isinstance(request, NatPmpMapRequest)
    assert world.state(key_of(request.internal_port)) is LeaseState.REFUSED


def test_nat_pmp_one_at_a_time_after_a_restart() -> None:
    """RFC 6886 3.1: what an earlier life was granted is asked for in turn, too."""
    world = World()
    for port in (1, 2, 3):
        grant = Grant(
            assigned_external_address=EXTERNAL,
            assigned_external_port=port,
            lifetime=LIFETIME,
            expires_at=world.now + 600.0,
        )
        world.restore(wish_of(port), grant=grant)
    assert len(world.new_maps()) == 3
    world.receive(version_answer())
    world.run_for(5.0)
    requests = world.new_maps()
    assert {request.internal_port for request in requests} == {1}
    world.receive(world.nat_pmp_success(requests[-1], result_code=3, internal_port=0))
    assert world.new_events(LeaseRefused)[-1].key == key_of(1)


def test_nat_pmp_asks_on_for_what_may_be_lost() -> None:
    """RFC 6886 3.1: nine requests in vain do not make an old grant a sure one."""
    world = started_nat_pmp()
    grant = Grant(
        assigned_external_address=EXTERNAL,
        assigned_external_port=1,
        lifetime=86_400,
        expires_at=world.now + 86_000.0,
    )
    world.restore(wish_of(1), grant=grant)
    world.run_for(300.0)
    world.new()
    world.run_for(200.0)
    assert world.new_maps()


def grant_of(world: World) -> Grant:
    """Return a grant of an earlier life."""
    return Grant(
        assigned_external_address=EXTERNAL,
        assigned_external_port=8123,
        lifetime=LIFETIME,
        expires_at=world.now + LIFETIME - 400.0,
    )


def nat_pmp_deletion(world: World) -> NatPmpMapRequest:
    """Return the deletion that is under way in NAT-PMP."""
    deletions = [it for it in world.new_maps() if isinstance(it, NatPmpMapRequest)]
    assert deletions[-1].lifetime == 0
    return deletions[-1]


def grant_in_nat_pmp(world: World) -> None:
    """Let the server be heard in NAT-PMP first, and grant what it is asked for."""
    world.run_for(4.0)
    world.receive(world.nat_pmp_address())
    world.run_for(1.0)
    request = world.new_maps()[-1]
    assert isinstance(request, NatPmpMapRequest)
    world.receive(world.nat_pmp_success(request))


def heard_in_nat_pmp_first() -> World:
    """Return a world where a mapping of an earlier life is to be deleted."""
    world = World()
    world.restore(wish_of(), wanted=False, grant=None, open_until=world.now + LIFETIME)
    world.run_for(4.0)
    world.receive(world.nat_pmp_address())
    assert protocol(world) is NAT_PMP
    world.run_for(5.0)
    return world


def test_nat_pmp_knows_nothing_of_what_was_made_in_pcp() -> None:
    """Promise 2: its word that there is nothing is no proof; PCP's is."""
    world = heard_in_nat_pmp_first()
    world.receive(world.nat_pmp_success(nat_pmp_deletion(world)))
    assert world.new_events(LeaseKept) == [LeaseKept(key_of())]
    assert world.state() is LeaseState.RELEASING
    world.renew_all()
    probe = next(it.message for it in world.new() if isinstance(it.message, MapRequest))
    world.receive(world.success(probe))
    assert protocol(world) is PCP
    world.run_for(5.0)
    deletion = world.new_maps()[-1]
    assert isinstance(deletion, MapRequest)
    world.receive(world.success(deletion))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_nat_pmp_grants_beside_what_was_made_in_pcp() -> None:
    """Promise 2: nor is it one when it has granted another mapping since."""
    world = World()
    world.restore(wish_of(), grant=grant_of(world))
    grant_in_nat_pmp(world)
    assert world.state() is LeaseState.GRANTED
    world.run_for(60.0)
    world.release()
    world.receive(world.nat_pmp_success(nat_pmp_deletion(world)))
    lease = world.lease()
    assert lease is not None
    # It was asked for in PCP once more at the start.
    assert lease.open_until == START + LIFETIME


def test_nat_pmp_is_believed_of_a_server_that_is_deaf_to_pcp() -> None:
    """Promise 3: when it was not heard in PCP for half an hour, it closes at once."""
    router = RouterCore(DEAF, external_address=IPv4Address("78.47.11.5"), now=START)
    world = World(router=router, latency=0.02)
    world.restore(wish_of(), grant=grant_of(world))
    world.run_for(1830.0)
    assert world.state() is LeaseState.GRANTED
    world.release()
    world.run_for(1.0)
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]
    assert len(router.mappings) == 0


def test_request_in_nat_pmp_beside_what_was_made_in_pcp() -> None:
    """What is under way is deleted once more, whatever the other protocol has made."""
    world = World()
    world.want(wish_of(lifetime=120))
    grant_in_nat_pmp(world)
    world.run_for(20.0)
    world.want(wish_of(lifetime=LIFETIME))
    world.renew_all()
    world.run_for(0.3)
    world.release()
    world.receive(world.nat_pmp_success(nat_pmp_deletion(world)))
    world.run_for(LINGER)
    world.receive(world.nat_pmp_success(nat_pmp_deletion(world)))
    world.run_for(120.0)
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_nat_pmp_is_believed_where_pcp_is_declined() -> None:
    """RFC 6886 3.4: a server without PCP has no other mappings."""
    world = heard_in_nat_pmp_first()
    world.receive(world.nat_pmp_success(nat_pmp_deletion(world)))
    world.renew_all()
    world.receive(version_answer())
    world.run_for(5.0)
    world.receive(world.nat_pmp_success(nat_pmp_deletion(world)))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_nat_pmp_answers_that_nobody_asked_for() -> None:
    """8.3: NAT-PMP has no nonces: only what is waited for is believed."""
    world = started_nat_pmp(wish_of())
    before = world.lease()
    request = next(
        sent.message
        for sent in world.sent
        if isinstance(sent.message, NatPmpMapRequest)
    )
    world.receive(world.nat_pmp_success(request, assigned_external_port=1))
    world.receive(world.nat_pmp_success(request, internal_port=9))
    world.receive(world.nat_pmp_success(request, protocol=17))
    assert world.lease() == before
    assert world.drops == {"mapping": 3}


def test_nat_pmp_one_at_a_time() -> None:
    """RFC 6886 3.1: requests are sent serially, each after the answer to the last."""
    world = started_nat_pmp(*(wish_of(port) for port in range(1, 6)))
    world.run_for(60.0)
    world.new()
    world.renew_all()
    for port in range(1, 6):
        (request,) = world.new_maps()
        assert request.internal_port == port
        world.receive(world.nat_pmp_success(request))
    assert world.new_maps() == []


def test_nat_pmp_request_that_is_never_answered() -> None:
    """RFC 6886 3.1: one mapping that the server ignores does not hold up the others."""
    world = started_nat_pmp(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.new()
    world.renew_all()
    answered = False
    for _ in range(100):
        world.run_for(5.0)
        for sent in world.new():
            if sent.is_check:
                world.receive(world.answer_to(sent.message))
            elif sent.message.internal_port == 2:  # type: ignore[union-attr]
                answered = True
    assert answered


def test_third_party_in_nat_pmp() -> None:
    """RFC 6886 3.3: it would map our own port instead: refused, and never sent."""
    world = started_nat_pmp()
    key = key_of(address=OTHER_CLIENT)
    world.want(wish_of(key=key, third_party=True))
    assert world.new() == []
    (refused,) = world.new_events(LeaseRefused)
    assert refused.refusal.reason is RefusalReason.UNSUPPORTED_OPTION
    world.release(key)
    assert world.lease(key) is None
    assert world.new() == []


def test_sources_in_nat_pmp() -> None:
    """It has no filters: what was to be open for some is not opened for anyone."""
    world = started_nat_pmp()
    world.want(wish_of(allowed_sources=(IPv4Network("198.51.100.0/24"),)))
    assert world.new() == []
    assert world.state() is LeaseState.REFUSED


def test_server_silent_to_pcp() -> None:
    """A: some NAT-PMP servers do not answer PCP at all: the repeats ask in both."""
    world = World()
    world.want()
    assert not any(
        isinstance(sent.message, ExternalAddressRequest) for sent in world.new()
    )
    world.run_for(3.0)
    messages = [sent.message for sent in world.new() if sent.is_check]
    assert [type(message) for message in messages] == [
        MapRequest,
        ExternalAddressRequest,
    ]
    world.receive(world.nat_pmp_address())
    assert protocol(world) is NAT_PMP
    assert isinstance(world.new_maps()[-1], NatPmpMapRequest)
    assert world.keeper.server_view().reachable is True


def test_server_silent_to_pcp_stays_reachable() -> None:
    """A: its silence when it is asked for PCP again is no silence."""
    router = RouterCore(
        PERSONALITIES["nat_pmp_only"], external_address=EXTERNAL, now=0.0
    )
    answer = router.receive

    def receive(data: bytes, source: object, *, now: float) -> object:
        return answer(data, source, now=now) if data[0] == 0 else []  # type: ignore[arg-type]

    router.receive = receive  # type: ignore[assignment, method-assign]
    world = World(router=router, latency=0.01, jitter=Random(8).random)
    world.want()
    world.run_for(5.0)
    assert world.state() is LeaseState.GRANTED
    world.events.clear()
    world.run_for(6 * 3600.0)
    assert world.new_events(ServerReachable) == []
    assert world.state() is LeaseState.GRANTED


def test_slow_nat_pmp_answer_of_a_pcp_server() -> None:
    """A: a server that was asked in both and has answered in PCP speaks PCP."""
    world = World()
    world.want()
    world.run_for(3.0)
    world.receive(world.success(world.new_maps()[0]))
    world.receive(world.nat_pmp_address(external_address=OTHER_EXTERNAL))
    assert protocol(world) is PCP
    assert world.keeper.server_view().external_address == EXTERNAL
    assert world.drops == {"version": 1}


def test_nat_pmp_error_that_names_no_mapping() -> None:
    """RFC 6886 3.5: an echoed request is nobody's answer."""
    world = started_nat_pmp()
    world.want()
    world.receive(
        NatPmpErrorResponse(opcode=0x82, result_code=5, echo=bytes.fromhex("1fbb0000"))
    )
    assert world.state() is LeaseState.REQUESTING
    assert world.drops == {"opcode": 1}


def test_no_nat_pmp_over_ipv6() -> None:
    """RFC 6886 knows IPv4 only: over IPv6 it is neither asked nor spoken."""
    world = World(server=SERVER6, client=CLIENT6)
    key = key_of(address=CLIENT6)
    world.want(wish_of(key=key))
    world.run_for(10.0)
    assert all(isinstance(sent.message, MapRequest) for sent in world.new())
    world.receive(version_answer())
    assert protocol(world) is None
    assert world.state(key) is LeaseState.REFUSED


def test_notice_of_another_address() -> None:
    """RFC 6886 3.2.1: a new address is announced; one question tells it for sure."""
    world = started_nat_pmp(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.new()
    world.events.clear()
    world.announce(world.nat_pmp_address(external_address=OTHER_EXTERNAL))
    assert world.keeper.server_view().external_address == EXTERNAL
    world.run_for(5.0)
    assert world.keeper.server_view().external_address == EXTERNAL
    check = world.new()[1]
    assert isinstance(check.message, ExternalAddressRequest)
    world.receive(world.nat_pmp_address(external_address=OTHER_EXTERNAL))
    granted = world.new_events(LeaseGranted)
    assert [event.key for event in granted] == [key_of(1), key_of(2)]
    assert all(
        event.grant.assigned_external_address == OTHER_EXTERNAL for event in granted
    )


@pytest.mark.parametrize("suggested", [0, 9000])
def test_nat_pmp_always_suggests_a_port(suggested: int) -> None:
    """RFC 6886 3.3: 0 would leave it to the server, and MikroTik's refuses to choose."""
    world = started_nat_pmp()
    world.want(wish_of(suggested_external_port=suggested))
    (request,) = world.new_maps()
    assert request.suggested_external_port == (suggested or 8123)


def test_nat_pmp_never_deletes_all() -> None:
    """RFC 6886 3.4: port 0 would close what other programs of this host opened."""
    world = started_nat_pmp(wish_of(1), wish_of(2))
    for port in (1, 2):
        world.release(key_of(port))
        world.answer_all()
    deletes = [sent.message for sent in world.sent if sent.is_delete]
    assert [delete.internal_port for delete in deletes] == [1, 2]  # type: ignore[union-attr]
