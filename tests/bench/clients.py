"""What a user could install instead, side by side in one run: create, renew, delete.

In the lab with the real miniupnpd. `upnpc` (Debian: miniupnpc) and `natpmpc` are
processes that ask once; ours is a keeper in a process that runs anyway. So that this
can be told apart, a process that does nothing is measured too, and a bare socket.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
import shutil
import statistics
import subprocess
import time

from tests.lab.network import LAN_ADDRESS, ROUTER_ADDRESS, Network
from tests.lab.router import HTTP_PORT, Router

from .against_router import (
    LIFETIME,
    Client,
    ask as ask_bare,
    bare_socket,
    make_client,
    request as bare_request,
    wish_for,
)

PORT = 20_000
OURS, BARE = "this integration", "a bare socket"
ACTS = ("create", "renew", "delete")
_BETWEEN_RENEWALS = 5.0
_DESCRIPTION = f"http://{ROUTER_ADDRESS}:{HTTP_PORT}/rootDesc.xml"


@dataclass(slots=True)
class Times:
    """What one client took for each act, in seconds."""

    name: str
    note: str
    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {act: [] for act in ACTS}
    )

    def median(self, act: str) -> float:
        """Return the median in seconds."""
        return statistics.median(self.seconds[act])


def _natpmpc(lifetime: int) -> list[str]:
    port = str(PORT)
    return ["natpmpc", "-g", ROUTER_ADDRESS, "-a", port, port, "tcp", str(lifetime)]


def _upnpc(act: str, *options: str) -> list[str]:
    port = str(PORT)
    if act == "delete":
        return ["upnpc", *options, "-d", port, "TCP"]
    mapping = [LAN_ADDRESS, port, port, "TCP", str(LIFETIME)]
    return ["upnpc", *options, "-a", *mapping]


COMMANDS: dict[str, tuple[str, Callable[[str], list[str]]]] = {
    "natpmpc": (
        "asks once",
        lambda act: _natpmpc(0 if act == "delete" else LIFETIME),
    ),
    "upnpc -u": (
        "asks once, is told where",
        lambda act: _upnpc(act, "-u", _DESCRIPTION),
    ),
    "upnpc": ("asks once, searches first", _upnpc),
    "(a process)": ("does nothing", lambda _: ["true"]),
}


def missing() -> list[str]:
    """Return which clients are not installed."""
    return [name for name in ("natpmpc", "upnpc") if shutil.which(name) is None]


def measure(network: Network, *, rounds: int) -> list[Times]:
    """Let all take turns; each makes a mapping, renews it and deletes it."""
    with ExitStack() as stack:
        router = Router(network)
        router.reset()
        stack.callback(network.end_processes)
        return network.call("lan", asyncio.run, _take_turns(router, rounds))


async def _take_turns(router: Router, rounds: int) -> list[Times]:
    client = await make_client(ROUTER_ADDRESS)
    times = {
        BARE: Times(BARE, "the request and nothing else"),
        OURS: Times(OURS, "keeps asking"),
        **{name: Times(name, note) for name, (note, _) in COMMANDS.items()},
    }
    try:
        for number in range(rounds):
            _ask_bare(times[BARE])
            await _ask_ours(client, times[OURS])
            for name, (_, command) in COMMANDS.items():
                # Its search waits for two seconds, each time.
                if name == "upnpc" and number >= 5:
                    continue
                for act in ACTS:
                    times[name].seconds[act].append(_run(command(act)))
    finally:
        client.transport.close()
    return list(times.values())


def _run(command: list[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return seconds


def _ask_bare(times: Times) -> None:
    wish = wish_for(LAN_ADDRESS, PORT)
    with bare_socket(ROUTER_ADDRESS) as bare:
        for act, lifetime in zip(ACTS, (LIFETIME, LIFETIME, 0), strict=True):
            started = time.perf_counter()
            ask_bare(bare, bare_request(wish, lifetime=lifetime))
            times.seconds[act].append(time.perf_counter() - started)


async def _ask_ours(client: Client, times: Times) -> None:
    keeper, transport = client.keeper, client.transport
    wish = wish_for(LAN_ADDRESS, PORT)
    client.granted.clear()
    client.released = 0
    started = time.perf_counter()
    keeper.want(wish, now=transport.now())
    transport.pump()
    await client.wait_until(lambda: client.granted.get(PORT, 0) > 0)
    times.seconds["create"].append(time.perf_counter() - started)
    # RFC 6887 11.2.1: no two renewals within 4 s, and the grant counts as one.
    await asyncio.sleep(_BETWEEN_RENEWALS)
    started = time.perf_counter()
    keeper.renew_all(now=transport.now())
    transport.pump()
    await client.wait_until(lambda: client.granted.get(PORT, 0) > 1)
    times.seconds["renew"].append(time.perf_counter() - started)
    started = time.perf_counter()
    keeper.release(wish.key, now=transport.now())
    transport.pump()
    await client.wait_until(lambda: client.released > 0)
    times.seconds["delete"].append(time.perf_counter() - started)
