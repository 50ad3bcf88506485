"""Simulated routers in a process of their own, so that they cost the others nothing.

Usage: python -m tests.bench.routers ADDRESS…

It prints a loopback TCP port, which the kernel has chosen. Lines to it steer all of
them at once; `busiest` tells how many requests one of them had in its busiest second
since the last time, `requests` how many all had since then, and `hurry N` lets time pass
so many times faster.
"""

import asyncio
import sys

from tests.simulated_router.control import obey
from tests.simulated_router.server import SimulatedRouter

from .hurry import hurry

EXTERNAL = "203.0.113.5"


async def serve(addresses: list[str]) -> None:
    """Serve until standard input ends."""
    routers = [SimulatedRouter(address, EXTERNAL, relay=False) for address in addresses]
    for router in routers:
        await router.start()

    async def converse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        line = (await reader.readline()).decode().strip()
        if line == "busiest":
            answer = str(max(map(_busiest, routers)))
        elif line == "requests":
            answer = str(sum(len(router.requests) for router in routers))
        elif line.startswith("hurry "):
            hurry(asyncio.get_running_loop(), float(line.removeprefix("hurry ")))
            answer = ""
        else:
            answer = "\n".join([obey(router, line) for router in routers])
        writer.write(answer.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


def _busiest(router: SimulatedRouter) -> int:
    """Return the most requests in any second, and forget them."""
    times = [request.at for request in router.requests]
    router.requests.clear()
    most, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
