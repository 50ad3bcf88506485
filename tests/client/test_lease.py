"""The life of one mapping: every state with every input, and the deadlines."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from custom_components.pcp.client.codec import ResultCode
from custom_components.pcp.client.lease import Lease
from custom_components.pcp.client.mapping import (
    Grant,
    LeaseState,
    Refusal,
    RefusalReason,
)
from custom_components.pcp.client.timing import (
    nat_pmp_retransmission,
    pcp_retransmission,
)

from .scripted_server import EXTERNAL, LIFETIME, OTHER_EXTERNAL, wish_of

REQUESTING, GRANTED = LeaseState.REQUESTING, LeaseState.GRANTED
REFUSED, RELEASING = LeaseState.REFUSED, LeaseState.RELEASING

NOW = 1000.0
LATER = 1010.0
GRANT = Grant(
    assigned_external_address=EXTERNAL,
    assigned_external_port=40000,
    lifetime=LIFETIME,
    expires_at=NOW + LIFETIME,
)
REFUSAL = Refusal(
    reason=RefusalReason.NETWORK_FAILURE,
    result_code=ResultCode.NETWORK_FAILURE,
    retry_at=LATER + 30.0,
)


def jitter() -> float:
    """Return no spread, and the middle of every interval."""
    return 0.5


def send(lease: Lease, *, now: float = NOW) -> None:
    """Send what the lease has to send, to be repeated until it is answered."""
    lease.sent(pcp_retransmission(jitter), now=now, jitter=jitter)


def requesting() -> Lease:
    """Return a lease that was asked for once."""
    lease = Lease(wish_of())
    send(lease)
    return lease


def granted() -> Lease:
    """Return a lease that was granted."""
    lease = requesting()
    lease.granted(GRANT, now=NOW, jitter=jitter)
    return lease


def refused() -> Lease:
    """Return a lease that was refused."""
    lease = requesting()
    lease.refused(REFUSAL, jitter=jitter)
    return lease


def giving_back() -> Lease:
    """Return a lease whose grant was not acceptable."""
    lease = requesting()
    lease.give_back(REFUSAL, expires_at=GRANT.expires_at, now=NOW)
    return lease


def releasing() -> Lease:
    """Return a lease that was granted, and is being deleted."""
    lease = granted()
    lease.release(now=NOW)
    send(lease)
    return lease


INPUTS: dict[str, Callable[[Lease], None]] = {
    "sent": lambda lease: send(lease, now=LATER),
    "granted": lambda lease: lease.granted(GRANT, now=LATER, jitter=jitter),
    "give_back": lambda lease: lease.give_back(
        REFUSAL, expires_at=GRANT.expires_at, now=LATER
    ),
    "refused": lambda lease: lease.refused(REFUSAL, jitter=jitter),
    "hold": lambda lease: lease.hold(REFUSAL),
    "lost": lambda lease: lease.lost(),
    "ran_out": lambda lease: lease.ran_out(now=GRANT.expires_at),
    "ask_again": lambda lease: lease.ask_again(now=LATER),
    "ask_afresh": lambda lease: lease.ask_afresh(now=LATER),
    "forced": lambda lease: lease.ask_again(now=LATER, forced=True),
    "want": lambda lease: lease.want(lease.wish, now=LATER, urgent=True),
    "want_quietly": lambda lease: lease.want(lease.wish, now=LATER, urgent=False),
    "release": lambda lease: lease.release(now=LATER),
    "deleted": lambda lease: lease.deleted(now=LATER),
    "deletion_refused": lambda lease: lease.deletion_refused(REFUSAL),
    "granted_unwanted": lambda lease: lease.granted_unwanted(
        expires_at=GRANT.expires_at, now=LATER
    ),
}
OUTCOMES = {
    requesting: {
        "sent": REQUESTING,
        "granted": GRANTED,
        "give_back": REFUSED,
        "refused": REFUSED,
        "hold": REFUSED,
        "lost": REQUESTING,
        "ask_again": REQUESTING,
        "ask_afresh": REQUESTING,
        "forced": REQUESTING,
        "want": REQUESTING,
        "want_quietly": REQUESTING,
        "release": RELEASING,
    },
    granted: {
        "sent": GRANTED,
        "granted": GRANTED,
        "give_back": REFUSED,
        "refused": GRANTED,
        "lost": REQUESTING,
        "ran_out": REQUESTING,
        "ask_again": GRANTED,
        "forced": GRANTED,
        "want": GRANTED,
        "want_quietly": GRANTED,
        "release": RELEASING,
    },
    refused: {
        "granted": GRANTED,
        "give_back": REFUSED,
        "refused": REFUSED,
        "lost": REQUESTING,
        "ask_again": REFUSED,
        "ask_afresh": REQUESTING,
        "forced": REQUESTING,
        "want": REQUESTING,
        "want_quietly": REFUSED,
        "release": RELEASING,
    },
    giving_back: {
        "sent": REFUSED,
        "lost": REQUESTING,
        "ask_again": REFUSED,
        "forced": REQUESTING,
        "want": REQUESTING,
        "release": RELEASING,
        "deleted": REFUSED,
        "deletion_refused": REFUSED,
        "granted_unwanted": REFUSED,
    },
    releasing: {
        "sent": RELEASING,
        "lost": RELEASING,
        "ask_again": RELEASING,
        "ask_afresh": RELEASING,
        "forced": RELEASING,
        "want": REQUESTING,
        "want_quietly": REQUESTING,
        "release": RELEASING,
        "deleted": RELEASING,
        "deletion_refused": RELEASING,
        "granted_unwanted": RELEASING,
    },
}


@pytest.mark.parametrize(
    ("begin", "name", "state"),
    [
        pytest.param(begin, name, state, id=f"{begin.__name__}-{name}")
        for begin, outcomes in OUTCOMES.items()
        for name, state in outcomes.items()
    ],
)
def test_every_input_in_every_state(
    begin: Callable[[], Lease], name: str, state: LeaseState
) -> None:
    """The table in lease.py, and what must be true of any lease at all."""
    lease = begin()
    nonce, key = lease.wish.nonce, lease.key
    INPUTS[name](lease)
    assert lease.state is state
    assert (lease.wish.nonce, lease.key) == (nonce, key)
    view = lease.view(now=LATER)
    assert view.state is state
    assert (view.grant is not None) == (state is GRANTED)
    assert view.refusal is not None or state is not REFUSED
    assert view.refusal is None or state is not RELEASING
    if view.grant is not None:
        assert view.open_until is not None
        assert view.open_until >= view.grant.expires_at
    # Somebody wakes it, unless it is over and only waits to be let go.
    assert lease.next_due() is not None or lease.is_over(now=LATER)


def test_new_lease() -> None:
    """Before anything was sent nothing can be open."""
    lease = Lease(wish_of())
    assert lease.state is REQUESTING
    assert lease.creates
    assert lease.open_until is None
    assert lease.next_due() is None


def test_unasked_lease_is_over_when_released() -> None:
    """Nothing was sent, so nothing has to be deleted."""
    lease = Lease(wish_of())
    lease.release(now=NOW)
    assert lease.is_over(now=NOW)


def test_refused_lease_is_over_when_released() -> None:
    """The server said that there is nothing."""
    lease = refused()
    lease.release(now=NOW)
    assert lease.is_over(now=NOW)


def test_unanswered_request_may_be_granted() -> None:
    """Until then it may be open, for the answer may be what was lost."""
    lease = requesting()
    assert lease.open_until == NOW + LIFETIME
    lease.release(now=LATER)
    assert not lease.is_over(now=LATER)
    assert lease.is_over(now=NOW + LIFETIME)


def test_repetition_prolongs_what_may_be() -> None:
    """The last transmission counts, and with it the longest lifetime asked for."""
    lease = requesting()
    send(lease, now=NOW + 3.0)
    assert lease.open_until == NOW + 3.0 + LIFETIME
    lease.want(replace(lease.wish, lifetime=120), now=LATER, urgent=True)
    send(lease, now=LATER)
    assert lease.open_until == NOW + 3.0 + LIFETIME


def test_refused_copy_of_a_request() -> None:
    """8: of a request that was repeated one copy may have been granted before."""
    lease = requesting()
    send(lease, now=NOW + 3.0)
    lease.refused(REFUSAL, jitter=jitter)
    assert lease.open_until == NOW + 3.0 + LIFETIME
    lease.release(now=NOW + 4.0)
    assert not lease.is_over(now=NOW + 4.0)


def test_unanswered_renewal_may_be_granted() -> None:
    """A lost answer to a renewal may have made the mapping live longer."""
    lease = granted()
    lease.sent(None, now=NOW + 1800.0, jitter=jitter)
    assert lease.view(now=NOW + 1800.0).open_until == NOW + 1800.0 + LIFETIME
    assert lease.grant == GRANT


def test_refused_renewal_leaves_the_mapping() -> None:
    """11.4: until it runs out it is open, and no longer."""
    lease = granted()
    lease.sent(None, now=NOW + 1800.0, jitter=jitter)
    lease.refused(replace(REFUSAL, retry_at=NOW + 1830.0), jitter=jitter)
    assert lease.state is GRANTED
    assert lease.open_until == GRANT.expires_at
    assert lease.action_at == NOW + LIFETIME * (3 / 4 + 1 / 32)


def test_renewal_waits_for_the_end_of_the_hold() -> None:
    """8.3: the same request is not sent again before the hold ends."""
    lease = granted()
    lease.sent(None, now=NOW + 1800.0, jitter=jitter)
    lease.refused(replace(REFUSAL, retry_at=NOW + 3500.0), jitter=jitter)
    assert lease.action_at is not None
    assert lease.action_at >= NOW + 3500.0


def test_running_out_during_a_hold() -> None:
    """8.3: a mapping that ran out is not asked for before the hold ends."""
    lease = granted()
    lease.refused(replace(REFUSAL, retry_at=NOW + 5000.0), jitter=jitter)
    assert lease.action_at is None
    assert lease.next_due() == GRANT.expires_at
    lease.ran_out(now=GRANT.expires_at)
    assert lease.state is REFUSED
    assert lease.next_due() == NOW + 5000.0


def test_running_out_after_a_hold() -> None:
    """A hold that has ended is no reason to wait."""
    lease = granted()
    lease.refused(REFUSAL, jitter=jitter)
    lease.ran_out(now=GRANT.expires_at)
    assert lease.state is REQUESTING
    assert lease.action_at == GRANT.expires_at


def test_lost_mapping_may_still_be_there() -> None:
    """The epoch is a hint: what was granted is deleted even if it seems lost."""
    lease = granted()
    lease.lost()
    lease.ask_again(now=LATER)
    lease.refused(REFUSAL, jitter=jitter)
    lease.release(now=LATER)
    assert not lease.is_over(now=LATER)
    assert lease.open_until == GRANT.expires_at


def test_suggests_what_was_assigned() -> None:
    """11.2.1: the assigned address and port are suggested from then on."""
    lease = granted()
    assert lease.suggested_external_port == 40000
    assert lease.suggested_external_address == EXTERNAL
    lease.lost()
    assert lease.suggested_external_port == 40000


def test_suggests_a_new_wish() -> None:
    """A port that is wished for anew is suggested, unless another one is granted."""
    lease = refused()
    lease.want(replace(lease.wish, suggested_external_port=1), now=NOW, urgent=True)
    assert lease.suggested_external_port == 1
    lease = granted()
    lease.want(replace(lease.wish, suggested_external_port=1), now=NOW, urgent=True)
    assert lease.suggested_external_port == 40000


def test_same_wish_keeps_the_assigned_port() -> None:
    """Off and on again leads to the same external port."""
    lease = releasing()
    lease.want(lease.wish, now=LATER, urgent=True)
    assert lease.suggested_external_port == 40000


@pytest.mark.parametrize(("change", "is_at_once"), [(3600, False), (-3480, True)])
def test_new_terms_of_a_granted_lease(change: int, *, is_at_once: bool) -> None:
    """A longer lifetime counts from the next renewal on, a shorter one at once."""
    lease = granted()
    action_at = lease.action_at
    wish = replace(lease.wish, lifetime=lease.wish.lifetime + change)
    lease.want(wish, now=LATER, urgent=True)
    assert lease.wish == wish
    assert lease.state is GRANTED
    assert lease.action_at == (LATER if is_at_once else action_at)


def test_exactness_that_is_met() -> None:
    """A granted lease that meets stricter terms is left alone."""
    lease = granted()
    wish = replace(lease.wish, suggested_external_port=40000, exact=True)
    lease.want(wish, now=LATER, urgent=True)
    assert lease.state is GRANTED


def test_exactness_that_is_not_met() -> None:
    """A granted lease that does not meet stricter terms is asked for again."""
    lease = granted()
    lease.want(replace(lease.wish, exact=True), now=LATER, urgent=True)
    assert lease.state is REQUESTING
    assert lease.action_at == LATER


def test_giving_back_comes_first() -> None:
    """A mapping with the wrong port is deleted before it is asked for again."""
    lease = giving_back()
    lease.want(lease.wish, now=LATER, urgent=True)
    assert lease.must_delete
    lease.deleted(now=LATER)
    assert not lease.must_delete
    assert lease.state is REQUESTING
    assert lease.action_at == LATER


def test_given_back_and_held() -> None:
    """After it was given back it is asked for when the hold ends."""
    lease = giving_back()
    lease.deleted(now=LATER)
    assert lease.state is REFUSED
    assert not lease.must_delete
    assert lease.open_until is None
    assert lease.next_due() == REFUSAL.retry_at


def test_given_back_too_late() -> None:
    """When the delete took longer than the hold it is asked for at once."""
    lease = giving_back()
    lease.gone(now=REFUSAL.retry_at + 60.0)
    assert lease.state is REQUESTING
    assert lease.action_at == REFUSAL.retry_at + 60.0


def test_giving_back_is_not_held() -> None:
    """The hold is for the mapping: the delete that comes first is repeated at need."""
    lease = giving_back()
    send(lease)
    lease.ask_again(now=LATER)
    assert lease.action_at == LATER


def test_grant_ends_a_refusal() -> None:
    """8: nothing of it is left, neither the words nor the hold."""
    lease = granted()
    lease.refused(replace(REFUSAL, retry_at=NOW + 5000.0), jitter=jitter)
    lease.granted(replace(GRANT, expires_at=NOW + 3700.0), now=LATER, jitter=jitter)
    assert lease.refusal is None
    assert lease.may_renew(now=NOW + 20.0)


@pytest.mark.parametrize("name", ["hold", "deletion_refused", "refused"])
def test_repetitions_end_with_a_hold(name: str) -> None:
    """8.3: after a hold the waits begin anew."""
    lease = releasing() if name == "deletion_refused" else requesting()
    INPUTS[name](lease)
    assert lease.awaiting is None
    assert lease.action_at == REFUSAL.retry_at


def test_linger_when_a_create_was_unanswered() -> None:
    """15.1: a copy that is still under way must not have the last word."""
    lease = requesting()
    lease.release(now=NOW + 1.0)
    send(lease, now=NOW + 1.0)
    lease.deleted(now=NOW + 1.0)
    assert lease.action_at == NOW + 10.0
    assert lease.awaiting is None
    assert not lease.is_over(now=NOW + 1.0)
    lease.ask_afresh(now=NOW + 10.0)
    send(lease, now=NOW + 10.0)
    lease.deleted(now=NOW + 10.0)
    assert lease.is_over(now=NOW + 10.0)


def test_no_linger_when_the_create_is_long_past() -> None:
    """A request of more than ten seconds ago is not under way any more."""
    lease = requesting()
    lease.release(now=NOW + 10.0)
    send(lease, now=NOW + 10.0)
    lease.deleted(now=NOW + 10.0)
    assert lease.is_over(now=NOW + 10.0)


def test_late_grant_spoils_the_delete_under_way() -> None:
    """8: a delete sent before the grant was heard proves nothing; it is repeated."""
    lease = releasing()
    due_at = lease.action_at
    lease.granted_unwanted(expires_at=NOW + 7200.0, now=NOW + 1.0)
    lease.deleted(now=NOW + 1.0)
    assert not lease.is_over(now=NOW + 1.0)
    assert lease.open_until == NOW + 7200.0
    assert lease.action_at == due_at
    send(lease, now=NOW + 3.0)
    lease.deleted(now=NOW + 3.0)
    assert lease.is_over(now=NOW + 3.0)


def test_late_grant_during_the_hold_of_a_delete() -> None:
    """8.3: a delete that was refused is not sent again before its hold ends."""
    lease = releasing()
    lease.deletion_refused(REFUSAL)
    lease.granted_unwanted(expires_at=NOW + 7200.0, now=LATER)
    assert lease.action_at == REFUSAL.retry_at


def test_mapping_that_goes_by_itself() -> None:
    """15: a server may answer a delete with the seconds that are left."""
    lease = requesting()
    lease.release(now=NOW)
    send(lease)
    lease.deletion_lasts(expires_at=NOW + 120.0)
    assert lease.open_until == NOW + 120.0
    assert lease.action_at is None
    assert lease.next_due() == NOW + 120.0
    assert lease.is_over(now=NOW + 120.0)


def test_renewals_keep_their_distance_when_asked_again() -> None:
    """11.2.1: 4 s after the last request at the earliest, forced or not."""
    lease = granted()
    lease.ask_again(now=NOW + 1.0, forced=True)
    assert lease.action_at == NOW + 4.0
    lease.ask_again(now=NOW + 100.0)
    assert lease.action_at == NOW + 100.0


def test_may_renew() -> None:
    """A lease that could be asked for at once, with neither a hold nor 11.2.1 against."""
    lease = granted()
    assert not lease.may_renew(now=NOW + 3.9)
    assert lease.may_renew(now=NOW + 4.0)
    lease.refused(REFUSAL, jitter=jitter)
    assert not lease.may_renew(now=NOW + 4.0)
    assert lease.may_renew(now=REFUSAL.retry_at)
    assert not requesting().may_renew(now=LATER)


def test_nat_pmp_gives_up_and_begins_anew() -> None:
    """RFC 6886 3.1: after nine transmissions it rests, and is still expected."""
    lease = Lease(wish_of())
    now = NOW
    for _ in range(9):
        lease.sent(nat_pmp_retransmission(jitter), now=now, jitter=jitter)
        assert lease.action_at is not None
        last, now = now, lease.action_at
    assert now == last + 240.0
    assert lease.awaiting is not None
    assert lease.awaiting.is_exhausted
    assert lease.is_unanswered


def test_nat_pmp_renewal_gives_up_into_the_schedule() -> None:
    """11.2.1: a renewal out of turn that was not answered leaves the ones in turn."""
    lease = granted()
    lease.ask_again(now=NOW + 100.0)
    now = NOW + 100.0
    for _ in range(9):
        lease.sent(nat_pmp_retransmission(jitter), now=now, jitter=jitter)
        assert lease.action_at is not None
        now = lease.action_at
    assert lease.awaiting is None
    assert now == NOW + LIFETIME * 9 / 16


def test_restored_grant() -> None:
    """A grant of an earlier life counts, and is renewed at once."""
    lease = Lease(wish_of())
    lease.restore(wanted=True, grant=GRANT, open_until=None, now=NOW + 600.0)
    assert lease.state is GRANTED
    assert lease.action_at == NOW + 600.0
    assert lease.suggested_external_port == 40000
    assert lease.suggested_external_address == EXTERNAL


def test_restored_grant_that_has_run_out() -> None:
    """What ran out meanwhile is asked for, with what was assigned."""
    lease = Lease(wish_of())
    now = GRANT.expires_at
    lease.restore(wanted=True, grant=GRANT, open_until=None, now=now)
    assert lease.state is REQUESTING
    assert lease.suggested_external_port == 40000
    assert lease.view(now=now).open_until is None


def test_restored_deletion() -> None:
    """A deletion that was owed is owed still, until the mapping has run out."""
    lease = Lease(wish_of())
    lease.restore(wanted=False, grant=None, open_until=NOW + 60.0, now=NOW)
    assert lease.state is RELEASING
    assert lease.action_at == NOW
    assert not lease.is_over(now=NOW + 59.0)
    assert lease.is_over(now=NOW + 60.0)


def test_address_told_apart() -> None:
    """RFC 6886 3.2: the external address comes in an answer of its own."""
    lease = granted()
    lease.reassigned(OTHER_EXTERNAL)
    assert lease.grant is not None
    assert lease.grant.assigned_external_address == OTHER_EXTERNAL
    assert lease.suggested_external_address == OTHER_EXTERNAL
    lease = requesting()
    lease.reassigned(OTHER_EXTERNAL)
    assert lease.grant is None
