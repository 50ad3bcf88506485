"""A program in the lab that speaks for itself: keeper and transport, and no Home Assistant."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
import random
import secrets

from custom_components.pcp.client.events import Event
from custom_components.pcp.client.keeper import Keeper
from custom_components.pcp.client.mapping import MappingWish
from custom_components.pcp.client.transport import Transport

from .network import ROUTER_ADDRESS

# A net against hangs, seconds.
PATIENCE = 10.0


class Client:
    """A program that asks for mappings: a keeper and a transport."""

    def __init__(self, server: str) -> None:
        """Make them; they run in the running event loop."""
        self.events: list[Event] = []
        self.keeper = Keeper(
            ip_address(server),
            nonce=lambda: secrets.token_bytes(12),
            jitter=random.random,
            now=asyncio.get_running_loop().time(),
        )
        self.transport = Transport(self.keeper, on_event=self._on_event)
        self._changed = asyncio.Event()

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    def keep(self, *wishes: MappingWish) -> None:
        """Keep mappings or flows."""
        for wish in wishes:
            self.keeper.want(wish, now=self.transport.now())
        self.transport.pump()

    def release(self, wish: MappingWish) -> None:
        """Keep it no more."""
        self.keeper.release(wish.key, now=self.transport.now())
        self.transport.pump()

    async def heard[EventT: Event](self, kind: type[EventT], times: int = 1) -> EventT:
        """Return the last of so many pieces of news."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [event for event in self.events if isinstance(event, kind)]
                if len(found) >= times:
                    return found[-1]
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def client(server: str = ROUTER_ADDRESS) -> AsyncIterator[Client]:
    """A client that runs for the length of the block."""
    made = Client(server)
    await made.transport.start()
    try:
        yield made
    finally:
        made.transport.close()
