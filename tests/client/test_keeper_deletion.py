"""Deleting what is not wanted any more, and knowing that it is gone."""

from random import Random

import pytest

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.events import (
    LeaseKept,
    LeaseReappeared,
    LeaseReleased,
)
from custom_components.pcp.client.mapping import LeaseState
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    CLIENT6,
    EXTERNAL,
    LIFETIME,
    OTHER_CLIENT,
    SERVER6,
    START,
    key_of,
    nonce_of,
    wish_of,
)


def releasing() -> tuple[World, MapRequest]:
    """Return a world with a granted lease that is being deleted, and the delete."""
    world = started(wish_of())
    world.run_for(60.0)
    world.new()
    world.release()
    (delete,) = world.new_maps()
    return world, delete


def test_delete_request() -> None:
    """15.1: lifetime 0, the same nonce, nothing suggested."""
    world, delete = releasing()
    assert (delete.lifetime, delete.nonce) == (0, nonce_of(key_of()))
    assert delete.suggested_external_port == 0
    assert delete.suggested_external_address.is_unspecified
    view = world.lease()
    assert view is not None
    assert (view.state, view.grant) == (LeaseState.RELEASING, None)
    assert view.open_until == START + LIFETIME


def test_deleted() -> None:
    """15.1: a success with lifetime 0: nothing is left, and it is told."""
    world, delete = releasing()
    world.receive(world.success(delete))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]
    assert world.lease() is None
    world.run_for(7200.0)
    assert world.new_maps() == []


def test_delete_is_repeated_until_it_is_answered() -> None:
    """8.1.1: with the same nonce, for as long as the mapping may be open."""
    world, delete = releasing()
    world.run_until(START + LIFETIME - 1.0)
    repeated = world.new_maps()
    assert len(repeated) > 5
    assert {repr(request) for request in repeated} == {repr(delete)}
    assert world.new_events(LeaseReleased) == []
    world.run_until(START + LIFETIME)
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]
    world.new()
    world.run_for(3600.0)
    assert world.new_maps() == []


def test_delete_is_urgent() -> None:
    """Closing waits for no line: the delete leaves before a hundred requests do."""
    world = started(wish_of())
    for port in range(1, 101):
        world.keeper.want(wish_of(port), now=world.now, urgent=False)
    world.keeper.release(key_of(), now=world.now)
    world.pump()
    assert world.new_maps()[0].lifetime == 0


def test_unwanted_leases_are_not_renewed() -> None:
    """A lease that is being deleted is never asked for."""
    world, _ = releasing()
    world.renew_all()
    world.announce()
    world.run_for(LIFETIME)
    assert all(request.lifetime == 0 for request in world.new_maps())


def test_nothing_to_delete() -> None:
    """Q5: NO_RESOURCES for a delete means that nothing is there."""
    world = started(jitter=0.0)
    world.want()
    world.new()
    world.run_for(1.0)
    world.release()
    (delete,) = world.new_maps()
    answer = world.error(delete, ResultCode.NO_RESOURCES, lifetime=30)
    world.receive(answer)
    world.run_for(9.0)
    assert world.new_maps() == [delete]
    world.receive(answer)
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_nothing_to_delete_of_what_should_be_there() -> None:
    """11.4: a server that is short of something for a while deletes nothing, either.

    It is believed the second time: by then miniupnpd says so because nothing is there.
    """
    world, delete = releasing()
    answer = world.error(delete, ResultCode.NO_RESOURCES, lifetime=30)
    for _ in range(2):
        # The network may double it.
        world.receive(answer)
        assert world.state() is LeaseState.RELEASING
        # Nobody is kept waiting.
        assert world.new_events(LeaseKept) == [LeaseKept(key_of())]
    world.run_for(29.9)
    assert world.new_maps() == []
    world.run_for(0.1)
    assert world.new_maps() == [delete]
    world.receive(answer)
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_nothing_to_delete_after_a_deletion() -> None:
    """15.1: the second delete, after a late request, finds nothing and proves that."""
    world = started(wish_of(), jitter=0.0)
    world.run_until(START + LIFETIME / 2)
    world.new()
    world.release()
    (delete,) = world.new_maps()
    world.receive(world.success(delete))
    world.run_for(10.0)
    assert world.new_maps() == [delete]
    world.receive(world.error(delete, ResultCode.NO_RESOURCES, lifetime=30))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_nothing_to_delete_after_a_restart_of_the_server() -> None:
    """8.5: what was lost is not expected to be there."""
    world = started(wish_of())
    world.run_for(60.0)
    world.reboot()
    world.renew_all()
    renewal = world.new_maps()[-1]
    world.receive(world.error(renewal, ResultCode.NOT_AUTHORIZED))
    world.release()
    delete = world.new_maps()[-1]
    assert delete.lifetime == 0
    world.receive(world.error(delete, ResultCode.NO_RESOURCES, lifetime=30))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_refused_delete_of_what_is_wanted_again() -> None:
    """Q5: its answer looks like the new request's, which may be granted all the same."""
    world = started(wish_of())
    world.release()
    (delete,) = world.new_maps()
    world.run_for(1.0)
    world.want()
    (request,) = world.new_maps()
    world.receive(world.error(delete, ResultCode.NO_RESOURCES, lifetime=30))
    # The other answer is lost.
    assert request.lifetime == LIFETIME
    lease = world.lease()
    assert lease is not None
    assert lease.open_until == world.now + LIFETIME
    world.release()
    (delete,) = world.new_maps()
    assert delete.lifetime == 0


