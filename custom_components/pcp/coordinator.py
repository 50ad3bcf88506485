"""One router as Home Assistant sees it: its forwards, what is shown, and the acts."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from itertools import islice
import logging
from types import MappingProxyType
from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_HOST, CONF_MAC
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import (
    ConfigEntryError,
    ConfigEntryNotReady,
    HomeAssistantError,
    UnsupportedStorageVersionError,
)
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from . import issues
from .acts import Acts
from .client.events import Event, ExternalAddressChanged, ServerRestarted
from .const import (
    CONF_ANYCAST,
    CONF_LEASE_TIME,
    CONF_THIRD_PARTY,
    DEFAULT_LEASE_TIME,
    DOMAIN,
    SUBENTRY_FORWARD,
    RouterEvent,
)
from .engine import Engine
from .errors import RefusedError
from .fields import as_name
from .forward import CONF_NAME, Forward, ForwardError
from .ledger import Ledger
from .link import new_nonce
from .news import ForwardLost, News
from .orders import Order
from .servers import Whereabouts
from .storage import Stored
from .views import (
    ForwardView,
    PcpData,
    RouterView,
    forward_response,
    forward_view,
    link_diagnostics,
    router_view,
)
from .waiting import Waiting, async_wait_for_switch, switch_id

_LOGGER = logging.getLogger(__name__)

# So many forwards are shown at a time, and so much news is told: a few milliseconds of
# the event loop.
_AT_ONCE = 16

type PcpConfigEntry = ConfigEntry[PcpCoordinator]


class PcpCoordinator(DataUpdateCoordinator[PcpData]):
    """One router and its forwards. It decides nothing."""

    config_entry: PcpConfigEntry

    def __init__(self, hass: HomeAssistant, entry: PcpConfigEntry) -> None:
        """Make the rooms; nothing is loaded or sent before `async_start`."""
        super().__init__(
            hass, _LOGGER, config_entry=entry, name=entry.title, always_update=False
        )
        self.router_device_id: str | None = None
        self._ledger = Ledger(nonce=new_nonce, **_options(entry))
        self._where = Whereabouts(
            entry.data[CONF_HOST], anycast=entry.options.get(CONF_ANYCAST, False)
        )
        self._engine = Engine(
            hass,
            entry.entry_id,
            self._ledger,
            self._where,
            on_event=self._on_event,
            on_change=self._on_change,
        )
        self._waiting = Waiting()
        self._acts = Acts(self._engine, self._waiting)
        self._event_listeners: list[Callable[[str, dict[str, Any]], None]] = []
        self._forwards_listeners: list[CALLBACK_TYPE] = []
        self._changed: set[str | None] = set()
        self._updates: dict[object, list[CALLBACK_TYPE]] = {}
        self._unshown: dict[str, None] = {}
        self._untold: deque[News] = deque()
        self._rest: asyncio.Handle | None = None
        self._read: dict[str, tuple[object, Forward | None]] = {}
        self._damaged: set[str] = set()
        self._mac: str | None = entry.data.get(CONF_MAC)
        self._is_silence_told = False
        self.data = PcpData(router=RouterView(), forwards={})

    # From start to stop.

    async def async_start(self) -> None:
        """Load what was stored, find the router, and take up all leases again."""
        entry = self.config_entry
        entry.async_on_unload(self._engine.silence)
        entry.async_on_unload(self._forget_the_rest)
        forwards = self._defined_forwards()
        stored = await self._async_load(forwards)
        issues.async_forget_store_lost(self.hass, entry)
        if forwards and (stored is None or stored.is_lost):
            issues.async_tell_store_lost(self.hass, entry)
        elif forwards and stored and stored.is_damaged:
            issues.async_tell_store_damaged(self.hass, entry)
        # The platforms ask for every forward.
        self._on_change()
        while self._unshown:
            await asyncio.sleep(0)
            self._on_change()
        await self._engine.async_start()
        # Temporary forwards that have ended are removed by now.
        await self.async_follow_entry()

    async def _async_load(self, forwards: dict[str, Forward]) -> Stored | None:
        """Load; what cannot be understood or read is never written over."""
        try:
            return await self._engine.async_load(forwards)
        except UnsupportedStorageVersionError as err:
            raise ConfigEntryError(
                translation_domain=DOMAIN, translation_key="storage_too_new"
            ) from err
        except HomeAssistantError as err:
            raise ConfigEntryNotReady(
                translation_domain=DOMAIN, translation_key="storage_unreadable"
            ) from err

    async def async_stop(self) -> None:
        """Fall silent and save; leases are left alone.

        Those of a disabled entry are not wished for any more.
        """
        if self.config_entry.disabled_by:
            self._ledger.close_all()
        await self._engine.async_stop()

    async def async_move_to(self, host: str) -> None:
        """Close everything on the old server, then ask the new one for what is wanted.

        What the old server does not answer for in 5 s is closed in the background.
        """
        # Whose MAC address it is will be told when the entry is.
        self._mac = None
        await self._engine.async_move_to(host)

    async def async_follow_entry(self) -> None:
        """Take over what has changed in the entry: router, options and forwards."""
        data = self.config_entry.data
        orders = self._define()
        orders += self._ledger.set_options(**_options(self.config_entry))
        await self._engine.async_catch_up(orders)
        self._where.anycast = self.config_entry.options.get(CONF_ANYCAST, False)
        (host, mac), known = (data[CONF_HOST], data.get(CONF_MAC)), self._mac
        self._mac = mac
        if host != self._where.host:
            await self._engine.async_move_to(host)
        elif mac != known and None not in (mac, known):
            await self._engine.async_start_anew()

    # Deliberate acts.

    async def async_open_forward(
        self, forward_id: str, *, duration: timedelta | None = None
    ) -> None:
        """Want a forward, for a while or for good, as `Acts.async_open` does.

        Raises RefusedError, and the wish is what it was.
        """
        issues.async_forget_store_lost(self.hass, self.config_entry)
        await self._acts.async_open(forward_id, duration=duration)

    async def async_close_forward(self, forward_id: str) -> None:
        """Stop wanting a forward, as `Acts.async_close` does; a temporary one goes."""
        await self._acts.async_close(forward_id)

    async def async_try_forward(
        self, forward: Forward, *, replacing: str | None = None
    ) -> ForwardView | None:
        """Ask for a forward that is about to be defined, as `Acts.async_try` does.

        Returns it as it will be shown, or None where nothing had to be asked for.
        Raises ForwardError or RefusedError; nothing is left then.
        """
        standing = await self._acts.async_try(forward, replacing=replacing)
        if standing is None:
            return None
        return forward_view("", standing, self._engine.clock)

    async def async_add_forward(
        self, forward: Forward, *, duration: timedelta | None = None
    ) -> ForwardView:
        """Open and define a forward; with a duration it removes itself.

        Raises ForwardError or RefusedError; nothing is left then.
        """
        await self._acts.async_try(forward)
        subentry = ConfigSubentry(
            data=MappingProxyType(forward.as_data()),
            subentry_type=SUBENTRY_FORWARD,
            title=forward.name,
            unique_id=None,
        )
        forward_id = subentry.subentry_id
        self.hass.config_entries.async_add_subentry(self.config_entry, subentry)
        await self._engine.async_carry_out(
            self._define() + self._acts.set_duration(forward_id, duration)
        )
        await async_wait_for_switch(self.hass, self._waiting, forward_id)
        if forward_id not in self.data.forwards:
            # Somebody has removed it meanwhile.
            raise RefusedError(
                "unknown_forward", placeholders={"forward": forward.name}
            )
        return self.data.forwards[forward_id]

    async def async_remove_forward(self, forward_id: str) -> None:
        """Close a forward, waiting up to 5 s, and remove its definition."""
        await self._acts.async_close(forward_id)
        self._remove(forward_id)
        await self.async_follow_entry()

    async def async_renew(self) -> None:
        """Ask the router for everything again, holds or not."""
        self._engine.renew()

    # What there is to see, and who is told.

    @callback
    def forward_response(self, forward_id: str) -> dict[str, Any]:
        """Return a forward as actions answer with it."""
        if forward_id in self._unshown:
            self._show([forward_id])
        return forward_response(
            self.data.forwards[forward_id],
            entry_id=self.config_entry.entry_id,
            entity_id=switch_id(self.hass, forward_id),
        )

    @callback
    def diagnostics(self) -> dict[str, Any]:
        """Return what helps to find a fault."""
        now = self._engine.clock.now()
        return {
            "servers": [link_diagnostics(link, now=now) for link in self._engine.links]
        }

    @callback
    def async_add_router_event_listener(
        self, listener: Callable[[str, dict[str, Any]], None]
    ) -> CALLBACK_TYPE:
        """Tell what happens to the router: the event's type and its attributes."""
        return _subscribe(self._event_listeners, listener)

    @callback
    def async_add_forwards_listener(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Tell when forwards were added, changed or removed."""
        return _subscribe(self._forwards_listeners, listener)

    @callback
    @override
    def async_add_listener(
        self, update_callback: CALLBACK_TYPE, context: Any = None
    ) -> CALLBACK_TYPE:
        """Tell when a forward has changed, or without a context the router."""
        forget = super().async_add_listener(update_callback, context)
        updates = self._updates.setdefault(context, [])
        updates.append(update_callback)

        def remove() -> None:
            updates.remove(update_callback)
            forget()

        return remove

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Update the router's entities, and those of the forwards that changed."""
        for context in self._changed:
            for update in list(self._updates.get(context, ())):
                update()

    @override
    async def _async_update_data(self) -> PcpData:
        """Return what is known: nothing is polled."""
        return self.data

    # What is defined.

    def _define(self) -> list[Order]:
        """Give the ledger the forwards as they are defined, and tell the platforms."""
        forwards = self._defined_forwards()
        known = self._ledger.forwards
        if forwards == known:
            return []
        gone = known.keys() - forwards.keys()
        for forward_id in gone:
            issues.async_forget_forward(self.hass, forward_id)
        orders = self._ledger.define(forwards)
        # The platforms ask for the new ones at once.
        self._show(forwards.keys() - known.keys())
        self._on_change()
        self._waiting.look(gone)
        for listener in list(self._forwards_listeners):
            listener()
        return orders

    def _defined_forwards(self) -> dict[str, Forward]:
        """Return the forwards as they are defined; only what is new is read."""
        read, self._read = self._read, {}
        for subentry in self.config_entry.get_subentries_of_type(SUBENTRY_FORWARD):
            forward_id = subentry.subentry_id
            # A subentry that is changed stays the same object.
            source = subentry.title, subentry.data
            known = read.get(forward_id)
            if known is None or known[0] != source:
                known = source, self._read_forward(subentry)
            self._read[forward_id] = known
        return {
            forward_id: forward
            for forward_id, (_, forward) in self._read.items()
            if forward is not None
        }

    def _read_forward(self, subentry: ConfigSubentry) -> Forward | None:
        try:
            return Forward.parse({**subentry.data, CONF_NAME: as_name(subentry.title)})
        except ForwardError as err:
            if subentry.subentry_id not in self._damaged:
                self._damaged.add(subentry.subentry_id)
                _LOGGER.error("The forward %s is damaged: %s", subentry.title, err)
            return None

    def _remove(self, forward_id: str) -> None:
        if forward_id in self.config_entry.subentries:
            self.hass.config_entries.async_remove_subentry(
                self.config_entry, forward_id
            )

    # The way up: news.

    @callback
    def _on_event(self, event: Event) -> None:
        """Tell what is of interest outside."""
        match event:
            case ServerRestarted():
                self._tell(RouterEvent.RESTARTED)
            case ExternalAddressChanged(old, new) if old is not None:
                self._tell(
                    RouterEvent.EXTERNAL_ADDRESS_CHANGED,
                    old_address=str(old),
                    new_address=str(new),
                )

    @callback
    def _on_change(self) -> None:
        """Show what has changed, tell it, and wake those who wait for it.

        That of a few forwards at once; the rest follows in the loop's next turns.
        """
        self._unshown.update(dict.fromkeys(self._ledger.take_touched()))
        self._untold += self._ledger.take_news()
        forward_ids = []
        for forward_id in list(islice(self._unshown, _AT_ONCE)):
            del self._unshown[forward_id]
            if forward_id in self._ledger.forwards:
                forward_ids.append(forward_id)
        issues.async_look_at_storage(
            self.hass, self.config_entry, is_failing=self._engine.is_storage_failing
        )
        self._show(forward_ids)
        for _ in range(min(len(self._untold), _AT_ONCE)):
            self._tell_news(self._untold.popleft())
        self._waiting.look(forward_ids)
        for forward_id in self._ledger.finished(forward_ids):
            self._remove(forward_id)
        if (self._unshown or self._untold) and self._rest is None:
            self._rest = self.hass.loop.call_soon(self._on_rest)

    @callback
    def _on_rest(self) -> None:
        self._rest = None
        self._on_change()

    @callback
    def _forget_the_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()

    @callback
    def _show(self, forward_ids: Collection[str]) -> None:
        """Bring what is shown up to date, for these forwards and the router."""
        for forward_id in forward_ids:
            self._unshown.pop(forward_id, None)
        before = self.data
        reachable = self._engine.links.reachable
        fresh = {
            forward_id: forward_view(
                forward_id,
                self._ledger.standing(forward_id, reachable),
                self._engine.clock,
            )
            for forward_id in forward_ids
        }
        forwards = {**before.forwards, **fresh}
        known = self._ledger.forwards
        if forwards.keys() != before.forwards.keys() or forwards.keys() - known.keys():
            forwards = {it: forwards[it] for it in known if it in forwards}
        router = router_view(self._engine.links, self._engine.clock)
        self._changed = {
            forward_id
            for forward_id, view in fresh.items()
            if view != before.forwards.get(forward_id)
        }
        for forward_id, view in fresh.items():
            if not self._acts.is_opening(forward_id):
                issues.async_look_at_forward(self.hass, view)
        if router != before.router:
            self._changed.add(None)
            issues.async_look_at_router(self.hass, self.config_entry, router)
        if self._changed or forwards.keys() != before.forwards.keys():
            self.async_set_updated_data(PcpData(router=router, forwards=forwards))
        self._log_silence(reachable.values())

    def _tell_news(self, news: News) -> None:
        """Tell what happened to a forward by itself, if it is still there."""
        if (forward := self._ledger.forwards.get(news.forward_id)) is None:
            return
        lost = isinstance(news, ForwardLost)
        self._tell(
            RouterEvent.FORWARD_LOST if lost else RouterEvent.FORWARD_RESTORED,
            forward_id=news.forward_id,
            name=forward.name,
        )

    def _tell(self, event_type: RouterEvent, **attributes: Any) -> None:
        for listener in list(self._event_listeners):
            listener(event_type, attributes)

    def _log_silence(self, reachable: Iterable[bool | None]) -> None:
        """Log the first silence, and the first answer after it."""
        known = [answers for answers in reachable if answers is not None]
        if not known:
            return
        if any(known):
            if self._is_silence_told:
                _LOGGER.warning("%s answers again", self.config_entry.title)
            self._is_silence_told = False
        elif not self._is_silence_told:
            _LOGGER.warning("%s does not answer", self.config_entry.title)
            self._is_silence_told = True


def _options(entry: ConfigEntry) -> dict[str, Any]:
    return {
        "lease_time": entry.options.get(CONF_LEASE_TIME, DEFAULT_LEASE_TIME),
        "third_party": entry.options.get(CONF_THIRD_PARTY, False),
    }


def _subscribe[ListenerT](
    listeners: list[ListenerT], listener: ListenerT
) -> CALLBACK_TYPE:
    """Add a listener; return what removes it."""
    listeners.append(listener)
    return lambda: listeners.remove(listener)
