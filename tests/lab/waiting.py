"""Waiting for a condition, instead of sleeping and hoping."""

from collections.abc import Callable
import time

# Seconds. To look more often would keep a small machine from doing what is waited for.
POLL_INTERVAL = 0.05


def wait_until(
    condition: Callable[[], object],
    what: str,
    *,
    timeout: float = 10.0,
    interval: float = POLL_INTERVAL,
) -> None:
    """Return once `condition()` is true; raise TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s in vain for {what}")
        time.sleep(interval)