def test_delete_that_is_refused() -> None:
    """A mapping that cannot be deleted is still open, and the delete tried again."""
    world, delete = releasing()
    world.receive(world.error(delete, ResultCode.NOT_AUTHORIZED))
    assert world.new_events(LeaseKept) == [LeaseKept(key_of())]
    view = world.lease()
    assert view is not None
    assert (view.state, view.open_until) == (LeaseState.RELEASING, START + LIFETIME)
    begin = world.now
    world.run_until(begin + 1799.0)
    assert world.new_maps() == []
    world.run_until(begin + 1800.0)
    assert [request.lifetime for request in world.new_maps()] == [0]
    world.receive(world.success(delete))
    assert world.lease() is None


def test_delete_that_is_refused_until_the_end() -> None:
    """Miniupnpd does not delete a renewed pinhole: it ends by itself, told so."""
    world, delete = releasing()
    world.receive(world.error(delete, ResultCode.NOT_AUTHORIZED, lifetime=86_400))
    world.run_until(START + LIFETIME - 1.0)
    assert world.state() is LeaseState.RELEASING
    world.run_until(START + LIFETIME)
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_server_that_keeps_pinholes() -> None:
    """A door that cannot be closed on demand is open for ten minutes at most."""
    wishes = [wish_of(key=key_of(port, address=CLIENT6)) for port in (1, 2, 3)]
    world = started(*wishes[:2], server=SERVER6, client=CLIENT6)
    world.run_for(60.0)
    world.release(wishes[0].key)
    delete = world.new_maps()[-1]
    world.receive(world.error(delete, ResultCode.NOT_AUTHORIZED))
    world.want(wishes[2])
    world.renew_all()
    requests = world.new_maps()
    assert sorted((r.internal_port, r.lifetime) for r in requests) == [
        (1, 0),
        (2, 600),
        (3, 600),
        (3, 600),
    ]
    world.receive(world.success(requests[0], lifetime=600))
    view = world.lease(wishes[2].key)
    assert view is not None
    assert view.open_until == world.now + 600.0


def test_server_that_is_known_to_keep_pinholes() -> None:
    """What an earlier life saw holds for what is taken up, and for what is new."""
    first, second = (wish_of(key=key_of(port, address=CLIENT6)) for port in (1, 2))
    world = started(first, server=SERVER6, client=CLIENT6)
    assert not world.keeper.server_view().keeps_pinholes
    world.keeper.limit_pinholes()
    assert world.keeper.server_view().keeps_pinholes
    world.want(second)
    world.run_for(5.0)
    world.renew_all()
    assert {request.lifetime for request in world.new_maps()} == {600}


def test_short_pinholes_stay_short() -> None:
    """A lifetime below the ten minutes is asked for as it is wished for."""
    key, other = key_of(1, address=CLIENT6), key_of(2, address=CLIENT6)
    world = started(wish_of(key=key), server=SERVER6, client=CLIENT6)
    world.release(key)
    world.receive(world.error(world.new_maps()[-1], ResultCode.NOT_AUTHORIZED))
    world.want(wish_of(key=other, lifetime=120))
    assert world.new_maps()[-1].lifetime == 120


def test_server_that_keeps_an_ipv4_mapping() -> None:
    """A refused delete over IPv4 is another matter: lifetimes are as wished for."""
    world, delete = releasing()
    world.receive(world.error(delete, ResultCode.NOT_AUTHORIZED))
    world.want(wish_of(2))
    assert world.new_maps()[-1].lifetime == LIFETIME


