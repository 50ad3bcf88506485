"""The line, the urgent ones before it, and the window of unanswered requests."""

from custom_components.pcp.client.lease import Lease
from custom_components.pcp.client.turns import Turns

from .scripted_server import wish_of

A, B, C = (Lease(wish_of(port)) for port in (1, 2, 3))


def test_line_is_fair() -> None:
    """First come, first served."""
    turns = Turns()
    turns.wait(A)
    turns.wait(B)
    assert turns.take(window=8) == (A, False)
    assert turns.take(window=8) == (B, False)
    assert turns.take(window=8) is None


def test_urgent_ones_pass_the_line_and_the_window() -> None:
    """What a person waits for is sent at once."""
    turns = Turns()
    turns.take_place(A)
    turns.wait(B)
    turns.wait(C, urgent=True)
    assert turns.take(window=1) == (C, True)
    assert turns.take(window=1) is None


def test_place_in_the_window() -> None:
    """A request that is answered lets the next one go."""
    turns = Turns()
    turns.take_place(A)
    turns.wait(B)
    assert turns.take(window=1) is None
    turns.leave_place(A)
    assert turns.take(window=1) == (B, False)


def test_waiting_again_gives_up_the_place() -> None:
    """Who waits has no request under way."""
    turns = Turns()
    turns.take_place(A)
    turns.wait(A)
    assert not turns.has_place(A)
    assert turns.take(window=1) == (A, False)


def test_urgent_stays_urgent() -> None:
    """A second reason to send does not take the first one away."""
    turns = Turns()
    turns.wait(A, urgent=True)
    turns.wait(A)
    assert turns.take(window=0) == (A, True)
    assert turns.take(window=8) is None


def test_leaving() -> None:
    """Who leaves is in no line and holds up nobody."""
    turns = Turns()
    turns.wait(A)
    turns.wait(B, urgent=True)
    turns.take_place(C)
    for lease in (A, B, C):
        turns.leave(lease)
    assert turns.take(window=1) is None
    assert not turns.has_place(C)
