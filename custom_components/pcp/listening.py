"""Whether anything listens where a forward leads to."""

import asyncio
from contextlib import suppress

from .forward import Forward, ForwardProtocol

# Seconds; what is at home answers much sooner.
WAIT = 1.0


async def async_listens(forward: Forward, internal_address: str) -> bool | None:
    """Connect to the first port of a forward, and hang up.

    None where nothing can be told: UDP has no connections, and a host that is silent
    may be one that answers to others.
    """
    if forward.protocol is ForwardProtocol.UDP:
        return None
    try:
        async with asyncio.timeout(WAIT):
            _, writer = await asyncio.open_connection(
                internal_address, forward.internal_port
            )
    except ConnectionRefusedError:
        return False
    except OSError, TimeoutError:
        return None
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