@pytest.mark.parametrize(
    "code", [ResultCode.NETWORK_FAILURE, ResultCode.UNSUPP_OPCODE, 200]
)
def test_other_errors_of_a_delete(code: ResultCode | int) -> None:
    """8.3: any error holds the delete, and leaves the lease as it is."""
    world, delete = releasing()
    world.receive(world.error(delete, code))
    world.run_for(29.0)
    assert world.new_maps() == []
    assert world.state() is LeaseState.RELEASING


def test_delete_that_was_damaged() -> None:
    """7.4: what could not be read is asked again: its like has made the mapping."""
    world, delete = releasing()
    for wait in (3.0, 6.0, 12.0, 24.0):
        world.receive(world.error(delete, ResultCode.MALFORMED_REQUEST, lifetime=1800))
        assert world.state() is LeaseState.RELEASING
        world.run_for(wait - 0.1)
        assert world.new_maps() == []
        world.run_for(0.1)
        assert world.new_maps() == [delete]
    assert world.drops == {"damaged": 4}
    world.receive(world.success(delete))
    assert world.lease() is None


def test_mapping_that_lives_on_for_a_while() -> None:
    """15: a server may answer with the seconds for which traffic keeps it open."""
    router = RouterCore(PERSONALITIES["lingering"], external_address=EXTERNAL, now=0.0)
    world = World(router=router, latency=0.01)
    world.want()
    world.run_for(60.0)
    world.release()
    world.run_for(0.1)
    view = world.lease()
    assert view is not None
    assert view.state is LeaseState.RELEASING
    assert view.open_until == pytest.approx(START + 180.0, abs=1.1)
    world.new()
    world.run_for(119.0)
    assert world.new_maps() == []
    assert len(router.mappings) == 1
    world.run_for(2.0)
    assert world.lease() is None
    assert len(router.mappings) == 0


def test_late_grant_while_releasing() -> None:
    """8: a create that was answered late was made again: the delete is repeated."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.release()
    (delete,) = world.new_maps()
    world.receive(world.success(request))
    assert world.state() is LeaseState.RELEASING
    # The delete that was under way may have been there before the create.
    world.receive(world.success(delete))
    assert world.state() is LeaseState.RELEASING
    world.run_for(3.0)
    (delete,) = world.new_maps()
    world.receive(world.success(delete))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_linger() -> None:
    """A create that was never answered may still be under way: a second delete."""
    world = started()
    world.want()
    world.new()
    world.run_for(1.0)
    world.release()
    (delete,) = world.new_maps()
    # RFC 6887 8: there may be more than one answer to it.
    for _ in range(2):
        world.receive(world.success(delete))
        assert world.state() is LeaseState.RELEASING
    world.run_for(8.9)
    assert world.new_maps() == []
    world.run_for(0.1)
    (delete,) = world.new_maps()
    world.receive(world.success(delete))
    assert world.lease() is None


def test_reappearance() -> None:
    """8: a grant for what was released is told, and given back at once."""
    world, delete = releasing()
    request = world.sent[1].message
    assert isinstance(request, MapRequest)
    world.receive(world.success(delete))
    world.new_events(LeaseReleased)
    world.run_for(100.0)
    world.receive(world.success(request))
    (event,) = world.new_events(LeaseReappeared)
    assert event == LeaseReappeared(wish_of(), world.now + LIFETIME)
    (again,) = world.new_maps()
    assert again == delete
    view = world.lease()
    assert view is not None
    assert (view.state, view.open_until) == (
        LeaseState.RELEASING,
        world.now + LIFETIME,
    )
    world.receive(world.success(again))
    assert world.new_events(LeaseReleased) == [LeaseReleased(key_of())]


def test_reappearance_is_remembered_for_two_minutes() -> None:
    """A released mapping is forgotten in the end: the nonce is unknown again."""
    world, delete = releasing()
    request = world.sent[1].message
    assert isinstance(request, MapRequest)
    world.receive(world.success(delete))
    world.run_for(121.0)
    world.receive(world.success(request))
    assert world.new_events(LeaseReappeared) == []
    assert world.drops == {"nonce": 1}


@pytest.mark.parametrize("kind", ["delete", "error"])
def test_late_answers_that_show_no_mapping(kind: str) -> None:
    """A second answer to the delete is no reappearance, nor is an error."""
    world, delete = releasing()
    world.receive(world.success(delete))
    world.receive(
        world.success(delete)
        if kind == "delete"
        else world.error(delete, ResultCode.NOT_AUTHORIZED)
    )
    assert world.new_events(LeaseReappeared) == []
    assert world.lease() is None
    assert world.drops == {"nonce": 1}


def test_reappearance_of_what_is_wanted_again() -> None:
    """An old nonce says nothing of a mapping that was made anew with another one."""
    world, delete = releasing()
    request = world.sent[1].message
    assert isinstance(request, MapRequest)
    world.receive(world.success(delete))
    world.want(wish_of(nonce=b"lease-new---"))
    world.answer_all()
    world.receive(world.success(request))
    assert world.new_events(LeaseReappeared) == []
    assert world.state() is LeaseState.GRANTED


def test_remembered_ones_do_not_pile_up() -> None:
    """Years of opening and closing leave no trace."""
    world = started()
    for number in range(500):
        world.want(wish_of(nonce=b"lease%7d" % number))
        world.answer_all()
        world.release()
        world.answer_all()
        world.run_for(30.0)
    assert len(world.keeper._leases.table._ended) <= 5


def test_delete_of_another_host() -> None:
    """13.1: a third party's mapping is deleted for as long as we have any address."""
    key = key_of(address=OTHER_CLIENT)
    world = started(wish_of(key=key, third_party=True))
    world.release(key)
    world.answer_all()
    assert world.lease(key) is None


