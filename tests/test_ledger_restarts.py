"""What the ledger leaves behind, and takes up again in the next run."""

from custom_components.pcp.client.mapping import Grant
from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.orders import Ask, Restore
from custom_components.pcp.wishes import Wish

from .bookkeeping import (
    ELSEWHERE,
    EXTERNAL,
    LEASE_TIME,
    OWN,
    OWN_6,
    Bookkeeping,
    asked,
    forward,
    key,
    leases_of,
    opened,
    released,
)


def test_everything_is_taken_up_with_the_same_nonce() -> None:
    """RFC 6887 11.2: also the port that was assigned is asked for again."""
    books = opened()
    nonce = books.nonce()
    grant = books.granted(key())
    after = books.reopened(later=60.0, a=forward())
    assert after.resume() == [Restore(key(), grant)]
    assert after.nonce() == nonce
    assert after.wanted() == [key()]
    assert after.status() is ForwardStatus.OPEN
    assert after.standing().expires_at == LEASE_TIME


def test_a_lease_that_ran_out_while_down_is_not_open() -> None:
    """What it had is still told: the same external port is wanted again."""
    books = opened()
    grant = books.granted(key())
    after = books.reopened(later=LEASE_TIME, a=forward())
    assert after.resume() == [Restore(key(), grant)]
    assert after.status() is ForwardStatus.OPENING
    after.grant()
    assert after.status() is ForwardStatus.OPEN


def test_what_was_asked_for_and_not_answered_may_be_there() -> None:
    """For a whole lifetime, because nobody knows when it was asked for."""
    books = Bookkeeping()
    books.define(a=forward())
    books.ledger.open("a")
    after = books.reopened(later=60.0)
    assert after.resume() == [Restore(key(), None)]
    assert after.ledger.leases[key()].open_until == 60 + LEASE_TIME
    assert after.owed() == [key()]


def test_stored_leases_that_nobody_wants_are_closed() -> None:
    """A forward that was removed while the ledger was not looking."""
    books = opened()
    after = books.reopened(later=60.0)
    assert after.resume() == [Restore(key(), books.granted(key()))]
    assert after.owed() == [key()]
    assert after.ledger.leases[key()].grant is None
    # It may have been renewed after it was stored.
    assert after.ledger.leases[key()].open_until == 60 + LEASE_TIME


def test_a_renewal_that_was_not_stored_any_more_is_closed() -> None:
    """It ran out as it was stored, but a crash came between renewing and storing."""
    books = opened()
    after = books.reopened(later=LEASE_TIME + 100.0)
    after.resume()
    assert after.ledger.leases[key()].open_until == 2 * LEASE_TIME
    assert after.owed() == [key()]


def test_what_was_asked_for_again_may_be_open() -> None:
    """The old lease has run out, and the answer to the new request was lost."""
    books = opened()
    books.lose()
    after = books.reopened(later=LEASE_TIME + 100.0)
    after.resume()
    assert after.owed() == [key()]
    assert after.ledger.leases[key()].open_until == 2 * LEASE_TIME + 100.0


def test_what_is_asked_for_again_keeps_its_known_end() -> None:
    """It was granted for longer than is asked for now; the answer to that is not known."""
    books = opened()
    books.ledger.close("a")
    books.ledger.set_open_until(key(), 86_400.0)
    books.ledger.open("a")
    after = books.reopened(later=1.0, a=forward())
    after.resume()
    after.ledger.close("a")
    assert after.ledger.leases[key()].open_until == 86_400.0


def test_a_deletion_is_owed_for_as_long_as_was_granted() -> None:
    """Which may be longer than what is asked for."""
    books = opened()
    books.ledger.close("a")
    books.ledger.set_open_until(key(), 86_400.0)
    after = books.reopened(later=1.0, a=forward())
    after.resume()
    assert after.ledger.leases[key()].open_until == 86_400.0


def test_deletions_owed_survive() -> None:
    """Nonce and all."""
    books = opened()
    nonce = books.nonce()
    books.ledger.close("a")
    books.ledger.set_open_until(key(), 1800.0)
    after = books.reopened(later=60.0, a=forward())
    assert after.resume() == [Restore(key(), None)]
    assert after.status() is ForwardStatus.CLOSING
    assert after.standing().expires_at == 1800.0
    assert after.nonce() == nonce


