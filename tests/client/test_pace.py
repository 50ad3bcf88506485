"""The limits on asking for everything again."""

from custom_components.pcp.client.pace import LossPace, RoundPace


def test_three_rounds_are_free() -> None:
    """Three rounds in 15 min, the next one 15 min after the first of them."""
    pace = RoundPace()
    assert [pace.next_at(at) for at in (0.0, 10.0, 20.0)] == [None] * 3
    assert pace.next_at(30.0) == 900.0
    assert pace.next_at(899.0) == 900.0
    assert pace.next_at(900.0) is None
    assert pace.next_at(901.0) == 910.0


def test_first_loss_is_seen_to_at_once() -> None:
    """8.5: the first loss is answered promptly."""
    assert LossPace().next_at(100.0) == 100.0


def test_losses_keep_a_distance() -> None:
    """A second loss is seen to 10 s after the first, a third one with it."""
    pace = LossPace()
    pace.next_at(100.0)
    assert pace.next_at(101.0) == 110.0
    assert pace.next_at(102.0) == 110.0
    assert pace.next_at(200.0) == 200.0


def test_many_losses_in_an_hour() -> None:
    """A server that restarts all the time is believed every four minutes only."""
    pace = LossPace()
    times = [pace.next_at(100.0 * number) for number in range(20)]
    assert times == [100.0 * number for number in range(20)]
    assert pace.next_at(2000.0) == 1900.0 + 240.0
    assert pace.next_at(9000.0) == 9000.0
