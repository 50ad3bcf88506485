"""One alarm for each lease, the earliest first."""

from custom_components.pcp.client.alarms import Alarms
from custom_components.pcp.client.lease import Lease

from .scripted_server import wish_of

A, B = (Lease(wish_of(port)) for port in (1, 2))


def test_earliest_first() -> None:
    """The earliest alarm decides when to wake up, and is taken when it has come."""
    alarms = Alarms()
    alarms.set(A, 20.0)
    alarms.set(B, 10.0)
    assert alarms.next_at() == 10.0
    assert alarms.take_due(now=9.9) is None
    assert alarms.take_due(now=30.0) is B
    assert alarms.take_due(now=30.0) is A
    assert alarms.take_due(now=30.0) is None
    assert alarms.next_at() is None


def test_last_word_counts() -> None:
    """An alarm that is set anew rings at its new time only."""
    alarms = Alarms()
    alarms.set(A, 10.0)
    alarms.set(A, 20.0)
    assert alarms.next_at() == 20.0
    alarms.set(A, 10.0)
    assert alarms.take_due(now=10.0) is A
    assert alarms.next_at() is None


def test_no_alarm() -> None:
    """None takes the alarm away."""
    alarms = Alarms()
    alarms.set(A, None)
    alarms.set(A, 10.0)
    alarms.set(A, None)
    assert alarms.next_at() is None


def test_clutter_is_cleared_away() -> None:
    """Years of alarms that were set anew do not pile up."""
    alarms = Alarms()
    alarms.set(B, 5.0)
    for number in range(10_000):
        alarms.set(A, 1000.0 + number)
    assert len(alarms._heap) < 100
    assert alarms.take_due(now=5.0) is B
    assert alarms.next_at() == 10_999.0
