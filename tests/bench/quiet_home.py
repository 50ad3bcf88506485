"""What a quiet hour costs in a real Home Assistant, in which time passes faster.

A scenario of `crowded_home`, within its process.
"""

import asyncio
import sys
import time
from types import SimpleNamespace
from typing import Any

from hurry import hurry  # type: ignore[import-not-found]

FORWARDS = 100
# Times faster; an answer of the router must still come within a second of that time.
HURRY = 60
HOUR = 3600.0
# Seconds after which the renewals of a lease of an hour begin: in the hour that follows
# each of them is renewed twice.
BEFORE_RENEWALS = 1700.0


async def idle(home: Any, domain: str, other_domain: str) -> None:
    """Measure an hour with ours beside as many idle entities, and one without.

    In seconds of the processor, of the whole process.
    """
    loop = asyncio.get_running_loop()
    await home.add(other_domain, home.addresses[0], FORWARDS)
    entry = await home.add(domain, home.addresses[0], FORWARDS)
    await home.open(entry)
    await home.steer(f"hurry {HURRY}")
    hurry(loop, HURRY)
    wall_offset = time.time() - loop.time()
    clock: Any = sys.modules[f"custom_components.{domain}.clock"]
    clock.time = SimpleNamespace(time=lambda: loop.time() + wall_offset)
    await asyncio.sleep(BEFORE_RENEWALS)
    await home.steer("busiest")
    home.measured["with"] = await _work_in_an_hour()
    home.measured["requests"] = int(await home.steer("requests"))
    await home.hass.config_entries.async_unload(entry.entry_id)
    home.measured["without"] = await _work_in_an_hour()


async def _work_in_an_hour() -> float:
    begun = time.process_time()
    await asyncio.sleep(HOUR)
    return time.process_time() - begun