def test_what_lives_is_open_before_the_router_is_found() -> None:
    """It is looked for beside the set-up, and a name may be looked up for seconds."""
    books = opened()
    after = books.reopened(later=60.0, a=forward())
    assert after.status() is ForwardStatus.OPEN
    assert after.standing().expires_at == LEASE_TIME
    assert after.ledger.open("a") == []
    assert after.resume() == [Restore(key(), books.granted(key()))]


def test_what_has_run_out_is_not_open_before_the_router_is_found() -> None:
    """It is asked for again."""
    books = opened()
    after = books.reopened(later=LEASE_TIME, a=forward())
    assert after.status() is not ForwardStatus.OPEN
    assert after.resume() == [Restore(key(), books.granted(key()))]
    assert after.wanted() == [key()]


def test_what_is_closed_before_the_router_is_found_is_owed() -> None:
    """Nothing is forgotten of what may be open."""
    books = opened()
    after = books.reopened(later=60.0, a=forward())
    assert released(after.ledger.close("a")) == [key()]
    assert after.status() is ForwardStatus.CLOSING
    again = after.reopened(a=forward())
    for each in (after, again):
        assert each.resume() == [Restore(key(), None)]
        assert each.owed() == [key()]


def test_an_own_address_that_is_not_known_yet_is_what_it_was() -> None:
    """No network at start: the leases are waiting for it."""
    books = opened()
    after = books.reopened(later=60.0, a=forward())
    after.resume(None)
    assert after.status() is ForwardStatus.OPEN
    assert after.ledger.set_internal_address(OWN) == []


def test_another_own_address_at_start_moves_everything() -> None:
    """The old mapping is taken up as one that nobody wants."""
    books = opened()
    after = books.reopened(later=60.0, a=forward())
    new = key(address=ELSEWHERE)
    assert after.resume(ELSEWHERE) == [
        Restore(key(), books.granted(key())),
        Ask(new, urgent=False),
    ]
    assert after.owed() == [key()]
    assert after.wanted() == [new]


def test_a_lease_is_asked_for_on_the_terms_of_today() -> None:
    """The lease time was changed while the router was not loaded."""
    books = opened()
    after = Bookkeeping(own=False, lease_time=7200)
    after.ledger.restore(books.ledger.snapshot(), {"a": forward()}, now=0.0)
    after.resume()
    assert after.ledger.leases[key()].wish.lifetime == 7200
    assert after.status() is ForwardStatus.OPEN


def test_other_hosts_are_off_when_the_option_was_turned_off() -> None:
    """While the router was not loaded."""
    other = forward(target_host=str(ELSEWHERE))
    books = Bookkeeping(third_party=True)
    books.define(a=other)
    books.ledger.open("a")
    books.grant()
    after = books.reopened(a=other)
    after.resume()
    assert after.ledger.wish("a") == Wish(wanted=False)
    assert after.owed() == [key(address=ELSEWHERE)]


def test_wishes_of_forwards_that_are_no_more_are_dropped() -> None:
    """A backup may be older than the definitions, or newer."""
    books = opened()
    after = books.reopened(b=forward(81))
    assert after.ledger.snapshot().wishes == {"b": (False, None)}


def test_each_version_is_taken_up_with_its_own_keeper() -> None:
    """A server that is found later gets what is its own."""
    books = Bookkeeping()
    books.ledger.set_internal_address(OWN_6)
    both = forward(ip_version="both")
    books.define(a=both)
    books.ledger.open("a")
    books.grant()
    after = books.reopened(later=60.0, a=both)
    v6 = key(address=OWN_6)
    assert Restore(v6, books.granted(v6)) not in after.resume()
    orders = after.ledger.resume(6, OWN_6, now=after.now)
    assert orders == [Restore(v6, books.granted(v6))]
    assert after.status() is ForwardStatus.OPEN


