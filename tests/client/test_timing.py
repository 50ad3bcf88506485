"""The two schedules: requests that are not answered, and renewals."""

from itertools import pairwise

from hypothesis import example, given, strategies as st
import pytest

from custom_components.pcp.client.timing import (
    Retransmission,
    nat_pmp_retransmission,
    pcp_retransmission,
    renewal_at,
)


def waits(request: Retransmission, transmissions: int) -> list[float]:
    """Send that often, each when it is due; return the waits after each."""
    now = 100.0
    found = []
    for _ in range(transmissions):
        due_at = request.sent(now=now)
        assert due_at is not None
        found.append(due_at - now)
        now = due_at
    return found


def test_pcp_doubles_to_the_maximum() -> None:
    """8.1.1: 3 s, doubling up to 1024 s, for ever."""
    expected = [3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0, 384.0, 768.0, 1024.0, 1024.0]
    request = pcp_retransmission(lambda: 0.5)
    assert waits(request, 11) == pytest.approx(expected)
    assert waits(request, 200) == pytest.approx([1024.0] * 200)
    assert not request.is_exhausted


@pytest.mark.parametrize(("jitter", "factor"), [(0.0, 0.9), (0.25, 0.95), (1.0, 1.1)])
def test_pcp_spreads_by_a_tenth(jitter: float, factor: float) -> None:
    """8.1.1: RT = (1 + RAND) * IRT, then (1 + RAND) * min(2 * RTprev, MRT)."""
    first, second, *_, last = waits(pcp_retransmission(lambda: jitter), 40)
    assert first == pytest.approx(3.0 * factor)
    assert second == pytest.approx(2 * first * factor)
    assert last == pytest.approx(1024.0 * factor)


def test_each_wait_is_drawn_anew() -> None:
    """8.1.1: each computation of RT includes a new random factor."""
    draws = iter((0.0, 1.0))
    first, second = waits(pcp_retransmission(lambda: next(draws)), 2)
    assert (first, second) == pytest.approx((2.7, 2.7 * 2 * 1.1))


def test_nat_pmp_gives_up_after_nine() -> None:
    """RFC 6886 3.1: 250 ms, doubling, nine times."""
    request = nat_pmp_retransmission(lambda: 0.9)
    assert waits(request, 8) == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert not request.is_exhausted
    assert request.sent(now=1000.0) is None
    assert request.is_exhausted


def test_sending_is_remembered() -> None:
    """The first and the last transmission are known, and how many there were."""
    request = pcp_retransmission(lambda: 0.5)
    request.sent(now=10.0)
    request.sent(now=13.0)
    assert (request.first_sent_at, request.last_sent_at) == (10.0, 13.0)
    assert request.transmissions == 2


def renewals(lifetime: float, jitter: float, *, sent_at: float = 0.0) -> list[float]:
    """Return when renewals are sent of a mapping granted at 0, never answered."""
    times: list[float] = []
    last_sent_at = sent_at
    for step in range(100):
        at = renewal_at(
            granted_at=0.0,
            expires_at=lifetime,
            step=step,
            earliest=last_sent_at + 4.0,
            jitter=lambda: jitter,
        )
        if at is None:
            return times
        times.append(at)
        last_sent_at = at
    raise AssertionError("renewals without an end")


def test_renewals_of_an_hour_at_the_earliest() -> None:
    """11.2.1: from 1/2, 3/4, 7/8 and so on of the lifetime."""
    expected = [1800.0, 2700.0, 3150.0, 3375.0, 3487.5, 3543.75, 3571.875, 3585.9375]
    assert renewals(3600.0, 0.0)[:8] == expected


def test_renewals_of_an_hour_at_the_latest() -> None:
    """11.2.1: up to 5/8, 3/4 + 1/16, 7/8 + 1/32 and so on of the lifetime."""
    expected = [2250.0, 2925.0, 3262.5, 3431.25]
    assert renewals(3600.0, 1.0)[:4] == expected


@given(
    lifetime=st.integers(1, 86_400),
    jitter=st.floats(0.0, 1.0, exclude_max=True),
    sent_at=st.floats(-10.0, 0.0),
)
@example(lifetime=11, jitter=0.44847919800868846, sent_at=0.0)
def test_renewals_keep_their_distance(
    lifetime: int, jitter: float, sent_at: float
) -> None:
    """11.2.1: never less than 4 s apart, never before half, all before the end."""
    times = renewals(lifetime, jitter, sent_at=sent_at)
    assert all(later >= earlier + 4.0 for earlier, later in pairwise(times))
    assert all(max(lifetime / 2, sent_at + 4.0) <= at < lifetime for at in times)


@pytest.mark.parametrize(
    ("lifetime", "times"),
    [
        (1, []),
        (4, []),
        (5, [4.0]),
        (8, [4.0]),
        (13, [6.5, 10.5]),
        (60, [30.0, 45.0, 52.5, 56.5]),
        (120, [60.0, 90.0, 105.0, 112.5, 116.5]),
    ],
)
def test_renewals_of_tiny_lifetimes(lifetime: float, times: list[float]) -> None:
    """11.2.1: no flood of requests in the last seconds, also not of tiny lifetimes."""
    assert renewals(lifetime, 0.0) == times


def test_steps_in_the_past_are_passed_over() -> None:
    """11.2.1: after a long hold the schedule goes on where it would be by then."""
    at = renewal_at(
        granted_at=0.0, expires_at=3600.0, step=0, earliest=2800.0, jitter=lambda: 0.0
    )
    assert at == 2800.0
    at = renewal_at(
        granted_at=0.0, expires_at=3600.0, step=0, earliest=3000.0, jitter=lambda: 0.5
    )
    assert at == 3150.0 + 112.5 / 2


def test_no_renewal_after_the_end() -> None:
    """11.2.1: a hold that lasts beyond the lifetime leaves no renewal."""
    at = renewal_at(
        granted_at=0.0, expires_at=3600.0, step=0, earliest=3600.0, jitter=lambda: 0.0
    )
    assert at is None
