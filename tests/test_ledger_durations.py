"""Durations: forwards that close by themselves, and temporary ones that go."""

from custom_components.pcp.client.events import LeaseKept, LeaseReleased
from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.orders import Release
from custom_components.pcp.wishes import Wish

from .bookkeeping import Bookkeeping, asked, forward, key, opened


def test_a_duration_closes() -> None:
    """When it has run out, not before."""
    books = opened()
    books.ledger.open("a", closes_at=600.0)
    assert books.ledger.next_wakeup() == 600.0
    assert books.ledger.handle_timer(now=599.0) == []
    assert books.ledger.handle_timer(now=600.0) == [Release(key())]
    assert books.ledger.wish("a") == Wish(wanted=False)
    assert books.status() is ForwardStatus.CLOSING
    assert books.ledger.next_wakeup() is None


def test_opening_again_replaces_the_duration() -> None:
    """Longer or shorter."""
    books = opened()
    books.ledger.open("a", closes_at=600.0)
    books.ledger.open("a", closes_at=60.0)
    assert books.ledger.next_wakeup() == 60.0


def test_a_plain_on_of_an_open_forward_keeps_the_duration() -> None:
    """Only another duration replaces it."""
    books = opened()
    books.ledger.open("a", closes_at=600.0)
    books.ledger.open("a")
    assert books.ledger.next_wakeup() == 600.0


def test_off_clears_the_duration() -> None:
    """Switched on again, the forward stays open."""
    books = opened()
    books.ledger.open("a", closes_at=600.0)
    books.ledger.close("a")
    assert books.ledger.next_wakeup() is None
    books.ledger.open("a")
    assert books.ledger.next_wakeup() is None


def test_the_next_end_is_the_first() -> None:
    """Of several; those that end together are closed together."""
    books = Bookkeeping()
    books.define(a=forward(), b=forward(81), c=forward(82))
    for forward_id, closes_at in (("a", 60.0), ("b", 50.0), ("c", 60.0)):
        books.ledger.open(forward_id, closes_at=closes_at)
    assert books.ledger.next_wakeup() == 50.0
    assert books.ledger.handle_timer(now=50.0) == [Release(key(81))]
    assert books.ledger.next_wakeup() == 60.0
    assert books.ledger.handle_timer(now=60.0) == [Release(key()), Release(key(82))]


def test_a_temporary_forward_is_finished_when_it_is_off() -> None:
    """By its duration or by hand; others are never."""
    books = Bookkeeping()
    ids = ("a", "b", "c")
    books.define(
        a=forward(temporary=True), b=forward(81, temporary=True), c=forward(82)
    )
    for forward_id in ids:
        books.ledger.open(forward_id, closes_at=600.0)
    assert books.ledger.finished(ids, {}) == []
    books.ledger.close("b")
    assert books.ledger.finished(ids, {}) == ["b"]
    books.ledger.handle_timer(now=600.0)
    assert books.ledger.finished(ids, {}) == ["a", "b"]
    assert books.ledger.finished(["b"], {}) == ["b"]


def test_a_temporary_forward_is_finished_when_the_router_has_closed_it() -> None:
    """But it does not wait for one that is silent, or keeps it open."""
    books = opened(temporary=True)
    books.ledger.close("a")
    assert books.ledger.finished(["a"], {4: True}) == []
    assert books.ledger.finished(["a"], {4: False}) == ["a"]
    assert books.ledger.finished(["a"], {4: None}) == ["a"]
    books.ledger.handle_event(LeaseKept(key()))
    assert books.ledger.finished(["a"], {4: True}) == ["a"]
    books.ledger.handle_event(LeaseReleased(key()))
    assert books.ledger.finished(["a"], {4: True}) == ["a"]


def test_a_temporary_forward_that_is_changed_is_not_finished() -> None:
    """It makes way for itself."""
    books = opened(temporary=True)
    books.ledger.begin_change("a", ends_at=15.0)
    assert books.ledger.finished(["a"], {}) == []


def test_a_duration_goes_on_over_a_restart() -> None:
    """By the clock of the next run."""
    books = opened()
    books.ledger.open("a", closes_at=600.0)
    after = books.reopened(later=599.0, a=forward())
    after.resume()
    assert after.ledger.wish("a") == Wish(wanted=True, closes_at=600.0)
    assert after.ledger.next_wakeup() == 600.0


def test_a_duration_that_ran_out_while_down_is_closed_at_start() -> None:
    """Also when the lease has run out, too."""
    books = opened()
    books.ledger.open("a", closes_at=600.0)
    after = books.reopened(later=600.0, a=forward())
    orders = after.resume()
    assert after.ledger.wish("a") == Wish(wanted=False)
    assert asked(orders) == []
    assert after.owed() == [key()]
    assert after.status() is ForwardStatus.CLOSING


def test_a_temporary_forward_that_ran_out_while_down_is_finished() -> None:
    """One whose wish is lost is not: it stays defined, and is off."""
    books = opened(temporary=True)
    books.ledger.open("a", closes_at=600.0)
    new = forward(temporary=True)
    assert books.reopened(later=60.0, a=new).ledger.finished(["a"], {}) == []
    assert books.reopened(later=600.0, a=new).ledger.finished(["a"], {}) == ["a"]
    assert Bookkeeping().reopened(a=new).ledger.finished(["a"], {}) == []
