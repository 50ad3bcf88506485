"""The Port Control Protocol integration: a router's ports as switches."""

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigEntryState,
)
from homeassistant.const import CONF_MAC, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from . import issues
from .closing import async_close_disabled, async_close_from_storage, async_enable
from .const import CONF_MANUFACTURER, CONF_MODEL, CONF_PAGE, DOMAIN
from .coordinator import PcpConfigEntry, PcpCoordinator
from .services import async_setup_services
from .storage import LedgerStore

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.SENSOR,
    Platform.SWITCH,
]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, and watch for routers that are disabled."""

    @callback
    def on_changed(change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Close what an entry has open that is disabled without being loaded.

        Home Assistant does not unload it then, so this is the only news of it.
        """
        if (
            entry.domain == DOMAIN
            and entry.disabled_by is not None
            and entry.state is ConfigEntryState.NOT_LOADED
            and change is ConfigEntryChange.UPDATED
        ):
            hass.async_create_task(async_close_disabled(hass, entry.entry_id))

    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, on_changed)
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: PcpConfigEntry) -> bool:
    """Set up a router; it may be silent, for the switches are to take wishes.

    So nothing here waits for the network: what is stored is read, the entities are made,
    and the rest comes beside it.
    """
    await async_enable(hass, entry.entry_id)
    coordinator = PcpCoordinator(hass, entry)
    coordinator.router_device_id = _register_router(hass, entry)
    entry.runtime_data = coordinator
    await coordinator.async_load()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(entry.add_update_listener(_async_update_listener))
    entry.async_create_background_task(
        hass, coordinator.async_start(), f"{DOMAIN} start", eager_start=False
    )
    return True


@callback
def _register_router(hass: HomeAssistant, entry: PcpConfigEntry) -> str:
    """Register the router's device as what is known of it now; return its id."""
    mac = entry.data.get(CONF_MAC)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        configuration_url=entry.data.get(CONF_PAGE),
        connections={(dr.CONNECTION_NETWORK_MAC, mac)} if mac else None,
        identifiers={(DOMAIN, entry.entry_id)},
        manufacturer=entry.data.get(CONF_MANUFACTURER),
        model=entry.data.get(CONF_MODEL),
        name=entry.title,
    )
    return device.id


async def _async_update_listener(hass: HomeAssistant, entry: PcpConfigEntry) -> None:
    """Take over what changed in the entry, without a reload: no lease is disturbed."""
    _register_router(hass, entry)
    await entry.runtime_data.async_follow_entry()


async def async_unload_entry(hass: HomeAssistant, entry: PcpConfigEntry) -> bool:
    """Unload a router; its leases are left alone unless it is disabled."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    await entry.runtime_data.async_stop()
    if entry.disabled_by is not None:
        await async_close_disabled(hass, entry.entry_id)
        issues.async_forget_router(hass, entry)
    return True


async def async_remove_entry(hass: HomeAssistant, entry: PcpConfigEntry) -> None:
    """Close what is left of a router, from storage alone, and forget it."""
    await async_close_from_storage(hass, entry.entry_id)
    await LedgerStore(hass, entry.entry_id).async_remove()
    issues.async_forget_router(hass, entry)
