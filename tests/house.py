"""A Home Assistant and its router in one test, with a clock that is moved by hand.

Datagrams are real and go over loopback; they need no time. Time stands still until a
test lets it pass: then every timer, ours, the router's and Home Assistant's, comes in its
turn. So a test knows what is sent when, and waits for nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, override
from unittest.mock import AsyncMock, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.util.async_ import get_scheduled_timer_handles
from homeassistant.util.file import WriteError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.announcements import LISTENER
from custom_components.pcp.client.codec import SERVER_PORT, MapRequest
from custom_components.pcp.const import DOMAIN
from custom_components.pcp.coordinator import PcpCoordinator
from custom_components.pcp.views import ForwardView
from tests.simulated_router import SeenRequest, SimulatedRouter

from .glue import entity_id, pcp_entry

# Turns of the loop with nothing to do: both ends of all sockets have said everything.
IDLE_TURNS = 5
# The monotonic clock began somewhere, as it does on any machine.
BOOTED_AT = 1_700_000_000.0
# RFC 6887 11.6: a MAP for this port opens nothing.
DISCARD_PORT = 9


@dataclass(slots=True)
class House:
    """A Home Assistant, what it has on disk, and its router."""

    hass: HomeAssistant
    storage: dict[str, Any]
    router: SimulatedRouter
    freezer: FrozenDateTimeFactory
    jobs: set[asyncio.Future[Any]]
    """What is done in threads, which have a time of their own."""

    disks: list[dict[str, Any]] = field(default_factory=list)
    """What was on disk when the router saw each of its requests."""

    entry: MockConfigEntry = field(default_factory=pcp_entry)
    is_deaf: bool = False
    """Announcements are lost."""

    # Time.

    def now(self) -> float:
        """Return the monotonic seconds."""
        return self.hass.loop.time()

    def wall(self, seconds: float = 0) -> datetime:
        """Return the time on the wall, so many seconds from now, in whole ones."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        return (at + timedelta(microseconds=500_000)).replace(microsecond=0)

    async def settle(self) -> None:
        """Let everybody say what there is to say now."""
        loop: Any = self.hass.loop
        idle = 0
        while idle < IDLE_TURNS:
            if self.jobs:
                await asyncio.wait(self.jobs)
            await asyncio.sleep(0)
            # What else the loop has to do in this turn.
            idle = 0 if self.jobs or loop._ready else idle + 1

    async def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now() + seconds
        await self.settle()
        while self._jump(to_at_most=end):
            await self.settle()

    async def until(self, condition: Callable[[], bool], within: float = 60.0) -> float:
        """Let time pass until something is so; return how many seconds it took."""
        begin = self.now()
        await self.settle()
        while not condition():
            assert self._jump(to_at_most=begin + within), "it never came"
            await self.settle()
        return self.now() - begin

    async def finish[ResultT](self, act: Awaitable[ResultT]) -> ResultT:
        """Let time pass until an act is over."""
        task = asyncio.ensure_future(act)
        await self.until(task.done)
        return await task

    def begin(self, act: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let an act begin, and go on beside it."""
        return self.hass.async_create_task(act)

    def _jump(self, *, to_at_most: float) -> bool:
        """Jump to the next timer, or to the end; tell whether there was anything."""
        now = self.now()
        if now >= to_at_most:
            return False
        timers = [
            handle.when()
            for handle in get_scheduled_timer_handles(self.hass.loop)
            if not handle.cancelled()
        ]
        at = min([to_at_most, *(at for at in timers if at > now)])
        # The clock has microseconds; a timer is not to be missed by a part of one.
        self.freezer.tick(timedelta(microseconds=ceil((at - now) * 1e6) + 1))
        return True

    # Home Assistant.

    @property
    def coordinator(self) -> PcpCoordinator:
        """The loaded router."""
        coordinator: PcpCoordinator = self.entry.runtime_data
        return coordinator

    async def set_up(self, *forwards: ConfigSubentryData, **changes: Any) -> None:
        """Add the router with the forwards that are defined, and load it."""
        self.entry = pcp_entry(self.router.address, *forwards, **changes)
        self.entry.add_to_hass(self.hass)
        await self.start()

    async def start(self) -> None:
        """Load the router."""
        assert await self.finish(
            self.hass.config_entries.async_setup(self.entry.entry_id)
        )
        assert self.entry.state is ConfigEntryState.LOADED
        await self.settle()

    async def stop(self) -> None:
        """Unload the router."""
        assert await self.finish(
            self.hass.config_entries.async_unload(self.entry.entry_id)
        )

    async def crash(self, *, at: int = -1) -> None:
        """Stop as a power cut does: what is not on disk is lost.

        `at` makes it come when the router sees that request.
        """
        stored = self.disks[at] if at >= 0 else deepcopy(self.storage)
        sent = len(self.router.requests)
        # What is being saved just now is not carried out any more.
        self.coordinator._engine.silence()
        await self.stop()
        self.storage.clear()
        self.storage.update(stored)
        assert len(self.router.requests) == sent

    async def call(self, domain: str, action: str, **data: Any) -> dict[str, Any]:
        """Perform an action, and let time pass until it is over."""
        registry = self.hass.services
        responds = domain == DOMAIN and action != "remove_forward"
        response = await self.finish(
            registry.async_call(
                domain, action, data, blocking=True, return_response=responds
            )
        )
        await self.settle()
        return dict(response or {})

    async def add(
        self, name: str = "Game", internal_port: int = 8123, **data: Any
    ) -> str:
        """Add a forward by the action; return its id."""
        response = await self.call(
            DOMAIN, "add_forward", name=name, internal_port=internal_port, **data
        )
        return str(response["forward_id"])

    async def turn_on(self, forward_id: str) -> None:
        """Switch a forward on."""
        await self.call("switch", "turn_on", entity_id=self.switch(forward_id))

    async def turn_off(self, forward_id: str) -> None:
        """Switch a forward off."""
        await self.call("switch", "turn_off", entity_id=self.switch(forward_id))

    def switch(self, forward_id: str) -> str:
        """Return the entity id of a forward's switch."""
        return entity_id(self.hass, "switch", forward_id, "forward")

    def is_on(self, forward_id: str) -> bool:
        """Tell whether a forward's switch is on."""
        return self.hass.states.is_state(self.switch(forward_id), "on")

    def ids(self) -> list[str]:
        """Return the ids of the defined forwards."""
        return list(self.entry.subentries)

    def view(self, forward_id: str) -> ForwardView:
        """Return a forward as it is shown."""
        return self.coordinator.data.forwards[forward_id]

    def status(self, forward_id: str) -> str:
        """Return the state of a forward's status sensor; it says what is shown."""
        state = self.hass.states.get(
            entity_id(self.hass, "sensor", forward_id, "status")
        )
        assert state is not None
        assert state.state == self.view(forward_id).status
        return state.state

    def issues(self) -> list[str]:
        """Return the translation keys of the repair issues."""
        return [
            str(issue.translation_key)
            for (domain, _), issue in ir.async_get(self.hass).issues.items()
            if domain == DOMAIN and issue.active
        ]

    # On disk and on the wire.

    def watch(self) -> None:
        """Begin to see what is on disk when the router sees a request."""
        self.router.requests = _Watched(
            lambda: self.disks.append(deepcopy(self.storage))
        )

    def stored(self) -> dict[str, Any]:
        """Return what is on disk of the router."""
        data: dict[str, Any] = self.storage[f"{DOMAIN}.{self.entry.entry_id}"]["data"]
        return data

    def stored_nonces(self) -> dict[int, str]:
        """Return the nonces on disk, by internal port."""
        return {it["internal_port"]: it["nonce"] for it in self.stored()["leases"]}

    def disk(self, request: int) -> dict[str, Any]:
        """Return what was on disk of the router when it saw a request."""
        document = self.disks[request].get(f"{DOMAIN}.{self.entry.entry_id}", {})
        data: dict[str, Any] = document.get("data", {"leases": [], "wishes": {}})
        return data

    def numbered_maps(self, since: int = 0) -> list[tuple[int, MapRequest]]:
        """Return the requests for mappings, with their numbers among all requests."""
        return [
            (number, seen.request)
            for number, seen in enumerate(self.router.requests)
            if number >= since
            and isinstance(seen.request, MapRequest)
            and seen.request.internal_port != DISCARD_PORT
        ]

    def maps(self, since: int = 0) -> list[MapRequest]:
        """Return the requests for mappings that the router has seen."""
        return [request for _, request in self.numbered_maps(since)]

    def count(self) -> int:
        """Return how many datagrams the router has seen."""
        return len(self.router.requests)

    def announce(self, data: bytes) -> None:
        """Let a multicast datagram of the router be heard, if anybody listens."""
        listener = self.hass.data.get(LISTENER)
        if listener is not None and not self.is_deaf:
            listener._on_datagram(data, (self.router.address, SERVER_PORT))

    def open_ports(self) -> list[int]:
        """Return what is open on the router."""
        return sorted(mapping.external_port for mapping in self.router.mappings())


@contextmanager
def slow_disk(seconds: float = 0.5) -> Iterator[list[float]]:
    """Let every write take its time; gives the list of when one began."""
    writes: list[float] = []
    write = Store._async_write_data

    async def async_write(store: Store[Any], data: dict[str, Any]) -> None:
        writes.append(asyncio.get_running_loop().time())
        if "data_func" in data:
            data["data"] = data.pop("data_func")()
        await asyncio.sleep(seconds)
        await write(store, data)

    with patch.object(Store, "_async_write_data", async_write):
        yield writes


@contextmanager
def full_disk() -> Iterator[None]:
    """Let nothing be written; what is there stays."""
    error = WriteError("No space left on device")
    with patch.object(Store, "_async_write_data", AsyncMock(side_effect=error)):
        yield


class _Watched(list[SeenRequest]):
    """A list that tells of each new member."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    @override
    def append(self, request: SeenRequest) -> None:
        super().append(request)
        self._tell()