def test_a_clock_that_was_set_back_makes_no_lease_longer() -> None:
    """A machine without a battery begins in the past."""
    books = opened()
    books.now = 1e6
    books.grant()
    snapshot = books.ledger.snapshot()
    after = Bookkeeping(own=False)
    after.ledger.restore(snapshot, {"a": forward()}, now=0.0)
    after.resume()
    lease = after.ledger.leases[key()]
    assert lease.grant is not None
    assert lease.grant.expires_at == lease.open_until == LEASE_TIME


def test_a_clock_that_was_set_forth_leaves_nothing_open() -> None:
    """What seems to have run out long ago is deleted all the same, if nobody wants it."""
    books = opened()
    after = books.reopened(later=1e6)
    assert after.resume() == [Restore(key(), books.granted(key()))]
    assert after.owed() == [key()]
    open_until = after.ledger.leases[key()].open_until
    assert open_until is not None
    assert open_until > after.now
    after.release(key())
    assert after.ledger.leases == {}


def test_a_lease_lives_as_long_as_it_was_granted() -> None:
    """Which may be longer than what is asked for."""
    books = Bookkeeping()
    books.define(a=forward())
    books.ledger.open("a")
    books.grant(lifetime=86400)
    after = books.reopened(later=1.0, a=forward())
    after.resume()
    assert after.ledger.leases[key()].open_until == 1 + 86400


def test_another_server_has_nothing() -> None:
    """What was with the old one is handed out to be closed; the wishes stay."""
    books = opened()
    nonce = books.nonce()
    (stored,) = books.ledger.forget_leases(4)
    assert stored.wish.nonce == nonce
    assert stored.grant == books.granted(key())
    assert books.status() is ForwardStatus.OPENING
    assert books.resume() == [Ask(key(), urgent=False)]
    assert books.nonce() != nonce
    books.grant()
    assert books.ledger.take_news() == []


def test_another_server_of_one_version_leaves_the_other_alone() -> None:
    """Two servers are one router."""
    books = Bookkeeping()
    books.ledger.set_internal_address(OWN_6)
    books.define(a=forward(ip_version="both"))
    books.ledger.open("a")
    books.grant()
    assert [lease.wish.key for lease in books.ledger.forget_leases(6)] == [
        key(address=OWN_6)
    ]
    assert books.status(ipv6=True) is ForwardStatus.PARTLY_OPEN


def test_what_is_left_of_a_closing_is_adopted() -> None:
    """The nonce of what may still be there is the one to go on with."""
    books = opened()
    nonce = books.nonce()
    left = books.ledger.forget_leases(4)
    books.ledger.adopt(left, now=60.0)
    assert asked(books.resume()) == []
    assert books.wanted() == [key()]
    assert books.nonce() == nonce


def test_what_is_under_way_may_be_granted_for_as_long_as_before() -> None:
    """A router may grant more than is asked for, and its last answer was not heard."""
    books = opened()
    books.grant(lifetime=20_000)
    books.ledger.note_under_way([key()])
    left = books.ledger.forget_leases(4)
    books.ledger.adopt(left, now=60.0)
    assert books.ledger.leases[key()].open_until == 60.0 + 20_000


def test_what_is_known_already_is_not_adopted() -> None:
    """The ledger's own knowledge is newer."""
    books = opened()
    left = leases_of(books.ledger.snapshot())
    stored = books.ledger.snapshot().leases
    books.ledger.close("a")
    books.ledger.adopt(stored, now=60.0)
    assert books.owed() == [key()]
    assert leases_of(books.ledger.snapshot()) == left


def test_a_snapshot_is_all_there_is() -> None:
    """Addresses, wishes and leases."""
    books = opened()
    books.ledger.open("a", closes_at=600.0)
    snapshot = books.ledger.snapshot()
    assert snapshot.internal_addresses == (OWN,)
    assert snapshot.wishes == {"a": (True, 600.0)}
    (lease,) = snapshot.leases
    assert lease.grant == Grant(
        assigned_external_address=EXTERNAL,
        assigned_external_port=80,
        lifetime=LEASE_TIME,
        expires_at=LEASE_TIME,
    )
    assert lease.open_until == LEASE_TIME
