"""One router as Home Assistant sees it: its forwards, what is shown, and the acts."""

from collections.abc import Collection
from datetime import timedelta
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
from .bulletin import Bulletin, Listener, subscribe
from .const import (
    CONF_ANYCAST,
    CONF_LEASE_TIME,
    CONF_THIRD_PARTY,
    DEFAULT_LEASE_TIME,
    DOMAIN,
    SUBENTRY_FORWARD,
)
from .definitions import Definitions
from .display import Display
from .engine import Engine
from .errors import RefusedError
from .forward import Forward
from .ledger import Ledger
from .link import new_nonce
from .orders import Order
from .servers import Whereabouts
from .storage import Stored
from .views import (
    ForwardView,
    PcpData,
    forward_response,
    forward_view,
    link_diagnostics,
)
from .waiting import Waiting, async_wait_for_switch, switch_id

_LOGGER = logging.getLogger(__name__)

type PcpConfigEntry = ConfigEntry[PcpCoordinator]


class PcpCoordinator(DataUpdateCoordinator[PcpData]):
    """One router and its forwards. It decides nothing."""

    config_entry: PcpConfigEntry

    def __init__(self, hass: HomeAssistant, entry: PcpConfigEntry) -> None:
        """Make the rooms: `async_load` reads what is stored, `async_start` asks."""
        super().__init__(
            hass, _LOGGER, config_entry=entry, name=entry.title, always_update=False
        )
        self.router_device_id: str | None = None
        self._ledger = Ledger(nonce=new_nonce, **_options(entry))
        self._bulletin = Bulletin(self._ledger)
        self._where = Whereabouts(
            entry.data[CONF_HOST], anycast=entry.options.get(CONF_ANYCAST, False)
        )
        self._engine = Engine(
            hass,
            entry.entry_id,
            self._ledger,
            self._where,
            name=entry.title,
            on_event=self._bulletin.on_event,
            on_change=self._on_change,
        )
        self._definitions = Definitions(entry)
        self._waiting = Waiting()
        self._acts = Acts(self._engine, self._waiting)
        self._display = Display(
            hass,
            entry,
            self._engine,
            self._acts,
            self._waiting,
            publish=self._on_display,
            tell=self._bulletin.on_news,
            remove=self._remove,
        )
        self._forwards_listeners: list[CALLBACK_TYPE] = []
        self._changed: Collection[str | None] = ()
        self._updates: dict[object, list[CALLBACK_TYPE]] = {}
        self._mac: str | None = entry.data.get(CONF_MAC)
        self.data = self._display.data

    # From start to stop.

    async def async_load(self) -> None:
        """Load what was stored, so that everything can be shown and take wishes."""
        entry = self.config_entry
        entry.async_on_unload(self._engine.silence)
        entry.async_on_unload(self._display.silence)
        forwards = self._definitions.read()
        stored = await self._async_load(forwards)
        issues.async_forget_store_lost(self.hass, entry)
        if forwards and (stored is None or stored.is_lost):
            issues.async_tell_store_lost(self.hass, entry)
        elif forwards and stored and stored.is_damaged:
            issues.async_tell_store_damaged(self.hass, entry)
        await self._display.async_begin()
        # Temporary forwards that have ended are removed by now.
        if orders := self._define():
            await self._engine.async_carry_out(orders)

    async def async_start(self) -> None:
        """Find the router, and take up all leases again."""
        await self._engine.async_start()
        # What was changed while the platforms were set up, nobody has told.
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
        issues.async_forget_nat(self.hass, self.config_entry)
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
            issues.async_forget_nat(self.hass, self.config_entry)
            await self._engine.async_move_to(host)
        elif mac != known and None not in (mac, known):
            issues.async_forget_nat(self.hass, self.config_entry)
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
    def definition(self, forward_id: str) -> Forward:
        """Return a forward as it is defined."""
        return self._ledger.forwards[forward_id]

    @callback
    def forward_response(self, forward_id: str) -> dict[str, Any]:
        """Return a forward as actions answer with it."""
        return forward_response(
            self._display.forward(forward_id),
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
    def async_add_router_event_listener(self, listener: Listener) -> CALLBACK_TYPE:
        """Tell what happens to the router: the event's type and its attributes."""
        return self._bulletin.listen(listener)

    @callback
    def async_add_forwards_listener(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Tell when forwards were added, changed or removed."""
        return subscribe(self._forwards_listeners, listener)

    @callback
    @override
    def async_add_listener(
        self, update_callback: CALLBACK_TYPE, context: Any = None
    ) -> CALLBACK_TYPE:
        """Tell when a forward has changed, or without a context the router."""
        # The base class would keep them, too, to know whether to poll.
        return subscribe(self._updates.setdefault(context, []), update_callback)

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
        forwards = self._definitions.read()
        known = self._ledger.forwards
        if forwards == known:
            return []
        gone = known.keys() - forwards.keys()
        for forward_id in gone:
            issues.async_forget_forward(self.hass, forward_id)
        orders = self._ledger.define(forwards)
        # The platforms ask for the new ones at once.
        self._display.show(forwards.keys() - known.keys())
        self._on_change()
        self._waiting.look(gone)
        for listener in list(self._forwards_listeners):
            listener()
        return orders

    def _remove(self, forward_id: str) -> None:
        if forward_id in self.config_entry.subentries:
            self.hass.config_entries.async_remove_subentry(
                self.config_entry, forward_id
            )

    # The way up: news.

    @callback
    def _on_change(self) -> None:
        """Show that there may be something new."""
        self._display.catch_up()

    @callback
    def _on_display(self, data: PcpData, changed: Collection[str | None]) -> None:
        """Bring the entities up to date."""
        self._changed = changed
        self.async_set_updated_data(data)


def _options(entry: PcpConfigEntry) -> dict[str, Any]:
    return {
        "lease_time": entry.options.get(CONF_LEASE_TIME, DEFAULT_LEASE_TIME),
        "third_party": entry.options.get(CONF_THIRD_PARTY, False),
    }
