"""After a reboot of the real router that lost its rules: how long until all is back.

The ANNOUNCE is heard, then comes the random wait of RFC 6887 14.1.3, at most 5 s; what
the rest takes is compared with as many bare requests, one after the other, to the router
in the same state: rebooted as well, and as long ago. The two take turns.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
import random
import statistics
import time

from custom_components.pcp.client.announcements import AnnouncementListener
from tests.lab.network import LAN_ADDRESS, ROUTER_ADDRESS, Network
from tests.lab.router import Router

from .against_router import (
    FIRST_PORT,
    LIFETIME,
    ask as ask_bare,
    bare_socket,
    make_client,
    request as bare_request,
    wish_for,
)
from .household import Household
from .result import Result

# How many mappings, and how many reboots of each kind: the fewer milliseconds it takes,
# the more of them are the machine's.
ROUNDS = {1: 11, 10: 5, 100: 4}
QUICK_ROUNDS = {1: 3, 10: 2, 100: 1}
WAIT_LIMIT = 5.0
REST_LIMIT = 1.2
SILENT_RESET_LIMIT = 300.0
# The server's own age decides whether its new epoch looks like a reset. RFC 8.5.
_AGE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Two reboots, one of them for the comparison; seconds."""

    count: int
    waited: float
    """From the ANNOUNCE to our first request."""
    rest: float
    """From there to the last grant."""
    bare: float
    """What as many bare requests took."""


def measure(network: Network, *, quick: bool) -> list[Recovery]:
    """Reboot the router with some mappings, several times each."""
    router = Router(network)
    router.reset()
    try:
        return [
            network.call("lan", asyncio.run, _recover(router, count))
            for count, rounds in (QUICK_ROUNDS if quick else ROUNDS).items()
            for _ in range(rounds)
        ]
    finally:
        network.end_processes()


def results(recoveries: list[Recovery]) -> Iterator[Result]:
    """Compare with what is promised."""
    for count in ROUNDS:
        some = [it for it in recoveries if it.count == count]
        yield Result(
            name="recovery",
            measured=max(it.waited for it in some),
            limit=WAIT_LIMIT,
            unit="s of random wait after the ANNOUNCE",
            detail=f"{count} mappings, the longest of {len(some)} reboots",
        )
        rest = [it.rest * 1e3 for it in some]
        bare = [it.bare * 1e3 for it in some]
        yield Result(
            name="recovery",
            measured=statistics.median(rest) / statistics.median(bare),
            limit=REST_LIMIT,
            unit="times as many bare requests, after the wait",
            detail=f"{count} mappings, medians of {len(some)}:"
            f" {_told(rest)} ms against {_told(bare)} ms",
        )


def _told(times: list[float]) -> str:
    return f"{statistics.median(times):.3g} ({min(times):.3g}-{max(times):.3g})"


async def _recover(router: Router, count: int) -> Recovery:
    bare = await asyncio.to_thread(_bare_after_reboot, router, count)
    client = await make_client(ROUTER_ADDRESS)
    listener = AnnouncementListener()
    heard_at = 0.0
    asked_at: list[float] = []

    def on_announcement(data: bytes, source: object, _: int) -> None:
        nonlocal heard_at
        # The one of PCP over IPv4; the server announces in other ways, too.
        if not heard_at and str(source) == ROUTER_ADDRESS and data[:1] == b"\2":
            heard_at = time.perf_counter()

    listener.subscribe(client.transport.feed_announcement)
    listener.subscribe(on_announcement)
    await listener.start()
    try:
        ports = range(FIRST_PORT, FIRST_PORT + count)
        for port in ports:
            wish = wish_for(LAN_ADDRESS, port)
            client.keeper.want(wish, now=client.transport.now(), urgent=False)
        client.transport.pump()
        await client.wait_until(lambda: len(client.granted) == count)
        await asyncio.sleep(_AGE)
        client.granted.clear()
        requests = client.keeper.server_view().requests
        client.on_pumped = lambda: (
            asked_at.append(time.perf_counter())
            if not asked_at and client.keeper.server_view().requests > requests
            else None
        )
        await asyncio.to_thread(router.reboot)
        await client.wait_until(lambda: len(client.granted) == count)
        done_at = time.perf_counter()
    finally:
        listener.close()
        client.transport.close()
    return Recovery(
        count=count,
        waited=asked_at[0] - heard_at,
        rest=done_at - asked_at[0],
        bare=bare,
    )


def _bare_after_reboot(router: Router, count: int) -> float:
    router.reboot()
    # As long as ours waits.
    time.sleep(random.uniform(0, WAIT_LIMIT))
    with router.network.inside("lan"), bare_socket(ROUTER_ADDRESS) as bare:
        started = time.perf_counter()
        for port in range(FIRST_PORT, FIRST_PORT + count):
            wish = wish_for(LAN_ADDRESS, port)
            ask_bare(bare, bare_request(wish, lifetime=LIFETIME))
        seconds = time.perf_counter() - started
    router.reboot()
    return seconds


def silent_reset() -> Result:
    """Simulate that the ANNOUNCE was lost and the epoch is another: when it is noticed."""
    longest = 0.0
    for offset in range(0, 1000, 7):
        household = Household()
        household.define(1)
        household.exchange()
        household.run_until(2000.0 + offset)
        household.reboot()
        rebooted_at = household.now
        while household.epoch_seen() < rebooted_at:
            household.run_until(household.keeper.next_wakeup() or 0.0)
        longest = max(longest, household.now - rebooted_at)
    return Result(
        name="recovery",
        measured=longest,
        limit=SILENT_RESET_LIMIT,
        unit="s until a reset without ANNOUNCE is found",
        detail="the longest of 143 moments of the schedule, simulated",
    )
