"""Trials and changes: what the router is asked while a form is still open."""

from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.orders import Ask, Release
from custom_components.pcp.wishes import Wish

from .bookkeeping import (
    ELSEWHERE,
    LEASE_TIME,
    Bookkeeping,
    asked,
    forward,
    key,
    opened,
    released,
)

UNTIL = 15.0


def test_a_granted_trial_becomes_an_open_forward() -> None:
    """The lease is there already: nothing more is asked for."""
    books = Bookkeeping()
    new = forward()
    assert asked(books.ledger.begin_trial(new, ends_at=UNTIL)) == [key()]
    assert books.ledger.trial_standing(new, {4: True}).status is ForwardStatus.OPENING
    books.grant()
    assert books.ledger.trial_standing(new, {4: True}).status is ForwardStatus.OPEN
    assert books.define(a=new) == []
    assert books.ledger.wish("a") == Wish(wanted=True)
    assert books.status() is ForwardStatus.OPEN
    assert books.ledger.tried == []


def test_another_definition_is_not_what_was_tried() -> None:
    """It is off, and the trial goes on waiting for its own."""
    books = Bookkeeping()
    books.ledger.begin_trial(forward(), ends_at=UNTIL)
    assert books.define(a=forward(81)) == []
    assert books.status() is ForwardStatus.CLOSED
    assert books.ledger.tried == [forward()]


def test_a_trial_that_is_given_up_is_closed() -> None:
    """A late grant is given back."""
    books = Bookkeeping()
    books.ledger.begin_trial(forward(), ends_at=UNTIL)
    assert books.ledger.end_trial(forward()) == [Release(key())]
    books.grant(key())
    assert books.owed() == [key()]
    assert books.define(a=forward()) == []
    assert books.ledger.wish("a") == Wish(wanted=False)


def test_a_trial_that_nobody_defines_ends() -> None:
    """The dialog was closed while the router was asked."""
    books = Bookkeeping()
    books.ledger.begin_trial(forward(), ends_at=UNTIL)
    books.grant()
    assert books.ledger.next_wakeup() == UNTIL
    assert books.ledger.handle_timer(now=UNTIL - 1) == []
    assert released(books.ledger.handle_timer(now=UNTIL)) == [key()]
    assert books.ledger.next_wakeup() is None


def test_a_trial_is_refused_or_unreachable_as_a_forward_is() -> None:
    """Whoever waits for it sees the same words."""
    books = Bookkeeping()
    new = forward(protocol="tcp_udp")
    books.ledger.begin_trial(new, ends_at=UNTIL)
    standing = books.ledger.trial_standing(new, {4: False})
    assert standing.status is ForwardStatus.UNREACHABLE
    books.grant(key())
    books.refuse(*set(books.wanted()) - {key()})
    standing = books.ledger.trial_standing(new, {4: True})
    assert standing.status is ForwardStatus.PARTLY_OPEN
    assert standing.refusal is not None


def test_a_trial_takes_up_what_a_removed_forward_is_owed() -> None:
    """The same nonce: the mapping may still be there."""
    books = opened()
    nonce = books.nonce()
    books.define()
    books.ledger.begin_trial(forward(name="New"), ends_at=UNTIL)
    assert books.nonce() == nonce
    assert books.owed() == []


def test_a_change_closes_first_and_keeps_the_wish() -> None:
    """Changing is close, then open; the switch stays on, and so does the duration."""
    books = opened()
    books.ledger.open("a", closes_at=600.0)
    wish = books.ledger.wish("a")
    assert books.ledger.begin_change("a", ends_at=UNTIL) == [Release(key())]
    assert books.status() is ForwardStatus.OPENING
    books.release()
    new = forward(81)
    assert asked(books.ledger.begin_trial(new, ends_at=UNTIL)) == [key(81)]
    books.grant()
    assert books.define(a=new) == []
    assert books.status() is ForwardStatus.OPEN
    assert books.ledger.wish("a") == wish
    assert books.ledger.next_wakeup() == 600.0


