"""Keeping what was granted."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from custom_components.pcp.client.codec import ResultCode
from custom_components.pcp.client.events import LeaseGranted, LeaseLost, LeaseRefused
from custom_components.pcp.client.mapping import LeaseState
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    EXTERNAL,
    LIFETIME,
    OTHER_EXTERNAL,
    START,
    key_of,
    nonce_of,
    wish_of,
)


@pytest.mark.parametrize(("jitter", "at"), [(0.0, 1800.0), (0.5, 2025.0)])
def test_first_renewal(jitter: float, at: float) -> None:
    """11.2.1: a single packet, between 1/2 and 5/8 of the lifetime."""
    world = started(wish_of(), jitter=jitter)
    world.run_until(START + 2500.0)
    assert world.times_of_maps() == [START, START + at]


def test_renewals_that_are_not_answered() -> None:
    """11.2.1: single packets at 3/4, 7/8 and so on, never less than 4 s apart."""
    world = started(wish_of(), jitter=0.0)
    world.run_until(START + LIFETIME - 0.001)
    times = [at - START for at in world.times_of_maps()]
    assert times[:6] == [0.0, 1800.0, 2700.0, 3150.0, 3375.0, 3487.5]
    assert all(later - earlier > 3.9999 for earlier, later in pairwise(times))
    assert len(times) < 13


def test_renewal_is_the_same_mapping() -> None:
    """11.2.1: the same nonce, and what was assigned is suggested again."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request, assigned_external_port=40000))
    world.run_until(START + 2500.0)
    (renewal,) = world.new_maps()
    assert renewal.nonce == nonce_of(key_of())
    assert renewal.lifetime == LIFETIME
    assert renewal.suggested_external_port == 40000
    assert renewal.suggested_external_address == EXTERNAL


def test_renewal_is_granted() -> None:
    """11.4: the end moves on, and the next renewal with it."""
    world = started(wish_of(), jitter=0.0)
    world.new_events(LeaseGranted)
    world.run_until(START + 1800.0)
    world.answer_all()
    (granted,) = world.new_events(LeaseGranted)
    assert granted.previous is not None
    assert granted.previous.expires_at == START + 3600.0
    assert granted.grant.expires_at == START + 5400.0
    world.run_until(START + 3599.0)
    assert world.new_maps() == []
    world.run_until(START + 3600.0)
    assert len(world.new_maps()) == 1


