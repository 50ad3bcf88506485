"""Keeper and transport against the same requests over a bare socket.

In the lab's namespaces with the real miniupnpd where that can be had, else against the
simulated router on loopback. Bare and ours take turns within one run.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
import random
import secrets
import socket
import statistics
import time

from custom_components.pcp.client.codec import (
    SERVER_PORT,
    IPAddress,
    MapRequest,
    encode,
)
from custom_components.pcp.client.events import Event, LeaseGranted, LeaseReleased
from custom_components.pcp.client.keeper import Keeper
from custom_components.pcp.client.mapping import MappingKey, MappingWish, Protocol
from custom_components.pcp.client.transport import Transport
from tests.lab import requirements
from tests.lab.network import Network
from tests.lab.router import Router
from tests.simulated_router.server import SimulatedRouter

from .result import Result

LIFETIME = 3600
FIRST_PORT = 20_000
ADD_LIMIT = 1.0
REMAKE_LIMIT = 1.2


@dataclass(slots=True)
class Client:
    """A keeper on a real socket, and what it told last."""

    keeper: Keeper
    transport: Transport
    granted: dict[int, int]
    """How often each internal port was granted."""
    released: int
    changed: asyncio.Event
    on_pumped: Callable[[], object] = lambda: None

    async def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; it is looked at when anything was told."""
        while not is_so():
            self.changed.clear()
            await self.changed.wait()


def _nonce() -> bytes:
    return secrets.token_bytes(12)


async def make_client(server: IPAddress | str) -> Client:
    """Return a keeper that runs, in the namespace of this thread."""
    keeper = Keeper(
        ip_address(server) if isinstance(server, str) else server,
        nonce=_nonce,
        jitter=random.random,
        now=asyncio.get_running_loop().time(),
    )

    def on_event(event: Event) -> None:
        match event:
            case LeaseGranted(key):
                port = key.internal_port
                client.granted[port] = client.granted.get(port, 0) + 1
                client.changed.set()
            case LeaseReleased():
                client.released += 1
                client.changed.set()

    def on_pumped() -> None:
        client.on_pumped()

    client = Client(
        keeper,
        Transport(keeper, on_event=on_event, on_pumped=on_pumped),
        {},
        0,
        asyncio.Event(),
    )
    await client.transport.start()
    await asyncio.sleep(0.1)
    return client


def wish_for(client_address: IPAddress | str, internal_port: int) -> MappingWish:
    """Return the wish for a TCP port of ours, with a fresh nonce."""
    return MappingWish(
        key=MappingKey(
            internal_address=ip_address(str(client_address)),
            protocol=Protocol.TCP,
            internal_port=internal_port,
        ),
        nonce=_nonce(),
        lifetime=LIFETIME,
        suggested_external_port=internal_port,
    )


def request(wish: MappingWish, *, lifetime: int) -> bytes:
    """Return the request for a mapping; lifetime 0 deletes."""
    return encode(
        MapRequest(
            client_address=wish.key.internal_address,
            lifetime=lifetime,
            nonce=wish.nonce,
            protocol=wish.key.protocol,
            internal_port=wish.key.internal_port,
            suggested_external_port=wish.suggested_external_port if lifetime else 0,
            suggested_external_address=IPv4Address(0),
        )
    )


