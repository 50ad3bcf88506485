"""One life of Home Assistant, from its start to its stop or crash.

Engine, links, transports, keepers, ledger, acts and stores are the product's. What is
ours here is `coordinator.py` in short, without entities, and the `hass` that they ask for.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from homeassistant.core import CoreState, HomeAssistant

from custom_components.pcp.acts import Acts
from custom_components.pcp.client.events import Event
from custom_components.pcp.engine import Engine
from custom_components.pcp.forward import Forward
from custom_components.pcp.ledger import Ledger
from custom_components.pcp.news import News
from custom_components.pcp.orders import Order
from custom_components.pcp.servers import Whereabouts
from custom_components.pcp.waiting import Waiting

from .disk import Disk
from .time_line import TimeLine

ENTRY_ID = "simulated"


class Hass:
    """What the product, and the store, ask of Home Assistant."""

    state = CoreState.running
    is_stopping = False

    def __init__(self, loop: TimeLine, disk: Disk) -> None:
        """Begin alive."""
        self.loop = loop
        self.disk = disk
        self.is_alive = True
        self.data: dict[Any, Any] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.config = SimpleNamespace(
            config_dir="", path=lambda *parts: "/".join(parts), components=()
        )
        self.bus = SimpleNamespace(async_listen_once=lambda *_: lambda: None)

    def async_create_task(
        self,
        coro: Coroutine[Any, Any, Any],
        name: str | None = None,
        eager_start: bool = True,
    ) -> asyncio.Task[Any]:
        """Run a coroutine."""
        task = self.loop.create_task(coro)
        if not task.done():
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return task

    async_create_background_task = async_create_task
    async_create_task_internal = async_create_task

    async def async_add_executor_job(
        self, job: Callable[..., Any], *args: Any
    ) -> object:
        """Do what blocks: reading and writing."""
        match job.__name__:
            case "_write_prepared_data":
                _, octets = args
                key = job.__self__.key  # type: ignore[attr-defined]
                await self.disk.write(key, octets, lambda: self.is_alive)
                return None
            case "load_json":
                return self.disk.read(args[0].rpartition("/")[2])
            case _:
                return job(*args)


class Home:
    """Home Assistant with one router's entry in it."""

    def __init__(
        self,
        loop: TimeLine,
        disk: Disk,
        definitions: dict[str, Forward],
        *,
        random: Random,
        lease_time: int,
        host: str,
        on_change: Callable[[], None],
        on_event: Callable[[Event], None],
        on_defined: Callable[[str, Forward], None],
        on_removed: Callable[[str], None],
    ) -> None:
        """Make the rooms; `definitions` are the entry's subentries."""
        self.hass = Hass(loop, disk)
        self.definitions = definitions
        self.lease_time = lease_time
        self._random = random
        self.ledger = Ledger(nonce=self.new_nonce, lease_time=lease_time)
        hass = cast(HomeAssistant, self.hass)
        self.engine = Engine(
            hass,
            ENTRY_ID,
            self.ledger,
            Whereabouts(host, anycast=False),
            on_event=on_event,
            on_change=self._on_change,
        )
        self.waiting = Waiting()
        self.acts = Acts(self.engine, self.waiting)
        self.news: list[News] = []
        self.is_up = False
        self._on_changed = on_change
        self._on_defined = on_defined
        self._on_removed = on_removed

    def new_nonce(self) -> bytes:
        """Return a nonce."""
        return self._random.randbytes(12)

    # From start to end.

    async def start(self) -> None:
        """Start as `PcpCoordinator.async_start` does."""
        await self.engine.async_load(dict(self.definitions))
        await self.engine.async_start()
        await self.follow()
        self.is_up = True

    async def stop(self) -> None:
        """Stop as `PcpCoordinator.async_stop` does."""
        await self.engine.async_stop()

    def die(self) -> None:
        """Stop existing: nothing that is under way has any effect any more."""
        self.hass.is_alive = False

    def bury(self) -> None:
        """End what was under way."""
        self.engine.silence()
        for task in list(self.hass.tasks):
            task.cancel()

    # Acts.

    async def add(self, forward_id: str, forward: Forward, seconds: int | None) -> None:
        """Add a forward as `PcpCoordinator.async_add_forward` does."""
        await self.acts.async_try(forward)
        self._on_defined(forward_id, forward)
        self.definitions[forward_id] = forward
        duration = None if seconds is None else timedelta(seconds=seconds)
        orders = self._define() + self.acts.set_duration(forward_id, duration)
        await self.engine.async_carry_out(orders)

    async def change(self, forward_id: str, forward: Forward) -> None:
        """Change a forward as the flow and the entry's listener do."""
        await self.acts.async_try(forward, replacing=forward_id)
        if forward_id in self.definitions:
            self._on_defined(forward_id, forward)
            self.definitions[forward_id] = forward
            await self.follow()

    async def remove(self, forward_id: str) -> None:
        """Remove a forward as `PcpCoordinator.async_remove_forward` does."""
        await self.acts.async_close(forward_id)
        self._remove(forward_id)
        await self.follow()

    async def open(self, forward_id: str, seconds: int | None) -> None:
        """Switch a forward on."""
        duration = None if seconds is None else timedelta(seconds=seconds)
        await self.acts.async_open(forward_id, duration=duration)

    async def close(self, forward_id: str) -> None:
        """Switch a forward off."""
        await self.acts.async_close(forward_id)

    async def follow(self) -> None:
        """Take over definitions and options."""
        orders = self._define()
        orders += self.ledger.set_options(lease_time=self.lease_time, third_party=False)
        await self.engine.async_carry_out(orders)

    # What `PcpCoordinator` does besides.

    def _define(self) -> list[Order]:
        if self.definitions == self.ledger.forwards:
            return []
        gone = self.ledger.forwards.keys() - self.definitions.keys()
        orders = self.ledger.define(dict(self.definitions))
        self._on_change()
        self.waiting.look(gone)
        return orders

    def _remove(self, forward_id: str) -> None:
        if self.definitions.pop(forward_id, None) is not None:
            self._on_removed(forward_id)

    def _on_change(self) -> None:
        touched = self.ledger.take_touched()
        self.news += self.ledger.take_news()
        self.waiting.look(touched)
        for forward_id in self.ledger.finished(touched):
            self._remove(forward_id)
            # Home Assistant tells the entry's listeners.
            self.hass.async_create_task(self.follow())
        self._on_changed()
