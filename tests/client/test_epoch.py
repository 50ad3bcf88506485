"""The arithmetic of a server's clock, at its boundaries."""

import pytest

from custom_components.pcp.client.epoch import (
    nat_pmp_epoch_is_valid,
    nat_pmp_epoch_runs_ahead,
    pcp_epoch_is_valid,
)

LARGEST = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("previous", "passed", "epoch_time", "is_valid"),
    [
        # The clock goes back: by one second at most.
        (1000, 0, 1000, True),
        (1000, 0, 999, True),
        (1000, 0, 998, False),
        (1000, 1, 998, False),
        (0, 0, 0, True),
        (1, 0, 0, True),
        (2, 0, 0, False),
        # The server is ahead: client_delta + 2 < server_delta - server_delta / 16.
        (0, 0, 2, True),
        (0, 0, 3, False),
        (0, 13, 15, True),
        (0, 12, 15, False),
        (0, 13, 16, True),
        (0, 12, 16, False),
        (0, 240, 258, True),
        (0, 240, 259, False),
        (0, 3600, 3842, True),
        (0, 3600, 3843, False),
        # The server is behind: server_delta + 2 < client_delta - client_delta / 16.
        (0, 2, 0, True),
        (0, 3, 0, False),
        (0, 15, 13, True),
        (0, 15, 12, False),
        (0, 16, 13, True),
        (0, 16, 12, False),
        (0, 240, 223, True),
        (0, 240, 222, False),
        (0, 3600, 3373, True),
        (0, 3600, 3372, False),
        # Going back by one second is more than standing still, after a while.
        (1000, 1, 999, True),
        (1000, 2, 999, False),
        # 32 bits: the largest values, and a clock that wraps round.
        (LARGEST - 240, 240, LARGEST, True),
        (LARGEST, 0, LARGEST - 1, True),
        (LARGEST, 0, LARGEST - 2, False),
        (LARGEST, 1, 0, False),
        (0, 0, LARGEST, False),
        (0, LARGEST, LARGEST, True),
        # A restart after a long time looks younger than it should.
        (86400, 600, 599, False),
        (10, 600, 5, False),
    ],
)
def test_pcp(previous: int, passed: int, epoch_time: int, is_valid: bool) -> None:
    """8.5: back by a second, or off by a sixteenth and two seconds, and no further."""
    assert (
        pcp_epoch_is_valid(
            previous_epoch_time=previous,
            previous_client_time=5000,
            epoch_time=epoch_time,
            client_time=5000 + passed,
        )
        is is_valid
    )


@pytest.mark.parametrize(
    ("previous", "passed", "epoch_time", "is_valid"),
    [
        (1000, 0, 1000, True),
        (1000, 0, 998, True),
        (1000, 0, 997, False),
        # Seven eighths of the time that passed, minus two seconds.
        (1000, 1, 999, True),
        (1000, 1, 998, False),
        (1000, 8, 1005, True),
        (1000, 8, 1004, False),
        (1000, 16, 1012, True),
        (1000, 16, 1011, False),
        (1000, 240, 1208, True),
        (1000, 240, 1207, False),
        # Being ahead is never a loss here.
        (1000, 0, LARGEST, True),
        (LARGEST, 0, LARGEST, True),
        (LARGEST, 8, 0, False),
        (86400, 600, 0, False),
    ],
)
def test_nat_pmp(previous: int, passed: int, epoch_time: int, is_valid: bool) -> None:
    """RFC 6886 3.6: more than 2 s behind 7/8 of the time that passed is a loss."""
    assert (
        nat_pmp_epoch_is_valid(
            previous_epoch_time=previous,
            previous_client_time=5000,
            epoch_time=epoch_time,
            client_time=5000 + passed,
        )
        is is_valid
    )


@pytest.mark.parametrize(
    ("passed", "counted", "is_ahead"),
    [
        (0, 0, False),
        (0, 11, False),
        (0, 12, True),
        # Eight sevenths of the time that passed, and of ten seconds.
        (240, 240, False),
        (240, 285, False),
        (240, 286, True),
        (240, 8 * 3600, True),
        # It began anew.
        (240, -1000, False),
    ],
)
def test_nat_pmp_runs_ahead(passed: int, counted: int, *, is_ahead: bool) -> None:
    """RFC 6886 3.6, the other side: our own clock stood still."""
    assert (
        nat_pmp_epoch_runs_ahead(
            previous_epoch_time=1000,
            previous_client_time=5000,
            epoch_time=1000 + counted,
            client_time=5000 + passed,
        )
        is is_ahead
    )
