"""An event loop for which time passes faster: an hour is over in a minute."""

import asyncio
from typing import Any


def hurry(loop: asyncio.AbstractEventLoop, factor: float) -> None:
    """Let a loop's time pass so many times faster from now on.

    What takes no time, such as work and datagrams, takes as long as it does.
    """
    anything: Any = loop
    began_at, time = loop.time(), loop.time
    selector = anything._selector
    select = selector.select

    def select_sooner(timeout: float | None = None) -> Any:
        return select(timeout / factor if timeout else timeout)

    anything.time = lambda: began_at + (time() - began_at) * factor
    selector.select = select_sooner
