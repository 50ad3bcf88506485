"""What a user could install instead, side by side: create, renew, delete, recover.

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

from custom_components.pcp.client.announcements import AnnouncementListener
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
OURS, BARE, NOTHING = "this integration", "a bare socket", "(a process)"
ACTS = ("create", "renew", "delete")
_BETWEEN_RENEWALS = 5.0
# How old the server's epoch is at a reboot, so that the new one is seen to be another.
_AGE = 3.0
# Seconds in which a mapping must be there again: twice the random wait.
RECOVERY_WAIT = 10.0
_DESCRIPTION = f"http://{ROUTER_ADDRESS}:{HTTP_PORT}/rootDesc.xml"


@dataclass(slots=True)
class Times:
    """What one client took for each act, in seconds."""

    name: str
    note: str
    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {act: [] for act in ACTS}
    )

    recoveries: list[float | None] = field(default_factory=list)
    """Seconds from a reboot of the router until the mapping was there again."""

    def median(self, act: str) -> float:
        """Return the median in seconds."""
        return statistics.median(self.seconds[act])

    @property
    def recovered(self) -> str:
        """Tell in how many reboots the mapping was there again, and when."""
        if self.name == NOTHING:
            return ""
        back = [seconds for seconds in self.recoveries if seconds is not None]
        if not back:
            return f"not in {len(self.recoveries)} reboots"
        shown = ", ".join(f"{seconds:.1f}" for seconds in back)
        return f"in {len(back)} of {len(self.recoveries)}, by itself: {shown} s"


def _natpmpc(act: str, number: int) -> list[str]:
    port = str(number)
    lifetime = 0 if act == "delete" else LIFETIME
    return ["natpmpc", "-g", ROUTER_ADDRESS, "-a", port, port, "tcp", str(lifetime)]


def _upnpc(act: str, number: int, *options: str) -> list[str]:
    port = str(number)
    if act == "delete":
        return ["upnpc", *options, "-d", port, "TCP"]
    mapping = [LAN_ADDRESS, port, port, "TCP", str(LIFETIME)]
    return ["upnpc", *options, "-a", *mapping]


COMMANDS: dict[str, tuple[str, Callable[[str, int], list[str]]]] = {
    "natpmpc": ("asks once", _natpmpc),
    "upnpc -u": (
        "asks once, is told where",
        lambda act, port: _upnpc(act, port, "-u", _DESCRIPTION),
    ),
    "upnpc": ("asks once, searches first", _upnpc),
    NOTHING: ("does nothing", lambda *_: ["true"]),
}


def missing() -> list[str]:
    """Return which clients are not installed."""
    return [name for name in ("natpmpc", "upnpc") if shutil.which(name) is None]


def measure(network: Network, *, rounds: int, reboots: int) -> list[Times]:
    """Let all take turns; each makes a mapping, renews it and deletes it.

    Then each makes one, and it is seen which are there again after a reboot.
    """
    with ExitStack() as stack:
        router = Router(network)
        router.reset()
        stack.callback(network.end_processes)
        return network.call("lan", asyncio.run, _take_turns(router, rounds, reboots))


async def _take_turns(router: Router, rounds: int, reboots: int) -> list[Times]:
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
                    times[name].seconds[act].append(_run(command(act, PORT)))
        await _recover(router, client, times, reboots)
    finally:
        client.transport.close()
    return list(times.values())


async def _recover(
    router: Router, client: Client, times: dict[str, Times], reboots: int
) -> None:
    """Let the router lose a mapping of each, and see when it is there again."""
    ports = {name: PORT + number for number, name in enumerate(times)}
    listener = AnnouncementListener()
    listener.subscribe(client.transport.feed_announcement)
    await listener.start()
    try:
        wish = wish_for(LAN_ADDRESS, ports[OURS])
        client.granted.clear()
        client.keeper.want(wish, now=client.transport.now())
        client.transport.pump()
        await client.wait_until(lambda: bool(client.granted))
        for _ in range(reboots):
            with bare_socket(ROUTER_ADDRESS) as bare:
                other = wish_for(LAN_ADDRESS, ports[BARE])
                ask_bare(bare, bare_request(other, lifetime=LIFETIME))
            for name, (_, command) in COMMANDS.items():
                _run(command("create", ports[name]))
            await asyncio.sleep(_AGE)
            await asyncio.to_thread(router.reboot)
            back = await _see_what_is_back(router)
            for name, it in times.items():
                it.recoveries.append(back.get(ports[name]))
    finally:
        listener.close()


async def _see_what_is_back(router: Router) -> dict[int, float]:
    """Return after how many seconds mappings were there, by external port."""
    back: dict[int, float] = {}
    begun = time.perf_counter()
    while (seconds := time.perf_counter() - begun) < RECOVERY_WAIT:
        for mapping in await asyncio.to_thread(router.mappings):
            back.setdefault(mapping.external_port, seconds)
        await asyncio.sleep(0.1)
    return back


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
