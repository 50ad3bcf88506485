"""Closing without a router's ledger: for entries that are removed, disabled or moved.

Deletions are tried for a few seconds while the caller waits, then in the background
until Home Assistant stops; after that the leases end by themselves. A link that is made
to the same server meanwhile takes over what is left.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from itertools import batched
import logging

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.hass_dict import HassKey

from .client.codec import IPAddress
from .client.events import Event, LeaseReappeared, LeaseReleased
from .clock import Clock
from .const import DOMAIN
from .leases import taken_up
from .link import Link
from .orders import Restore
from .snapshot import StoredLease
from .storage import LedgerStore, form_of

_LOGGER = logging.getLogger(__name__)

CLOSING_WAIT = 5.0
# So many are handed over at a time: a few milliseconds of the event loop.
_AT_ONCE = 64

_CLOSERS: HassKey[set[Closer]] = HassKey(f"{DOMAIN}_closers")
_DISABLED: HassKey[dict[str, asyncio.Task[None]]] = HassKey(f"{DOMAIN}_disabled")


async def async_close_disabled(hass: HomeAssistant, entry_id: str) -> None:
    """Close what an entry has open that was disabled: once, until `async_enable`."""
    tasks = hass.data.setdefault(_DISABLED, {})
    if entry_id not in tasks:
        tasks[entry_id] = hass.async_create_task(
            async_close_from_storage(hass, entry_id), f"{DOMAIN} disabled"
        )
    await tasks[entry_id]


async def async_enable(hass: HomeAssistant, entry_id: str) -> None:
    """Let an entry be closed again when it is disabled again.

    It waits for what closes it now, lest that comes after what is opened next.
    """
    if (task := hass.data.get(_DISABLED, {}).pop(entry_id, None)) is not None:
        await task


async def async_close_from_storage(hass: HomeAssistant, entry_id: str) -> None:
    """Close every lease that an entry has in storage; nothing is wanted any more.

    What is of a version to come is left as it is.
    """
    clock = Clock(hass.loop)
    store = LedgerStore(hass, entry_id)
    try:
        stored = await store.async_load(wall_offset=clock.wall_offset)
    except HomeAssistantError as err:
        _LOGGER.warning("What is stored cannot be read, so nothing is closed: %s", err)
        return
    if stored is None or stored.is_lost:
        return
    snapshot = stored.snapshot
    unwanted = replace(snapshot, wishes={}, taken_at=clock.now())
    if not await store.async_save(form_of(unwanted, wall_offset=clock.wall_offset)):
        # There is always room to remove a file, or it would all be wanted again.
        await store.async_remove()
    await async_close_leases(hass, snapshot.servers, snapshot.leases, clock=clock)


async def async_close_leases(
    hass: HomeAssistant,
    servers: Iterable[IPAddress],
    leases: Iterable[StoredLease],
    *,
    clock: Clock,
    wait: float = CLOSING_WAIT,
) -> None:
    """Close leases on their servers; returns when it is done, or after `wait` seconds."""
    by_source: dict[tuple[int, IPAddress | None], list[StoredLease]] = {}
    for lease in leases:
        by_source.setdefault((_version(lease), _source(lease)), []).append(lease)
    closers = [
        Closer(hass, server, of_source, source=source, clock=clock)
        for server in servers
        for (version, source), of_source in by_source.items()
        if version == server.version
    ]
    if closers and wait:
        await asyncio.wait([closer.task for closer in closers], timeout=wait)


def async_take_over(hass: HomeAssistant, server: IPAddress) -> list[StoredLease]:
    """Stop closing on a server in the background; return what is left to do."""
    left: list[StoredLease] = []
    for closer in list(hass.data.get(_CLOSERS, ())):
        if closer.server == server:
            left += closer.stop()
    return left


class Closer:
    """Deletes mappings on one server, until each is answered for or has run out."""

    def __init__(
        self,
        hass: HomeAssistant,
        server: IPAddress,
        leases: list[StoredLease],
        *,
        source: IPAddress | None,
        clock: Clock,
    ) -> None:
        """Begin at once, in the background, from one address of ours."""
        self.server = server
        self._clock = clock
        self._leases = {lease.wish.key: lease for lease in leases}
        self._left = set(self._leases)
        self._link = Link(
            server, on_event=self._on_event, on_pumped=self._look, source=source
        )
        self._done = asyncio.Event()
        self._closers = hass.data.setdefault(_CLOSERS, set())
        self._closers.add(self)
        self.task = hass.async_create_background_task(
            self._async_close(), name=f"{DOMAIN} closing"
        )

    def stop(self) -> list[StoredLease]:
        """Stop, and return what is not closed yet."""
        self._done.set()
        self._closers.discard(self)
        self._link.stop()
        return [lease for key, lease in self._leases.items() if key in self._left]

    async def _async_close(self) -> None:
        try:
            for some in batched(self._leases.values(), _AT_ONCE, strict=False):
                for stored in some:
                    lease = taken_up(stored, now=self._clock.now())
                    self._link.carry_out(Restore(lease.key, lease.grant), lease)
                await asyncio.sleep(0)
            if not self._done.is_set():
                await self._link.async_start(None)
            await self._done.wait()
        finally:
            self.stop()

    def _on_event(self, event: Event) -> None:
        match event:
            case LeaseReleased(key):
                self._left.discard(key)
            case LeaseReappeared(wish):
                self._left.add(wish.key)

    def _look(self) -> None:
        if not self._left:
            self._done.set()


def _version(lease: StoredLease) -> int:
    return lease.wish.key.internal_address.version


def _source(lease: StoredLease) -> IPAddress | None:
    """Return the address that a mapping can be deleted from; None is any of ours.

    RFC 6887 8.1: only the host that it is for may do so, but for THIRD_PARTY.
    """
    return None if lease.wish.third_party else lease.wish.key.internal_address
