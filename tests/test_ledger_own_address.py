"""Forwards to another host that has our own address now."""

from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.standing import TO_OURSELVES

from .bookkeeping import ELSEWHERE, OWN, Bookkeeping, asked, forward, key, released


def test_a_device_whose_address_is_ours_now() -> None:
    """RFC 6887 13.1: the mapping is our own forward's; the other is refused in words."""
    books = Bookkeeping(third_party=True)
    books.define(a=forward(), b=forward(target_host=str(ELSEWHERE)))
    books.ledger.open("a")
    books.ledger.open("b")
    books.grant(key())
    books.grant(key(address=ELSEWHERE))
    assert books.status("b") is ForwardStatus.OPEN
    orders = books.ledger.set_internal_address(ELSEWHERE)
    assert set(released(orders)) == {key()}
    assert set(asked(orders)) == {key(address=ELSEWHERE)}
    books.grant(key(address=ELSEWHERE))
    assert books.status("a") is ForwardStatus.OPEN
    refused = books.standing("b")
    assert (refused.status, refused.refusal) == (ForwardStatus.REFUSED, TO_OURSELVES)
    assert books.status("b", v4=False) is ForwardStatus.REFUSED
    assert not books.ledger.leases[key(address=ELSEWHERE)].wish.third_party
    books.ledger.close("a")
    assert not books.ledger.leases[key(address=ELSEWHERE)].wanted
    assert books.status("b") is ForwardStatus.REFUSED
    assert set(asked(books.ledger.set_internal_address(OWN))) == {
        key(address=ELSEWHERE)
    }
    assert books.ledger.leases[key(address=ELSEWHERE)].wish.third_party


def test_what_was_open_for_a_device_is_closed_when_its_address_is_ours() -> None:
    """Nobody wanted our port; switched off, its forward is closed when that is."""
    books = Bookkeeping(third_party=True)
    books.define(b=forward(target_host=str(ELSEWHERE)))
    books.ledger.open("b")
    books.grant(key(address=ELSEWHERE))
    orders = books.ledger.set_internal_address(ELSEWHERE)
    assert released(orders) == [key(address=ELSEWHERE)]
    assert asked(orders) == []
    assert asked(books.ledger.open("b")) == []
    books.ledger.close("b")
    assert books.status("b") is ForwardStatus.CLOSING
