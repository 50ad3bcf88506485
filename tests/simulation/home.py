"""Home Assistant from its start to its stop or crash, and one router's entry in it.

Engine, links, transports, keepers, ledger, acts, closing and stores are the product's.
What is ours here is `coordinator.py` and `__init__.py` in short, without entities, and the
`hass` that they ask for.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from homeassistant.core import CoreState, HomeAssistant

from custom_components.pcp.acts import Acts
from custom_components.pcp.client.events import Event
from custom_components.pcp.client.mapping import Grant, MappingKey
from custom_components.pcp.closing import async_close_from_storage
from custom_components.pcp.engine import Engine
from custom_components.pcp.forward import Forward, ForwardStatus
from custom_components.pcp.ledger import Ledger
from custom_components.pcp.news import News
from custom_components.pcp.orders import Order
from custom_components.pcp.servers import Whereabouts
from custom_components.pcp.standing import Standing
from custom_components.pcp.storage import LedgerStore
from custom_components.pcp.waiting import Waiting

from .disk import Disk
from .entry import Entry
from .time_line import TimeLine


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
        # Home Assistant 2026.11 has other names for the two.
        match job.__name__:
            case "_write_prepared_data" | "_write":
                _, octets = args
                path: str = job.__self__.path  # type: ignore[attr-defined]
                key = path.rpartition("/")[2]
                await self.disk.write(key, octets, lambda: self.is_alive)
                return None
            case "load_json":
                return self.disk.read(args[0].rpartition("/")[2])
            case "unlink":
                if self.is_alive:
                    self.disk.files.pop(args[0].rpartition("/")[2], None)
                return None
            case "_load":
                path = job.__self__.path  # type: ignore[attr-defined]
                return self.disk.read(path.rpartition("/")[2])
            case "_remove":
                if self.is_alive:
                    path = job.__self__.path  # type: ignore[attr-defined]
                    self.disk.files.pop(path.rpartition("/")[2], None)
                return None
            case _:
                return job(*args)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the entities show of a forward."""

    status: ForwardStatus
    is_on: bool
    grants: tuple[tuple[MappingKey, bytes, Grant], ...]
    """Each with the name and the nonce of its mapping."""

    @classmethod
    def of(cls, standing: Standing) -> Shown:
        """Keep what is shown, for leases change."""
        return cls(
            standing.status,
            standing.wish.wanted,
            tuple(
                (lease.key, lease.wish.nonce, lease.grant)
                for lease in standing.leases
                if lease.wanted and lease.grant is not None
            ),
        )


class Home:
    """One router's entry, loaded."""

    def __init__(
        self,
        hass: Hass,
        entry: Entry,
        *,
        random: Random,
        on_change: Callable[[], None],
        on_event: Callable[[Event], None],
        on_defined: Callable[[str, Forward], None],
        on_removed: Callable[[str], None],
    ) -> None:
        """Make the rooms."""
        self.hass = hass
        self.entry = entry
        self._random = random
        self.ledger = Ledger(
            nonce=self.new_nonce,
            lease_time=entry.lease_time,
            third_party=entry.third_party,
        )
        self._hass = cast(HomeAssistant, hass)
        self.engine = Engine(
            self._hass,
            entry.entry_id,
            self.ledger,
            Whereabouts(entry.host, anycast=False),
            name=entry.host,
            on_event=on_event,
            on_change=self._on_change,
        )
        self.waiting = Waiting()
        self.acts = Acts(self.engine, self.waiting)
        self.news: list[News] = []
        self.is_up = False
        self.shown: dict[str, Shown] = {}
        """What the entities show: how each forward stood when it was last touched."""
        self.shown_changes = 0
        self._on_changed = on_change
        self._on_defined = on_defined
        self._on_removed = on_removed

    def new_nonce(self) -> bytes:
        """Return a nonce."""
        return self._random.randbytes(12)

    # From start to end.

    async def start(self) -> None:
        """Start as `PcpCoordinator.async_start` does."""
        await self.engine.async_load(dict(self.entry.definitions))
        self._on_change()
        await self.engine.async_start()
        await self.follow()
        self.is_up = True

    async def stop(self) -> None:
        """Stop as `PcpCoordinator.async_stop` does."""
        if self.entry.is_disabled:
            self.ledger.close_all()
        await self.engine.async_stop()

    async def unload(self) -> None:
        """Unload as `async_unload_entry` does."""
        await self.stop()
        if self.entry.is_disabled:
            await async_close_from_storage(self._hass, self.entry.entry_id)

    async def remove_entry(self) -> None:
        """Remove the entry as Home Assistant and `async_remove_entry` do."""
        await self.unload()
        await async_close_from_storage(self._hass, self.entry.entry_id)
        await LedgerStore(self._hass, self.entry.entry_id).async_remove()

    async def move_to(self, host: str) -> None:
        """Move to another host as the flow does, which changes the entry then."""
        await self.engine.async_move_to(host)
        self.entry.host = host
        await self.follow()

    # Acts.

    async def add(self, forward_id: str, forward: Forward, seconds: int | None) -> None:
        """Add a forward as `PcpCoordinator.async_add_forward` does."""
        await self.acts.async_try(forward)
        self._on_defined(forward_id, forward)
        self.entry.definitions[forward_id] = forward
        duration = None if seconds is None else timedelta(seconds=seconds)
        orders = self._define() + self.acts.set_duration(forward_id, duration)
        await self.engine.async_carry_out(orders)

    async def change(self, forward_id: str, forward: Forward) -> None:
        """Change a forward as the flow and the entry's listener do."""
        await self.acts.async_try(forward, replacing=forward_id)
        if forward_id in self.entry.definitions:
            self._on_defined(forward_id, forward)
            self.entry.definitions[forward_id] = forward
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
        orders += self.ledger.set_options(
            lease_time=self.entry.lease_time, third_party=self.entry.third_party
        )
        await self.engine.async_carry_out(orders)

    # What `PcpCoordinator` does besides.

    def _define(self) -> list[Order]:
        if self.entry.definitions == self.ledger.forwards:
            return []
        gone = self.ledger.forwards.keys() - self.entry.definitions.keys()
        orders = self.ledger.define(dict(self.entry.definitions))
        self._on_change()
        self.waiting.look(gone)
        return orders

    def _remove(self, forward_id: str) -> None:
        if self.entry.definitions.pop(forward_id, None) is not None:
            self._on_removed(forward_id)
        self.shown.pop(forward_id, None)

    def _on_change(self) -> None:
        touched = self.ledger.take_touched()
        if touched:
            reachable = self.engine.links.reachable
            for forward_id in touched:
                standing = self.ledger.standing(forward_id, reachable)
                self.shown[forward_id] = Shown.of(standing)
            self.shown_changes += 1
        self.news += self.ledger.take_news()
        self.waiting.look(touched)
        for forward_id in self.ledger.finished(touched, self.engine.links.reachable):
            self._remove(forward_id)
            # Home Assistant tells the entry's listeners.
            self.hass.async_create_task(self.follow())
        self._on_changed()