def test_nat_pmp_delete() -> None:
    """RFC 6886 3.4: lifetime 0, external port 0; repeated until it is answered."""
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.new()
    world.release()
    (delete,) = world.new_maps()
    assert (delete.lifetime, delete.suggested_external_port) == (0, 0)
    assert delete.internal_port == 8123
    world.run_for(1000.0)
    assert len(world.new_maps()) > 8 + 9
    world.receive(world.nat_pmp_success(delete))
    assert world.lease() is None


def test_nat_pmp_delete_that_is_refused() -> None:
    """RFC 6886 3.4: a refused delete leaves the mapping, and is tried again."""
    world = started_nat_pmp(wish_of())
    world.run_for(60.0)
    world.new()
    world.release()
    (delete,) = world.new_maps()
    world.receive(world.nat_pmp_success(delete, result_code=2))
    assert world.state() is LeaseState.RELEASING
    world.run_for(1799.0)
    assert world.new_maps() == []
    world.run_for(1.0)
    assert len(world.new_maps()) == 1


def test_nat_pmp_reappearance() -> None:
    """RFC 6886 has no nonces: mapping and address tell what was made again."""
    world = started_nat_pmp()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.nat_pmp_success(request))
    world.run_for(60.0)
    world.release()
    world.answer_all()
    assert world.lease() is None
    world.receive(world.nat_pmp_success(request, internal_port=1))
    assert world.new_events(LeaseReappeared) == []
    world.receive(world.nat_pmp_success(request))
    assert len(world.new_events(LeaseReappeared)) == 1
    assert [delete.lifetime for delete in world.new_maps()] == [0]


@pytest.mark.parametrize("name", ["rfc", "miniupnpd_2_3_1", "nat_pmp_only"])
def test_closing_through_loss(name: str) -> None:
    """Whatever is lost on the way: what is unwanted is gone in the end."""
    random = Random(7)
    router = RouterCore(
        PERSONALITIES[name], external_address=type(EXTERNAL)("11.22.33.44"), now=0.0
    )
    world = World(router=router, latency=0.03, jitter=random.random)
    world.loses = lambda: random.random() < 0.3
    for port in range(1, 21):
        world.want(wish_of(port))
    world.run_for(600.0)
    assert len(router.mappings) == 20
    for port in range(1, 21):
        world.release(key_of(port))
    world.run_for(900.0)
    assert world.keeper.leases() == ()
    assert len(router.mappings) == 0


def test_refusal_after_a_silence() -> None:
    """8.3: the answer that ends a silence is an answer: its hold begins."""
    world, delete = releasing()
    world.run_for(100.0)
    assert world.keeper.server_view().reachable is False
    world.new()
    world.receive(world.error(delete, ResultCode.NOT_AUTHORIZED))
    world.run_for(1799.0)
    assert world.new_maps() == []


def test_success_after_a_silence() -> None:
    """15.1: the answer that ends a silence is not asked for once more."""
    world = started()
    world.want()
    world.run_for(98.0)
    world.release()
    world.run_for(1.5)
    delete = world.new_maps()[-1]
    world.receive(world.success(delete))
    assert world.new_maps() == []
    assert world.state() is LeaseState.RELEASING
    world.run_for(4.0)
    assert [request.lifetime for request in world.new_maps()] == [0]
