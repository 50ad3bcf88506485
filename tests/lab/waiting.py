"""Waiting for a condition, instead of sleeping and hoping."""

from collections.abc import Callable
import time

POLL_INTERVAL = 0.01


def wait_until(
    condition: Callable[[], object], what: str, *, timeout: float = 10.0
) -> None:
    """Return once `condition()` is true; raise TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s in vain for {what}")
        time.sleep(POLL_INTERVAL)
