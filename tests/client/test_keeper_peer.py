"""Outgoing flows that are kept: PEER."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from custom_components.pcp.client.codec import (
    MapRequest,
    PeerRequest,
    PreferFailure,
    ResultCode,
)
from custom_components.pcp.client.events import (
    LeaseGranted,
    LeaseLost,
    LeaseRefused,
    LeaseReleased,
    ServerRestarted,
)
from custom_components.pcp.client.mapping import (
    Grant,
    LeaseState,
    LeaseView,
    PortRange,
    Protocol,
)
from custom_components.pcp.client.peer import PeerKey, PeerWish
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    CLIENT,
    CLIENT6,
    EXTERNAL,
    LIFETIME,
    OTHER_EXTERNAL,
    SERVER6,
    START,
    Sent,
    key_of,
    wish_of,
)

REMOTE = IPv4Address("198.51.100.7")


def peer_key(internal_port: int = 50000, **changes: Any) -> PeerKey:
    """Return the five-tuple of a TCP flow of ours, or as changed."""
    fields: dict[str, Any] = {
        "internal_address": CLIENT,
        "protocol": Protocol.TCP,
        "internal_port": internal_port,
        "remote_address": REMOTE,
        "remote_port": 443,
    }
    return PeerKey(**(fields | changes))


def peer_wish(internal_port: int = 50000, **changes: Any) -> PeerWish:
    """Return the wish to keep a flow."""
    key = changes.pop("key", None) or peer_key(internal_port)
    fields: dict[str, Any] = {
        "nonce": b"peer" + key.internal_port.to_bytes(4) + key.remote_port.to_bytes(4),
        "lifetime": LIFETIME,
    }
    return PeerWish(key=key, **(fields | changes))


def new_peers(world: World) -> list[PeerRequest]:
    """Return the new requests for flows."""
    return [flow for _, flow in flows(world.new())]


def flows(sent: list[Sent]) -> list[tuple[float, PeerRequest]]:
    """Return the requests about flows, and when; not one of them is a MAP."""
    found = []
    for at, message in ((each.at, each.message) for each in sent):
        if isinstance(message, MapRequest):
            assert not message.nonce.startswith(b"peer"), "a MAP for a flow"
        elif isinstance(message, PeerRequest):
            assert message.lifetime > 0, "a delete of a flow"
            found.append((at, message))
    return found


def peer_times(world: World) -> list[float]:
    """Return when a flow was asked for, ever."""
    return [at for at, _ in flows(world.sent)]


def peer(world: World, key: PeerKey | None = None) -> LeaseView:
    """Return a flow as the keeper shows it."""
    view = world.lease(key or peer_key())
    assert view is not None
    return view


def test_first_request() -> None:
    """12.1, 12.2: the five-tuple, nothing suggested, no option."""
    world = started()
    world.want(peer_wish())
    (request,) = new_peers(world)
    assert request == PeerRequest(
        client_address=CLIENT,
        lifetime=LIFETIME,
        nonce=peer_wish().nonce,
        protocol=6,
        internal_port=50000,
        suggested_external_port=0,
        suggested_external_address=IPv4Address(0),
        remote_port=443,
        remote_address=REMOTE,
    )
    assert PreferFailure() not in request.options


@pytest.mark.parametrize(
    "changes",
    [
        {"internal_port": 0},
        {"remote_port": 0},
        {"remote_port": 65536},
        {"remote_address": CLIENT6},
    ],
)
def test_flows_that_cannot_be(changes: dict[str, Any]) -> None:
    """12.1: neither port is 0, and both ends are of one IP version."""
    with pytest.raises(ValueError, match="flow"):
        peer_key(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"exact": True},
        {"allowed_sources": (IPv4Network("198.51.100.0/24"),)},
        {"port_range": PortRange(first=50000, count=2)},
    ],
)
def test_wishes_that_cannot_be(changes: dict[str, Any]) -> None:
    """12.1, 13.3, RFC 7753: PREFER_FAILURE, FILTER and PORT_SET are not for PEER."""
    with pytest.raises(ValueError, match="PEER"):
        peer_wish(**changes)


def test_grant() -> None:
    """12.4: what was assigned is told, and shown apart from the mappings."""
    world = started(wish_of())
    world.want(peer_wish())
    world.answer_all()
    granted = world.new_events(LeaseGranted)[-1]
    assert granted.key == peer_key()
    assert granted.grant == Grant(
        assigned_external_address=EXTERNAL,
        assigned_external_port=40001,
        lifetime=LIFETIME,
        expires_at=world.now + LIFETIME,
    )
    assert [view.key for view in world.keeper.peers()] == [peer_key()]
    assert [view.key for view in world.keeper.leases()] == [key_of()]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"protocol": 17}, "mapping"),
        ({"internal_port": 50001}, "mapping"),
        ({"remote_port": 444}, "mapping"),
        ({"remote_address": EXTERNAL}, "mapping"),
        ({"nonce": bytes(12)}, "nonce"),
    ],
)
def test_answers_that_match_nothing(changes: dict[str, Any], reason: str) -> None:
    """12.4: the five-tuple and the nonce are compared."""
    world = started()
    world.want(peer_wish())
    (request,) = new_peers(world)
    world.receive(world.peer_success(request, **changes))
    assert peer(world).state is LeaseState.REQUESTING
    assert world.drops == {reason: 1}


def test_answer_to_map_is_none_to_peer() -> None:
    """8.3, 12.4: the opcode is compared first."""
    world = started()
    world.want(peer_wish())
    (request,) = new_peers(world)
    as_map = MapRequest(
        client_address=CLIENT,
        lifetime=LIFETIME,
        nonce=request.nonce,
        protocol=6,
        internal_port=50000,
        suggested_external_address=EXTERNAL,
    )
    world.receive(world.success(as_map, assigned_external_port=40001))
    assert peer(world).state is LeaseState.REQUESTING
    assert world.drops == {"mapping": 1}


def test_external_address_of_another_family() -> None:
    """12.4: behind a NAT64 the external address is an IPv4 one."""
    world = started(server=SERVER6, client=CLIENT6)
    key = peer_key(internal_address=CLIENT6, remote_address=SERVER6)
    world.want(peer_wish(key=key))
    world.answer_all()
    grant = peer(world, key).grant
    assert grant is not None
    assert grant.assigned_external_address == EXTERNAL


def test_flows_of_one_port() -> None:
    """12.1: one internal port, several remote hosts, and a door beside them."""
    keys = [peer_key(8123, remote_port=number) for number in (1, 2)]
    world = started(wish_of(8123))
    for key in keys:
        world.want(peer_wish(key=key))
    world.answer_all()
    assert [view.key for view in world.keeper.peers()] == keys
    assert all(view.grant for view in world.keeper.peers())
    world.release(keys[0])
    assert peer(world, keys[1]).state is LeaseState.GRANTED
    assert world.state(key_of(8123)) is LeaseState.GRANTED


def test_retransmission() -> None:
    """8.1.1: an unanswered request is repeated, the same one, at doubling distances."""
    world = started()
    world.want(peer_wish())
    world.run_for(30.0)
    assert [at - START for at in peer_times(world)] == [0.0, 3.0, 9.0, 21.0]
    assert len(set(new_peers(world))) == 1


def test_renewal() -> None:
    """12.4, 11.2.1: renewed between 1/2 and 5/8, with what was assigned, and for ever."""
    world = started(jitter=0.5)
    world.want(peer_wish())
    world.answer_all()
    world.run_for(LIFETIME * 9 / 16)
    assert peer_times(world)[-1] == START + LIFETIME * 9 / 16
    request = new_peers(world)[-1]
    assert request.suggested_external_port == 40001
    assert request.suggested_external_address == EXTERNAL
    assert request.nonce == peer_wish().nonce
    world.receive(world.peer_success(request))
    for _ in range(100):
        world.run_for(600.0)
        world.answer_all()
        assert peer(world).state is LeaseState.GRANTED
    assert world.new_events(LeaseLost) == []


def test_release() -> None:
    """12.1: it cannot be deleted: nothing is sent, and it runs out."""
    world = started()
    world.want(peer_wish())
    world.answer_all()
    ends_at = world.now + LIFETIME
    world.release(peer_key())
    assert peer(world).state is LeaseState.RELEASING
    assert peer(world).open_until == ends_at
    world.run_until(ends_at - 1.0)
    assert new_peers(world) == []
    assert world.new_events(LeaseReleased) == []
    world.run_until(ends_at)
    assert world.new_events(LeaseReleased) == [LeaseReleased(peer_key())]
    assert world.keeper.peers() == ()
    assert new_peers(world) == []


def test_release_before_the_first_answer() -> None:
    """12.1: a flow that was asked for may be kept: its repetitions end, and it with it."""
    world = started()
    world.want(peer_wish())
    request = new_peers(world)[0]
    world.release(peer_key())
    world.run_for(60.0)
    assert new_peers(world) == []
    world.receive(world.peer_success(request))
    assert peer(world).state is LeaseState.RELEASING
    assert new_peers(world) == []
    world.run_for(LIFETIME)
    assert world.keeper.peers() == ()
    assert new_peers(world) == []


def test_release_while_it_waits_in_line() -> None:
    """12.1: what was never asked for is gone at once, and is not asked for."""
    world = started()
    for port in range(1, 21):
        world.want(wish_of(port), urgent=False)
    world.want(peer_wish(), urgent=False)
    world.release(peer_key())
    world.answer_all()
    assert world.keeper.peers() == ()
    assert peer_times(world) == []


def test_release_while_its_renewal_waits_in_line() -> None:
    """12.1: the turn that it waited for is not used for a delete."""
    world = started()
    world.want(peer_wish())
    world.answer_all()
    world.run_for(60.0)
    for port in range(1, 21):
        world.want(wish_of(port), urgent=False)
    world.renew_all()
    world.release(peer_key())
    world.answer_all()
    assert len(peer_times(world)) == 1
    assert peer(world).state is LeaseState.RELEASING


@pytest.mark.parametrize("code", [ResultCode.NO_RESOURCES, ResultCode.NOT_AUTHORIZED])
def test_late_refusal_of_a_released_flow(code: ResultCode) -> None:
    """12.1: a refused renewal says nothing of what was granted before: it runs out."""
    world = started()
    world.want(peer_wish())
    world.answer_all()
    world.run_for(60.0)
    world.renew_all()
    request = new_peers(world)[-1]
    world.release(peer_key())
    world.run_for(11.0)
    before = peer(world)
    world.receive(world.peer_success(request, result_code=code, lifetime=0))
    assert peer(world) == before
    assert before.open_until is not None


@pytest.mark.parametrize(
    "code", [ResultCode.NO_RESOURCES, ResultCode.NOT_AUTHORIZED, ResultCode.SUCCESS]
)
def test_nothing_is_sent_for_a_released_flow(code: ResultCode) -> None:
    """12.1: no answer, no restart, no button and no silence makes it be asked for."""
    world = started(wish_of())
    world.want(peer_wish())
    world.answer_all()
    world.run_for(60.0)
    world.renew_all()
    request = new_peers(world)[0]
    world.release(peer_key())
    world.receive(world.peer_success(request, result_code=code))
    assert peer(world).open_until is not None
    world.reboot()
    world.renew_all()
    world.answer_all()
    assert world.new_events(ServerRestarted) != []
    world.refuse_connection()
    world.run_for(600.0)
    world.announce()
    world.run_for(600.0)
    world.answer_all()
    assert peer(world).state is LeaseState.RELEASING
    assert len(peer_times(world)) == 2


def test_flow_that_is_wanted_again() -> None:
    """12.1: with its nonce it is renewed; with another one when the old has run out."""
    world = started()
    world.want(peer_wish())
    world.answer_all()
    world.release(peer_key())
    world.want(peer_wish())
    world.answer_all()
    assert peer(world).state is LeaseState.GRANTED
    ends_at = world.now + LIFETIME
    world.release(peer_key())
    world.want(peer_wish(nonce=b"another one!"))
    assert new_peers(world) == []
    world.run_until(ends_at)
    assert [request.nonce for request in new_peers(world)] == [b"another one!"]


def test_epoch_loss() -> None:
    """12.2, 16.3.1: a flow is made again where it was when the server lost its state."""
    world = started(wish_of())
    world.want(peer_wish())
    world.answer_all()
    world.run_for(60.0)
    world.reboot()
    world.announce()
    world.run_for(5.0)
    world.answer_all()
    assert LeaseLost(peer_key()) in world.events
    assert peer(world).state is LeaseState.GRANTED
    request = [sent.message for sent in world.sent if not sent.is_map][-1]
    assert isinstance(request, PeerRequest)
    assert request.suggested_external_port == 40001
    assert request.suggested_external_address == EXTERNAL


def test_flow_whose_address_is_taken() -> None:
    """12.1: PEER implies PREFER_FAILURE: then any address will do, asked for at once."""
    world = started()
    world.want(peer_wish())
    world.answer_all()
    world.run_for(60.0)
    world.renew_all()
    request = new_peers(world)[-1]
    refused = world.peer_success(
        request, result_code=ResultCode.CANNOT_PROVIDE_EXTERNAL, lifetime=30
    )
    world.receive(refused)
    assert world.new_events(LeaseLost) == [LeaseLost(peer_key())]
    (again,) = new_peers(world)
    assert again.suggested_external_port == 0
    assert again.suggested_external_address == IPv4Address(0)
    world.receive(world.peer_success(again, assigned_external_port=50505))
    grant = peer(world).grant
    assert grant is not None
    assert grant.assigned_external_port == 50505


def test_flow_that_has_no_address_at_all() -> None:
    """8.3: the same request is not repeated: it is a refusal like any other."""
    world = started()
    world.want(peer_wish())
    (request,) = new_peers(world)
    world.receive(
        world.peer_success(
            request, result_code=ResultCode.CANNOT_PROVIDE_EXTERNAL, lifetime=30
        )
    )
    assert peer(world).state is LeaseState.REFUSED
    world.run_for(299.0)
    assert new_peers(world) == []
    world.run_for(1.0)
    assert len(new_peers(world)) == 1


def test_server_without_peer() -> None:
    """8.3: UNSUPP_OPCODE holds for half an hour, for this flow; doors are not meant."""
    world = started(wish_of())
    world.want(peer_wish())
    (request,) = new_peers(world)
    world.receive(
        world.peer_success(request, result_code=ResultCode.UNSUPP_OPCODE, lifetime=0)
    )
    (refused,) = world.new_events(LeaseRefused)
    assert refused.key == peer_key()
    world.want(wish_of(2), urgent=False)
    world.answer_all()
    assert world.state(key_of(2)) is LeaseState.GRANTED
    world.run_until(START + 1799.0)
    assert len(peer_times(world)) == 1
    world.run_until(START + 1800.0)
    assert len(peer_times(world)) == 2


def test_full_server() -> None:
    """12.4: NO_RESOURCES holds up all that would be new on the server."""
    world = started()
    world.want(peer_wish())
    (request,) = new_peers(world)
    world.receive(
        world.peer_success(request, result_code=ResultCode.NO_RESOURCES, lifetime=60)
    )
    world.want(wish_of(), urgent=False)
    assert world.new_maps() == []
    world.run_for(60.0)
    assert len(world.new_maps()) == 1


def test_refused_renewal_leaves_the_flow() -> None:
    """11.4, 12.4: a flow whose renewal is refused lives on till its end."""
    world = started()
    world.want(peer_wish())
    world.answer_all()
    world.run_for(60.0)
    world.renew_all()
    request = new_peers(world)[-1]
    world.receive(
        world.peer_success(request, result_code=ResultCode.NO_RESOURCES, lifetime=60)
    )
    assert peer(world).state is LeaseState.GRANTED


def test_mapping_update() -> None:
    """14.2: an answer that nobody asked for tells where the flow is by now."""
    world = started()
    world.want(peer_wish())
    (request,) = new_peers(world)
    world.receive(world.peer_success(request))
    world.run_for(60.0)
    world.receive(world.peer_success(request, assigned_external_address=OTHER_EXTERNAL))
    granted = world.new_events(LeaseGranted)[-1]
    assert granted.previous is not None
    assert granted.grant.assigned_external_address == OTHER_EXTERNAL


def test_flow_is_no_verification() -> None:
    """A forged announcement does not make miniupnpd add a rule: a probe is sent."""
    world = started()
    world.want(peer_wish())
    world.answer_all()
    world.run_for(60.0)
    world.new()
    world.announce(world.announcement(epoch_time=0))
    world.run_for(5.0)
    (probe,) = world.new()
    assert isinstance(probe.message, MapRequest)


def test_nat_pmp_has_no_flows() -> None:
    """RFC 6886: nothing is sent that would be something else there."""
    world = started_nat_pmp()
    world.want(peer_wish())
    assert world.new() == []
    assert peer(world).state is LeaseState.REFUSED


def test_restored_flow() -> None:
    """12.2: after our own restart it is renewed with its nonce and what was assigned."""
    world = World()
    world.restore(
        peer_wish(),
        grant=Grant(
            assigned_external_address=EXTERNAL,
            assigned_external_port=40001,
            lifetime=LIFETIME,
            expires_at=world.now + 100.0,
        ),
    )
    (request,) = new_peers(world)
    assert request.suggested_external_port == 40001
    world.receive(world.peer_success(request))
    assert peer(world).state is LeaseState.GRANTED


def test_flow_from_an_address_of_the_past() -> None:
    """11.5, 16.4: from another address of ours it is not asked for."""
    world = started()
    world.want(peer_wish())
    world.answer_all()
    world.new()
    world.move_to(IPv4Address("192.168.1.77"))
    world.run_for(2 * LIFETIME)
    assert new_peers(world) == []


def test_miniupnpd() -> None:
    """Miniupnpd 2.3.1 grants flows over IPv4 and refuses all else; nothing comes of it."""
    router = RouterCore(
        PERSONALITIES["miniupnpd_2_3_1"],
        external_address=IPv4Address("11.22.33.44"),
        now=START,
    )
    world = World(router=router, latency=0.02)
    world.want(wish_of())
    world.want(peer_wish())
    world.run_for(3 * 3600.0)
    assert peer(world).state is LeaseState.GRANTED
    assert len(peer_times(world)) <= 1 + 3 * 2
    world.release(peer_key())
    world.run_for(3600.0)
    assert world.keeper.peers() == ()
    assert world.state() is LeaseState.GRANTED
    assert len(peer_times(world)) <= 1 + 3 * 2
