"""A short run of the fuzzer over every target. See README.md for a long one."""

from pathlib import Path

import pytest

from .__main__ import LIMITS, fuzz
from .names import SHARES, shares_of

RUNS = 100_000


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.timeout(180)
def test_nothing_is_found(name: str, tmp_path: Path) -> None:
    """Any datagram is read or refused in words, and what is refused changes nothing."""
    runs = shares_of(RUNS, list(SHARES))[name]
    code, done = fuzz(name, tmp_path, [*LIMITS, f"-runs={runs}"])
    assert code == 0
    # What it begins with counts, too.
    assert done >= runs
