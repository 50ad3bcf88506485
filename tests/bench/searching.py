"""How long the first search of a process takes, with a router and with nobody.

In the lab's namespaces; where they cannot be had nothing is measured.
"""

import statistics
import sys

from tests.lab import requirements
from tests.lab.network import Network
from tests.lab.router import Router

from .result import Result

# Seconds.
FOUND_LIMIT = 0.5
NOTHING_LIMIT = 5.0

_SEARCH = """
import asyncio, time
from custom_components.pcp.client.discovery import find_servers
async def search():
    started = time.perf_counter()
    found = await find_servers()
    print(len(found), time.perf_counter() - started)
asyncio.run(search())
"""


def measure(rounds: int) -> list[Result]:
    """Search in a fresh interpreter each time."""
    if requirements.missing():
        return []
    with Network() as network:
        router = Router(network)
        router.reset()
        found = [_search(network, servers=1) for _ in range(rounds)]
        router.silence()
        nothing = [_search(network, servers=0) for _ in range(min(rounds, 3))]
        network.end_processes()
    return [
        Result(
            name="search",
            measured=statistics.median(found),
            limit=FOUND_LIMIT,
            unit="s until a router is found",
            detail=f"the first search of a process, median of {rounds}",
        ),
        Result(
            name="search",
            measured=max(nothing),
            limit=NOTHING_LIMIT,
            unit="s until nothing is found",
            detail="the first search of a process, the longest of some",
        ),
    ]


def _search(network: Network, *, servers: int) -> float:
    output = network.run("lan", sys.executable, "-c", _SEARCH).stdout
    count, seconds = output.split()
    assert int(count) == servers, output
    return float(seconds)
