"""Switches of nothing."""

from homeassistant.components.switch import SwitchEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import IdleEntity, add


class IdleSwitchEntity(IdleEntity, SwitchEntity):
    """One that never changes."""

    _attr_is_on = False


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add them."""
    add(entry, async_add_entities, IdleSwitchEntity, (), ("forward",))