@contextmanager
def bare_socket(server: IPAddress | str) -> Iterator[socket.socket]:
    """Open a connected socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bare:
        bare.settimeout(5)
        bare.connect((str(server), SERVER_PORT))
        yield bare


def ask(bare: socket.socket, data: bytes) -> None:
    """Send, and wait for the answer."""
    bare.send(data)
    bare.recv(1100)


async def _wait_for_grant(client: Client, internal_port: int, times: int) -> None:
    while client.granted.get(internal_port, 0) < times:
        client.changed.clear()
        await client.changed.wait()


async def measure_add(server: IPAddress, rounds: int) -> Result:
    """Add one forward, bare and ours in turns; both delete theirs afterwards."""
    client = await make_client(server)
    bare_times, own_times = [], []
    address = client.keeper.client_address
    assert address is not None
    try:
        with bare_socket(server) as bare:
            for number in range(rounds):
                wish = wish_for(address, FIRST_PORT + number)
                started = time.perf_counter()
                ask(bare, request(wish, lifetime=LIFETIME))
                bare_times.append(time.perf_counter() - started)
                ask(bare, request(wish, lifetime=0))

                wish = wish_for(address, FIRST_PORT + number)
                started = time.perf_counter()
                client.keeper.want(wish, now=client.transport.now())
                client.transport.pump()
                await _wait_for_grant(client, wish.key.internal_port, 1)
                own_times.append(time.perf_counter() - started)
                client.keeper.release(wish.key, now=client.transport.now())
                client.transport.pump()
                while client.released <= number:
                    client.changed.clear()
                    await client.changed.wait()
    finally:
        client.transport.close()
    bare_ms, own_ms = (
        statistics.median(times) * 1e3 for times in (bare_times, own_times)
    )
    return Result(
        name="add",
        measured=own_ms - bare_ms,
        limit=ADD_LIMIT,
        unit="ms more than a bare socket",
        detail=f"medians of {rounds}: {own_ms:.2f} ms against {bare_ms:.2f} ms",
    )


async def measure_remake(server: IPAddress, count: int, rounds: int) -> Result:
    """Renew everything as after a loss, against as many bare requests one by one."""
    client = await make_client(server)
    address = client.keeper.client_address
    assert address is not None
    wishes = [wish_for(address, FIRST_PORT + number) for number in range(count)]
    bare_times, own_times = [], []
    try:
        with bare_socket(server) as bare:
            for _ in range(rounds):
                # As after a loss: nothing is there.
                for wish in wishes:
                    ask(bare, request(wish, lifetime=0))
                started = time.perf_counter()
                for wish in wishes:
                    ask(bare, request(wish, lifetime=LIFETIME))
                bare_times.append(time.perf_counter() - started)
                for wish in wishes:
                    ask(bare, request(wish, lifetime=0))

                client.granted.clear()
                started = time.perf_counter()
                now = client.transport.now()
                for wish in wishes:
                    client.keeper.want(wish, now=now, urgent=False)
                client.transport.pump()
                for wish in wishes:
                    await _wait_for_grant(client, wish.key.internal_port, 1)
                own_times.append(time.perf_counter() - started)
                client.released = 0
                for wish in wishes:
                    client.keeper.release(wish.key, now=client.transport.now())
                client.transport.pump()
                while client.released < count:
                    client.changed.clear()
                    await client.changed.wait()
    finally:
        client.transport.close()
    ratio = statistics.median(
        own / bare for own, bare in zip(own_times, bare_times, strict=True)
    )
    return Result(
        name="remake",
        measured=ratio,
        limit=REMAKE_LIMIT,
        unit="times as many bare requests",
        detail=(
            f"{count} mappings, {rounds} rounds: {statistics.median(own_times):.3f} s"
            f" against {statistics.median(bare_times):.3f} s"
        ),
    )


def measure(names: set[str], *, quick: bool) -> list[Result]:
    """Measure against the real router where there is one."""
    rounds, repeats = (30, 3) if quick else (200, 7)

    async def run(server: IPAddress) -> list[Result]:
        results = []
        if "add" in names:
            results.append(await measure_add(server, rounds))
        if "remake" in names:
            results.append(await measure_remake(server, 100, repeats))
        return results

    async def run_simulated() -> list[Result]:
        router = SimulatedRouter("127.0.77.1", "127.0.99.1", relay=False)
        await router.start()
        try:
            return await run(ip_address("127.0.77.1"))
        finally:
            await router.stop()

    if requirements.missing():
        return asyncio.run(run_simulated())
    with Network() as network:
        router = Router(network)
        router.reset()
        server = ip_address("192.168.77.1")
        try:
            return network.call("lan", asyncio.run, run(server))
        finally:
            network.end_processes()