def test_a_change_to_the_same_port_waits_for_the_delete() -> None:
    """Other terms for the same mapping are a mapping made anew."""
    books = opened()
    nonce = books.nonce()
    books.ledger.begin_change("a", ends_at=UNTIL)
    books.release()
    new = forward(exact_external_port=True)
    books.ledger.begin_trial(new, ends_at=UNTIL)
    assert books.nonce() != nonce
    books.grant()
    assert books.define(a=new) == []
    assert books.status() is ForwardStatus.OPEN


def test_a_refused_change_opens_the_old_one_again() -> None:
    """Nothing of the change is left."""
    books = opened()
    books.ledger.begin_change("a", ends_at=UNTIL)
    books.release()
    books.ledger.begin_trial(forward(81), ends_at=UNTIL)
    books.refuse()
    assert books.ledger.end_trial(forward(81)) == [Release(key(81))]
    assert books.ledger.end_change("a") == [Ask(key(), urgent=True)]
    assert books.ledger.wish("a") == Wish(wanted=True)
    assert books.ledger.end_change("a") == []


def test_a_change_that_nobody_brings_ends() -> None:
    """The old forward is asked for again."""
    books = opened()
    books.ledger.begin_change("a", ends_at=UNTIL)
    books.release()
    assert books.ledger.next_wakeup() == UNTIL
    assert asked(books.ledger.handle_timer(now=UNTIL)) == [key()]


def test_switched_off_during_a_change_it_stays_off() -> None:
    """The last wish counts: what the change was granted is given back."""
    books = opened()
    books.ledger.begin_change("a", ends_at=UNTIL)
    books.release()
    books.ledger.begin_trial(forward(81), ends_at=UNTIL)
    books.grant()
    assert books.ledger.close("a") == []
    assert books.define(a=forward(81)) == [Release(key(81))]
    assert books.ledger.wish("a") == Wish(wanted=False)


def test_switched_on_during_a_change_asks_for_nothing() -> None:
    """The old definition is on its way out."""
    books = opened()
    books.ledger.begin_change("a", ends_at=UNTIL)
    assert books.ledger.open("a") == []


def test_a_crash_during_a_change_leaves_the_old_one_wanted() -> None:
    """The wish was never off."""
    books = opened()
    books.ledger.begin_change("a", ends_at=UNTIL)
    after = books.reopened(a=forward())
    assert after.ledger.wish("a") == Wish(wanted=True)


def test_a_change_is_no_loss() -> None:
    """It is somebody's doing."""
    books = opened()
    books.ledger.begin_change("a", ends_at=UNTIL)
    books.release()
    books.ledger.end_change("a")
    books.grant()
    assert books.ledger.take_news() == []


def test_a_removed_forward_is_not_about_to_be_changed() -> None:
    """Its end leaves no timer behind."""
    books = opened()
    books.ledger.begin_change("a", ends_at=UNTIL)
    books.define()
    assert books.ledger.next_wakeup() is None


def test_a_trial_for_another_host_ends_with_the_option() -> None:
    """What was asked for is given back, and its definition is off."""
    books = Bookkeeping(third_party=True)
    new = forward(target_host=str(ELSEWHERE))
    books.ledger.begin_trial(forward(81), ends_at=UNTIL)
    books.ledger.begin_trial(new, ends_at=UNTIL)
    books.grant()
    orders = books.ledger.set_options(lease_time=LEASE_TIME, third_party=False)
    assert orders == [Release(key(address=ELSEWHERE))]
    assert books.ledger.tried == [forward(81)]
    assert books.define(a=new) == []
    assert books.ledger.wish("a") == Wish(wanted=False)


def test_a_change_to_another_host_needs_the_option() -> None:
    """Without it the forward is off when the change comes."""
    books = opened()
    new = forward(target_host=str(ELSEWHERE))
    assert books.define(a=new) == [Release(key())]
    assert books.ledger.wish("a") == Wish(wanted=False)
    assert books.wanted() == []