def test_an_update_is_no_answer_to_a_renewal() -> None:
    """14.2: it has what was left before, so the renewal may be granted all the same."""
    world = started(wish_of(), jitter=0.0)
    at = START + LIFETIME / 2
    world.run_until(at)
    (renewal,) = world.new_maps()
    world.run_for(0.5)
    world.receive(world.success(renewal, lifetime=LIFETIME // 2))
    lease = world.lease()
    assert lease is not None
    assert lease.grant is not None
    assert lease.grant.expires_at == at + 0.5 + LIFETIME / 2
    assert lease.open_until == at + LIFETIME
    # Its answer was lost. Deleted it is not known to be before that has run out.
    world.release()
    world.run_until(at + LIFETIME - 1.0)
    lease = world.lease()
    assert lease is not None
    assert lease.open_until == at + LIFETIME
    world.run_until(at + LIFETIME + 1.0)
    assert world.lease() is None


def test_a_lost_answer_of_a_server_that_grants_more() -> None:
    """11.3: it may grant more than is asked for, and will have done so again."""
    world = started(jitter=0.0)
    world.want(wish_of(lifetime=120))
    (request,) = world.new_maps()
    world.receive(world.success(request, lifetime=LIFETIME))
    world.run_until(START + LIFETIME / 2)
    assert len(world.new_maps()) == 1
    world.release()
    world.run_for(LIFETIME - 1.0)
    lease = world.lease()
    assert lease is not None
    assert lease.open_until == START + LIFETIME / 2 + LIFETIME


def test_the_answer_after_an_update() -> None:
    """14.2: it ends later than was known, and with that nothing is under way any more."""
    world = started(wish_of(), jitter=0.0)
    world.run_until(START + LIFETIME / 2)
    (renewal,) = world.new_maps()
    world.receive(world.success(renewal, lifetime=LIFETIME // 2))
    assert world.keeper.under_way(now=world.now) == [key_of()]
    world.receive(world.success(renewal))
    assert world.keeper.under_way(now=world.now) == []
    lease = world.lease()
    assert lease is not None
    assert lease.grant is not None
    assert lease.open_until == lease.grant.expires_at == world.now + LIFETIME


def test_other_address_at_a_renewal() -> None:
    """16.3.2: the assigned address and port are looked at in every answer."""
    world = started(wish_of(), jitter=0.0)
    world.run_until(START + 1800.0)
    (renewal,) = world.new_maps()
    world.receive(
        world.success(
            renewal,
            assigned_external_port=40000,
            assigned_external_address=OTHER_EXTERNAL,
        )
    )
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.assigned_external_port == 40000
    assert view.grant.assigned_external_address == OTHER_EXTERNAL


def test_mapping_that_runs_out() -> None:
    """15: it is lost when its lifetime is over, is told so, and is asked for again."""
    world = started(wish_of())
    world.run_until(START + LIFETIME - 0.001)
    assert world.state() is LeaseState.GRANTED
    world.new()
    world.run_until(START + LIFETIME + 4.0)
    assert world.new_events(LeaseLost) == [LeaseLost(key_of())]
    assert world.state() is LeaseState.REQUESTING
    (request,) = world.new_maps()
    assert request.suggested_external_address == EXTERNAL


def test_mapping_may_outlive_its_known_end() -> None:
    """A renewal whose answer was lost may have been granted."""
    world = started(wish_of(), jitter=0.0)
    world.run_until(START + 1800.0)
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.expires_at == START + 3600.0
    assert view.open_until == START + 5400.0


def test_refused_renewal() -> None:
    """11.4: it lives until it runs out, and is asked for after the hold."""
    world = started(wish_of(), jitter=0.0)
    world.run_until(START + 1800.0)
    (renewal,) = world.new_maps()
    world.receive(world.error(renewal, ResultCode.NOT_AUTHORIZED))
    view = world.lease()
    assert view is not None
    assert view.state is LeaseState.GRANTED
    assert view.refusal is not None
    assert view.open_until == START + 3600.0
    world.run_until(START + 3599.0)
    assert world.new_maps() == []
    world.run_until(START + 3600.0)
    assert world.new_events(LeaseLost) == [LeaseLost(key_of())]
    (request,) = world.new_maps()
    assert request.lifetime == LIFETIME


def test_refused_renewal_with_a_long_hold() -> None:
    """8.3: when the hold lasts longer than the mapping, it is refused from then on."""
    world = started(wish_of(), jitter=0.0)
    world.run_until(START + 1800.0)
    (renewal,) = world.new_maps()
    world.receive(world.error(renewal, ResultCode.NOT_AUTHORIZED, lifetime=7200))
    world.run_until(START + 8999.0)
    assert world.new_maps() == []
    assert world.state() is LeaseState.REFUSED
    world.run_until(START + 9000.0)
    assert len(world.new_maps()) == 1


def test_renewal_that_was_damaged() -> None:
    """7.4, 11.2.1: what could not be read is followed by the next one, and no hold."""
    world = started(wish_of(), jitter=0.0)
    world.run_until(START + 1800.0)
    (renewal,) = world.new_maps()
    world.receive(world.error(renewal, ResultCode.MALFORMED_REQUEST, lifetime=1800))
    world.run_until(START + 2700.0)
    assert world.new_maps() == [renewal]
    assert world.new_events(LeaseRefused) == []


def test_what_cannot_be_read() -> None:
    """7.4: a server that has read no such request before refuses it."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.MALFORMED_REQUEST))
    assert world.state() is LeaseState.REFUSED


@pytest.mark.parametrize("lifetime", [1, 5, 13, 60])
def test_tiny_lifetimes(lifetime: int) -> None:
    """11.2.1: kept as well as can be, with requests that are 4 s apart."""
    router = RouterCore(
        replace(PERSONALITIES["fritzbox"], fixed_lifetime=lifetime),
        external_address=EXTERNAL,
        now=START,
    )
    world = World(router=router, jitter=Random(1).random)
    world.want()
    world.run_for(600.0)
    times = world.times_of_maps()
    assert all(later - earlier > 3.9999 for earlier, later in pairwise(times))
    lost = world.new_events(LeaseLost)
    assert bool(lost) == (lifetime < 4)
    # Nothing is asked more often than the lifetime needs.
    assert len(times) <= 600.0 / max(lifetime / 2, 4.0) + 2


def test_huge_lifetime() -> None:
    """15: a mapping for ever is renewed as one of 24 hours."""
    world = started(jitter=0.0)
    world.want()
    (request,) = world.new_maps()
    world.receive(world.success(request, lifetime=0xFFFFFFFF))
    world.new()
    world.run_until(START + 43_199.0)
    assert world.new_maps() == []
    world.run_until(START + 43_200.0)
    assert len(world.new_maps()) == 1


def test_renewal_out_of_turn() -> None:
    """11.2.1: it is repeated when it is not answered, never after less than 4 s."""
    world = started(wish_of(), jitter=0.0)
    world.run_for(60.0)
    world.new()
    begin = world.now
    world.renew_all()
    world.run_for(20.0)
    times = [at - begin for at in world.times_of_maps()[1:]]
    assert len(times) == 3
    assert all(later - earlier > 3.9999 for earlier, later in pairwise(times))


def test_renewal_out_of_turn_keeps_its_distance() -> None:
    """11.2.1: also from the request that was just granted."""
    world = started(wish_of())
    world.run_for(1.0)
    world.renew_all()
    assert world.new_maps() == []
    world.run_for(3.0)
    assert world.times_of_maps() == [START, START + 4.0]


def test_nat_pmp_renewal() -> None:
    """RFC 6886 3.3: from half of the lifetime on, with the port that was mapped."""
    world = started_nat_pmp(jitter=0.0)
    world.want()
    (request,) = world.new_maps()
    world.receive(world.nat_pmp_success(request, assigned_external_port=40000))
    begin = world.now
    world.run_until(begin + 1800.0)
    (renewal,) = world.new_maps()
    assert renewal.suggested_external_port == 40000
    assert renewal.lifetime == LIFETIME
    assert world.times_of_maps()[-1] == begin + 1800.0


def test_quiet_hour() -> None:
    """Ten mappings cost at most two requests each in an hour, and fifteen checks."""
    router = RouterCore(
        PERSONALITIES["no_announce"], external_address=EXTERNAL, now=START
    )
    world = World(router=router, jitter=Random(2).random, latency=0.05)
    for port in range(1, 11):
        world.want(wish_of(port))
    world.run_for(3600.0)
    for _ in range(5):
        world.new()
        world.run_for(3600.0)
        new = world.new()
        assert sum(sent.is_check for sent in new) <= 15
        assert sum(sent.is_map for sent in new) <= 2 * 10
    assert world.new_events(LeaseLost) == []
